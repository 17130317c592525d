# shellcheck shell=bash
# Sourced after lib.sh: finds a cargo that is new enough. The user's default stays what it is.
RUST=1.95.0
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin

rust_is_new() {
    local have
    have=$(cargo --version 2>/dev/null | cut -d' ' -f2)
    [ -n "$have" ] && [ "$(printf '%s\n' "$RUST" "$have" | sort -V | head -n 1)" = "$RUST" ]
}

find_rust() {
    if rust_is_new; then return; fi
    # Asked for a toolchain that it does not have, rustup may download it, so look first.
    compgen -G "${RUSTUP_HOME:-$HOME/.rustup}/toolchains/$RUST-*" >/dev/null || return 1
    export RUSTUP_TOOLCHAIN=$RUST
    # The distribution's cargo may stand before rustup's.
    PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
    rust_is_new
}
