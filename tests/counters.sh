#!/usr/bin/env bash
# omendb_counters: of all sessions where the library is preloaded or the server gives shared memory
# on demand (17 and later), else of one session.
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
[ "$AM" = learned ] || { say "counters: nothing to compare with $AM"; exit 0; }
lookups() {
    echo "SET enable_seqscan = off; DO 'BEGIN FOR i IN 1 .. $1 LOOP PERFORM k FROM c WHERE k = i;
        END LOOP; END'"
}
searches() {
    sql -c "SELECT searches || CASE WHEN all_sessions THEN ' of all' ELSE ' of one' END
        FROM omendb_counters('c_k')"
}
is() { [ "$2" = "$3" ] || die "$1: $2, not $3"; }
# A session that has just ended may still be passing its counts on: WHAT EXPECTED
become() {
    for _ in {1..50}; do
        [ "$(searches)" != "$2" ] || return 0
        sleep 0.1
    done
    is "$1" "$(searches)" "$2"
}

# Counters after sessions of 1000, of 10 and, after a crash, of 100 lookups: NAME EXPECTED...
# [settings]
try() {
    local name=$1 expected=("${@:2:3}")
    fresh_server counters fsync=off autovacuum=off "${@:5}"
    new_database counters
    sql -c 'CREATE TABLE c AS SELECT i::int8 AS k FROM generate_series(1, 3000) i' \
        -c "CREATE INDEX c_k ON c USING $AM (k)" -c 'VACUUM ANALYZE c'
    sql -c "$(lookups 1000)"
    become "$name, a session of 1000 lookups" "${expected[0]}"
    sql -c "$(lookups 10)"
    become "$name, and one of 10" "${expected[1]}"
    before=$(searches | sed 's/ .*//')
    is "$name, in the session itself" "$(sql -c "$(lookups 5)" \
        -c "SELECT searches - $before FROM omendb_counters('c_k')")" 5
    # The server has room for few callbacks at exit: one session may turn the setting on late.
    is "$name, turned on late" "$({
        echo "SET omendb.shared_counters = off; SELECT 1 FROM omendb_counters('c_k');"
        echo 'SET omendb.shared_counters = on;'
        for _ in {1..30}; do echo "SELECT 1 FROM omendb_counters('c_k');"; done
    } | sql | wc -l)" 31
    # Temporary indexes are this session's own business.
    is "$name, a temporary index" "$(sql -c 'CREATE TEMP TABLE t (k int8)' \
        -c "CREATE INDEX t_k ON t USING $AM (k)" \
        -c "SELECT all_sessions FROM omendb_counters('t_k')")" f
    "$ROOT/scripts/server.sh" crash counters
    "$ROOT/scripts/server.sh" start counters fsync=off autovacuum=off "${@:5}"
    sql -c "$(lookups 100)"
    become "$name, after a crash" "${expected[2]}"
}

version=$(sed -E 's/[^0-9]*([0-9]+).*/\1/' <<<"$("$PG_CONFIG" --version)")
if ((version >= 17)); then
    try 'on demand' '1000 of all' '1010 of all' '100 of all'
    try 'turned off' '0 of one' '0 of one' '0 of one' omendb.shared_counters=off
else
    try 'on its own' '0 of one' '0 of one' '0 of one'
fi
try preloaded '1000 of all' '1010 of all' '100 of all' shared_preload_libraries=omendb
say "counters: of all sessions where there is memory for them"
