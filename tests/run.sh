#!/usr/bin/env bash
# Runs the tests against real servers and counts them; TESTS="regress crash" runs some. Logs: OMENDB_WORK/logs.
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
mkdir -p "$WORK/logs"
passed=0 failed=0
for name in ${TESTS:-regress differential schemas isolation unique crash damage standby concurrency}; do
    printf '%-14s ' "$name"
    began=$SECONDS
    if "$ROOT/tests/$name.sh" > "$WORK/logs/$name.log" 2>&1; then result=ok passed=$((passed + 1)); else result=FAIL failed=$((failed + 1)); fi
    printf '%-4s %4d s\n' $result $((SECONDS - began))
    if [ $result = FAIL ]; then tail -n "${TAIL:-60}" "$WORK/logs/$name.log" | sed 's/^/    /'; fi
    "$ROOT/scripts/server.sh" stop "$name" || true
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
