#!/usr/bin/env bash
# The same random changes and queries on three tables (learned, btree, no index): the same rows, for
# every key type and order.
#   SEED (random)  ROUNDS (3)  SIZE (1500 rows a change)  QUERIES (12 a round)  TYPES
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
SEED=${SEED:-$RANDOM} ROUNDS=${ROUNDS:-3} SIZE=${SIZE:-1500} QUERIES=${QUERIES:-12}
say "SEED=$SEED ROUNDS=$ROUNDS SIZE=$SIZE QUERIES=$QUERIES"

fresh_server differential fsync=off autovacuum=off
new_database differential
sql < "$ROOT/pg_regress/sql/setup.sql" >/dev/null
sql < "$ROOT/tests/differential.sql"
number=0
for type in ${TYPES:-int2 int4 int8 date timestamp timestamptz}; do
    for options in 'ASC' 'DESC' 'NULLS FIRST' 'DESC NULLS LAST'; do
        number=$((number + 1))
        {
            echo "SET timezone = 'America/New_York';
                SELECT setseed(($SEED + $number) % 100000 / 100000.0);"
            # Built over no rows, some, and many.
            echo "CALL make_tables('$type', '$options', '$AM', $((SIZE * 4 * (number % 3))));"
            for ((round = 1; round <= ROUNDS; round++)); do
                echo "CALL change('$type', '$options', $round, $SIZE);"
                if ((round % 2)); then echo "VACUUM ANALYZE d_learned, d_btree, d_none;"; fi
                echo "CALL queries('$type', '$options', $QUERIES);"
                echo "SELECT omendb_check('d_learned_k', true);"
            done
        } | sql > /dev/null || die "$type $options failed with SEED=$SEED"
        say "$type $options: same rows, $(sql -c "SELECT count(*) || ' at the end' FROM d_learned")"
    done
done
