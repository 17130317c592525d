-- The model: omendb_model, omendb_predict, omendb_retrain, omendb_counters, and training by
-- inserting sessions.
SET client_min_messages = warning;
CREATE TABLE mo (k int8, t timestamptz, d int2);
INSERT INTO mo SELECT i * 1000, '2024-01-01 UTC'::timestamptz + i * '1 min'::interval, i % 7
    FROM generate_series(1, 200000) i;
CREATE INDEX mo_k ON mo USING learned (k);
CREATE INDEX mo_t ON mo USING learned (t DESC);
CREATE INDEX mo_d ON mo USING learned (d);
VACUUM ANALYZE mo;
-- Segments of the last stage are consecutive, ascend, and cover all leaves but those that begin
-- among the rows of one key.
CREATE FUNCTION mo_sound(index regclass) RETURNS boolean LANGUAGE sql AS $$
    SELECT max(position + positions) <= (SELECT leaves FROM omendb_stats(index))
        AND min(position) = 0
           AND bool_and(follows) AND count(*) FILTER (WHERE first_key IS NULL) = 1
    FROM (SELECT *, coordinate >= coalesce(lag(coordinate) OVER w, 0)
        AND position >= coalesce(lag(position) OVER w, 0) AS follows
          FROM omendb_model(index) WHERE stage = (SELECT max(stage)
              FROM omendb_model(index)) WINDOW w AS (ORDER BY segment)) m $$;
SELECT mo_sound('mo_k'), mo_sound('mo_t'), mo_sound('mo_d');
SELECT max(position + positions) = (SELECT leaves FROM omendb_stats('mo_k'))
    FROM omendb_model('mo_k');
-- A segment's first key is of the column's type, and the key of a row or next to one.
SELECT bool_and(first_key[1]::int8 BETWEEN 1000 AND 200000001) FROM omendb_model('mo_k');
SELECT bool_and(first_key[1]::timestamptz BETWEEN '2024-01-01 UTC' AND '2024-06-01 UTC')
    FROM omendb_model('mo_t');
SELECT bool_and(first_key[1]::int2 BETWEEN 0 AND 7) FROM omendb_model('mo_d');
-- The formula in the function's comment, by which a model can be plotted: it gives the first leaf
-- of each segment.
SELECT count(*) > 0, bool_and(abs(intercept) < 1 AND slope >= 0 AND NOT searched AND below <= 1
    AND above <= 1) FROM omendb_model('mo_k');
-- A search reads one page, and the leaf is the predicted one.
SELECT count(*), avg(pages) < 1.1 AS one_page, bool_and(actual_leaf BETWEEN leaf - below
    AND leaf + above) AS within
    FROM generate_series(1000, 200000000, 333000) k, omendb_predict('mo_k', k::text);
SELECT count(*), avg(pages) < 1.1 AS one_page, bool_and(actual_leaf BETWEEN leaf - below
    AND leaf + above) AS within
    FROM generate_series('2024-01-01 UTC'::timestamptz, '2024-05-18 UTC', '3 h') t,
        omendb_predict('mo_t', t::text);
SELECT k, p.leaf = p.actual_leaf AS right, p.pages FROM unnest('{0,3,6,7,NULL}'::text[]) k,
    omendb_predict('mo_d', k) p;
SELECT leaf, actual_leaf, pages FROM omendb_predict('mo_k', '-9223372036854775808');
-- Several columns, one of them descending, one of two words.
CREATE TABLE mo_many AS SELECT d, t, CASE WHEN k % 11000 > 0 THEN lpad(to_hex(k * 7919), 32,
    '0')::uuid END AS u FROM mo;
CREATE INDEX mo_many_dt ON mo_many USING learned (d, t DESC) WITH (fillfactor = 10);
CREATE INDEX mo_many_ut ON mo_many USING learned (u, t) WITH (fillfactor = 10);
SELECT mo_sound('mo_many_dt'), mo_sound('mo_many_ut');
SELECT bool_and(first_key[1]::int2 BETWEEN 0 AND 7),
    bool_and(first_key[2]::timestamptz BETWEEN '2024-01-01 UTC' AND '2024-06-01 UTC'),
    bool_and(cardinality(first_key) = 2) FROM omendb_model('mo_many_dt');
SELECT bool_and(first_key[1] IS NULL
    OR first_key[1]::uuid <= lpad(to_hex(7919 * 200000000::int8 + 1), 32, '0')::uuid)
    FROM omendb_model('mo_many_ut');
SELECT count(*), avg(pages) < 1.1 AS one_page, bool_and(actual_leaf BETWEEN leaf - below
    AND leaf + above) AS within
    FROM generate_series(0, 6) d, generate_series('2024-01-01 UTC'::timestamptz, '2024-05-18 UTC',
        '1 day') t, omendb_predict('mo_many_dt', d::text, t::text);
SELECT count(*), avg(pages) < 1.1 AS one_page FROM mo_many, omendb_predict('mo_many_ut', u::text,
    t::text) WHERE extract(minute FROM t) = 0;
-- A model of other data than the table now has: all rows are found.
INSERT INTO mo SELECT i * 1000, NULL, NULL FROM generate_series(-100000, 0) i;
SELECT omendb_retrain('mo_k'), omendb_retrain('mo_t'), omendb_retrain('mo_d');
SELECT mo_sound('mo_k'), mo_sound('mo_t'), mo_sound('mo_d');
SELECT count(*), avg(pages) < 1.1 AS one_page FROM generate_series(-100000000, 200000000, 333000) k,
    omendb_predict('mo_k', k::text);
SELECT omendb_check('mo_k', true), omendb_check('mo_t', true), omendb_check('mo_d', true);
SELECT same('SELECT k FROM mo WHERE k BETWEEN -5000 AND 5000');
-- Indexes without a model: with one leaf, and without rows.
CREATE TABLE mo_empty (k float8);
CREATE INDEX mo_empty_k ON mo_empty USING learned (k);
SELECT count(*) FROM omendb_model('mo_empty_k');
SELECT leaf, block, actual_leaf, actual_block FROM omendb_predict('mo_empty_k', 'NaN');
SELECT omendb_retrain('mo_empty_k');
SELECT stage, segment, first_key, position, positions FROM omendb_model('mo_empty_k');
SELECT leaf, block, actual_leaf, actual_block, pages FROM omendb_predict('mo_empty_k', 'NaN');
-- Keys that are no value of the type: the first key of a segment may lie next to the greatest or an
-- infinite value.
CREATE TABLE mo_edge (b bool, c "char", i int2, d date, t timestamp, m macaddr);
INSERT INTO mo_edge SELECT true, '\377', 32767, 'infinity', '-infinity', 'ff:ff:ff:ff:ff:ff'
    FROM generate_series(1, 30000) i;
INSERT INTO mo_edge SELECT false, 'a', -32768, '-infinity', 'infinity', '00:00:00:00:00:00'
    FROM generate_series(1, 30000) i;
INSERT INTO mo_edge SELECT NULL FROM generate_series(1, 30000) i;
CREATE INDEX mo_edge_b ON mo_edge USING learned (b) WITH (fillfactor = 10);
CREATE INDEX mo_edge_c ON mo_edge USING learned (c) WITH (fillfactor = 10);
CREATE INDEX mo_edge_i ON mo_edge USING learned (i) WITH (fillfactor = 10);
CREATE INDEX mo_edge_d ON mo_edge USING learned (d) WITH (fillfactor = 10);
CREATE INDEX mo_edge_t ON mo_edge USING learned (t) WITH (fillfactor = 10);
CREATE INDEX mo_edge_m ON mo_edge USING learned (m) WITH (fillfactor = 10);
SELECT i, array_agg(DISTINCT first_key[1] ORDER BY first_key[1])
    FROM unnest('{b,c,i,d,t,m}'::text[]) i, omendb_model(('mo_edge_' || i)::regclass) GROUP BY i
    ORDER BY i;
-- Counters: every search counts, and in an index without changes nearly all are predicted right.
CREATE TABLE mo_count AS SELECT (i * 7919 % 200003)::int8 AS k FROM generate_series(1, 200002) i;
CREATE INDEX mo_count_k ON mo_count USING learned (k) WITH (fillfactor = 10);
VACUUM ANALYZE mo_count;
SELECT searches, predicted, predicted_right, links, descents FROM omendb_counters('mo_count_k');
SET enable_seqscan = off;
DO $$ BEGIN FOR i IN 1 .. 1000 LOOP PERFORM k FROM mo_count WHERE k = i * 200; END LOOP; END $$;
RESET enable_seqscan;
SELECT searches, predicted, predicted_right > 980 AS right, links < 20 AS links,
    descents < 10 AS descents FROM omendb_counters('mo_count_k');
-- Inserting sessions train: the model of an index that was empty at first covers nearly all leaves,
-- and the pages of old models are recycled.
CREATE TABLE mo_grown (k int8);
CREATE INDEX mo_grown_k ON mo_grown USING learned (k) WITH (fillfactor = 10);
SELECT count(*) FROM omendb_model('mo_grown_k');
INSERT INTO mo_grown SELECT i * 1000 + i * 7919::int8 % 1000 FROM generate_series(1, 150000) i;
SELECT leaves > 100 AS enough, covered >= leaves * 31 / 32 AS known,
    index_bytes / 8192 - leaves - inner_pages < 10 AS few_others
    FROM omendb_stats('mo_grown_k'), (SELECT max(position + positions) AS covered
        FROM omendb_model('mo_grown_k')) m;
SELECT count(*), avg(pages) < 1.1 AS one_page FROM generate_series(1, 150000000, 150000) k,
    omendb_predict('mo_grown_k', k::text);
INSERT INTO mo_grown SELECT i * 7919::int8 % 1000003 * 200 FROM generate_series(1, 300000) i;
SELECT leaves > 100 AS enough, covered >= leaves * 31 / 32 AS known,
    index_bytes / 8192 - leaves - inner_pages < 10 AS few_others
    FROM omendb_stats('mo_grown_k'), (SELECT max(position + positions) AS covered
        FROM omendb_model('mo_grown_k')) m;
SELECT count(*), avg(pages) < 1.1 AS one_page FROM generate_series(1, 200000000, 200000) k,
    omendb_predict('mo_grown_k', k::text);
SELECT omendb_check('mo_grown_k', true);
-- A large model, with memory for it and without. VACUUM keeps the model as long as its predictions
-- are right.
CREATE TABLE mo_large AS
    SELECT (i * 48271 % 2147483647) * (i * 48271 % 2147483647) % 999999999989 AS k
    FROM generate_series(1::int8, 1300000) i;
CREATE INDEX mo_large_k ON mo_large USING learned (k) WITH (fillfactor = 10);
SELECT count(DISTINCT part) > 10 AS parts, bool_and((first_key IS NULL) = (segment = 0)) AS begins,
    max(position + positions) = (SELECT leaves FROM omendb_stats('mo_large_k')) AS all
    FROM omendb_model('mo_large_k');
SELECT bool_and(first >= before) FROM (SELECT min(first_key[1]::int8) AS first,
    lag(max(first_key[1]::int8)) OVER (ORDER BY part) AS before FROM omendb_model('mo_large_k')
    WHERE part >= 0 GROUP BY part) m;
SELECT max_error <= 1 AS right FROM omendb_stats('mo_large_k');
SELECT avg(pages) < 1.1 AS one_page, bool_and(actual_leaf BETWEEN leaf - below
    AND leaf + above) AS within FROM generate_series(0, 999999999988, 999999937) k,
    omendb_predict('mo_large_k', k::text);
SELECT sum(used_bytes) > 60000 AS kept FROM pg_backend_memory_contexts WHERE ident = 'mo_large_k';
SET omendb.model_cache = 0;
SELECT omendb_retrain('mo_large_k');
SELECT avg(pages) BETWEEN 1.9 AND 2.1 AS two_pages, bool_and(block = actual_block) AS right
    FROM generate_series(0, 999999999988, 999999937) k, omendb_predict('mo_large_k', k::text);
SELECT sum(used_bytes) < 10000 AS not_kept FROM pg_backend_memory_contexts
    WHERE ident = 'mo_large_k';
SELECT same('SELECT k FROM mo_large WHERE k BETWEEN 70000000000 AND 70100000000');
INSERT INTO mo_large SELECT 70000000000 + i FROM generate_series(1, 20000) i;
SELECT same('SELECT k FROM mo_large WHERE k BETWEEN 70000000000 AND 70100000000');
RESET omendb.model_cache;
CREATE FUNCTION mo_trained(index regclass) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(md5(m::text), '' ORDER BY part, stage, segment) FROM omendb_model(index) m $$;
SELECT mo_trained('mo_large_k') AS model \gset
VACUUM mo_large;
SELECT mo_trained('mo_large_k') = :'model' AS same_model;
SELECT omendb_check('mo_large_k', true);
-- Many sessions split a few leaves each, into free pages: no session makes the index grow. A
-- session trains when its searches are predicted wrong.
CREATE TABLE mo_window AS SELECT i * 1000 AS k, hashint8extended(i, 1) AS a,
    hashint8extended(i, 2) AS b FROM generate_series(1::int8, 200000) i;
CREATE INDEX mo_window_k ON mo_window USING learned (k, a, b);
DELETE FROM mo_window WHERE k > 100000000;
VACUUM mo_window;
CREATE PROCEDURE mo_some(n int) LANGUAGE sql AS
    $$ INSERT INTO mo_window SELECT (n * 6 + i) * 500000 + j, hashint8extended(i, j),
        hashint8extended(j, i) FROM generate_series(0, 5) i, generate_series(1, 100) j $$;
SELECT mo_trained('mo_window_k') AS model, index_bytes AS bytes, leaves
    FROM omendb_stats('mo_window_k') \gset
\c -
CALL mo_some(0);
\c -
CALL mo_some(1);
\c -
CALL mo_some(2);
\c -
CALL mo_some(3);
\c -
CALL mo_some(4);
\c -
CALL mo_some(5);
\c -
CALL mo_some(6);
\c -
CALL mo_some(7);
\c -
CALL mo_some(8);
\c -
CALL mo_some(9);
\c -
CALL mo_some(10);
\c -
CALL mo_some(11);
\c -
CALL mo_some(12);
\c -
CALL mo_some(13);
\c -
CALL mo_some(14);
\c -
CALL mo_some(15);
\c -
SELECT mo_trained('mo_window_k') = :'model' AS same_model, index_bytes = :bytes AS same_size,
    leaves > 1.3 * :leaves AS other_leaves FROM omendb_stats('mo_window_k');
INSERT INTO mo_window SELECT i * 500000 + j * 60000 + 50, 0, 0 FROM generate_series(0, 95) i,
    generate_series(1, 7) j;
SELECT mo_trained('mo_window_k') = :'model' AS same_model, index_bytes = :bytes AS same_size
    FROM omendb_stats('mo_window_k');
SELECT omendb_check('mo_window_k', true);
\set VERBOSITY sqlstate
SELECT omendb_predict('mo_k', 'x');
SELECT omendb_predict('mo_k', '1', '2');
SELECT omendb_predict('mo_many_dt', '1');
SELECT omendb_predict('mo_k', VARIADIC '{}');
SELECT omendb_model('mo');
SELECT omendb_predict('pg_class_oid_index', '1');
SELECT omendb_retrain('pg_class_oid_index');
SELECT omendb_counters('pg_class_oid_index');
SELECT omendb_model(NULL), omendb_retrain(NULL);
-- Members of pg_monitor may look at the model; only the owner may train it.
CREATE ROLE mo_other;
CREATE ROLE mo_monitor IN ROLE pg_monitor;
CREATE ROLE mo_owner;
ALTER TABLE mo OWNER TO mo_owner;
SET ROLE mo_other;
SELECT omendb_model('mo_k');
SELECT omendb_predict('mo_k', '1');
SELECT omendb_counters('mo_k');
SELECT omendb_retrain('mo_k');
SET ROLE mo_monitor;
SELECT count(*) > 0 FROM omendb_model('mo_k');
SELECT count(*) FROM omendb_predict('mo_k', '1');
SELECT omendb_retrain('mo_k');
SET ROLE mo_owner;
SELECT omendb_retrain('mo_k');
RESET ROLE;
DROP TABLE mo, mo_many, mo_empty, mo_edge, mo_count, mo_grown, mo_large, mo_window;
DROP FUNCTION mo_sound, mo_trained;
DROP PROCEDURE mo_some;
DROP ROLE mo_other, mo_monitor, mo_owner;
