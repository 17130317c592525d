#!/usr/bin/env bash
# Write figures: rows appended in key order, rows with random keys, 8 clients inserting single rows,
# and a DESC index filled in time order, each into three tables of the same content: without an
# index, with btree, with learned. "Index share" is the time with the index minus the time without,
# pair by pair. There are no page images in the WAL: no checkpoint comes between the loading and the
# runs.
#   ROWS (10000000 rows before the random inserts)  PAIRS (5, at least 3)
#   SECONDS_EACH (5: each pgbench run)  PARTS (append random clients desc)
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
ROWS=${ROWS:-10000000}
PARTS=${PARTS:-append random clients desc}
SECONDS_EACH=${SECONDS_EACH:-5}
APPEND=$((ROWS / 10)) RANDOM_ROWS=$((ROWS / 20))
[ "$PAIRS" -ge 3 ] || die "PAIRS is at least 3: the WAL of random inserts is that of pairs 2 and 3"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# As for sessions that have used a learned index before: the library is there when a statement
# begins.
bench_server bench session_preload_libraries=omendb
new_database inserts
sql < "$ROOT/benches/figures.sql"
sql <<'SQL'
-- Runs an INSERT and notes its time and the WAL it wrote.
CREATE UNLOGGED TABLE runs (work text, pair int, am text, ms float8, wal float8);
CREATE PROCEDURE timed_insert(work text, pair int, am text, rows int8, statement text)
    LANGUAGE plpgsql AS $$
DECLARE began timestamptz := clock_timestamp(); lsn pg_lsn := pg_current_wal_insert_lsn();
    wal float8;
BEGIN
    EXECUTE statement;
    COMMIT;
    wal := (pg_current_wal_insert_lsn() - lsn)::float8 / rows;
    INSERT INTO runs VALUES (work, pair, am, extract(epoch FROM clock_timestamp() - began) * 1000,
        wal);
END $$;
-- The figures of one kind of work from its runs; pair 0 does not count.
CREATE PROCEDURE conclude(name text) LANGUAGE sql AS $$
    INSERT INTO figures (work, am, value, unit) SELECT name || ', all', am, ms, 'ms' FROM runs
        WHERE work = name AND pair > 0 AND am <> 'none';
    INSERT INTO figures (work, am, value, unit) SELECT name || ', index share', r.am, r.ms - n.ms,
        'ms' FROM runs r JOIN runs n USING (work, pair)
        WHERE work = name AND pair > 0 AND r.am <> 'none' AND n.am = 'none';
    INSERT INTO figures (work, am, value, unit) SELECT name || ', WAL of the index a row', r.am,
        r.wal - n.wal, 'B' FROM runs r JOIN runs n USING (work, pair)
        WHERE work = name AND pair > 0 AND r.am <> 'none' AND n.am = 'none' $$;
SQL

# Tables PREFIX_none, PREFIX_btree, PREFIX_learned with the rows of QUERY (k, v).
make_tables() {
    say "loading three tables for: $1"
    local kind
    for kind in none btree learned; do
        sql -c 'SET client_min_messages = warning' -c "DROP TABLE IF EXISTS $1_$kind" \
            -c "CREATE TABLE $1_$kind (k int8, v int4)" -c "INSERT INTO $1_$kind $2"
    done
    sql -c "SET maintenance_work_mem = '1GB'" \
        -c "CREATE INDEX $1_btree_k ON $1_btree USING btree (k)" \
        -c "CREATE INDEX $1_learned_k ON $1_learned USING $AM (k)"
    sql -c "VACUUM ANALYZE $1_none, $1_btree, $1_learned"
}

# Check that the tables PREFIX_* hold the same keys and note the sizes of their indexes: PREFIX NAME
# [the key as a number]
same_rows() {
    local sums="count(*) || ' ' || sum(${3:-k})"
    sql -c "SELECT omendb_check('$1_learned_k', true)" >/dev/null
    [ "$(sql -c "SELECT count(DISTINCT n) FROM (SELECT $sums n FROM $1_none UNION ALL SELECT $sums
        FROM $1_btree UNION ALL SELECT $sums FROM $1_learned) q")" = 1 ] ||
        die "the three tables differ"
    sql -c "INSERT INTO figures (work, am, value, unit) SELECT 'index size after: $2', am,
        pg_relation_size('$1_' || am || '_k'), 'bytes' FROM unnest('{btree,learned}'::text[]) am"
}

# A sequence: FIRST CACHE
new_ids() {
    sql -c 'SET client_min_messages = warning' -c 'DROP SEQUENCE IF EXISTS ids' \
        -c "CREATE SEQUENCE ids START $1 CACHE $2"
}

# insert.sql by 8 clients: PGBENCH_OPTION ...
clients() {
    pgbench -n -M prepared -c 8 -j 2 -f "$dir/insert.sql" "$@" > "$dir/log" 2>&1 ||
        { tail "$dir/log"; die "pgbench"; }
}

# The three kinds in an order that turns from pair to pair.
turn() {
    case $(($1 % 3)) in 0) echo none btree learned ;; 1) echo btree learned none ;; 2) \
        echo learned none btree ;; esac
}

for part in $PARTS; do
    say "part: $part"
    case $part in
    append | random)
        if [ "$part" = append ]; then
            make_tables append "SELECT i * 1000 + hash(i, 1000), i
                FROM generate_series(1, $APPEND::int8) i"
            count=$APPEND key='i * 1000 + hash(i, 1000)' name="append $APPEND rows"
            first=$((APPEND + 1))
        else
            make_tables random "SELECT hash(i, 999999999989), i
                FROM generate_series(1, $ROWS::int8) i"
            count=$RANDOM_ROWS key='hash(i, 999999999989)' \
                name="$RANDOM_ROWS random keys into $ROWS"
            first=$((ROWS + 1))
        fi
        for ((pair = 0; pair <= PAIRS; pair++)); do
            for kind in $(turn $pair); do
                sql -c "CALL timed_insert('$name', $pair, '$kind', $count,
                    'INSERT INTO ${part}_$kind SELECT $key, i
                    FROM generate_series($first::int8, $((first + count - 1))::int8) i')"
            done
            first=$((first + count))
        done
        sql -c "CALL conclude('$name')"
        same_rows "$part" "$name"
        if [ "$part" = random ]; then
            # Pairs 0 and 1 were the first tenth.
            sql -c "INSERT INTO figures (work, am, value, unit)
                SELECT 'WAL of the index, $((2 * count)) random keys after the first
                $((2 * count))', r.am, sum(r.wal - n.wal) * $count, 'bytes'
                FROM runs r JOIN runs n USING (work, pair) WHERE work = '$name' AND pair IN (2, 3)
                AND r.am <> 'none' AND n.am = 'none' GROUP BY r.am"
            if [ $first -le $((ROWS * 3 / 2)) ]; then
                for kind in none btree learned; do
                    sql -c "INSERT INTO random_$kind SELECT $key, i
                        FROM generate_series($first::int8, $((ROWS * 3 / 2))::int8) i"
                done
                same_rows random "$ROWS random keys and half as many more"
            fi
        fi
        ;;
    clients)
        for order in ascending random devices; do
            # devices: 1,000 groups of keys, each ascending.
            key='id * 1000' name="$order keys"
            if [ $order = devices ]; then
                key='id % 1000 * 1000000000000 + id * 1000' name='1000 devices'
            fi
            make_tables clients "SELECT $key, id FROM generate_series(1, $APPEND::int8) id"
            new_ids $((APPEND + 1)) 20
            for ((pair = 0; pair <= PAIRS; pair++)); do
                for kind in $(turn $pair); do
                    if [ $order = random ]; then
                        printf '%s\n' "\\set k random(1, ${APPEND}000)" "INSERT INTO clients_$kind
                        VALUES (:k, 1);"
                    else
                        echo "INSERT INTO clients_$kind SELECT $key, 1 FROM nextval('ids') id;"; \
                        fi > "$dir/insert.sql"
                    lsn=$(sql -c 'SELECT pg_current_wal_insert_lsn()')
                    rm -f "$dir"/latency.*
                    clients -T "$SECONDS_EACH" --log --log-prefix="$dir/latency"
                    tps=$(sed -nE 's/^tps = ([0-9.]+).*/\1/p' "$dir/log") \
                        done=$(sed -nE \
                        's/^number of transactions actually processed: ([0-9]+).*/\1/p' "$dir/log")
                    p99=$(cut -d ' ' -f 3 "$dir"/latency.* | sort -n |
                        awk '{v[NR] = $1} END {print v[int(NR * 0.99 + 0.999)]}')
                    sql -c "INSERT INTO runs SELECT '8 clients, $name', $pair, '$kind', 1000 / $tps,
                        (pg_current_wal_insert_lsn() - '$lsn')::float8 / $done" \
                        -c "INSERT INTO figures (work, am, value, unit)
                        SELECT '8 clients, $name, p99 latency', '$kind', $p99 / 1000.0, 'ms'
                        WHERE $pair > 0 AND '$kind' <> 'none'"
                done
            done
            sql -c "INSERT INTO figures (work, am, value, unit) SELECT work, am, 1000 / ms, 'tps'
                FROM runs WHERE work = '8 clients, $name' AND pair > 0 AND am <> 'none'" \
                -c "INSERT INTO figures (work, am, value, unit) SELECT work || ', WAL a row', am,
                wal, 'B' FROM runs WHERE work = '8 clients, $name' AND pair > 0 AND am <> 'none'"
            # As many rows as each table happened to get.
            for kind in btree learned; do
                sql -c "INSERT INTO figures (work, am, value, unit)
                    SELECT '8 clients, $name, index bytes a row', '$kind',
                    pg_relation_size('clients_${kind}_k')::float8 / count(*), 'B'
                    FROM clients_$kind"
            done
            sql -c "SELECT omendb_check('clients_learned_k', true)" >/dev/null
        done
        ;;
    desc)
        # Timestamps about a second apart; 8 sessions in transactions of 100 rows.
        ts="timestamptz '2024-01-01' + (id * 1000 + hash(id, 1000)) * interval '1 ms'"
        for sessions in 1 8; do
            say "filling three tables by $sessions session(s)"
            for kind in none btree learned; do
                sql -c 'SET client_min_messages = warning' -c "DROP TABLE IF EXISTS desc_$kind" \
                    -c "CREATE TABLE desc_$kind (k timestamptz, v int4)"
                am=$kind
                if [ $kind = learned ]; then am=$AM; fi
                if [ $kind != none ]; then
                    sql -c "CREATE INDEX desc_${kind}_k ON desc_$kind USING $am (k DESC)"
                fi
                if [ $sessions = 1 ]; then
                    sql -c "INSERT INTO desc_$kind SELECT $ts, id
                        FROM generate_series(1, $APPEND::int8) id"
                else
                    new_ids 1 1
                    echo "INSERT INTO desc_$kind SELECT $ts, 1 FROM (SELECT nextval('ids') id
                        FROM generate_series(1, 100)) i;" > "$dir/insert.sql"
                    clients -t $((APPEND / 800))
                fi
            done
            name="(ts DESC) filled by $sessions session(s)"
            same_rows desc "$name" "extract(epoch FROM k)"
            for kind in btree learned; do
                am=$kind
                if [ $kind = learned ]; then am=$AM; fi
                sql -c "CREATE INDEX desc_full ON desc_$kind USING $am (k DESC)
                    WITH (fillfactor = 100)" \
                    -c "INSERT INTO figures (work, am, value, unit)
                    SELECT 'size of a full index in that of $name', '$kind',
                    100.0 * pg_relation_size('desc_full') / pg_relation_size('desc_${kind}_k'),
                    '%'" \
                    -c 'DROP INDEX desc_full'
            done
        done
        ;;
    *) die "no such part: $part" ;;
    esac
done
report
sql -F ': ' \
    -c "SELECT 'without an index, ' || work, show(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms),
    'ms') FROM runs WHERE am = 'none' AND pair > 0 AND work NOT LIKE '%clients%' GROUP BY work
    UNION ALL SELECT 'without an index, ' || work,
    show(percentile_cont(0.5) WITHIN GROUP (ORDER BY 1000 / ms), 'tps') FROM runs WHERE am = 'none'
    AND pair > 0 AND work LIKE '%clients%' GROUP BY work"
