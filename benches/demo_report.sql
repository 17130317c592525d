-- The table that the demonstration ends with, from the figures that compare() has noted.
CREATE TEMP VIEW shown AS
SELECT nr, min(nr) OVER (PARTITION BY split_part(work, ': ', 1)) AS part_nr,
       split_part(work, ': ', 1) AS part, split_part(work, ': ', 2) AS name, unit,
       show(btree, unit) AS btree, show(learned, unit) AS learned, btree / learned AS ratio,
       -- A bar of 20 is as long as btree's.
       rpad(repeat('#', least(20, greatest(1, round(20 * learned / btree)::int))), 20, '.') ||
           CASE WHEN learned / btree > 1.025 THEN '+' ELSE ' ' END AS bar
FROM (SELECT work, unit, min(nr) AS nr,
             percentile_cont(0.5) WITHIN GROUP (ORDER BY value) FILTER (WHERE am = 'btree')
                 AS btree,
             percentile_cont(0.5) WITHIN GROUP (ORDER BY value) FILTER (WHERE am = 'learned')
                 AS learned
      FROM figures GROUP BY work, unit) medians;

-- Differences of less than a tenth are taken for none: the next run may show the opposite.
CREATE TEMP VIEW judged AS
SELECT *, CASE WHEN ratio BETWEEN 0.9 AND 1.1 THEN 0 ELSE sign(ratio - 1) END AS better FROM shown;

SELECT format('%-41s %9s %9s  %-21s  %s', '', 'btree', 'learned', '20 # would be btree''s',
    'learned is');
SELECT line FROM (
    SELECT part_nr, 0 AS nr, E'\n' || CASE part
        WHEN 'flights' THEN '3,000,000 real flights, index on the time of departure'
        ELSE to_char(:rows, 'FM999,999,999') || ' generated sensor readings, index on their time'
        END AS line
    FROM judged GROUP BY part, part_nr
    UNION ALL
    SELECT part_nr, nr, format('  %-39s %9s %9s  %s  %s', name, btree, learned, bar,
        CASE WHEN better = 0 THEN 'the same'
             WHEN unit = 'bytes' AND better > 0 THEN round(ratio::numeric, 1) || ' x smaller'
             WHEN better > 0 THEN round(ratio::numeric, 1) || ' x faster'
             ELSE round((1 / ratio)::numeric, 1) || ' x slower' END)
    FROM judged) lines ORDER BY part_nr, nr;

SELECT E'\n' || CASE count(*) WHEN 0 THEN 'In this run learned is faster than btree everywhere.'
    ELSE E'Where learned is no faster than btree:\n' || string_agg(
        format('  %s, %s (%s, %s)', part, name, btree, learned), E'\n' ORDER BY part_nr, nr) END
FROM judged WHERE better <= 0;
SELECT 'A query that takes less than a millisecond gains nothing that its user would notice.';
