-- Row comparisons as conditions of learned indexes: the same rows in the same order as from a
-- sequential scan, with the setting on and off.
CREATE TABLE row_pairs (a int4, b int2, c int8, d timestamptz, e date);
INSERT INTO row_pairs
    SELECT nullif(i % 23, 7), nullif(i % 11, 3), nullif(i % 7, 2),
        timestamptz '2024-03-10 00:00+00' + (i % 97) * interval '20 minutes',
        date '2024-03-01' + i % 20
    FROM generate_series(1, 3000) i;
CREATE INDEX row_ab ON row_pairs USING learned (a, b);
CREATE INDEX row_abc ON row_pairs USING learned (a, b DESC, c);
CREATE INDEX row_b_down ON row_pairs USING learned (b DESC NULLS LAST, a NULLS FIRST);
CREATE INDEX row_ca ON row_pairs USING learned (c, d, a);
CREATE INDEX row_ed ON row_pairs USING learned (e, d);
VACUUM ANALYZE row_pairs;

-- The rows of a query; without an index, and by index scans without a sort.
CREATE FUNCTION row_answer(query text, plan text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text;
BEGIN
    PERFORM set_config('enable_seqscan', (plan = 'seq')::text, true),
        set_config('enable_indexscan', (plan LIKE 'index%')::text, true),
        set_config('enable_indexonlyscan', (plan LIKE 'index%')::text, true),
        set_config('enable_bitmapscan', (plan = 'bitmap')::text, true),
        set_config('enable_sort', (plan <> 'index')::text, true),
        set_config('omendb.enable_row_comparison', (plan <> 'index, off')::text, true);
    EXECUTE format('SELECT string_agg(q::text, '';'') FROM (%s) q', query) INTO answer;
    RETURN answer;
END $$;

CREATE FUNCTION row_compare(conditions text, orders text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    op text; ordered text; query text; plan text; truth text; done int := 0;
BEGIN
    FOREACH op IN ARRAY '{<,<=,>,>=}'::text[] LOOP
        FOREACH ordered IN ARRAY orders LOOP
            query := format('SELECT %s FROM row_pairs WHERE %s ORDER BY %s',
                regexp_replace(ordered, ' (DESC|ASC|NULLS|FIRST|LAST)', '', 'g'),
                replace(conditions, '<op>', op), ordered);
            truth := row_answer(query, 'seq');
            FOREACH plan IN ARRAY '{"index","index, sort","bitmap","index, off"}'::text[] LOOP
                IF row_answer(query, plan) IS DISTINCT FROM truth THEN
                    RAISE EXCEPTION 'the % plan of % gives other rows', plan, query;
                END IF;
                IF row_answer(query || ' LIMIT 20', plan)
                    IS DISTINCT FROM row_answer(query || ' LIMIT 20', 'seq') THEN
                    RAISE EXCEPTION 'the % plan of % LIMIT 20 gives other rows', plan, query;
                END IF;
                done := done + 1;
            END LOOP;
        END LOOP;
    END LOOP;
    RETURN done || ' plans compared';
END $$;
BEGIN;
SELECT row_compare('(a, b) <op> (10, 5)', '{"a, b","a DESC, b DESC","a, b DESC"}');
SELECT row_compare('(a, b) <op> (10, NULL)', '{"a, b","a DESC, b DESC"}');
SELECT row_compare('(a, b) <op> (NULL, 5)', '{"a, b","a DESC, b DESC"}');
SELECT row_compare('(10, 5) <op> (a, b)', '{"a, b","a DESC, b DESC"}');
SELECT row_compare('(a, 5) <op> (10, b)', '{"a, b","a DESC, b DESC"}');
SELECT row_compare('(b, a) <op> (5::int8, 10::int8)', '{"b DESC NULLS LAST, a NULLS FIRST"}');
SELECT row_compare('(a, b) <op> (10000000000, 5)', '{"a, b"}');
SELECT row_compare('(a, b, c) <op> (10, 5, 3)', '{"a, b","a, b DESC, c","a DESC, b, c DESC"}');
SELECT row_compare('(a, c) <op> (10, 3)', '{"a, b"}');
SELECT row_compare('(a, b) <op> (10, 5) AND c = 4', '{"a, b DESC, c"}');
SELECT row_compare('c = 4 AND (d, a) <op> (timestamptz ''2024-03-10 12:00+00'', 10)',
    '{"d, a","d DESC, a DESC"}');
SELECT row_compare('c IN (1, 4) AND (d, a) <op> (timestamptz ''2024-03-10 12:00+00'', 10)',
    '{"c, d, a"}');
SELECT row_compare('c > 3 AND (d, a) <op> (timestamptz ''2024-03-10 12:00+00'', 10)',
    '{"c, d, a"}');
SELECT row_compare('(a, b) <op> (10, 5) AND (a, b) > (3, 2)', '{"a, b","a DESC, b DESC"}');
SELECT row_compare('(a, b) <op> (10, 5) AND a IS NOT NULL AND b < 9', '{"a, b"}');
SELECT row_compare('a IS NULL AND (a, b) <op> (10, 5)', '{"a, b"}');
-- Local times near a clock change.
SET LOCAL timezone = 'America/New_York';
SELECT row_compare('(e, d) <op> (timestamptz ''2024-03-10 03:10-04'', ''2024-03-10 12:00+00'')',
    '{"e, d","e DESC, d DESC"}');
-- A skipped hour: equal to one moment, values of a timestamp do not stand together.
CREATE TEMP TABLE row_gap (ts timestamp, b int4);
INSERT INTO row_gap VALUES ('2024-03-10 02:30', 1), ('2024-03-10 02:45', 1),
    ('2024-03-10 03:30', 1), ('2024-03-10 04:00', 2);
CREATE INDEX ON row_gap USING learned (ts, b);
SET LOCAL enable_seqscan = off;
SET LOCAL enable_sort = off;
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_indexscan = on;
SET LOCAL enable_indexonlyscan = on;
SET LOCAL omendb.enable_row_comparison = on;
SELECT * FROM row_gap WHERE (ts, b) > (timestamptz '2024-03-10 07:30+00', 0) ORDER BY ts, b;
-- A class of operators with the order reversed does not change the order of the index.
CREATE FUNCTION row_reverse(int4, int4) RETURNS int4 LANGUAGE sql IMMUTABLE
    AS 'SELECT btint4cmp($2, $1)';
CREATE OPERATOR CLASS row_int4_reverse FOR TYPE int4 USING btree AS OPERATOR 1 >, OPERATOR 2 >=,
    OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 row_reverse(int4, int4);
CREATE TEMP TABLE row_reversed AS SELECT i / 10 AS a, i % 10 AS b FROM generate_series(1, 300) i;
CREATE INDEX ON row_reversed USING learned (a, b);
SELECT * FROM row_reversed WHERE (a, b) > (10, 7) ORDER BY a, b LIMIT 4;
ROLLBACK;
SET enable_seqscan = off;
SET enable_sort = off;
SET enable_bitmapscan = off;
-- Pages of a list in both directions, with directions mixed, behind a fixed column.
EXPLAIN (COSTS OFF) SELECT * FROM row_pairs WHERE (a, b) > (10, 5) ORDER BY a, b LIMIT 20;
EXPLAIN (COSTS OFF)
    SELECT * FROM row_pairs WHERE (a, b) > (10, 5) ORDER BY a DESC, b DESC LIMIT 20;
EXPLAIN (COSTS OFF)
    SELECT * FROM row_pairs WHERE (a, b, c) <= (10, 5, 3) ORDER BY a, b DESC, c LIMIT 20;
EXPLAIN (COSTS OFF) SELECT * FROM row_pairs
    WHERE c = 4 AND (d, a) > (timestamptz '2024-03-10 12:00+00', 10) ORDER BY d, a LIMIT 20;
-- Both ends of a range.
EXPLAIN (COSTS OFF)
    SELECT * FROM row_pairs WHERE (a, b) > (10, 5) AND (a, b) < (12, 3) ORDER BY a, b;
-- A sample of a table is not read by an index.
SELECT (SELECT count(*) FROM row_pairs TABLESAMPLE BERNOULLI (10) REPEATABLE (1)
        WHERE (a, b) > (10, 5))
    < (SELECT count(*) / 2 FROM row_pairs WHERE (a, b) > (10, 5)) AS sampled;
-- Columns that the index does not have: a bound of the first column, or of those it has.
EXPLAIN (COSTS OFF)
    SELECT * FROM row_pairs WHERE (a, e) > (10, '2024-03-05') ORDER BY a, b LIMIT 20;
-- A row that has changed meanwhile must be found again: the bound only.
EXPLAIN (COSTS OFF)
    SELECT * FROM row_pairs WHERE (a, b) > (10, 5) ORDER BY a, b LIMIT 20 FOR UPDATE;
EXPLAIN (COSTS OFF) DELETE FROM row_pairs WHERE (a, b) > (10, 5);
-- A generic plan, and the inner side of a nested loop.
SET plan_cache_mode = force_generic_plan;
PREPARE page AS SELECT a, b FROM row_pairs WHERE (a, b) > ($1, $2) ORDER BY a, b LIMIT 3;
EXPLAIN (COSTS OFF) EXECUTE page (10, 5);
EXECUTE page (10, 5);
EXECUTE page (10, NULL);
EXECUTE page (NULL, 5);
EXPLAIN (COSTS OFF) SELECT * FROM (VALUES (3, 4), (21, 9)) v (x, y), LATERAL (
    SELECT a, b FROM row_pairs WHERE (a, b) > (x, y) ORDER BY a, b LIMIT 2) page;
SELECT * FROM (VALUES (3, 4), (21, 9)) v (x, y), LATERAL (
    SELECT a, b FROM row_pairs WHERE (a, b) > (x, y) ORDER BY a, b LIMIT 2) page;
-- Partitions.
CREATE TABLE row_parts (a int4, b int4) PARTITION BY RANGE (a);
CREATE TABLE row_parts_1 PARTITION OF row_parts FOR VALUES FROM (0) TO (50);
CREATE TABLE row_parts_2 PARTITION OF row_parts FOR VALUES FROM (50) TO (100);
CREATE INDEX ON row_parts USING learned (a, b);
INSERT INTO row_parts SELECT i % 100, i FROM generate_series(1, 2000) i;
ANALYZE row_parts;
EXPLAIN (COSTS OFF) SELECT * FROM row_parts WHERE (a, b) > (49, 1900) ORDER BY a, b LIMIT 3;
SELECT * FROM row_parts WHERE (a, b) > (49, 1900) ORDER BY a, b LIMIT 3;
EXPLAIN (COSTS OFF) EXECUTE page (10, 5);
PREPARE part AS SELECT a, b FROM row_parts WHERE (a, b) > ($1, $2) AND a < $3 ORDER BY a, b LIMIT 3;
EXPLAIN (COSTS OFF) EXECUTE part (49, 1900, 60);
EXECUTE part (49, 1900, 60);
EXECUTE part (49, 1900, 50);
EXECUTE part (20, 100, 50);
SET omendb.enable_row_comparison = off;
EXPLAIN (COSTS OFF) SELECT * FROM row_pairs WHERE (a, b) > (10, 5) ORDER BY a, b LIMIT 20;
RESET ALL;
DROP TABLE row_pairs, row_parts;
DROP FUNCTION row_compare, row_answer;
