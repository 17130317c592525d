#!/usr/bin/env bash
# After a test that ran with REPLICA=yes: its standby has replayed all of it, every record checked
# against page images, and has the same pages.
#   replay.sh NAME
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source=replica.sh
. "$ROOT/tests/replica.sh"
same_pages "$1" "$1-replica"
! grep -E 'PANIC|TRAP|inconsistent page|signal (4|6|7|8|11)' "$WORK/$1/log" \
    "$WORK/$1-replica/log" || die "a server's log has a PANIC or a dead backend"
"$ROOT/scripts/server.sh" stop "$1-replica"
