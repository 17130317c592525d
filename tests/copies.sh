#!/usr/bin/env bash
# Copies of a database: pg_dump and restore, and logical replication whose apply finds rows by a
# learned index.
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
fresh_server copies autovacuum=off fsync=off wal_level=logical
new_database original
sql <<SQL
SET omendb.allow_unique = on;
CREATE TABLE t (k int8 NOT NULL, ts timestamptz NOT NULL, v float8);
CREATE UNIQUE INDEX t_k ON t USING $AM (k, ts DESC) INCLUDE (v);
CREATE INDEX t_ts ON t USING $AM (ts DESC NULLS LAST) WITH (fillfactor = 90) WHERE v > 10;
ALTER TABLE t REPLICA IDENTITY USING INDEX t_k;
CLUSTER t USING t_k;
INSERT INTO t SELECT i, '2026-01-01'::timestamptz + i % 100 * interval '1 s', i % 30
    FROM generate_series(1, 5000) i;
SQL
# All that the indexes have, and their definitions.
content() {
    sql -d "$1" -c "SELECT indexdef FROM pg_indexes WHERE tablename = 't' ORDER BY 1" \
        -c "SELECT indisclustered, indisreplident FROM pg_index
        WHERE indexrelid = 't_k'::regclass" \
        -c "SELECT omendb_check('t_k', true), omendb_check('t_ts', true)" \
        -c "SELECT count(*), sum(k), sum(v), min(ts), max(ts) FROM t" \
        -c 'SET enable_seqscan = off' -c "SELECT count(*), sum(k), sum(v) FROM t WHERE k > 0" \
        -c "SELECT count(*), sum(k) FROM t WHERE v > 10 AND ts > '2026-01-01'"
}
same() {
    [ "$(content original)" = "$(content "$1")" ] ||
        die "$1 differs: $(content original) / $(content "$1")"
}

sql -d postgres -c 'CREATE DATABASE restored' \
    -c 'ALTER DATABASE restored SET omendb.allow_unique = on'
"$BINDIR/pg_dump" original | sql -d restored > /dev/null
same restored
say 'restored from a dump: the same indexes, the same rows'

# PostgreSQL 17 alone knows no operators but btree's and hash's when it applies a change
# (execReplication.c).
if [[ "$(sql -c 'SHOW server_version_num')" = 17* && "$AM" != btree ]]; then exit; fi
# Both databases are of one server, so the slot cannot be made along with the subscription.
sql -d postgres -c 'CREATE DATABASE subscriber' \
    -c 'ALTER DATABASE subscriber SET omendb.allow_unique = on'
"$BINDIR/pg_dump" --schema-only original | sql -d subscriber > /dev/null
sql -c 'CREATE PUBLICATION p FOR TABLE t' \
    -c "SELECT pg_create_logical_replication_slot('s', 'pgoutput')" > /dev/null
sql -d subscriber \
    -c "CREATE SUBSCRIPTION s CONNECTION 'host=$PGHOST port=$PGPORT user=$PGUSER dbname=original'
    PUBLICATION p WITH (create_slot = false, slot_name = 's')"
# Waits until a condition, a command, holds.
until_so() {
    for ((i = 0; i < 600; i++)); do
        if "$@"; then return; fi
        sleep 0.1
    done
    die "not so: $*; $(tail -n 3 "$WORK/copies/log")"
}
applied() { [ "$(content original)" = "$(content subscriber)" ]; }
found_by_index() {
    [ "$(sql -d subscriber -c "SELECT idx_scan > 500 FROM pg_stat_user_indexes
        WHERE indexrelname = 't_k'")" = t ]
}
until_so applied
sql -c "UPDATE t SET v = v + 1 WHERE k % 7 = 0" -c "UPDATE t SET k = -k WHERE k % 11 = 0" \
    -c "DELETE FROM t WHERE k % 13 = 0" -c "UPDATE t SET v = NULL WHERE k % 17 = 0"
until_so applied
until_so found_by_index
say 'replicated: the same indexes, the same rows'
sql -d subscriber -c 'DROP SUBSCRIPTION s'
