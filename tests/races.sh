#!/usr/bin/env bash
# Races and crashes at chosen moments, in a build of the extension that can stop there (feature
# "testing", which also makes inner pages small). At each step of a split, of a merge of the insert
# log and so on, the backend stops with the locks that it holds. Meanwhile others insert, scan and
# vacuum; or the backend is killed, or the server crashes, or the statement is cancelled. The build
# also checks the order in which pages are locked.
#   STEPS (all; separated by semicolons)
#   SECONDS_EACH (10) of load
# shellcheck source=load.sh
. "$(dirname "${BASH_SOURCE[0]}")/load.sh"
SECONDS_EACH=${SECONDS_EACH:-10}
if [ "$AM" = btree ]; then say "AM=btree: nothing to stop"; exit; fi
inserting=('insert: leaf found'
    'merge of the log: leaf locked' 'merge of the log: logged'
    'split: new page locked' 'split: logged'
    'downlink: parent locked' 'downlink: logged'
    'merge ahead: nothing locked'
    'giving: all locked' 'giving: logged'
    'inner split: new page locked' 'inner split: logged'
    'new root: all locked' 'new root: logged')
vacuuming=('vacuum: between leaves'
    'shift: all locked' 'shift: logged'
    'merge: all locked' 'merge: logged'
    'retrain: page of the model written' 'retrain: model written' 'retrain: switched')
steps=("${inserting[@]}" "${vacuuming[@]}")
if [ -n "${STEPS:-}" ]; then IFS=';' read -ra steps <<< "$STEPS"; fi

# The build, in a copy of the server.
"$ROOT/scripts/cargo.sh" build @pg,testing
installation=$WORK/races-installation
rm -rf "$installation"
copy_installation "$installation"
LIBRARY=${CARGO_TARGET_DIR:-$ROOT/target}/debug/libomendb.so "$ROOT/scripts/install.sh"
chmod -R a+rX "$installation"

log=$WORK/races/log
fresh_server races fsync=off autovacuum=off
new_database races
sql < "$ROOT/pg_regress/sql/setup.sql" >/dev/null
# Only this build has it, so the extension's SQL does not.
sql -c "CREATE FUNCTION omendb_offer_page(oid, bigint) RETURNS void
    LANGUAGE c STRICT AS 'omendb', 'omendb_offer_page_wrapper'"

# The rows that are there besides those of make_table: a third of them dead, or all where a leaf
# is to be merged away. A leaf that gives to its neighbour has been vacuumed before.
setup_of() { # STEP
    local dead after=
    case $1 in
    vacuum* | shift* | retrain*) dead='k % 3 = 0' ;;
    merge:*) dead=true ;;
    giving*) dead=true after=' VACUUM r;' ;;
    *) return ;;
    esac
    echo "INSERT INTO r SELECT hashint8extended(i, 1), 1 FROM generate_series(1, 15000) i;" \
        "DELETE FROM r WHERE v = 1 AND $dead;$after"
}
# The statement that comes to the step.
statement_of() { # STEP
    local row='hashint8extended(i, 1), 1' rows='generate_series(1, 15000) i'
    case $1 in
    vacuum* | shift* | merge:*) echo 'VACUUM r;' ;;
    retrain*) echo "DO 'BEGIN PERFORM omendb_retrain(''r_k''); END';" ;;
    # Row by row: a batch would not leave anything to merge ahead.
    'merge ahead'*)
        echo "DO 'BEGIN FOR i IN 1..15000 LOOP INSERT INTO r VALUES ($row); END LOOP; END';" ;;
    *) echo "INSERT INTO r SELECT $row FROM $rows;" ;;
    esac
}
# Which of the expected outputs it has.
kind_of() { # STEP
    case $1 in vacuum* | shift* | merge:* | retrain*) echo vacuum ;; *) echo insert ;; esac
}

# 1. The others go about their work meanwhile.
dir=$WORK/races/files
as_server_user rm -rf "$dir"
make_dir "$dir"
mkdir "$dir/specs" "$dir/expected"
specs=()
for step in "${steps[@]}"; do
    name=$(tr -cs 'a-z\n' - <<< "$step")
    specs+=("$name")
    # VACUUM must be alone.
    setup=$(setup_of "$step" | sed 's/VACUUM r;/} setup { & } setup {/')
    fill="s/@STEP@/$step/; s/@SETUP@/$setup/; s/@STATEMENT@/$(statement_of "$step")/"
    sed "$fill" "$ROOT/tests/races/stop.spec" > "$dir/specs/$name.spec"
    sed "$fill" "$ROOT/tests/races/stop_$(kind_of "$step").out" > "$dir/expected/$name.out"
    # All rows of its setup are dead, so that one row less is found.
    case $step in
    merge:*) sed -i '/^1| 9961/d; s/^(3 rows)/(2 rows)/' "$dir/expected/$name.out" ;;
    esac
done
if [ -z "${STEPS:-}" ] && [ "$(pg_major)" = 15 ]; then
    for name in extension ahead; do
        specs+=("$name")
        cp "$ROOT/tests/races/$name.spec" "$dir/specs"
        cp "$ROOT/tests/races/$name.out" "$dir/expected"
    done
fi
[ "$(id -u)" != 0 ] || chown -R postgres: "$dir"
say "${#specs[@]} isolation specs"
code=0
as_server_user env PGISOLATIONTIMEOUT=60 \
    "$("$PG_CONFIG" --pkglibdir)/pgxs/src/test/isolation/pg_isolation_regress" --use-existing \
    --dlpath="$dir" --bindir="$BINDIR" --host="$PGHOST" --port="$PGPORT" --user=postgres \
    --dbname=races --inputdir="$dir" --outputdir="$dir" "${specs[@]}" || code=$?
if [ $code != 0 ]; then
    cat "$dir/regression.diffs" 2>/dev/null || cat "$dir/output_iso/regression.diffs"
    die "a race ends otherwise than expected"
fi

# 2. It is killed there, or the whole server goes down, or the statement is cancelled.
wait_for() { # QUERY RESULT
    for ((i = 0; i < 600; i++)); do
        if [ "$(sql -c "$1" 2>/dev/null)" = "$2" ]; then return; fi
        sleep 0.05
    done
    die "not so: $1 = $2"
}
make_table() {
    sql -c 'SET client_min_messages = warning' -c 'DROP TABLE IF EXISTS r' \
        -c 'CREATE TABLE r (k int8, v int4)' -c "CREATE INDEX r_k ON r USING $AM (k)" \
        -c "INSERT INTO r SELECT hashint8extended(i, 0), 0 FROM generate_series(1, 3000) i"
    sql <<< "$1"
}
# Stops a new session at step $1 in statement $2; its pid in $stopped, the one that holds it up is
# $holder.
stop_at() {
    sql -c 'SELECT pg_advisory_lock(0)' -c "SELECT 'held', pg_sleep(3600)" >/dev/null 2>&1 &
    wait_for "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 0 AND granted" 1
    sql -c "SET omendb.stop = '$1'" -c "$2" > "$WORK/races/stopped.log" 2>&1 &
    wait_for "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 0
        AND NOT granted" 1
    stopped=$(sql -c "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 0
        AND NOT granted")
    holder=$(sql -c "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 0
        AND granted")
    # Writes out what the session has logged so far.
    sql -c 'CREATE TABLE flush ()' -c 'DROP TABLE flush'
}
check() {
    sql -c "SELECT omendb_check('r_k', true)" \
        -c "SELECT same('SELECT k, v FROM r WHERE k > -5000000000000000000', '{index,bitmap}')" \
        -c "SELECT same('SELECT k FROM r ORDER BY k', '{index,indexonly}')" \
        -c "SELECT same('SELECT k FROM r ORDER BY k DESC', '{index,indexonly}')" >/dev/null
}
check_and_go_on() {
    check
    sql -c 'INSERT INTO r SELECT hashint8extended(i, 3), 3 FROM generate_series(1, 5000) i'
    check
    sql -c 'VACUUM r'
    check
}
crash() {
    local ready
    ready=$(grep -c 'ready to accept connections' "$log")
    if [ "$1" = kill ]; then
        kill -9 "$stopped"
    else
        "$ROOT/scripts/server.sh" crash races
        start_server races fsync=off autovacuum=off
        export PGDATABASE=races
    fi
    for ((i = 0; i < 600; i++)); do
        if [ "$(grep -c 'ready to accept connections' "$log")" -gt "$ready" ]; then break; fi
        sleep 0.05
    done
    wait
}
for step in "${steps[@]}"; do
    for how in shutdown kill cancel; do
        make_table "$(setup_of "$step")"
        stop_at "$step" "$(statement_of "$step")"
        if [ $how = cancel ]; then
            sql -c "SELECT pg_cancel_backend($stopped)" -c "SELECT pg_sleep(0.1)" \
                -c "SELECT pg_terminate_backend($holder)" >/dev/null
            wait
            grep -q 'canceling statement' "$WORK/races/stopped.log" || die "$step: not cancelled"
        else
            crash $how
        fi
        check_and_go_on
    done
    say "crashes and cancellation at \"$step\""
done

# 3. Everything at once, on small pages; a backend that breaks the order of locks aborts.
new_database load
make_load_tables
say "6 writers, VACUUM and a reader for $SECONDS_EACH s"
start_load load 6 "$SECONDS_EACH"
start_script vacuum vacuum 1 "$SECONDS_EACH"
start_script read read 1 "$SECONDS_EACH"
wait_loads
check_load
! grep -E 'PANIC|TRAP|signal (4|6|7|8|11)' "$log" ||
    die "the server's log has a PANIC or a dead backend"
rm -rf "$installation"
