-- Functions of figures.sh, inserts.sh and demo.sh: the same work by each of two indexes on one
-- table, answers compared.
CREATE UNLOGGED TABLE figures (nr int GENERATED ALWAYS AS IDENTITY, work text, am text,
    value float8, unit text, answer text);

-- The key of row i, in arithmetic that pgbench has too: hash(i) is pseudo-random in [0, below).
CREATE FUNCTION hash(i int8, below int8) RETURNS int8 LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    'SELECT (i * 48271 % 2147483647) * (i * 48271 % 2147483647) % below';

-- Runs `query` once by one index, the other dropped for the moment; returns milliseconds and the
-- answer, and raises an error unless the plan has `node` on that index. If `warm`, the query runs
-- once before: dropping an index empties the session's caches.
CREATE FUNCTION by_index(query text, node text, index text, others text[], warm boolean,
    OUT ms float8, OUT answer text)
    LANGUAGE plpgsql AS $$
DECLARE line text; plan text := ''; other text; began timestamptz;
BEGIN
    FOREACH other IN ARRAY others LOOP EXECUTE format('DROP INDEX %I', other); END LOOP;
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP plan := plan || line || E'\n';
        END LOOP;
    IF plan !~ (node || '( Backward)?( using| on) ' || index || '\y') THEN
        RAISE EXCEPTION 'no % on % for %', node, index, query USING DETAIL = plan;
    END IF;
    IF warm THEN EXECUTE query INTO answer; END IF;
    began := clock_timestamp();
    EXECUTE query INTO answer;
    ms := extract(epoch FROM clock_timestamp() - began) * 1000;
    RAISE EXCEPTION SQLSTATE 'UNDO1';   -- brings the dropped indexes back
EXCEPTION WHEN SQLSTATE 'UNDO1' THEN NULL;
END $$;

-- Compares `query` by the indexes <prefix>_btree and <prefix>_learned in alternating pairs after a
-- first pair that does not count. `proof`, if given, runs in that first pair instead: the same rows
-- with more of their content in the answer. `joins`: nestloop or mergejoin.
CREATE PROCEDURE compare(name text, prefix text, pairs int, node text, query text,
    proof text DEFAULT NULL, joins text DEFAULT 'nestloop') LANGUAGE plpgsql AS $$
DECLARE
    pair int; turn int; am text; r record; answers text[] := '{}'; last float8 := 1000;
BEGIN
    PERFORM set_config('enable_seqscan', 'off', false), set_config('enable_sort', 'off', false),
            set_config('enable_hashjoin', 'off', false), set_config('enable_mergejoin',
                (joins = 'mergejoin')::text, false),
            set_config('enable_nestloop', (joins = 'nestloop')::text, false),
            set_config('enable_material', 'off', false), set_config('enable_memoize', 'off', false),
            set_config('enable_bitmapscan', (node LIKE 'Bitmap%')::text, false),
            set_config('enable_indexscan', (node NOT LIKE 'Bitmap%')::text, false),
            set_config('enable_indexonlyscan', (node = 'Index Only Scan')::text, false);
    FOR pair IN 0 .. pairs LOOP
        FOR turn IN 0 .. 1 LOOP
            am := (ARRAY['btree', 'learned'])[(pair + turn) % 2 + 1];
            r := by_index(CASE WHEN pair = 0 THEN coalesce(proof, query) ELSE query
                END, node, prefix || '_' || am, ARRAY[prefix || CASE am WHEN 'btree' THEN '_learned'
                ELSE '_btree' END], last < 500);
            last := r.ms;
            INSERT INTO figures (work, am, value, unit, answer) SELECT name, am, r.ms, 'ms',
                r.answer WHERE pair > 0;
            answers := answers || coalesce(r.answer, 'NULL');
        END LOOP;
        IF pair = 0 AND proof IS NOT NULL AND answers[1] = answers[2] THEN answers := '{}'; END IF;
    END LOOP;
    IF (SELECT count(DISTINCT a) FROM unnest(answers) a) > 1 THEN
        RAISE EXCEPTION 'WRONG ANSWER: % gives different answers: %', name,
            (SELECT string_agg(DISTINCT a, ' / ') FROM unnest(answers) a);
    END IF;
    PERFORM set_config('enable_' || s, 'on', false)
        FROM unnest('{seqscan,sort,hashjoin,mergejoin,nestloop,material,memoize,bitmapscan,
            indexscan,indexonlyscan}'::text[]) s;
    RAISE NOTICE '%', (SELECT format('%s: btree %s ms, learned %s ms', name, a.m, b.m)
        FROM (SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY value)::numeric, 2) m
            FROM figures f WHERE work = name AND f.am = 'btree') a,
             (SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY value)::numeric, 2) m
                 FROM figures f WHERE work = name AND f.am = 'learned') b);
    COMMIT;
END $$;

-- Builds an index of each kind in alternating pairs; `am` is the access method that stands for
-- learned.
CREATE PROCEDURE compare_build(name text, pairs int, am text, on_what text) LANGUAGE plpgsql AS $$
DECLARE pair int; turn int; began timestamptz; ms float8;
BEGIN
    FOR pair IN 0 .. pairs LOOP
        FOR turn IN 0 .. 1 LOOP
            BEGIN
                began := clock_timestamp();
                EXECUTE 'CREATE INDEX figures_build ON ' ||
                    format(on_what, CASE WHEN (pair + turn) % 2 = 0 THEN 'btree' ELSE am END);
                ms := extract(epoch FROM clock_timestamp() - began) * 1000;
                RAISE EXCEPTION SQLSTATE 'UNDO1';
            EXCEPTION WHEN SQLSTATE 'UNDO1' THEN NULL;
            END;
            INSERT INTO figures (work, am, value, unit)
                SELECT name, (ARRAY['btree', 'learned'])[(pair + turn) % 2 + 1], ms, 'ms'
                    WHERE pair > 0;
            COMMIT;
        END LOOP;
    END LOOP;
    RAISE NOTICE '%: done', name;
END $$;

CREATE FUNCTION show(value float8, unit text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN unit = 'bytes' THEN pg_size_pretty(value::int8)
                WHEN unit = 'ms' AND value >= 2000 THEN round((value / 1000)::numeric, 2) || ' s'
                WHEN abs(value) >= 100 THEN round(value) || ' ' || unit
                ELSE round(value::numeric, CASE WHEN abs(value) >= 1 THEN 1 ELSE 3
                    END) || ' ' || unit END $$;

-- One line a kind of work: the medians, and how much better learned is.
CREATE VIEW report AS
WITH m AS (
    SELECT work, unit, min(nr) AS nr,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY value) FILTER (WHERE am = 'btree') AS btree,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY value) FILTER (WHERE am = 'learned')
               AS learned,
           count(*) FILTER (WHERE am = 'learned') AS pairs, count(answer) > 0 AS checked
    FROM figures GROUP BY work, unit)
SELECT nr, work, show(btree, unit) AS btree, show(learned, unit) AS learned,
       round((CASE WHEN unit = 'tps' THEN learned / nullif(btree, 0) ELSE btree / nullif(learned, 0)
           END)::numeric, 2) || ' x' AS ratio,
       CASE WHEN checked THEN 'same' ELSE '' END AS answer, pairs FROM m;
