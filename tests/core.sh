#!/usr/bin/env bash
# The tests of crates/learned, which need no server. A seed that fails is printed with the failure.
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
"$ROOT/scripts/cargo.sh" test --profile checks -p learned
