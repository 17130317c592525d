-- The queries of the demonstration. compare() runs each by the btree and by the learned index in
-- alternating pairs, and raises an error if an answer differs:
-- CALL compare(name, prefix of the two indexes, pairs, plan node, query)

-- Moments to look up, in random order.
CREATE UNLOGGED TABLE points AS
    SELECT departure AS x FROM flights TABLESAMPLE bernoulli (7) REPEATABLE (1)
    ORDER BY hashint8(delay + distance);
CREATE UNLOGGED TABLE moments AS
    SELECT ts AS x FROM sensors TABLESAMPLE bernoulli (2) REPEATABLE (1)
    ORDER BY hashfloat8(value), ts;
ANALYZE points, moments;

CALL compare('flights: 2,000 lookups of a minute', 'flights', :pairs, 'Index Scan', $$
    SELECT count(*) || ' ' || sum(delay) FROM (SELECT x FROM points LIMIT 2000) p,
        LATERAL (SELECT delay FROM flights WHERE departure = x OFFSET 0) q $$);
CALL compare('flights: 10 next after 2,000 moments', 'flights', :pairs, 'Index Only Scan', $$
    SELECT count(*) || ' ' || max(departure) || ' ' || sum(extract(epoch FROM departure))
    FROM (SELECT x FROM points LIMIT 2000) p, LATERAL (
        SELECT departure FROM flights WHERE departure > x ORDER BY departure LIMIT 10) q $$);
CALL compare('flights: a range of three months, count', 'flights', :pairs, 'Index Only Scan', $$
    SELECT count(*) FROM flights
    WHERE departure BETWEEN '2001-02-01 00:00+00' AND '2001-04-30 23:59+00' $$);
CALL compare('flights: a range of a month, with rows', 'flights', :pairs, 'Index Scan', $$
    SELECT count(*) || ' ' || sum(distance) FROM flights
    WHERE departure >= '2001-03-01 00:00+00' AND departure < '2001-04-01 00:00+00' $$);
CALL compare('flights: a range of 2 hours, by bitmap', 'flights', :pairs, 'Bitmap Index Scan', $$
    SELECT count(*) || ' ' || sum(delay) FROM flights
    WHERE departure BETWEEN '2001-05-05 10:00+00' AND '2001-05-05 12:00+00' $$);
CALL compare('flights: min and max', 'flights', :pairs, 'Index Only Scan', $$
    SELECT min(departure) || ' ' || max(departure) FROM flights $$);

SELECT min(ts) + (max(ts) - min(ts)) / 4 AS quarter,
       max(ts) - (max(ts) - min(ts)) / 4 AS three_quarters,
       max(ts) - (max(ts) - min(ts)) / 10 AS last_tenth FROM sensors \gset
SELECT format('SELECT count(*) FROM sensors WHERE ts >= %L AND ts < %L',
              :'quarter', :'three_quarters') AS half,
       format($$SELECT count(*) || ' ' || round(sum(value)::numeric, 2) FROM sensors
                WHERE ts >= %L$$, :'last_tenth') AS tenth \gset
CALL compare('sensors: random lookups, index only', 'sensors', :pairs, 'Index Only Scan', $$
    SELECT count(*) || ' ' || max(ts) FROM moments JOIN sensors ON ts = x $$);
CALL compare('sensors: random lookups, with rows', 'sensors', :pairs, 'Index Scan', $$
    SELECT count(*) || ' ' || round(sum(value)::numeric, 2)
    FROM moments JOIN sensors ON ts = x $$);
CALL compare('sensors: 100 newest before 2,000 moments', 'sensors', :pairs, 'Index Only Scan', $$
    SELECT count(*) || ' ' || sum(extract(epoch FROM ts)) FROM (SELECT x FROM moments LIMIT 2000) p,
        LATERAL (SELECT ts FROM sensors WHERE ts <= x ORDER BY ts DESC LIMIT 100) q $$);
CALL compare('sensors: a range of half the rows, count', 'sensors', :pairs, 'Index Only Scan',
    :'half');
CALL compare('sensors: a range of a tenth, with rows', 'sensors', :pairs, 'Index Scan', :'tenth');
CALL compare('sensors: the newest row', 'sensors', :pairs, 'Index Scan', $$
    SELECT device || ' ' || ts || ' ' || value FROM sensors ORDER BY ts DESC LIMIT 1 $$);
CALL compare('sensors: min and max', 'sensors', :pairs, 'Index Only Scan', $$
    SELECT min(ts) || ' ' || max(ts) FROM sensors $$);
