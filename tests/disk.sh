#!/usr/bin/env bash
# A full disk. With little room left whoever trains in passing, VACUUM among them, does without a
# new model; with none left omendb_retrain and inserts fail with the server's error. The old model
# stays, half-written ones are swept, and all goes on when there is room again.
#   ROWS (1300000, enough for a model of many pages)
# The disk is a tmpfs: this takes root.
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
ROWS=${ROWS:-1300000}
if [ "$AM" = btree ]; then say "AM=btree: nothing to train"; exit; fi
disk=$WORK/small-disk
make_dir "$disk"
umount -q "$disk" || true
if ! mount -t tmpfs -o size=256m tmpfs "$disk" 2>/dev/null; then
    say "no right to mount a small disk: skipped"; exit
fi
trap '"$ROOT/scripts/server.sh" stop disk; umount "$disk"' EXIT
as_server_user true && chown postgres: "$disk"
mkdir -m 700 "$disk/space"
chown postgres: "$disk/space"

fresh_server disk fsync=off autovacuum=off
new_database disk
sql < "$ROOT/pg_regress/sql/setup.sql" >/dev/null
# Take all of the disk but so many bytes.
leave() {
    rm -f "$disk/taken"
    head -c $(($(df -B1 --output=avail "$disk" | tail -n 1) - $1)) /dev/zero > "$disk/taken"
}
model() {
    sql -c "SELECT md5(string_agg(m::text, '' ORDER BY part, stage, segment))
        FROM omendb_model('f_k') m"
}
# The index is sound, answers are right, and its model is the one that it was, or another one.
sound() {
    sql -c "SELECT omendb_check('f_k', true)" \
        -c "SELECT same('SELECT k FROM f WHERE k BETWEEN 70000000000 AND 70100000000')" >/dev/null
    [ "$([ "$(model)" = "$old" ] && echo same || echo other)" = "$1" ] || die "$2: not the $1 model"
    say "$2: the $1 model"
}
fails() {
    local state
    state=$(sql -v VERBOSITY=sqlstate -c "$1" 2>&1 >/dev/null || true)
    [ "$state" = 'ERROR:  53100' ] || die "$1: '$state' instead of the error for a full disk"
}

sql -c "CREATE TABLESPACE small LOCATION '$disk/space'" \
    -c 'CREATE FUNCTION hash(i int8) RETURNS int8 LANGUAGE sql IMMUTABLE AS $$
    SELECT (i * 48271 % 2147483647) * (i * 48271 % 2147483647) % 999999999989 $$' \
    -c "CREATE TABLE f AS SELECT hash(i) AS k FROM generate_series(1::int8, $ROWS) i" \
    -c 'CREATE INDEX f_k ON f USING learned (k) WITH (fillfactor = 10) TABLESPACE small'
[ "$(sql -c "SELECT count(DISTINCT part) > 3 FROM omendb_model('f_k')")" = t ] ||
    die 'more rows, please'
old=$(model)
leave $((60 << 20))
# Into a hundredth of the range, where leaves are split.
sql -c "INSERT INTO f SELECT 70000000000 + hash(i) / 100 FROM generate_series(1::int8, 400000) i"
sound same 'inserts with little room'
sql -c 'VACUUM f'
sound same 'VACUUM with little room'
# For some pages of the model.
leave $((5 * 8192))
fails "SELECT omendb_retrain('f_k')"
sound same 'retraining without room'
# The pages of that model become free, and are too few. (The map of free pages needs some itself.)
leave $((5 * 8192))
sql -c 'VACUUM f'
fails "SELECT omendb_retrain('f_k')"
sound same 'retraining without room, again'
fails "INSERT INTO f SELECT 170000000000 + hash(i) / 100 FROM generate_series(1::int8, 400000) i"
sound same 'inserts without room'
rm "$disk/taken"
sql -c 'VACUUM f'
sound other 'VACUUM with room'
[ "$(sql -c "SELECT avg(pages) < 1.1 FROM generate_series(0, 999999999988, 999999937) k,
    omendb_predict('f_k', k::text)")" = t ] || die 'the new model is no good'
