#!/usr/bin/env bash
# What VACUUM knows of the table's dead line pointers before it asks about entries: all of it, as
# much as there is memory for, or as much as is in shared buffers. The same entries go; those of
# pages that the visibility map calls all-visible by mistake, too.
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

# Deletes the rows of CONDITION; then the index has as many entries as the table rows, and finds
# them.
remove() {
    sql -c "DELETE FROM d WHERE $1" -c 'VACUUM (INDEX_CLEANUP on) d' 2> "$WORK/suspects/notices"
    sql -c "SELECT omendb_check('d_k', true)" >/dev/null
    sql -c "SELECT same('SELECT k FROM d WHERE k BETWEEN 200000 AND 400000',
        '{index,indexonly,bitmap}')" >/dev/null
    [ "$AM" = btree ] ||
        [ "$(sql -c "SELECT entries - (SELECT count(*) FROM d) FROM omendb_stats('d_k')")" = 0 ] ||
        die "entries are left, or lost: $1"
}

fresh_server suspects fsync=off autovacuum=off
new_database suspects
sql < "$ROOT/pg_regress/sql/setup.sql" >/dev/null
sql -c 'CREATE TABLE d (k int8, v int8)' \
    -c "INSERT INTO d SELECT i * 7919 % 1500007, i FROM generate_series(1, 1500000::int8) i" \
    -c "CREATE INDEX d_k ON d USING $AM (k)" -c 'VACUUM (FREEZE) d'
say "in the table's order, and scattered"
remove 'v < 100000'
remove 'hashint8(v) % 7 = 0'
say "memory for some pages only, and several passes"
start_server suspects fsync=off autovacuum=off maintenance_work_mem=1MB
PGDATABASE=suspects
remove 'hashint8(v) % 5 = 1'
say "most pages are not in shared buffers"
start_server suspects fsync=off autovacuum=off shared_buffers=1MB
PGDATABASE=suspects
remove 'hashint8(v) % 5 = 2'
remove 'v BETWEEN 500000 AND 600000'
say "a visibility map that is wrong"
sql -c 'CREATE TABLE w (k int8)' -c 'INSERT INTO w SELECT generate_series(1, 10000)' \
    -c "CREATE INDEX w_k ON w USING $AM (k)" \
    -c 'VACUUM (FREEZE) w' -c CHECKPOINT
map=$(sql -c "SELECT current_setting('data_directory') || '/' || pg_relation_filepath('w') ||
    '_vm'")
cp "$map" "$WORK/suspects/map"
sql -c 'DELETE FROM w WHERE k % 2 = 0' -c 'SELECT count(*) FROM w' >/dev/null
"$ROOT/scripts/server.sh" stop suspects
cat "$WORK/suspects/map" > "$map"
start_server suspects fsync=off autovacuum=off
PGDATABASE=suspects
# The dead rows of a page become dead line pointers when it is pruned. Then its pin keeps VACUUM
# from its cleanup lock, and so from mending the map.
sql -c 'SET enable_indexscan = off' -c 'SET enable_bitmapscan = off' \
    -c 'SELECT count(*) FROM w WHERE k = 1' >/dev/null
{
    echo "BEGIN; DECLARE c CURSOR FOR SELECT * FROM w; FETCH 1 FROM c;"
    sleep 3
    echo 'COMMIT;'
} | sql >/dev/null &
sleep 1
sql -c 'VACUUM (DISABLE_PAGE_SKIPPING, INDEX_CLEANUP on) w' 2> "$WORK/suspects/notices"
wait
# An index-only scan would believe the map, too.
[ "$AM" = btree ] ||
    [ "$(sql -c 'SET enable_indexonlyscan = off' -c "SELECT entries - (SELECT count(*) FROM w)
    FROM omendb_stats('w_k')")" = 0 ] || die "entries of rows are left that the map calls visible"
! grep -E 'PANIC|TRAP|signal (4|6|7|8|11)' "$WORK/suspects/log" ||
    die "the server's log has a PANIC or a dead backend"
say "suspects: the entries of all dead rows went, and no others"
