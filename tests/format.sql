-- The tables whose indexes are kept in tests/format/. The same rows lie in the same places on every
-- server: one session writes them, autovacuum is off, and no value depends on the clock.
SET timezone = 'UTC';

-- Keys near a line, later keys between them, deleted entries: runs, insert logs, tombstones.
CREATE TABLE format_int8 (k int8, v int4);
INSERT INTO format_int8 SELECT i * 1000 + hashint8(i) % 500, i FROM generate_series(1, 20000) i;
CREATE INDEX format_int8_index ON format_int8 USING learned (k);
INSERT INTO format_int8 SELECT abs(hashint8(i)::int8) % 20000000, -i FROM generate_series(1, 400) i;
DELETE FROM format_int8 WHERE v % 11 = 0;
VACUUM format_int8;
INSERT INTO format_int8 SELECT 20001000 + i, i FROM generate_series(1, 100) i;

-- Devices and descending times with NULLs, the order of time series.
CREATE TABLE format_times (device int4, ts timestamptz, v int4);
INSERT INTO format_times
    SELECT i % 50, CASE WHEN i % 97 > 0
        THEN timestamptz '2024-01-01' + i * interval '7 seconds' END, i
    FROM generate_series(1, 10000) i;
CREATE INDEX format_times_index ON format_times USING learned (device, ts DESC);
INSERT INTO format_times SELECT i % 50, timestamptz '2024-02-01' + i * interval '1 hour', i
    FROM generate_series(1, 300) i;

-- Words of other kinds: two a column, floats, included columns, a unique index.
CREATE TABLE format_types (u uuid, f float8, d date, s int2, n int4);
INSERT INTO format_types
    SELECT md5(i::text)::uuid, CASE i % 40 WHEN 0 THEN 'NaN' WHEN 1 THEN '-0' WHEN 2 THEN NULL
        ELSE hashint4(i) / 7.0 END, date '2000-01-01' + i % 3000, i % 300, i
    FROM generate_series(1, 1500) i;
SET omendb.allow_unique = on;
CREATE UNIQUE INDEX format_types_index ON format_types USING learned (u) INCLUDE (n);
CREATE INDEX format_types_float_index ON format_types USING learned (f, d DESC NULLS LAST, s);
