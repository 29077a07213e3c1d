#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A SunSpec client walks the demo's bank. Usage: test_sunspec.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1
source=$2
folder=$(mktemp -d)
pid=
finish() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null || true
	rm -rf "$folder"
}
trap finish EXIT
cat >"$folder/packbridge.yaml" <<END
control: $folder/control
packs:
  - {name: house, link: "sim:lfp-4s,ah=200,soc=64", unit: 1}
  - {name: solar, link: "sim:lfp-4s,ah=150,soc=48", unit: 3}
banks: [{name: camper, packs: [house, solar], unit: 100, map: sunspec}]
listen: [{tcp: "127.0.0.1:0"}]
END
"$program" run -c "$folder/packbridge.yaml" 2>"$folder/log" &
pid=$!
for _ in $(seq 200); do
	[ "$(grep -c 'first reading' "$folder/log")" -lt 2 ] || break
	read -rt 0.1 <> <(:) || true
done
port=$(sed -n 's/.*port \([0-9]*\)$/\1/p' "$folder/log" | head -1)
/usr/bin/python3 "$source/tests/integration/sunspec.py" "$port" 100
kill -TERM "$pid"
wait "$pid"
pid=
