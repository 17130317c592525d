-- The operator families have the members of nbtree's. Each query must return no rows.

-- Operators (strategy, purpose, operands) that only one side has.
WITH member AS (
    SELECT m.amname, f.opfname, a.amoplefttype::regtype, a.amoprighttype::regtype,
           a.amopstrategy, a.amoppurpose, a.amopopr::regoperator
    FROM pg_amop a
    JOIN pg_opfamily f ON f.oid = a.amopfamily
    JOIN pg_am m ON m.oid = f.opfmethod
    WHERE f.opfname IN (SELECT opfname FROM pg_opfamily o JOIN pg_am l ON l.oid = o.opfmethod
                        WHERE l.amname = 'learned')
)
SELECT CASE count(*) FILTER (WHERE amname = 'learned') WHEN 0 THEN 'missing'
    ELSE 'extra' END AS fault,
       opfname, amoplefttype, amoprighttype, amopstrategy, amoppurpose, amopopr
FROM member
WHERE amname IN ('btree', 'learned')
GROUP BY opfname, amoplefttype, amoprighttype, amopstrategy, amoppurpose, amopopr
HAVING count(*) <> 2
ORDER BY opfname, amoplefttype::text, amoprighttype::text, amopstrategy;

-- Comparison functions.
WITH member AS (
    SELECT m.amname, f.opfname, a.amproclefttype::regtype, a.amprocrighttype::regtype,
        a.amproc::regprocedure
    FROM pg_amproc a
    JOIN pg_opfamily f ON f.oid = a.amprocfamily
    JOIN pg_am m ON m.oid = f.opfmethod
    WHERE a.amprocnum = 1
      AND f.opfname IN (SELECT opfname FROM pg_opfamily o JOIN pg_am l ON l.oid = o.opfmethod
                        WHERE l.amname = 'learned')
)
SELECT CASE count(*) FILTER (WHERE amname = 'learned') WHEN 0 THEN 'missing'
    ELSE 'extra' END AS fault,
       opfname, amproclefttype, amprocrighttype, amproc
FROM member
WHERE amname IN ('btree', 'learned')
GROUP BY opfname, amproclefttype, amprocrighttype, amproc
HAVING count(*) <> 2
ORDER BY opfname, amproclefttype::text, amprocrighttype::text;

-- Operator classes: the same names, types, defaults and families.
WITH class AS (
    SELECT m.amname, c.opcname, f.opfname, c.opcintype::regtype, c.opcdefault, c.opckeytype
    FROM pg_opclass c
    JOIN pg_opfamily f ON f.oid = c.opcfamily
    JOIN pg_am m ON m.oid = c.opcmethod
    WHERE f.opfname IN (SELECT opfname FROM pg_opfamily o JOIN pg_am l ON l.oid = o.opfmethod
                        WHERE l.amname = 'learned')
)
SELECT CASE count(*) FILTER (WHERE amname = 'learned') WHEN 0 THEN 'missing'
    ELSE 'extra' END AS fault,
       opcname, opfname, opcintype, opcdefault, opckeytype
FROM class
WHERE amname IN ('btree', 'learned')
GROUP BY opcname, opfname, opcintype, opcdefault, opckeytype
HAVING count(*) <> 2
ORDER BY opcname;

-- The number of members, so that an empty family does not pass.
SELECT f.opfname, count(*) AS operators
FROM pg_amop a
JOIN pg_opfamily f ON f.oid = a.amopfamily
JOIN pg_am m ON m.oid = f.opfmethod
WHERE m.amname = 'learned'
GROUP BY f.opfname ORDER BY f.opfname;

-- What amvalidate finds in other operator classes: other operators than nbtree's, the same
-- operators for other strategies, and other functions.
SET client_min_messages = warning;
CREATE FUNCTION backwards(int4, int4) RETURNS int4 LANGUAGE sql IMMUTABLE STRICT
    AS 'SELECT btint4cmp($2, $1)';
CREATE FUNCTION nearly(int4, int4) RETURNS bool LANGUAGE sql IMMUTABLE STRICT
    AS 'SELECT abs($1 - $2) < 2';
CREATE OPERATOR =~= (FUNCTION = nearly, LEFTARG = int4, RIGHTARG = int4);
CREATE OPERATOR CLASS right_ops FOR TYPE int4 USING learned AS OPERATOR 1 <, OPERATOR 2 <=,
    OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int4, int4);
CREATE OPERATOR CLASS turned_ops FOR TYPE int4 USING learned AS OPERATOR 1 >, OPERATOR 2 >=,
    OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 btint4cmp(int4, int4);
CREATE OPERATOR CLASS near_ops FOR TYPE int4 USING learned AS OPERATOR 1 <, OPERATOR 2 <=,
    OPERATOR 3 =~=, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int4, int4);
CREATE OPERATOR CLASS backward_ops FOR TYPE int4 USING learned AS OPERATOR 1 <, OPERATOR 2 <=,
    OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 backwards(int4, int4);
CREATE OPERATOR CLASS short_ops FOR TYPE int4 USING learned AS OPERATOR 1 <, OPERATOR 3 =,
    OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int4, int4);
CREATE OPERATOR CLASS text_ops FOR TYPE text USING learned AS OPERATOR 1 <, OPERATOR 2 <=,
    OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 bttextcmp(text, text);
SELECT opcname, amvalidate(o.oid) FROM pg_opclass o JOIN pg_am am ON am.oid = opcmethod
    WHERE amname = 'learned' AND o.oid >= 'backwards'::regproc ORDER BY 1;
-- A type that is not supported, although an operator class is made for it.
CREATE TABLE o_text (t text);
CREATE INDEX ON o_text USING learned (t text_ops);
DROP TABLE o_text;
DROP OPERATOR FAMILY right_ops USING learned;
DROP OPERATOR FAMILY turned_ops USING learned;
DROP OPERATOR FAMILY near_ops USING learned;
DROP OPERATOR FAMILY backward_ops USING learned;
DROP OPERATOR FAMILY short_ops USING learned;
DROP OPERATOR FAMILY text_ops USING learned;
DROP OPERATOR =~= (int4, int4);
DROP FUNCTION nearly, backwards;
RESET client_min_messages;
