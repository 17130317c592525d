-- Parallel scans return the rows that one process returns, each once, in order.
CREATE TABLE p (a int4, b timestamptz, c float8, id int4);
INSERT INTO p SELECT i % 50, '2026-01-01'::timestamptz + (i * 7919 % 20011) * interval '1 min',
    i % 97, i FROM generate_series(1, 60000) i;
INSERT INTO p VALUES (NULL, NULL, NULL, -1), (3, NULL, 1, -2);
CREATE INDEX p_ab ON p USING learned (a, b DESC);
CREATE INDEX p_id ON p USING learned (id DESC);
VACUUM ANALYZE p;
CREATE FUNCTION in_parallel(query text, plain boolean DEFAULT false) RETURNS text LANGUAGE plpgsql
    AS $$
DECLARE line text; plan text := ''; truth text; found text;
BEGIN
    PERFORM set_config('enable_indexscan', 'off', true),
        set_config('enable_indexonlyscan', 'off', true),
        set_config('enable_bitmapscan', 'off', true),
        set_config('enable_seqscan', 'on', true),
        set_config('max_parallel_workers_per_gather', '0', true);
    EXECUTE 'SELECT string_agg(q::text, '' '' ORDER BY q::text) FROM (' || query || ') q'
        INTO truth;
    PERFORM set_config('enable_indexscan', 'on', true),
        set_config('enable_indexonlyscan', (NOT plain)::text, true),
        set_config('enable_seqscan', 'off', true),
        set_config('max_parallel_workers_per_gather', '3', true),
        set_config('cpu_tuple_cost', '1', true),
        set_config('parallel_setup_cost', '0', true),
        set_config('parallel_tuple_cost', '0', true),
        set_config('min_parallel_index_scan_size', '0', true),
        set_config('min_parallel_table_scan_size', '0', true);
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        plan := plan || line || E'\n';
    END LOOP;
    IF plan !~ 'Parallel Index' THEN
        RAISE EXCEPTION 'no parallel index scan for %', query USING DETAIL = plan;
    END IF;
    EXECUTE 'SELECT string_agg(q::text, '' '' ORDER BY q::text) FROM (' || query || ') q'
        INTO found;
    IF found IS DISTINCT FROM truth THEN
        RAISE EXCEPTION 'DIFFERENT ROWS: %', query
            USING DETAIL = left(found, 300) || ' instead of ' || left(truth, 300);
    END IF;
    RETURN 'ok';
END $$;
SELECT DISTINCT in_parallel(query) AS same FROM unnest(array[
    'SELECT count(*), sum(id::int8) FROM p WHERE id > 100',
    'SELECT count(*), sum(id::int8) FROM p WHERE id BETWEEN 20000 AND 59000',
    'SELECT count(*), min(b), max(b), sum(a) FROM p WHERE a >= 7',
    'SELECT count(*), min(b), max(b), sum(a) FROM p WHERE a IN (3, 17, 18, 19, 44)
        AND b > ''2026-01-03''',
    'SELECT count(*), min(b), max(b), sum(a) FROM p WHERE b BETWEEN ''2026-01-03''
        AND ''2026-01-09''',
    'SELECT count(*), sum(a) FROM p WHERE a IS NOT NULL',
    'SELECT count(*) FROM p WHERE a > 3 AND b IS NOT NULL',
    'SELECT a, b FROM p WHERE a BETWEEN 3 AND 40 ORDER BY a, b DESC',
    'SELECT a, b FROM p WHERE a BETWEEN 3 AND 40 ORDER BY a DESC, b']) query;
SELECT DISTINCT in_parallel(query, true) AS same FROM unnest(array[
    'SELECT count(c), sum(id::int8) FROM p WHERE id > 100',
    'SELECT a, b, c, id FROM p WHERE a IN (1, 2, 3, 30, 49) AND c > 3 ORDER BY a, b DESC',
    'SELECT sum(c), count(*) FROM p WHERE b < ''2026-01-05''']) query;
-- In order, when the workers' rows are merged.
SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off;
SET max_parallel_workers_per_gather = 3;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_index_scan_size = 0;
SET min_parallel_table_scan_size = 0; SET cpu_tuple_cost = 1;
EXPLAIN (COSTS OFF) SELECT id FROM p WHERE id > 0 ORDER BY id;
DO $$
DECLARE last int := 0; r record; n int := 0;
BEGIN
    FOR r IN EXECUTE 'SELECT id FROM p WHERE id > 0 ORDER BY id' LOOP
        IF r.id <= last THEN RAISE EXCEPTION 'not in order'; END IF;
        last := r.id; n := n + 1;
    END LOOP;
    RAISE NOTICE '% rows', n;
END $$;
-- Rescans.
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off;
EXPLAIN (COSTS OFF) SELECT count(*), sum(q.n) FROM (VALUES (1), (2), (3)) v(x),
    LATERAL (SELECT count(*) AS n FROM p WHERE id > 10 OFFSET x - x) q;
SELECT x, (SELECT count(*) FROM p WHERE id > 0 AND a < x.x OFFSET 0)
    FROM generate_series(0, 60, 20) x;
SELECT count(*), sum(q.n) FROM (VALUES (1), (2), (3)) v(x), LATERAL (SELECT count(*) AS n FROM p
    WHERE id > 10 OFFSET x - x) q;
RESET ALL;
DROP TABLE p;
DROP FUNCTION in_parallel;
