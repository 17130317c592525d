#!/usr/bin/env bash
# A streaming standby replays a concurrent load with every record checked against page images; at
# the same LSN its answers and its indexes' pages are the primary's; it crashes, catches up, and is
# promoted in the middle of a load.
#   SECONDS_EACH (8)  CLIENTS (4)
# shellcheck source=load.sh
. "$(dirname "${BASH_SOURCE[0]}")/load.sh"
# shellcheck source=replica.sh
. "$(dirname "${BASH_SOURCE[0]}")/replica.sh"
SECONDS_EACH=${SECONDS_EACH:-8} CLIENTS=${CLIENTS:-4}
# Index-only scans on a standby are btree's only: learned refuses them there.
primary=(fsync=off autovacuum=off "wal_consistency_checking=$RESOURCE_MANAGER")
# With feedback replay does not wait for readers' snapshots: it could wait for a reader that waits
# for a lock of replay's own.
standby=("${primary[@]}" max_standby_streaming_delay=-1 hot_standby_feedback=on "$(from_primary \
    standby)")

fresh_server standby "${primary[@]}"
new_database standby
make_load_tables
start_replica standby standby2 "${standby[@]}"

database=standby
on_primary() { use_server standby $database; }
on_standby() { use_server standby2 $database; }

# The same pages and answers on both, all replayed.
compare() {
    local query
    same_pages standby standby2
    for query in "SELECT md5(string_agg(k::text, ',')) FROM (SELECT k FROM load ORDER BY k) q" \
        "SELECT md5(string_agg(ts::text, ',')) FROM (SELECT ts FROM load ORDER BY ts DESC) q" \
        "SELECT count(*), sum(k) FROM load WHERE k BETWEEN 100000 AND 5000000000" \
        "SELECT min(k), max(k), min(ts), max(ts) FROM load"; do
        on_primary
        local expected
        expected=$(PGOPTIONS='-c enable_indexscan=off -c enable_indexonlyscan=off
            -c enable_bitmapscan=off' sql -c "$query")
        on_standby
        [ "$(PGOPTIONS='-c enable_seqscan=off -c enable_sort=off' sql -c "$query")" \
            = "$expected" ] || die "the standby differs: $query"
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
    for step in "CREATE INDEX CONCURRENTLY load_more ON load USING $AM (k)" \
        'REINDEX INDEX CONCURRENTLY load_ts' 'DROP INDEX CONCURRENTLY load_more'; do
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

# Without feedback rows die on the primary that a snapshot on the standby still sees. Entries of
# rows that are not pruned must stay; where rows are pruned, their entries' removal must come after
# the conflict.
say "a snapshot on the standby keeps the rows that scans on the primary remove"
use_server standby
sql -c 'CREATE DATABASE dead'
database=dead
start_server standby2 "${standby[@]}" hot_standby_feedback=off
on_primary
if [ "$AM" = learned ]; then sql -c 'CREATE EXTENSION omendb'; fi
for table in few many; do
    sql -c "CREATE TABLE $table (k int8, pad text)" \
        -c "CREATE INDEX ${table}_k ON $table USING $AM (k)"
done
sql -c "INSERT INTO few SELECT i FROM generate_series(1, 100) i" \
    -c "INSERT INTO many SELECT i, repeat('p', 100) FROM generate_series(1, 20000) i" \
    -c 'VACUUM ANALYZE'
catch_up standby standby2
on_standby
by_index='SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off;'
seen="SELECT 'seen', (SELECT count(k) FROM few WHERE k > 0), (SELECT count(k) FROM many
    WHERE k > 0);"
# A transaction looks once, and again whenever it is told to: TIMES QUERY
start_looks() {
    rm -rf "$SCRIPTS/look"
    mkdir "$SCRIPTS/look"
    {
        echo "$by_index BEGIN ISOLATION LEVEL REPEATABLE READ; $2"
        for ((look = 1; look <= $1; look++)); do
            printf '%s\n' '\! while [ ! -e '"$SCRIPTS/look/$look"' ]; do sleep 0.1; done' "$2"
        done
        echo 'COMMIT;'
    } > "$SCRIPTS/look.sql"
    sql < "$SCRIPTS/look.sql" > "$SCRIPTS/look.out" &
    LOADS+=($!)
}
wait_for_conflict() {
    for ((i = 0; i < 600; i++)); do
        if [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'startup'
            AND wait_event = 'RecoveryConflictSnapshot'")" = 1 ]; then
            return
        fi
        sleep 0.1
    done
    die "replay does not wait for the snapshot"
}
wait_for_looks() {
    for ((i = 0; i < 600; i++)); do
        if [ "$(grep -c '^seen' "$SCRIPTS/look.out")" = "$1" ]; then return; fi
        sleep 0.1
    done
    die "the snapshot on the standby does not look"
}
start_looks 2 "$seen"
wait_for_looks 1
on_primary
sql -c 'DELETE FROM few WHERE k <= 90' \
    -c "$by_index SELECT k FROM few WHERE k > 0 ORDER BY k LIMIT 1" \
    -c "$by_index SELECT k FROM few WHERE k > 0 ORDER BY k LIMIT 1" >/dev/null
catch_up standby standby2
touch "$SCRIPTS/look/1"
wait_for_looks 2
on_primary
sql -c 'DELETE FROM many WHERE k <= 15000' \
    -c "$by_index SELECT k FROM many WHERE k > 0 ORDER BY k LIMIT 1" >/dev/null
if [ "$AM" = learned ]; then
    [ "$(sql -c "SELECT entries FROM omendb_stats('many_k')")" -lt 5200 ] ||
        die "entries of dead rows are left"
fi
# Replay has come to the conflict, and waits.
on_standby
wait_for_conflict
touch "$SCRIPTS/look/2"
wait_loads
[ "$(sort -u "$SCRIPTS/look.out")" = 'seen|100|20000' ] ||
    { cat "$SCRIPTS/look.out"; die "the snapshot on the standby has lost rows"; }
catch_up standby standby2
on_standby
[ "$(sql -c "$by_index SELECT count(k) FROM few WHERE k > 0" \
    -c "$by_index SELECT count(k) FROM many WHERE k > 0" | xargs)" = '10 5000' ] ||
    die "the standby differs after removals"

say "a snapshot on the standby keeps the rows that inserts on the primary remove from full leaves"
on_primary
sql -c 'CREATE TABLE random (k int8)' \
    -c "INSERT INTO random SELECT hashint8extended(i, 1) FROM generate_series(1, 60000) i" \
    -c "CREATE INDEX random_k ON random USING $AM (k)" -c 'VACUUM ANALYZE random'
catch_up standby standby2
on_standby
start_looks 1 "SELECT 'seen', count(k), sum(k) FROM random WHERE k > -9000000000000000000;"
wait_for_looks 1
on_primary
sql -c 'DELETE FROM random WHERE hashint8extended(k, 3) % 4 = 0' \
    -c "INSERT INTO random SELECT hashint8extended(i, 1) FROM generate_series(60001, 75000) i"
if [ "$AM" = learned ]; then
    [ "$(sql -c "SELECT entries FROM omendb_stats('random_k')")" -lt 75000 ] ||
        die "no entries were removed"
    on_standby
    wait_for_conflict
fi
touch "$SCRIPTS/look/1"
wait_loads
[ "$(sort -u "$SCRIPTS/look.out" | wc -l)" = 1 ] ||
    { cat "$SCRIPTS/look.out"; die "the snapshot on the standby has lost rows"; }
on_primary
count=$(sql -c 'SELECT count(*), sum(k) FROM random')
catch_up standby standby2
on_standby
[ "$(sql -c "$by_index SELECT count(k), sum(k) FROM random
    WHERE k > -9223372036854775808")" = "$count" ] || die "the standby differs after inserts"
database=standby
start_server standby2 "${standby[@]}"

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
! grep -E 'PANIC|TRAP|inconsistent page|signal (4|6|7|8|11)' "$WORK/standby/log" \
    "$WORK/standby2/log" || die "a server's log has a PANIC or a dead backend"
"$ROOT/scripts/server.sh" stop standby2
say "standby: same answers"
