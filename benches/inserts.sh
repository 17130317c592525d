#!/usr/bin/env bash
# Write figures: rows appended in key order, rows with random keys, and 8 clients inserting single rows, each into three tables of
# the same content: without an index, with btree, with learned. "Index share" is the time with the index minus the time without, pair
# by pair. There are no page images in the WAL: no checkpoint comes between the loading and the runs.
#   ROWS (10000000 rows before the random inserts)  PAIRS (5)  SECONDS_EACH (5: each pgbench run)  PARTS (append random clients)
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
ROWS=${ROWS:-10000000}
PARTS=${PARTS:-append random clients}
SECONDS_EACH=${SECONDS_EACH:-5}
APPEND=$((ROWS / 10)) RANDOM_ROWS=$((ROWS / 20))

bench_server bench
new_database inserts
sql < "$ROOT/benches/figures.sql"
sql <<'SQL'
-- Runs an INSERT and notes its time and the WAL it wrote.
CREATE UNLOGGED TABLE runs (work text, pair int, am text, ms float8, wal float8);
CREATE PROCEDURE timed_insert(work text, pair int, am text, rows int8, statement text) LANGUAGE plpgsql AS $$
DECLARE began timestamptz := clock_timestamp(); lsn pg_lsn := pg_current_wal_insert_lsn(); wal float8;
BEGIN
    EXECUTE statement;
    COMMIT;
    wal := (pg_current_wal_insert_lsn() - lsn)::float8 / rows;
    INSERT INTO runs VALUES (work, pair, am, extract(epoch FROM clock_timestamp() - began) * 1000, wal);
END $$;
-- The figures of one kind of work from its runs; pair 0 does not count.
CREATE PROCEDURE conclude(name text) LANGUAGE sql AS $$
    INSERT INTO figures (work, am, value, unit) SELECT name || ', all', am, ms, 'ms' FROM runs WHERE work = name AND pair > 0 AND am <> 'none';
    INSERT INTO figures (work, am, value, unit) SELECT name || ', index share', r.am, r.ms - n.ms, 'ms' FROM runs r JOIN runs n USING (work, pair)
        WHERE work = name AND pair > 0 AND r.am <> 'none' AND n.am = 'none';
    INSERT INTO figures (work, am, value, unit) SELECT name || ', WAL of the index a row', r.am, r.wal - n.wal, 'B' FROM runs r JOIN runs n USING (work, pair)
        WHERE work = name AND pair > 0 AND r.am <> 'none' AND n.am = 'none' $$;
SQL

# Tables PREFIX_none, PREFIX_btree, PREFIX_learned with the rows of QUERY (k, v).
make_tables() {
    say "loading three tables for: $1"
    local kind
    for kind in none btree learned; do
        sql -c 'SET client_min_messages = warning' -c "DROP TABLE IF EXISTS $1_$kind" -c "CREATE TABLE $1_$kind (k int8, v int4)" -c "INSERT INTO $1_$kind $2"
    done
    sql -c "SET maintenance_work_mem = '1GB'" -c "CREATE INDEX $1_btree_k ON $1_btree USING btree (k)" -c "CREATE INDEX $1_learned_k ON $1_learned USING $AM (k)"
    sql -c "VACUUM ANALYZE $1_none, $1_btree, $1_learned"
}

same_rows() {
    sql -c "SELECT omendb_check('$1_learned_k', true)" >/dev/null
    [ "$(sql -c "SELECT count(DISTINCT n) FROM (SELECT count(*) || ' ' || sum(k) n FROM $1_none UNION ALL SELECT count(*) || ' ' || sum(k) FROM $1_btree UNION ALL SELECT count(*) || ' ' || sum(k) FROM $1_learned) q")" = 1 ] ||
        die "the three tables differ"
    sql -c "INSERT INTO figures (work, am, value, unit) SELECT 'index size after: $2', am, pg_relation_size('$1_' || am || '_k'), 'bytes' FROM unnest('{btree,learned}'::text[]) am"
}

# The three kinds in an order that turns from pair to pair.
turn() { case $(($1 % 3)) in 0) echo none btree learned ;; 1) echo btree learned none ;; 2) echo learned none btree ;; esac; }

for part in $PARTS; do
    say "part: $part"
    case $part in
    append | random)
        if [ "$part" = append ]; then
            make_tables append "SELECT i * 1000 + hash(i, 1000), i FROM generate_series(1, $APPEND::int8) i"
            count=$APPEND key='i * 1000 + hash(i, 1000)' name="append $APPEND rows"
            first=$((APPEND + 1))
        else
            make_tables random "SELECT hash(i, 999999999989), i FROM generate_series(1, $ROWS::int8) i"
            count=$RANDOM_ROWS key='hash(i, 999999999989)' name="$RANDOM_ROWS random keys into $ROWS"
            first=$((ROWS + 1))
        fi
        for ((pair = 0; pair <= PAIRS; pair++)); do
            for kind in $(turn $pair); do
                sql -c "CALL timed_insert('$name', $pair, '$kind', $count, 'INSERT INTO ${part}_$kind SELECT $key, i FROM generate_series($first::int8, $((first + count - 1))::int8) i')"
            done
            first=$((first + count))
        done
        sql -c "CALL conclude('$name')"
        same_rows "$part" "$name"
        ;;
    clients)
        dir=$(mktemp -d)
        trap 'rm -rf "$dir"' EXIT
        for order in ascending random; do
            make_tables clients "SELECT i * 1000, i FROM generate_series(1, $APPEND::int8) i"
            sql -c 'SET client_min_messages = warning' -c 'DROP SEQUENCE IF EXISTS ids' -c "CREATE SEQUENCE ids START $((APPEND + 1)) CACHE 20"
            for ((pair = 0; pair <= PAIRS; pair++)); do
                for kind in $(turn $pair); do
                    if [ $order = ascending ]; then echo "INSERT INTO clients_$kind VALUES (nextval('ids') * 1000, 1);"
                    else printf '%s\n' "\\set k random(1, ${APPEND}000)" "INSERT INTO clients_$kind VALUES (:k, 1);"; fi > "$dir/insert.sql"
                    lsn=$(sql -c 'SELECT pg_current_wal_insert_lsn()')
                    pgbench -n -M prepared -c 8 -j 2 -T "$SECONDS_EACH" -f "$dir/insert.sql" > "$dir/log" 2>&1 || { tail "$dir/log"; die "pgbench"; }
                    tps=$(sed -nE 's/^tps = ([0-9.]+).*/\1/p' "$dir/log") done=$(sed -nE 's/^number of transactions actually processed: ([0-9]+).*/\1/p' "$dir/log")
                    sql -c "INSERT INTO runs SELECT '8 clients, $order keys', $pair, '$kind', 1000 / $tps, (pg_current_wal_insert_lsn() - '$lsn')::float8 / $done"
                done
            done
            sql -c "INSERT INTO figures (work, am, value, unit) SELECT work, am, 1000 / ms, 'tps' FROM runs WHERE work = '8 clients, $order keys' AND pair > 0 AND am <> 'none'" \
                -c "INSERT INTO figures (work, am, value, unit) SELECT work || ', WAL a row', am, wal, 'B' FROM runs WHERE work = '8 clients, $order keys' AND pair > 0 AND am <> 'none'" \
                -c "SELECT omendb_check('clients_learned_k', true)" >/dev/null
        done
        ;;
    *) die "no such part: $part" ;;
    esac
done
report
sql -F ': ' -c "SELECT 'without an index, ' || work, show(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms), 'ms') FROM runs WHERE am = 'none' AND pair > 0 AND work NOT LIKE '%clients%' GROUP BY work
    UNION ALL SELECT 'without an index, ' || work, show(percentile_cont(0.5) WITHIN GROUP (ORDER BY 1000 / ms), 'tps') FROM runs WHERE am = 'none' AND pair > 0 AND work LIKE '%clients%' GROUP BY work"
