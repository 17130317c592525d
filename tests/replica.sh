# shellcheck shell=bash
# Sourced after lib.sh by tests with a streaming standby; the database is named after the primary.

# The setting by which a server follows $1.
from_primary() { echo "primary_conninfo=host=$WORK/$1 port=5444 user=postgres"; }

# A new streaming standby $2 of the running server $1, with these settings.
start_replica() {
    "$ROOT/scripts/server.sh" remove "$2"
    "$ROOT/scripts/server.sh" clone "$1" "$2"
    start_server "$2" "${@:3}"
}

# Wait until standby $2 has replayed all that $1 has written.
catch_up() {
    use_server "$1"
    local lsn
    lsn=$(sql -c 'SELECT pg_current_wal_insert_lsn()')
    use_server "$2"
    for ((i = 0; i < 1200; i++)); do
        if [ "$(sql -c "SELECT pg_last_wal_replay_lsn() >= '$lsn'" 2>/dev/null)" = t ]; then
            return
        fi
        "$ROOT/scripts/server.sh" psql "$2" -c 'SELECT 1' >/dev/null 2>&1 ||
            { tail -n 5 "$WORK/$2/log"; die "the standby is down"; }
        sleep 0.1
    done
    die "the standby does not catch up"
}

# Each page of the logged indexes, all of it but the checksum: redo leaves the log position of the
# primary, too, and the hole is zero on both. Pages never written come to a standby with their first
# record only.
page_sums() {
    sql -c "SELECT i.oid::regclass, block, md5(set_byte(set_byte(page, 8, 0), 9, 0))
        FROM pg_class i JOIN pg_am a ON a.oid = relam, generate_series(0,
        pg_relation_size(i.oid) / 8192 - 1) block,
            get_raw_page(i.oid::regclass::text, block) page
        WHERE amname = '$AM' AND relkind = 'i' AND relpersistence = 'p' AND i.oid >= 16384
        AND page <> decode(repeat('00', 8192), 'hex')
        ORDER BY i.oid::regclass::text, block"
}

# The same pages on primary $1, where nothing is written now, and standby $2, once it has replayed
# everything.
same_pages() {
    use_server "$1" "$1"
    sql -c 'SET client_min_messages = warning' -c 'CREATE EXTENSION IF NOT EXISTS pageinspect'
    catch_up "$1" "$2"
    compare_pages "$1" "$2"
}

# Likewise where both have pageinspect and nothing is left to replay.
compare_pages() {
    use_server "$1" "$1"
    page_sums > "$WORK/$1/pages"
    use_server "$2" "$1"
    page_sums > "$WORK/$2/pages"
    diff "$WORK/$1/pages" "$WORK/$2/pages" > "$WORK/$2/pages.diff" ||
        { head -n 20 "$WORK/$2/pages.diff"; die "the standby's pages differ"; }
    [ -s "$WORK/$1/pages" ] || die "no pages to compare"
    say "$(wc -l < "$WORK/$1/pages") pages of $(cut -d'|' -f1 "$WORK/$1/pages" | sort -u |
        wc -l) indexes are equal on primary and standby"
}
