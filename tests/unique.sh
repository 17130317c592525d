#!/usr/bin/env bash
# 16 sessions insert, delete, merge and change rows with the same few keys, while VACUUM runs: no
# key twice, and no row refused for nothing. Where the server allows it (btree, or PostgreSQL 18),
# INSERT ... ON CONFLICT, too: it never fails, and DO UPDATE always has its row. Once with the keys
# alone in the index, once with an included column, which nearly every change changes.
#   TURNS (1500 a session)
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
TURNS=${TURNS:-1500}
fresh_server unique autovacuum=off fsync=off max_connections=60
new_database unique_keys
sql <<SQL
CREATE TABLE u (k int8, part int2, id int8 DEFAULT (random() * 1000000));
-- What was refused must have been there, at some time since the statement began, by another
-- transaction's leave.
CREATE FUNCTION try(action int, n int8) RETURNS text LANGUAGE plpgsql AS \$\$
DECLARE changed int8;
BEGIN
    CASE WHEN action < 5 THEN INSERT INTO u VALUES (n, n % 3);
         WHEN action < 7 THEN DELETE FROM u WHERE k = n AND part = n % 3;
         WHEN action < 8 THEN UPDATE u SET id = id + 1 WHERE k = n AND part = n % 3;
         WHEN action < 10 THEN UPDATE u SET k = k + 3 WHERE k = n AND part = n % 3;
         WHEN action < 11 THEN MERGE INTO u USING (VALUES (n, n % 3)) s (k, part) ON u.k = s.k
             AND u.part = s.part
            WHEN MATCHED THEN UPDATE SET id = id + 1 WHEN NOT MATCHED THEN INSERT VALUES (s.k,
                s.part);
         WHEN action < 13 THEN INSERT INTO u VALUES (n, n % 3) ON CONFLICT DO NOTHING;
         ELSE INSERT INTO u VALUES (n, n % 3) ON CONFLICT (k, part) DO UPDATE SET id = u.id + 1;
             END CASE;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF action >= 13 AND changed <> 1 THEN RAISE 'neither inserted nor changed'; END IF;
    RETURN 'done';
EXCEPTION WHEN unique_violation THEN
    IF action >= 11 THEN RAISE; END IF;
    RETURN 'refused';
END \$\$;
SQL
actions=10
if [ "$AM" = btree ] || [ "$(sql -c 'SHOW server_version_num')" -ge 180000 ]; then actions=16; fi
cat > "$WORK/unique/try.sql" <<SQL
\set action random(0, $actions)
\set n random(1, 150)
\set pause random(0, 3)
BEGIN;
SELECT try(:action, :n);
\if :pause = 0
\sleep 1 ms
\endif
COMMIT;
SQL
chmod a+r "$WORK/unique/try.sql"
for columns in '(part, k DESC)' '(part, k DESC) INCLUDE (id)'; do
    sql -c 'SET client_min_messages = warning' -c 'SET omendb.allow_unique = on' -c 'TRUNCATE u' \
        -c 'DROP INDEX IF EXISTS u_k' -c "CREATE UNIQUE INDEX u_k ON u USING $AM $columns"
    while sql -c 'VACUUM u' > /dev/null 2>&1; do sleep 0.3; done &
    vacuum=$!
    trap 'kill $vacuum 2> /dev/null || true' EXIT
    pgbench -n -c 16 -j 2 -t "$TURNS" -f "$WORK/unique/try.sql" > "$WORK/unique/pgbench.log" 2>&1 ||
        die "$(tail -n 5 "$WORK/unique/pgbench.log")"
    kill $vacuum
    say "$columns: $(sql -c "SET enable_indexscan = off" -c "SET enable_indexonlyscan = off" \
        -c "SET enable_bitmapscan = off" \
        -c "SELECT count(*) || ' rows, ' || count(DISTINCT k) || ' keys' FROM u")"
    [ "$(sql -c "SET enable_indexscan = off" -c "SET enable_indexonlyscan = off" \
        -c "SET enable_bitmapscan = off" -c "SELECT count(*) = count(DISTINCT k) AND count(*) > 0
        FROM u")" = t ] || die "a key twice"
    # Each key that is missing can be inserted, and none that is there.
    [ "$(sql -c "SELECT bool_and((try(0, n) = 'refused') = there)
        FROM (SELECT n, EXISTS (SELECT FROM u WHERE k = n) AS there
              FROM generate_series(1, 150) n OFFSET 0) q")" = t ] ||
        die "refused for nothing, or not refused"
    if [ "$AM" = learned ]; then sql -c "SELECT omendb_check('u_k', true)"; fi
done
