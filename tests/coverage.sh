#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Line coverage of the pure rooms by the unit and fuzz tests: at least 95 %. build/coverage has the report of
# all of src.
set -euo pipefail
cd "$(dirname "$0")/.."
pure='base|net|yaml|model|json|bms|bank|history|modbus|regmap|plant|config'
cmake -S . -B build/coverage -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS='--coverage -fprofile-abs-path' \
	>/dev/null
cmake --build build/coverage >/dev/null
find build/coverage -name '*.gcda' -delete
ctest --test-dir build/coverage -j"$(nproc)" -R '^(unit|fuzz|bank|history)/|test_decode|test_exports|test_daemon|test_reload' >build/coverage/tests.log 2>&1 ||
	{ tail -n 30 build/coverage/tests.log; exit 1; }
gcovr --root . --filter src/ --exclude-unreachable-branches --html-details build/coverage/report.html --txt build/coverage/all.txt \
	build/coverage >/dev/null 2>&1 || true
sed -n '/^TOTAL/p' build/coverage/all.txt
gcovr --root . --filter "src/($pure)/" --filter src/link/turns.c --exclude-unreachable-branches --fail-under-line 95 build/coverage \
	>build/coverage/pure.txt 2>/dev/null || { cat build/coverage/pure.txt; exit 1; }
sed -n 's/^TOTAL/pure rooms/p' build/coverage/pure.txt
