#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing, builds the release preset and runs the demo: three simulated packs on
# 127.0.0.1:1502. Arguments go to `packbridge demo`.
set -eu
cd "$(dirname "$0")"

tests/setup.sh build
echo "== building (build/release)"
mkdir -p build
(cmake --preset release && cmake --build --preset release) >build/demo.log 2>&1 || {
	cat build/demo.log >&2
	exit 1
}
echo "== packbridge demo"
exec build/release/packbridge demo "$@"
