#!/bin/bash
# SPDX-License-Identifier: MIT
# Every fault of a pack that is switched, and the table in docs/control-faults.md, see control_faults.py.
# To write the table anew: python3 control_faults.py PROGRAM TOOLS TABLE --write
set -eu
exec /usr/bin/python3 -B "$2/tests/integration/control_faults.py" "$1" "$(dirname "$1")/tests" "$2/docs/control-faults.md"
