-- Keys of several columns.
SET client_min_messages = warning;
CREATE TABLE mc (device int4, ts timestamptz, kind int2, id uuid, big int8);
INSERT INTO mc SELECT i % 40, timestamptz '2024-01-01 00:00+00' + i / 40 * interval '10 seconds',
    i % 7, md5((i / 3)::text)::uuid, i * 7919::int8 % 1009 FROM generate_series(0, 39999) i;
INSERT INTO mc SELECT nullif(i % 5, 0), CASE WHEN i % 3 > 0
    THEN timestamptz '2024-01-02 00:00+00' + i * interval '1 second' END, nullif(i % 4, 0), NULL,
    nullif(i % 6, 0) FROM generate_series(1, 300) i;
INSERT INTO mc VALUES (1, 'infinity', 32767, 'ffffffff-ffff-ffff-ffff-ffffffffffff',
    9223372036854775807), (1, '-infinity', -32768, '00000000-0000-0000-0000-000000000000',
    -9223372036854775808),
    (2147483647, 'infinity', 0, NULL, 0), (-2147483648, '-infinity', 0, NULL, 0);
CREATE INDEX mc_device_ts ON mc USING learned (device, ts DESC);
VACUUM ANALYZE mc;
SELECT omendb_check('mc_device_ts', true);
SELECT entries, index_bytes * 4 < btree_bytes AS small FROM omendb_stats('mc_device_ts');

-- The last rows of one device: without a sort, and from one leaf.
SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off;
SET enable_incremental_sort = off;
EXPLAIN (COSTS OFF) SELECT ts FROM mc WHERE device = 17 ORDER BY ts DESC LIMIT 3;
SELECT ts FROM mc WHERE device = 17 ORDER BY ts DESC LIMIT 3;
EXPLAIN (COSTS OFF) SELECT ts FROM mc WHERE device = 17 ORDER BY ts LIMIT 3;
SELECT ts FROM mc WHERE device = 17 ORDER BY ts LIMIT 3;
EXPLAIN (COSTS OFF) SELECT device, ts FROM mc ORDER BY device, ts DESC LIMIT 3;
EXPLAIN (COSTS OFF) SELECT device, ts FROM mc ORDER BY device DESC, ts LIMIT 3;
-- The pages of the index that the scan reads, and one of the visibility map.
SELECT pages_read('SELECT ts FROM mc WHERE device = 17 ORDER BY ts DESC LIMIT 10') AS pages;
-- The latest row of each device, by a lateral join.
SELECT count(*), min(ts), max(ts) FROM generate_series(0, 39) d, LATERAL (SELECT ts FROM mc
    WHERE device = d ORDER BY ts DESC LIMIT 1) q;
RESET ALL; SET client_min_messages = warning;

-- Conditions on the first column, on later ones, and on all; ranges, arrays, NULLs.
SELECT w, same('SELECT device, ts FROM mc WHERE ' || w) FROM unnest(array[
    'device = 3', 'device = 3 AND ts = ''2024-01-01 00:00:50+00''',
    'device = 3 AND ts >= ''2024-01-01 01:00+00'' AND ts < ''2024-01-01 01:30+00''',
    'device IN (3, 5, 99, NULL, 3) AND ts < ''2024-01-01 00:05+00''',
    'device IN (3, 5) AND ts IN (''2024-01-01 00:05+00'', ''2024-01-01 00:06:40+00'', '
        '''infinity'')',
    'device > 37 AND ts = ''2024-01-01 00:05+00''',
    'device BETWEEN 7 AND 9 AND ts <= ''2024-01-01 00:01+00''', 'ts = ''infinity''',
    'device > 5 AND ts > ''2024-01-01 22:00+00''',
    'device IS NULL', 'device IS NULL AND ts IS NULL', 'device = 2 AND ts IS NULL',
    'device = 2 AND ts IS NOT NULL AND ts > ''2024-01-02''', 'device IS NOT NULL AND ts IS NULL',
    'device < ANY (''{3,1}'') AND ts IS NULL', 'device = 1 AND ts = ''-infinity''',
    'device = 1 AND ts > ''-infinity'' AND ts < ''2024-01-01''',
    'device = 1 AND ts >= ''infinity''',
    'device >= 2147483647', 'device <= -2147483648', 'device < 9223372036854775807',
    'device = 4294967297::int8 AND ts IS NULL', 'device = 3 AND device = 4 AND ts IS NULL',
    'device = 3 AND ts < ''2024-01-01 12:00''::timestamp',
    'device = 3 AND ts >= ''2024-01-02''::date', 'device = (SELECT NULL::int4) AND ts IS NULL']) w;

-- Orders: each column's own, all of them backwards, mixed types, NULLs at either end.
CREATE PROCEDURE mc_try(columns text, plain text, forward text, backward text,
    kinds text[] DEFAULT '{index,indexonly}') LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE INDEX mc_try ON mc USING learned (%s)', columns);
    PERFORM omendb_check('mc_try', true);
    PERFORM same(format('SELECT %s FROM mc ORDER BY %s', plain, o), kinds),
        same(format('SELECT %s FROM mc WHERE device = 3 AND kind > 2 ORDER BY %s', plain, o),
        kinds),
        same(format('SELECT %s FROM mc WHERE device IN (2, 38) AND kind IN (1, 3) ORDER BY %s
            LIMIT 100', plain, o), kinds)
        FROM unnest(array[forward, backward]) o;
    DROP INDEX mc_try;
END $$;
DROP INDEX mc_device_ts;
VACUUM mc;
CALL mc_try('device, kind', 'device, kind', 'device, kind', 'device DESC, kind DESC');
CALL mc_try('device DESC, kind', 'device, kind', 'device DESC, kind', 'device, kind DESC');
CALL mc_try('device NULLS FIRST, kind DESC NULLS LAST', 'device, kind',
    'device NULLS FIRST, kind DESC NULLS LAST', 'device DESC NULLS LAST, kind NULLS FIRST');
CALL mc_try('big, device DESC, kind', 'big, device, kind', 'big, device DESC, kind',
    'big DESC, device, kind DESC');
CALL mc_try('big DESC NULLS LAST, ts DESC, device, kind', 'big, ts, device, kind',
    'big DESC NULLS LAST, ts DESC, device, kind', 'big NULLS FIRST, ts, device DESC, kind DESC');
CALL mc_try('id, device, kind', 'id, device, kind', 'id, device, kind',
    'id DESC, device DESC, kind DESC');
CALL mc_try('device, kind, id DESC NULLS LAST', 'device, kind, id',
    'device, kind, id DESC NULLS LAST', 'device DESC, kind DESC, id NULLS FIRST');
CALL mc_try('kind, device, ts, big, id', 'kind, device, ts, big, id', 'kind, device, ts, big, id',
    'kind DESC, device DESC, ts DESC, big DESC, id DESC');
CALL mc_try('ts DESC, device, kind, (big::float8)', 'ts, device, kind', 'ts DESC, device, kind',
    'ts, device DESC, kind DESC', '{index}');

-- uuid alone: conditions of all kinds, in order, and the same bytes in index-only scans.
CREATE INDEX mc_id ON mc USING learned (id);
VACUUM mc;
SELECT same('SELECT id FROM mc WHERE id = ''' || u || ''''), same('SELECT id FROM mc WHERE id < '''
    || u || ''' ORDER BY id DESC LIMIT 5', '{index,indexonly}'),
    same('SELECT id FROM mc WHERE id >= ''' || u || ''' ORDER BY id LIMIT 5', '{index,indexonly}'),
    same('SELECT id FROM mc WHERE id IN (''' || u || ''', NULL, ''' || md5('17') || ''')')
    FROM unnest(array['00000000-0000-0000-0000-000000000000',
        'ffffffff-ffff-ffff-ffff-ffffffffffff', '7fffffff-ffff-ffff-ffff-ffffffffffff',
        '80000000-0000-0000-0000-000000000000', md5('5')]) u;
SELECT same('SELECT id FROM mc ORDER BY id', '{index,indexonly}'),
    same('SELECT id FROM mc WHERE id IS NULL'),
    same('SELECT id FROM mc WHERE id > ''ffffffff-ffff-ffff-ffff-ffffffffffff''');
DELETE FROM mc WHERE device % 3 = 1;
VACUUM mc;
SELECT omendb_check('mc_id', true), same('SELECT id FROM mc ORDER BY id DESC', '{index,indexonly}');
DROP INDEX mc_id;

-- A build with little memory, sorted on disk, and inserts after it; with NULLs.
SET maintenance_work_mem = '1MB';
CREATE INDEX mc_spilled ON mc USING learned (big, id, ts DESC);
CREATE INDEX mc_spilled1 ON mc USING learned (big DESC);
RESET maintenance_work_mem;
INSERT INTO mc SELECT i % 40, timestamptz '2024-01-03 00:00+00' + i * interval '1 second', i % 7,
    md5(i::text)::uuid, nullif(i % 1009, 3) FROM generate_series(1, 20000) i;
VACUUM mc;
SELECT omendb_check('mc_spilled', true), omendb_check('mc_spilled1', true),
    same('SELECT big, id, ts FROM mc WHERE big = 17
    AND id > ''80000000-0000-0000-0000-000000000000'''),
    same('SELECT big FROM mc WHERE big IS NULL');
-- Joins on two columns: nested loop and merge join.
CREATE TABLE mc_probe AS SELECT device, kind, count(*) n FROM mc GROUP BY device, kind;
CREATE INDEX mc_two ON mc USING learned (device, kind);
CREATE INDEX mc_probe_two ON mc_probe USING learned (device, kind);
VACUUM ANALYZE mc, mc_probe;
SET enable_hashjoin = off; SET enable_seqscan = off; SET enable_bitmapscan = off;
SET enable_mergejoin = off;
SELECT count(*), sum(n) FROM mc_probe JOIN mc USING (device, kind);
SET enable_mergejoin = on; SET enable_nestloop = off; SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT count(*), sum(n) FROM mc_probe JOIN mc USING (device, kind);
SELECT count(*), sum(n) FROM mc_probe JOIN mc USING (device, kind);
SELECT count(*) FROM mc a JOIN mc b USING (device, kind) WHERE device = 3;
RESET ALL;
DROP TABLE mc, mc_probe;
DROP PROCEDURE mc_try;
