#!/usr/bin/env bash
# Runs cargo for the PostgreSQL that PG_CONFIG or PGVER chooses:
#   scripts/cargo.sh build --release @pg
# @pg stands for the options that choose the server's version, and @pg,testing adds a feature.
# Takes the cargo in PATH if it is new enough, else the toolchain that 'make deps' installs.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=rust.sh
. "$ROOT/scripts/rust.sh"
find_rust || die "Rust $RUST or newer is missing; 'make deps' installs it"
arguments=()
for argument in "$@"; do
    case $argument in
    @pg*) arguments+=(--no-default-features --features "pg$(pg_major)${argument#@pg}") ;;
    *) arguments+=("$argument") ;;
    esac
done
# The build script of pgrx looks for the server's headers there.
export PGRX_PG_CONFIG_PATH=$PG_CONFIG
cd "$ROOT"
exec cargo "${arguments[@]}"
