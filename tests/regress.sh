#!/usr/bin/env bash
# Runs pg_regress/sql by the server's own pg_regress and compares with pg_regress/expected.
#   REGRESS="nulls scan"  runs some of the files
#   UPDATE=1              makes the results the expected ones
# NAME_1.out and NAME_2.out are of servers that explain plans differently. pg_regress accepts any.
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
fresh_server regress autovacuum=off fsync=off
new_database regress
dir=$WORK/regress/files
as_server_user rm -rf "$dir"
make_dir "$dir"
mkdir "$dir/sql" "$dir/expected"
# AM=btree runs the files with btree. Wrong answers pass then, since some of types.sql are wrong.
to_am() {
    if [ "$AM" = learned ]; then cat; else
        sed "s/USING learned/USING $AM/; s/found IS DISTINCT FROM truth/false/"
    fi
}
results_of() { sed "s/USING $AM/USING learned/; s/IF false/IF found IS DISTINCT FROM truth/" "$1"; }
for file in "$ROOT"/pg_regress/sql/*.sql "$ROOT"/pg_regress/expected/*.out; do
    to_am < "$file" > "$dir/${file#"$ROOT"/pg_regress/}"
done
for file in "$dir"/sql/*.sql; do touch "$dir/expected/$(basename "$file" .sql).out"; done
[ "$(id -u)" != 0 ] || chown -R postgres: "$dir"
names=()
for name in ${REGRESS:-$(cd "$dir/sql" && ls)}; do
    if [ "${name%.sql}" != setup ]; then names+=("${name%.sql}"); fi
done
code=0
as_server_user env PGTZ= PGDATESTYLE= \
    "$("$PG_CONFIG" --pkglibdir)/pgxs/src/test/regress/pg_regress" --use-existing \
    --dlpath="$dir" --bindir="$BINDIR" --host="$PGHOST" --port="$PGPORT" --user=postgres \
    --dbname=regress --inputdir="$dir" --outputdir="$dir" setup "${names[@]}" || code=$?
if [ -n "${UPDATE:-}" ]; then
    for file in "$dir"/results/*.out; do
        results_of "$file" > "$ROOT/pg_regress/expected/$(basename "$file")"
    done
elif [ $code != 0 ]; then
    cat "$dir/regression.diffs"
fi
exit $code
