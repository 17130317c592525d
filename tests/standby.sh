#!/usr/bin/env bash
# A streaming standby replays a concurrent load with every record checked against page images; its answers are the primary's
# at the same LSN, its indexes pass all checks; then it crashes, catches up, and is promoted.
#   SECONDS_EACH (8)  CLIENTS (4)
# shellcheck source=load.sh
. "$(dirname "${BASH_SOURCE[0]}")/load.sh"
SECONDS_EACH=${SECONDS_EACH:-8} CLIENTS=${CLIENTS:-4}
consistency=$([ "$AM" = btree ] && echo btree || echo generic)
# Index-only scans on a standby are btree's only: learned refuses them there.
primary=(fsync=off autovacuum=off "wal_consistency_checking=$consistency")
# With feedback replay does not wait for readers' snapshots: it could wait for a reader that waits for a lock of replay's own.
standby=("${primary[@]}" max_standby_streaming_delay=-1 hot_standby_feedback=on "primary_conninfo=host=$WORK/standby port=5444 user=postgres")

"$ROOT/scripts/server.sh" remove standby2
fresh_server standby "${primary[@]}"
new_database standby
make_load_tables
"$ROOT/scripts/server.sh" clone standby standby2
start_server standby2 "${standby[@]}"

on_primary() { use_server standby standby; }
on_standby() { use_server standby2 standby; }

# Wait until the standby has replayed all that the primary has written.
catch_up() {
    on_primary
    local lsn
    lsn=$(sql -c 'SELECT pg_current_wal_insert_lsn()')
    on_standby
    for ((i = 0; i < 1200; i++)); do
        if [ "$(sql -c "SELECT pg_last_wal_replay_lsn() >= '$lsn'" 2>/dev/null)" = t ]; then return; fi
        "$ROOT/scripts/server.sh" psql standby2 -c 'SELECT 1' >/dev/null 2>&1 || { tail -n 5 "$WORK/standby2/log"; die "the standby is down"; }
        sleep 0.1
    done
    die "the standby does not catch up"
}

# The same answers on both.
compare() {
    local query
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
    catch_up
    compare
    if [ $round = 1 ]; then
        say "the standby crashes and starts again during the next load"
        on_primary
        start_load load "$CLIENTS" 4
        sleep 2
        "$ROOT/scripts/server.sh" crash standby2
        start_server standby2 "${standby[@]}"
        wait_loads
        catch_up
        compare
    fi
done

say "promotion"
on_standby
[ "$(sql -c 'SELECT pg_promote()')" = t ] || die "the standby is not promoted"
check_load
start_load load "$CLIENTS" 4
start_script vacuum vacuum 1 4
start_script read read 1 4
wait_loads
check_load
! grep -E 'PANIC|TRAP|inconsistent page|signal (4|6|7|8|11)' "$WORK/standby/log" "$WORK/standby2/log" || die "a server's log has a PANIC or a dead backend"
"$ROOT/scripts/server.sh" stop standby2
say "standby: same answers"
