-- Included columns: values kept beside the key, for index-only scans.
SET timezone = 'UTC';
SET omendb.allow_unique = on;
-- Each type with its extremes and NULL, byte by byte. Two NaNs differ in their bits on most
-- machines.
CREATE TYPE colour AS ENUM ('red', 'green', 'blue');
CREATE DOMAIN degrees AS float8 CHECK (value > -1000);
CREATE TABLE types_kept (k int4, b bool, c "char", i2 int2, i4 int4, i8 int8, o oid, x xid8,
    l pg_lsn, m money, f4 float4, f8 float8, d date, t time,
    ts timestamp, tz timestamptz, ma macaddr, m8 macaddr8, u uuid, e colour, dd degrees,
    r regclass);
INSERT INTO types_kept VALUES
    (1, true, '\001', -32768, -2147483648, -9223372036854775808, 0, '0', '0/0',
        '-92233720368547758.08', '-0', '-0', '-infinity', '00:00', '-infinity', '-infinity',
        '00:00:00:00:00:00', '00:00:00:00:00:00:00:00', '00000000-0000-0000-0000-000000000000',
        'red', '-0', 0),
    (2, false, '\377', 32767, 2147483647, 9223372036854775807, 4294967295, '18446744073709551615',
        'FFFFFFFF/FFFFFFFF', '92233720368547758.07', 'NaN', 'NaN', 'infinity', '24:00', 'infinity',
        'infinity',
        'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff', 'ffffffff-ffff-ffff-ffff-ffffffffffff',
        'blue', 'NaN', 'pg_class'),
    (3, NULL, '', 0, 0, -9223372036854775807, 1, '1', '0/1', '0',
        'Infinity'::float4 - 'Infinity'::float4, 'Infinity'::float8 - 'Infinity'::float8,
        '4713-01-01 BC', '12:00',
        '4713-01-01 00:00 BC', '294276-12-30 23:59:59.999999', '80:00:00:00:00:00',
        '80:00:00:00:00:00:00:00', '80000000-0000-0000-8000-000000000000', NULL, 0, NULL),
    (4, true, 'x', 1, 1, 4611686018427387904, 2147483648, '9223372036854775808', '80000000/0',
        '0.01', '1e-45', '5e-324', '5874897-12-31', '00:00:00.000001', '2026-01-01', '2026-01-01',
        '7f:ff:ff:ff:ff:ff', '7f:ff:ff:ff:ff:ff:ff:ff', '80000000-0000-0000-0000-000000000000',
        'green', '0.1', 0),
    (5, true, 'x', -1, -1, -4611686018427387904, 2147483649, '9223372036854775809', '80000000/1',
        '-0.01', '-1e-45', '-5e-324', '2000-01-01', '00:00:01', '2000-01-01', '2000-01-01',
        '00:00:00:00:00:01', '00:00:00:00:00:00:00:01', '00000000-0000-0000-0000-000000000001',
        'green', '-0.1', 0),
    (6, true, 'x', -1, -1, -4611686018427387905, 2, '2', '0/2', '1', '3.4028235e38',
        '1.7976931348623157e308', '2000-01-02', '00:00:02', '2000-01-02', '2000-01-02',
        '00:00:00:00:00:02', '00:00:00:00:00:00:00:02', '00000000-0000-0001-0000-000000000000',
        'green', '1e15', 0),
    (7, true, 'x', -1, -1, 4611686018427387903, 2, '2', '0/2', '1', '-Infinity', '-Infinity',
        '1999-12-31', '00:00:02', '1999-12-31', '1999-12-31',
        '00:00:00:00:00:02', '00:00:00:00:00:00:00:02', '7fffffff-ffff-ffff-7fff-ffffffffffff',
        'green', '1e-5', 0);
INSERT INTO types_kept (k) SELECT 100 + i FROM generate_series(1, 50) i;
INSERT INTO types_kept (k, f4, f8, dd) SELECT 1000 + i, (i / 10.0)::float4, i / 100.0, sqrt(i)
    FROM generate_series(1, 2000) i;
CREATE INDEX types_kept_1 ON types_kept USING learned (k) INCLUDE (b, c, i2, i4, i8, o, x);
CREATE INDEX types_kept_2 ON types_kept USING learned (k) INCLUDE (l, m, f4, f8, d, t, ts);
CREATE INDEX types_kept_3 ON types_kept USING learned (k) INCLUDE (tz, ma, m8, u, e, dd);
CREATE INDEX types_kept_4 ON types_kept USING learned (k) INCLUDE (r, dd, u, e);
VACUUM ANALYZE types_kept;
SELECT same('SELECT k, b, c, i2, i4, i8, o, x FROM types_kept WHERE k >= 0'),
    same('SELECT k, l, m, f4, f8, float4send(f4), float8send(f8), d, t, ts FROM types_kept
    WHERE k >= 0'),
    same('SELECT k, tz, ma, m8, u, e, dd, float8send(dd) FROM types_kept WHERE k >= 0'),
    same('SELECT k, r, u, e FROM types_kept WHERE k >= 0');
SELECT k, f4, f8, dd FROM types_kept WHERE k < 10 ORDER BY k;
-- The same after single inserts, and after a build from rows in no order.
TRUNCATE types_kept;
INSERT INTO types_kept (k, i8, f8, u) SELECT i % 500, i * 7919 % 100 - 50, CASE i % 5 WHEN 0
    THEN NULL WHEN 1 THEN -0.0 ELSE i / 8.0 END, CASE WHEN i % 3 > 0 THEN md5(i::text)::uuid END
    FROM generate_series(1, 20000) i;
INSERT INTO types_kept (k, i8, f8, u) SELECT i % 500, -9223372036854775808, 5e-324,
    '80000000-0000-0000-0000-000000000000' FROM generate_series(1, 2000) i;
VACUUM ANALYZE types_kept;
SELECT same('SELECT k, i8 FROM types_kept WHERE k >= 0'),
    same('SELECT k, f8, float8send(f8) FROM types_kept WHERE k >= 0'),
    same('SELECT k, u FROM types_kept WHERE k >= 0');
SELECT omendb_check('types_kept_1', true), omendb_check('types_kept_2', true),
    omendb_check('types_kept_3', true), omendb_check('types_kept_4', true);
DROP TABLE types_kept;

-- What the planner may do with included columns, and what not: they give no order and no index
-- condition.
CREATE TABLE inc (dev int4, ts timestamptz, v float8, id int4);
INSERT INTO inc SELECT i % 20, '2026-01-01'::timestamptz + i / 20 * interval '10 s',
    (i * 7919 % 10007) / 100.0, i FROM generate_series(1, 20000) i;
CREATE INDEX inc_k ON inc USING learned (dev, ts DESC) INCLUDE (v);
VACUUM ANALYZE inc;
SET enable_seqscan = off; SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT avg(v) FROM inc WHERE dev = 3 AND ts >= '2026-01-01 01:00'
    AND ts < '2026-01-01 02:00';
EXPLAIN (COSTS OFF) SELECT dev, ts, v FROM inc WHERE dev = 3 AND v > 50 ORDER BY ts DESC LIMIT 5;
SET enable_incremental_sort = off;
EXPLAIN (COSTS OFF) SELECT dev, ts, v FROM inc ORDER BY dev, ts DESC, v;
RESET enable_incremental_sort; RESET enable_seqscan; RESET enable_bitmapscan;
SELECT pg_get_indexdef('inc_k'::regclass);
SELECT same('SELECT dev, ts, v FROM inc WHERE dev = 3 AND v > 50'),
    same('SELECT dev, ts, v FROM inc WHERE dev BETWEEN 3 AND 5 AND ts < ''2026-01-01 00:30'''),
    same('SELECT ts, v FROM inc WHERE ts = ''2026-01-01 01:00'''),
    same('SELECT dev, ts, v FROM inc WHERE dev IN (1, 7, 30) AND ts > ''2026-01-01 02:40'''),
    same('SELECT dev, ts, v FROM inc WHERE dev = 3 ORDER BY ts DESC', '{indexonly}'),
    same('SELECT dev, ts, v FROM inc WHERE dev >= 0 ORDER BY dev DESC, ts', '{indexonly}');
-- They are not part of the key that a function takes, nor of the model's keys.
SELECT pages FROM omendb_predict('inc_k', '3', '2026-01-01 01:00');
SELECT * FROM omendb_predict('inc_k', '3', '2026-01-01 01:00', '1');
SELECT omendb_retrain('inc_k');
SELECT DISTINCT cardinality(first_key) FROM omendb_model('inc_k') WHERE first_key IS NOT NULL;

-- Equal keys, with extreme included values, more than a leaf holds: a range ends before or behind
-- all of them.
CREATE TABLE ends (a int8, b int4, v int8, f float8) WITH (autovacuum_enabled = off);
INSERT INTO ends SELECT i % 3, i % 4,
    CASE i % 7 WHEN 0 THEN NULL WHEN 1 THEN -9223372036854775808
        WHEN 2 THEN 9223372036854775807 ELSE i END,
    CASE i % 6 WHEN 0 THEN NULL WHEN 1 THEN 'NaN'::float8 ELSE i END
    FROM generate_series(1, 12000) i;
INSERT INTO ends SELECT 9223372036854775807, i % 2, i, NULL FROM generate_series(1, 500) i;
INSERT INTO ends SELECT -9223372036854775808, 2147483647, NULL, i FROM generate_series(1, 500) i;
INSERT INTO ends SELECT NULL, CASE WHEN i % 2 = 0 THEN i % 4 END, i, i
    FROM generate_series(1, 500) i;
INSERT INTO ends SELECT i % 3, NULL, i, i FROM generate_series(1, 500) i;
VACUUM ANALYZE ends;
DO $$
DECLARE index text; condition text;
    orders text[] := '{"a, b", "a DESC, b", "a NULLS FIRST, b DESC", "a DESC, b DESC NULLS LAST",
    "a", "a DESC"}';
BEGIN
    FOREACH index IN ARRAY orders LOOP
        EXECUTE format('CREATE INDEX ends_k ON ends USING learned (%s) INCLUDE (%s)', index, CASE
            WHEN index LIKE '%b%' THEN 'v, f' ELSE 'b, v, f' END);
        FOREACH condition IN ARRAY '{a = 1, a > 1, a >= 1, a < 1, a <= 1, a IS NULL, a IS NOT NULL,
            a = 1 AND b = 2, a = 1 AND b > 2, a >= 1 AND b = 2, a <= 9223372036854775807,
            a < 9223372036854775807, a >= 9223372036854775807,
            a > -9223372036854775808 AND b < 2, a = -9223372036854775808 AND b >= 2147483647,
            a = 1 AND b IS NULL, "a IN (0, 2) AND b IN (1, 3)",
            "a IN (0, 2) AND b IS NOT NULL"}'::text[] LOOP
            PERFORM same('SELECT a, b, v, f FROM ends WHERE ' || condition),
                same(format('SELECT a FROM ends WHERE %s ORDER BY %s',
                    condition, split_part(index, ',', 1)), '{indexonly}');
        END LOOP;
        IF index LIKE '%b%' THEN PERFORM same('SELECT b, v FROM ends WHERE b = 2',
            '{index,indexonly}'), same('SELECT b, v FROM ends WHERE b IS NULL',
            '{index,indexonly}'); END IF;
        PERFORM omendb_check('ends_k', true);
        DROP INDEX ends_k;
    END LOOP;
END $$;
-- New rows with the time of the last ones, and values in any order.
CREATE TABLE appended (ts timestamptz, v float8);
CREATE INDEX appended_k ON appended USING learned (ts) INCLUDE (v);
INSERT INTO appended SELECT '2026-01-01'::timestamptz + i / 10 * interval '1 s',
    (i * 7919 % 101) / 10.0 FROM generate_series(1, 20000) i;
VACUUM ANALYZE appended;
SELECT same('SELECT ts, v FROM appended WHERE ts >= ''2026-01-01'''),
    same('SELECT ts, v FROM appended WHERE ts = ''2026-01-01 00:10''');
SELECT omendb_check('appended_k', true);
UPDATE appended SET v = v + 1000 WHERE v < 5;
DELETE FROM appended WHERE v BETWEEN 5 AND 6;
SELECT same('SELECT ts, v FROM appended WHERE ts >= ''2026-01-01''');
VACUUM appended;
SELECT same('SELECT ts, v FROM appended WHERE ts >= ''2026-01-01''');
SELECT omendb_check('appended_k', true);

-- Unique indexes: only the key columns are unique.
CREATE TABLE uni (a int4, b int8, v float8);
INSERT INTO uni SELECT i, i, i FROM generate_series(1, 3000) i;
CREATE UNIQUE INDEX uni_k ON uni USING learned (a) INCLUDE (v);
INSERT INTO uni VALUES (17, 1, -1e300);
INSERT INTO uni VALUES (17, 1, 1e300);
INSERT INTO uni VALUES (17, 1, NULL);
UPDATE uni SET v = -v WHERE a = 17;
UPDATE uni SET v = -v WHERE a = 17;
UPDATE uni SET a = 18 WHERE a = 17;
INSERT INTO uni VALUES (NULL, 1, 1), (NULL, 1, 1), (NULL, 1, 2);
DELETE FROM uni WHERE a = 20;
INSERT INTO uni VALUES (20, 1, NULL);
CREATE UNIQUE INDEX uni_nulls ON uni USING learned (a) INCLUDE (b, v) NULLS NOT DISTINCT;
DELETE FROM uni WHERE a IS NULL AND v = 1;
CREATE UNIQUE INDEX uni_nulls ON uni USING learned (a) INCLUDE (b, v) NULLS NOT DISTINCT;
INSERT INTO uni VALUES (NULL, 7, 77);
SELECT same('SELECT a, b, v FROM uni WHERE a > 0');
DROP INDEX uni_nulls;
-- Builds in memory and by the server's sort: the same key with other values.
INSERT INTO uni SELECT i, -i, i * 7919 % 1000 FROM generate_series(4000, 60000) i;
CREATE UNIQUE INDEX uni_b ON uni USING learned (b DESC) INCLUDE (v, a);
DELETE FROM uni WHERE b = 1;
CREATE UNIQUE INDEX uni_b ON uni USING learned (b DESC) INCLUDE (v, a);
DROP INDEX uni_b;
INSERT INTO uni VALUES (-1, -5000, 7);
CREATE UNIQUE INDEX CONCURRENTLY uni_b ON uni USING learned (b DESC) INCLUDE (v, a);
DROP INDEX uni_b;
SET maintenance_work_mem = '1MB';
CREATE UNIQUE INDEX uni_b ON uni USING learned (b DESC) INCLUDE (v, a);
DELETE FROM uni WHERE a = -1;
CREATE UNIQUE INDEX uni_b ON uni USING learned (b DESC) INCLUDE (v, a);
RESET maintenance_work_mem;
SELECT omendb_check('uni_k', true), omendb_check('uni_b', true);
-- A constraint checked later, made as in unique.sql.
CREATE TABLE late (k int8, v float8, CONSTRAINT late_c UNIQUE (k) DEFERRABLE);
CREATE UNIQUE INDEX late_k ON late USING learned (k) INCLUDE (v);
UPDATE pg_trigger SET tgconstrindid = 'late_k'::regclass WHERE tgconstrindid = 'late_c'::regclass;
UPDATE pg_index SET indimmediate = indexrelid <> 'late_k'::regclass,
    indisunique = indexrelid = 'late_k'::regclass WHERE indrelid = 'late'::regclass;
INSERT INTO late SELECT i, i / 4.0 FROM generate_series(1, 1000) i;
UPDATE late SET k = k + 1, v = -v;
UPDATE late SET k = CASE WHEN k < 5 THEN 77 ELSE k END;
BEGIN;
SET CONSTRAINTS late_c DEFERRED;
UPDATE late SET k = 2000 - k;
INSERT INTO late VALUES (1500, -1e9);
INSERT INTO late VALUES (1500, 1e9);
DELETE FROM late WHERE v = 1e9;
SET CONSTRAINTS late_c IMMEDIATE;
ROLLBACK;
SELECT count(*), sum(k), omendb_check('late_k', true) FROM late;
DROP TABLE late;

-- Changes of types. If the bytes stay the same, the server keeps the index, and the index remains
-- correct.
SET timezone = 'UTC';
CREATE DOMAIN percent AS float8;
CREATE TABLE altered (k int4, o int4, t timestamp, f float8, i int4);
INSERT INTO altered SELECT i, i * 1000003 % 2147483647 - 1000000000,
    '2026-01-01'::timestamp + i * interval '1 s', i / 10.0, i FROM generate_series(1, 2000) i;
CREATE INDEX altered_k ON altered USING learned (k) INCLUDE (o, t, f, i);
CREATE TEMP TABLE files AS SELECT pg_relation_filenode('altered_k') AS before;
ALTER TABLE altered ALTER o TYPE oid, ALTER t TYPE timestamptz, ALTER f TYPE percent;
SELECT before = pg_relation_filenode('altered_k') AS kept FROM files;
VACUUM ANALYZE altered;
SELECT omendb_check('altered_k', true), same('SELECT k, o, t, f, i FROM altered WHERE k > 0');
ALTER TABLE altered ALTER i TYPE int8, ALTER f TYPE float4;
VACUUM ANALYZE altered;
SELECT omendb_check('altered_k', true), same('SELECT k, o, t, f, i FROM altered WHERE k > 0');
ALTER TABLE altered ALTER i TYPE text;
CLUSTER altered USING altered_k;
ALTER TABLE altered DROP COLUMN o;
-- Tables of all kinds, and a copy of a table with its indexes.
CREATE TABLE parts (LIKE inc INCLUDING ALL) PARTITION BY RANGE (ts);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2026-01-01 01:00');
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM ('2026-01-01 01:00') TO ('2026-01-02');
CREATE INDEX parts_k ON parts USING learned (ts) INCLUDE (v, id);
INSERT INTO parts SELECT * FROM inc;
VACUUM ANALYZE parts;
\d parts_1
SELECT same('SELECT dev, ts, v FROM parts WHERE dev = 3 AND ts > ''2026-01-01 00:59'''),
    same('SELECT ts, v, id FROM parts WHERE ts > ''2026-01-01 00:59''');
CREATE UNLOGGED TABLE inc_unlogged AS TABLE inc;
CREATE INDEX CONCURRENTLY inc_unlogged_k ON inc_unlogged USING learned (ts, dev DESC)
    INCLUDE (v, id);
REINDEX INDEX CONCURRENTLY inc_unlogged_k;
CLUSTER inc_unlogged USING inc_unlogged_k;
VACUUM ANALYZE inc_unlogged;
SELECT omendb_check('inc_unlogged_k', true),
    same('SELECT dev, ts, v, id FROM inc_unlogged WHERE ts > ''2026-01-01 01:30''');
TRUNCATE inc_unlogged;
SELECT omendb_check('inc_unlogged_k', true);

-- What is not supported: types without a fixed width, and more than eight words.
CREATE TABLE wide (a int8, b int8, c text, d numeric, e interval, u uuid, x int4);
CREATE INDEX ON wide USING learned (a) INCLUDE (c);
CREATE INDEX ON wide USING learned (a) INCLUDE (x, d);
CREATE INDEX ON wide USING learned (a) INCLUDE (e);
CREATE INDEX ON wide USING learned (a) INCLUDE (u, u, u, x);
CREATE INDEX ON wide USING learned (a) INCLUDE (u, u, u);
CREATE INDEX ON wide USING learned (a, b) INCLUDE (x, x, x, x, x, x, x);
CREATE INDEX ON wide USING learned (a) INCLUDE ((x + 1));
SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'wide'::regclass;
