#!/usr/bin/env bash
# A streaming standby replays a concurrent load with every record checked against page images; at the same LSN its answers and its indexes' pages
# are the primary's; it crashes, catches up, and is promoted in the middle of a load.
#   SECONDS_EACH (8)  CLIENTS (4)
# shellcheck source=load.sh
. "$(dirname "${BASH_SOURCE[0]}")/load.sh"
# shellcheck source=replica.sh
. "$(dirname "${BASH_SOURCE[0]}")/replica.sh"
SECONDS_EACH=${SECONDS_EACH:-8} CLIENTS=${CLIENTS:-4}
# Index-only scans on a standby are btree's only: learned refuses them there.
primary=(fsync=off autovacuum=off "wal_consistency_checking=$RESOURCE_MANAGER")
# With feedback replay does not wait for readers' snapshots: it could wait for a reader that waits for a lock of replay's own.
standby=("${primary[@]}" max_standby_streaming_delay=-1 hot_standby_feedback=on "$(from_primary standby)")

fresh_server standby "${primary[@]}"
new_database standby
make_load_tables
start_replica standby standby2 "${standby[@]}"

on_primary() { use_server standby standby; }
on_standby() { use_server standby2 standby; }

# The same pages and answers on both, all replayed.
compare() {
    local query
    same_pages standby standby2
    for query in "SELECT md5(string_agg(k::text, ',')) FROM (SELECT k FROM load ORDER BY k) q" \
        "SELECT md5(string_agg(ts::text, ',')) FROM (SELECT ts FROM load ORDER BY ts DESC) q" \
        "SELECT count(*), sum(k) FROM load WHERE k BETWEEN 100000 AND 5000000000" "SELECT min(k), max(k), min(ts), max(ts) FROM load"; do
        on_primary
        local expected
        expected=$(PGOPTIONS='-c enable_indexscan=off -c enable_indexonlyscan=off -c enable_bitmapscan=off' sql -c "$query")
        on_standby
        [ "$(PGOPTIONS='-c enable_seqscan=off -c enable_sort=off' sql -c "$query")" = "$expected" ] || die "the standby differs: $query"
    done
    check_load index,bitmap
}

for round in 1 2; do
    on_primary
    say "round $round: load on the primary, readers on the standby"
    start_load load "$CLIENTS" "$SECONDS_EACH"
    start_script vacuum vacuum 1 "$SECONDS_EACH"
    on_standby
    start_script read read_standby 1 "$SECONDS_EACH"
    on_primary
    for step in "CREATE INDEX CONCURRENTLY load_more ON load USING $AM (k)" 'REINDEX INDEX CONCURRENTLY load_ts' 'DROP INDEX CONCURRENTLY load_more'; do
        sql -c 'SET client_min_messages = warning' -c "$step"
    done
    wait_loads
    compare
    if [ $round = 1 ]; then
        say "the standby crashes and starts again during the next load"
        on_primary
        start_load load "$CLIENTS" 4
        sleep 2
        "$ROOT/scripts/server.sh" crash standby2
        start_server standby2 "${standby[@]}"
        wait_loads
        compare
    fi
done

say "promotion in the middle of a load, which goes on on both"
on_primary
start_load load "$CLIENTS" 5
start_script vacuum vacuum 1 5
sleep 2.5
on_standby
[ "$(sql -c 'SELECT pg_promote()')" = t ] || die "the standby is not promoted"
check_load
start_load load2 "$CLIENTS" 4
start_script vacuum2 vacuum 1 4
start_script read2 read 1 4
wait_loads
check_load
on_primary
check_load
! grep -E 'PANIC|TRAP|inconsistent page|signal (4|6|7|8|11)' "$WORK/standby/log" "$WORK/standby2/log" || die "a server's log has a PANIC or a dead backend"
"$ROOT/scripts/server.sh" stop standby2
say "standby: same answers"
