#!/usr/bin/env bash
# Runs pg_regress/specs with the server's isolationtester, on learned and on btree: the same output.
# SPECS="unique serializable" runs some of them.
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
fresh_server isolation autovacuum=off fsync=off
tester=$("$PG_CONFIG" --pkglibdir)/pgxs/src/test/isolation/isolationtester
[ -x "$tester" ] || die "no isolationtester: run 'make deps'"
dir=$WORK/isolation/specs
make_dir "$dir"
new_database isolation
failed=0
for spec in "$ROOT"/pg_regress/specs/*.spec; do
    name=$(basename "$spec" .spec)
    if [ -n "${SPECS:-}" ] && [[ " $SPECS " != *" $name "* ]]; then continue; fi
    for am in "$AM" btree; do
        sed "s/USING learned/USING $am/" "$spec" | as_server_user timeout 120 "$tester" "host=$PGHOST port=$PGPORT user=$PGUSER dbname=$PGDATABASE" > "$dir/$name.$am.out" 2>&1 || die "$name: $(tail -n 3 "$dir/$name.$am.out")"
    done
    sed -i "s/USING btree/USING $AM/" "$dir/$name.btree.out"
    if diff -u "$dir/$name.btree.out" "$dir/$name.$AM.out"; then
        say "$name: $(grep -c '^starting permutation' "$dir/$name.$AM.out") permutations as with btree, $(grep -c '^ERROR' "$dir/$name.$AM.out") errors"
    else
        failed=1
    fi
done
[ $failed = 0 ]
