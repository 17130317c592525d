-- Our operator families mirror nbtree's. Each query must return no rows.

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
SELECT CASE count(*) FILTER (WHERE amname = 'learned') WHEN 0 THEN 'missing' ELSE 'extra' END AS fault,
       opfname, amoplefttype, amoprighttype, amopstrategy, amoppurpose, amopopr
FROM member
WHERE amname IN ('btree', 'learned')
GROUP BY opfname, amoplefttype, amoprighttype, amopstrategy, amoppurpose, amopopr
HAVING count(*) <> 2
ORDER BY opfname, amoplefttype::text, amoprighttype::text, amopstrategy;

-- Comparison functions.
WITH member AS (
    SELECT m.amname, f.opfname, a.amproclefttype::regtype, a.amprocrighttype::regtype, a.amproc::regprocedure
    FROM pg_amproc a
    JOIN pg_opfamily f ON f.oid = a.amprocfamily
    JOIN pg_am m ON m.oid = f.opfmethod
    WHERE a.amprocnum = 1
      AND f.opfname IN (SELECT opfname FROM pg_opfamily o JOIN pg_am l ON l.oid = o.opfmethod
                        WHERE l.amname = 'learned')
)
SELECT CASE count(*) FILTER (WHERE amname = 'learned') WHEN 0 THEN 'missing' ELSE 'extra' END AS fault,
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
SELECT CASE count(*) FILTER (WHERE amname = 'learned') WHEN 0 THEN 'missing' ELSE 'extra' END AS fault,
       opcname, opfname, opcintype, opcdefault, opckeytype
FROM class
WHERE amname IN ('btree', 'learned')
GROUP BY opcname, opfname, opcintype, opcdefault, opckeytype
HAVING count(*) <> 2
ORDER BY opcname;

-- How many there are, so that an empty family does not pass.
SELECT f.opfname, count(*) AS operators
FROM pg_amop a
JOIN pg_opfamily f ON f.oid = a.amopfamily
JOIN pg_am m ON m.oid = f.opfmethod
WHERE m.amname = 'learned'
GROUP BY f.opfname ORDER BY f.opfname;
