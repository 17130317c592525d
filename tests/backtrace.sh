#!/usr/bin/env bash
# Clients get errors without a Rust backtrace even if RUST_BACKTRACE is set for the server: errors
# that the library raises, and errors of the server that pass through the library.
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
[ "$AM" = learned ] || { say "backtrace: nothing to test with $AM"; exit 0; }

# scripts/server.sh starts servers without the variable, so this one is started by hand. The library
# is loaded by each session, or by the postmaster: PRELOAD
start_with_backtraces() {
    fresh_server backtrace fsync=off autovacuum=off "shared_preload_libraries=$1"
    "$ROOT/scripts/server.sh" stop backtrace
    as_server_user env RUST_BACKTRACE=1 "$BINDIR/pg_ctl" -D "$WORK/backtrace/data" -s -w -t 300 \
        -l "$WORK/backtrace/log" start
    new_database backtrace
    sql -c 'CREATE TABLE t AS SELECT i::int8 AS k, i::text AS s FROM generate_series(0, 1000) i' \
        -c 'CREATE INDEX t_k ON t USING learned (k)'
}

# The statement fails with exactly these lines: STATEMENT EXPECTED
fails_with() {
    local got
    got=$(psql -XqAt -v VERBOSITY=default -c "$1" 2>&1) && die "no error: $1"
    [ "$got" = "$2" ] || die "$1: $got"
}

for preload in '' omendb; do
    start_with_backtraces "$preload"
    pid=$(head -n 1 "$WORK/backtrace/data/postmaster.pid")
    tr '\0' '\n' < "/proc/$pid/environ" | grep -qx RUST_BACKTRACE=1 || die "the variable is not set"
    # Raised by the library.
    fails_with 'CREATE INDEX ON t USING learned (k, k, k, k, k, k, k, k, k)' \
        'ERROR:  access method "learned" does not support more than 8 columns
HINT:  Create a btree index, or a learned index on the first columns.'
    # Raised by the server in a function that the library calls.
    fails_with "SELECT * FROM omendb_predict('t_k', 'x')" \
        'ERROR:  invalid input syntax for type bigint: "x"'
    # Raised by the server in the build's scan of the table, which calls the library back.
    fails_with 'CREATE INDEX ON t USING learned ((1 / (k - 500)))' 'ERROR:  division by zero'
    # Raised by the server in a statement that passes through the library's hooks.
    fails_with 'INSERT INTO t SELECT 1 / (i - 10) FROM generate_series(1, 20) i' \
        'ERROR:  division by zero'
    if grep -q 'stack backtrace\|rust_begin_unwind\|pgrx_pg_sys::' "$WORK/backtrace/log"; then
        die "backtrace in the server's log: $WORK/backtrace/log"
    fi
    say "backtrace: none, with shared_preload_libraries = '$preload'"
done
