#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing, builds the dev preset (warnings are errors) and runs all tests. The one
# against the real bluetoothd, in a virtual machine, needs qemu-system-x86 and is skipped without.
set -eu
cd "$(dirname "$0")"

tests/setup.sh test
echo "== building and testing (build/dev)"
rm -f build/dev/vm.txt
cmake --workflow --preset dev
echo "== Bluetooth: the tests against the fake bluetoothd ran; against the real one:"
cat build/dev/vm.txt
