-- The objects of the extension, run by CREATE EXTENSION omendb. Written by hand: the C functions
-- named here are the ..._wrapper symbols that pgrx makes of functions with #[pg_extern] in src/.
-- tests/symbols.sh compares the two.
\echo Use "CREATE EXTENSION omendb" to load this file. \quit

CREATE FUNCTION learned_handler(internal) RETURNS index_am_handler
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'learned_handler_wrapper';

CREATE ACCESS METHOD learned TYPE INDEX HANDLER learned_handler;
COMMENT ON ACCESS METHOD learned IS 'ordered index that predicts where its keys are';

-- Functions that look at one index.

CREATE FUNCTION omendb_check(index regclass, heapallindexed boolean DEFAULT false) RETURNS void
    LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'omendb_check_wrapper';
COMMENT ON FUNCTION omendb_check(regclass, boolean) IS
    'checks the pages of a learned index and, on request, that it has every row of its table';

CREATE FUNCTION omendb_stats(index regclass, OUT leaves bigint, OUT inner_pages bigint,
        OUT entries bigint, OUT dead bigint, OUT log_entries bigint, OUT runs bigint,
        OUT bytes_per_entry double precision, OUT height integer, OUT model_stages integer,
        OUT segments bigint, OUT model_bytes bigint, OUT max_error bigint,
        OUT mean_error double precision, OUT index_bytes bigint, OUT btree_bytes bigint)
    RETURNS SETOF record
    LANGUAGE c STRICT VOLATILE PARALLEL RESTRICTED ROWS 1
    AS 'MODULE_PATHNAME', 'omendb_stats_wrapper';
COMMENT ON FUNCTION omendb_stats(regclass) IS
    'describes a learned index: its pages, entries, model (errors are in leaves) and size, '
    'and the size of a btree index without deduplication';

CREATE FUNCTION omendb_model(index regclass, OUT part bigint, OUT stage integer,
        OUT segment bigint, OUT first_key text[], OUT coordinate numeric,
        OUT slope double precision, OUT intercept double precision, OUT below integer,
        OUT above integer, OUT "position" bigint, OUT positions bigint, OUT searched boolean)
    RETURNS SETOF record
    LANGUAGE c STRICT VOLATILE PARALLEL RESTRICTED ROWS 100
    AS 'MODULE_PATHNAME', 'omendb_model_wrapper';
COMMENT ON FUNCTION omendb_model(regclass) IS
    'lists the segments of the model of a learned index, from the root stage on. A key with '
    'coordinate x is expected at position + intercept + slope * (x - coordinate), at most '
    'below positions to the left of that and above to the right. Positions of the last stage '
    'are leaves, those of another stage are segments of the next one. A large model is '
    'divided: its root comes first, its parts after that. Where searched is true, the model '
    'is too uncertain and keys are searched in the tree.';

CREATE FUNCTION omendb_predict(index regclass, VARIADIC keys text[], OUT leaf bigint,
        OUT below integer, OUT above integer, OUT block bigint, OUT actual_leaf bigint,
        OUT actual_block bigint, OUT pages bigint)
    RETURNS SETOF record
    LANGUAGE c STRICT VOLATILE PARALLEL RESTRICTED ROWS 1
    AS 'MODULE_PATHNAME', 'omendb_predict_wrapper';
COMMENT ON FUNCTION omendb_predict(regclass, text[]) IS
    'searches a learned index for a key, given as text, with the model that this session '
    'knows. Returns the expected leaf, counted in key order, and how far to the left (below) '
    'and right (above) of it the key could be when the model was trained; the leaf where the '
    'key is, null if the model does not know that leaf; and the pages that the search read.';

CREATE FUNCTION omendb_counters(index regclass, OUT searches bigint, OUT predicted bigint,
        OUT predicted_right bigint, OUT links bigint, OUT descents bigint,
        OUT all_sessions boolean)
    RETURNS SETOF record
    LANGUAGE c STRICT VOLATILE PARALLEL RESTRICTED ROWS 1
    AS 'MODULE_PATHNAME', 'omendb_counters_wrapper';
COMMENT ON FUNCTION omendb_counters(regclass) IS
    'counts the searches of a learned index: all, those with a prediction, those whose leaf '
    'was the predicted one, leaves reached by a link from another leaf, and descents from the '
    'root; of all sessions or of this one';

CREATE FUNCTION omendb_retrain(index regclass) RETURNS void
    LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'omendb_retrain_wrapper';
COMMENT ON FUNCTION omendb_retrain(regclass) IS
    'trains a new model for a learned index; the index can be read and written meanwhile';

-- Operator families and classes of the access method.
--
-- They mirror nbtree's families of these types completely, cross-type members included: from
-- PostgreSQL 18 on the planner consults every ordering access method's families for ordinary
-- queries, and a family with gaps would split equivalence classes that have nothing to do with us.
-- pg_regress/sql/opclasses.sql compares the catalogs; its query also says which rows to add when
-- nbtree's families grow.
--
-- Support function 1 (comparison) only. nbtree's others are not looked up in our families:
--   2 (sortsupport), 6 (skip support): sorts and merge joins use the family that
--     get_ordering_op_properties finds first, and the list is ordered by the families' OIDs, so
--     the built-in ones come before ours; without support function 2 callers use function 1;
--   3 (in_range): looked up by the parser in the family of the ORDER BY operator, which is found
--     the same way;
--   4 (equalimage): asked of nbtree indexes (deduplication) and of the type's default btree class.

CREATE OPERATOR FAMILY integer_ops USING learned;

CREATE OPERATOR CLASS int2_ops DEFAULT FOR TYPE smallint USING learned FAMILY integer_ops AS
    OPERATOR 1 pg_catalog.< (smallint, smallint),
    OPERATOR 2 pg_catalog.<= (smallint, smallint),
    OPERATOR 3 pg_catalog.= (smallint, smallint),
    OPERATOR 4 pg_catalog.>= (smallint, smallint),
    OPERATOR 5 pg_catalog.> (smallint, smallint),
    FUNCTION 1 (smallint, smallint) pg_catalog.btint2cmp(smallint, smallint);

CREATE OPERATOR CLASS int4_ops DEFAULT FOR TYPE integer USING learned FAMILY integer_ops AS
    OPERATOR 1 pg_catalog.< (integer, integer),
    OPERATOR 2 pg_catalog.<= (integer, integer),
    OPERATOR 3 pg_catalog.= (integer, integer),
    OPERATOR 4 pg_catalog.>= (integer, integer),
    OPERATOR 5 pg_catalog.> (integer, integer),
    FUNCTION 1 (integer, integer) pg_catalog.btint4cmp(integer, integer);

CREATE OPERATOR CLASS int8_ops DEFAULT FOR TYPE bigint USING learned FAMILY integer_ops AS
    OPERATOR 1 pg_catalog.< (bigint, bigint),
    OPERATOR 2 pg_catalog.<= (bigint, bigint),
    OPERATOR 3 pg_catalog.= (bigint, bigint),
    OPERATOR 4 pg_catalog.>= (bigint, bigint),
    OPERATOR 5 pg_catalog.> (bigint, bigint),
    FUNCTION 1 (bigint, bigint) pg_catalog.btint8cmp(bigint, bigint);

ALTER OPERATOR FAMILY integer_ops USING learned ADD
    OPERATOR 1 pg_catalog.< (smallint, integer),
    OPERATOR 2 pg_catalog.<= (smallint, integer),
    OPERATOR 3 pg_catalog.= (smallint, integer),
    OPERATOR 4 pg_catalog.>= (smallint, integer),
    OPERATOR 5 pg_catalog.> (smallint, integer),
    FUNCTION 1 (smallint, integer) pg_catalog.btint24cmp(smallint, integer),
    OPERATOR 1 pg_catalog.< (smallint, bigint),
    OPERATOR 2 pg_catalog.<= (smallint, bigint),
    OPERATOR 3 pg_catalog.= (smallint, bigint),
    OPERATOR 4 pg_catalog.>= (smallint, bigint),
    OPERATOR 5 pg_catalog.> (smallint, bigint),
    FUNCTION 1 (smallint, bigint) pg_catalog.btint28cmp(smallint, bigint);

ALTER OPERATOR FAMILY integer_ops USING learned ADD
    OPERATOR 1 pg_catalog.< (integer, smallint),
    OPERATOR 2 pg_catalog.<= (integer, smallint),
    OPERATOR 3 pg_catalog.= (integer, smallint),
    OPERATOR 4 pg_catalog.>= (integer, smallint),
    OPERATOR 5 pg_catalog.> (integer, smallint),
    FUNCTION 1 (integer, smallint) pg_catalog.btint42cmp(integer, smallint),
    OPERATOR 1 pg_catalog.< (integer, bigint),
    OPERATOR 2 pg_catalog.<= (integer, bigint),
    OPERATOR 3 pg_catalog.= (integer, bigint),
    OPERATOR 4 pg_catalog.>= (integer, bigint),
    OPERATOR 5 pg_catalog.> (integer, bigint),
    FUNCTION 1 (integer, bigint) pg_catalog.btint48cmp(integer, bigint);

ALTER OPERATOR FAMILY integer_ops USING learned ADD
    OPERATOR 1 pg_catalog.< (bigint, smallint),
    OPERATOR 2 pg_catalog.<= (bigint, smallint),
    OPERATOR 3 pg_catalog.= (bigint, smallint),
    OPERATOR 4 pg_catalog.>= (bigint, smallint),
    OPERATOR 5 pg_catalog.> (bigint, smallint),
    FUNCTION 1 (bigint, smallint) pg_catalog.btint82cmp(bigint, smallint),
    OPERATOR 1 pg_catalog.< (bigint, integer),
    OPERATOR 2 pg_catalog.<= (bigint, integer),
    OPERATOR 3 pg_catalog.= (bigint, integer),
    OPERATOR 4 pg_catalog.>= (bigint, integer),
    OPERATOR 5 pg_catalog.> (bigint, integer),
    FUNCTION 1 (bigint, integer) pg_catalog.btint84cmp(bigint, integer);

CREATE OPERATOR FAMILY datetime_ops USING learned;

CREATE OPERATOR CLASS date_ops DEFAULT FOR TYPE date USING learned FAMILY datetime_ops AS
    OPERATOR 1 pg_catalog.< (date, date),
    OPERATOR 2 pg_catalog.<= (date, date),
    OPERATOR 3 pg_catalog.= (date, date),
    OPERATOR 4 pg_catalog.>= (date, date),
    OPERATOR 5 pg_catalog.> (date, date),
    FUNCTION 1 (date, date) pg_catalog.date_cmp(date, date);

CREATE OPERATOR CLASS timestamp_ops DEFAULT FOR TYPE timestamp without time zone
    USING learned FAMILY datetime_ops AS
    OPERATOR 1 pg_catalog.< (timestamp without time zone, timestamp without time zone),
    OPERATOR 2 pg_catalog.<= (timestamp without time zone, timestamp without time zone),
    OPERATOR 3 pg_catalog.= (timestamp without time zone, timestamp without time zone),
    OPERATOR 4 pg_catalog.>= (timestamp without time zone, timestamp without time zone),
    OPERATOR 5 pg_catalog.> (timestamp without time zone, timestamp without time zone),
    FUNCTION 1 (timestamp without time zone, timestamp without time zone)
        pg_catalog.timestamp_cmp(timestamp without time zone, timestamp without time zone);

CREATE OPERATOR CLASS timestamptz_ops DEFAULT FOR TYPE timestamp with time zone
    USING learned FAMILY datetime_ops AS
    OPERATOR 1 pg_catalog.< (timestamp with time zone, timestamp with time zone),
    OPERATOR 2 pg_catalog.<= (timestamp with time zone, timestamp with time zone),
    OPERATOR 3 pg_catalog.= (timestamp with time zone, timestamp with time zone),
    OPERATOR 4 pg_catalog.>= (timestamp with time zone, timestamp with time zone),
    OPERATOR 5 pg_catalog.> (timestamp with time zone, timestamp with time zone),
    FUNCTION 1 (timestamp with time zone, timestamp with time zone)
        pg_catalog.timestamptz_cmp(timestamp with time zone, timestamp with time zone);

ALTER OPERATOR FAMILY datetime_ops USING learned ADD
    OPERATOR 1 pg_catalog.< (date, timestamp without time zone),
    OPERATOR 2 pg_catalog.<= (date, timestamp without time zone),
    OPERATOR 3 pg_catalog.= (date, timestamp without time zone),
    OPERATOR 4 pg_catalog.>= (date, timestamp without time zone),
    OPERATOR 5 pg_catalog.> (date, timestamp without time zone),
    FUNCTION 1 (date, timestamp without time zone)
        pg_catalog.date_cmp_timestamp(date, timestamp without time zone),
    OPERATOR 1 pg_catalog.< (date, timestamp with time zone),
    OPERATOR 2 pg_catalog.<= (date, timestamp with time zone),
    OPERATOR 3 pg_catalog.= (date, timestamp with time zone),
    OPERATOR 4 pg_catalog.>= (date, timestamp with time zone),
    OPERATOR 5 pg_catalog.> (date, timestamp with time zone),
    FUNCTION 1 (date, timestamp with time zone)
        pg_catalog.date_cmp_timestamptz(date, timestamp with time zone);

ALTER OPERATOR FAMILY datetime_ops USING learned ADD
    OPERATOR 1 pg_catalog.< (timestamp without time zone, date),
    OPERATOR 2 pg_catalog.<= (timestamp without time zone, date),
    OPERATOR 3 pg_catalog.= (timestamp without time zone, date),
    OPERATOR 4 pg_catalog.>= (timestamp without time zone, date),
    OPERATOR 5 pg_catalog.> (timestamp without time zone, date),
    FUNCTION 1 (timestamp without time zone, date)
        pg_catalog.timestamp_cmp_date(timestamp without time zone, date),
    OPERATOR 1 pg_catalog.< (timestamp without time zone, timestamp with time zone),
    OPERATOR 2 pg_catalog.<= (timestamp without time zone, timestamp with time zone),
    OPERATOR 3 pg_catalog.= (timestamp without time zone, timestamp with time zone),
    OPERATOR 4 pg_catalog.>= (timestamp without time zone, timestamp with time zone),
    OPERATOR 5 pg_catalog.> (timestamp without time zone, timestamp with time zone),
    FUNCTION 1 (timestamp without time zone, timestamp with time zone)
        pg_catalog.timestamp_cmp_timestamptz(timestamp without time zone, timestamp with time zone);

ALTER OPERATOR FAMILY datetime_ops USING learned ADD
    OPERATOR 1 pg_catalog.< (timestamp with time zone, date),
    OPERATOR 2 pg_catalog.<= (timestamp with time zone, date),
    OPERATOR 3 pg_catalog.= (timestamp with time zone, date),
    OPERATOR 4 pg_catalog.>= (timestamp with time zone, date),
    OPERATOR 5 pg_catalog.> (timestamp with time zone, date),
    FUNCTION 1 (timestamp with time zone, date)
        pg_catalog.timestamptz_cmp_date(timestamp with time zone, date),
    OPERATOR 1 pg_catalog.< (timestamp with time zone, timestamp without time zone),
    OPERATOR 2 pg_catalog.<= (timestamp with time zone, timestamp without time zone),
    OPERATOR 3 pg_catalog.= (timestamp with time zone, timestamp without time zone),
    OPERATOR 4 pg_catalog.>= (timestamp with time zone, timestamp without time zone),
    OPERATOR 5 pg_catalog.> (timestamp with time zone, timestamp without time zone),
    FUNCTION 1 (timestamp with time zone, timestamp without time zone)
        pg_catalog.timestamptz_cmp_timestamp(timestamp with time zone, timestamp without time zone);

CREATE OPERATOR FAMILY bool_ops USING learned;

CREATE OPERATOR CLASS bool_ops DEFAULT FOR TYPE boolean USING learned FAMILY bool_ops AS
    OPERATOR 1 pg_catalog.< (boolean, boolean),
    OPERATOR 2 pg_catalog.<= (boolean, boolean),
    OPERATOR 3 pg_catalog.= (boolean, boolean),
    OPERATOR 4 pg_catalog.>= (boolean, boolean),
    OPERATOR 5 pg_catalog.> (boolean, boolean),
    FUNCTION 1 (boolean, boolean) pg_catalog.btboolcmp(boolean, boolean);

CREATE OPERATOR FAMILY char_ops USING learned;

CREATE OPERATOR CLASS char_ops DEFAULT FOR TYPE "char" USING learned FAMILY char_ops AS
    OPERATOR 1 pg_catalog.< ("char", "char"),
    OPERATOR 2 pg_catalog.<= ("char", "char"),
    OPERATOR 3 pg_catalog.= ("char", "char"),
    OPERATOR 4 pg_catalog.>= ("char", "char"),
    OPERATOR 5 pg_catalog.> ("char", "char"),
    FUNCTION 1 ("char", "char") pg_catalog.btcharcmp("char","char");

CREATE OPERATOR FAMILY float_ops USING learned;

CREATE OPERATOR CLASS float8_ops DEFAULT FOR TYPE double precision USING learned FAMILY float_ops AS
    OPERATOR 1 pg_catalog.< (double precision, double precision),
    OPERATOR 2 pg_catalog.<= (double precision, double precision),
    OPERATOR 3 pg_catalog.= (double precision, double precision),
    OPERATOR 4 pg_catalog.>= (double precision, double precision),
    OPERATOR 5 pg_catalog.> (double precision, double precision),
    FUNCTION 1 (double precision, double precision)
        pg_catalog.btfloat8cmp(double precision, double precision);

CREATE OPERATOR CLASS float4_ops DEFAULT FOR TYPE real USING learned FAMILY float_ops AS
    OPERATOR 1 pg_catalog.< (real, real),
    OPERATOR 2 pg_catalog.<= (real, real),
    OPERATOR 3 pg_catalog.= (real, real),
    OPERATOR 4 pg_catalog.>= (real, real),
    OPERATOR 5 pg_catalog.> (real, real),
    FUNCTION 1 (real, real) pg_catalog.btfloat4cmp(real, real);

ALTER OPERATOR FAMILY float_ops USING learned ADD
    OPERATOR 1 pg_catalog.< (double precision, real),
    OPERATOR 2 pg_catalog.<= (double precision, real),
    OPERATOR 3 pg_catalog.= (double precision, real),
    OPERATOR 4 pg_catalog.>= (double precision, real),
    OPERATOR 5 pg_catalog.> (double precision, real),
    FUNCTION 1 (double precision, real) pg_catalog.btfloat84cmp(double precision, real);

ALTER OPERATOR FAMILY float_ops USING learned ADD
    OPERATOR 1 pg_catalog.< (real, double precision),
    OPERATOR 2 pg_catalog.<= (real, double precision),
    OPERATOR 3 pg_catalog.= (real, double precision),
    OPERATOR 4 pg_catalog.>= (real, double precision),
    OPERATOR 5 pg_catalog.> (real, double precision),
    FUNCTION 1 (real, double precision) pg_catalog.btfloat48cmp(real, double precision);

CREATE OPERATOR FAMILY macaddr8_ops USING learned;

CREATE OPERATOR CLASS macaddr8_ops DEFAULT FOR TYPE macaddr8 USING learned FAMILY macaddr8_ops AS
    OPERATOR 1 pg_catalog.< (macaddr8, macaddr8),
    OPERATOR 2 pg_catalog.<= (macaddr8, macaddr8),
    OPERATOR 3 pg_catalog.= (macaddr8, macaddr8),
    OPERATOR 4 pg_catalog.>= (macaddr8, macaddr8),
    OPERATOR 5 pg_catalog.> (macaddr8, macaddr8),
    FUNCTION 1 (macaddr8, macaddr8) pg_catalog.macaddr8_cmp(macaddr8, macaddr8);

CREATE OPERATOR FAMILY macaddr_ops USING learned;

CREATE OPERATOR CLASS macaddr_ops DEFAULT FOR TYPE macaddr USING learned FAMILY macaddr_ops AS
    OPERATOR 1 pg_catalog.< (macaddr, macaddr),
    OPERATOR 2 pg_catalog.<= (macaddr, macaddr),
    OPERATOR 3 pg_catalog.= (macaddr, macaddr),
    OPERATOR 4 pg_catalog.>= (macaddr, macaddr),
    OPERATOR 5 pg_catalog.> (macaddr, macaddr),
    FUNCTION 1 (macaddr, macaddr) pg_catalog.macaddr_cmp(macaddr, macaddr);

CREATE OPERATOR FAMILY money_ops USING learned;

CREATE OPERATOR CLASS money_ops DEFAULT FOR TYPE money USING learned FAMILY money_ops AS
    OPERATOR 1 pg_catalog.< (money, money),
    OPERATOR 2 pg_catalog.<= (money, money),
    OPERATOR 3 pg_catalog.= (money, money),
    OPERATOR 4 pg_catalog.>= (money, money),
    OPERATOR 5 pg_catalog.> (money, money),
    FUNCTION 1 (money, money) pg_catalog.cash_cmp(money, money);

CREATE OPERATOR FAMILY oid_ops USING learned;

CREATE OPERATOR CLASS oid_ops DEFAULT FOR TYPE oid USING learned FAMILY oid_ops AS
    OPERATOR 1 pg_catalog.< (oid, oid),
    OPERATOR 2 pg_catalog.<= (oid, oid),
    OPERATOR 3 pg_catalog.= (oid, oid),
    OPERATOR 4 pg_catalog.>= (oid, oid),
    OPERATOR 5 pg_catalog.> (oid, oid),
    FUNCTION 1 (oid, oid) pg_catalog.btoidcmp(oid, oid);

CREATE OPERATOR FAMILY pg_lsn_ops USING learned;

CREATE OPERATOR CLASS pg_lsn_ops DEFAULT FOR TYPE pg_lsn USING learned FAMILY pg_lsn_ops AS
    OPERATOR 1 pg_catalog.< (pg_lsn, pg_lsn),
    OPERATOR 2 pg_catalog.<= (pg_lsn, pg_lsn),
    OPERATOR 3 pg_catalog.= (pg_lsn, pg_lsn),
    OPERATOR 4 pg_catalog.>= (pg_lsn, pg_lsn),
    OPERATOR 5 pg_catalog.> (pg_lsn, pg_lsn),
    FUNCTION 1 (pg_lsn, pg_lsn) pg_catalog.pg_lsn_cmp(pg_lsn, pg_lsn);

CREATE OPERATOR FAMILY time_ops USING learned;

CREATE OPERATOR CLASS time_ops DEFAULT FOR TYPE time without time zone
    USING learned FAMILY time_ops AS
    OPERATOR 1 pg_catalog.< (time without time zone, time without time zone),
    OPERATOR 2 pg_catalog.<= (time without time zone, time without time zone),
    OPERATOR 3 pg_catalog.= (time without time zone, time without time zone),
    OPERATOR 4 pg_catalog.>= (time without time zone, time without time zone),
    OPERATOR 5 pg_catalog.> (time without time zone, time without time zone),
    FUNCTION 1 (time without time zone, time without time zone)
        pg_catalog.time_cmp(time without time zone, time without time zone);

CREATE OPERATOR FAMILY xid8_ops USING learned;

CREATE OPERATOR CLASS xid8_ops DEFAULT FOR TYPE xid8 USING learned FAMILY xid8_ops AS
    OPERATOR 1 pg_catalog.< (xid8, xid8),
    OPERATOR 2 pg_catalog.<= (xid8, xid8),
    OPERATOR 3 pg_catalog.= (xid8, xid8),
    OPERATOR 4 pg_catalog.>= (xid8, xid8),
    OPERATOR 5 pg_catalog.> (xid8, xid8),
    FUNCTION 1 (xid8, xid8) pg_catalog.xid8cmp(xid8, xid8);

CREATE OPERATOR FAMILY uuid_ops USING learned;

CREATE OPERATOR CLASS uuid_ops DEFAULT FOR TYPE uuid USING learned FAMILY uuid_ops AS
    OPERATOR 1 pg_catalog.< (uuid, uuid),
    OPERATOR 2 pg_catalog.<= (uuid, uuid),
    OPERATOR 3 pg_catalog.= (uuid, uuid),
    OPERATOR 4 pg_catalog.>= (uuid, uuid),
    OPERATOR 5 pg_catalog.> (uuid, uuid),
    FUNCTION 1 (uuid, uuid) pg_catalog.uuid_cmp(uuid, uuid);
