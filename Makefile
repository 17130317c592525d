# make deps build install test demo bench bench-inserts bench-columns clean; PGVER=15..18 or PG_CONFIG=... chooses the PostgreSQL.
# make test TESTS="crash standby" runs some of the tests; make bench PARTS="lookups build" some of the figures.
SHELL := /bin/bash
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)
export PG_CONFIG PGVER OMENDB_WORK AM TESTS PARTS

# Asked for when a recipe runs, since `make deps` may have just installed it.
pg_config = $$(. scripts/lib.sh && echo $$PG_CONFIG)
feature = pg$$($(pg_config) --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
AM ?= learned

.PHONY: all deps build install test demo bench bench-inserts bench-columns bench-vacuum bench-model fuzz lint clean

all: build

deps:
	scripts/deps.sh

build: deps
	cargo build --release --no-default-features --features $(feature)

# AM=btree tries the scripts without the extension.
install: deps
	scripts/install.sh

lint:
	cargo fmt --all --check
	cargo clippy -p learned --all-targets -- -D warnings
	cargo clippy --all-targets --no-default-features --features $(feature) -- -D warnings
	cargo clippy --no-default-features --features "$(feature) testing" -- -D warnings

test: install
	tests/run.sh

# Needs cargo-fuzz (cargo install cargo-fuzz); the stable compiler will do. FUZZ_SECONDS each.
fuzz:
	cd crates/learned && for target in damage operations; do \
	    cargo fuzz run --sanitizer none $$target -- -max_total_time=$${FUZZ_SECONDS:-300} -max_len=600 -len_control=0 -timeout=20 || exit 1; done

demo: install
	scripts/demo.sh

bench: install
	benches/figures.sh

bench-inserts: install
	benches/inserts.sh

bench-model: install
	benches/model.sh

bench-columns: install
	benches/columns.sh

bench-vacuum: install
	benches/vacuum.sh

clean:
	scripts/clean.sh
	cargo clean
