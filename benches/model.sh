#!/usr/bin/env bash
# Figures of the model: pages of the index that a search for a random row's key reads, by distribution of the keys, after a build and after growth; size of the
# model, training time; lookups beside btree in alternating pairs. Pages are counted by omendb_predict, in a session that did nothing before.
#   ROWS (10000000)  PAIRS (5)  SEARCHES (20000)  DISTRIBUTIONS (all of the list below)
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
ROWS=${ROWS:-10000000} SEARCHES=${SEARCHES:-20000}

# The key of row i (int8), which may use @n (the number of rows) and @h(below), a random number.
declare -A KEYS=(
    [sequential]='i'
    [jitter]='i * 1000 + @h(1000)'
    [uniform]='@h(999999999989)'
    [heavy]='CASE WHEN @h(10) < 9 THEN 0 ELSE @h(2 * @n) - @n END'
    [equal]='7'
    [clusters]='@h(2) * 4000000000000000000 + @h(1073741824)'
    [exponential]='(1::int8 << @h(62)::int) + (@h(2147483647) << 31 >> (@h(62))::int)'
    [powers]='1::int8 << @h(63)::int'
    [alternating]='CASE WHEN i % 2 = 0 THEN i ELSE 9223372036854775807 - i END - 4611686018427387904'
    [ends]='CASE WHEN @h(2) = 0 THEN 9223372036854775807 - @h(1000) ELSE @h(1000) - 9223372036854775807 END'
    [outliers]='CASE WHEN @h(10000) = 0 THEN 9000000000000000000 - @h(2147483647) ELSE @h(1048576) * @h(1048576) / 1048576 END'
    [users]='1099511627776 / (1 + @h(2147483647)) * CASE WHEN @h(1000) = 0 THEN 1048576 ELSE 1 END'
    [timestamps]='i * 1000000 + CASE WHEN i / 60 % 24 < 7 THEN @h(100) ELSE @h(1000000) END'
    [bursts]='i / 100 * 1048576 + i % 100'
    [tenants]='@h(500) * 1099511627776 + i * 1000'
    [reversed]='@n - i'
)
DISTRIBUTIONS=${DISTRIBUTIONS:-sequential jitter uniform heavy equal clusters exponential powers alternating ends outliers users timestamps bursts tenants reversed}

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
    RETURN (SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY t)::numeric, 1) || ' ms' FROM unnest(times) t);
END $$;
SQL

# Note a value: DISTRIBUTION PHASE QUERY
note() { sql -v d="$1" -v p="$2" <<< "INSERT INTO pages SELECT :'d', :'p', ($3)::text"; }
# Rows FIRST to LAST of a distribution: their keys.
rows() {
    local key=$4
    for ((salt = 1; salt < 9; salt++)); do key=${key/@h(/hash(i * 8 + $salt, }; done
    sql -c "INSERT INTO $1 SELECT ${key//@n/$ROWS}, i FROM (SELECT generate_series($2::int8, $3::int8) AS i) r"
}
# Mean pages of searches for random ones of the rows above FIRST.
pages() { echo "SELECT round(avg(pages), 3) FROM (SELECT k FROM keys WHERE v > $1 ORDER BY random() LIMIT $SEARCHES) s, omendb_predict('keys_learned', s.k::text)"; }

for name in $DISTRIBUTIONS; do
    say "$name"
    sql -c 'SET client_min_messages = warning' -c 'DROP TABLE IF EXISTS keys, probe' -c 'CREATE UNLOGGED TABLE keys (k int8, v int8)'
    rows keys 1 "$ROWS" "${KEYS[$name]}"
    sql -c "SET maintenance_work_mem = '1GB'" -c 'CREATE INDEX keys_btree ON keys USING btree (k)' -c "CREATE INDEX keys_learned ON keys USING $AM (k)" \
        -c "CREATE UNLOGGED TABLE probe AS SELECT k FROM keys TABLESAMPLE BERNOULLI (least(100, 20000000.0 / $ROWS)) ORDER BY random()" -c 'VACUUM ANALYZE keys, probe'
    note "$name" build "$(pages 0)"
    note "$name" size "SELECT pg_size_pretty(model_bytes) || ' of ' || pg_size_pretty(index_bytes) FROM omendb_stats('keys_learned')"
    note "$name" training "training('keys_learned')"
    sql -v n="lookups, $name" -v p="$PAIRS" <<< "CALL compare(:'n', 'keys', :p, 'Index Only Scan', 'SELECT count(q.k) FROM probe, LATERAL (SELECT k FROM keys WHERE k = probe.k LIMIT 1) q',
        'SELECT count(q.k) || '' '' || sum(q.k # probe.k) FROM probe, LATERAL (SELECT k FROM keys WHERE k = probe.k LIMIT 1) q')"
    sql -c 'DROP INDEX keys_btree'
    case $name in
    sequential | jitter | timestamps | bursts)
        rows keys $((ROWS + 1)) $((ROWS * 3 / 2)) "${KEYS[$name]}"
        note "$name" appended "$(pages "$ROWS")" ;;
    uniform | tenants | users)
        rows keys $((ROWS + 1)) $((ROWS * 3 / 2)) "${KEYS[$name]}"
        note "$name" 'half as many more' "$(pages 0)"
        sql -c 'VACUUM keys'
        note "$name" 'and VACUUM' "$(pages 0)" ;;
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
sql -F ' | ' -c "SELECT '| ' || distribution, $(column build), $(column appended), $(column 'half as many more'), $(column 'and VACUUM'), $(column training), $(column size) || ' |'
    FROM pages GROUP BY distribution ORDER BY array_position(string_to_array('$DISTRIBUTIONS', ' '), distribution)"
report
