-- Index scans prefetch pages of the table: for any number of rows, in either direction, with rows
-- on the same or on different pages, of each kind of table, with each value of the setting.
CREATE TABLE spread AS SELECT i::int8 AS k, i % 7 AS d, repeat('x', 300) AS v
    FROM generate_series(1, 6000) i ORDER BY hashint8(i);
CREATE UNLOGGED TABLE spread_unlogged AS TABLE spread;
CREATE TEMP TABLE spread_temporary AS TABLE spread;
CREATE INDEX ON spread USING learned (k);
CREATE INDEX ON spread USING learned (d, k DESC);
CREATE INDEX ON spread_unlogged USING learned (k);
CREATE INDEX ON spread_temporary USING learned (k);
VACUUM ANALYZE spread, spread_unlogged, spread_temporary;
SELECT tablename, setting,
    count(DISTINCT same(format('SELECT %s FROM %I WHERE k BETWEEN %s AND %s ORDER BY k %s LIMIT %s',
           'k, length(v)', tablename, low, low + rows, direction, most), '{index}'))
FROM unnest('{spread,spread_unlogged,spread_temporary}'::text[]) tablename,
    unnest('{0,1,16}'::text[]) setting,
     LATERAL (SELECT set_config('effective_io_concurrency', setting, false) IS NOT NULL AS done) s,
     unnest('{1,777,5990}'::int[]) low,
     unnest('{0,2,3,5,11,20,34,300,2500}'::int[]) rows, unnest('{ASC,DESC}'::text[]) direction,
     unnest('{1,4,30,4000}'::int[]) most
WHERE done GROUP BY 1, 2 ORDER BY 1, 2::int;
SELECT same(format('SELECT d, k, v FROM spread WHERE d = %s AND k > 100 ORDER BY d, k DESC', d),
    '{index}') FROM generate_series(0, 7) d;
-- Many ranges, each by a scan of its own. Then both directions in turn.
SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off;
SET enable_mergejoin = off; SET enable_material = off; SET enable_memoize = off;
SELECT count(*), sum(k), sum(length(v)) FROM generate_series(0, 5999, 23) low, LATERAL (SELECT k, v
    FROM spread WHERE k > low AND k <= low + 23 OFFSET 0) q;
BEGIN;
DECLARE both_ways SCROLL CURSOR FOR SELECT k, length(v) FROM spread WHERE k > 1000 ORDER BY k;
MOVE FORWARD 40 IN both_ways;
FETCH FORWARD 2 FROM both_ways;
MOVE BACKWARD 20 IN both_ways;
FETCH BACKWARD 2 FROM both_ways;
MOVE FORWARD 900 IN both_ways;
FETCH FORWARD 2 FROM both_ways;
MOVE BACKWARD 600 IN both_ways;
FETCH BACKWARD 2 FROM both_ways;
COMMIT;
-- VACUUM truncates the table while it deletes the entries of the last rows.
DELETE FROM spread WHERE ctid > (SELECT format('(%s,0)', max((ctid::text::point)[0]) / 2)::tid
    FROM spread);
VACUUM spread;
SELECT count(*) < 4000, sum(length(v)) / 300 = count(*) FROM spread WHERE k > 0;
DROP TABLE spread, spread_unlogged, spread_temporary;
