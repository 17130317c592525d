#!/usr/bin/env bash
# Runs tests/isolation by the server's isolationtester with learned and with btree indexes, whose
# output must be the same. SPECS="unique serializable" runs some of them.
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
fresh_server isolation autovacuum=off fsync=off
tester=$("$PG_CONFIG" --pkglibdir)/pgxs/src/test/isolation/isolationtester
[ -x "$tester" ] || die "this PostgreSQL has no isolationtester: $tester"
dir=$WORK/isolation/specs
make_dir "$dir"
new_database isolation
connection="host=$PGHOST port=$PGPORT user=$PGUSER dbname=$PGDATABASE"
failed=0
for spec in "$ROOT"/tests/isolation/*.spec; do
    name=$(basename "$spec" .spec)
    if [ -n "${SPECS:-}" ] && [[ " $SPECS " != *" $name "* ]]; then continue; fi
    for am in "$AM" btree; do
        out=$dir/$name.$am.out
        sed "s/USING learned/USING $am/" "$spec" |
            as_server_user timeout 120 "$tester" "$connection" > "$out" 2>&1 ||
            die "$name: $(tail -n 3 "$out")"
    done
    sed -i "s/USING btree/USING $AM/" "$dir/$name.btree.out"
    if diff -u "$dir/$name.btree.out" "$dir/$name.$AM.out"; then
        say "$name: $(grep -c '^starting permutation' "$out") permutations as with btree," \
            "$(grep -c '^ERROR' "$out") errors"
    else
        failed=1
    fi
done
[ $failed = 0 ]
