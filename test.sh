#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing, builds the dev preset (warnings are errors) and runs all tests.
set -eu
cd "$(dirname "$0")"

tests/setup.sh test
echo "== building and testing (build/dev)"
exec cmake --workflow --preset dev
