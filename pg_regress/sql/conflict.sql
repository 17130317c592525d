-- ON CONFLICT, foreign keys and partitions with unique indexes. Servers before PostgreSQL 18 need
-- btree indexes for these (conflict_1.out).
SELECT current_setting('server_version_num')::int < 180000 AS old \gset
\if :old
\q
\endif
CREATE TABLE c (k int8, d date, v int4);
CREATE UNIQUE INDEX c_kd ON c USING learned (k, d DESC) INCLUDE (v);
INSERT INTO c SELECT i, '2026-01-01'::date + i, 0 FROM generate_series(1, 5000) i;
EXPLAIN (COSTS OFF) INSERT INTO c VALUES (1, '2026-01-02', 1) ON CONFLICT (d, k) DO UPDATE
    SET v = excluded.v;
INSERT INTO c VALUES (1, '2026-01-02', 1), (1, '2026-01-03', 1) ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO c VALUES (1, '2026-01-02', 1), (2, '2026-01-02', 2), (3, '2026-01-04', 3)
    ON CONFLICT (k, d) DO UPDATE SET v = c.v + excluded.v + 10 RETURNING *;
INSERT INTO c VALUES (3, '2026-01-04', 3) ON CONFLICT (k, d) DO UPDATE SET v = 7 WHERE c.v < 13
    RETURNING *;
-- NULLs do not conflict. Updating the same row twice is an error. (k) alone is not unique.
INSERT INTO c VALUES (NULL, '2026-01-02', 1), (NULL, '2026-01-02', 2) ON CONFLICT (k, d) DO UPDATE
    SET v = -1 RETURNING *;
INSERT INTO c VALUES (6000, '2026-01-02', 1), (6000, '2026-01-02', 2) ON CONFLICT (k, d) DO UPDATE
    SET v = -1;
INSERT INTO c VALUES (6000, '2026-01-02', 1) ON CONFLICT (k) DO NOTHING;
-- Nor does a row conflict that this transaction has deleted, or that an aborted subtransaction has
-- inserted.
BEGIN;
DELETE FROM c WHERE k = 4;
INSERT INTO c VALUES (4, '2026-01-05', 1) ON CONFLICT (k, d) DO UPDATE SET v = -1 RETURNING v;
SAVEPOINT s;
INSERT INTO c VALUES (7000, '2026-01-05', 1);
ROLLBACK TO s;
INSERT INTO c VALUES (7000, '2026-01-05', 1) ON CONFLICT (k, d) DO UPDATE SET v = -1 RETURNING v;
COMMIT;
INSERT INTO c SELECT i, '2026-01-01'::date + i, 5 FROM generate_series(4000, 6000) i
    ON CONFLICT (k, d) DO UPDATE SET v = c.v + excluded.v;
SELECT v, count(*) FROM c GROUP BY v ORDER BY v;
SELECT omendb_check('c_kd', true);
MERGE INTO c USING (SELECT i AS k, '2026-01-01'::date + i AS d FROM generate_series(5990, 6010) i) s
    ON c.k = s.k AND c.d = s.d
    WHEN MATCHED THEN UPDATE SET v = 8 WHEN NOT MATCHED THEN INSERT VALUES (s.k, s.d, 9);
SELECT v, count(*) FROM c WHERE v > 7 AND k > 5000 GROUP BY v ORDER BY v;
-- A partial index, an expression, NULLS NOT DISTINCT.
CREATE UNIQUE INDEX c_part ON c USING learned (v) WHERE k = 1;
INSERT INTO c VALUES (1, NULL, 1) ON CONFLICT (v) WHERE k = 1 DO UPDATE SET d = '2020-01-01'
    RETURNING *;
INSERT INTO c VALUES (2, NULL, 1) ON CONFLICT (v) WHERE k = 1 DO NOTHING RETURNING *;
CREATE TABLE e (k int4, v int4);
CREATE UNIQUE INDEX e_k ON e USING learned (abs(k)) NULLS NOT DISTINCT;
INSERT INTO e VALUES (1, 1), (-1, 2), (NULL, 3) ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO e VALUES (-1, 4), (NULL, 5) ON CONFLICT (abs(k)) DO UPDATE SET v = excluded.v
    RETURNING *;
-- Foreign keys.
CREATE TABLE parent (id int8 NOT NULL, v int4);
CREATE UNIQUE INDEX parent_id ON parent USING learned (id);
INSERT INTO parent SELECT i, i FROM generate_series(1, 100) i;
CREATE TABLE child (id int4 REFERENCES parent (id) ON UPDATE CASCADE ON DELETE SET NULL);
INSERT INTO child VALUES (1), (2), (NULL);
INSERT INTO child VALUES (101);
UPDATE parent SET id = 1001 WHERE id = 1;
DELETE FROM parent WHERE id = 2;
SELECT id FROM child ORDER BY id;
-- Partitions.
CREATE TABLE p (k int4, v int4) PARTITION BY RANGE (k);
CREATE UNIQUE INDEX p_k ON p USING learned (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
INSERT INTO p VALUES (1, 1), (11, 1);
INSERT INTO p SELECT i, 2 FROM generate_series(0, 19) i ON CONFLICT (k) DO UPDATE SET v = p.v + 10;
SELECT v, count(*) FROM p GROUP BY v ORDER BY v;
INSERT INTO p VALUES (11, 2);
-- A materialized view that is refreshed concurrently.
CREATE MATERIALIZED VIEW m AS SELECT * FROM p;
CREATE UNIQUE INDEX m_k ON m USING learned (k);
DELETE FROM p WHERE k > 5;
REFRESH MATERIALIZED VIEW CONCURRENTLY m;
SELECT count(*) FROM m;
DROP MATERIALIZED VIEW m;
DROP TABLE c, e, child, parent, p;
