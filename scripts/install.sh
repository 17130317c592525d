#!/usr/bin/env bash
# Copies the extension into the directories of PG_CONFIG's server, with sudo where they are not
# writable: library, control file, SQL.
#   LIBRARY   the library (default: what `make build` has built)
#   DESTDIR   puts all below another directory, as packagers do
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
LIBRARY=${LIBRARY:-${CARGO_TARGET_DIR:-$ROOT/target}/release/libomendb.so}
[ -f "$LIBRARY" ] || die "$LIBRARY is not there: run 'make build'"
[ -n "$PG_CONFIG" ] || die "no PostgreSQL found: set PG_CONFIG or PGVER"
libraries=${DESTDIR:-}$("$PG_CONFIG" --pkglibdir)
extensions=${DESTDIR:-}$("$PG_CONFIG" --sharedir)/extension

sudo=()
if [ -n "${DESTDIR:-}" ]; then
    mkdir -p "$libraries" "$extensions"
elif [ ! -w "$libraries" ] || [ ! -w "$extensions" ]; then
    sudo=(sudo)
fi
say "installing omendb for $("$PG_CONFIG" --version) into $libraries and $extensions"
# install(1) replaces the library. Written in place, it would change under running backends.
"${sudo[@]}" install -m 755 "$LIBRARY" "$libraries/omendb.so"
"${sudo[@]}" install -m 644 "$ROOT/omendb.control" "$ROOT"/sql/omendb--*.sql "$extensions"
