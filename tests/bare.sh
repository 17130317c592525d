#!/usr/bin/env bash
# A server without the extension's library replays a concurrent load with every record checked
# against page images, crashes, recovers, and is promoted. Given the library, it has the primary's
# pages and answers.
#   SECONDS_EACH (5)  CLIENTS (4)
# shellcheck source=load.sh
. "$(dirname "${BASH_SOURCE[0]}")/load.sh"
# shellcheck source=replica.sh
. "$ROOT/tests/replica.sh"
SECONDS_EACH=${SECONDS_EACH:-5} CLIENTS=${CLIENTS:-4}
primary=(fsync=off autovacuum=off "wal_consistency_checking=$RESOURCE_MANAGER")
standby=("${primary[@]}" "$(from_primary bare)")

fresh_server bare "${primary[@]}"
new_database bare
full=("$PG_CONFIG" "$BINDIR")
with_library() { PG_CONFIG=${full[0]} BINDIR=${full[1]}; }
without_library() { PG_CONFIG=${bare[0]} BINDIR=${bare[1]}; }
rm -rf "$WORK/bare-installation"
copy_installation "$WORK/bare-installation"
bare=("$PG_CONFIG" "$BINDIR")
rm -f "$("$PG_CONFIG" --pkglibdir)/omendb.so" "$("$PG_CONFIG" --sharedir)"/extension/omendb*
start_replica bare bare-replica "${standby[@]}"

with_library
use_server bare bare
make_load_tables
for round in 1 2; do
    start_load load "$CLIENTS" "$SECONDS_EACH"
    start_script vacuum vacuum 1 "$SECONDS_EACH"
    sql -c 'SET client_min_messages = warning' \
        -c "CREATE INDEX CONCURRENTLY load_more$round ON load USING $AM (k)" \
        -c 'REINDEX INDEX CONCURRENTLY load_ts'
    if [ $round = 2 ]; then
        say "the standby crashes and recovers"
        without_library
        "$ROOT/scripts/server.sh" crash bare-replica
        start_server bare-replica "${standby[@]}"
        with_library
        use_server bare bare
    fi
    wait_loads
done
sql -c 'CREATE EXTENSION pageinspect'
catch_up bare bare-replica
if [ "$AM" = learned ]; then
    ! sql -c 'SELECT count(*) FROM load' 2>/dev/null || die "the standby has the library after all"
fi
[ "$(sql -c 'SELECT pg_promote()')" = t ] || die "the standby is not promoted"
without_library
"$ROOT/scripts/server.sh" stop bare-replica
with_library
start_server bare-replica "${primary[@]}"
# Before anything is read there: scans remove entries of dead rows, and this server is a primary
# now.
compare_pages bare bare-replica
check_load
! grep -E 'PANIC|TRAP|inconsistent page|signal (4|6|7|8|11)' "$WORK/bare/log" \
    "$WORK/bare-replica/log" || die "a server's log has a PANIC or a dead backend"
"$ROOT/scripts/server.sh" remove bare-replica
rm -rf "$WORK/bare-installation"
