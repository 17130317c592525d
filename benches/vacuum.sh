#!/usr/bin/env bash
# What VACUUM leaves of an index and what it costs, each beside btree in a table of the same
# content:
#   window  append a fifth of the rows, delete the oldest fifth, VACUUM; ROUNDS rounds
#   churn   delete a fifth of rows with random keys and insert as many with new ones, VACUUM;
#           ROUNDS rounds
#   dead    VACUUM of rows of which a tenth is dead, scattered ones and the oldest; "index share" is
#           the time beyond that with an index on no row
#   tpcb    pgbench's TPC-B with an index on accounts' balances, autovacuum on
#   ROWS (5000000; dead takes twice as many)  ROUNDS (20)  PAIRS (5)  SCALE (50: pgbench's)
#   SECONDS_EACH (120: each of PAIRS pgbench runs)  PARTS (window churn dead tpcb)
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
ROWS=${ROWS:-5000000} ROUNDS=${ROUNDS:-20} SCALE=${SCALE:-50} SECONDS_EACH=${SECONDS_EACH:-120}
PARTS=${PARTS:-window churn dead tpcb}
FIFTH=$((ROWS / 5))
[ "$ROUNDS" -ge 2 ] || die "ROUNDS is at least 2: what grows is seen by comparing with round 2"
log=$(mktemp)
trap 'rm -f "$log"' EXIT

bench_server bench
new_database vacuum
sql < "$ROOT/benches/figures.sql"

# Tables PREFIX_btree, PREFIX_learned, and PREFIX_none if EXTRA is "none", with the rows of QUERY
# (k, v): PREFIX QUERY [EXTRA]
make_tables() {
    say "loading tables for: $1"
    local kind
    for kind in ${3:-} btree learned; do
        sql -c 'SET client_min_messages = warning' -c "DROP TABLE IF EXISTS $1_$kind" \
            -c "CREATE TABLE $1_$kind (k int8, v int8)" -c "INSERT INTO $1_$kind $2"
        # An index on no row: VACUUM passes over the table twice all the same.
        if [ "$kind" = none ]; then sql -c "CREATE INDEX $1_none_k ON $1_none (k) WHERE k < 0"; fi
        if [ "$kind" = btree ]; then
            sql -c "SET maintenance_work_mem = '1GB'" \
                -c "CREATE INDEX $1_btree_k ON $1_btree USING btree (k)"
        fi
        if [ "$kind" = learned ]; then
            sql -c "SET maintenance_work_mem = '1GB'" \
                -c "CREATE INDEX $1_learned_k ON $1_learned USING $AM (k)"
        fi
        sql -c "VACUUM (ANALYZE, INDEX_CLEANUP ON) $1_$kind"
    done
}

# Milliseconds that VACUUM of a table takes.
vacuum_ms() {
    sql -c '\timing on' -c "VACUUM (INDEX_CLEANUP ON) $1" | sed -nE 's/^Time: ([0-9.]+) ms.*/\1/p'
}

# Note a figure: NAME KIND VALUE UNIT
note() { sql -c "INSERT INTO figures (work, am, value, unit) VALUES ('$1', '$2', $3, '$4')"; }
size() { sql -c "SELECT pg_relation_size('$1')"; }

# The two kinds in alternating order.
turn() { if (($1 % 2)); then echo learned btree; else echo btree learned; fi; }

# Both tables hold the same keys, and the indexes just these: PREFIX
same_rows() {
    sql -c "SELECT omendb_check('$1_learned_k', true)" >/dev/null
    [ "$(sql -c "SELECT count(DISTINCT n) FROM (SELECT count(*) || ' ' || sum(k) n FROM $1_btree
        UNION ALL SELECT count(*) || ' ' || sum(k) FROM $1_learned) q")" = 1 ] ||
        die "the tables differ"
}

# What the index's size has become, in rounds 0 (fresh) to the last, and how much of it a new index
# would take: PREFIX NAME
conclude_rounds() {
    local kind
    same_rows "$1"
    for kind in btree learned; do
        note "$2: size in the last round in that of round 2" "$kind" \
            "100.0 * ${last[$kind]} / ${second[$kind]}" %
        note "$2: size in the last round in that of the fresh index" "$kind" \
            "100.0 * ${last[$kind]} / ${fresh[$kind]}" %
        note "$2: size in the last round" "$kind" "${last[$kind]}" bytes
        sql -c "REINDEX INDEX $1_${kind}_k"
        note "$2: size in the last round in that of one built anew" "$kind" \
            "100.0 * ${last[$kind]} / $(size "$1_${kind}_k")" %
    done
}

declare -A fresh second last
for part in $PARTS; do
    say "part: $part"
    case $part in
    window | churn)
        if [ "$part" = window ]; then
            name="sliding window of $ROWS rows" key='i * 1000 + hash(i, 1000)'
        else
            name="churn of $ROWS random keys" key='hash(i, 999999999989)'
        fi
        make_tables "$part" "SELECT $key, i FROM generate_series(1, $ROWS::int8) i"
        for kind in btree learned; do fresh[$kind]=$(size "${part}_${kind}_k"); done
        for ((round = 1; round <= ROUNDS; round++)); do
            from=$((ROWS + (round - 1) * FIFTH + 1)) until=$((ROWS + round * FIFTH))
            for kind in $(turn $round); do
                if [ "$part" = window ]; then
                    gone="v <= $((round * FIFTH))"
                else
                    gone="hashint8extended(v, $round) % 5 = 0"
                fi
                insert="INSERT INTO ${part}_$kind SELECT $key, i
                    FROM generate_series($from::int8, $until::int8) i"
                delete="DELETE FROM ${part}_$kind WHERE $gone"
                if [ "$part" = window ]; then
                    sql -c "$insert" -c "$delete"
                else
                    sql -c "$delete" -c "$insert"
                fi
                note "$name: VACUUM" "$kind" "$(vacuum_ms "${part}_$kind")" ms
                last[$kind]=$(size "${part}_${kind}_k")
                if [ $round = 2 ]; then second[$kind]=${last[$kind]}; fi
            done
            say "round $round: btree $((last[btree] / 1024)) kB," \
                "learned $((last[learned] / 1024)) kB"
        done
        conclude_rounds "$part" "$name"
        ;;
    dead)
        name="VACUUM of $((2 * ROWS)) rows, a tenth of them dead"
        for order in 'sequential keys' 'random keys' 'sequential keys, the oldest rows'; do
            key='i * 1000 + hash(i, 1000)'
            if [ "$order" = 'random keys' ]; then key='hash(i, 999999999989)'; fi
            make_tables dead "SELECT $key, i FROM generate_series(1, $((2 * ROWS))::int8) i" none
            for ((pair = 0; pair < PAIRS; pair++)); do
                declare -A ms=()
                for kind in none $(turn $pair); do
                    # A tenth of the rows that are left, or the oldest tenth of those that there
                    # were.
                    gone="hashint8extended(v, $pair) % 10 = 0"
                    if [[ $order = *oldest* ]]; then gone="v <= $(((pair + 1) * ROWS / 5))"; fi
                    sql -c "DELETE FROM dead_$kind WHERE $gone"
                    ms[$kind]=$(vacuum_ms "dead_$kind")
                done
                for kind in btree learned; do
                    note "$name, $order" "$kind" "${ms[$kind]}" ms
                    note "$name, $order: index share" "$kind" \
                        "greatest(${ms[$kind]} - ${ms[none]}, 0)" ms
                done
            done
            same_rows dead
        done
        ;;
    tpcb)
        name="TPC-B, index on balances"
        bench_server bench autovacuum=on autovacuum_naptime=10s
        export PGDATABASE=vacuum
        for kind in btree learned; do
            am=$kind
            if [ "$kind" = learned ]; then am=$AM; fi
            sql -d postgres -c 'SET client_min_messages = warning' \
                -c "DROP DATABASE IF EXISTS tpcb_$kind WITH (FORCE)" -c "CREATE DATABASE tpcb_$kind"
            if [ "$AM" = learned ]; then sql -d tpcb_$kind -c 'CREATE EXTENSION omendb'; fi
            pgbench -i -q -s "$SCALE" "tpcb_$kind" > "$log" 2>&1 ||
                { tail "$log"; die "pgbench -i"; }
            sql -d tpcb_$kind -c "CREATE INDEX balances ON pgbench_accounts USING $am (abalance)" \
                -c CHECKPOINT
            fresh[$kind]=$(sql -d tpcb_$kind -c "SELECT pg_relation_size('balances')")
        done
        for ((pair = 0; pair < PAIRS; pair++)); do
            for kind in $(turn $pair); do
                pgbench -n -M prepared -c 8 -j 2 -T "$SECONDS_EACH" "tpcb_$kind" > "$log" 2>&1 ||
                    { tail "$log"; die "pgbench"; }
                note "$name" "$kind" "$(sed -nE 's/^tps = ([0-9.]+).*/\1/p' "$log")" tps
            done
        done
        for kind in btree learned; do
            last[$kind]=$(sql -d tpcb_$kind -c "SELECT pg_relation_size('balances')")
            note "$name: size of the index, fresh" "$kind" "${fresh[$kind]}" bytes
            note "$name: size of the index, after $((PAIRS * SECONDS_EACH)) s" "$kind" \
                "${last[$kind]}" bytes
            note "$name: growth" "$kind" "${last[$kind]} - ${fresh[$kind]}" bytes
        done
        if [ "$AM" = learned ]; then
            sql -d tpcb_learned -c "SELECT omendb_check('balances', true)" >/dev/null
        fi
        ;;
    *) die "no such part: $part" ;;
    esac
done
report
