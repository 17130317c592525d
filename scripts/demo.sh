#!/usr/bin/env bash
# The demonstration: 3 million real flights and 10 million generated sensor readings, each with a
# btree and a learned index on the same column. Compares sizes, builds and queries, and stops with
# an error if an answer differs.
#   ROWS (10000000 readings)   PAIRS (5)   KEEP=1 leaves the server running
# shellcheck source=../benches/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../benches/lib.sh"
ROWS=${ROWS:-10000000}

# What the server says on the way, without psql's prefix.
progress() { sed -uE 's/^(psql:[^ ]* )?NOTICE: +/         /'; }
# How much is loaded, every 5 seconds until this is killed.
watch_load() {
    while sleep 5; do
        sql -c "SELECT format('         flights %s, readings %s',
                pg_size_pretty(sum(pg_table_size(oid)) FILTER (WHERE relname <> 'sensors')),
                pg_size_pretty(sum(pg_table_size(oid)) FILTER (WHERE relname = 'sensors')))
            FROM pg_class WHERE relname IN ('raw', 'flights', 'sensors')"
    done
}

bench_server demo
new_database demo
sql < "$ROOT/benches/figures.sql"

say "loading 3,000,000 flights and generating $ROWS sensor readings"
watch_load &
watcher=$!
trap 'kill $watcher 2>/dev/null || true' EXIT
# Departures come as Unix seconds, which COPY does not read as a time.
sql -c 'CREATE TABLE flights (departure timestamptz, delay int4, distance int4, origin text,
    destination text)'
xz -dc "$ROOT/data/flights.xz" | LC_ALL=C awk -f "$ROOT/data/decode.awk" |
    sql -c 'CREATE TEMP TABLE raw (departure int8, delay int4, distance int4, origin text,
            destination text)' \
        -c 'COPY raw FROM STDIN (FORMAT csv)' \
        -c 'INSERT INTO flights
            SELECT to_timestamp(departure), delay, distance, origin, destination FROM raw' &
flights=$!
# 500 devices report about every second, in turn, each some milliseconds early or late.
sql -c 'CREATE TABLE sensors (device int4, ts timestamptz, value float8)' \
    -c "INSERT INTO sensors
        SELECT i % 500,
            timestamptz '2024-01-01 00:00+00'
                + (i * 2000 + hash(i, 1500)) * interval '1 microsecond',
            20 + hash(i + 1, 1000) / 100.0
        FROM generate_series(1, $ROWS::int8) i" &
sensors=$!
wait $flights || die 'loading the flights failed'
wait $sensors || die 'generating the readings failed'
kill $watcher
sql -c 'COPY (SELECT extract(epoch FROM departure)::int8, delay, distance, origin, destination
        FROM flights) TO STDOUT (FORMAT csv)' |
    md5sum -c --status "$ROOT/data/flights.md5" || die 'the flights are not those of flights.md5'

for index in 'flights departure' 'sensors ts'; do
    read -r t column <<< "$index"
    say "building indexes on $t ($column)"
    sql -c "SET maintenance_work_mem = '512MB'" -c 'SET max_parallel_maintenance_workers = 0' \
        -c "CREATE INDEX ${t}_btree ON $t USING btree ($column)" \
        -c "CREATE INDEX ${t}_learned ON $t USING $AM ($column)" \
        -c "INSERT INTO figures (work, am, value, unit)
            SELECT '$t: size of the index', am, pg_relation_size('${t}_' || am), 'bytes'
            FROM unnest('{btree,learned}'::text[]) am" \
        -c "CALL compare_build('$t: CREATE INDEX', 1, '$AM', '$t USING %s ($column)')" 2>&1 |
        progress
done
say 'VACUUM ANALYZE, and omendb_check of both learned indexes'
sql -c 'VACUUM ANALYZE flights, sensors' \
    -c "SELECT omendb_check('flights_learned', true), omendb_check('sensors_learned', true)" \
    >/dev/null

say "queries, each $PAIRS times by either index"
sql -v pairs="$PAIRS" < "$ROOT/benches/demo.sql" 2>&1 | progress
echo
sql -v rows="$ROWS" < "$ROOT/benches/demo_report.sql"
echo
machine
[ -n "${KEEP:-}" ] || "$ROOT/scripts/server.sh" stop demo
say 'every answer of the learned indexes was that of btree'
