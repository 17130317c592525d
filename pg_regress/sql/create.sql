-- CREATE INDEX, REINDEX, DROP INDEX on all kinds of tables.
SET client_min_messages = warning;
CREATE TABLE c_logged (id int8, ts timestamptz);
CREATE UNLOGGED TABLE c_unlogged (id int8, ts timestamptz);
CREATE TEMP TABLE c_temp (id int8, ts timestamptz);
INSERT INTO c_logged SELECT i, '2024-01-01 00:00+00'::timestamptz + i * interval '7 seconds'
    FROM generate_series(1, 20000) i;
INSERT INTO c_unlogged SELECT * FROM c_logged;
INSERT INTO c_temp SELECT * FROM c_logged;

-- With a name, without a name, on filled and on empty tables.
CREATE INDEX c_logged_ts ON c_logged USING learned (ts);
CREATE INDEX ON c_logged USING learned (id);
CREATE INDEX c_unlogged_ts ON c_unlogged USING learned (ts);
CREATE INDEX c_temp_ts ON c_temp USING learned (ts);
CREATE INDEX IF NOT EXISTS c_temp_ts ON c_temp USING learned (ts);
SELECT indexdef FROM pg_indexes WHERE tablename LIKE 'c\_%' AND schemaname = 'public'
    ORDER BY indexname;
VACUUM ANALYZE c_logged, c_unlogged, c_temp;
SELECT omendb_check('c_logged_ts', true), omendb_check('c_logged_id_idx', true),
    omendb_check('c_unlogged_ts', true),
       omendb_check('c_temp_ts', true);
SELECT same('SELECT ts FROM c_logged WHERE ts < ''2024-01-01 01:00+00''');
SELECT same('SELECT ts FROM c_unlogged WHERE ts < ''2024-01-01 01:00+00''');
SELECT same('SELECT ts FROM c_temp WHERE ts < ''2024-01-01 01:00+00''');
SELECT same('SELECT id FROM c_logged WHERE id BETWEEN 100 AND 300');

CREATE TABLE c_empty (id int4);
CREATE INDEX c_empty_id ON c_empty USING learned (id);
SELECT omendb_check('c_empty_id', true);
SELECT same('SELECT id FROM c_empty WHERE id > 0');
SELECT same('SELECT id FROM c_empty ORDER BY id DESC', '{index,indexonly}');
INSERT INTO c_empty VALUES (3), (1), (NULL), (2);
VACUUM c_empty;
SELECT same('SELECT id FROM c_empty WHERE id > 1');
SELECT omendb_check('c_empty_id', true);
TRUNCATE c_empty;
SELECT same('SELECT id FROM c_empty WHERE id > 0');
INSERT INTO c_empty VALUES (9);
SELECT same('SELECT id FROM c_empty WHERE id > 0', '{index,bitmap}');

-- Partial and expression indexes.
CREATE INDEX c_partial ON c_logged USING learned (id) WHERE id % 10 = 0;
CREATE INDEX c_expr ON c_logged USING learned ((id % 1000));
CREATE INDEX c_expr_date ON c_logged USING learned (((ts AT TIME ZONE 'UTC')::date));
ANALYZE c_logged;
SELECT omendb_check('c_partial', true), omendb_check('c_expr', true), omendb_check('c_expr_date',
    true);
SELECT same('SELECT id FROM c_logged WHERE id % 10 = 0 AND id BETWEEN 500 AND 700',
    '{index,bitmap}');
SELECT same('SELECT id FROM c_logged WHERE id % 1000 = 17', '{index,bitmap}');
SELECT same('SELECT id FROM c_logged WHERE (ts AT TIME ZONE ''UTC'')::date = ''2024-01-02''',
    '{index,bitmap}');
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM c_logged WHERE id % 1000 = 17;
EXPLAIN (COSTS OFF) SELECT * FROM c_logged WHERE (ts AT TIME ZONE 'UTC')::date = '2024-01-02';
RESET enable_seqscan;
RESET enable_bitmapscan;
INSERT INTO c_logged SELECT i, '2024-01-01 00:00+00'::timestamptz + i * interval '7 seconds'
    FROM generate_series(20001, 20100) i;
SELECT omendb_check('c_partial', true), omendb_check('c_expr', true), omendb_check('c_expr_date',
    true);

-- Another tablespace, at creation and later.
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE c_space LOCATION '';
CREATE INDEX c_elsewhere ON c_logged USING learned (ts) TABLESPACE c_space;
SELECT omendb_check('c_elsewhere', true);
ALTER INDEX c_elsewhere SET TABLESPACE pg_default;
SELECT omendb_check('c_elsewhere', true);
ALTER INDEX c_logged_ts SET TABLESPACE c_space;
SELECT omendb_check('c_logged_ts', true);
REINDEX (TABLESPACE pg_default) INDEX c_logged_ts;
SELECT omendb_check('c_logged_ts', true);
DROP INDEX c_elsewhere;
DROP TABLESPACE c_space;

-- REINDEX, CLUSTER, VACUUM FULL, table rewrites.
REINDEX INDEX c_logged_ts;
REINDEX TABLE c_unlogged;
REINDEX TABLE c_temp;
SELECT omendb_check('c_logged_ts', true), omendb_check('c_unlogged_ts', true),
    omendb_check('c_temp_ts', true);
VACUUM FULL c_logged;
SELECT omendb_check('c_logged_ts', true), omendb_check('c_partial', true);
CLUSTER c_logged USING c_logged_ts;
SELECT omendb_check('c_logged_ts', true);
ALTER TABLE c_empty ALTER id TYPE int8;
SELECT omendb_check('c_empty_id', true);
ALTER TABLE c_unlogged SET LOGGED;
SELECT omendb_check('c_unlogged_ts', true);
ALTER TABLE c_unlogged SET UNLOGGED;
SELECT omendb_check('c_unlogged_ts', true);

-- Concurrently.
CREATE INDEX CONCURRENTLY c_conc ON c_logged USING learned (ts);
SELECT indisvalid FROM pg_index WHERE indexrelid = 'c_conc'::regclass;
SELECT omendb_check('c_conc', true);
REINDEX INDEX CONCURRENTLY c_conc;
SELECT indisvalid FROM pg_index WHERE indexrelid = 'c_conc'::regclass;
SELECT omendb_check('c_conc', true);
REINDEX TABLE CONCURRENTLY c_logged;
SELECT omendb_check('c_conc', true), omendb_check('c_logged_ts', true),
    omendb_check('c_partial', true);
DROP INDEX CONCURRENTLY c_conc;

-- In a transaction that is rolled back, and in one that has created the table, too.
BEGIN;
CREATE INDEX c_gone ON c_logged USING learned (ts);
ROLLBACK;
SELECT to_regclass('c_gone');
BEGIN;
CREATE TABLE c_new (id int4);
CREATE INDEX c_new_id ON c_new USING learned (id);
INSERT INTO c_new SELECT generate_series(1, 5000);
SAVEPOINT s;
INSERT INTO c_new SELECT generate_series(5001, 9000);
ROLLBACK TO s;
SELECT omendb_check('c_new_id', true);
COMMIT;
SELECT same('SELECT id FROM c_new WHERE id >= 4990', '{index,bitmap}');

-- Partitioned tables.
CREATE TABLE c_parts (id int4, v int4) PARTITION BY RANGE (id);
CREATE TABLE c_parts1 PARTITION OF c_parts FOR VALUES FROM (0) TO (1000);
CREATE INDEX c_parts_id ON c_parts USING learned (id);
CREATE TABLE c_parts2 PARTITION OF c_parts FOR VALUES FROM (1000) TO (2000);
INSERT INTO c_parts SELECT i, i FROM generate_series(0, 1999) i;
SELECT indexdef FROM pg_indexes WHERE tablename LIKE 'c\_parts_' ORDER BY indexname;
SELECT omendb_check('c_parts1_id_idx', true), omendb_check('c_parts2_id_idx', true);
SELECT same('SELECT id FROM c_parts WHERE id BETWEEN 990 AND 1010', '{index,bitmap}');

DROP TABLE c_logged, c_unlogged, c_temp, c_empty, c_new, c_parts;
