#!/usr/bin/env bash
# Figures of the model: pages of the index that a search for a random row's key reads, by
# distribution of the keys, after a build and after growth; size of the model, training time;
# lookups beside btree in alternating pairs. Pages are counted by omendb_predict, in a session that
# did nothing before.
#   ROWS (10000000)  PAIRS (5)  SEARCHES (20000)  DISTRIBUTIONS (all of the list below)
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
ROWS=${ROWS:-10000000} SEARCHES=${SEARCHES:-20000}

# The key of row i (int8), which may use @n (the number of rows), @h(below), a random number, and r,
# one below 2^31 that stays the same.
declare -A KEYS=(
    [sequential]='i'
    [jitter]='i * 1000 + @h(1000)'
    [uniform]='@h(999999999989)'
    [heavy]='CASE WHEN @h(10) < 9 THEN 0 ELSE @h(2 * @n) - @n END'
    [equal]='7'
    [clusters]='@h(2) * 4000000000000000000 + @h(1073741824)'
    [exponential]='(1::int8 << @h(62)::int) + (@h(2147483647) << 31 >> (@h(62))::int)'
    [powers]='1::int8 << @h(63)::int'
    [alternating]='CASE WHEN i % 2 = 0 THEN i ELSE 9223372036854775807 - i END
        - 4611686018427387904'
    [ends]='CASE WHEN @h(2) = 0 THEN 9223372036854775807 - @h(1000)
        ELSE @h(1000) - 9223372036854775807 END'
    [outliers]='CASE WHEN @h(10000) = 0 THEN 9000000000000000000 - @h(2147483647)
        ELSE @h(1048576) * @h(1048576) / 1048576 END'
    [users]='1099511627776 / (1 + @h(2147483647)) * CASE WHEN @h(1000) = 0 THEN 1048576 ELSE 1 END'
    [timestamps]='i * 1000000 + CASE WHEN i / 60 % 24 < 7 THEN @h(100) ELSE @h(1000000) END'
    [bursts]='i / 100 * 1048576 + i % 100'
    [tenants]='@h(500) * 1099511627776 + i * 1000'
    [reversed]='@n - i'
    # Z-order codes of places in squares of 2^8 to 2^21 units (some metres to 40 km) that have a
    # real city in them. Some cities have many more places than others.
    [places]='(SELECT array_agg(z) FROM cities)[1 + @h(1 + @h((SELECT count(*) FROM cities)))] >> 2
        * (8 + r % 14)::int << 2 * (8 + r % 14)::int | @h(1::int8 << 2 * (8 + r % 14)::int)'
    [flights]='departure'
    [window]='i * 1000 + @h(1000)'
)
all='sequential jitter uniform heavy equal clusters exponential powers alternating ends outliers'
all+=' users places timestamps bursts tenants reversed flights window'
DISTRIBUTIONS=${DISTRIBUTIONS:-$all}

bench_server bench
new_database model
sql < "$ROOT/benches/figures.sql"
sql <<'SQL'
CREATE TABLE pages (distribution text, phase text, value text);
-- The median of five trainings.
CREATE FUNCTION training(index regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE began timestamptz; times float8[];
BEGIN
    FOR i IN 1 .. 5 LOOP
        began := clock_timestamp();
        PERFORM omendb_retrain(index);
        times := times || extract(epoch FROM clock_timestamp() - began) * 1000;
    END LOOP;
    RETURN (SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY t)::numeric, 1) || ' ms'
        FROM unnest(times) t);
END $$;
SQL

# Latitude and longitude of the cities that time zones are named after, as codes of 31 bits each.
grep -v '^#' /usr/share/zoneinfo/zone1970.tab | cut -f 2 |
    sql -c 'CREATE TEMP TABLE zones (place text)' -c 'COPY zones FROM STDIN' -c "
    CREATE TABLE cities AS
    SELECT (SELECT bit_or((x >> b & 1) << 2 * b | (y >> b & 1) << 2 * b + 1)
    FROM generate_series(0, 30) b) AS z
    FROM zones, regexp_match(place, '^([+-])(\d\d)(\d\d)(\d\d)?([+-])(\d\d\d)(\d\d)') AS m,
        LATERAL (SELECT ((180 + (m[5] || 1)::int * (m[6]::float8 + m[7]::float8 / 60)) / 360
        * 2147483647)::int8 AS x,
                        ((90 + (m[1] || 1)::int * (m[2]::float8 + m[3]::float8 / 60)) / 180
                        * 2147483647)::int8 AS y) AS codes"
case " $DISTRIBUTIONS " in *' flights '*)
    xz -dc "$ROOT/data/flights.xz" | LC_ALL=C awk -f "$ROOT/data/decode.awk" | cut -d , -f 1 |
        sql -c 'CREATE UNLOGGED TABLE flights (departure int8, i int8 GENERATED ALWAYS
        AS IDENTITY)' -c 'COPY flights (departure) FROM STDIN' ;;
esac

# Note a value: DISTRIBUTION PHASE QUERY
note() { sql -v d="$1" -v p="$2" <<< "INSERT INTO pages SELECT :'d', :'p', ($3)::text"; }
# Rows FIRST to LAST of a distribution: their keys.
rows() {
    local key=$4 from="generate_series($2::int8, $3::int8) AS i"
    [ "$key" != departure ] || from="flights WHERE i BETWEEN $2 AND $3"
    for ((salt = 1; salt < 9; salt++)); do key=${key/@h(/hash(i * 8 + $salt, }; done
    sql -c "INSERT INTO $1 SELECT ${key//@n/$ROWS}, i FROM (SELECT *, hash(i * 8, 2147483647) AS r
        FROM $from) s"
}
# Mean pages of searches for random ones of the rows above FIRST.
pages() {
    echo "SELECT round(avg(pages), 3) FROM (SELECT k FROM keys WHERE v > $1 ORDER BY random()
        LIMIT $SEARCHES) s, omendb_predict('keys_learned', s.k::text)"
}

for name in $DISTRIBUTIONS; do
    say "$name"
    [ "$name" != flights ] || ROWS=2000000
    sql -c 'SET client_min_messages = warning' -c 'DROP TABLE IF EXISTS keys, probe' \
        -c 'CREATE UNLOGGED TABLE keys (k int8, v int8)'
    rows keys 1 "$ROWS" "${KEYS[$name]}"
    sql -c "SET maintenance_work_mem = '1GB'" -c 'CREATE INDEX keys_btree ON keys USING btree (k)' \
        -c "CREATE INDEX keys_learned ON keys USING $AM (k)" \
        -c "CREATE UNLOGGED TABLE probe AS SELECT k
        FROM keys TABLESAMPLE BERNOULLI (least(100, 20000000.0 / $ROWS)) ORDER BY random()" \
        -c 'VACUUM ANALYZE keys, probe'
    note "$name" build "$(pages 0)"
    note "$name" size "SELECT pg_size_pretty(model_bytes) || ' of ' || pg_size_pretty(index_bytes)
        FROM omendb_stats('keys_learned')"
    note "$name" training "training('keys_learned')"
    sql -v n="lookups, $name" \
        -v p="$PAIRS" <<< "CALL compare(:'n', 'keys', :p, 'Index Only Scan',
        'SELECT count(q.k) FROM probe, LATERAL (SELECT k FROM keys WHERE k = probe.k LIMIT 1) q',
        'SELECT count(q.k) || '' '' || sum(q.k # probe.k) FROM probe,
        LATERAL (SELECT k FROM keys WHERE k = probe.k LIMIT 1) q')"
    sql -c 'DROP INDEX keys_btree'
    case $name in
    sequential | jitter | timestamps | bursts | flights)
        rows keys $((ROWS + 1)) $((ROWS * 3 / 2)) "${KEYS[$name]}"
        note "$name" appended "$(pages "$ROWS")" ;;
    uniform | tenants | users | places)
        rows keys $((ROWS + 1)) $((ROWS * 3 / 2)) "${KEYS[$name]}"
        note "$name" 'half as many more' "$(pages 0)"
        sql -c 'VACUUM keys'
        note "$name" 'and VACUUM' "$(pages 0)" ;;
    window) # half of the rows go at one end, and as many come at the other
        sql -c "DELETE FROM keys WHERE v <= $((ROWS / 2))" -c 'VACUUM keys'
        rows keys $((ROWS + 1)) $((ROWS * 3 / 2)) "${KEYS[$name]}"
        note "$name" appended "$(pages "$ROWS")"
        sql -c 'VACUUM keys'
        note "$name" 'and VACUUM' "$(pages $((ROWS / 2)))" ;;
    clusters) # then all rows into a hundredth of one cluster
        rows keys $((ROWS + 1)) $((ROWS * 3 / 2)) '@h(10737418)'
        note "$name" 'half as many more' "$(pages 0)"
        sql -c 'VACUUM keys'
        note "$name" 'and VACUUM' "$(pages 0)" ;;
    esac
    sql -c "SELECT omendb_check('keys_learned')" >/dev/null
done
echo
echo '| keys | build | appended | half as many more | and VACUUM | training | model |'
echo '|---|---|---|---|---|---|---|'
column() { echo "coalesce(max(value) FILTER (WHERE phase = '$1'), '')"; }
sql -F ' | ' \
    -c "SELECT '| ' || distribution, $(column build), $(column appended),
    $(column 'half as many more'), $(column 'and VACUUM'), $(column training),
    $(column size) || ' |'
    FROM pages GROUP BY distribution ORDER BY array_position(string_to_array('$DISTRIBUTIONS', ' '),
    distribution)"
report
