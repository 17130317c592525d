#!/usr/bin/env bash
# Writers, readers that compare index and sequential scans in one snapshot, VACUUM, CREATE INDEX and
# REINDEX CONCURRENTLY, all at once.
#   SECONDS_EACH (20)  CLIENTS (8)
# shellcheck source=load.sh
. "$(dirname "${BASH_SOURCE[0]}")/load.sh"
SECONDS_EACH=${SECONDS_EACH:-20} CLIENTS=${CLIENTS:-8}

fresh_server concurrency fsync=off autovacuum=off
new_database concurrency
make_load_tables
say "$CLIENTS writers, 2 readers, 2 slow cursors, VACUUM, builds for $SECONDS_EACH s"
start_load load "$CLIENTS" "$SECONDS_EACH"
start_script vacuum vacuum 1 "$SECONDS_EACH"
start_script read read 2 "$SECONDS_EACH"
start_script cursors cursors 2 "$SECONDS_EACH"
end=$((SECONDS + SECONDS_EACH)) builds=0
while [ $SECONDS -lt $end ]; do
    sql -c 'SET client_min_messages = warning' \
        -c "CREATE INDEX CONCURRENTLY load_new ON load USING $AM (k)"
    sql -c "SELECT omendb_check('load_new')" >/dev/null
    sql -c 'SET client_min_messages = warning' -c 'REINDEX INDEX CONCURRENTLY load_ts'
    [ "$(sql -c "SELECT bool_and(indisvalid) FROM pg_index
        WHERE indrelid = 'load'::regclass")" = t ] || die "an index is invalid"
    sql -c 'SET client_min_messages = warning' -c 'DROP INDEX CONCURRENTLY load_new'
    # The checker runs beside the writers, too.
    sql -c "SELECT omendb_check('load_k'), omendb_check('load_ts')" >/dev/null
    builds=$((builds + 1))
done
wait_loads
transactions() { sed -n 's/^number of transactions actually processed: //p' "$SCRIPTS/$1.log"; }
say "$builds builds; readers: $(transactions read), writers: $(transactions load)"
check_load
sql -c 'VACUUM load' 
check_load

# An index-only scan has copied entries of dead rows; VACUUM must wait for it, or those rows come
# back when their pages are all visible.
say "index-only scans hold off VACUUM"
sql -c 'DROP TABLE load' -c 'CREATE TABLE held (k int8, pad text)' \
    -c "INSERT INTO held SELECT i::int8 * 7919 % 50021, 'p' FROM generate_series(1, 50000) i" \
    -c "CREATE INDEX held_k ON held USING $AM (k)" -c 'VACUUM ANALYZE held' \
    -c 'DELETE FROM held WHERE k % 2 = 1'
{
    echo "SET enable_seqscan = off; SET enable_bitmapscan = off;
        BEGIN ISOLATION LEVEL REPEATABLE READ;"
    for n in 1 3 10 30 100 300; do
        echo "DECLARE c$n CURSOR FOR SELECT k FROM held WHERE k >= 0 ORDER BY k; MOVE $n FROM c$n;"
    done
    printf '%s\n' 'EXPLAIN SELECT k FROM held WHERE k >= 0 ORDER BY k;' "SELECT 'ready';" \
        '\! while [ ! -e '"$SCRIPTS"'/go ]; do sleep 0.1; done'
    for n in 1 3 10 30 100 300; do echo "SELECT 'cursor'; FETCH ALL FROM c$n;"; done
} > "$SCRIPTS/held.sql"
sql < "$SCRIPTS/held.sql" > "$SCRIPTS/held.out" &
reader=$!
until grep -q '^ready' "$SCRIPTS/held.out"; do
    kill -0 $reader || die "the cursors fail"; sleep 0.1
done
grep -q 'Index Only Scan using held_k' "$SCRIPTS/held.out" || die "no index-only scan"
sql -c 'VACUUM held' &
vacuum=$!
waited=no
for ((i = 0; i < 50; i++)); do
    if [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'BufferPin'
        AND query = 'VACUUM held'")" = 1 ]; then
        waited=yes; break
    fi
    kill -0 $vacuum 2>/dev/null || break
    sleep 0.1
done
touch "$SCRIPTS/go"
wait $reader
wait $vacuum
[ "$(grep -cE '^[0-9]*[13579]$' "$SCRIPTS/held.out")" = 0 ] ||
    die "an index-only scan returns deleted rows"
expected=$(sql -c 'SELECT 6 * count(*) - 444 FROM held')
[ "$(grep -cE '^[0-9]+$' "$SCRIPTS/held.out")" = "$expected" ] ||
    die "an index-only scan omits rows"
[ $waited = yes ] || die "VACUUM does not wait for an index-only scan"
sql -c "SELECT omendb_check('held_k', true)" >/dev/null

# A scan that has reached its end holds nothing, though its cursor is open, and can still go back.
say "finished scans do not hold off VACUUM"
rm "$SCRIPTS/go"
sql -c 'DELETE FROM held WHERE k % 3 = 1'
printf '%s\n' 'SET enable_seqscan = off; SET enable_bitmapscan = off; BEGIN;
    DECLARE c SCROLL CURSOR FOR SELECT k FROM held WHERE k >= 0;' \
    'MOVE ALL FROM c;' "SELECT 'ready';" '\! while [ ! -e '"$SCRIPTS"'/go ]; do sleep 0.1; done' \
    'FETCH BACKWARD ALL FROM c;' > "$SCRIPTS/held.sql"
sql < "$SCRIPTS/held.sql" > "$SCRIPTS/held.out" &
reader=$!
until grep -q '^ready' "$SCRIPTS/held.out"; do
    kill -0 $reader || die "the cursor fails"; sleep 0.1
done
sql -c "SET statement_timeout = '60s'" -c 'VACUUM held' ||
    { touch "$SCRIPTS/go"; die "VACUUM waits for a scan that is finished"; }
touch "$SCRIPTS/go"
wait $reader
diff <(grep -E '^[0-9]+$' "$SCRIPTS/held.out") <(sql -c 'SELECT k FROM held ORDER BY k + 0 DESC') \
    >/dev/null || die "FETCH BACKWARD differs"

# Scans stand in leaves that VACUUM merges away and that are used again for other keys. Plain index
# scans hold nothing up meanwhile.
say "cursors across VACUUM and the reuse of pages"
rm "$SCRIPTS/go"
sql -c 'DROP TABLE held' -c 'CREATE TABLE across (k int8, pad text)' \
    -c "INSERT INTO across SELECT i::int8 * 7919 % 200003 * 1000, 'p'
        FROM generate_series(1, 200000) i" \
    -c "CREATE INDEX across_k ON across USING $AM (k)" -c 'VACUUM ANALYZE across' \
    -c 'DELETE FROM across WHERE k / 1000 % 40 > 0'
positions='0 1 30 400 1500 3000 4500'
{
    echo "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off;
        BEGIN ISOLATION LEVEL REPEATABLE READ;"
    for order in ASC DESC; do
        for n in $positions; do
            echo "DECLARE ${order}_$n SCROLL CURSOR FOR SELECT k, pad FROM across WHERE k >= 0
                ORDER BY k $order; MOVE $n FROM ${order}_$n;"
        done
        echo "EXPLAIN SELECT k, pad FROM across WHERE k >= 0 ORDER BY k $order;"
    done
    printf '%s\n' "SELECT 'ready';" '\! while [ ! -e '"$SCRIPTS"'/go ]; do sleep 0.1; done'
    # To the end, and from there back to the beginning.
    for order in ASC DESC; do
        for n in $positions; do
            echo "SELECT 'cursor'; FETCH ALL FROM ${order}_$n; FETCH BACKWARD ALL FROM ${order}_$n;"
        done
    done
} > "$SCRIPTS/across.sql"
touch "$SCRIPTS/across.out"
sql < "$SCRIPTS/across.sql" > "$SCRIPTS/across.out" &
reader=$!
until grep -q '^ready' "$SCRIPTS/across.out"; do
    kill -0 $reader || die "the cursors fail"; sleep 0.1
done
[ "$(grep -cE 'Index Scan (Backward )?using across_k' "$SCRIPTS/across.out")" = 2 ] ||
    die "no index scans"
sql -c 'SELECT k FROM across' > "$SCRIPTS/across.rows"
if [ "$AM" = learned ]; then leaves=$(sql -c "SELECT leaves FROM omendb_stats('across_k')"); fi
sql -c "SET statement_timeout = '60s'" -c 'VACUUM across' ||
    { touch "$SCRIPTS/go"; die "VACUUM waits for plain index scans"; }
if [ "$AM" = learned ]; then
    left=$(sql -c "SELECT leaves FROM omendb_stats('across_k')")
    [ "$left" -lt $((leaves / 4)) ] || die "of $leaves leaves VACUUM leaves $left"
fi
size=$(sql -c "SELECT pg_relation_size('across_k')")
sql -c "INSERT INTO across SELECT -i::int8 * 7919 % 200003 - 1, 'q'
        FROM generate_series(1, 40000) i" \
    -c "INSERT INTO across SELECT 300000000 + i, 'q' FROM generate_series(1, 80000) i"
[ "$(sql -c "SELECT pg_relation_size('across_k')")" -le "$size" ] || [ "$AM" != learned ] ||
    die "freed pages are not used again"
touch "$SCRIPTS/go"
wait $reader
for order in ASC DESC; do for n in $positions; do
    echo cursor
    if [ $order = ASC ]; then there=-n back=-nr; else there=-nr back=-n; fi
    sort $there "$SCRIPTS/across.rows" | tail -n +$((n + 1))
    sort $back "$SCRIPTS/across.rows"
done; done > "$SCRIPTS/across.expected"
sed -n '/^ready$/,$p' "$SCRIPTS/across.out" | tail -n +2 | sed 's/|p$//' |
    diff - "$SCRIPTS/across.expected" > "$SCRIPTS/across.diff" ||
    { head -n 5 "$SCRIPTS/across.diff"; die "a cursor differs"; }
sql -c "SELECT omendb_check('across_k', true)" \
    -c "SELECT same('SELECT k, pad FROM across WHERE k > 0', '{index,bitmap}')" >/dev/null

# A window that slides, beside readers in both directions: as many rows go at the old end as come at
# the new one; the index must not keep growing.
say "sliding window"
sql -c 'DROP TABLE across' -c "CREATE TABLE slide (k int8)" \
    -c "CREATE INDEX slide_k ON slide USING $AM (k)"
printf '%s\n' 'BEGIN ISOLATION LEVEL REPEATABLE READ;' \
    "SELECT same('SELECT k FROM slide ORDER BY k LIMIT 3000', '{index}'),
    same('SELECT k FROM slide ORDER BY k DESC LIMIT 3000', '{index}');" 'COMMIT;' \
    > "$SCRIPTS/slide.sql"
pgbench -n -c 2 -j 1 -T 1000 -f "$SCRIPTS/slide.sql" > "$SCRIPTS/slide.log" 2>&1 &
readers=$!
LOADS+=("$readers")
for i in $(seq 1 16); do
    sql -c "INSERT INTO slide SELECT $i * 40000 + i FROM generate_series(0, 39999) i" \
        -c "DELETE FROM slide WHERE k < ($i - 2) * 40000" -c 'VACUUM slide'
    if [ "$i" = 8 ]; then size=$(sql -c "SELECT pg_relation_size('slide_k')"); fi
done
kill -0 $readers || { tail -n 5 "$SCRIPTS/slide.log"; die "a reader of the window fails"; }
kill $readers
LOADS=()
last=$(sql -c "SELECT pg_relation_size('slide_k')")
say "index of the sliding window: $size bytes after 8 steps, $last after 16"
[ "$last" -le $((size * 3 / 2 + 65536)) ] || ${ALLOW_GROWTH:-false} ||
    die "the index of a sliding window grows"
sql -c "SELECT omendb_check('slide_k', true)" \
    -c "SELECT same('SELECT k FROM slide WHERE k > 0')" >/dev/null
! grep -E 'PANIC|TRAP|signal (4|6|7|8|11)' "$WORK/concurrency/log" ||
    die "the server's log has a PANIC or a dead backend"
