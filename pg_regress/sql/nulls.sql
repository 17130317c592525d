-- NULLs, ASC and DESC, NULLS FIRST and LAST.
SET client_min_messages = warning;
CREATE TABLE n (k int4);
INSERT INTO n SELECT CASE WHEN i % 7 = 0 THEN NULL ELSE i * 37 % 1009 END
    FROM generate_series(1, 5000) i;
INSERT INTO n VALUES (-2147483648), (2147483647), (0), (-1);
CREATE INDEX n_k ON n USING learned (k);
VACUUM ANALYZE n;
SELECT same('SELECT k FROM n WHERE k IS NULL'), same('SELECT k FROM n WHERE k IS NOT NULL'),
       same('SELECT k FROM n WHERE k > 500'), same('SELECT k FROM n WHERE k < 500'),
       same('SELECT k FROM n WHERE k = 74'),
       same('SELECT k FROM n WHERE k IS NOT NULL AND k < 10'),
       same('SELECT k FROM n WHERE k IS NULL AND k < 10'),
       same('SELECT k FROM n WHERE k IN (1, 2, NULL, 74)');
SELECT same('SELECT k FROM n ORDER BY k', '{index,indexonly}'),
    same('SELECT k FROM n ORDER BY k DESC', '{index,indexonly}'),
       same('SELECT k FROM n WHERE k IS NULL ORDER BY k', '{index,indexonly}'),
       same('SELECT k FROM n WHERE k > 100 ORDER BY k DESC LIMIT 9', '{index,indexonly}');
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT k FROM n WHERE k IS NULL;
EXPLAIN (COSTS OFF) SELECT k FROM n ORDER BY k;
EXPLAIN (COSTS OFF) SELECT k FROM n ORDER BY k DESC;
(SELECT k FROM n ORDER BY k LIMIT 3) UNION ALL (SELECT k FROM n ORDER BY k DESC NULLS FIRST
    LIMIT 3);
RESET enable_sort;
DROP INDEX n_k;

CREATE INDEX n_k ON n USING learned (k NULLS FIRST);
VACUUM n;
SELECT same('SELECT k FROM n ORDER BY k NULLS FIRST', '{index,indexonly}'),
       same('SELECT k FROM n ORDER BY k DESC NULLS LAST', '{index,indexonly}'),
       same('SELECT k FROM n WHERE k IS NULL'), same('SELECT k FROM n WHERE k >= 500'),
       same('SELECT k FROM n WHERE k <= 0');
EXPLAIN (COSTS OFF) SELECT k FROM n ORDER BY k NULLS FIRST LIMIT 3;
EXPLAIN (COSTS OFF) SELECT k FROM n ORDER BY k DESC NULLS LAST LIMIT 3;
SELECT omendb_check('n_k', true);
DROP INDEX n_k;

CREATE INDEX n_k ON n USING learned (k DESC);
VACUUM n;
SELECT same('SELECT k FROM n ORDER BY k DESC', '{index,indexonly}'),
    same('SELECT k FROM n ORDER BY k', '{index,indexonly}'),
       same('SELECT k FROM n WHERE k IS NULL'), same('SELECT k FROM n WHERE k > 500'),
       same('SELECT k FROM n WHERE k < 500'),
       same('SELECT k FROM n WHERE k BETWEEN 3 AND 300 ORDER BY k DESC', '{index,indexonly}');
EXPLAIN (COSTS OFF) SELECT k FROM n ORDER BY k DESC LIMIT 3;
EXPLAIN (COSTS OFF) SELECT k FROM n ORDER BY k LIMIT 3;
INSERT INTO n SELECT nullif(i % 50, 0) FROM generate_series(1, 3000) i;
VACUUM n;
SELECT same('SELECT k FROM n ORDER BY k DESC', '{index,indexonly}'),
    same('SELECT k FROM n WHERE k IS NULL');
SELECT omendb_check('n_k', true);
DROP INDEX n_k;

CREATE INDEX n_k ON n USING learned (k DESC NULLS LAST);
VACUUM n;
SELECT same('SELECT k FROM n ORDER BY k DESC NULLS LAST', '{index,indexonly}'),
       same('SELECT k FROM n ORDER BY k NULLS FIRST', '{index,indexonly}'),
       same('SELECT k FROM n WHERE k IS NULL'), same('SELECT k FROM n WHERE k IS NOT NULL'),
       same('SELECT k FROM n WHERE k > 500');
EXPLAIN (COSTS OFF) SELECT k FROM n ORDER BY k DESC NULLS LAST LIMIT 3;
SELECT min(k), max(k), count(k) FROM n;
EXPLAIN (COSTS OFF) SELECT min(k), max(k) FROM n;
SELECT omendb_check('n_k', true);

-- Nothing but NULLs.
CREATE TABLE n_only (k int8);
INSERT INTO n_only SELECT NULL FROM generate_series(1, 3000);
CREATE INDEX n_only_k ON n_only USING learned (k);
VACUUM ANALYZE n_only;
SELECT same('SELECT k FROM n_only WHERE k IS NULL'), same('SELECT k FROM n_only WHERE k = 1'),
    same('SELECT k FROM n_only WHERE k IS NOT NULL'),
       same('SELECT k FROM n_only ORDER BY k', '{index,indexonly}');
SELECT min(k), max(k) FROM n_only;
INSERT INTO n_only VALUES (9223372036854775807), (-9223372036854775808);
SELECT min(k), max(k) FROM n_only;
SELECT omendb_check('n_only_k', true);
DROP TABLE n, n_only;
