#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Is the age honest? Boards that send their clock as a value, over lines of every kind:
# tests/soak/age.sh MINUTES [SEED [ONLY]]; ONLY: lines whose name that finds, as "^tcp, JK".
set -euo pipefail
cd "$(dirname "$0")/../.."
minutes=${1:?expected MINUTES}
cmake --preset dev >/dev/null
cmake --build --preset dev >/dev/null
export PACKBRIDGE_MAPS=$PWD/maps
exec /usr/bin/python3 -B tests/soak/age.py "${PROGRAM:-build/dev/packbridge}" build/dev/tests/fake_bluez "$minutes" "${@:2}"
