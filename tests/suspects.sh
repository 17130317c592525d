#!/usr/bin/env bash
# What VACUUM knows of the table's dead line pointers before it asks about entries: all of it, as much as there is memory for, or as much as is in shared buffers. The same entries go.
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

# Deletes the rows of CONDITION; then the index has as many entries as the table rows, and finds them.
remove() {
    sql -c "DELETE FROM d WHERE $1" -c 'VACUUM (INDEX_CLEANUP on) d' 2> "$WORK/suspects/notices"
    sql -c "SELECT omendb_check('d_k', true)" >/dev/null
    sql -c "SELECT same('SELECT k FROM d WHERE k BETWEEN 200000 AND 400000', '{index,indexonly,bitmap}')" >/dev/null
    [ "$AM" = btree ] || [ "$(sql -c "SELECT entries - (SELECT count(*) FROM d) FROM omendb_stats('d_k')")" = 0 ] || die "entries are left, or lost: $1"
}

fresh_server suspects fsync=off autovacuum=off
new_database suspects
sql < "$ROOT/pg_regress/sql/setup.sql" >/dev/null
sql -c 'CREATE TABLE d (k int8, v int8)' -c "INSERT INTO d SELECT i * 7919 % 1500007, i FROM generate_series(1, 1500000::int8) i" \
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
! grep -E 'PANIC|TRAP|signal (4|6|7|8|11)' "$WORK/suspects/log" || die "the server's log has a PANIC or a dead backend"
say "suspects: the entries of all dead rows went, and no others"
