-- All key types; operators across types.
SET client_min_messages = warning;
SET timezone = 'America/New_York';
CREATE TABLE ty (i2 int2, i4 int4, i8 int8, d date, t timestamp, z timestamptz);
INSERT INTO ty SELECT i % 300, i, i::int8 * 4294967296, date '2023-12-01' + i % 200,
    timestamp '2024-03-09 12:00' + i * interval '5 minutes',
                      timestamptz '2024-03-09 12:00' + i * interval '5 minutes'
                          FROM generate_series(0, 3999) i;
INSERT INTO ty VALUES (-32768, -2147483648, -9223372036854775808, '-infinity', '-infinity',
    '-infinity'),
                      (32767, 2147483647, 9223372036854775807, 'infinity', 'infinity', 'infinity'),
                      (NULL, NULL, NULL, NULL, NULL, NULL),
                      (0, 0, 0, '4713-01-01 BC', '4713-01-01 00:00:00 BC',
                          '4713-01-02 00:00:00+00 BC'),
                      (0, 0, 0, '5874897-12-31', '294276-12-31 23:59:59.999999',
                          '294276-12-31 23:59:59.999999+00');
CREATE INDEX ty_i2 ON ty USING learned (i2);
CREATE INDEX ty_i4 ON ty USING learned (i4);
CREATE INDEX ty_i8 ON ty USING learned (i8);
CREATE INDEX ty_d ON ty USING learned (d);
CREATE INDEX ty_t ON ty USING learned (t);
CREATE INDEX ty_z ON ty USING learned (z);
VACUUM ANALYZE ty;
SELECT omendb_check(i::regclass, true) FROM unnest('{ty_i2,ty_i4,ty_i8,ty_d,ty_t,ty_z}'::text[]) i;
SELECT c, same(format('SELECT %s FROM ty ORDER BY %1$s', c), '{index,indexonly}'),
    same(format('SELECT %s FROM ty ORDER BY %1$s DESC', c), '{index,indexonly}')
    FROM unnest('{i2,i4,i8,d,t,z}'::text[]) c;

-- The families have the operators and functions that nbtree's have for these types.
SELECT op.amopopr::regoperator, op.amopstrategy FROM pg_amop op JOIN pg_am am ON am.oid = amopmethod
    WHERE amname = 'btree' AND amopfamily IN (SELECT oid FROM pg_opfamily
        WHERE opfname IN ('integer_ops', 'datetime_ops') AND opfmethod = am.oid)
EXCEPT SELECT amopopr::regoperator, amopstrategy FROM pg_amop op JOIN pg_am am
    ON am.oid = amopmethod WHERE amname = 'learned' ORDER BY 1, 2;
SELECT opcname, opcintype::regtype, opcdefault FROM pg_opclass o JOIN pg_am am ON am.oid = opcmethod
    WHERE amname = 'learned'
    AND opcname IN ('int2_ops', 'int4_ops', 'int8_ops', 'date_ops', 'timestamp_ops',
        'timestamptz_ops') ORDER BY 1;
SELECT opcname FROM pg_opclass o JOIN pg_am am ON am.oid = opcmethod WHERE amname = 'learned'
    AND NOT amvalidate(o.oid);

-- Integers of other widths, within and beyond the column's range.
SELECT c, x, same(format('SELECT %s FROM ty WHERE %1$s = %s', c, x)) eq,
    same(format('SELECT %s FROM ty WHERE %1$s < %s', c, x)) lt,
       same(format('SELECT %s FROM ty WHERE %1$s <= %s', c, x)) le,
       same(format('SELECT %s FROM ty WHERE %1$s >= %s', c, x)) ge,
       same(format('SELECT %s FROM ty WHERE %1$s > %s', c, x)) gt
    FROM unnest('{i2,i4,i8}'::text[]) c,
        unnest('{5::int2,5,5::int8,''-32768''::int2,70000,''-70000''::int4,1099511627776,
        ''-1099511627776''::int8,32768::int4,2147483648::int8,
        ''-2147483648''::int4,''-9223372036854775808''::int8,9223372036854775807}'::text[]) x
    ORDER BY c, x;
-- Dates, timestamps and timestamps with time zone against each other, at infinities, and where the
-- clocks change.
SELECT c, x, same(format('SELECT %s FROM ty WHERE %1$s = %s', c, x)) eq,
    same(format('SELECT %s FROM ty WHERE %1$s < %s', c, x)) lt,
       same(format('SELECT %s FROM ty WHERE %1$s <= %s', c, x)) le,
       same(format('SELECT %s FROM ty WHERE %1$s >= %s', c, x)) ge,
       same(format('SELECT %s FROM ty WHERE %1$s > %s', c, x)) gt
    FROM unnest('{d,t,z}'::text[]) c,
        unnest('{date ''2024-03-10'',date ''2024-06-01'',date ''infinity'',date ''-infinity'',
        date ''5874897-12-31'',date ''4713-01-01 BC'',timestamp ''2024-03-10 02:30'',
        timestamp ''2024-03-10 00:00'',timestamp ''infinity'',timestamp ''-infinity'',
        timestamptz ''2024-03-10 03:10-04'',timestamptz ''2024-03-10 01:59-05'',
        timestamptz ''2024-03-10 00:00'',timestamptz ''infinity'',
        timestamptz ''-infinity''}'::text[]) x
    ORDER BY c, x;
SELECT same('SELECT t FROM ty WHERE t > timestamptz ''2024-03-10 02:00-05''
    AND t <= timestamptz ''2024-03-10 04:00-04'''),
       same('SELECT t FROM ty WHERE t BETWEEN timestamptz ''2024-03-10 01:00-05''
           AND timestamptz ''2024-03-10 03:30-04'' ORDER BY t DESC', '{index,indexonly}'),
       same('SELECT z FROM ty WHERE z BETWEEN date ''2024-03-10''
           AND timestamp ''2024-03-10 03:30'''),
       same('SELECT z FROM ty WHERE z >= timestamp ''2024-03-10 02:30'' AND z < date ''2024-03-11''
           ORDER BY z', '{index,indexonly}');
-- Where the clocks go back, and in another zone with the same index.
CREATE TABLE ty_fall (t timestamp, d date);
INSERT INTO ty_fall SELECT t, t::date FROM generate_series(timestamp '2024-11-03 00:00',
    '2024-11-03 04:00', '1 minute') t;
CREATE INDEX ty_fall_t ON ty_fall USING learned (t);
CREATE INDEX ty_fall_d ON ty_fall USING learned (d);
VACUUM ANALYZE ty_fall;
SELECT op, x, same(format('SELECT t FROM ty_fall WHERE t %s %L::timestamptz', op, x)),
    same(format('SELECT d FROM ty_fall WHERE d %s %L::timestamptz', op, x))
    FROM unnest('{=,<,<=,>=,>}'::text[]) op,
        unnest('{2024-11-03 01:30-04,2024-11-03 01:30-05,2024-11-03 01:00-05,2024-11-03 02:00-05,
        2024-11-03 00:00-04}'::text[]) x;
SET timezone = 'Australia/Lord_Howe';
SELECT op, same(format('SELECT t FROM ty WHERE t %s timestamptz ''2024-03-10 03:10-04''', op)),
    same(format('SELECT z FROM ty WHERE z %s timestamp ''2024-03-10 03:10''', op))
    FROM unnest('{=,<,<=,>=,>}'::text[]) op;
-- The index is used across types.
SET enable_seqscan = off; SET enable_bitmapscan = off; SET timezone = 'UTC';
EXPLAIN (COSTS OFF) SELECT i8 FROM ty WHERE i8 = 5;
EXPLAIN (COSTS OFF) SELECT i2 FROM ty WHERE i2 > 5 AND i2 < 9::int8;
EXPLAIN (COSTS OFF) SELECT z FROM ty WHERE z > date '2024-03-10';
EXPLAIN (COSTS OFF) SELECT t FROM ty WHERE t < timestamptz '2024-03-10 00:00+00';
EXPLAIN (COSTS OFF) SELECT d FROM ty WHERE d = timestamp '2024-03-10';
-- Joins across types.
SET enable_hashjoin = off; SET enable_mergejoin = off;
SELECT count(*) FROM ty a JOIN ty b ON a.i4 = b.i2;
SELECT count(*) FROM ty a JOIN ty b ON a.z = b.d;
SELECT count(*) FROM ty a JOIN ty b ON a.d = b.t;
DROP TABLE ty, ty_fall;
