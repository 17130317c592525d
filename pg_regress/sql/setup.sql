-- Helpers for all tests.

-- The rows of a query by one kind of plan (seq, index, indexonly, bitmap), in the query's order if
-- it has ORDER BY. Raises an error if the planner uses another kind of plan, or an index other than
-- `wanted`.
CREATE FUNCTION rows_by(kind text, query text, wanted text DEFAULT NULL) RETURNS text[]
    LANGUAGE plpgsql
    SET enable_seqscan = on SET enable_indexscan = on SET enable_indexonlyscan = on
    SET enable_bitmapscan = on SET enable_sort = on SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
    line text; plan text := ''; result text[];
    node text := CASE kind WHEN 'seq' THEN 'Seq Scan' WHEN 'index' THEN 'Index Scan'
                           WHEN 'indexonly' THEN 'Index Only Scan'
                           WHEN 'bitmap' THEN 'Bitmap Index Scan' END;
BEGIN
    PERFORM set_config('enable_seqscan', (kind = 'seq')::text, true),
            set_config('enable_indexscan', (kind IN ('index', 'indexonly'))::text, true),
            set_config('enable_indexonlyscan', (kind = 'indexonly')::text, true),
            set_config('enable_bitmapscan', (kind = 'bitmap')::text, true);
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        plan := plan || line || E'\n';
    END LOOP;
    IF position(node IN plan) = 0 AND plan !~ 'One-Time Filter: false' THEN
        RAISE EXCEPTION 'no % plan for %', kind, query USING DETAIL = plan;
    END IF;
    IF wanted IS NOT NULL AND plan !~ ('\y' || wanted || '\y')
        AND plan !~ 'One-Time Filter: false' THEN
        RAISE EXCEPTION 'index % is not used for %', wanted, query USING DETAIL = plan;
    END IF;
    EXECUTE format('SELECT coalesce(array_agg(q::text %s), ''{}'') FROM (%s) q',
                   CASE WHEN query ~* 'order by' THEN '' ELSE 'ORDER BY q::text' END,
                   query) INTO result;
    RETURN result;
END $$;

-- Runs a query by each kind of plan, compares the rows with those of a sequential scan, and returns
-- their number.
CREATE FUNCTION same(query text, kinds text[] DEFAULT '{index,indexonly,bitmap}') RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    kind text; truth text[] := rows_by('seq', query); found text[];
BEGIN
    FOREACH kind IN ARRAY kinds LOOP
        found := rows_by(kind, query);
        IF found IS DISTINCT FROM truth THEN
            RAISE EXCEPTION '% scan differs for %', kind, query
                USING DETAIL = format('%s rows, %s expected', cardinality(found),
                    cardinality(truth));
        END IF;
    END LOOP;
    RETURN cardinality(truth) || ' rows';
END $$;
-- The number of pages that a query reads when it is run a second time.
CREATE FUNCTION pages_read(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
    EXECUTE query;
    EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ' || query INTO plan;
    RETURN (plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::bigint +
        (plan -> 0 -> 'Plan' ->> 'Shared Read Blocks')::bigint;
END $$;
SELECT amname, amtype FROM pg_am WHERE amname = 'learned';
