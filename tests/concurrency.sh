#!/usr/bin/env bash
# Writers, readers that compare index and sequential scans in one snapshot, VACUUM, CREATE INDEX and REINDEX CONCURRENTLY, all at once.
#   SECONDS_EACH (20)  CLIENTS (4)
# shellcheck source=load.sh
. "$(dirname "${BASH_SOURCE[0]}")/load.sh"
SECONDS_EACH=${SECONDS_EACH:-20} CLIENTS=${CLIENTS:-4}

fresh_server concurrency fsync=off autovacuum=off
new_database concurrency
make_load_tables
say "$CLIENTS writers, 2 readers, VACUUM, builds for $SECONDS_EACH s"
start_load load "$CLIENTS" "$SECONDS_EACH"
start_script vacuum vacuum 1 "$SECONDS_EACH"
start_script read read 2 "$SECONDS_EACH"
end=$((SECONDS + SECONDS_EACH)) builds=0
while [ $SECONDS -lt $end ]; do
    sql -c 'SET client_min_messages = warning' -c "CREATE INDEX CONCURRENTLY load_new ON load USING $AM (k)"
    sql -c "SELECT omendb_check('load_new')" >/dev/null
    sql -c 'SET client_min_messages = warning' -c 'REINDEX INDEX CONCURRENTLY load_ts'
    [ "$(sql -c "SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid = 'load'::regclass")" = t ] || die "an index is invalid"
    sql -c 'SET client_min_messages = warning' -c 'DROP INDEX CONCURRENTLY load_new'
    # The checker runs beside the writers, too.
    sql -c "SELECT omendb_check('load_k'), omendb_check('load_ts')" >/dev/null
    builds=$((builds + 1))
done
wait_loads
say "$builds builds; readers: $(sed -n 's/^number of transactions actually processed: //p' "$SCRIPTS/read.log"), writers: $(sed -n 's/^number of transactions actually processed: //p' "$SCRIPTS/load.log")"
check_load
sql -c 'VACUUM load' 
check_load

# A window that slides: as many rows go at the old end as come at the new one; the index must not keep growing.
say "sliding window"
sql -c 'DROP TABLE load' -c "CREATE TABLE slide (k int8)" -c "CREATE INDEX slide_k ON slide USING $AM (k)"
for i in $(seq 1 12); do
    sql -c "INSERT INTO slide SELECT $i * 40000 + i FROM generate_series(0, 39999) i" -c "DELETE FROM slide WHERE k < ($i - 2) * 40000" -c 'VACUUM slide'
    if [ "$i" = 6 ]; then size=$(sql -c "SELECT pg_relation_size('slide_k')"); fi
done
last=$(sql -c "SELECT pg_relation_size('slide_k')")
say "index of the sliding window: $size bytes after 6 steps, $last after 12"
[ "$last" -le $((size * 3 / 2 + 65536)) ] || ${ALLOW_GROWTH:-false} || die "the index of a sliding window grows"
sql -c "SELECT omendb_check('slide_k', true)" -c "SELECT same('SELECT k FROM slide WHERE k > 0')" >/dev/null
! grep -E 'PANIC|TRAP|signal (4|6|7|8|11)' "$WORK/concurrency/log" || die "the server's log has a PANIC or a dead backend"
