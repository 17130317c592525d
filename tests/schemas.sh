#!/usr/bin/env bash
# Random schemas: indexes of 1 to 8 columns of all types, orders and NULLs, in half of them some
# included; the same random changes and queries on three tables (learned, btree, no index).
#   SEED (random)
#   SCHEMAS (48; 926 for 100,000 queries, which take some ten minutes)
#   QUERIES (36 after each of 3 changes, so 5,184 in all)
#   SIZE (700 rows a change)
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
SEED=${SEED:-$RANDOM} SCHEMAS=${SCHEMAS:-48} QUERIES=${QUERIES:-36} SIZE=${SIZE:-700}
say "SEED=$SEED SCHEMAS=$SCHEMAS QUERIES=$QUERIES SIZE=$SIZE"

fresh_server schemas fsync=off autovacuum=off
new_database schemas
sql < "$ROOT/tests/schemas.sql"
for ((number = 1; number <= SCHEMAS; number++)); do
    {
        echo "SET timezone = 'America/New_York'; SET max_parallel_workers_per_gather = 0;
            SELECT setseed((($SEED::int8 * 131 + $number) % 100000) / 100000.0);"
        # Built over no rows, or some.
        echo "CALL new_schema($((1 + number % 8)), '$AM', $((number % 3 * SIZE)));"
        for round in 1 2 3; do
            echo "CALL change_schema($round, $SIZE);"
            if ((round != 2)); then echo "VACUUM ANALYZE s_learned, s_btree, s_none;"; fi
            echo "CALL query_schema($QUERIES);"
            echo "SELECT omendb_check('s_learned_k', true);"
        done
    } | sql > /dev/null ||
        die "schema $number failed with SEED=$SEED: $(sql \
        -c "SELECT indexdef FROM pg_indexes WHERE indexname = 's_learned_k'")"
    say "same rows: $(sql -c "SELECT string_agg(type || ' ' || CASE WHEN included THEN 'included'
        ELSE options END, ', ' ORDER BY n) FROM shape")"
done
sql -c "SELECT kind || ': ' || had || ' of ' || wanted || ' by the index' FROM tally"
[ "$(sql -c "SELECT min(had::float8 / wanted) > 0.5 FROM tally WHERE kind <> 'indexonly'")" = t ] ||
    die "few queries used the index"
