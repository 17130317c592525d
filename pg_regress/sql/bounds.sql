-- Each comparison of the operator families, also across types, must return by the index the rows
-- that it returns by a sequential scan: in plain, index-only and bitmap scans, with ascending and
-- descending indexes, with NULLs first and last, and in time zones with all kinds of changes.
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;

CREATE TABLE bounds_int (id serial, i2 int2, i4 int4, i8 int8);
INSERT INTO bounds_int (i2, i4, i8)
SELECT CASE WHEN v BETWEEN -32768 AND 32767 THEN v END, CASE
    WHEN v BETWEEN -2147483648 AND 2147483647 THEN v END, v
FROM (SELECT unnest('{-9223372036854775808,-9223372036854775807,-2147483649,-2147483648,-2147483647,
    -32769,-32768,-32767,-1,0,1,2,32766,32767,32768,2147483646,2147483647,2147483648,
    9223372036854775806,9223372036854775807}'::int8[]) AS v
      UNION ALL SELECT generate_series(-50, 50)
      UNION ALL SELECT NULL FROM generate_series(1, 3)) AS x;

CREATE TABLE bounds_time (id serial, d date, ts timestamp, tz timestamptz);
-- Around clock changes: New York, Casablanca, Apia (a whole day skipped), Kolkata (local mean
-- time), and others.
INSERT INTO bounds_time (ts)
SELECT t + n * interval '31 min 3 s'
FROM unnest('{2024-03-10 02:00, 2024-11-03 01:00, 2011-12-30, 2024-03-10 03:00, 2024-04-14 02:00,
    1906-01-01, 1883-11-18 12:00, 1912-01-01, 1945-09-01}'::timestamp[]) AS t,
     generate_series(-90, 90) AS n;
INSERT INTO bounds_time (ts)
SELECT unnest('{2024-03-10 02:00, 2024-03-10 02:30, 2024-03-10 03:00, 2024-03-10 03:30,
    2024-11-03 01:00, 2024-11-03 02:00, 2011-12-30, 2011-12-31, infinity, -infinity,
    4714-11-24 00:00:00 BC, 4714-11-24 12:00:00 BC, 294276-12-31 23:59:59.999999,
    294276-12-31 12:00, 2000-01-01, NULL, NULL}'::timestamp[]);
UPDATE bounds_time SET tz = ts WHERE ts = 'infinity' OR ts = '-infinity'
    OR ts BETWEEN '4713-01-01 BC' AND '294276-12-30';
UPDATE bounds_time SET d = ts;
INSERT INTO bounds_time (d)
SELECT unnest('{4714-11-24 BC, 4714-11-25 BC, 294276-12-31, 294277-01-01, 5874897-12-31, infinity,
    -infinity}'::date[]);

CREATE FUNCTION bounds_answer(tab text, what text, mode text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text;
BEGIN
    PERFORM set_config('enable_seqscan', (mode = 'seq')::text, true),
            set_config('enable_indexscan', (mode IN ('index', 'only'))::text, true),
            set_config('enable_indexonlyscan', (mode = 'only')::text, true),
            set_config('enable_bitmapscan', (mode = 'bitmap')::text, true);
    EXECUTE format(what, tab) INTO answer;
    RETURN answer;
END $$;

-- Counts the conditions tried, and shows those for which the rows differ.
CREATE FUNCTION bounds_check(tab text, col text, options text[], conditions text[])
    RETURNS TABLE (tried int, fault text) LANGUAGE plpgsql AS $$
DECLARE
    condition text; mode text; want text; got text; opts text; n int := 0; counts text; rows_ text;
BEGIN
    FOREACH opts IN ARRAY options LOOP
        EXECUTE format('CREATE INDEX bounds_index ON %I USING learned (%I %s)', tab, col, opts);
        FOREACH condition IN ARRAY conditions LOOP
            n := n + 1;
            rows_ := 'SELECT count(*) || '' '' || coalesce(sum(hashint4(id)), 0) FROM %I WHERE '
                || condition;
            counts := 'SELECT count(*) || '' '' || coalesce(sum(hashtext(' || col
                || '::text)), 0) FROM %I WHERE ' || condition;
            want := bounds_answer(tab, rows_, 'seq');
            FOREACH mode IN ARRAY '{index,bitmap}'::text[] LOOP
                got := bounds_answer(tab, rows_, mode);
                IF got IS DISTINCT FROM want THEN
                    fault := format('%s %s %s: %s instead of %s', opts, mode, condition, got, want);
                    RETURN NEXT;
                END IF;
            END LOOP;
            want := bounds_answer(tab, counts, 'seq');
            got := bounds_answer(tab, counts, 'only');
            IF got IS DISTINCT FROM want THEN
                fault := format('%s only %s: %s instead of %s', opts, condition, got, want);
                RETURN NEXT;
            END IF;
        END LOOP;
        DROP INDEX bounds_index;
    END LOOP;
    tried := n; fault := NULL;
    RETURN NEXT;
END $$;

-- Conditions with one key, with two (also contradictory and redundant ones), and with arrays.
CREATE FUNCTION bounds_conditions(col text, type text, keys text[]) RETURNS text[] LANGUAGE sql
    AS $$
    SELECT array_agg(c) FROM (
        SELECT format('%s %s %L::%s', col, op, k, type) AS c
        FROM unnest(keys) k, unnest('{<,<=,=,>=,>}'::text[]) op
        UNION ALL
        SELECT format('%1$s %3$s %4$L::%2$s AND %1$s %5$s %6$L::%2$s', col, type, op1, k1, op2, k2)
        FROM (SELECT keys[1 + i * 7 % cardinality(keys)] AS k1,
            keys[1 + i * 11 % cardinality(keys)] AS k2,
                     ('{<,<=,=,>=,>}'::text[])[1 + i % 5] AS op1,
                     ('{<,<=,=,>=,>}'::text[])[1 + i / 5 % 5] AS op2
              FROM generate_series(1, 40) AS i) AS pairs
        UNION ALL
        SELECT format('%s %s ANY (%L::%s[])', col, op, keys[i:i + 6] || NULL::text, type)
        FROM generate_series(1, cardinality(keys), 5) AS i, unnest('{<,<=,=,>=,>}'::text[]) op
        UNION ALL
        SELECT
            format('%1$s = ANY (%2$L::%3$s[]) AND %1$s = ANY (%4$L::%3$s[]) AND %1$s > %5$L::%3$s',
            col, keys[i:i + 6], type, keys[i + 2:i + 12], keys[i])
        FROM generate_series(1, cardinality(keys), 3) AS i
        UNION ALL
        SELECT unnest(ARRAY[format('%s IS NULL', col), format('%s IS NOT NULL', col),
            format('%s = NULL::%s', col, type),
            format('%s IS NULL AND %s = %L::%s', col, col, keys[1], type),
            format('%s = ANY (NULL::%s[])', col, type),
            format('%s = ANY (''{NULL}''::%s[])', col, type), format('%s = ANY (''{}''::%s[])', col,
                type)])
    ) AS x
$$;

VACUUM ANALYZE bounds_int, bounds_time;

SELECT c AS column, k AS key, f.*
FROM unnest('{i2,i4,i8}'::text[]) c, unnest('{int2,int4,int8}'::text[]) k,
     LATERAL bounds_check('bounds_int', c, '{"", DESC, NULLS FIRST, DESC NULLS LAST}',
         bounds_conditions(c, k,
        (SELECT array_agg(x::text) FROM unnest('{-9223372036854775808,-9223372036854775807,
            -2147483649,-2147483648,-32769,-32768,-32767,-7,0,1,40,32766,32767,32768,2147483646,
            2147483647,2147483648,9223372036854775806,9223372036854775807}'::int8[]) x
         WHERE k = 'int8' OR k = 'int4' AND abs(x + 0.5) < 2147483648 OR abs(x + 0.5) < 32768))) f;

CREATE TABLE bounds_zone (name text);
INSERT INTO bounds_zone VALUES ('UTC'), ('America/New_York'), ('Africa/Casablanca'),
    ('Pacific/Apia'), ('Asia/Kolkata'),
    ('Europe/London'), ('Australia/Lord_Howe'), ('<+05:30>-05:30'), ('-12:45'),
    ('EST5EDT,M3.2.0,M11.1.0');
CREATE FUNCTION bounds_zones(c text, k text) RETURNS TABLE (zone text, tried int, fault text)
    LANGUAGE plpgsql AS $$
BEGIN
    FOR zone IN SELECT name FROM bounds_zone LOOP
        PERFORM set_config('timezone', zone, true);
        FOR tried, fault IN SELECT f.* FROM bounds_check('bounds_time', c, '{NULLS FIRST}',
            bounds_conditions(c, k,
            '{2024-03-09 01:30,2024-03-10 01:59:59.999999,2024-03-10 02:30,2024-03-10 03:00,
                2024-03-10 03:10,2024-03-10 03:59:59.999999,2024-03-10 07:10,2024-11-03 00:59:59,
                2024-11-03 01:30,2024-11-03 02:00,2011-12-29 10:00,2011-12-29 23:59:59.999999,
                2011-12-30,2011-12-30 12:00,2011-12-31,2011-12-31 00:00:01,2024-04-14 01:30,
                2024-04-14 02:30,2024-04-14 03:30,1883-11-18 12:00,1883-11-18 11:58,
                1905-12-31 23:53,1906-01-01,1911-12-31 23:00,1945-09-01 00:30,infinity,-infinity,
                2000-01-01,2023-06-05 12:00}'::text[])) f LOOP
            RETURN NEXT;
        END LOOP;
    END LOOP;
END $$;
SELECT c AS column, k AS key, f.*
FROM (VALUES ('d', 'timestamptz'), ('ts', 'timestamptz'), ('tz', 'date'),
    ('tz', 'timestamp')) AS pairs(c, k),
     LATERAL bounds_zones(c, k) f;
-- The ends of the ranges of dates and timestamps.
SELECT c AS column, k AS key, zone, f.*
FROM unnest('{UTC,America/New_York}'::text[]) zone,
     LATERAL (SELECT set_config('timezone', zone, false)) s,
     (VALUES ('date', '{4714-11-24 BC,4714-11-25 BC,294276-12-31,294277-01-01,294277-01-02,
         5874897-12-31,infinity,-infinity}'::text[]),
             ('timestamp', '{4714-11-24 00:00:00 BC,4714-11-24 12:00:00 BC,4714-11-25 00:00:00 BC,
                 294276-12-31 00:00:00,294276-12-31 12:00,294276-12-31 23:59:59.999999,infinity,
                 -infinity}'),
             ('timestamptz', '{4714-11-24 00:00:00+00 BC,4714-11-24 12:00:00+00 BC,
                 4714-11-25 00:00:00+00 BC,294276-12-30 23:00+00,294276-12-31 00:00+00,
                 294276-12-31 23:59:59.999999+00,infinity,-infinity}')) AS ends(k, keys),
     unnest('{d,ts,tz}'::text[]) c,
     LATERAL bounds_check('bounds_time', c, '{"", DESC}', bounds_conditions(c, k, keys)) f;
RESET timezone;
DROP FUNCTION bounds_zones, bounds_conditions, bounds_check, bounds_answer;
DROP TABLE bounds_int, bounds_time, bounds_zone;
