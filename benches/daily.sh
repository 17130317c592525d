#!/usr/bin/env bash
# Patterns of daily work, each beside a btree index on the same columns, answers compared. So far:
# pages of a long list by a row comparison (keyset pages), at all depths.
#   ROWS (2000000)  PAGES (3000)  PAIRS (5)
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
ROWS=${ROWS:-2000000} PAGES=${PAGES:-3000}

bench_server daily
new_database daily
sql < "$ROOT/benches/figures.sql"
say "generating $ROWS rows, ten for each second"
sql -v rows="$ROWS" -v am="$AM" <<'SQL'
CREATE TABLE list (ts timestamptz, id int8, device int4);
INSERT INTO list SELECT timestamptz '2024-01-01 00:00+00' + (i / 10) * interval '1 second', i,
    i % 100 FROM generate_series(1, :rows) i;
CREATE INDEX list_btree ON list USING btree (ts, id);
CREATE INDEX list_learned ON list USING :am (ts, id);
CREATE TABLE devices AS SELECT * FROM list;
CREATE INDEX devices_btree ON devices USING btree (device, ts DESC, id);
CREATE INDEX devices_learned ON devices USING :am (device, ts DESC, id);
VACUUM ANALYZE list, devices;
SQL
say "keyset pages in $PAIRS alternating pairs"
# PREFIX ORDER CONDITION NAME: the page behind the row p steps into the list, for many p.
pages() {
    sql -v pairs="$PAIRS" -v prefix="$1" -v name="$4" -v query="
        SELECT count(*) || ' rows, sum ' || sum(page.id) FROM generate_series(1, $PAGES) p,
            LATERAL (SELECT timestamptz '2024-01-01 00:00+00' + i / 10 * interval '1 second', i
                FROM (SELECT p * ($ROWS::int8 / $PAGES) i) i) k (ts, id),
            LATERAL (SELECT id FROM $1 t WHERE $3 ORDER BY $2 LIMIT 20) page" <<'SQL'
CALL compare(:'name', :'prefix', :pairs, 'Index Scan', :'query');
SQL
}
pages list 't.ts, t.id' '(t.ts, t.id) > (k.ts, k.id)' "$PAGES pages of 20 rows, forward"
pages list 't.ts DESC, t.id DESC' '(t.ts, t.id) < (k.ts, k.id)' "$PAGES pages, backward"
pages devices 't.ts, t.id DESC' 't.device = 7 AND t.ts > k.ts' "$PAGES pages of a device by time"
pages devices 't.ts DESC, t.id' 't.device = 7 AND (t.ts, t.id) < (k.ts, k.id)' \
    "$PAGES pages of a device, directions mixed"
report
"$ROOT/scripts/server.sh" stop daily
