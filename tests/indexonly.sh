#!/usr/bin/env bash
# An index-only scan has read entries of dead rows when VACUUM comes, which removes the rows and
# marks their pages all-visible. The scan may not take its entries for visible ones then: VACUUM has
# to wait for the scan's pin.
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
fresh_server indexonly fsync=off autovacuum=off
new_database indexonly
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# Waits until a command succeeds.
until_so() {
    for ((i = 0; i < 600; i++)); do
        if "$@"; then return; fi
        sleep 0.05
    done
    die "not so after half a minute: $*"
}
went_as_far_as_it_can() {
    [ -e "$dir/vacuumed" ] ||
        [ "$(sql -c "SELECT wait_event FROM pg_stat_activity
        WHERE application_name = 'vacuum'")" = BufferPin ]
}

for range in 'k > 10 ORDER BY k' 'k < 190 ORDER BY k DESC'; do
    # Several pages of the table: VACUUM passes over the one that the scan has pinned. Their
    # visibility map is there before the scan.
    sql -c 'SET client_min_messages = warning' -c 'DROP TABLE IF EXISTS d' \
        -c 'CREATE TABLE d (k int8, pad text)' \
        -c "INSERT INTO d SELECT i, repeat('p', 400) FROM generate_series(1, 200) i" \
        -c "CREATE INDEX d_k ON d USING $AM (k)" -c 'VACUUM d' -c 'DELETE FROM d WHERE k % 2 = 0'
    expected=$(sql -c 'SET enable_indexscan = off' -c 'SET enable_indexonlyscan = off' \
        -c 'SET enable_bitmapscan = off' -c "SELECT k FROM d WHERE $range")
    [[ $(sql -c 'SET enable_seqscan = off' -c 'SET enable_bitmapscan = off' \
        -c "EXPLAIN SELECT k FROM d WHERE $range") = *'Index Only Scan'* ]] ||
        die "no index-only scan"
    rm -f "$dir"/*
    cat > "$dir/scan.sql" <<SQL
SET enable_seqscan = off;
SET enable_bitmapscan = off;
BEGIN;
DECLARE c CURSOR FOR SELECT k FROM d WHERE $range;
FETCH 2 FROM c;
\! touch $dir/begun; until [ -e $dir/go ]; do sleep 0.05; done
FETCH ALL FROM c;
COMMIT;
SQL
    sql -f "$dir/scan.sql" > "$dir/found" &
    scan=$!
    until_so test -e "$dir/begun"
    { sql -c "SET application_name = 'vacuum'" -c 'VACUUM (INDEX_CLEANUP on) d' &&
        touch "$dir/vacuumed"; } &
    vacuum=$!
    until_so went_as_far_as_it_can
    touch "$dir/go"
    wait $scan || die "the scan failed"
    wait $vacuum || die "VACUUM failed"
    [ "$(cat "$dir/found")" = "$expected" ] ||
        die "$range: $(wc -l < "$dir/found") rows, not $(wc -l <<< "$expected")"
    sql -c "SELECT omendb_check('d_k', true)" >/dev/null
    say "index-only scan beside VACUUM, $range: $(wc -l < "$dir/found") rows"
done
