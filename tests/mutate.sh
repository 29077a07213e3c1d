#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Changes one line at a time and runs the tests that should see it: tests/mutate.sh SEED COUNT TESTS FILE...
# See tests/mutate.py.
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 tests/mutate.py "$@"
