-- The other key types, each compared with the server's own comparison.
SET client_min_messages = warning;
-- Values of each type as text: its extremes, equal values that are written differently, and many in
-- between.
CREATE TABLE tm_values (type text, v text);
INSERT INTO tm_values SELECT 'bool', unnest('{true,false}'::text[]);
INSERT INTO tm_values SELECT '"char"',
    unnest(array[''] || array(SELECT chr(i) FROM generate_series(1, 126) i WHERE i <> 92)
    || '{\\200,\\377}'::text[]);
INSERT INTO tm_values SELECT 'oid', unnest('{0,1,2147483647,2147483648,4294967295}'::text[]
    || array(SELECT (i::int8 * 1431655)::text FROM generate_series(1, 2999) i));
INSERT INTO tm_values SELECT t,
    unnest('{0,1,9223372036854775807,9223372036854775808,18446744073709551615}'::text[]
    || array(SELECT (i::numeric * 6148914691236517)::text FROM generate_series(1, 2999) i))
    FROM unnest('{xid8}'::text[]) t;
INSERT INTO tm_values SELECT 'pg_lsn',
    unnest('{0/0,0/1,7FFFFFFF/FFFFFFFF,80000000/0,FFFFFFFF/FFFFFFFF}'::text[]
    || array(SELECT to_hex(i::int8 * 1431655) || '/' || to_hex(i * 7919)
    FROM generate_series(1, 2999) i));
INSERT INTO tm_values SELECT 'money', unnest('{-92233720368547758.08,92233720368547758.07,0,-0.01,
    0.01}'::text[] || array(SELECT ((i - 1500) * 12345.67)::text FROM generate_series(1, 2999) i));
INSERT INTO tm_values SELECT t, unnest('{NaN,Infinity,-Infinity,0,-0,1e-37,-1e-37,3.4e38,-3.4e38,
    1e-45,-1e-45,0.1,-0.1,1}'::text[] || array(SELECT ((i - 1500) * 0.37)::text
    FROM generate_series(1, 2999) i))
    FROM unnest('{float4,float8}'::text[]) t;
INSERT INTO tm_values SELECT 'float8',
    unnest('{5e-324,-5e-324,1.7976931348623157e308,-1.7976931348623157e308}'::text[]);
INSERT INTO tm_values SELECT 'time', unnest('{00:00,24:00,23:59:59.999999,00:00:00.000001}'::text[]
    || array(SELECT (time '00:00' + i * interval '28.7 s')::text FROM generate_series(1, 2999) i));
INSERT INTO tm_values SELECT 'macaddr',
    unnest('{00:00:00:00:00:00,ff:ff:ff:ff:ff:ff,7f:ff:ff:ff:ff:ff,80:00:00:00:00:00}'::text[]
    || array(SELECT substr(md5(i::text), 1, 12) FROM generate_series(1, 2999) i));
INSERT INTO tm_values SELECT 'macaddr8', unnest('{00:00:00:00:00:00:00:00,ff:ff:ff:ff:ff:ff:ff:ff,
    7f:ff:ff:ff:ff:ff:ff:ff,80:00:00:00:00:00:00:00}'::text[]
    || array(SELECT substr(md5(i::text), 1, 16) FROM generate_series(1, 2999) i));
INSERT INTO tm_values SELECT 'uuid',
    unnest('{00000000-0000-0000-0000-000000000000,ffffffff-ffff-ffff-ffff-ffffffffffff,
    7fffffff-ffff-ffff-ffff-ffffffffffff,80000000-0000-0000-0000-000000000000,
    00000000-0000-0000-ffff-ffffffffffff,00000000-0000-0001-0000-000000000000}'::text[]
    || array(SELECT md5(i::text) FROM generate_series(1, 2999) i));

-- All comparisons with values of the table and with their neighbours, in all orders. Index-only
-- scans return the same bytes.
CREATE PROCEDURE try_type(type text, options text, kinds text[]) LANGUAGE plpgsql AS $$
DECLARE x text; op text; plain text[] := array_remove(kinds, 'bitmap');
BEGIN
    DROP TABLE IF EXISTS tm;
    EXECUTE format('CREATE TABLE tm (k %s, id int)', type);
    -- Half of the rows before the index is created, half after it, in another order.
    EXECUTE format('INSERT INTO tm SELECT v::%s, row_number() OVER () FROM tm_values
        WHERE type = %L', type, type);
    INSERT INTO tm VALUES (NULL, -1);
    EXECUTE format('CREATE INDEX tm_k ON tm USING learned (k %s)', options);
    EXECUTE format('INSERT INTO tm SELECT v::%s, row_number() OVER () FROM tm_values WHERE type = %L
        ORDER BY md5(v)', type, type);
    INSERT INTO tm VALUES (NULL, -2);
    EXECUTE 'ANALYZE tm';
    FOR x IN SELECT v FROM (SELECT v, row_number() OVER () n FROM tm_values t
        WHERE t.type = try_type.type) q WHERE n <= 14 OR n > 2995 OR n % 500 = 0 LOOP
        -- The planner simplifies `k = true` to `k`. Servers before PostgreSQL 16 match that with
        -- indexes of their own access methods only.
        FOREACH op IN ARRAY CASE type WHEN 'bool' THEN '{<,<=,>=,>}'
            ELSE '{=,<,<=,>=,>}' END::text[] LOOP
            PERFORM same(format('SELECT k, id FROM tm WHERE k %s %L::%s', op, x, type),
                '{index,bitmap}');
            PERFORM same(format('SELECT k FROM tm WHERE k %s %L::%s', op, x, type), kinds);
        END LOOP;
        PERFORM same(format('SELECT k FROM tm WHERE k IN (%L::%s, %L)', x, type, '1'), kinds)
            WHERE type IN ('float4', 'float8', 'oid', 'xid8', 'money');
    END LOOP;
    PERFORM same('SELECT k FROM tm WHERE k IS NULL', kinds),
        same('SELECT k FROM tm WHERE k IS NOT NULL', kinds);
    -- Both zeroes are equal, and either may come first.
    PERFORM same(format('SELECT k FROM tm %s ORDER BY k %s', CASE WHEN type ~ 'float'
        THEN 'WHERE k IS NULL OR k <> 0' ELSE '' END, options), plain);
    PERFORM same('SELECT min(k::text) FROM tm WHERE k >= (SELECT k FROM tm WHERE id = 1 LIMIT 1)',
        '{index}');
    PERFORM omendb_check('tm_k', true);
END $$;
VACUUM ANALYZE tm_values;
DO $$
DECLARE t text; o text;
BEGIN
    FOREACH t IN ARRAY '{bool,"\"char\"",oid,xid8,pg_lsn,money,float4,float8,time,macaddr,macaddr8,
        uuid}'::text[] LOOP
        FOREACH o IN ARRAY '{ASC,"DESC NULLS LAST"}'::text[] LOOP
            CALL try_type(t, o, CASE WHEN t ~ 'float' THEN '{index,bitmap}'
                ELSE '{index,indexonly,bitmap}' END::text[]);
        END LOOP;
    END LOOP;
END $$;

-- Floating-point numbers of both widths against each other.
CREATE TABLE tm_float (s float4, d float8);
INSERT INTO tm_float SELECT v::float4, v::float8 FROM tm_values WHERE type = 'float4';
-- The NaN that the processor computes has another sign than the NaN that is read from text.
INSERT INTO tm_float SELECT v::float4 - v::float4, v::float8 - v::float8
    FROM unnest('{Infinity,-Infinity}'::text[]) v;
CREATE INDEX tm_float_s ON tm_float USING learned (s);
CREATE INDEX tm_float_d ON tm_float USING learned (d);
ANALYZE tm_float;
SELECT op, count(*) AS comparisons,
    sum(length(same(format('SELECT s FROM tm_float WHERE s %s %L::float8', op, x),
    '{index,bitmap}'))
      + length(same(format('SELECT d FROM tm_float WHERE d %s %L::float4', op, x),
          '{index,bitmap}'))) > 0 AS same
    FROM unnest('{=,<,<=,>=,>}'::text[]) op,
        unnest('{0.1,-0.1,0,-0,NaN,Infinity,-Infinity,0.37,1,3.3e38,1e-45}'::text[]) x GROUP BY op
        ORDER BY op;
-- No index-only scan if the entry does not tell -0 from 0.
SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT d FROM tm_float ORDER BY d;
SELECT d FROM tm_float WHERE d = 0 ORDER BY d::text;
RESET ALL;

-- Domains over these types.
SET client_min_messages = warning;
CREATE DOMAIN tm_celsius AS float8 CHECK (VALUE > -274);
CREATE TABLE tm_domain (c tm_celsius, r regclass);
INSERT INTO tm_domain SELECT i, 'pg_class' FROM generate_series(1, 1000) i;
CREATE INDEX tm_domain_c ON tm_domain USING learned (c);
CREATE INDEX tm_domain_r ON tm_domain USING learned (r);
ANALYZE tm_domain;
SELECT same('SELECT c FROM tm_domain WHERE c < 17.5', '{index,bitmap}'),
    same('SELECT c FROM tm_domain WHERE r = ''pg_class''::regclass', '{index,bitmap}');
-- Every operator class passes the server's own check.
SELECT opcname FROM pg_opclass o JOIN pg_am am ON am.oid = opcmethod WHERE amname = 'learned'
    AND NOT amvalidate(o.oid);
DROP TABLE tm, tm_values, tm_float, tm_domain;
DROP DOMAIN tm_celsius;
DROP PROCEDURE try_type;
