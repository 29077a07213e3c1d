#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# All that mbpoll, pymodbus, nmap and modbus-serial (npm, where it can be had) say over TCP is
# recorded, and tshark's dissector must know every frame of it: what we send is what the rest of the
# world takes for Modbus. Usage: test_dissector.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1 source=$2
here=$(dirname "$program")
. "$(dirname "$0")/shell.sh"

cat >"$folder/packbridge.yaml" <<END
control: $folder/control
listen: [{tcp: "127.0.0.1:0"}, {rtu-over-tcp: "127.0.0.2:0"}]
packs:
  - {name: house, link: "sim:lfp-4s,soc=64,seed=1", unit: 1}
  - {name: dead, link: "sim:lfp-4s,silent=0+86400", unit: 2}
END
start 1 "$program" run -c "$folder/packbridge.yaml"
port=$(port_of 127.0.0.1)
rtu_port=$(port_of 127.0.0.2)

capture=
if dumpcap -i lo -f "tcp port $port" -w "$folder/capture" >"$folder/dumplog" 2>&1 & then
	capture=$!
fi
recording() {
	grep -q '^File:' "$folder/dumplog" || ! kill -0 "$capture" 2>/dev/null
}
until_there recording
kill -0 "$capture" 2>/dev/null || {
	echo "no right to record, or no dumpcap: $(tail -n 1 "$folder/dumplog")"
	capture=
}

/usr/bin/python3 -B "$source/tests/integration/clients.py" "$port"
mbpoll -m tcp -p "$port" -a 1 -0 -r 0 -c 100 -t 4 -1 -q 127.0.0.1 >/dev/null
mbpoll -m tcp -p "$port" -a 1 -0 -r 0 -c 8 -t 1 -1 -q 127.0.0.1 >/dev/null
nmap -Pn -p "$port" --script +modbus-discover --script-args modbus-discover.aggressive=true \
	127.0.0.1 >/dev/null
node=no
if command -v npm >/dev/null; then
	[ -d "$here/node_modules/modbus-serial" ] ||
		timeout 60 npm install --prefix "$here" --no-save --no-audit --no-fund --ignore-scripts \
			modbus-serial@8 >"$folder/npmlog" 2>&1 || true
	if [ -d "$here/node_modules/modbus-serial" ]; then
		NODE_PATH="$here/node_modules" timeout 20 node "$source/tests/integration/node_client.js" "$port" \
			"$rtu_port" || fail "modbus-serial"
		node=yes
	fi
fi

[ -n "$capture" ] || exit 77
dissect() {
	tshark -r "$folder/capture" -d "tcp.port==$port,mbtcp" "$@" 2>/dev/null
}
# what is on its way to the file
all_there() {
	[ "$(dissect -Y 'modbus.func_code == 43' | wc -l)" -ge 8 ]
}
until_there all_there
kill -INT "$capture"
wait "$capture" 2>/dev/null || true
frames=$(dissect -Y mbtcp | wc -l)
bad=$(dissect -Y "_ws.malformed || (tcp.srcport == $port && mbtcp.prot_id != 0)" | wc -l)
echo "$frames frames of Modbus TCP, $bad malformed (modbus-serial: $node)"
[ "$frames" -gt 200 ] && [ "$bad" = 0 ] || { dissect -Y '_ws.malformed' -V | head -n 60; exit 1; }
[ "$node" = yes ] || exit 77
