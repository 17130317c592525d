# shellcheck shell=bash
# Sourced by the benchmarks and the demo: a private server that has all data in memory; the report.
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
PAIRS=${PAIRS:-5}

# Starts the server NAME with 4 GB of shared buffers, or 40 % of a smaller machine's memory, and
# with no checkpoints and no autovacuum, which would disturb some of the measurements.
bench_server() {
    local memory
    memory=$(awk '/^MemTotal/ {m = int($2 / 1024 * 0.4); print m < 4096 ? m : 4096}' /proc/meminfo)
    start_server "$1" "shared_buffers=${memory}MB" "effective_cache_size=$((memory * 2))MB" \
        autovacuum=off fsync=off synchronous_commit=off max_wal_size=64GB checkpoint_timeout=1h \
        jit=off max_parallel_workers_per_gather=0 random_page_cost=1.1 "${@:2}"
}

# The machine and the versions that the figures are from.
machine() {
    local cpu memory commit trial=
    cpu=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)
    memory=$(awk '/^MemTotal/ {print int($2 / 1024)}' /proc/meminfo)
    commit=$(git -C "$ROOT" describe --always --dirty 2>/dev/null || echo unknown)
    [ "$AM" = learned ] || trial=" TRIAL: '$AM' stands for learned."
    printf '%s\n' "${cpu:-unknown CPU}, $(nproc) cores, $memory MB of memory." \
        "PostgreSQL $(sql -c 'SHOW server_version'), omendb $commit." \
        "shared_buffers $(sql -c 'SHOW shared_buffers'), fsync off, no checkpoints." \
        "Medians of $PAIRS pairs.$trial"
}

# The report as a table in Markdown.
report() {
    echo
    echo '| work | btree | learned | ratio | answers |'
    echo '|---|---|---|---|---|'
    sql -F ' | ' -c "SELECT '| ' || work, btree, learned, ratio, coalesce(answer, '') || ' |'
        FROM report ORDER BY nr"
    echo
    machine
}
