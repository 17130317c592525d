-- What VACUUM deletes, and when it does not.
CREATE TABLE vac (k int8, pad text);
CREATE INDEX vac_k ON vac USING learned (k);
CREATE INDEX vac_desc ON vac USING learned (k DESC);
INSERT INTO vac SELECT i * 7919 % 100003 * 1000 + i % 991, 'p' FROM generate_series(1, 60000) i;
CREATE FUNCTION vac_check() RETURNS text LANGUAGE sql AS $$
    SELECT omendb_check('vac_k', true), omendb_check('vac_desc', true);
    SELECT same('SELECT k FROM vac WHERE k > 0') || ', '
        || same('SELECT k FROM vac ORDER BY k DESC', '{index,indexonly}') || '; entries: '
        || string_agg(entries::text, ' ') FROM (SELECT entries FROM omendb_stats('vac_k') UNION ALL
            SELECT entries FROM omendb_stats('vac_desc')) s
$$;
CREATE TABLE leaves AS SELECT leaves FROM omendb_stats('vac_k');
VACUUM vac;
SELECT vac_check();
-- With INDEX_CLEANUP off the entries of dead rows stay.
DELETE FROM vac WHERE k % 2 = 0;
VACUUM (INDEX_CLEANUP off) vac;
SELECT vac_check();
VACUUM (INDEX_CLEANUP on) vac;
SELECT vac_check();
-- With dead rows on few pages, VACUUM skips the indexes by itself.
DELETE FROM vac WHERE ctid IN (SELECT ctid FROM vac LIMIT 3);
VACUUM vac;
SELECT vac_check();
VACUUM (INDEX_CLEANUP on) vac;
SELECT vac_check();
-- A worker for each index.
SET min_parallel_index_scan_size = 0;
DELETE FROM vac WHERE k % 3 > 0;
VACUUM (PARALLEL 2, INDEX_CLEANUP on) vac;
SELECT vac_check();
SELECT reltuples FROM pg_class WHERE relname IN ('vac_k', 'vac_desc');
RESET min_parallel_index_scan_size;
-- Sparse leaves are joined, and the index then grows within its own pages.
DELETE FROM vac WHERE hashint8(k) % 10 <> 0;
VACUUM (INDEX_CLEANUP on) vac;
SELECT vac_check();
SELECT l.leaves > 8 * s.leaves AS merged, s.leaves < 10 AS few FROM leaves l,
    omendb_stats('vac_k') s;
CREATE TABLE size AS SELECT pg_relation_size('vac_k') AS bytes;
INSERT INTO vac SELECT i, 'q' FROM generate_series(1, 20000) i;
SELECT vac_check();
SELECT pg_relation_size('vac_k') = bytes AS same_size FROM size;
-- With a cost delay, and cancelled in the middle: what is done is kept.
DELETE FROM vac WHERE pad = 'q' AND k % 4 > 0;
SET vacuum_cost_delay = '20ms';
SET vacuum_cost_limit = 1;
\set VERBOSITY terse
SET statement_timeout = '300ms';
VACUUM (INDEX_CLEANUP on) vac;
RESET statement_timeout;
\set VERBOSITY default
RESET vacuum_cost_limit;
RESET vacuum_cost_delay;
SELECT vac_check() <> '' AS sound;
VACUUM (INDEX_CLEANUP on) vac;
SELECT vac_check();
-- Dead rows side by side, while all other rows are on all-visible pages; and entries of new rows.
DELETE FROM vac WHERE ctid >= '(40,0)' AND ctid < '(60,0)';
INSERT INTO vac SELECT i * 10, 'r' FROM generate_series(1, 3000) i;
VACUUM (INDEX_CLEANUP on) vac;
SELECT vac_check();
-- The validation of a concurrently built index gets all its entries, also those of all-visible
-- pages, and adds none twice.
DELETE FROM vac WHERE k % 10 = 7;
CREATE INDEX CONCURRENTLY vac_later ON vac USING learned (k);
REINDEX INDEX CONCURRENTLY vac_later;
SELECT omendb_check('vac_later', true), entries - (SELECT count(*) FROM vac) AS more
    FROM omendb_stats('vac_later');
DROP INDEX vac_later;
-- An empty table: one leaf is left after the second VACUUM, when leaves with different parents have
-- the same one.
DELETE FROM vac;
VACUUM (INDEX_CLEANUP on) vac;
VACUUM (INDEX_CLEANUP on) vac;
SELECT vac_check();
SELECT leaves, inner_pages, height FROM omendb_stats('vac_k');
ANALYZE vac;
VACUUM (FREEZE, ANALYZE) vac;
SELECT vac_check();
DROP TABLE vac, leaves, size;
DROP FUNCTION vac_check();
-- ANALYZE alone does not read the index; VACUUM does.
CREATE TABLE a (k int8) WITH (autovacuum_enabled = off);
CREATE INDEX a_k ON a USING learned (k);
INSERT INTO a SELECT hashint8extended(i, 1) FROM generate_series(1, 20000) i;
CREATE FUNCTION blocks() RETURNS int8 LANGUAGE sql AS $$
    SELECT pg_stat_clear_snapshot();
    SELECT idx_blks_hit + idx_blks_read FROM pg_statio_user_indexes WHERE indexrelname = 'a_k' $$;
SELECT pg_stat_force_next_flush();
SELECT blocks() AS before \gset
ANALYZE a;
SELECT pg_stat_force_next_flush();
SELECT blocks() - :before AS read_by_analyze;
VACUUM a;
SELECT pg_stat_force_next_flush();
SELECT blocks() - :before > 10 AS read_by_vacuum;
DROP TABLE a;
DROP FUNCTION blocks;
