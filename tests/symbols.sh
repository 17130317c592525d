#!/usr/bin/env bash
# The hand-written SQL and the library have the same C functions: what the SQL names, the library
# exports along with its pg_finfo_ function, and the other way round. Versions agree, too.
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
version=$(sed -n "s/^default_version = '\(.*\)'/\1/p" "$ROOT/omendb.control")
[ "$version" = "$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' \
    "$ROOT/Cargo.toml")" ] ||
    die "omendb.control and Cargo.toml have different versions"
script=$ROOT/sql/omendb--$version.sql
[ -f "$script" ] || die "$script is not there"
library=$("$PG_CONFIG" --pkglibdir)/omendb.so

named=$(sed -nE "s/.*AS 'MODULE_PATHNAME', '([a-z0-9_]+)'.*/\1/p" "$script" | sort)
exported=$(nm -D --defined-only "$library" | sed -n 's/.* T //p' | sort)
finfo=$(sed -n 's/^pg_finfo_//p' <<< "$exported")
# Whatever sed makes of the SQL, it has to find all functions.
[ "$(wc -l <<< "$named")" = "$(grep -c 'LANGUAGE c' "$script")" ] ||
    die "not all of $script is read"
if ! diff -u --label "named in $(basename "$script")" --label 'pg_finfo_ in the library' \
    <(echo "$named") <(echo "$finfo"); then
    die "SQL and library have different functions"
fi
without=$(comm -23 <(echo "$named") <(echo "$exported"))
[ -z "$without" ] || die "the library has pg_finfo_ but not the function of: $without"
say "$(wc -l <<< "$named") functions, in SQL and library"
