-- Scans: plain, bitmap, index-only, both directions; conditions of all kinds; LIMIT; min and max;
-- rescans.
SET client_min_messages = warning;
CREATE TABLE s (k int8, v int4);
INSERT INTO s SELECT i * 1000 + i * 7919 % 613, i FROM generate_series(1, 30000) i;
INSERT INTO s SELECT 5000000, i FROM generate_series(1, 700) i;
CREATE INDEX s_k ON s USING learned (k);
VACUUM ANALYZE s;

-- The index is used.
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT v FROM s WHERE k = 5000000;
EXPLAIN (COSTS OFF) SELECT k FROM s WHERE k BETWEEN 1000000 AND 2000000;
EXPLAIN (COSTS OFF) SELECT k FROM s ORDER BY k LIMIT 5;
EXPLAIN (COSTS OFF) SELECT k FROM s WHERE k < 9000000 ORDER BY k DESC LIMIT 5;
EXPLAIN (COSTS OFF) SELECT min(k), max(k) FROM s;
EXPLAIN (COSTS OFF) SELECT max(k) FROM s WHERE k < 7000000;
SET enable_indexscan = off;
SET enable_indexonlyscan = off;
SET enable_bitmapscan = on;
EXPLAIN (COSTS OFF) SELECT v FROM s WHERE k > 1000000 AND k <= 2000000;
EXPLAIN (COSTS OFF) SELECT v FROM s WHERE k < 20000 OR k = 5000000;
RESET enable_seqscan; RESET enable_indexscan; RESET enable_indexonlyscan;

-- Each operator with values at, beside and between keys, and beyond all keys.
SELECT op, x, same(format('SELECT k FROM s WHERE k %s %s', op, x))
    FROM unnest('{=,<,<=,>=,>}'::text[]) op,
    unnest('{-1,1481,1482,1483,1000000,4999999,5000000,5000001,30000000,30000522,99999999,
        -9223372036854775808,9223372036854775807}'::int8[]) x;
SELECT same('SELECT k FROM s WHERE k BETWEEN 1000000 AND 1100000'),
    same('SELECT k FROM s WHERE k BETWEEN 5000000 AND 5000000'),
       same('SELECT k FROM s WHERE k BETWEEN 1100000 AND 1000000'),
       same('SELECT k FROM s WHERE k NOT BETWEEN 20000 AND 29990000'),
       same('SELECT k, v FROM s WHERE k BETWEEN 4990000 AND 5010000', '{index,bitmap}'),
       same('SELECT k FROM s WHERE k IN (5000000, 1482, 17, 1482, 99999999)'),
       same('SELECT k FROM s WHERE k = ANY (''{}'')'),
       same('SELECT k FROM s WHERE k < ANY (''{3000, 90000}'')'),
       same('SELECT k FROM s WHERE k IS NOT NULL'), same('SELECT k FROM s WHERE k IS NULL');
-- Redundant and contradictory conditions.
SELECT same('SELECT k FROM s WHERE k > 1000000 AND k > 2000000 AND k >= 2000500 AND k < 2500000
    AND k <= 9000000'),
       same('SELECT k FROM s WHERE k > 2000000 AND k < 1000000'),
       same('SELECT k FROM s WHERE k = 5000000 AND k = 5000001'),
       same('SELECT k FROM s WHERE k = 5000000 AND k > 4000000 AND k <= 5000000'),
       same('SELECT k FROM s WHERE k = 5000000 AND k > 5000000'),
       same('SELECT k FROM s WHERE k >= 5000000 AND k <= 5000000'),
       same('SELECT k FROM s WHERE k > 5000000 AND k < 5000001'),
       same('SELECT k FROM s WHERE k > 5000000 AND k <= 5000000'),
       same('SELECT k FROM s WHERE k IN (1, 5000000) AND k > 2 AND k IS NOT NULL'),
       same('SELECT k FROM s WHERE k < 9223372036854775807 AND k > -9223372036854775808');
-- Constants that are NULL, in a form the planner cannot fold.
SELECT same('SELECT k FROM s WHERE k = (SELECT NULL::int8)'),
    same('SELECT k FROM s WHERE k < (SELECT NULL::int8) AND k > 5');

-- In order, in both directions, with LIMIT and OFFSET.
SELECT same('SELECT k FROM s ORDER BY k', '{index,indexonly}'),
    same('SELECT k FROM s ORDER BY k DESC', '{index,indexonly}'),
       same('SELECT k FROM s ORDER BY k LIMIT 1', '{index,indexonly}'),
       same('SELECT k FROM s ORDER BY k DESC LIMIT 1', '{index,indexonly}'),
       same('SELECT k FROM s WHERE k >= 4999000 ORDER BY k LIMIT 900', '{index,indexonly}'),
       same('SELECT k FROM s WHERE k <= 5001000 ORDER BY k DESC LIMIT 900', '{index,indexonly}'),
       same('SELECT k FROM s WHERE k < 5000000 ORDER BY k DESC LIMIT 3', '{index,indexonly}'),
       same('SELECT k FROM s WHERE k > 5000000 ORDER BY k LIMIT 3', '{index,indexonly}'),
       same('SELECT k FROM s WHERE k BETWEEN 100000 AND 200000 ORDER BY k DESC OFFSET 20 LIMIT 10',
           '{index,indexonly}');
SELECT k, v FROM s ORDER BY k LIMIT 2;
SELECT k, v FROM s ORDER BY k DESC LIMIT 2;
SELECT min(k), max(k) FROM s;
SELECT min(k), max(k) FROM s WHERE k > 5000000 AND k < 6000000;
SELECT min(k), max(k) FROM s WHERE k > 40000000;

-- Rescans: nested loop, lateral, merge join with mark and restore, EXISTS, subplan.
CREATE TABLE s_probe (x int8);
INSERT INTO s_probe SELECT i * 51000 + CASE WHEN i % 2 = 0 THEN 0 ELSE (i * 51) * 7919 % 613 END
    FROM generate_series(1, 500) i;
INSERT INTO s_probe VALUES (5000000), (5000000), (NULL);
ANALYZE s_probe;
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = on;
SET enable_bitmapscan = off; SET enable_material = off;
EXPLAIN (COSTS OFF) SELECT count(*), sum(v) FROM s_probe JOIN s ON k = x;
SELECT count(*), sum(v) FROM s_probe JOIN s ON k = x;
SELECT count(k), sum(k) FROM s_probe JOIN s ON k = x;
SELECT count(*), sum(n) FROM s_probe, LATERAL (SELECT count(*) n FROM s
    WHERE k BETWEEN x AND x + 10000) q;
SELECT count(*), sum(k) FROM s_probe, LATERAL (SELECT k FROM s WHERE k > x ORDER BY k LIMIT 2) q;
SELECT count(*), sum(k) FROM s_probe, LATERAL (SELECT k FROM s WHERE k < x ORDER BY k DESC
    LIMIT 2) q;
SELECT count(*) FROM s_probe WHERE EXISTS (SELECT 1 FROM s WHERE k = x);
SET enable_bitmapscan = on; SET enable_indexscan = off; SET enable_indexonlyscan = off;
SELECT count(*), sum(v) FROM s_probe JOIN s ON k = x;
RESET enable_indexscan; RESET enable_indexonlyscan;
SET enable_mergejoin = on; SET enable_nestloop = off; SET enable_sort = on;
SET enable_seqscan = off;
SELECT count(*), sum(a.v + b.v) FROM s a JOIN s b ON a.k = b.k
    WHERE a.k BETWEEN 4900000 AND 5100000;
RESET ALL;

-- Index scans see what their snapshot sees.
BEGIN;
DELETE FROM s WHERE k < 500000;
SELECT same('SELECT k FROM s WHERE k < 600000');
SAVEPOINT a;
INSERT INTO s SELECT i, -1 FROM generate_series(1, 100) i;
SELECT same('SELECT k FROM s WHERE k < 600000');
ROLLBACK TO a;
SELECT same('SELECT k FROM s WHERE k < 600000');
ROLLBACK;
SELECT same('SELECT k FROM s WHERE k < 600000');
SELECT omendb_check('s_k', true);

-- A build that is cancelled leaves no index.
CREATE FUNCTION s_slow(int8) RETURNS int8 LANGUAGE plpgsql IMMUTABLE
    AS $$ BEGIN PERFORM pg_sleep(0.01); RETURN $1; END $$;
\set VERBOSITY terse
SET statement_timeout = '100ms';
CREATE INDEX s_cancel ON s USING learned (s_slow(k));
RESET statement_timeout;
SELECT to_regclass('s_cancel');
DROP TABLE s, s_probe;
DROP FUNCTION s_slow;
