#!/usr/bin/env bash
# Immediate shutdowns in the middle of concurrent inserts, updates, deletes and VACUUM; after each,
# recovery and all checks.
#   ROUNDS (6)  SECONDS_EACH (4)  CLIENTS (6)
# shellcheck source=load.sh
. "$(dirname "${BASH_SOURCE[0]}")/load.sh"
ROUNDS=${ROUNDS:-6} SECONDS_EACH=${SECONDS_EACH:-4} CLIENTS=${CLIENTS:-6}
base=(fsync=off autovacuum=off)

fresh_server crash "${base[@]}"
new_database crash
make_load_tables
for ((round = 1; round <= ROUNDS; round++)); do
    # By turns: plain; every record checked against page images in recovery; no full page images;
    # many checkpoints; pages written soon and WAL late.
    case $((round % 5)) in
        1) settings=() ;;
        2) settings=("wal_consistency_checking=$RESOURCE_MANAGER") ;;
        3) settings=(full_page_writes=off "wal_consistency_checking=$RESOURCE_MANAGER") ;;
        0)
            settings=(shared_buffers=1MB wal_buffers=8MB synchronous_commit=off
                wal_writer_delay=10s full_page_writes=off) ;;
        4) settings=(max_wal_size=32MB min_wal_size=32MB full_page_writes=off) ;;
    esac
    start_server crash "${base[@]}" "${settings[@]}"
    export PGDATABASE=crash
    say "round $round of $ROUNDS: ${settings[*]:-plain}"
    start_load load "$CLIENTS" 1000
    start_script vacuum vacuum 1 1000
    # A new index whose pages are nowhere but in the log. (The server's own consistency check fails
    # without full page images where a relation is dropped later on: replay finds its file empty.)
    if ((round % 5 != 3)); then sql -c 'REINDEX INDEX CONCURRENTLY load_ts'; fi
    sleep "$SECONDS_EACH.$((RANDOM % 10))"
    if ((round % 3 == 0)); then # in the middle of builds, too
        sql -c "CREATE INDEX CONCURRENTLY load_crashed ON load USING $AM (k)" >/dev/null 2>&1 &
        sleep 0.$((RANDOM % 5))
    fi
    "$ROOT/scripts/server.sh" crash crash
    wait "${LOADS[@]}" || true
    LOADS=()
    wait
    # Recovery, then all checks before anything is written; then again after VACUUM.
    start_server crash "${base[@]}"
    export PGDATABASE=crash
    check_load
    [ "$(sql -c 'SELECT count(*) FROM load_unlogged')" = 0 ] ||
        die "the unlogged table is not empty"
    sql -c 'SET client_min_messages = warning' -c "SELECT omendb_check('load_unlogged_k', true)" \
        -c 'INSERT INTO load_unlogged SELECT generate_series(1, 1000)' \
        -c "SELECT omendb_check('load_unlogged_k', true)" \
        -c "SELECT same('SELECT k FROM load_unlogged WHERE k > 500')" \
        -c 'DROP INDEX IF EXISTS load_crashed' -c 'VACUUM load' >/dev/null
    check_load
    # The clients got something done before the crash.
    [ "$(sql -c "SELECT last_value > 20000 FROM load_ids")" = t ] || die "no load ran"
done
# Without WAL for new relations: table and index made in one transaction are in their files when it
# commits.
say "wal_level=minimal"
start_server crash "${base[@]}" wal_level=minimal max_wal_senders=0
export PGDATABASE=crash
sql -c 'SET client_min_messages = warning' -c 'DROP TABLE load' \
    -c "BEGIN; CREATE TABLE load (k int8, ts timestamptz, pad text, value float8 DEFAULT 0.1);
    INSERT INTO load SELECT i * 7919 % 100003, now(), 'm' FROM generate_series(1::int8, 50000) i;
    CREATE INDEX load_k ON load USING $AM (k); CREATE INDEX load_ts ON load USING $AM (ts DESC);
    CREATE INDEX load_value ON load USING $AM (ts) INCLUDE (value);
    INSERT INTO load SELECT i * 3, now(), 'n' FROM generate_series(1, 20000) i; COMMIT" \
    -c "INSERT INTO load SELECT i * 5, now(), 'o' FROM generate_series(1, 20000) i"
"$ROOT/scripts/server.sh" crash crash
start_server crash "${base[@]}"
export PGDATABASE=crash
check_load
[ "$(sql -c 'SELECT count(*) FROM load')" = 90000 ] || die "rows are missing"
! grep -E 'PANIC|TRAP|signal (4|6|7|8|11)' "$WORK/crash/log" ||
    die "the server's log has a PANIC or a dead backend"
say "crash: $ROUNDS rounds"
