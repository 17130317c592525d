#!/usr/bin/env bash
# Builds the extension and installs it into PG_CONFIG's directories, with sudo where they are not writable.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
if [ "$AM" = btree ]; then say "AM=btree: nothing to install"; exit; fi
cd "$ROOT"
major=$("$PG_CONFIG" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
flags=(--release --pg-config "$PG_CONFIG" --no-default-features --features "pg$major")
if [ ! -w "$("$PG_CONFIG" --pkglibdir)" ] || [ ! -w "$("$PG_CONFIG" --sharedir)/extension" ]; then flags+=(--sudo); fi
say "building and installing omendb for $("$PG_CONFIG" --version)"
cargo pgrx install "${flags[@]}"
