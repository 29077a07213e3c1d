#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# test_history.sh PROGRAM SOURCE_DIR
exec /usr/bin/python3 -B "$2/tests/integration/test_history.py" "$1"
