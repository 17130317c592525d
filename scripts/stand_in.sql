-- For AM=btree: the extension's functions by those of amcheck, to try the scripts without the
-- extension.
CREATE EXTENSION IF NOT EXISTS amcheck;
CREATE FUNCTION omendb_check(index regclass, heapallindexed boolean DEFAULT false) RETURNS void
    LANGUAGE sql AS 'SELECT bt_index_check(index, heapallindexed)';
CREATE FUNCTION omendb_stats(index regclass, OUT leaves bigint, OUT entries bigint,
    OUT bytes_per_entry float8, OUT height int)
    LANGUAGE sql AS $$
    SELECT relpages, reltuples, pg_relation_size(index) / greatest(reltuples, 1), 2 FROM pg_class
        WHERE oid = index $$;
