-- Scans delete the entries of dead rows that they meet, once the rows are pruned to line pointers.
CREATE TABLE q (id int8, pad text);
CREATE INDEX q_id ON q USING learned (id);
INSERT INTO q SELECT i, repeat('p', 100) FROM generate_series(1, 20000) i;
VACUUM ANALYZE q;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
DELETE FROM q WHERE id <= 15000;
SELECT entries FROM omendb_stats('q_id');
SELECT id FROM q WHERE id > 0 ORDER BY id LIMIT 1;
SELECT entries BETWEEN 5000 AND 5100 AS removed FROM omendb_stats('q_id');
SELECT omendb_check('q_id', true), same('SELECT id FROM q WHERE id > 0');
-- Backward, in index-only scans, and by a cursor that changes its direction.
DELETE FROM q WHERE id > 18000;
SELECT id FROM q WHERE id > 0 ORDER BY id DESC LIMIT 1;
SELECT entries BETWEEN 3000 AND 3100 AS removed FROM omendb_stats('q_id');
DELETE FROM q WHERE id BETWEEN 16000 AND 17000;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id, pad FROM q WHERE id BETWEEN 15900 AND 17100 ORDER BY id;
FETCH ABSOLUTE 100 FROM c;
MOVE FORWARD ALL FROM c;
FETCH BACKWARD 2 FROM c;
MOVE BACKWARD ALL FROM c;
FETCH 1 FROM c;
COMMIT;
SELECT entries BETWEEN 1999 AND 2100 AS removed FROM omendb_stats('q_id');
SELECT omendb_check('q_id', true), same('SELECT id FROM q WHERE id > 0');
-- A new entry with the key of a deleted one is found.
INSERT INTO q SELECT i, repeat('p', 100) FROM generate_series(1, 20000, 3) i;
SELECT same('SELECT id FROM q WHERE id > 0');
-- A page that is not full is not pruned. A query on a standby might still see its rows, so their
-- entries stay.
CREATE TABLE q_small (id int8);
CREATE INDEX q_small_id ON q_small USING learned (id);
INSERT INTO q_small SELECT generate_series(1, 100);
DELETE FROM q_small WHERE id <= 90;
SELECT id FROM q_small WHERE id > 0 ORDER BY id LIMIT 1;
SELECT id FROM q_small WHERE id > 0 ORDER BY id LIMIT 1;
SELECT entries FROM omendb_stats('q_small_id');
SELECT omendb_check('q_small_id', true), same('SELECT id FROM q_small WHERE id > 0');
VACUUM q, q_small;
SELECT omendb_check('q_id', true), same('SELECT id FROM q WHERE id > 0'),
    omendb_check('q_small_id', true);
DROP TABLE q, q_small;
-- Before a full leaf is split, its dead entries are deleted, even if their rows are not pruned. The
-- same if keys are unique.
SET omendb.allow_unique = on;
CREATE TABLE q_full (k int8, u int8, n int8);
INSERT INTO q_full SELECT hashint8extended(i, 1), hashint8extended(i, 2), NULLIF(i % 10, 0)
    FROM generate_series(1, 44000) i;
CREATE INDEX q_full_k ON q_full USING learned (k);
CREATE UNIQUE INDEX q_full_u ON q_full USING learned (u);
CREATE UNIQUE INDEX q_full_n ON q_full USING learned (n, u);
CREATE TEMPORARY TABLE before AS SELECT x, leaves
    FROM unnest('{q_full_k, q_full_u, q_full_n}'::regclass[]) x, omendb_stats(x);
DELETE FROM q_full WHERE hashint8extended(k, 3) % 4 = 0;
INSERT INTO q_full SELECT hashint8extended(i, 1), hashint8extended(i, 2), NULLIF(i % 10, 0)
    FROM generate_series(44001, 55000) i;
SELECT x, s.leaves < before.leaves * 1.4 AS few_splits, s.entries < 55000 AS removed FROM before,
    omendb_stats(x) s;
SELECT omendb_check(x, true) FROM before;
SELECT same('SELECT k FROM q_full WHERE k > 0'), same('SELECT u FROM q_full WHERE u > 0'),
    same('SELECT n, u FROM q_full WHERE n > 0');
-- Entries stay if their rows are not committed yet, or if their deletion is not.
BEGIN;
DELETE FROM q_full WHERE hashint8extended(k, 3) % 4 = 1;
INSERT INTO q_full SELECT hashint8extended(i, 1), hashint8extended(i, 2), NULLIF(i % 10, 0)
    FROM generate_series(60001, 80000) i;
ROLLBACK;
SELECT omendb_check(x, true) FROM before;
SELECT same('SELECT k FROM q_full WHERE k > 0'), same('SELECT u FROM q_full WHERE u > 0'),
    same('SELECT n, u FROM q_full WHERE n > 0');
DROP TABLE q_full, before;
-- If the statistics show no dead rows, full leaves are split without a look at the table: inserts
-- read as many of its pages as without an index.
CREATE TABLE q_live (k int8) WITH (autovacuum_enabled = off);
CREATE TABLE q_bare (k int8) WITH (autovacuum_enabled = off);
CREATE INDEX q_live_k ON q_live USING learned (k);
INSERT INTO q_live SELECT hashint8extended(i, 1) FROM generate_series(1, 30000) i;
INSERT INTO q_bare TABLE q_live;
SELECT pg_stat_force_next_flush();
CREATE TEMPORARY TABLE before AS SELECT relid, heap_blks_hit + heap_blks_read AS pages, leaves
    FROM pg_statio_user_tables, omendb_stats('q_live_k') WHERE relname IN ('q_live', 'q_bare');
INSERT INTO q_live SELECT hashint8extended(i, 1) FROM generate_series(30001, 130000) i;
INSERT INTO q_bare SELECT hashint8extended(i, 1) FROM generate_series(30001, 130000) i;
SELECT pg_stat_force_next_flush();
SELECT max(s.leaves) - max(before.leaves) > 20 AS splits, max(looked) > 50000 AS counted,
    max(looked) - min(looked) < 20 AS unasked
    FROM before, omendb_stats('q_live_k') s,
        LATERAL (SELECT heap_blks_hit + heap_blks_read - pages AS looked
        FROM pg_statio_user_tables t WHERE t.relid = before.relid) q;
SELECT omendb_check('q_live_k', true), same('SELECT k FROM q_live WHERE k > 0');
DROP TABLE q_live, q_bare, before;
