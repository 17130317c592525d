-- Builds in memory, streamed and sorted on disk, and what they leave behind.
SET client_min_messages = warning;
SET maintenance_work_mem = '1MB';
CREATE TABLE b (k int8, id int4, pad text);
-- Rows in order, more than fit into memory: streamed.
INSERT INTO b SELECT i * 3, i, '' FROM generate_series(1, 150000) i;
CREATE INDEX b_k ON b USING learned (k);
SELECT omendb_check('b_k', true);
SELECT same('SELECT k FROM b ORDER BY k', '{index,indexonly}');
-- Only the last row is out of order: all streamed rows go to the sort.
INSERT INTO b VALUES (7, 0, '');
REINDEX INDEX b_k;
SELECT omendb_check('b_k', true);
SELECT entries FROM omendb_stats('b_k');
-- Streamed, then a thousand rows in descending order.
INSERT INTO b SELECT 300000 - i, i, '' FROM generate_series(1, 1000) i;
REINDEX INDEX b_k;
SELECT omendb_check('b_k', true);
SELECT same('SELECT k, id FROM b WHERE k BETWEEN 290000 AND 310000', '{index,bitmap}');
-- In descending order, and in no order.
CREATE INDEX b_id ON b USING learned ((-k));
SELECT omendb_check('b_id', true);
CREATE INDEX b_hash ON b USING learned (hashint8(k) DESC NULLS LAST);
SELECT omendb_check('b_hash', true);
SELECT same('SELECT hashint8(k) FROM b WHERE hashint8(k) > 2000000000
    ORDER BY hashint8(k) DESC NULLS LAST', '{index}');
-- The pages of the abandoned first attempt are free and are recycled.
SELECT pg_relation_size('b_k') < 3000000 AS small;
-- All keys equal, and all NULL.
CREATE TABLE b_same AS SELECT 5::int4 AS k, NULL::date AS d, i FROM generate_series(1, 100000) i;
CREATE INDEX b_same_k ON b_same USING learned (k);
CREATE INDEX b_same_d ON b_same USING learned (d);
SELECT omendb_check('b_same_k', true), omendb_check('b_same_d', true);
SELECT same('SELECT i FROM b_same WHERE k = 5', '{index,bitmap}'),
    same('SELECT i FROM b_same WHERE d IS NULL', '{index,bitmap}');
DELETE FROM b_same WHERE i % 3 = 0;
VACUUM b_same;
SELECT omendb_check('b_same_k', true), omendb_check('b_same_d', true);
SELECT same('SELECT i FROM b_same WHERE k = 5', '{index,bitmap}'),
    same('SELECT i FROM b_same WHERE d IS NULL', '{index,bitmap}');
-- The build uses no parallel workers.
SET max_parallel_maintenance_workers = 2;
SET min_parallel_table_scan_size = 0;
REINDEX TABLE b_same;
SELECT omendb_check('b_same_k', true);
-- A cancelled build leaves nothing behind.
SET statement_timeout = '20ms';
DO $$ BEGIN FOR i IN 1 .. 100 LOOP
    EXECUTE format('CREATE INDEX b_late ON b USING learned (hashint8(k + %s))', i);
    DROP INDEX b_late; END LOOP;
EXCEPTION WHEN query_canceled THEN RAISE WARNING 'cancelled'; END $$;
RESET statement_timeout;
SELECT to_regclass('b_late');
SELECT omendb_check('b_k', true);
-- Fill factors.
RESET maintenance_work_mem;
CREATE INDEX b_50 ON b USING learned (hashint8(k)) WITH (fillfactor = 50);
CREATE INDEX b_100 ON b USING learned (hashint8(k)) WITH (fillfactor = 100);
SELECT pg_relation_size('b_50') > 1.6 * pg_relation_size('b_100') AS half_full;
ALTER INDEX b_50 SET (fillfactor = 100);
REINDEX INDEX b_50;
SELECT pg_relation_size('b_50') = pg_relation_size('b_100') AS full;
CREATE INDEX b_5 ON b USING learned (k) WITH (fillfactor = 5);
INSERT INTO b SELECT i * 3 + 1, i, '' FROM generate_series(1, 150000, 2) i;
SELECT omendb_check('b_k', true), omendb_check('b_id', true), omendb_check('b_hash', true),
    omendb_check('b_50', true), omendb_check('b_100', true);
DROP TABLE b, b_same;
