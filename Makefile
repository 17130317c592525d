# make, make install      build the extension; install it into the server's directories
# make test, make demo    the same and more, after installing what is missing (as make deps does)
# make deps               installs missing packages and Rust, on Debian or Ubuntu
# PGVER=15..18 or PG_CONFIG=... chooses the PostgreSQL.
# make test TESTS="crash standby" runs some of the tests, make bench PARTS="lookups build" makes
# some of the figures.
SHELL := /bin/bash
export PG_CONFIG PGVER OMENDB_WORK AM TESTS PARTS DESTDIR
cargo := scripts/cargo.sh

.PHONY: all deps check build install test demo bench bench-inserts bench-columns bench-vacuum \
    bench-model bench-daily fuzz lint clean

all: build

deps:
	@scripts/deps.sh

# Says what is missing and changes nothing.
check:
	@scripts/deps.sh check

build: check
	$(cargo) build --release @pg

install: build
	scripts/install.sh

# These two are to be one command on a bare machine. A second make, since the first one's variables
# are from before.
test demo:
	@echo "make $@ first installs missing packages and Rust ('make deps')"
	@scripts/deps.sh
	@$(MAKE) --no-print-directory install
	@$(if $(filter test,$@),tests/run.sh,scripts/demo.sh)

bench: install
	benches/figures.sh

bench-inserts: install
	benches/inserts.sh

bench-daily: install
	benches/daily.sh

bench-model: install
	benches/model.sh

bench-columns: install
	benches/columns.sh

bench-vacuum: install
	benches/vacuum.sh

lint:
	scripts/check_width.sh
	$(cargo) fmt --all --check
	$(cargo) clippy -p learned --all-targets -- -D warnings
	$(cargo) clippy --all-targets @pg -- -D warnings
	$(cargo) clippy @pg,testing -- -D warnings
	shellcheck .ci/run scripts/*.sh tests/*.sh benches/*.sh

# Needs cargo-fuzz (cargo install cargo-fuzz). The stable compiler will do. FUZZ_SECONDS for each.
fuzz:
	for target in damage operations; do \
	    scripts/cargo.sh fuzz run --fuzz-dir crates/learned/fuzz --sanitizer none $$target -- \
	        -max_total_time=$${FUZZ_SECONDS:-300} -max_len=600 -len_control=0 -timeout=20 || exit 1; \
	done

clean:
	scripts/clean.sh
	rm -rf target
