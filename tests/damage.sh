#!/usr/bin/env bash
# Random bytes in an index file: the check, scans and inserts raise errors and never kill a backend
# or hang. Says how much the check found and how often an index that it passed gave other rows.
# (With AM=btree it fails: nbtree does not withstand this.)
#   ROUNDS (15)  SEED (1)
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
ROUNDS=${ROUNDS:-15} SEED=${SEED:-1}
RANDOM=$SEED
say "SEED=$SEED ROUNDS=$ROUNDS"

fresh_server damage fsync=off autovacuum=off restart_after_crash=off
new_database damage
sql < "$ROOT/pg_regress/sql/setup.sql" >/dev/null
sql -c 'CREATE TABLE d (k int8, v int4)' \
    -c 'INSERT INTO d SELECT i * 1000 + hashint8(i) % 500, i FROM generate_series(1, 60000) i' \
    -c "CREATE INDEX d_k ON d USING $AM (k)" \
    -c 'INSERT INTO d SELECT (abs(hashint8(i)) % 60000000), i FROM generate_series(1, 20000) i' \
    -c 'DELETE FROM d WHERE v % 11 = 0' -c 'VACUUM ANALYZE d'
file=$WORK/damage/data/$(sql -c "SELECT pg_relation_filepath('d_k')")
size=$(sql -c "SELECT pg_relation_size('d_k')")
"$ROOT/scripts/server.sh" stop damage
cp -p "$file" "$file.good"
found=0 wrong=0
for ((round = 1; round <= ROUNDS; round++)); do
    # What free pages hold (kind 1, byte 24) is nobody's concern.
    while :; do
        offset=$(((RANDOM * 32768 + RANDOM) % size)) length=$((1 + RANDOM % 64))
        [ "$(od -An -tu1 -j $((offset / 8192 * 8192 + 24)) -N 1 "$file.good" | tr -d ' ')" = 1 ] ||
            break
    done
    cp -p "$file.good" "$file"
    for ((i = 0; i < length; i++)); do printf '%b' "\\x$(printf %02x $((RANDOM % 256)))"; done |
        dd of="$file" bs=1 seek="$offset" conv=notrunc status=none
    start_server damage fsync=off autovacuum=off restart_after_crash=off
    export PGDATABASE=damage
    # First the check, since inserts mend some damages.
    code=0
    timeout 120 psql -XqAt -v VERBOSITY=verbose -v ON_ERROR_STOP=1 \
        -c "SELECT omendb_check('d_k', true)" >/dev/null 2>"$WORK/damage/checked" || code=$?
    [ $code -le 1 ] ||
        { tail -n 5 "$WORK/damage/log"; die "timeout or lost connection: omendb_check"; }
    # Several queries, each on its own: an error is an answer.
    answers=same
    for query in "SELECT same('SELECT k FROM d WHERE k BETWEEN 5000000 AND 25000000')" \
        "SELECT same('SELECT k FROM d ORDER BY k', '{index}')" \
        "SELECT same('SELECT k FROM d ORDER BY k DESC', '{index}')" \
        'INSERT INTO d SELECT i * 30000, -1 FROM generate_series(1, 2000) i'; do
        code=0
        timeout 60 psql -XqAt \
            -c "BEGIN; SET LOCAL statement_timeout = '30s'; $query; ROLLBACK" >/dev/null \
            2>"$WORK/damage/error" || code=$?
        # psql gives 1 for an error, 2 for a lost connection; timeout gives 124.
        [ $code -le 1 ] ||
            { tail -n 5 "$WORK/damage/log"; die "timeout or lost connection: $query"; }
        if grep -q 'scan differs' "$WORK/damage/error"; then answers=differ; fi
    done
    if [ -s "$WORK/damage/checked" ]; then
        say "round $round: $length bytes at $offset (block $((offset / 8192))):" \
            "$(head -n 1 "$WORK/damage/checked")"
        found=$((found + 1))
    else
        say "round $round: $length bytes at $offset" \
            "(block $((offset / 8192)), byte $((offset % 8192))): passes the check, rows $answers"
        if [ $answers = differ ]; then wrong=$((wrong + 1)); fi
    fi
    psql -Xqc 'SELECT 1' >/dev/null || die "the server is down"
    "$ROOT/scripts/server.sh" stop damage
done

# What the meta page says of the columns decides how entries are read: a byte of it that is another
# type's.
cp -p "$file.good" "$file"
printf '\x1f' | dd of="$file" bs=1 seek=80 conv=notrunc status=none
start_server damage fsync=off autovacuum=off restart_after_crash=off
export PGDATABASE=damage
for query in "SELECT omendb_check('d_k')" 'SELECT count(k) FROM d WHERE k < 100000' \
    'INSERT INTO d VALUES (1, 1)'; do
    psql -XqAt -v VERBOSITY=verbose -c 'SET enable_seqscan = off' \
        -c "$query" >/dev/null 2>"$WORK/damage/error" || true
    grep -q 'XX002: index "d_k" is corrupted: .*made for other types' "$WORK/damage/error" ||
        die "another type is not noticed: $query: $(head -n 1 "$WORK/damage/error")"
done
"$ROOT/scripts/server.sh" stop damage
if grep -E 'PANIC|TRAP|was terminated by signal' "$WORK/damage/log"; then die "a backend died"; fi
say "$found of $ROUNDS damages found by the check; $wrong of the others give wrong rows"
[ $wrong = 0 ] || die "an index that passes the check gives wrong rows"
[ $((found * 2)) -ge "$ROUNDS" ] || die "the check finds too few damages"
