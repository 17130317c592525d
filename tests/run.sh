#!/usr/bin/env bash
# Runs the tests and counts them. TESTS="regress crash" runs some. Their logs: OMENDB_WORK/logs.
# The first is of the core alone, the second of the SQL; all others start servers.
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
all=(core symbols regress differential schemas isolation unique crash kill damage standby bare
    concurrency failsafe suspects indexonly counters copies format backtrace races disk)
read -ra names <<< "${TESTS:-${all[*]}}"
for name in "${names[@]}"; do
    [[ " ${all[*]} " = *" $name "* ]] || die "no test is named '$name'; there are: ${all[*]}"
done
mkdir -p "$WORK/logs"
say "PostgreSQL $(pg_major), ${#names[@]} tests; logs in $WORK/logs"
passed=0 failed=0
for name in "${names[@]}"; do
    printf '%-14s ' "$name"
    began=$SECONDS
    # These have a standby, which must have the same pages at the end.
    case $name in regress | differential | concurrency) replica=yes ;; *) replica= ;; esac
    result=ok
    {
        REPLICA=$replica "$ROOT/tests/$name.sh" &&
            if [ -n "$replica" ]; then "$ROOT/tests/replay.sh" "$name"; fi
    } > "$WORK/logs/$name.log" 2>&1 || result=FAIL
    if [ $result = ok ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    printf '%-4s %4d s\n' $result $((SECONDS - began))
    if [ $result = FAIL ]; then
        tail -n "${TAIL:-60}" "$WORK/logs/$name.log" | sed 's/^/    /'
    fi
    for server in "$name-replica" "$name"; do "$ROOT/scripts/server.sh" stop "$server" || true; done
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
