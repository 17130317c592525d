# shellcheck shell=bash
# Sourced by the crash, standby and concurrency tests: tables under concurrent load, and the checks
# after it.
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
SCRIPTS=$(mktemp -d)
LOADS=()
trap 'kill "${LOADS[@]}" 2>/dev/null || true; rm -rf "$SCRIPTS"' EXIT

# A logged and an unlogged table with an ascending and a descending index of the kind under test,
# and one with an included column.
make_load_tables() {
    sql < "$ROOT/pg_regress/sql/setup.sql" >/dev/null
    sql <<SQL
CREATE SEQUENCE load_ids;
-- As same(), by a cursor that takes its time.
CREATE FUNCTION same_slowly(query text) RETURNS text LANGUAGE plpgsql SET enable_seqscan = off
    SET enable_bitmapscan = off SET enable_sort = off AS \$\$
DECLARE truth text[] := rows_by('seq', query); lines text[] := '{}'; c refcursor; line text;
BEGIN
    OPEN c FOR EXECUTE format('SELECT q::text FROM (%s) q', query);
    LOOP
        FETCH c INTO line;
        EXIT WHEN NOT FOUND;
        lines := lines || line;
        IF cardinality(lines) % 100 = 50 THEN PERFORM pg_sleep(0.02); END IF;
    END LOOP;
    IF lines IS DISTINCT FROM truth THEN
        RAISE EXCEPTION 'cursor differs for %', query USING DETAIL = format('%s rows, %s expected',
            cardinality(lines), cardinality(truth));
    END IF;
    RETURN cardinality(truth) || ' rows';
END \$\$;
CREATE TABLE load (k int8, ts timestamptz, pad text, value float8 DEFAULT CASE WHEN random() < 0.9
    THEN round(random() * 1000) / 10 END);
CREATE UNLOGGED TABLE load_unlogged (k int8);
CREATE INDEX load_k ON load USING $AM (k);
CREATE INDEX load_ts ON load USING $AM (ts DESC);
CREATE INDEX load_value ON load USING $AM (ts) INCLUDE (value);
CREATE INDEX load_unlogged_k ON load_unlogged USING $AM (k);
INSERT INTO load SELECT nextval('load_ids') * 100, '2024-01-01', 'x' FROM generate_series(1, 20000);
INSERT INTO load SELECT floor(random() * 1e10)::int8,
    timestamptz '2024-01-01' + random() * interval '1 year', 'y' FROM generate_series(1, 20000);
SQL
    cd "$SCRIPTS"
    echo "INSERT INTO load VALUES (nextval('load_ids') * 100, clock_timestamp(), 'a');" > append.sql
    echo "INSERT INTO load SELECT nextval('load_ids') * 100, clock_timestamp(), 'b'
        FROM generate_series(1, 200);" > batch.sql
    printf '%s\n' '\set k random(0, 10000000000)' "INSERT INTO load SELECT :k::int8 + i * i * 977,
        timestamptz '2024-01-01' + :k * interval '1 ms', 'c' FROM generate_series(0, 9) i;" \
        'INSERT INTO load_unlogged VALUES (:k);' > spread.sql
    # A thousand devices, each with ascending keys of its own.
    printf '%s\n' '\set d random(0, 999)' \
        "INSERT INTO load SELECT (1000 + (:d + i) % 1000)::int8 * 100000000000
        + nextval('load_ids'), clock_timestamp(), 'v' FROM generate_series(1, 20) i;" > devices.sql
    echo "INSERT INTO load SELECT CASE WHEN i % 5 > 0 THEN 12345 END,
        CASE WHEN i % 5 > 0 THEN timestamptz '2024-02-02' END, 'd' FROM generate_series(1, 20) i;" \
        > equal.sql
    printf '%s\n' '\set k random(0, 10000000000)' \
        "UPDATE load SET k = k + 7, ts = ts + interval '1 hour', value = value + 1
        WHERE ctid = ANY (ARRAY(SELECT ctid FROM load
        WHERE k >= :k ORDER BY k LIMIT 20 FOR UPDATE SKIP LOCKED));" > update.sql
    printf '%s\n' '\set k random(0, 10000000000)' \
        "DELETE FROM load WHERE ctid = ANY (ARRAY(SELECT ctid FROM load WHERE k >= :k ORDER BY k
        LIMIT 150 FOR UPDATE SKIP LOCKED));" > delete.sql
    echo "DELETE FROM load WHERE ctid = ANY (ARRAY(SELECT ctid FROM load WHERE ts IS NOT NULL
        ORDER BY ts LIMIT 150 FOR UPDATE SKIP LOCKED));" > expire.sql
    printf '%s\n' BEGIN\; "INSERT INTO load SELECT nextval('load_ids') * 100, clock_timestamp(), 'r'
        FROM generate_series(1, 50);" ROLLBACK\; > rollback.sql
    echo 'VACUUM load;' > vacuum.sql
    # One snapshot, a range of keys, by index and by sequential scan.
    printf '%s\n' '\set k random(0, 10000000000)' 'BEGIN ISOLATION LEVEL REPEATABLE READ;' \
        "SELECT same('SELECT k, pad FROM load WHERE k BETWEEN ' || :k || ' AND ' || :k::int8
        + 300000000, '{index,bitmap}');" \
        "SELECT same('SELECT ts FROM load ORDER BY ts DESC LIMIT 50', '{index,indexonly}');" \
        "SELECT same('SELECT k FROM load WHERE k > ' || :k || ' ORDER BY k LIMIT 50',
        '{index,indexonly}');" 'COMMIT;' > read.sql
    printf '%s\n' '\set k random(0, 10000000000)' 'BEGIN ISOLATION LEVEL REPEATABLE READ;' \
        "SELECT same('SELECT k, pad FROM load WHERE k BETWEEN ' || :k || ' AND ' || :k::int8
        + 300000000, '{index,bitmap}');" \
        "SELECT same('SELECT ts FROM load ORDER BY ts DESC LIMIT 50', '{index}');" 'COMMIT;' \
        > read_standby.sql
    printf '%s\n' '\set k random(0, 10000000000)' 'BEGIN ISOLATION LEVEL REPEATABLE READ;' \
        "SELECT same_slowly('SELECT k, pad FROM load WHERE k > ' || :k || ' ORDER BY k LIMIT 3000'),
        same_slowly('SELECT k, pad FROM load WHERE k < ' || :k || ' ORDER BY k DESC LIMIT 3000');" \
        "SELECT same_slowly('SELECT k FROM load ORDER BY k LIMIT 2000'),
        same_slowly('SELECT ts FROM load ORDER BY ts LIMIT 2000');" 'COMMIT;' > cursors.sql
    cd "$ROOT"
}

# All writers with CLIENTS clients for SECONDS seconds, in the background; its log goes to
# $SCRIPTS/NAME.log.
start_load() {
    pgbench -n -c "$2" -j 2 -T "$3" --max-tries=20 -f "$SCRIPTS/append.sql@20" \
        -f "$SCRIPTS/batch.sql@5" -f "$SCRIPTS/spread.sql@20" -f "$SCRIPTS/devices.sql@10" \
        -f "$SCRIPTS/equal.sql@2" -f "$SCRIPTS/update.sql@15" -f "$SCRIPTS/delete.sql@5" \
        -f "$SCRIPTS/expire.sql@5" -f "$SCRIPTS/rollback.sql@3" > "$SCRIPTS/$1.log" 2>&1 &
    LOADS+=($!)
}

# CLIENTS clients that run one script for SECONDS seconds.
start_script() {
    pgbench -n -c "$3" -j 1 -T "$4" -f "$SCRIPTS/$2.sql" > "$SCRIPTS/$1.log" 2>&1 &
    LOADS+=($!)
}

# Wait for all loads; an error in one of them is an error.
wait_loads() {
    local pid failed=
    for pid in "${LOADS[@]}"; do wait "$pid" || failed=yes; done
    LOADS=()
    if [ -n "$failed" ]; then
        grep -hE 'error|ERROR|DETAIL|aborted' "$SCRIPTS"/*.log | head -n 20; die "a load failed"
    fi
}

# Every index is sound and holds just what the table holds. KINDS of scans to compare by.
check_load() {
    local kinds=${1:-index,indexonly,bitmap}
    sql -c "SELECT omendb_check('load_k', true), omendb_check('load_ts', true),
        omendb_check('load_value', true)" >/dev/null
    # On a slow machine the load's own may not have got far, and the planner prefers other plans
    # then. A standby has no index-only scans.
    if [[ $kinds = *indexonly* ]]; then sql -c 'VACUUM load'; fi
    sql -c "SELECT same('SELECT k FROM load WHERE k IS NOT NULL', '{$kinds}'),
        same('SELECT k FROM load WHERE k IS NULL', '{$kinds}'),
        same('SELECT ts FROM load ORDER BY ts DESC', '{${kinds/,bitmap/}}'),
        same('SELECT ts, value FROM load WHERE ts >= ''2024-06-01''', '{$kinds}'),
        same('SELECT k, ts, pad FROM load WHERE k BETWEEN 0 AND 3000000000',
        '{${kinds/indexonly,/}}')" >/dev/null
    say "checked: $(sql \
        -c "SELECT count(*) || ' rows, index sizes ' || pg_relation_size('load_k') / 1024 || ' and '
        || pg_relation_size('load_ts') / 1024 || ' kB' FROM load")"
}
