# shellcheck shell=bash
# Sourced by all scripts: where things are, and how to talk to the private servers.
#   PG_CONFIG     which PostgreSQL (default: PGVER's package, else the pg_config in PATH)
#   OMENDB_WORK   directory for servers, logs, results (default /var/tmp/omendb-USER)
#   SETTINGS      more settings for all servers, e.g. "debug_discard_caches=1"
#   AM            access method under test: learned (default), or btree, which needs no extension
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
AM=${AM:-learned}
# Who writes the WAL records of the access method.
RESOURCE_MANAGER=$([ "$AM" = btree ] && echo btree || echo generic)
WORK=${OMENDB_WORK:-/var/tmp/omendb-$(id -un)}

say() { printf '%s %s\n' "$(date +%H:%M:%S)" "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Sets PG_CONFIG, or leaves it empty, and BINDIR.
find_postgres() {
    if [ -z "${PG_CONFIG:-}" ]; then
        PG_CONFIG=/usr/lib/postgresql/${PGVER:-none}/bin/pg_config
        if [ ! -x "$PG_CONFIG" ]; then
            PG_CONFIG=
            [ -n "${PGVER:-}" ] || PG_CONFIG=$(command -v pg_config) || PG_CONFIG=
        fi
    fi
    BINDIR=
    [ -n "$PG_CONFIG" ] || return 0
    BINDIR=$("$PG_CONFIG" --bindir) || die "PG_CONFIG=$PG_CONFIG does not run"
    # Debian's /usr/bin/pg_config is a wrapper. A copied installation needs the one it calls.
    if [ -x "$BINDIR/pg_config" ]; then PG_CONFIG=$BINDIR/pg_config; fi
}
find_postgres
pg_major() { "$PG_CONFIG" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/'; }

# Servers do not run as root; then they run as user postgres.
as_server_user() {
    if [ "$(id -u)" = 0 ]; then
        (cd "$WORK" && runuser -u postgres -- "$@")
    else
        (cd "$WORK" && "$@")
    fi
}

# A directory below WORK that belongs to the servers' user.
make_dir() {
    mkdir -p "$1"
    if [ "$(id -u)" = 0 ]; then chown postgres: "$WORK" "$1"; fi
    chmod 700 "$1"
}

# Point psql and pgbench at the private server NAME [DATABASE].
use_server() {
    export PGHOST=$WORK/$1 PGPORT=5444 PGUSER=postgres PGDATABASE=${2:-postgres}
    export PGOPTIONS='' PATH="$BINDIR:$PATH"
    unset PGPASSWORD PGSERVICE PGDATA
}

# Start (or restart with these settings) NAME and point psql at it.
start_server() {
    "$ROOT/scripts/server.sh" start "$@"
    use_server "$1"
}

# As start_server, with a new server and an empty log. With REPLICA=yes it has a streaming standby
# NAME-replica, which checks each record that it replays against page images (tests/replay.sh).
fresh_server() {
    "$ROOT/scripts/server.sh" remove "$1"
    if [ -z "${REPLICA:-}" ]; then
        start_server "$@"
        return
    fi
    # shellcheck source=../tests/replica.sh
    . "$ROOT/tests/replica.sh"
    start_server "$@" "wal_consistency_checking=$RESOURCE_MANAGER" wal_compression=on \
        max_wal_size=2GB wal_keep_size=1GB
    start_replica "$1" "$1-replica" "${@:2}" "$(from_primary "$1")"
    use_server "$1"
}

# Copies the installed server to below DIR, where it can be changed, and makes PG_CONFIG and BINDIR
# the copy's. A server finds its files relative to its programs.
copy_installation() {
    local directory
    make_dir "$1"
    for directory in "$BINDIR" "$("$PG_CONFIG" --pkglibdir)" "$("$PG_CONFIG" --sharedir)"; do
        [ -e "$1$directory" ] || (cd / && cp -a --parents ".$directory" "$1")
    done
    chmod -R a+rX "$1"
    PG_CONFIG=$1$PG_CONFIG BINDIR=$1$BINDIR
    export PG_CONFIG
}

# A new database with the extension, or, for AM=btree, with stand-ins for its functions.
new_database() {
    sql -d postgres -c 'SET client_min_messages = warning' \
        -c "DROP DATABASE IF EXISTS $1 WITH (FORCE)" -c "CREATE DATABASE $1"
    export PGDATABASE=$1
    if [ "$AM" = learned ]; then
        sql -c 'CREATE EXTENSION omendb'
    else
        sql < "$ROOT/scripts/stand_in.sql"
    fi
}

# psql that stops at errors and prints bare values.
sql() { psql -XqAt -v ON_ERROR_STOP=1 -v am="$AM" "$@"; }
