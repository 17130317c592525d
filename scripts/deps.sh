#!/usr/bin/env bash
# Installs what is missing on Debian or Ubuntu to build and test omendb: PostgreSQL with its server headers, clang, Rust,
# cargo-pgrx. Changes nothing where all is there. PGVER=15..18 chooses the server (default: the distribution's).
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
PGRX=0.18.1
RUST=1.95.0
PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else
        command -v sudo >/dev/null || die "sudo is needed to run: $*"
        sudo "$@"
    fi
}

updated=
apt_install() {
    command -v apt-get >/dev/null || die "no apt-get here; install by hand: $*"
    if [ -z "$updated" ]; then say "apt-get update"; as_root apt-get update -qq; updated=yes; fi
    say "apt-get install $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

# 1. Packages.
missing=()
for package in build-essential pkg-config clang libclang-dev xz-utils git ca-certificates curl libssl-dev; do
    installed "$package" || missing+=("$package")
done
# Unless PG_CONFIG names a PostgreSQL built by hand, the distribution's.
if [ -z "$PG_CONFIG" ] || [[ $PG_CONFIG == /usr/* ]]; then
    if [ -z "${PGVER:-}" ] && [ -n "$PG_CONFIG" ]; then
        PGVER=$("$PG_CONFIG" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
    elif [ -z "${PGVER:-}" ]; then
        apt_install postgresql
        PGVER=$(find /usr/lib/postgresql -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -n | tail -n 1)
    fi
    for package in "postgresql-$PGVER" "postgresql-server-dev-$PGVER"; do
        installed "$package" || missing+=("$package")
    done
    PG_CONFIG=/usr/lib/postgresql/$PGVER/bin/pg_config
fi
if [ ${#missing[@]} -gt 0 ]; then apt_install "${missing[@]}"; fi
[ -x "$("$PG_CONFIG" --bindir)/postgres" ] || die "no PostgreSQL server beside $PG_CONFIG"

# 2. Rust.
rust_is_new() {
    local have
    have=$(cargo --version 2>/dev/null | cut -d' ' -f2) || return 1
    [ "$(printf '%s\n' "$RUST" "${have:-0}" | sort -V | head -n 1)" = "$RUST" ]
}
if ! rust_is_new; then
    # Debian 12 knows the name only.
    if ! command -v rustup >/dev/null && apt-cache policy rustup 2>/dev/null | grep -q 'Candidate: [0-9]'; then apt_install rustup; fi
    if command -v rustup >/dev/null; then
        say "rustup: installing Rust $RUST"
        rustup toolchain install "$RUST" --profile minimal --component clippy,rustfmt
        rustup default "$RUST"
    else
        say "installing rustup and Rust $RUST into the home directory"
        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y -q --default-toolchain "$RUST" \
            --profile minimal --component clippy,rustfmt || true
    fi
    rust_is_new || die "Rust $RUST or newer is needed. Install it with
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- --default-toolchain $RUST"
fi

# 3. cargo-pgrx, and its note of this server (a note of other versions stays).
if [ "$(cargo pgrx --version 2>/dev/null)" != "cargo-pgrx $PGRX" ]; then
    say "cargo install cargo-pgrx $PGRX (some minutes)"
    cargo install cargo-pgrx --version "$PGRX" --locked --quiet
fi
major=$("$PG_CONFIG" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
config=${PGRX_HOME:-$HOME/.pgrx}/config.toml
noted=$(sed -nE "s/^pg$major = \"(.*)\"$/\1/p" "$config" 2>/dev/null || true)
if [ ! -x "$noted" ] || [ "$("$noted" --bindir)" != "$("$PG_CONFIG" --bindir)" ]; then
    flags=("--pg$major=$PG_CONFIG")
    while read -r other; do flags+=("--$other"); done < <(
        sed -nE 's/^(pg[0-9]+) = "(.*)"$/\1=\2/p' "$config" 2>/dev/null | grep -v "^pg$major=" || true)
    cargo pgrx init "${flags[@]}"
fi
say "ready: $("$PG_CONFIG" --version), $(cargo --version), $(cargo pgrx --version)"
