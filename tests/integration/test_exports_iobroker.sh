#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The export for ioBroker in its own engine, with a pack that is lost: no old value without a bad quality beside
# it. It needs `npm install @iobroker/modbus` in a folder that NODE_PATH names; without, it does nothing.
# Usage: test_exports_iobroker.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1 source=$2
export PACKBRIDGE_MAPS=$source/maps
. "$(dirname "$0")/shell.sh"
if ! node -e "require.resolve('@iobroker/modbus')" 2>/dev/null; then
	echo "no @iobroker/modbus, nothing is tested"
	exit 0
fi
cat >"$folder/packbridge.yaml" <<END
control: $folder/control
status: $folder/status
packs:
  - {name: shed, link: "sim:lfp-4s", unit: 2, poll_ms: 500, stale_after_s: 2}
  - {name: house, link: "sim:lfp-16s", unit: 1, poll_ms: 500, stale_after_s: 2}
banks: [{name: all, packs: [house], unit: 100}]
listen: [{tcp: "127.0.0.1:0"}]
END
start 2 "$program" run -c "$folder/packbridge.yaml"
"$program" map export -c "$folder/packbridge.yaml" -f iobroker -w all -H "127.0.0.1:$(port_of 127.0.0.1)" >"$folder/settings"
node "$source/tests/integration/iobroker.js" "$folder/settings" shed house >"$folder/engine" 2>&1 &
engine=$!
until_there has "$folder/engine" 1 '^read$'
"$program" release -s "$folder/control" shed >/dev/null # no connection, and no reading any more
wait $engine || { cat "$folder/engine"; fail "the engine"; }
cat "$folder/engine"
end
