-- Queries for which there is no learned index are planned as without the extension.
SET client_min_messages = warning;
CREATE TABLE p_a (id int4 PRIMARY KEY, b int8, d date);
CREATE TABLE p_b (id int8 PRIMARY KEY, a int4, z timestamptz);
INSERT INTO p_a SELECT i, i, date '2024-01-01' + i % 300 FROM generate_series(1, 3000) i;
INSERT INTO p_b SELECT i, i, timestamptz '2024-01-01 00:00+00' + i * interval '1 hour'
    FROM generate_series(1, 3000) i;
ANALYZE p_a, p_b;
SET enable_hashjoin = off; SET enable_nestloop = off; SET max_parallel_workers_per_gather = 0;
-- Equivalence classes across int4 and int8, merge join, implied conditions.
EXPLAIN (COSTS OFF) SELECT * FROM p_a JOIN p_b ON p_a.id = p_b.id WHERE p_a.id = 17;
EXPLAIN (COSTS OFF) SELECT * FROM p_a JOIN p_b ON p_a.id = p_b.id ORDER BY p_b.id;
EXPLAIN (COSTS OFF) SELECT * FROM p_a x JOIN p_a y ON x.id = y.id JOIN p_b ON y.id = p_b.id
    WHERE p_b.id < 10;
EXPLAIN (COSTS OFF) SELECT DISTINCT id FROM p_a ORDER BY id LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id, count(*) FROM p_a GROUP BY id ORDER BY id;
EXPLAIN (COSTS OFF) SELECT min(id), max(id) FROM p_a;
EXPLAIN (COSTS OFF) SELECT * FROM p_a LEFT JOIN (SELECT DISTINCT id FROM p_b) q ON p_a.id = q.id;
EXPLAIN (COSTS OFF) SELECT row_number() OVER (ORDER BY id) FROM p_a;
EXPLAIN (COSTS OFF) SELECT * FROM p_a WHERE id IN (1, 2, 3) ORDER BY id;
-- A learned index beside a primary key: the planner still uses the key's index where only that
-- applies.
CREATE INDEX p_a_learned ON p_a USING learned (id);
INSERT INTO p_a VALUES (17) ON CONFLICT (id) DO NOTHING;
SELECT count(*) FROM p_a;
EXPLAIN (COSTS OFF) SELECT p_b.* FROM p_b LEFT JOIN p_a ON p_a.id = p_b.id;
SELECT count(*) FROM p_a JOIN p_b ON p_a.id = p_b.id;
-- Merge joins and grouping may use learned indexes.
CREATE TABLE p_c (k int8);
INSERT INTO p_c SELECT i % 1000 FROM generate_series(1, 10000) i;
CREATE INDEX p_c_k ON p_c USING learned (k);
VACUUM ANALYZE p_c;
SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off;
SET enable_hashagg = off;
EXPLAIN (COSTS OFF) SELECT k, count(*) FROM p_c GROUP BY k;
EXPLAIN (COSTS OFF) SELECT count(*) FROM p_c JOIN p_b ON k = id;
SELECT count(*) FROM p_c JOIN p_b ON k = id;
SELECT count(*) FROM (SELECT DISTINCT k FROM p_c) q;
DROP TABLE p_a, p_b, p_c;
