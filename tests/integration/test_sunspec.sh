#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A SunSpec client walks the demo's bank. Usage: test_sunspec.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1 source=$2
. "$(dirname "$0")/shell.sh"
cat >"$folder/packbridge.yaml" <<END
control: $folder/control
packs:
  - {name: house, link: "sim:lfp-4s,ah=200,soc=64", unit: 1}
  - {name: solar, link: "sim:lfp-4s,ah=150,soc=48", unit: 3}
banks: [{name: camper, packs: [house, solar], unit: 100, map: sunspec}]
listen: [{tcp: "127.0.0.1:0"}]
END
start 2 "$program" run -c "$folder/packbridge.yaml"
port=$(port_of 127.0.0.1)
/usr/bin/python3 -B "$source/tests/integration/sunspec.py" "$port" 100
end
