#!/usr/bin/env bash
# Private PostgreSQL servers, each in its own directory below OMENDB_WORK with its own socket; never
# the system's cluster.
#   server.sh start NAME [setting=value ...]    initdb if new; restart if settings have changed
#   server.sh stop|crash|remove NAME            crash: immediate shutdown, as if the power failed
#   server.sh restart NAME [setting=value ...]
#   server.sh clone NAME STANDBY                streaming standby of a running NAME, to be started
#   server.sh psql NAME [psql options]
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ $# -ge 2 ] || { sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2; }
command=$1 name=$2
shift 2
[ -x "$BINDIR/postgres" ] || die "no PostgreSQL server found: run 'make deps', or set PG_CONFIG"
dir=$WORK/$name
[ ${#dir} -lt 85 ] || die "OMENDB_WORK is too long for a socket path: $dir"

ctl() { as_server_user env -u RUST_BACKTRACE "$BINDIR/pg_ctl" -D "$dir/data" -s -w -t 300 "$@"; }
running() { ctl status >/dev/null 2>&1; }

# WORK itself must be reachable for the servers' user.
mkdir -p "$WORK"
if [ "$(id -u)" = 0 ]; then chown postgres: "$WORK"; fi

# Without JIT: tests forbid kinds of plans, which makes the others so dear that each would be
# compiled.
configure() {
    {
        printf "%s\n" "listen_addresses = ''" "port = 5444" "unix_socket_directories = '$dir'" \
            "logging_collector = off" "log_line_prefix = '%m [%p] %a '" "max_wal_size = 8GB" \
            "timezone = 'UTC'" \
            "shared_buffers = 256MB" "max_connections = 60" "allow_in_place_tablespaces = on" \
            "jit = off"
        local setting
        for setting in "$@" ${SETTINGS:-}; do
            printf "%s = '%s'\n" "${setting%%=*}" "${setting#*=}"
        done
    } > "$dir/omendb.conf.new"
}

start() {
    make_dir "$dir"
    if [ ! -f "$dir/data/PG_VERSION" ]; then
        say "initdb of the private server '$name' in $dir"
        as_server_user "$BINDIR/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C -N \
            >/dev/null
        as_server_user sh -c "echo \"include '$dir/omendb.conf'\" >> '$dir/data/postgresql.conf'"
    elif [ "$(cat "$dir/data/PG_VERSION")" != "$("$BINDIR/postgres" --version |
        sed -E 's/^[^0-9]*([0-9]+).*/\1/')" ]; then
        die "$dir is of another PostgreSQL version: run 'scripts/server.sh remove $name'"
    fi
    configure "$@"
    if running && cmp -s "$dir/omendb.conf.new" "$dir/omendb.conf"; then
        rm "$dir/omendb.conf.new"; return
    fi
    mv "$dir/omendb.conf.new" "$dir/omendb.conf"
    chmod 644 "$dir/omendb.conf"
    if running; then ctl -m fast stop; fi
    ctl -l "$dir/log" start || { tail -n 20 "$dir/log" >&2; die "server '$name' does not start"; }
}

case $command in
start) start "$@" ;;
stop) if running; then ctl -m fast stop; fi ;;
crash) ctl -m immediate stop ;;
restart) if running; then ctl -m fast stop; fi; start "$@" ;;
remove) if running; then ctl -m immediate stop; fi; rm -rf "$dir" ;;
clone)
    make_dir "$WORK/$1"
    as_server_user rm -rf "$WORK/$1/data"
    as_server_user "$BINDIR/pg_basebackup" -h "$dir" -p 5444 -U postgres -D "$WORK/$1/data" -X \
        stream -c fast
    as_server_user sh -c "echo \"include '$WORK/$1/omendb.conf'\" > '$WORK/$1/data/postgresql.conf'
        touch '$WORK/$1/data/standby.signal'"
    ;;
psql) use_server "$name"; exec psql -X "$@" ;;
*) die "unknown command: $command" ;;
esac
