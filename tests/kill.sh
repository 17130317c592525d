#!/usr/bin/env bash
# `kill -9` of a backend, or an immediate shutdown that leaves torn pages, in the middle of inserts
# (append, random, devices), updates, deletes and VACUUM; after each, recovery, the check of every
# page, and the rows of index scans against those of the table.
#   ROUNDS (10; 50 take five minutes)  CLIENTS (8)  SEED (random; chooses whom to kill and when)
# shellcheck source=load.sh
. "$(dirname "${BASH_SOURCE[0]}")/load.sh"
ROUNDS=${ROUNDS:-10} CLIENTS=${CLIENTS:-8} SEED=${SEED:-$RANDOM}
RANDOM=$SEED
say "SEED=$SEED ROUNDS=$ROUNDS"
log=$WORK/kill/log
# Few buffers and frequent checkpoints: pages are written all the time, and recovery finds them in
# every state.
settings=(fsync=off autovacuum=off shared_buffers=1MB max_wal_size=32MB min_wal_size=32MB \
    bgwriter_delay=10ms checkpoint_completion_target=0.1)

# Waits until the server has been ready more often than $1 times.
wait_ready() {
    for ((i = 0; i < 600; i++)); do
        if [ "$(grep -c 'ready to accept connections' "$log")" -gt "$1" ]; then return; fi
        sleep 0.1
    done
    tail -n 20 "$log" >&2
    die "the server does not come back"
}

# Overwrites the end of each page that was written after the last checkpoint, as if the disk had
# lost power in the middle of it. Such a page has an image in the log: recovery must not need what
# is on disk.
tear() {
    local redo
    redo=$(as_server_user "$BINDIR/pg_controldata" "$WORK/kill/data" |
        sed -n "s/^Latest checkpoint's REDO location: *//p")
    perl -e 'my ($seed, $redo, $torn) = (shift, shift, 0);
        srand($seed);
        my ($high, $low) = map { hex } split m{/}, $redo;
        for my $file (@ARGV) {
            open my $f, "+<", $file or die "$file: $!";
            for (my $at = 0; sysseek($f, $at, 0), sysread($f, my $page, 8192) == 8192;
            $at += 8192) {
                my ($h, $l) = unpack "LL", $page;
                next unless $h > $high || ($h == $high && $l > $low);
                my $keep = 512 * int(rand(16));
                sysseek($f, $at + $keep, 0);
                syswrite($f, "\xA5" x (8192 - $keep));
                $torn++;
            }
        }
        print "$torn pages torn\n"' "$RANDOM" "$redo" "$@"
}

fresh_server kill "${settings[@]}"
for ((round = 1; round <= ROUNDS; round++)); do
    # A table that starts small again now and then, so that roots are split, too.
    if ((round % 10 == 1)); then
        new_database kill
        make_load_tables
    fi
    export PGDATABASE=kill
    files=()
    while read -r file; do files+=("$WORK/kill/data/$file"); done < <(
        sql -c "SELECT pg_relation_filepath(i)
            FROM unnest('{load_k,load_ts,load_value}'::regclass[]) i")
    start_load load "$CLIENTS" 1000
    start_script vacuum vacuum 1 1000
    printf '%s\n' 'CHECKPOINT;' '\sleep 200 ms' > "$SCRIPTS/checkpoint.sql"
    start_script checkpoint checkpoint 1 1000
    sleep $((RANDOM % 2)).$((RANDOM % 10))5
    ready=$(grep -c 'ready to accept connections' "$log")
    torn=
    if ((round % 2)); then
        how='immediate shutdown'
        "$ROOT/scripts/server.sh" crash kill
        torn=", $(tear "${files[@]}")"
    else
        # Mostly a client; the checkpointer and its like as well.
        victims="backend_type = 'client backend' AND application_name = 'pgbench'"
        if ((round % 8 == 0)); then
            victims="backend_type IN ('checkpointer', 'background writer', 'walwriter')"
        fi
        if ((round % 8 == 4)); then
            victims="query LIKE 'VACUUM%' AND application_name = 'pgbench'"
        fi
        pid=
        while [ -z "$pid" ]; do
            read -r pid what < <(sql -F ' ' -c "SELECT pid, backend_type, left(query, 40)
                FROM pg_stat_activity WHERE $victims ORDER BY random() LIMIT 1") || sleep 0.01
        done
        how="kill -9 $pid ($what)"
        kill -9 "$pid"
        wait_ready "$ready"
    fi
    wait "${LOADS[@]}" || true
    LOADS=()
    wait
    if ((round % 2)); then start_server kill "${settings[@]}"; fi
    export PGDATABASE=kill
    say "round $round of $ROUNDS: $how$torn"
    # All checks before anything is written, then again after more writing and VACUUM.
    check_load
    if ((round % 3 == 0)); then
        sql -c "INSERT INTO load SELECT i * 7919, now(), 'z' FROM generate_series(1, 20000) i" \
            -c 'VACUUM load'
        check_load
    fi
done
[ "$(sql -c 'SELECT last_value > 21000 FROM load_ids')" = t ] || die "no load ran"
! grep -E 'PANIC|TRAP|signal (4|6|7|8|11)' "$log" ||
    die "the server's log has a PANIC or a dead backend"
say "kill: $ROUNDS rounds"
