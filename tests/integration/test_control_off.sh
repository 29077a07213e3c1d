#!/bin/bash
# SPDX-License-Identifier: MIT
# Packs that nobody may switch are sent the same bytes as before there was a command, see control_off.py.
# To record them anew: python3 control_off.py PROGRAM TOOLS GOLDEN --write
set -eu
exec /usr/bin/python3 -B "$2/tests/integration/control_off.py" "$1" "$(dirname "$1")/tests" "$2/tests/data/control/off.json"
