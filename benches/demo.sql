-- The demonstration's queries: CALL compare(name, prefix of the two indexes, pairs, plan node, query).
CREATE UNLOGGED TABLE points AS SELECT departure AS x FROM flights TABLESAMPLE bernoulli (7) REPEATABLE (1) ORDER BY hashint8(delay + distance);
CREATE UNLOGGED TABLE moments AS SELECT ts AS x FROM sensors TABLESAMPLE bernoulli (2) REPEATABLE (1) ORDER BY hashfloat8(value), ts;
ANALYZE points, moments;

CALL compare('flights: 2000 lookups of a minute', 'flights', :pairs, 'Index Scan',
    'SELECT count(*) || '' '' || sum(delay) FROM (SELECT x FROM points LIMIT 2000) p, LATERAL (SELECT delay FROM flights WHERE departure = x OFFSET 0) q');
CALL compare('flights: a day, with heap', 'flights', :pairs, 'Index Scan',
    'SELECT count(*) || '' '' || sum(distance) FROM flights WHERE departure >= ''2001-03-15 00:00+00'' AND departure < ''2001-03-16 00:00+00''');
CALL compare('flights: count of three months, index only', 'flights', :pairs, 'Index Only Scan',
    'SELECT count(*) FROM flights WHERE departure BETWEEN ''2001-02-01 00:00+00'' AND ''2001-04-30 23:59+00''');
CALL compare('flights: two hours by bitmap', 'flights', :pairs, 'Bitmap Index Scan',
    'SELECT count(*) || '' '' || sum(delay) FROM flights WHERE departure BETWEEN ''2001-05-05 10:00+00'' AND ''2001-05-05 12:00+00''');
CALL compare('flights: next 10 departures after 2000 moments', 'flights', :pairs, 'Index Only Scan',
    'SELECT count(*) || '' '' || max(departure) || '' '' || sum(extract(epoch FROM departure)) FROM (SELECT x FROM points LIMIT 2000) p, LATERAL (SELECT departure FROM flights WHERE departure > x ORDER BY departure LIMIT 10) q');
CALL compare('flights: min and max', 'flights', :pairs, 'Index Only Scan',
    'SELECT min(departure) || '' '' || max(departure) FROM flights');
CALL compare('sensors: lookups in random order, index only', 'sensors', :pairs, 'Index Only Scan',
    'SELECT count(*) || '' '' || max(ts) FROM moments JOIN sensors ON ts = x');
CALL compare('sensors: lookups in random order, with heap', 'sensors', :pairs, 'Index Scan',
    'SELECT count(*) || '' '' || round(sum(value)::numeric, 2) FROM moments JOIN sensors ON ts = x');
SELECT min(ts) + (max(ts) - min(ts)) / 4 AS quarter, max(ts) - (max(ts) - min(ts)) / 4 AS three_quarters,
       max(ts) - (max(ts) - min(ts)) / 10 AS last_tenth FROM sensors \gset
SELECT format('SELECT count(*) FROM sensors WHERE ts >= %L AND ts < %L', :'quarter', :'three_quarters') AS half,
       format('SELECT count(*) || '' '' || round(sum(value)::numeric, 2) FROM sensors WHERE ts >= %L', :'last_tenth') AS tenth \gset
CALL compare('sensors: count of half of the rows, index only', 'sensors', :pairs, 'Index Only Scan', :'half');
CALL compare('sensors: sum over a tenth of the rows, with heap', 'sensors', :pairs, 'Index Scan', :'tenth');
CALL compare('sensors: newest 100 before 2000 moments', 'sensors', :pairs, 'Index Only Scan',
    'SELECT count(*) || '' '' || sum(extract(epoch FROM ts)) FROM (SELECT x FROM moments LIMIT 2000) p, LATERAL (SELECT ts FROM sensors WHERE ts <= x ORDER BY ts DESC LIMIT 100) q');
CALL compare('sensors: ORDER BY ts DESC LIMIT 1', 'sensors', :pairs, 'Index Scan',
    'SELECT device || '' '' || ts || '' '' || value FROM sensors ORDER BY ts DESC LIMIT 1');
CALL compare('sensors: min and max', 'sensors', :pairs, 'Index Only Scan',
    'SELECT min(ts) || '' '' || max(ts) FROM sensors');
