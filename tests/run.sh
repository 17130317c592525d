#!/usr/bin/env bash
# Runs the tests against real servers and counts them; TESTS="regress crash" runs some. Logs: OMENDB_WORK/logs.
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
mkdir -p "$WORK/logs"
passed=0 failed=0
for name in ${TESTS:-regress differential crash kill damage standby bare concurrency}; do
    printf '%-14s ' "$name"
    began=$SECONDS
    replay=true REPLICA=
    # These have no standby of their own.
    case $name in regress | differential | concurrency) replay="$ROOT/tests/replay.sh" REPLICA=yes ;; esac
    if REPLICA=$REPLICA "$ROOT/tests/$name.sh" > "$WORK/logs/$name.log" 2>&1 && $replay "$name" >> "$WORK/logs/$name.log" 2>&1; then result=ok passed=$((passed + 1)); else result=FAIL failed=$((failed + 1)); fi
    printf '%-4s %4d s\n' $result $((SECONDS - began))
    if [ $result = FAIL ]; then tail -n "${TAIL:-60}" "$WORK/logs/$name.log" | sed 's/^/    /'; fi
    for server in "$name-replica" "$name"; do "$ROOT/scripts/server.sh" stop "$server" || true; done
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
