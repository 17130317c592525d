#!/usr/bin/env bash
# Read figures on ROWS int8 keys beside btree; see benches/README.md. PARTS="size lookups ranges
# pgbench build" runs some.
#   ROWS (10000000)  PAIRS (5)  SECONDS_EACH (5: each pgbench run)
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
ROWS=${ROWS:-10000000}
PARTS=${PARTS:-size lookups ranges pgbench build}
SECONDS_EACH=${SECONDS_EACH:-5}
PROBES=$((ROWS / 5)) HALF=$((ROWS / 2))

bench_server bench
new_database figures
sql < "$ROOT/benches/figures.sql"

# seq: keys about 1000 apart with jitter, heap in key order. rnd: keys uniform over 1e12, heap in
# insert order.
say "loading two tables of $ROWS rows"
sql -c "CREATE TABLE seq (k int8, v int4)" \
    -c "INSERT INTO seq SELECT i * 1000 + hash(i, 1000), i FROM generate_series(1, $ROWS::int8) i" &
sql -c "CREATE TABLE rnd (k int8, v int4)" \
    -c "INSERT INTO rnd SELECT hash(i, 999999999989), i FROM generate_series(1, $ROWS::int8) i" &
wait
sql -c "CREATE UNLOGGED TABLE probe AS
    SELECT i * 1000 + hash(i, 1000) AS seq, hash(i, 999999999989) AS rnd
    FROM (SELECT 1 + hash(j, 1000000007) % $ROWS AS i
          FROM generate_series(1, $PROBES::int8) j) x"
for t in seq rnd; do
    say "indexes on $t"
    sql -c "SET maintenance_work_mem = '1GB'" -c "CREATE INDEX ${t}_btree ON $t USING btree (k)" \
        -c "CREATE INDEX ${t}_learned ON $t USING $AM (k)"
done
# Rows of a commit that is not on disk yet are not marked as visible to all, and index-only scans
# would look at them: a synchronous commit first.
sql -c 'SET synchronous_commit = on' -c 'CREATE TABLE flushed ()' \
    -c 'VACUUM ANALYZE seq, rnd, probe' \
    -c "SELECT omendb_check('seq_learned', true), omendb_check('rnd_learned', true)" >/dev/null
[ "$(sql -c "SELECT bool_and(relallvisible = relpages) FROM pg_class
    WHERE relname IN ('seq', 'rnd')")" = t ] || die "VACUUM left pages that are not all-visible"
sql -c 'SELECT count(v) FROM seq UNION ALL SELECT count(v) FROM rnd UNION ALL
    SELECT count(seq + rnd) FROM probe' >/dev/null

compare() {
    sql -v w="$1" -v t="$2" -v n="$3" -v q="$4" -v c="${5:-$4}" \
        -v p="$PAIRS" <<< "CALL compare(:'w', :'t', :p, :'n', :'q', :'c')"
}

for part in $PARTS; do
    say "part: $part"
    case $part in
    size)
        for t in seq rnd; do
            sql -c "INSERT INTO figures (work, am, value, unit) SELECT 'index size, $t', am,
                pg_relation_size('${t}_' || am), 'bytes' FROM unnest('{btree,learned}'::text[]) am"
        done ;;
    lookups)
        for t in seq rnd; do
            compare "nested loop, $PROBES random lookups, index only, $t" $t 'Index Only Scan' \
                "SELECT count($t.k) FROM probe JOIN $t ON $t.k = probe.$t" \
                "SELECT count($t.k) || ' ' || sum($t.k) || ' ' || sum($t.k # probe.$t) FROM probe
                JOIN $t ON $t.k = probe.$t"
            compare "nested loop, $PROBES random lookups, heap fetch, $t" $t 'Index Scan' \
                "SELECT count($t.v) FROM probe JOIN $t ON $t.k = probe.$t" \
                "SELECT count($t.v) || ' ' || sum($t.v) FROM probe JOIN $t ON $t.k = probe.$t"
        done ;;
    ranges)
        for t in seq rnd; do
            low=$(sql -c "SELECT k FROM $t ORDER BY k OFFSET $((ROWS / 4)) LIMIT 1") high=$(sql \
                -c "SELECT k FROM $t ORDER BY k OFFSET $((ROWS / 4 + HALF - 1)) LIMIT 1")
            compare "count over a range of $HALF rows, index only, $t" $t 'Index Only Scan' \
                "SELECT count(*) FROM $t WHERE k BETWEEN $low AND $high" \
                "SELECT count(*) || ' ' || sum(k) || ' ' || min(k) || ' ' || max(k) FROM $t
                WHERE k BETWEEN $low AND $high"
            compare "ORDER BY k DESC LIMIT 10 below a key, 1000 times, $t" $t 'Index Only Scan' \
                "SELECT sum(k) FROM (SELECT $t x FROM probe LIMIT 1000) p,
                LATERAL (SELECT k FROM $t WHERE k < x ORDER BY k DESC LIMIT 10) q"
        done
        low=$(sql -c "SELECT k FROM seq ORDER BY k OFFSET $((ROWS / 4)) LIMIT 1") high=$(sql \
            -c "SELECT k FROM seq ORDER BY k OFFSET $((ROWS / 4 + HALF - 1)) LIMIT 1")
        compare "sum(v) over a range of $HALF rows, with heap, seq" seq 'Index Scan' \
            "SELECT sum(v) FROM seq WHERE k BETWEEN $low AND $high"
        ;;
    pgbench)
        script=$(mktemp) check=$(mktemp)
        trap 'rm -f "$script" "$check"' EXIT
        for t in seq rnd; do
            hash="(:i * 48271 % 2147483647) * (:i * 48271 % 2147483647)"
            [ $t = seq ] && key=":i * 1000 + $hash % 1000" || key="$hash % 999999999989"
            printf '%s\n' "\\set i random(1, $ROWS)" "\\set k $key" \
                "SELECT v FROM $t WHERE k = :k;" > "$script"
            # The same keys with the answer checked: a division by zero where the row is not found.
            sed "s|^SELECT.*|SELECT 1 / count(*) FROM $t WHERE k = :k AND v = :i;|" "$script" \
                > "$check"
            for ((pair = 0; pair <= PAIRS; pair++)); do
                for ((turn = 0; turn < 2; turn++)); do
                    if (((pair + turn) % 2)); then
                        am=learned other=btree
                    else
                        am=btree other=learned
                    fi
                    # The other index is hidden from the planner meanwhile.
                    sql -c "UPDATE pg_index SET indisvalid = (indexrelid = '${t}_$am'::regclass)
                        WHERE indexrelid IN ('${t}_$am'::regclass, '${t}_$other'::regclass)"
                    sql -c 'SET plan_cache_mode = force_generic_plan' \
                        -c "PREPARE q(int8) AS SELECT v FROM $t WHERE k = \$1" \
                        -c 'EXPLAIN (COSTS OFF) EXECUTE q(1)' |
                        grep -q "Index Scan using ${t}_$am" || die "pgbench: ${t}_$am is not used"
                    [ $pair != 0 ] || pgbench -n -M prepared -c 1 -t 5000 \
                        -f "$check" >/dev/null 2>&1 ||
                        die "WRONG ANSWER: pgbench by ${t}_$am misses rows"
                    options='-c plan_cache_mode=force_generic_plan'
                    options+=' -c enable_bitmapscan=off -c enable_seqscan=off'
                    tps=$(PGOPTIONS=$options pgbench -n -M prepared -c 1 -T "$SECONDS_EACH" \
                        -f "$script" 2>/dev/null | sed -nE 's/^tps = ([0-9.]+).*/\1/p')
                    [ $pair = 0 ] ||
                        sql -c "INSERT INTO figures (work, am, value, unit)
                        VALUES ('pgbench, 1 client, prepared, one key a query, $t', '$am', $tps,
                        'tps')"
                done
            done
            sql -c "UPDATE pg_index SET indisvalid = true
                WHERE indexrelid IN ('${t}_btree'::regclass, '${t}_learned'::regclass)"
            say "pgbench $t: done"
        done ;;
    build)
        for t in seq rnd; do
            for setting in '64MB 0' '1GB 0' '1GB 2'; do
                read -r memory workers <<< "$setting"
                sql -v w="CREATE INDEX, maintenance_work_mem $memory, $workers workers, $t" \
                    <<< "SET maintenance_work_mem = '$memory';
                    SET max_parallel_maintenance_workers = $workers;
                         CALL compare_build(:'w', $PAIRS, '$AM', '$t USING %s (k)')"
            done
        done ;;
    *) die "no such part: $part" ;;
    esac
done
report
