#!/usr/bin/env bash
# Lists the lines of over 100 columns in code, scripts and prose; fails if there is one. Excepted:
# tables in Markdown and lines with a URL, which cannot be broken, and what a test compares with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
git ls-files -z -- '*.rs' '*.md' '*.sh' '*.sql' '*.spec' '*.awk' '*.toml' '*.yml' '*Makefile' \
    '*Dockerfile' .ci/run ':!pg_regress/expected' |
    LC_ALL=C.UTF-8 xargs -0 awk '
        length > 100 && !/https?:\/\// && !(FILENAME ~ /\.md$/ && /^ *\|/) {
            printf "%s:%d: %d columns\n", FILENAME, FNR, length
            found++
        }
        END { exit found > 0 }'
