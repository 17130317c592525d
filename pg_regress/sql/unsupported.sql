-- What CREATE INDEX does not support.
CREATE TABLE r (id int4, id8 int8, name text, n numeric, f float8, u uuid, b bool, a int4[],
    ts timestamptz);
CREATE INDEX ON r USING learned (name);
CREATE INDEX ON r USING learned (n);
CREATE INDEX ON r USING learned (a);
CREATE INDEX ON r USING learned (id, ts, b, f, u, id, ts, b, f);
CREATE INDEX ON r USING learned (u, u, u, ts);
CREATE INDEX ON r USING learned (id8, id8, id8, id8, u);
CREATE INDEX ON r USING learned (id, name);
CREATE INDEX ON r USING learned (id) INCLUDE (name);
CREATE INDEX ON r USING learned (lower(name));
CREATE INDEX ON r USING learned (id) WITH (no_such_option = 1);
-- The hint for another access method is the server's.
CREATE INDEX ON r USING gist (id);
-- The functions that inspect an index refuse other relations.
SELECT omendb_check('r');
SELECT omendb_check('pg_class_oid_index');
-- The errors leave nothing behind.
SELECT count(*) FROM pg_indexes WHERE tablename = 'r';
INSERT INTO r (id) VALUES (1);
DROP TABLE r;
