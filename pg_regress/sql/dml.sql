-- INSERT, UPDATE, COPY, DELETE and VACUUM on an indexed table.
SET client_min_messages = warning;
CREATE TABLE m (k int8, ts timestamptz, v int4);
CREATE INDEX m_k ON m USING learned (k);
CREATE INDEX m_ts ON m USING learned (ts DESC);
CREATE FUNCTION m_check() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM omendb_check('m_k', true), omendb_check('m_ts', true);
    RETURN concat_ws(', ', same('SELECT k FROM m ORDER BY k', '{index,indexonly}'),
        same('SELECT k FROM m ORDER BY k DESC', '{index}'),
        same('SELECT k FROM m WHERE k BETWEEN 20 AND 2000'),
        same('SELECT ts FROM m ORDER BY ts DESC', '{index,indexonly}'),
        same('SELECT ts FROM m WHERE ts < ''2024-01-01 03:00+00'''),
        same('SELECT k FROM m WHERE k IS NULL'));
END $$;
-- Ascending, random, descending, equal, and NULL keys.
INSERT INTO m SELECT i, timestamptz '2024-01-01 00:00+00' + i * interval '1 second', i
    FROM generate_series(1, 20000) i;
SELECT m_check();
INSERT INTO m SELECT i::int8 * 7919 % 100003,
    timestamptz '2024-01-01 00:00+00' + i * 7919 % 100003 * interval '1 second', i
    FROM generate_series(1, 20000) i;
SELECT m_check();
INSERT INTO m SELECT -i, timestamptz '2024-01-01 00:00+00' - i * interval '1 second', i
    FROM generate_series(1, 10000) i;
INSERT INTO m SELECT 777, '2024-01-01 00:12:57+00', i FROM generate_series(1, 5000) i;
INSERT INTO m SELECT NULL, NULL, i FROM generate_series(1, 2000) i;
INSERT INTO m VALUES (9223372036854775807, 'infinity', 0), (-9223372036854775808, '-infinity', 0);
SELECT m_check();
COPY m (k, ts, v) FROM stdin;
5	2024-01-01 00:00:05+00	-5
\N	\N	-6
123456789012	2100-01-01 00:00:00+00	-7
\.
SELECT m_check();
UPDATE m SET k = k + 1000000, ts = ts + interval '1 year' WHERE k % 10 = 3;
UPDATE m SET v = v + 1 WHERE k % 10 = 4;
SELECT m_check();
BEGIN;
DELETE FROM m WHERE k % 3 = 0;
INSERT INTO m SELECT i, now(), i FROM generate_series(1, 1000) i;
ROLLBACK;
SELECT m_check();
DELETE FROM m WHERE k % 3 = 0;
SELECT m_check();
VACUUM m;
SELECT m_check();
-- TIDs are reused.
INSERT INTO m SELECT i * 3, timestamptz '2024-02-01 00:00+00' + i * interval '1 second', i
    FROM generate_series(1, 20000) i;
SELECT m_check();
DELETE FROM m WHERE k BETWEEN 1000 AND 60000 OR k IS NULL;
VACUUM m;
SELECT m_check();
DELETE FROM m;
VACUUM m;
SELECT m_check();
INSERT INTO m SELECT i, timestamptz '2024-01-01 00:00+00' + i * interval '1 second', i
    FROM generate_series(1, 5000) i;
SELECT m_check();
VACUUM (INDEX_CLEANUP on, FREEZE) m;
SELECT m_check();
-- MERGE, statements like an upsert, RETURNING and triggers see the same rows.
MERGE INTO m USING (SELECT generate_series(4990, 5010) k) s ON m.k = s.k
    WHEN MATCHED THEN UPDATE SET v = -1 WHEN NOT MATCHED THEN INSERT
        VALUES (s.k, timestamptz '2024-01-01 00:00+00' + s.k * interval '1 second', -2);
SELECT m_check();
SELECT count(*) FILTER (WHERE v = -1), count(*) FILTER (WHERE v = -2) FROM m;
DROP TABLE m;
DROP FUNCTION m_check();
