-- omendb_check and omendb_stats.
SET client_min_messages = warning;
CREATE TABLE fu (k int8);
INSERT INTO fu SELECT i * 1000 FROM generate_series(1, 50000) i;
CREATE INDEX fu_k ON fu USING learned (k);
ANALYZE fu;
SELECT omendb_check('fu_k');
SELECT omendb_check('fu_k', true);
SELECT omendb_check('fu_k', heapallindexed => true);
SELECT count(*) AS rows, min(leaves) > 0 AS leaves, min(entries) AS entries,
    min(bytes_per_entry) < 25 AS bytes, min(height) >= 0 AS height
    FROM omendb_stats('fu_k');
-- The functions accept learned indexes only.
\set VERBOSITY sqlstate
SELECT omendb_check('fu');
SELECT omendb_stats('fu');
SELECT omendb_check('pg_class_oid_index');
SELECT omendb_stats('pg_class_oid_index');
SELECT omendb_check(NULL);
-- The owner and members of pg_monitor may call them.
CREATE ROLE fu_other;
CREATE ROLE fu_monitor IN ROLE pg_monitor;
CREATE ROLE fu_owner;
ALTER TABLE fu OWNER TO fu_owner;
SET ROLE fu_other;
SELECT omendb_check('fu_k');
SELECT entries FROM omendb_stats('fu_k');
SET ROLE fu_monitor;
SELECT omendb_check('fu_k', true);
SELECT entries FROM omendb_stats('fu_k');
SET ROLE fu_owner;
SELECT omendb_check('fu_k', true);
SELECT entries FROM omendb_stats('fu_k');
RESET ROLE;
DROP TABLE fu;
DROP ROLE fu_other, fu_monitor, fu_owner;
-- A function that is marked immutable and is not: the index lacks the rows' new values.
CREATE FUNCTION fu_key(int8) RETURNS int8 LANGUAGE plpgsql IMMUTABLE
    AS 'BEGIN RETURN $1 % 100; END';
CREATE TABLE fu (k int8);
INSERT INTO fu SELECT generate_series(1, 5000);
CREATE INDEX fu_key ON fu USING learned (fu_key(k));
CREATE INDEX fu_part ON fu USING learned (k) WHERE fu_key(k) < 50;
SELECT omendb_check('fu_key', true), omendb_check('fu_part', true);
CREATE OR REPLACE FUNCTION fu_key(int8) RETURNS int8 LANGUAGE plpgsql IMMUTABLE
    AS 'BEGIN RETURN $1 % 99; END';
SELECT omendb_check('fu_key', false);
\set VERBOSITY sqlstate
SELECT omendb_check('fu_key', true);
SELECT omendb_check('fu_part', true);
REINDEX TABLE fu;
SELECT omendb_check('fu_key', true), omendb_check('fu_part', true);
DROP TABLE fu;
DROP FUNCTION fu_key;
