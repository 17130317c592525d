#!/usr/bin/env bash
# VACUUM's failsafe: where a table's oldest transaction is too long ago it passes over the indexes.
# Dead rows' entries stay, and find nothing, until the next VACUUM.
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# As old as that after some 105,000 transactions.
fresh_server failsafe fsync=off autovacuum=off autovacuum_freeze_max_age=100000 \
    vacuum_failsafe_age=0
new_database failsafe
sql < "$ROOT/pg_regress/sql/setup.sql" >/dev/null
sql -c 'CREATE TABLE f (k int8, pad text)' -c "CREATE INDEX f_k ON f USING $AM (k)" \
    -c "INSERT INTO f SELECT i * 7919 % 30011, 'p' FROM generate_series(1, 30000) i" -c 'VACUUM f' \
    -c 'DELETE FROM f WHERE k % 3 > 0'

# So many entries; the index is sound and finds what the table has.
check() {
    if [ "$AM" = learned ]; then
        entries=$(sql -c "SELECT entries FROM omendb_stats('f_k')")
        [ "$entries" = "$1" ] || die "$entries entries, not $1"
    fi
    sql -c "SELECT omendb_check('f_k', true)" \
        -c "SELECT same('SELECT k, pad FROM f WHERE k >= 0', '{index,bitmap}')" \
        -c "SELECT same('SELECT k FROM f ORDER BY k', '{index,indexonly}')" \
        -c "SELECT same('SELECT k FROM f ORDER BY k DESC', '{index,indexonly}')" >/dev/null
}

say "110,000 transactions"
sql -c 'CREATE TABLE one (i int4)' -c "DO 'BEGIN
    FOR i IN 1 .. 110000 LOOP
        BEGIN INSERT INTO one VALUES (i); EXCEPTION WHEN division_by_zero THEN NULL; END;
    END LOOP;
END'"
sql -c 'VACUUM f' > "$WORK/failsafe/vacuum.log" 2>&1
grep -q 'as a failsafe' "$WORK/failsafe/vacuum.log" || die "VACUUM is in no hurry"
check 30000
# Rows come to free places of the table, and the scans have removed the entries of those that they
# met.
sql -c "INSERT INTO f SELECT i, 'q' FROM generate_series(1, 5000) i"
# Only the one after the hurried one that freezes finds a young table.
sql -c 'VACUUM (FREEZE) f' > "$WORK/failsafe/vacuum.log" 2>&1
sql -c 'VACUUM (INDEX_CLEANUP on) f' > "$WORK/failsafe/vacuum.log" 2>&1
! grep -q 'as a failsafe' "$WORK/failsafe/vacuum.log" || die "VACUUM is still in a hurry"
check "$(sql -c 'SELECT count(*) FROM f')"
! grep -E 'PANIC|TRAP|signal (4|6|7|8|11)' "$WORK/failsafe/log" ||
    die "the server's log has a PANIC or a dead backend"
say "failsafe: entries stay until the next VACUUM"
