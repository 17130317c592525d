-- The entries of a statement's rows wait and are added together. No query may notice.
CREATE TABLE b (k int8, v int8);
CREATE INDEX b_k ON b USING learned (k);
CREATE FUNCTION entries(of regclass) RETURNS int8 LANGUAGE sql
    AS 'SELECT entries FROM omendb_stats(of)';
-- Whether the entries wait, judged by the WAL records of a plan that inserts a hundred rows:
-- entries that wait are added after the plan, so there are few records.
CREATE FUNCTION waits(statement text, other_indexes int DEFAULT 0) RETURNS boolean LANGUAGE plpgsql
    AS $$
DECLARE plan jsonb; BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, WAL, FORMAT json) ' || statement INTO plan;
    RETURN (SELECT max(records::int) < 150 + 100 * other_indexes
        FROM jsonb_path_query(plan, '$.**."WAL Records"') records);
END $$;
SELECT waits('INSERT INTO b SELECT i, i FROM generate_series(1, 100) i');
SELECT waits('UPDATE b SET k = k + 1000');
SELECT waits('MERGE INTO b USING generate_series(1001, 1200) i ON k = i AND i <= 1100
    WHEN NOT MATCHED THEN INSERT VALUES (i, i)');
SELECT entries('b_k'), count(*), sum(k), omendb_check('b_k', true) FROM b;
-- The entries of rows that may be taken back do not wait.
CREATE TABLE c (id int PRIMARY KEY, k int8, x int4);
CREATE INDEX c_k ON c USING learned (k);
SELECT waits('INSERT INTO c SELECT i, i, i FROM generate_series(1, 100) i', 1);
SELECT waits('INSERT INTO c SELECT i, i, i FROM generate_series(101, 200) i ON CONFLICT DO NOTHING',
    2);
SELECT waits('WITH w AS (INSERT INTO c SELECT i, i, i FROM generate_series(201, 300) i
    ON CONFLICT DO NOTHING RETURNING id)
    UPDATE b SET v = 1 FROM w WHERE k = -w.id', 2);
SET omendb.insert_batch = 1;
SELECT waits('INSERT INTO b SELECT i, i FROM generate_series(1, 100) i');
RESET omendb.insert_batch;
SELECT entries('c_k'), count(*), omendb_check('c_k', true) FROM c;

-- A function, a trigger before each row, and a query of a worker see the rows inserted so far.
CREATE FUNCTION above(low int8) RETURNS int8 LANGUAGE plpgsql AS $$
DECLARE n int8; BEGIN
    SET LOCAL enable_seqscan = off;
    SELECT count(*) INTO n FROM b WHERE k >= low;
    RETURN n;
END $$;
TRUNCATE b;
INSERT INTO b SELECT 5000 + i, above(5000) FROM generate_series(1, 300) i;
SELECT count(*), count(*) FILTER (WHERE v <> k - 5001) AS wrong FROM b;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN NEW.v := above(6000); RETURN NEW; END';
CREATE TRIGGER note BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO b SELECT 6000 + i, 0 FROM generate_series(1, 300) i;
COPY b FROM stdin;
6301	0
6302	0
6303	0
6304	0
6305	0
6306	0
\.
SELECT count(*), count(*) FILTER (WHERE v <> k - 6001) AS wrong FROM b WHERE k > 6000;
DROP TRIGGER note ON b;
CREATE FUNCTION note_after() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF above(7000) <> 300 THEN RAISE 'rows missing'; END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER note_after AFTER INSERT ON b FOR EACH ROW EXECUTE FUNCTION note_after();
INSERT INTO b SELECT 7000 + i, 0 FROM generate_series(1, 300) i;
DROP TRIGGER note_after ON b;
CREATE FUNCTION above_by_workers(low int8) RETURNS int8 LANGUAGE plpgsql AS $$
DECLARE n int8; BEGIN
    SET LOCAL enable_seqscan = off;
    SET LOCAL parallel_setup_cost = 0;
    SET LOCAL parallel_tuple_cost = 0;
    SET LOCAL min_parallel_table_scan_size = 0;
    SET LOCAL min_parallel_index_scan_size = 0;
    SET LOCAL max_parallel_workers_per_gather = 2;
    SELECT count(*) INTO n FROM b WHERE k >= low;
    RETURN n;
END $$;
INSERT INTO b SELECT 8000 + i, above_by_workers(8000) FROM generate_series(1, 30) i;
SELECT count(*), count(*) FILTER (WHERE v <> k - 8001) AS wrong FROM b WHERE k > 8000;
-- Functions that inspect the index see them, too.
INSERT INTO b SELECT 9000 + i, entries('b_k') FROM generate_series(1, 30) i;
SELECT count(DISTINCT v), max(v) - min(v) AS more FROM b WHERE k > 9000;
-- A constraint is checked after each row.
CREATE TABLE x (k int8, EXCLUDE USING learned (k WITH =));
INSERT INTO x SELECT i FROM generate_series(1, 100) i;
INSERT INTO x SELECT 300 + least(i, 90) FROM generate_series(1, 100) i;
SELECT count(*), omendb_check('x_k_excl', true) FROM x;
-- A query in a trigger changes other rows of the table.
CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.k < 20000 THEN INSERT INTO b SELECT NEW.k + 10000 * j, 0 FROM generate_series(1, 10) j;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER follow BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION follow();
INSERT INTO b SELECT 10000 + i, 0 FROM generate_series(1, 30) i;
DROP TRIGGER follow ON b;
SELECT entries('b_k') - count(*) AS more, omendb_check('b_k', true) FROM b;

-- An error leaves nothing behind, wherever it is caught.
TRUNCATE b;
INSERT INTO b SELECT 1000 / (50 - i), i FROM generate_series(1, 100) i;
INSERT INTO b SELECT i, i FROM generate_series(1, 10) i;
SELECT entries('b_k'), count(*) FROM b;
BEGIN;
INSERT INTO b SELECT i, i FROM generate_series(11, 20) i;
SAVEPOINT s;
INSERT INTO b SELECT 1000 / (50 - i), i FROM generate_series(1, 100) i;
ROLLBACK TO s;
INSERT INTO b SELECT i, i FROM generate_series(21, 30) i;
COMMIT;
SELECT entries('b_k'), count(*) FROM b;
CREATE FUNCTION fails(i int8) RETURNS int8 LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO b SELECT 1000 / (50 - j), j FROM generate_series(1, 100) j;
    RETURN 0;
EXCEPTION WHEN division_by_zero THEN
    RETURN above(1);
END $$;
INSERT INTO b SELECT 30 + i, fails(i) FROM generate_series(1, 30) i;
SELECT entries('b_k'), count(*), count(*) FILTER (WHERE k > 30 AND v <> k - 1) AS wrong FROM b;
CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 0..2 LOOP
        INSERT INTO b SELECT 100 + 10 * i + j, i FROM generate_series(1, 10) j;
        IF i = 1 THEN ROLLBACK; ELSE COMMIT; END IF;
    END LOOP;
END $$;
CALL commits();
SELECT entries('b_k'), count(*), omendb_check('b_k', true) FROM b;

-- Rows in any order, more than may wait at a time, in several indexes and in many.
CREATE TABLE d (a int4, f float8, t timestamptz, u uuid);
CREATE INDEX d_a ON d USING learned (a);
CREATE INDEX d_ft ON d USING learned (f, t DESC);
CREATE INDEX d_u ON d USING learned (u) INCLUDE (a) WHERE a % 2 = 0;
SET omendb.insert_batch = 100;
INSERT INTO d SELECT hashint4(i) % 1000, hashint4(i + 1),
    '2026-01-01'::timestamptz + hashint4(i + 2) % 1000 * '1 s'::interval, md5(i::text)::uuid
    FROM generate_series(1, 5000) i;
UPDATE d SET a = a + 1 WHERE a > 500;
SELECT omendb_check('d_a', true), omendb_check('d_ft', true), omendb_check('d_u', true);
SELECT same('SELECT * FROM d WHERE a > 900', '{index,bitmap}');
SELECT same('SELECT * FROM d WHERE f BETWEEN -1e8 AND 1e8', '{index,bitmap}');
CREATE TABLE p (k int4, v int4) PARTITION BY LIST (k);
SELECT format('CREATE TABLE p%s PARTITION OF p FOR VALUES IN (%s)', i, i)
    FROM generate_series(0, 19) i \gexec
CREATE INDEX p_v ON p USING learned (v);
INSERT INTO p SELECT i % 20, i FROM generate_series(1, 4000) i;
UPDATE p SET k = (k + 1) % 20;
SELECT sum(entries(i.indexrelid)) AS entries, (SELECT count(*) FROM p) FROM pg_index i
    JOIN pg_inherits h ON inhrelid = indexrelid
    WHERE inhparent = 'p_v'::regclass;
SELECT same('SELECT * FROM p WHERE v BETWEEN 100 AND 200', '{index,bitmap}');
RESET omendb.insert_batch;
DROP TABLE b, c, d, p, x;
DROP FUNCTION entries, waits, above, above_by_workers, note, note_after, follow, fails;
DROP PROCEDURE commits;
