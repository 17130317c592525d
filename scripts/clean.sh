#!/usr/bin/env bash
# Stops and removes all private servers, logs and results.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
for data in "$WORK"/*/data; do
    [ -d "$data" ] || continue
    "$ROOT/scripts/server.sh" remove "$(basename "$(dirname "$data")")"
done
rm -rf "$WORK"
