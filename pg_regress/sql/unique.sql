-- Unique indexes.
CREATE TABLE u (k int8, t timestamptz, id int);
INSERT INTO u SELECT i, '2026-01-01'::timestamptz + i * interval '1 s', i
    FROM generate_series(1, 5000) i;
-- Before PostgreSQL 18 they must be allowed by a setting, since they make ON CONFLICT fail.
DO $$
BEGIN
    IF current_setting('server_version_num')::int >= 180000 THEN RETURN; END IF;
    BEGIN
        CREATE UNIQUE INDEX u_k ON u USING learned (k);
        RAISE EXCEPTION 'not refused';
    EXCEPTION WHEN feature_not_supported THEN NULL;
    END;
    SET omendb.allow_unique = on;
    CREATE UNIQUE INDEX u_k ON u USING learned (k);
    BEGIN
        INSERT INTO u VALUES (1) ON CONFLICT DO NOTHING;
        RAISE EXCEPTION 'not refused';
    EXCEPTION WHEN internal_error THEN NULL;
    END;
    DROP INDEX u_k;
END $$;
SET omendb.allow_unique = on;
CREATE UNIQUE INDEX u_k ON u USING learned (k);
INSERT INTO u VALUES (17);
INSERT INTO u SELECT i FROM generate_series(4990, 5010) i;
UPDATE u SET k = k + 1 WHERE k = 20;
-- The error names the constraint.
DO $$
DECLARE c text; t text; s text;
BEGIN
    INSERT INTO u VALUES (17);
EXCEPTION WHEN unique_violation THEN
    GET STACKED DIAGNOSTICS c = CONSTRAINT_NAME, t = TABLE_NAME, s = SCHEMA_NAME;
    RAISE NOTICE '% % %', c, t, s;
END $$;
-- NULLs are distinct. A row may be inserted again, also in the same transaction, and be updated.
INSERT INTO u VALUES (NULL), (NULL);
BEGIN;
DELETE FROM u WHERE k = 18;
INSERT INTO u VALUES (18, NULL, -1);
UPDATE u SET id = -2 WHERE k = 18;
UPDATE u SET k = -18 WHERE k = 18;
UPDATE u SET k = 18 WHERE k = -18;
SAVEPOINT s;
INSERT INTO u VALUES (-1);
ROLLBACK TO s;
INSERT INTO u VALUES (-1);
COMMIT;
INSERT INTO u VALUES (18);
INSERT INTO u VALUES (-1);
SELECT count(*), count(k), count(DISTINCT k) FROM u;
-- Many dead versions of one key, on many leaves.
CREATE TABLE u_versions (k int4, id int) WITH (autovacuum_enabled = off);
CREATE UNIQUE INDEX u_versions_k ON u_versions USING learned (k);
CREATE INDEX ON u_versions (id);
INSERT INTO u_versions VALUES (1, 0), (2, 0), (3, 0);
DO $$ BEGIN FOR i IN 1 .. 3000 LOOP UPDATE u_versions SET id = i; END LOOP; END $$;
INSERT INTO u_versions VALUES (2, -1);
DELETE FROM u_versions WHERE k = 2;
INSERT INTO u_versions VALUES (2, -1);
SELECT omendb_check('u_versions_k', true);
-- Several columns, NULLS NOT DISTINCT.
CREATE UNIQUE INDEX u_kt ON u USING learned (t DESC NULLS LAST, k) NULLS NOT DISTINCT;
DELETE FROM u WHERE k IS NULL;
CREATE UNIQUE INDEX u_kt ON u USING learned (t DESC NULLS LAST, k) NULLS NOT DISTINCT;
INSERT INTO u VALUES (NULL, NULL, 1);
INSERT INTO u VALUES (NULL, NULL, 2);
INSERT INTO u VALUES (NULL, '2026-01-01', 2), (NULL, '2026-01-02', 2);
INSERT INTO u VALUES (NULL, '2026-01-02', 3);
-- Builds.
CREATE TABLE u_build (d float8, id int);
INSERT INTO u_build SELECT i % 900, i FROM generate_series(1, 1000) i;
CREATE UNIQUE INDEX u_build_d ON u_build USING learned (d);
CREATE UNIQUE INDEX CONCURRENTLY u_build_d ON u_build USING learned (d);
\d u_build
DROP INDEX u_build_d;
DELETE FROM u_build WHERE id <= 100;
INSERT INTO u_build VALUES ('-0', -1), ('NaN', -1), (NULL, -1), (NULL, -2);
CREATE UNIQUE INDEX u_build_d ON u_build USING learned (d);
DELETE FROM u_build WHERE id = 900;
CREATE UNIQUE INDEX CONCURRENTLY u_build_d ON u_build USING learned (d);
INSERT INTO u_build VALUES ('0', -1);
INSERT INTO u_build VALUES ('NaN'::float8 + 1, -1);
-- They are rebuilt without the setting.
RESET omendb.allow_unique;
REINDEX INDEX u_build_d;
VACUUM FULL u_build;
INSERT INTO u_build VALUES (5, -1);
TRUNCATE u_build;
INSERT INTO u_build VALUES (5, -1);
INSERT INTO u_build VALUES (5, -1);
SET omendb.allow_unique = on;
-- Rows in order whose duplicates this transaction has deleted, at each place of a batch.
CREATE TABLE u_dead AS SELECT i / 2 AS k, i FROM generate_series(1, 20000) i;
BEGIN;
DELETE FROM u_dead WHERE i % 2 = CASE WHEN i < 10000 THEN 0 ELSE 1 END;
CREATE UNIQUE INDEX u_dead_k ON u_dead USING learned (k);
SELECT omendb_check('u_dead_k');
COMMIT;
-- A deferred constraint. The server creates such constraints with btree only, so its catalogs are
-- changed to use the learned index.
CREATE TABLE u_later (k int4, CONSTRAINT later UNIQUE (k) DEFERRABLE);
CREATE UNIQUE INDEX u_later_k ON u_later USING learned (k);
UPDATE pg_trigger SET tgconstrindid = 'u_later_k'::regclass WHERE tgconstrindid = 'later'::regclass;
UPDATE pg_index SET indimmediate = indexrelid <> 'u_later_k'::regclass,
    indisunique = indexrelid = 'u_later_k'::regclass WHERE indrelid = 'u_later'::regclass;
INSERT INTO u_later SELECT generate_series(1, 1000);
UPDATE u_later SET k = k + 1;
UPDATE u_later SET k = 5 WHERE k = 6;
BEGIN;
SET CONSTRAINTS later DEFERRED;
UPDATE u_later SET k = 5 WHERE k = 6;
INSERT INTO u_later VALUES (NULL), (NULL), (2000), (2000);
DELETE FROM u_later WHERE k = 2000;
SET CONSTRAINTS later IMMEDIATE;
ROLLBACK;
BEGIN;
SET CONSTRAINTS later DEFERRED;
UPDATE u_later SET k = 5 WHERE k = 6;
UPDATE u_later SET k = 6 WHERE ctid = (SELECT max(ctid) FROM u_later WHERE k = 5);
INSERT INTO u_later VALUES (NULL), (NULL);
COMMIT;
SELECT count(*), count(DISTINCT k) FROM u_later;
DROP TABLE u, u_versions, u_build, u_dead, u_later;
RESET omendb.allow_unique;
