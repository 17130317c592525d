#!/usr/bin/env bash
# Figures on keys of several columns, uuids, lists and merge joins beside btree; see
# benches/README.md.
#   PARTS="load series include uuid list merge" runs some.
#   ROWS (10000000)  DEVICES (4000)  PAIRS (5)
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
ROWS=${ROWS:-10000000} DEVICES=${DEVICES:-4000}
PARTS=${PARTS:-load series include uuid list merge}
TICKS=$((ROWS / DEVICES))

bench_server columns
new_database columns
sql < "$ROOT/benches/figures.sql"
compare() {
    sql -v w="$1" -v t="$2" -v n="$3" -v q="$4" -v j="${5:-nestloop}" \
        -v p="$PAIRS" <<< "CALL compare(:'w', :'t', :p, :'n', :'q', NULL, :'j')"
}
size() {
    sql -c "INSERT INTO figures (work, am, value, unit)
        SELECT '$2', am, pg_relation_size('$1_' || am), 'bytes'
        FROM unnest('{btree,learned}'::text[]) am"
}

for part in $PARTS; do
    say "part: $part"
    case $part in
    load)
        # One row of each device every 10 s, in the order of time, which a join would not keep,
        # from 4 sessions that have a quarter of the devices each. The indexes are there.
        sql -c "CREATE TABLE points (device_id int4, ts timestamptz, value float8)" \
            -c "CREATE INDEX device_btree ON points USING btree (device_id, ts DESC)" \
            -c "CREATE INDEX device_learned ON points USING $AM (device_id, ts DESC)" \
            -c "CREATE INDEX ts_btree ON points USING btree (ts DESC)" \
            -c "CREATE INDEX ts_learned ON points USING $AM (ts DESC)"
        for ((session = 0; session < 4; session++)); do
            sql -c "INSERT INTO points SELECT d, '2026-01-01'::timestamptz + t * interval '10 s',
                hash(t * 7919 + d, 1000003)
                FROM (SELECT t, generate_series($session, $((DEVICES - 1)), 4) AS d
                FROM generate_series(1, $TICKS) t) q" &
        done
        wait
        # VACUUM finds rows visible to all only where their transactions' commits are on disk.
        sql -c "SET synchronous_commit = on" \
            -c "CREATE TABLE devices AS SELECT d FROM generate_series(0, $((DEVICES - 1))) d" \
            -c "CREATE TABLE hours AS SELECT hash(i, $DEVICES)::int4
            AS d, '2026-01-01'::timestamptz + hash(i + 7,
            greatest($TICKS - 360, 1)) * interval '10 s' AS t FROM generate_series(1, 1000::int8) i"
        sql -c 'SET synchronous_commit = on' -c 'VACUUM ANALYZE' \
            -c "SELECT omendb_check('device_learned', true), omendb_check('ts_learned', true)" \
            > /dev/null
        size device "index size, (device_id, ts DESC), loaded by 4 sessions"
        size ts "index size, (ts DESC), loaded by 4 sessions"
        sql -c "CREATE INDEX built_btree ON points USING btree (device_id, ts DESC)" \
            -c "CREATE INDEX built_learned ON points USING $AM (device_id, ts DESC)"
        size built "index size, (device_id, ts DESC), built"
        sql -c "DROP INDEX built_btree" -c "DROP INDEX built_learned" ;;
    series)
        sql -c "DROP INDEX ts_btree" -c "DROP INDEX ts_learned"
        compare "last point of each of $DEVICES devices, lateral join" device 'Index Scan' \
            "SELECT count(*) || ' ' || sum(value) FROM devices,
            LATERAL (SELECT value FROM points WHERE device_id = d ORDER BY ts DESC LIMIT 1) q"
        compare "one device, one hour, 1000 times, with heap" device 'Index Scan' \
            "SELECT count(*) || ' ' || sum(value) FROM hours,
            LATERAL (SELECT value FROM points WHERE device_id = d AND ts >= t
            AND ts < t + interval '1 hour' OFFSET 0) q"
        compare "one device, one hour, 1000 times, index only" device 'Index Only Scan' \
            "SELECT count(*) || ' ' || max(ts) FROM hours,
            LATERAL (SELECT ts FROM points WHERE device_id = d AND ts >= t
            AND ts < t + interval '1 hour' OFFSET 0) q" ;;
    include)    # Values of up to two decimals, as sensors send them.
        sql -c "DROP INDEX IF EXISTS device_btree" -c "DROP INDEX IF EXISTS device_learned" \
            -c 'DROP INDEX IF EXISTS ts_btree' -c 'DROP INDEX IF EXISTS ts_learned' \
            -c "CREATE TABLE readings (device_id int4, ts timestamptz, value float8)" \
            -c "INSERT INTO readings SELECT device_id, ts,
            round((50 + 40 * sin(extract(epoch FROM ts) / 20000 + device_id) + value /
            1000003)::numeric, 2)::float8 FROM points" \
            -c "CREATE INDEX readings_btree ON readings
            USING btree (device_id, ts) INCLUDE (value)" \
            -c "CREATE INDEX readings_learned ON readings
            USING $AM (device_id, ts) INCLUDE (value)" \
            -c "CREATE INDEX points_btree ON points USING btree (device_id, ts) INCLUDE (value)" \
            -c "CREATE INDEX points_learned ON points USING $AM (device_id, ts) INCLUDE (value)"
        sql -c 'VACUUM ANALYZE readings, points' \
            -c "SELECT omendb_check('readings_learned', true), omendb_check('points_learned',
            true)" > /dev/null
        size readings \
            "index size, (device_id, ts) INCLUDE (value), values of two decimals that change slowly"
        size points \
            "index size, (device_id, ts) INCLUDE (value), random whole numbers below 1000003"
        compare "one device, one hour, 1000 times, average of the included value" readings \
            'Index Only Scan' \
            "SELECT count(*) || ' ' || round(sum(a)::numeric, 3) FROM hours,
            LATERAL (SELECT avg(value) AS a FROM readings WHERE device_id = d AND ts >= t
            AND ts < t + interval '1 hour') q"
        compare "average of all included values" readings 'Index Only Scan' \
            "SELECT count(*) || ' ' || round(avg(value)::numeric, 6) FROM readings
            WHERE device_id >= 0" ;;
    uuid)   # Version 7: milliseconds, then chance; 10 rows a millisecond.
        sql -c "CREATE TABLE uuids AS SELECT (lpad(to_hex(1767225600000 + i / 10), 12,
            '0') || '7' || substr(md5(i::text), 1, 3) || '8' || substr(md5(i::text), 4, 15))::uuid
            AS k, i AS v FROM generate_series(1, $ROWS::int8) i" \
            -c "CREATE INDEX uuids_btree ON uuids USING btree (k)" \
            -c "CREATE INDEX uuids_learned ON uuids USING $AM (k)" \
            -c "CREATE TABLE some_uuids AS SELECT k AS x FROM uuids WHERE v % 20 = 0
            ORDER BY hash(v, 1000003)"
        sql -c 'VACUUM ANALYZE uuids, some_uuids' \
            -c "SELECT omendb_check('uuids_learned', true)" > /dev/null
        size uuids "index size, uuid v7"
        compare "nested loop, $((ROWS / 20)) random lookups by uuid v7, index only" uuids \
            'Index Only Scan' "SELECT count(k) || ' ' || min(k::text) FROM some_uuids JOIN uuids
            ON k = x"
        compare "nested loop, $((ROWS / 20)) random lookups by uuid v7, with heap" uuids \
            'Index Scan' "SELECT count(*) || ' ' || sum(v) FROM some_uuids JOIN uuids ON k = x" ;;
    list)
        sql -c "CREATE TABLE ids AS SELECT i * 1000 + hash(i, 1000) AS k, i AS v
            FROM generate_series(1, $ROWS::int8) i" \
            -c "CREATE INDEX ids_btree ON ids USING btree (k)" \
            -c "CREATE INDEX ids_learned ON ids USING $AM (k)" \
            -c "CREATE TABLE lists AS SELECT j, array_agg(i * 1000 + hash(i, 1000)) AS list
            FROM (SELECT j, 1 + hash(j * 1009 + n, $ROWS) AS i FROM generate_series(1, 300::int8) j,
            generate_series(1, 1000) n) q GROUP BY j"
        sql -c 'VACUUM ANALYZE ids, lists' > /dev/null
        compare "IN list of 1000 random keys, 300 times, index only" ids 'Index Only Scan' \
            "SELECT count(k) || ' ' || sum(k) FROM lists,
            LATERAL (SELECT k FROM ids WHERE k = ANY (list) OFFSET 0) q" ;;
    merge)
        compare "merge join of $ROWS rows by two indexes" ids 'Index Only Scan' \
            "SELECT count(*) || ' ' || sum(a.k - b.k) FROM ids a JOIN ids b ON a.k = b.k" \
            mergejoin ;;
    *) die "no such part: $part" ;;
    esac
done
report
