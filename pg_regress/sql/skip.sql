-- Conditions on later columns only: scans skip from group to group of the columns before.
SET client_min_messages = warning;
CREATE TABLE sk (a int4, b int8, c int2, d float8);
INSERT INTO sk SELECT i % 20, hashint8extended(i, 0), i % 3, i FROM generate_series(1, 200000) i;
INSERT INTO sk SELECT nullif(i % 30, 0) - 5, nullif(i % 50, 0) * 1000, nullif(i % 4, 0),
    nullif(i % 7, 0) FROM generate_series(1, 600) i;
INSERT INTO sk VALUES (2147483647, 1000, 0, 'NaN'), (-2147483648, 1000, 0, 'infinity'),
    (2147483647, NULL, NULL, NULL), (NULL, 1000, NULL, -0.0);
CREATE INDEX sk_ab ON sk USING learned (a, b);
CREATE INDEX sk_acd ON sk USING learned (a DESC NULLS LAST, c NULLS FIRST, d DESC);
VACUUM ANALYZE sk;
SELECT omendb_check('sk_ab', true), omendb_check('sk_acd', true);
-- The planner knows that few groups mean few searches, on every server.
EXPLAIN (COSTS OFF) SELECT count(*) FROM sk WHERE b = 1000;
EXPLAIN (COSTS OFF) SELECT a, b FROM sk WHERE b BETWEEN 1000 AND 2000 ORDER BY a, b LIMIT 5;
EXPLAIN (COSTS OFF) SELECT a, c, d FROM sk WHERE d > 199990;
-- The same with lists, and with conditions on columns before the groups. A range may leave few of
-- many groups.
EXPLAIN (COSTS OFF) SELECT count(*) FROM sk WHERE b IN (1000, 2000, 7000);
EXPLAIN (COSTS OFF) SELECT count(*) FROM sk WHERE a > 3 AND b = 1000;
EXPLAIN (COSTS OFF) SELECT count(*) FROM sk WHERE a BETWEEN 2 AND 15 AND b IN (1000, 2000);
EXPLAIN (COSTS OFF) SELECT count(*) FROM sk WHERE c IN (0, 2) AND d = 77;
EXPLAIN (COSTS OFF) SELECT count(*) FROM sk WHERE a IN (1, 2, 3) AND c < 2 AND d IN (77, 78);
CREATE TABLE sk_many (k int8, v int4);
INSERT INTO sk_many SELECT i, i % 1000 FROM generate_series(1, 20000) i;
CREATE INDEX sk_many_kv ON sk_many USING learned (k, v);
ANALYZE sk_many;
EXPLAIN (COSTS OFF) SELECT * FROM sk_many WHERE k BETWEEN 100 AND 120 AND v IN (1, 2, 3);
DROP TABLE sk_many;
-- The pages that an index-only scan reads: some of the index for each group, few of all, and one of
-- the visibility map.
SET enable_seqscan = off; SET enable_bitmapscan = off;
SELECT leaves > 150 AS many FROM omendb_stats('sk_ab');
SELECT pages_read('SELECT a, b FROM sk WHERE b = 1000') < 120 AS few;
SELECT pages_read('SELECT a, b FROM sk WHERE b = 1000 ORDER BY a DESC, b DESC') < 120 AS few;
RESET enable_seqscan; RESET enable_bitmapscan;
-- The same rows as by a sequential scan, by each kind of plan.
SELECT w, same('SELECT * FROM sk WHERE ' || w, '{index,bitmap}')
    FROM unnest('{b = 1000,b IS NULL,b IS NOT NULL AND b < 0 AND b > -1000000,
    "b IN (1000, 2000, 7000, 77)",b >= 9223000000000000000,b <= -9223000000000000000,
    b > 9000000000000000000,"b BETWEEN 1000 AND 5000 AND a > 3","b = 1000 AND a BETWEEN 2 AND 8",
    "b IN (1000, 2000) AND a IN (1, 4, 99)",b = 1000 AND a IS NULL,
    d = 5,d IS NULL,d = ''NaN'',"d IN (1, 2, 3) AND c = 1",c IS NULL,c = 0 AND d IS NULL,
    "c = 2 AND d BETWEEN 100 AND 120","a < 3 AND c IS NULL AND d > 2",d = 0}'::text[]) w;
SELECT w, same('SELECT a, b FROM sk WHERE ' || w || ' ORDER BY a, b', '{index,indexonly}'),
    same('SELECT a, b FROM sk WHERE ' || w || ' ORDER BY a DESC, b DESC', '{index,indexonly}'),
    same('SELECT a, c, d FROM sk WHERE ' || replace(w, 'b', 'c')
        || ' ORDER BY a DESC NULLS LAST, c NULLS FIRST, d DESC', '{index}')
    FROM unnest('{b = 1,b IS NULL,"b IN (0, 2, 1000)",b < 2,b >= 1 AND a > 17}'::text[]) w;
-- Back and forth.
SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off;
SET max_parallel_workers_per_gather = 0;
BEGIN;
EXPLAIN (COSTS OFF) SELECT a, b, d FROM sk WHERE b BETWEEN 1000 AND 2000 AND d < 4 ORDER BY a, b;
DECLARE c SCROLL CURSOR FOR SELECT a, b, d FROM sk WHERE b BETWEEN 1000 AND 2000 AND d < 4
    ORDER BY a, b;
FETCH 3 FROM c;
FETCH LAST FROM c;
FETCH BACKWARD 4 FROM c;
FETCH FORWARD 2 FROM c;
MOVE BACKWARD ALL FROM c;
FETCH 3 FROM c;
COMMIT;
-- As the inner side of a nested loop.
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off;
SELECT count(*), sum(a) FROM (VALUES (1000::int8), (3000), (5), (NULL)) v (x) JOIN sk ON b = x;
DROP TABLE sk;
