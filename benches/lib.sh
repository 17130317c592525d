# shellcheck shell=bash
# Sourced by the benchmarks and the demo: a private server in which all data is cached, and the report.
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
PAIRS=${PAIRS:-5}

# Start the server NAME with 4 GB of shared buffers, or 40 % of a smaller machine's memory; no checkpoints or autovacuum meanwhile.
bench_server() {
    local memory
    memory=$(awk '/^MemTotal/ {m = int($2 / 1024 * 0.4); print m < 4096 ? m : 4096}' /proc/meminfo)
    start_server "$1" "shared_buffers=${memory}MB" autovacuum=off fsync=off synchronous_commit=off max_wal_size=64GB checkpoint_timeout=1h jit=off \
        max_parallel_workers_per_gather=0 random_page_cost=1.1 effective_cache_size="$((memory * 2))MB" "${@:2}"
}

# Which machine and versions the figures are from.
machine() {
    local cpu commit
    cpu=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)
    commit=$(git -C "$ROOT" describe --always --dirty 2>/dev/null || echo unknown)
    printf '%s, %s cores, %s MB memory; PostgreSQL %s; omendb %s; shared_buffers %s, fsync off, no checkpoint; %s pairs, medians%s\n' \
        "${cpu:-unknown CPU}" "$(nproc)" "$(awk '/^MemTotal/ {print int($2 / 1024)}' /proc/meminfo)" "$(sql -c 'SHOW server_version')" \
        "$commit" "$(sql -c 'SHOW shared_buffers')" "$PAIRS" "$([ "$AM" = learned ] || echo "; TRIAL: '$AM' stands for learned")"
}

# The report as markdown.
report() {
    echo
    echo '| work | btree | learned | ratio | answers |'
    echo '|---|---|---|---|---|'
    sql -F ' | ' -c "SELECT '| ' || work, btree, learned, ratio, coalesce(answer, '') || ' |' FROM report ORDER BY nr"
    echo
    machine
}
