-- The schemas test's functions: random keys of 1 to 8 columns of random types, orders and NULLs,
-- some with included columns; random changes; random queries by the learned index, by btree and by
-- a sequential scan. The random numbers come from setseed() in schemas.sh.

CREATE TABLE types (type text PRIMARY KEY, words int, flagged bool, family text, extremes text[]);
INSERT INTO types VALUES
    ('bool', 1, false, 'bool', '{false,true}'), ('"char"', 1, false, 'char', '{A,z,\\377}'),
    ('int2', 1, false, 'int', '{-32768,32767}'),
        ('int4', 1, false, 'int', '{-2147483648,2147483647}'),
    ('int8', 1, true, 'int',
        '{-9223372036854775808,9223372036854775807,-9223372036854775807,9223372036854775806}'),
    ('oid', 1, false, 'oid', '{0,4294967295}'),
        ('xid8', 1, true, 'xid8', '{0,18446744073709551615}'),
    ('pg_lsn', 1, true, 'lsn', '{0/0,FFFFFFFF/FFFFFFFF}'), ('money', 1, true, 'money',
        '{-92233720368547758.08,92233720368547758.07}'),
    ('float4', 1, false, 'float', '{-Infinity,Infinity,NaN,1e-45,-3.4e38}'),
        ('float8', 1, false, 'float', '{-Infinity,Infinity,NaN,5e-324,-1.7e308}'),
    ('date', 1, false, 'time', '{-infinity,infinity,4713-01-01 BC,5874897-12-31}'),
    ('timestamp', 1, false, 'time',
        '{-infinity,infinity,4713-01-01 00:00 BC,294276-12-30 23:59:59.999999}'),
    ('timestamptz', 1, false, 'time',
        '{-infinity,infinity,4713-01-02 00:00+00 BC,294276-12-30 23:59:59.999999+00}'),
    ('time', 1, false, 'timeofday', '{00:00,24:00}'), ('macaddr', 1, false, 'mac',
        '{00:00:00:00:00:00,ff:ff:ff:ff:ff:ff}'),
    ('macaddr8', 1, true, 'mac8', '{00:00:00:00:00:00:00:00,ff:ff:ff:ff:ff:ff:ff:ff}'),
    ('uuid', 2, true, 'uuid',
        '{00000000-0000-0000-0000-000000000000,ffffffff-ffff-ffff-ffff-ffffffffffff,
          ffffffff-ffff-ffff-0000-000000000000}');
-- The columns of the schema at hand: how many different values, how many NULLs. The last ones may
-- be included.
CREATE TABLE shape (n int PRIMARY KEY, type text, options text, variety int, nulls float8,
    included bool);

CREATE FUNCTION random_of(list text[]) RETURNS text LANGUAGE sql AS $$
    SELECT list[1 + floor(random() * cardinality(list))::int] $$;

-- A random value as text, or NULL.
CREATE FUNCTION random_value(type text, variety int, nulls float8) RETURNS text LANGUAGE plpgsql
    AS $$
DECLARE x int8 := floor(random() * variety); kind float8 := random();
BEGIN
    IF kind < nulls THEN RETURN NULL; END IF;
    IF kind > 0.98 THEN RETURN random_of((SELECT t.extremes FROM types t
        WHERE t.type = random_value.type)); END IF;
    RETURN CASE type
        WHEN 'bool' THEN (x % 2 = 0)::text WHEN '"char"' THEN chr(65 + (x % 50)::int) WHEN 'int2'
            THEN ((x - 2) % 30000)::text
        WHEN 'int4' THEN (x - 2)::text WHEN 'int8' THEN CASE WHEN variety % 2 = 0 THEN x - 2
            ELSE x * 922337203685 END::text
        WHEN 'oid' THEN x::text WHEN 'xid8' THEN x::text WHEN 'pg_lsn'
            THEN to_hex(x) || '/' || to_hex(x * 17) WHEN 'money' THEN (x - 2)::text
        WHEN 'float4' THEN ((x - 2) * 0.5 + 0.25)::text WHEN 'float8'
            THEN ((x - 2) * 0.5 + 0.25)::text
        WHEN 'date' THEN (date '2024-01-01' + x::int)::text WHEN 'time'
            THEN (time '01:00' + x * interval '1 s')::text
        WHEN 'timestamp' THEN (timestamp '2024-03-10 01:40' + x * interval '1 min')::text
            WHEN 'timestamptz' THEN (timestamptz '2024-03-10 01:40' + x * interval '1 min')::text
        WHEN 'macaddr' THEN lpad(to_hex(x), 12, '0') WHEN 'macaddr8' THEN lpad(to_hex(x), 16, '0')
        ELSE CASE WHEN variety % 2 = 0 THEN lpad(to_hex(x), 32, '0') ELSE md5(x::text) END END;
END $$;

-- "c1, c2, c3", or with a suffix for each.
CREATE FUNCTION columns(most int DEFAULT 8, before text DEFAULT '', backward bool DEFAULT NULL)
    RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(before || 'c' || n || CASE WHEN backward IS NULL THEN '' ELSE ' ' || CASE
        WHEN NOT backward THEN options
        ELSE CASE WHEN options LIKE 'DESC%' THEN 'ASC' ELSE 'DESC'
            END || CASE WHEN options LIKE '%FIRST' THEN ' NULLS LAST' ELSE ' NULLS FIRST' END END
            END, ', ' ORDER BY n)
    FROM shape WHERE n <= most $$;

-- "(c1 DESC NULLS FIRST, c2 ASC NULLS LAST) INCLUDE (c3)".
CREATE FUNCTION definition() RETURNS text LANGUAGE sql AS $$
    SELECT format('(%s)', columns(count(*) FILTER (WHERE NOT included)::int, '', false))
        || coalesce(' INCLUDE (' || string_agg('c' || n, ', ' ORDER BY n) FILTER (WHERE included)
        || ')', '') FROM shape $$;

-- Random rows into a table.
CREATE PROCEDURE fill(t text, rows int) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO %I SELECT %s, i FROM generate_series(1, %s) i', t,
        (SELECT string_agg(format('random_value(%L, CASE WHEN i < 0 THEN 0 ELSE %s END, %s)::%s',
            type, variety, nulls, type), ', ' ORDER BY n) FROM shape), rows);
END $$;

-- A new schema of `count` columns and its three tables, with indexes over some rows or none.
CREATE PROCEDURE new_schema(count int, am text, rows int) LANGUAGE plpgsql AS $$
DECLARE keys int;
BEGIN
    SET LOCAL client_min_messages = warning;
    LOOP
        TRUNCATE shape;
        keys := CASE WHEN random() < 0.5 THEN count ELSE 1 + (random() * (count - 1))::int END;
        INSERT INTO shape SELECT i, random_of(array(SELECT type FROM types ORDER BY type)),
            random_of('{ASC,DESC}') || random_of('{" NULLS FIRST"," NULLS LAST"}'),
            random_of('{2,5,40,301,20000}')::int, random_of('{0,0,0.05,0.4}')::float8, i > keys
                FROM generate_series(1, count) i;
        -- As many words as an index may have: one more for NULLs of some types, except in the last
        -- column and in included ones.
        EXIT WHEN (SELECT sum(words + CASE WHEN flagged AND n < count AND NOT included THEN 1 ELSE 0
            END) FROM shape JOIN types USING (type)) <= 8;
    END LOOP;
    DROP TABLE IF EXISTS s_learned, s_btree, s_none, s_batch;
    EXECUTE format('CREATE TABLE s_none (%s, id int)',
        (SELECT string_agg(format('c%s %s', n, type), ', ' ORDER BY n) FROM shape));
    CALL fill('s_none', rows);
    CREATE TABLE s_learned AS TABLE s_none;
    CREATE TABLE s_btree AS TABLE s_none;
    CREATE TABLE s_batch AS TABLE s_none WITH NO DATA;
    EXECUTE format('CREATE INDEX s_learned_k ON s_learned USING %s %s', am, definition());
    EXECUTE format('CREATE INDEX s_btree_k ON s_btree USING btree %s', definition());
END $$;

-- The same random change to all tables.
CREATE PROCEDURE change_schema(round int, size int) LANGUAGE plpgsql AS $$
DECLARE t text; kind float8 := random(); part int := 2 + (random() * 9)::int;
BEGIN
    TRUNCATE s_batch;
    CALL fill('s_batch', size);
    UPDATE s_batch SET id = id + round * 100000;
    FOREACH t IN ARRAY '{s_learned,s_btree,s_none}'::text[] LOOP
        EXECUTE format('INSERT INTO %I SELECT * FROM s_batch ORDER BY %s', t,
            CASE WHEN kind < 0.5 THEN 'id' ELSE columns(8, '', kind < 0.7) END);
        EXECUTE format('DELETE FROM %I WHERE id %% %s = 0', t, part);
        EXECUTE format('UPDATE %I d SET (%s) = (SELECT %s FROM s_batch b WHERE b.id = d.id + 100000)
            WHERE id %% 13 = 5 AND id + 100000 IN (SELECT id FROM s_batch)', t, columns(),
            columns());
    END LOOP;
END $$;

-- A random condition on column c`i`; `own`: constants of its own type only.
CREATE FUNCTION random_on(i int, own bool) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    s shape := (SELECT s FROM shape s WHERE s.n = i); kind float8 := random(); x text; y text;
        other text;
    ops text[] := CASE s.type WHEN 'bool' THEN '{<,<=,>=,>}' ELSE '{=,=,=,<,<=,>=,>}' END;
BEGIN
    EXECUTE format('SELECT c%s::text FROM s_none OFFSET %s LIMIT 1', i,
        floor(random() * (SELECT count(*) FROM s_none))) INTO x;
    IF x IS NULL OR random() < 0.3 THEN x := random_value(s.type, s.variety, 0); END IF;
    y := random_value(s.type, s.variety, 0);
    other := CASE WHEN own OR random() < 0.7 THEN s.type
        ELSE random_of(CASE (SELECT family FROM types WHERE type = s.type)
        WHEN 'int' THEN '{int8}' WHEN 'float' THEN '{float4,float8}' WHEN 'time'
            THEN '{timestamp,timestamptz}' ELSE array[s.type] END) END;
    IF s.type = 'float8' AND other = 'float4' AND x ~ 'e' THEN other := 'float8'; END IF;
    IF s.type = 'date' AND (x ~ 'BC' OR x ~ '^\d{5}') THEN other := 'date'; END IF;
    x := format('%L::%s', x, other); y := format('%L::%s', y, s.type);
    RETURN CASE
        WHEN kind < 0.50 THEN format('c%s %s %s', i, random_of(ops), x)
        WHEN kind < 0.65 THEN format('c%s BETWEEN least(%s, %s) AND greatest(%2$s, %3$s)', i, y,
            format('%L::%s', random_value(s.type, s.variety, 0), s.type))
        WHEN kind < 0.82 THEN format('c%s IN (%s)', i,
            (SELECT string_agg(coalesce(format('%L::%s', random_value(s.type, s.variety, 0.05),
            s.type), 'NULL'), ', ') FROM generate_series(1, 2 + (random() * random() * 30)::int)))
        WHEN kind < 0.86 THEN format('c%s %s ANY (array[%s, %s])', i, random_of(ops), y,
            format('%L::%s', random_value(s.type, s.variety, 0), s.type))
        WHEN kind < 0.91 THEN format('c%s IS NULL', i)
        WHEN kind < 0.96 THEN format('c%s IS NOT NULL', i)
        ELSE format('c%s %s %s AND c%1$s %s %s', i, random_of(ops), x, random_of(ops), y) END;
END $$;

-- Random conditions: mostly on the first columns, sometimes on any.
CREATE FUNCTION random_conditions(own bool) RETURNS text LANGUAGE plpgsql AS $$
DECLARE count int := (SELECT count(*) FROM shape); chosen text;
BEGIN
    SELECT string_agg(random_on(n, own), ' AND ' ORDER BY random()) INTO chosen
        FROM (SELECT n FROM shape WHERE n <= 1 + random() * random() * count OR random() < 0.2) q;
    RETURN coalesce(chosen, random_on(1, own));
END $$;

-- How often a kind of plan was wanted and had.
CREATE TABLE tally (kind text PRIMARY KEY, wanted int, had int);

-- A query's rows, by an index scan of this kind wherever the planner has one.
CREATE FUNCTION rows_of(kind text, query text) RETURNS text[] LANGUAGE plpgsql
    SET enable_seqscan = on SET enable_indexscan = on SET enable_indexonlyscan = on
        SET enable_bitmapscan = on SET enable_sort = on AS $$
DECLARE line text; plan text := ''; result text[];
BEGIN
    PERFORM set_config('enable_seqscan', (kind = 'seq')::text, true),
        set_config('enable_bitmapscan', (kind = 'bitmap')::text, true),
            set_config('enable_indexscan', (kind IN ('index', 'indexonly'))::text, true),
                set_config('enable_indexonlyscan', (kind = 'indexonly')::text, true),
            set_config('enable_sort', (kind IN ('seq', 'bitmap'))::text, true);
    IF kind <> 'seq' THEN
        FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP plan := plan || line; END LOOP;
        INSERT INTO tally VALUES (kind, 1, (plan ~ 's_(learned|btree)_k')::int) ON CONFLICT
            ON CONSTRAINT tally_pkey DO UPDATE SET wanted = tally.wanted + 1,
            had = tally.had + excluded.had;
    END IF;
    EXECUTE format('SELECT coalesce(array_agg(q::text %s), ''{}'') FROM (%s) q',
        CASE WHEN query ~* 'order by' THEN '' ELSE 'ORDER BY q::text' END, query) INTO result;
    RETURN result;
END $$;

CREATE FUNCTION expect(what text, truth text[], got text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF got IS DISTINCT FROM truth THEN
        RAISE EXCEPTION 'DIFFERENT ROWS: %', what
            USING DETAIL = format('%s rows found, %s expected; index: %s', cardinality(got),
            cardinality(truth),
            (SELECT indexdef FROM pg_indexes WHERE indexname = 's_learned_k'))
                || (SELECT format('; first difference: %s instead of %s', got[i], truth[i])
            FROM generate_subscripts(truth || got, 1) i WHERE got[i] IS DISTINCT FROM truth[i]
                ORDER BY i LIMIT 1);
    END IF;
END $$;

-- Walks a cursor up and down as `seed` says and returns what was fetched.
CREATE FUNCTION walk_schema(query text, kind text, seed int) RETURNS text[] LANGUAGE plpgsql
    SET enable_seqscan = on SET enable_indexscan = on SET enable_indexonlyscan = on
        SET enable_bitmapscan = off SET enable_sort = on AS $$
DECLARE c refcursor; r record; seen text[] := '{}'; move int8; n int;
BEGIN
    PERFORM set_config('enable_seqscan', (kind = 'seq')::text, true),
        set_config('enable_sort', (kind = 'seq')::text, true),
            set_config('enable_indexscan', (kind <> 'seq')::text, true),
                set_config('enable_indexonlyscan', (kind = 'indexonly')::text, true);
    OPEN c SCROLL FOR EXECUTE query;
    FOR step IN 1 .. 25 LOOP
        move := abs(hashint8extended(step, seed));
        n := move / 16 % 40;
        CASE move % 6
            WHEN 0, 1 THEN FOR i IN 0 .. n LOOP FETCH NEXT FROM c
                INTO r; seen := seen || coalesce(r::text, '-'); END LOOP;
            WHEN 2, 3 THEN FOR i IN 0 .. n LOOP FETCH PRIOR FROM c
                INTO r; seen := seen || coalesce(r::text, '-'); END LOOP;
            WHEN 4 THEN FETCH RELATIVE n * 20 - 300 FROM c INTO r;
            ELSE FETCH LAST FROM c INTO r;
        END CASE;
        seen := seen || coalesce(r::text, '-');
    END LOOP;
    CLOSE c;
    RETURN seen;
END $$;

-- Random queries, each by a sequential scan, by the learned index in all ways, now and then by
-- btree.
CREATE PROCEDURE query_schema(number int) LANGUAGE plpgsql AS $$
DECLARE
    count int := (SELECT count(*) FROM shape); keys int := (SELECT count(*) FROM shape
        WHERE NOT included); query text; truth text[]; kind text; part int; conditions text;
        seed int; joined text;
BEGIN
    FOR i IN 1 .. number LOOP
        conditions := random_conditions(false);
        CASE i % 5
        WHEN 0, 1 THEN
            query := format('SELECT %s FROM %%s WHERE %s', columns() || CASE WHEN i % 5 = 0
                THEN ', id' ELSE '' END, conditions);
        WHEN 2, 3 THEN    -- in order, both directions
            conditions := random_conditions(true);
            part := 1 + (random() * (keys - 1))::int;
            query := format('SELECT %s FROM %%s WHERE %s ORDER BY %s', columns(part),
                CASE WHEN random() < 0.2 THEN 'true' ELSE conditions
                END, columns(part, '', random() < 0.5))
                || CASE WHEN random() < 0.7 THEN ' LIMIT ' || (random() * random() * 200)::int
                    ELSE '' END || CASE WHEN random() < 0.2 THEN ' OFFSET ' || (random() * 50)::int
                    ELSE '' END;
        ELSE              -- rescans with other keys, NULLs among them
            part := 1 + (random() * (keys - 1))::int;
            query := format('SELECT b.id, q.* FROM (SELECT * FROM s_batch WHERE id %% 37 = %s) b,
                LATERAL (SELECT %s FROM %%s t WHERE %s ORDER BY %s LIMIT 3) q ORDER BY b.id, %s',
                i % 37, columns(count, 't.'),
                (SELECT string_agg(format('t.c%s %s b.c%1$s', n,
                    CASE WHEN n < part THEN '=' ELSE random_of('{<,<=,>=,>}')
                    END), ' AND ') FROM shape WHERE n <= part),
                columns(count, 't.', random() < 0.5), columns(count, 'q.'));
            query := replace(replace(query, '%', '%%'), '%%s', '%s');
        END CASE;
        IF i % 5 <> 4 THEN query := replace(replace(query, '%', '%%'), '%%s', '%s'); END IF;
        truth := rows_of('seq', format(query, 's_none'));
        FOREACH kind IN ARRAY CASE WHEN i % 5 < 2 THEN '{index,indexonly,bitmap}'
            ELSE '{index,indexonly}' END::text[] LOOP
            PERFORM expect(kind || ': ' || query, truth, rows_of(kind, format(query, 's_learned')));
        END LOOP;
        IF i % 10 = 2 THEN PERFORM expect('btree: ' || query, truth,
            rows_of('index', format(query, 's_btree'))); END IF;
    END LOOP;
    -- Cursors.
    FOR i IN 1 .. 2 LOOP
        seed := (random() * 1000000)::int;
        query := format('SELECT %s FROM %%s WHERE %s ORDER BY %s', columns(),
            CASE WHEN i = 1 THEN 'true' ELSE replace(random_conditions(true), '%', '%%')
            END, columns(8, '', random() < 0.5));
        truth := walk_schema(format(query, 's_none'), 'seq', seed);
        PERFORM expect(format('cursor, seed %s: %s', seed, query), truth,
            walk_schema(format(query, 's_learned'), 'index', seed));
        PERFORM expect(format('cursor, seed %s: %s', seed, query), truth,
            walk_schema(format(query, 's_learned'), 'indexonly', seed));
    END LOOP;
    -- Merge joins: mark and restore.
    joined := (SELECT string_agg(format('a.c%s = b.c%1$s', n), ' AND ') FROM shape
        WHERE n <= 1 + random() * 2);
    query := format('SELECT count(*), sum(a.id::int8 * b.id) FROM %%1$s a JOIN %%1$s b ON %s
        WHERE a.id %% 7 = 1 AND b.id %% 5 = 1', joined);
    query := replace(query, ' % ', ' %% ');
    truth := rows_of('seq', format(query, 's_none'));
    SET LOCAL enable_hashjoin = off; SET LOCAL enable_nestloop = off;
        SET LOCAL enable_material = off;
    PERFORM expect(query, truth, rows_of('index', format(query, 's_learned')));
    SET LOCAL enable_hashjoin = on; SET LOCAL enable_nestloop = on; SET LOCAL enable_material = on;
END $$;
