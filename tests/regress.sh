#!/usr/bin/env bash
# pg_regress/sql against pg_regress/expected with the server's own pg_regress. UPDATE=1 takes over the results as expected.
# REGRESS="nulls scan" runs some of the files.
# NAME_1.out and NAME_2.out are for newer servers, whose EXPLAIN prints plans otherwise; pg_regress takes what fits.
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
fresh_server regress autovacuum=off fsync=off
new_database regress
dir=$WORK/regress/files
as_server_user rm -rf "$dir"
make_dir "$dir"
mkdir "$dir/sql" "$dir/expected"
for file in "$ROOT"/pg_regress/sql/*.sql "$ROOT"/pg_regress/expected/*.out; do
    [ -e "$file" ] || continue
    # AM=btree tries the files with btree; wrong answers pass then, since its own in types.sql are not all right.
    if [ "$AM" = learned ]; then cat "$file"; else sed "s/USING learned/USING $AM/; s/found IS DISTINCT FROM truth/false/" "$file"; fi > "$dir/${file#"$ROOT"/pg_regress/}"
done
for file in "$dir"/sql/*.sql; do touch "$dir/expected/$(basename "$file" .sql).out"; done
[ "$(id -u)" != 0 ] || chown -R postgres: "$dir"
tests=()
for name in ${REGRESS:-$(cd "$dir/sql" && ls)}; do if [ "${name%.sql}" != setup ]; then tests+=("${name%.sql}"); fi; done
code=0
as_server_user env PGTZ= PGDATESTYLE= "$("$PG_CONFIG" --pkglibdir)/pgxs/src/test/regress/pg_regress" --use-existing --dlpath="$dir" \
    --bindir="$BINDIR" --host="$PGHOST" --port="$PGPORT" --user=postgres --dbname=regress \
    --inputdir="$dir" --outputdir="$dir" setup "${tests[@]}" || code=$?
if [ -n "${UPDATE:-}" ]; then
    for file in "$dir"/results/*.out; do sed "s/USING $AM/USING learned/; s/IF false/IF found IS DISTINCT FROM truth/" "$file" > "$ROOT/pg_regress/expected/$(basename "$file")"; done
elif [ $code != 0 ]; then
    cat "$dir/regression.diffs"
fi
exit $code
