#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# clang-tidy and cppcheck over src, without a finding: tests/static.sh BUILD (with compile_commands.json)
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/dev}
status=0
# memory leaks: neither knows __attribute__((cleanup)); the sanitizers and valgrind look for them
cppcheck --quiet --enable=warning,performance,portability --inline-suppr --suppress=missingIncludeSystem \
	--suppress=memleak --suppress=resourceLeak --error-exitcode=1 -j"$(nproc)" -D__GNUC__=12 -D_GNU_SOURCE \
	-DPB_VERSION='"0"' -DPB_PAGE='""' -DPB_MAPS_DIR='""' -Iinclude src || status=1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
printf '%s\0' src/*/*.c | xargs -0 -P"$(nproc)" -n4 clang-tidy -p "$build" --quiet >"$log" 2>&1 || status=1
grep -v 'warnings\? generated\|^Suppressed\|^Use -header-filter' "$log" || true
[ $status -eq 0 ] && echo "clang-tidy, cppcheck: nothing found in $(ls src/*/*.c | wc -l) files"
exit $status
