#!/usr/bin/env bash
# Indexes that an earlier release wrote are read, checked and changed by this one; an index of a
# format that this library does not know is refused with a hint to rebuild it.
# At a release that changes the format: tests/format.sh write VERSION keeps the indexes of today.
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
[ "$AM" = learned ] || { say "AM=$AM: no files of it are kept"; exit; }
kept=$ROOT/tests/format
indexes=(format_int8_index format_times_index format_types_index format_types_float_index)
settings=(fsync=off autovacuum=off full_page_writes=off)

begin() {
    start_server format "${settings[@]}"
    export PGDATABASE=format
}

# The main fork of index $1 below the data directory.
file_of() { echo "$WORK/format/data/$(sql -c "SELECT pg_relation_filepath('$1')")"; }

fresh_server format "${settings[@]}"
new_database format
sql < "$ROOT/pg_regress/sql/setup.sql" >/dev/null
sql < "$ROOT/tests/format.sql"
declare -A file
for index in "${indexes[@]}"; do file[$index]=$(file_of "$index"); done
sql -c 'CHECKPOINT'
"$ROOT/scripts/server.sh" stop format

if [ "${1:-}" = write ]; then
    mkdir -p "$kept/$2"
    for index in "${indexes[@]}"; do
        # A page's first 8 bytes are its place in the log of this server, which no other has.
        perl -0777 -pe 's/(.{8})(.{8184})/"\0" x 8 . $2/gse' "${file[$index]}" |
            xz -9 > "$kept/$2/$index.xz"
    done
    say "kept $(du -sh "$kept/$2" | cut -f1) in tests/format/$2"
    exit
fi

for version in "$kept"/*/; do
    version=$(basename "$version")
    for index in "${indexes[@]}"; do
        xz -dc "$kept/$version/$index.xz" > "${file[$index]}"
    done
    begin
    say "format $version: check, read, insert, delete, vacuum"
    check=$(printf "SELECT omendb_check('%s', true);" "${indexes[@]}")
    sql -c "$check" > /dev/null
    compare() {
        sql -v ON_ERROR_STOP=1 > /dev/null << 'SQL'
SELECT same('SELECT k FROM format_int8 ORDER BY k', '{index,indexonly}');
SELECT same('SELECT k FROM format_int8 WHERE k BETWEEN 3000000 AND 9000000');
SELECT same('SELECT device, ts FROM format_times WHERE device = 7 ORDER BY ts DESC',
            '{index,indexonly}');
SELECT same('SELECT u, n FROM format_types WHERE u > ''80000000-0000-0000-0000-000000000000''');
SELECT same('SELECT f, d, s FROM format_types WHERE f < 0', '{index,bitmap}');
SQL
    }
    compare
    sql -c 'INSERT INTO format_int8 SELECT i * 1500, i FROM generate_series(1, 8000) i' \
        -c 'INSERT INTO format_times SELECT i % 50, now(), i FROM generate_series(1, 5000) i' \
        -c 'DELETE FROM format_types WHERE n % 3 = 0' -c 'DELETE FROM format_int8 WHERE v % 5 = 0' \
        -c 'VACUUM' -c "$check" > /dev/null
    compare
    "$ROOT/scripts/server.sh" stop format
done

say "an index of another format is refused, and rebuilt"
index=format_int8_index
for number in 0 99; do
    for kept_file in "$kept"/*/"$index".xz; do xz -dc "$kept_file" > "${file[$index]}"; done
    # The low byte of the format version in the meta page (docs/format.md).
    printf '%b' "\\x$(printf %02x $number)" |
        dd of="${file[$index]}" bs=1 seek=44 conv=notrunc status=none
    begin
    for query in "SELECT omendb_check('$index')" 'SELECT k FROM format_int8 WHERE k < 5000' \
        'INSERT INTO format_int8 VALUES (1, 1)'; do
        psql -XqAt -v VERBOSITY=verbose -c 'SET enable_seqscan = off' -c "$query" \
            > /dev/null 2> "$WORK/format/error" || true
        grep -q "^ERROR:  .*index format $number, library format" "$WORK/format/error" ||
            die "version $number is not refused: $query: $(cat "$WORK/format/error")"
        grep -q '^HINT:  .*REINDEX' "$WORK/format/error" ||
            die "no hint: $(cat "$WORK/format/error")"
    done
    sql -c "REINDEX INDEX $index" -c "SELECT omendb_check('$index', true)" > /dev/null
    # The rebuilt index has another file.
    file[$index]=$(file_of "$index")
    "$ROOT/scripts/server.sh" stop format
done
