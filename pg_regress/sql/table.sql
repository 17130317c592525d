-- Other changes of a table with a learned index.
SET client_min_messages = warning;
-- An exclusion constraint reads rows that no snapshot sees.
CREATE TABLE t_excluded (k int8, id int, EXCLUDE USING learned (k WITH =));
INSERT INTO t_excluded SELECT i, i FROM generate_series(1, 3000) i;
INSERT INTO t_excluded VALUES (1500, 0);
INSERT INTO t_excluded VALUES (NULL, 0), (NULL, 1);
DELETE FROM t_excluded WHERE k = 1500;
INSERT INTO t_excluded VALUES (1500, 0);
UPDATE t_excluded SET k = 1501 WHERE k = 1500;
INSERT INTO t_excluded VALUES (4000, 0), (4000, 1);
INSERT INTO t_excluded VALUES (3, 0) ON CONFLICT DO NOTHING;
SELECT count(*), omendb_check('t_excluded_k_excl', true) FROM t_excluded;
-- A column's type is changed, and a column is dropped.
CREATE TABLE t (gone int, k int4, ts timestamp, id int);
CREATE INDEX t_k ON t USING learned (k);
CREATE INDEX t_ts ON t USING learned (ts DESC);
INSERT INTO t SELECT 0, i * 7 % 5003, timestamp '2024-01-01' + i * interval '1 minute', i
    FROM generate_series(1, 5000) i;
ALTER TABLE t DROP COLUMN gone;
SELECT same('SELECT id FROM t WHERE k < 100', '{index,bitmap}'), omendb_check('t_k', true);
ALTER TABLE t ALTER COLUMN k TYPE int8, ALTER COLUMN ts TYPE timestamptz;
SELECT same('SELECT id FROM t WHERE k < 100', '{index,bitmap}'), omendb_check('t_k', true),
    omendb_check('t_ts', true);
ALTER TABLE t ALTER COLUMN k TYPE text;
ALTER TABLE t ALTER COLUMN k TYPE int2 USING (k::int % 30000)::int2;
SELECT same('SELECT id FROM t WHERE k < 100', '{index,bitmap}'), omendb_check('t_k', true);
-- Created, filled and truncated within a transaction, which is rolled back in part.
BEGIN;
CREATE TABLE t_new (k int8);
CREATE INDEX t_new_k ON t_new USING learned (k);
INSERT INTO t_new SELECT generate_series(1, 20000);
SAVEPOINT a;
INSERT INTO t_new SELECT generate_series(1, 20000);
CREATE INDEX t_new_k2 ON t_new USING learned (k DESC);
TRUNCATE t_new;
INSERT INTO t_new SELECT generate_series(1, 30);
SELECT count(*) FROM t_new WHERE k > 10;
ROLLBACK TO a;
INSERT INTO t_new SELECT generate_series(1, 10);
COMMIT;
SELECT same('SELECT k FROM t_new WHERE k > 5'), omendb_check('t_new_k', true);
BEGIN;
TRUNCATE t_new;
INSERT INTO t_new SELECT generate_series(1, 20000) % 777;
COMMIT;
SELECT same('SELECT k FROM t_new WHERE k > 5'), omendb_check('t_new_k', true);
-- Temporary tables.
CREATE TEMP TABLE t_temp (k date) ON COMMIT DELETE ROWS;
CREATE INDEX t_temp_k ON t_temp USING learned (k);
BEGIN;
INSERT INTO t_temp SELECT date '2020-01-01' + i FROM generate_series(1, 9000) i;
SELECT same('SELECT k FROM t_temp WHERE k > ''2030-01-01'''), omendb_check('t_temp_k', true);
COMMIT;
INSERT INTO t_temp VALUES ('2020-01-01');
SELECT count(*), omendb_check('t_temp_k', true) FROM t_temp;
-- VACUUM in parallel, VACUUM FULL, VACUUM of dead rows only; CLUSTER.
SET min_parallel_index_scan_size = 0;
DELETE FROM t WHERE id % 3 = 0;
VACUUM (PARALLEL 2) t;
SELECT same('SELECT id FROM t WHERE k < 1000', '{index,bitmap}'), omendb_check('t_k', true),
    omendb_check('t_ts', true);
VACUUM (FREEZE, INDEX_CLEANUP off) t;
DELETE FROM t;
VACUUM t;
SELECT omendb_check('t_k', true), (SELECT entries FROM omendb_stats('t_k')), pg_relation_size('t');
INSERT INTO t SELECT i % 1000, timestamp '2024-01-01' + i * interval '1 minute', i
    FROM generate_series(1, 5000) i;
CLUSTER t USING t_k;
SELECT same('SELECT id FROM t WHERE k < 1000', '{index,bitmap}'), omendb_check('t_k', true),
    omendb_check('t_ts', true);
SELECT bool_and(k >= before) FROM (SELECT k, lag(k, 1, k) OVER (ORDER BY ctid) AS before FROM t) q;
VACUUM FULL t;
SELECT omendb_check('t_k', true), omendb_check('t_ts', true);
-- Prepared statements: generic plans with all kinds of parameters.
SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off;
PREPARE q(int8, int8) AS SELECT count(*) FROM t WHERE k > $1 AND k <= $2;
EXECUTE q(10, 20);
EXECUTE q(NULL, 20);
EXECUTE q(20, 10);
EXECUTE q(-9223372036854775808, 9223372036854775807);
PREPARE any_of(int8[]) AS SELECT count(*) FROM t WHERE k = ANY ($1);
EXECUTE any_of('{1,2,NULL,2,99999999999}');
EXECUTE any_of('{}');
EXECUTE any_of(NULL);
EXPLAIN (COSTS OFF) EXECUTE any_of('{1}');
RESET plan_cache_mode;
-- Serializable transactions.
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM t WHERE k BETWEEN 10 AND 20;
INSERT INTO t VALUES (15, now(), -1);
SELECT count(*) FROM t WHERE k BETWEEN 10 AND 20;
COMMIT;
-- Rows that the statement updates while it scans them: each once.
UPDATE t SET k = k + 1 WHERE k < 30000;
SELECT same('SELECT k, id FROM t WHERE k > 0', '{index,bitmap}');
-- Statistics.
SELECT pg_stat_force_next_flush();
SELECT idx_scan > 10 AS scans, idx_tup_read > 5000 AS read, idx_tup_fetch > 5000 AS fetched
    FROM pg_stat_user_indexes WHERE indexrelname = 't_k';
-- An error in the middle of a scan, and of an insert.
SELECT sum(1 / (k - 500)) FROM t WHERE k > 400;
DO $$ BEGIN INSERT INTO t SELECT i, now(), 1000 / (100 - i) FROM generate_series(1, 200) i;
EXCEPTION WHEN division_by_zero THEN NULL; END $$;
SELECT omendb_check('t_k', true), same('SELECT k, id FROM t WHERE k < 300', '{index,bitmap}');
RESET enable_seqscan;
-- A materialized view that is refreshed concurrently, with a unique btree index beside the learned
-- index.
CREATE MATERIALIZED VIEW t_view AS SELECT id, k FROM t WHERE id > 0;
CREATE UNIQUE INDEX ON t_view (id, k);
CREATE INDEX t_view_k ON t_view USING learned (k);
DELETE FROM t WHERE id % 5 = 0;
REFRESH MATERIALIZED VIEW CONCURRENTLY t_view;
SELECT omendb_check('t_view_k', true), same('SELECT k FROM t_view WHERE k < 300');
DROP TABLE t_excluded, t, t_new, t_temp CASCADE;
-- A changed page has the LSN of its record, so that it is not written before the record.
CREATE TABLE t_lsn (k int8);
CREATE INDEX t_lsn_k ON t_lsn USING learned (k);
INSERT INTO t_lsn SELECT generate_series(1, 20000) * 3;
SELECT pg_current_wal_insert_lsn() AS before \gset
INSERT INTO t_lsn SELECT generate_series(1, 20000) * 3 + 1;
SELECT pg_current_wal_insert_lsn() AS after \gset
CHECKPOINT;
WITH pages AS (SELECT pg_read_binary_file(pg_relation_filepath('t_lsn_k'), block * 8192, 8) AS b
    FROM generate_series(1, pg_relation_size('t_lsn_k') / 8192 - 1) block),
    words AS (SELECT get_byte(b, 3) * 16777216::int8 + get_byte(b, 2) * 65536 + get_byte(b,
        1) * 256 + get_byte(b, 0) AS hi,
        get_byte(b, 7) * 16777216::int8 + get_byte(b, 6) * 65536 + get_byte(b,
            5) * 256 + get_byte(b, 4) AS lo FROM pages),
    lsns AS (SELECT format('%s/%s', to_hex(hi), to_hex(lo))::pg_lsn AS lsn FROM words)
SELECT count(*) > 2 AS pages, bool_and(lsn > :'before' AND lsn <= :'after') AS current FROM lsns;
DROP TABLE t_lsn;
