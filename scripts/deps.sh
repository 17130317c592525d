#!/usr/bin/env bash
# What it takes to build and test omendb: a PostgreSQL server with its headers, a C compiler,
# libclang, xz, Rust. PGVER or PG_CONFIG chooses the server; the default is the distribution's.
#   deps.sh check   says what is missing and changes nothing
#   deps.sh         installs what is missing on Debian or Ubuntu: packages with apt-get, Rust with
#                   rustup; rustup's default toolchain and the shell's PATH stay what they are
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=rust.sh
. "$ROOT/scripts/rust.sh"

have() { command -v "$1" >/dev/null; }
have_server() { [ -n "$BINDIR" ] && [ -x "$BINDIR/postgres" ]; }
have_headers() { [ -n "$PG_CONFIG" ] && [ -f "$("$PG_CONFIG" --includedir-server)/postgres.h" ]; }
have_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] || /sbin/ldconfig -p 2>/dev/null | grep -q 'libclang[-.]' ||
        compgen -G '/usr/lib/llvm-*/lib/libclang[-.]*so*' >/dev/null
}

missing=()
look() {
    missing=()
    have cc || missing+=('a C compiler (package gcc)')
    have xz || missing+=('xz (package xz-utils)')
    have_server || missing+=("PostgreSQL${PGVER:+ $PGVER} (package postgresql${PGVER:+-$PGVER})")
    have_headers || missing+=("the server's headers (package postgresql-server-dev-${PGVER:-N})")
    have_libclang || missing+=('libclang (package libclang-dev)')
    find_rust || missing+=("Rust $RUST or newer (rustup)")
}
list_missing() { printf 'missing: %s\n' "${missing[@]}"; }

look
if [ "${1:-}" = check ]; then
    [ ${#missing[@]} -gt 0 ] || exit 0
    list_missing >&2
    die "install these with 'make deps', or by other means; PG_CONFIG or PGVER chooses the server"
fi
if [ ${#missing[@]} = 0 ]; then say 'nothing is missing'; exit; fi
list_missing

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else
        have sudo || die "sudo is needed to run: $*"
        sudo "$@"
    fi
}
updated=
apt_update() {
    have apt-get || die 'this is neither Debian nor Ubuntu: install by other means what is missing'
    [ -z "$updated" ] || return 0
    say 'apt-get update'
    as_root apt-get update -qq
    updated=yes
}
apt_install() {
    [ $# -gt 0 ] || return 0
    apt_update
    say "apt-get install $*"
    # dpkg's own report is of interest only if it fails.
    local log
    log=$(mktemp)
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "$@" > "$log" 2>&1 ||
        { tail -n 30 "$log" >&2; die "apt-get install failed"; }
    rm "$log"
}

# 1. Packages.
packages=()
have cc || packages+=(gcc libc6-dev)
have xz || packages+=(xz-utils)
if ! have_server || ! have_headers; then
    if have_server && [[ $BINDIR != /usr/lib/postgresql/* ]]; then
        die "$PG_CONFIG is not of a package: install its headers by other means"
    fi
    apt_update
    if [ -z "${PGVER:-}" ] && [ -n "$PG_CONFIG" ]; then PGVER=$(pg_major); fi
    PGVER=${PGVER:-$(apt-cache depends postgresql |
        sed -nE 's/.*Depends: postgresql-([0-9]+)$/\1/p')}
    packages+=("postgresql-$PGVER" "postgresql-server-dev-$PGVER")
fi
if ! find_rust && ! have rustup && ! have curl; then packages+=(curl ca-certificates); fi
apt_install "${packages[@]}"
# The headers' package brings libclang along on Debian 12, but need not elsewhere.
have_libclang || apt_install libclang-dev

# 2. Rust.
if ! find_rust; then
    if ! have rustup; then
        say 'installing rustup into the home directory'
        curl --proto '=https' --tlsv1.2 -sSf https://static.rust-lang.org/rustup/rustup-init.sh |
            sh -s -- -y -q --default-toolchain none --no-modify-path
    fi
    say "installing Rust $RUST by rustup"
    rustup toolchain install "$RUST" --profile minimal --component clippy,rustfmt
    find_rust || die "cargo $RUST is still not found"
fi

PG_CONFIG=${PG_CONFIG:-}
find_postgres
look
if [ ${#missing[@]} -gt 0 ]; then list_missing >&2; die 'not all could be installed'; fi
say "ready: $("$PG_CONFIG" --version), $(cargo --version)"
