#!/usr/bin/env bash
# The demonstration: 3 million real flights and 10 million generated sensor rows, each with a btree and a learned index on the
# same column. Every learned answer is compared with btree's; exits with an error where one differs.
#   ROWS (10000000 sensor rows)  PAIRS (5)  KEEP=1 leaves the server running
# shellcheck source=../benches/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../benches/lib.sh"
ROWS=${ROWS:-10000000}

bench_server demo
new_database demo
sql < "$ROOT/benches/figures.sql"

say "loading 3,000,000 flights and generating $ROWS sensor rows"
sql -c 'CREATE TABLE flights (departure timestamptz, delay int4, distance int4, origin text, destination text)'
# Columns come as CSV; departure as Unix seconds, which COPY cannot read as a timestamp.
xz -dc "$ROOT/data/flights.xz" | LC_ALL=C awk -f "$ROOT/data/decode.awk" |
    sql -c 'CREATE TEMP TABLE raw (departure int8, delay int4, distance int4, origin text, destination text)' \
        -c 'COPY raw FROM STDIN (FORMAT csv)' \
        -c 'INSERT INTO flights SELECT to_timestamp(departure), delay, distance, origin, destination FROM raw' &
# 500 devices report about every second, in turn, a few milliseconds off.
sql -c 'CREATE TABLE sensors (device int4, ts timestamptz, value float8)' \
    -c "INSERT INTO sensors SELECT i % 500, timestamptz '2024-01-01 00:00+00' + (i * 2000 + hash(i, 1500)) * interval '1 microsecond',
            20 + hash(i + 1, 1000) / 100.0 FROM generate_series(1, $ROWS::int8) i" &
wait -n
wait -n
[ "$(sql -c "SELECT count(*) || ' ' || md5(string_agg(extract(epoch FROM departure)::int8 || ',' || delay || ',' || distance || ',' || origin || ',' || destination, E'\n')) FROM flights")" \
    = "3000000 $(sed -n 's/.*md5sum of the rows.* //p' "$ROOT/data/README.md")" ] || die "the flights are not those of data/README.md"

for index in 'flights departure' 'sensors ts'; do
    read -r t column <<< "$index"
    say "building indexes on $t ($column)"
    sql -c "SET maintenance_work_mem = '512MB'" -c 'SET max_parallel_maintenance_workers = 0' \
        -c "CALL compare_build('$t: CREATE INDEX', 1, '$AM', '$t USING %s ($column)')" \
        -c "CREATE INDEX ${t}_btree ON $t USING btree ($column)" -c "CREATE INDEX ${t}_learned ON $t USING $AM ($column)" \
        -c "INSERT INTO figures (work, am, value, unit) SELECT '$t: index size', am, pg_relation_size('${t}_' || am), 'bytes' FROM unnest('{btree,learned}'::text[]) am"
done
say "VACUUM ANALYZE, omendb_check"
sql -c 'VACUUM ANALYZE flights, sensors' -c "SELECT omendb_check('flights_learned', true), omendb_check('sensors_learned', true)" >/dev/null

say "queries in $PAIRS alternating pairs"
sql -v pairs="$PAIRS" < "$ROOT/benches/demo.sql"
report
[ -n "${KEEP:-}" ] || "$ROOT/scripts/server.sh" stop demo
say "demo: every answer of the learned index is btree's"
