-- The differential test's functions: the same random changes to three tables (learned, btree, no
-- index), the same random queries, the same rows expected. The random numbers come from setseed()
-- in differential.sh.

-- A random key as text: dense, ascending, wide, extreme, or NULL.
CREATE FUNCTION random_key(type text, step int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    kind float8 := random();
    x int8 := CASE WHEN kind < 0.4 THEN floor(random() * 2000)::int8 WHEN kind < 0.8
        THEN 1000 + step::int8 * 20 + floor(random() * 40)::int8
                   ELSE floor((random() - 0.5) * 4e12)::int8 END;
    unit interval := CASE WHEN abs(x) < 10000000 THEN '1 second' ELSE '1 millisecond'
        END;   -- across the hour that clocks skip
BEGIN
    IF kind > 0.99 THEN
        RETURN (CASE type WHEN 'int2' THEN '{-32768,32767}' WHEN 'int4'
            THEN '{-2147483648,2147483647}'
                          WHEN 'int8' THEN '{-9223372036854775808,9223372036854775807}'
                              ELSE '{-infinity,infinity}'
                              END::text[])[1 + (random() * 1.99)::int % 2];
    ELSIF kind > 0.95 THEN
        RETURN NULL;
    END IF;
    RETURN CASE type WHEN 'int2' THEN (x % 32768)::text WHEN 'int4' THEN (x % 2147483648)::text
        WHEN 'int8' THEN x::text
                     WHEN 'date' THEN (date '2024-01-01' + (x % 500000)::int)::text
                     WHEN 'timestamp' THEN (timestamp '2024-03-10 01:40' + x * unit)::text
                     ELSE (timestamptz '2024-03-10 01:40' + x * unit)::text END;
END $$;

CREATE PROCEDURE make_tables(type text, options text, am text, rows int) LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL client_min_messages = warning;
    DROP TABLE IF EXISTS d_learned, d_btree, d_none, d_batch;
    EXECUTE format('CREATE TABLE d_none (k %s, id int)', type);
    EXECUTE format('CREATE TABLE d_batch (k %s, id int)', type);
    EXECUTE format('INSERT INTO d_none SELECT random_key(%L, i)::%s, i
        FROM generate_series(1, %s) i', type, type, rows);
    CREATE TABLE d_learned AS TABLE d_none;
    CREATE TABLE d_btree AS TABLE d_none;
    EXECUTE format('CREATE INDEX d_learned_k ON d_learned USING %s (k %s)', am, options);
    EXECUTE format('CREATE INDEX d_btree_k ON d_btree USING btree (k %s)', options);
END $$;

-- The same random changes to all three tables.
CREATE PROCEDURE change(type text, options text, round int, size int) LANGUAGE plpgsql AS $$
DECLARE t text; what float8; a int; b int;
BEGIN
    FOR part IN 1 .. 4 LOOP
        what := random(); a := (random() * 10)::int; b := 2 + (random() * 12)::int;
        TRUNCATE d_batch;
        EXECUTE format('INSERT INTO d_batch SELECT random_key(%L, i)::%s, i
            FROM generate_series(1, %s) i', type, type, (random() * size)::int + 1);
        UPDATE d_batch SET id = id + round * 100000 + part * 1000000;
        FOREACH t IN ARRAY '{d_learned,d_btree,d_none}'::text[] LOOP
            IF what < 0.45 THEN
                EXECUTE format('INSERT INTO %I SELECT * FROM d_batch ORDER BY id', t);
            ELSIF what < 0.55 THEN    -- in key order
                EXECUTE format('INSERT INTO %I SELECT * FROM d_batch ORDER BY k, id', t);
            ELSIF what < 0.7 THEN
                EXECUTE format('DELETE FROM %I WHERE id %% %s = %s', t, b, a % b);
            ELSIF what < 0.8 THEN     -- a range of keys
                EXECUTE format('DELETE FROM %I WHERE k BETWEEN (SELECT min(k) FROM d_batch)
                    AND (SELECT k FROM d_batch WHERE k IS NOT NULL ORDER BY k OFFSET %s LIMIT 1)',
                    t, size / 20);
            ELSIF what < 0.95 THEN    -- to keys of others
                EXECUTE format('UPDATE %I d SET k = b.k FROM d_batch b WHERE d.id %% %s = b.id %% %s
                    AND b.id %% 50 = 1 AND d.id %% 7 = %s', t, size, size, a % 7);
            ELSE                      -- undone
                BEGIN
                    EXECUTE format('INSERT INTO %I SELECT * FROM d_batch', t);
                    RAISE EXCEPTION SQLSTATE 'UNDO1';
                EXCEPTION WHEN SQLSTATE 'UNDO1' THEN NULL; END;
            END IF;
        END LOOP;
    END LOOP;
END $$;

-- A random condition on k.
CREATE FUNCTION random_condition(type text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    ops text[] := '{=,<,<=,>=,>}'; kind float8 := random(); x text; y text; other text;
BEGIN
    x := coalesce((SELECT k::text FROM d_none WHERE k IS NOT NULL OFFSET (random() * 300)::int
        LIMIT 1), random_key(type, 1));
    IF random() < 0.5 THEN x := random_key(type, (random() * 2000)::int); END IF;
    y := random_key(type, (random() * 2000)::int);
    -- A constant of another type of the family; one that has all the values.
    other := CASE WHEN type LIKE 'int%' THEN 'int8' WHEN random() < 0.5 THEN 'timestamp'
        ELSE 'timestamptz' END;
    -- btree's own answers to timestamp against timestamptz are wrong where clocks change.
    IF random() < 0.6 OR (SELECT indexdef FROM pg_indexes WHERE indexname = 'd_learned_k') ~ 'btree'
        THEN other := type; END IF;
    x := format('%L::%s', x, other); y := format('%L::%s', y, type);
    RETURN CASE
        WHEN kind < 0.45 THEN format('k %s %s', ops[1 + floor(random() * 5)], x)
        WHEN kind < 0.60 THEN format('k BETWEEN least(%s, %2$s) AND greatest(%1$s, %2$s)', y,
            format('%L::%s', random_key(type, 1), type))
        WHEN kind < 0.75 THEN format('k %s %s AND k %s %s', ops[1 + floor(random() * 5)], x,
            ops[1 + floor(random() * 5)], y)
        WHEN kind < 0.80 THEN 'k IS NULL'
        WHEN kind < 0.85 THEN 'k IS NOT NULL'
        WHEN kind < 0.95 THEN format('k IN (%s, %s, %s)', x, y,
            format('%L::%s', random_key(type, 5), type))
        ELSE format('k %s %s AND k %s %s AND k IS NOT NULL AND k > %s',
            ops[2 + floor(random() * 4)], x, ops[2 + floor(random() * 4)], y, y) END;
END $$;

-- Walks a cursor over `query` up and down, as `seed` says, changing the table on the way; returns
-- what was fetched.
CREATE FUNCTION walk(t text, query text, kind text, seed int, steps int) RETURNS text[]
    LANGUAGE plpgsql
    SET enable_seqscan = on SET enable_indexscan = on SET enable_indexonlyscan = on
        SET enable_bitmapscan = off SET enable_sort = on AS $$
DECLARE
    c refcursor; r record; seen text[] := '{}'; step int; n int; move int8;
BEGIN
    PERFORM set_config('enable_seqscan', (kind = 'seq')::text, true),
        set_config('enable_sort', (kind = 'seq')::text, true),
            set_config('enable_indexscan', (kind <> 'seq')::text, true),
                set_config('enable_indexonlyscan', (kind = 'indexonly')::text, true);
    OPEN c SCROLL FOR EXECUTE format(query, t);
    FOR step IN 1 .. steps LOOP
        move := abs(hashint8extended(step, seed));
        n := move / 16 % 30;
        CASE move % 8
            WHEN 0, 1 THEN FOR i IN 0 .. n LOOP FETCH NEXT FROM c
                INTO r; seen := seen || coalesce(r::text, '-'); END LOOP;
            WHEN 2, 3 THEN FOR i IN 0 .. n LOOP FETCH PRIOR FROM c
                INTO r; seen := seen || coalesce(r::text, '-'); END LOOP;
            WHEN 4 THEN FETCH ABSOLUTE n * 40 FROM c INTO r;
            WHEN 5 THEN FETCH RELATIVE n * 20 - 200 FROM c INTO r;
            WHEN 6 THEN FETCH LAST FROM c INTO r;
            ELSE IF n < 8 THEN EXECUTE format('INSERT INTO %I SELECT k, -id FROM d_batch
                WHERE id %% 8 = %s', t, n); END IF;
        END CASE;
        seen := seen || coalesce(r::text, '-');
    END LOOP;
    CLOSE c;
    RETURN seen;
END $$;

CREATE FUNCTION expect(what text, truth text[], got text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF got IS DISTINCT FROM truth THEN
        RAISE EXCEPTION 'DIFFERENT ROWS: %', what
            USING DETAIL = format('%s rows found, %s expected; first difference: %s instead of %s',
            cardinality(got),
            cardinality(truth), (SELECT got[i] FROM generate_subscripts(truth || got, 1) i
                WHERE got[i] IS DISTINCT FROM truth[i] ORDER BY i LIMIT 1),
            (SELECT truth[i] FROM generate_subscripts(truth || got, 1) i WHERE got[i] IS DISTINCT
                FROM truth[i] ORDER BY i LIMIT 1));
    END IF;
END $$;

-- Random queries by all kinds of plans on the learned index, and by btree's, against the table
-- without an index.
CREATE PROCEDURE queries(type text, options text, number int) LANGUAGE plpgsql AS $$
DECLARE
    query text; condition text; truth text[]; kind text; direction text; seed int;
    forward text := CASE WHEN options LIKE 'DESC%' THEN 'DESC' ELSE 'ASC'
        END || CASE WHEN options LIKE '%NULLS FIRST' THEN ' NULLS FIRST'
        WHEN options LIKE '%NULLS LAST' THEN ' NULLS LAST' ELSE '' END;
    backward text := CASE WHEN options LIKE 'DESC%' THEN 'ASC' ELSE 'DESC'
        END || CASE WHEN options LIKE '%NULLS FIRST' THEN ' NULLS LAST'
        WHEN options LIKE '%NULLS LAST' THEN ' NULLS FIRST' ELSE '' END;
BEGIN
    FOR i IN 1 .. number LOOP
        -- All columns, unordered.
        query := 'SELECT k, id FROM %s WHERE ' || replace(random_condition(type), '%', '%%');
        truth := rows_by('seq', format(query, 'd_none'));
        FOREACH kind IN ARRAY '{index,bitmap}'::text[] LOOP
            PERFORM expect(kind || ' ' || query, truth, rows_by(kind, format(query, 'd_learned'),
                'd_learned_k'));
        END LOOP;
        -- The key only, in order, both directions, with LIMIT and OFFSET.
        direction := CASE WHEN random() < 0.5 THEN forward ELSE backward END;
        -- An equal key is one value to the planner, which leaves out the sort; but two local times
        -- can equal one instant.
        LOOP condition := random_condition(type); EXIT WHEN type = 'timestamptz'
            OR condition !~ 'k = ''[^'']*''::timestamptz'; END LOOP;
        query := 'SELECT k FROM %s WHERE ' || condition || ' ORDER BY k ' || direction
            || CASE WHEN random() < 0.6 THEN ' LIMIT ' || (random() * random() * 300)::int ELSE ''
                END || CASE WHEN random() < 0.2 THEN ' OFFSET ' || (random() * 90)::int ELSE '' END;
        truth := rows_by('seq', format(query, 'd_none'));
        FOREACH kind IN ARRAY '{index,indexonly}'::text[] LOOP
            PERFORM expect(kind || ' ' || query, truth, rows_by(kind, format(query, 'd_learned'),
                'd_learned_k'));
        END LOOP;
        query := format('SELECT min(k), max(k) FROM %%s WHERE %s', random_condition(type));
        truth := rows_by('seq', format(query, 'd_none'));
        PERFORM expect('index ' || query, truth, rows_by('index', format(query, 'd_learned')));
    END LOOP;
    query := 'SELECT k FROM %s ORDER BY k ';
    PERFORM expect('all rows forward', rows_by('seq', format(query || forward, 'd_none')),
        rows_by('indexonly', format(query || forward, 'd_learned'), 'd_learned_k'));
    PERFORM expect('all rows backward', rows_by('seq', format(query || backward, 'd_none')),
        rows_by('indexonly', format(query || backward, 'd_learned'), 'd_learned_k'));
    -- Cursors up and down; also while the table changes.
    FOREACH direction IN ARRAY ARRAY[forward, backward] LOOP
        seed := (random() * 1000000)::int;
        query := format('SELECT k FROM %%s WHERE %s ORDER BY k %s',
            CASE WHEN random() < 0.5 THEN 'true' ELSE 'k IS NOT NULL' END, direction);
        truth := walk('d_none', query, 'seq', seed, 40);
        PERFORM expect(format('cursor, seed %s: %s', seed, query), truth,
            walk('d_btree', query, 'index', seed, 40));
        PERFORM expect(format('cursor, seed %s: %s', seed, query), truth, walk('d_learned', query,
            CASE WHEN random() < 0.5 THEN 'index' ELSE 'indexonly' END, seed, 40));
    END LOOP;
END $$;
