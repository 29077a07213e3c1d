#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A map of somebody else's, whose every text tries to leave its place: exported in every format, read
# by that format's own parser, run by a shell, shown on a terminal. Usage: test_hostile_map.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1 source=$2
. "$(dirname "$0")/shell.sh"
/usr/bin/python3 "$source/tests/integration/hostile_map.py" "$program" "$folder"
