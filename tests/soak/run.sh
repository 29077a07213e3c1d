#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The daemon among faults on every side, watched by a checker that knows what the packs really sent:
# tests/soak/run.sh MINUTES [SEED]. docs/reliability.md tells what is done and what is looked at.
set -euo pipefail
cd "$(dirname "$0")/../.."
minutes=${1:?expected MINUTES}
cmake --preset dev >/dev/null
cmake --build --preset dev >/dev/null
exec /usr/bin/python3 -B tests/soak/soak.py "${PROGRAM:-build/dev/packbridge}" build/dev/tests/fake_bluez "$minutes" "${2:-1}"
