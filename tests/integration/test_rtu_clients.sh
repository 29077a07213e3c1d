#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Masters that others wrote, over a pair of pseudo terminals: mbpoll (libmodbus) and pymodbus.
# Usage: test_rtu_clients.sh PROGRAM
set -euo pipefail
program=$1
. "$(dirname "$0")/shell.sh"

serial_line
cat >"$folder/packbridge.yaml" <<END
control: $folder/control
listen: [{rtu: $folder/ours, baud: 19200, parity: even}]
packs:
  - {name: house, link: "sim:lfp-4s,soc=64,seed=1", unit: 1}
  - {name: store, link: "sim:lfp-16s,soc=40,seed=2", unit: 2}
END
"$program" check -c "$folder/packbridge.yaml" | grep -q "Modbus RTU on $folder/ours, 19200 baud, 8E1"
start 2 "$program" run -c "$folder/packbridge.yaml"

for _ in $(seq 20); do
	mbpoll -m rtu -b 19200 -P even -a 1,2 -0 -r 17 -c 1 -t 3 -1 "$folder/theirs" >"$folder/out"
	grep -q '^\[17\]:.*640' "$folder/out" && grep -q '^\[17\]:.*400' "$folder/out" || { cat "$folder/out"; exit 1; }
done
# no such unit: silence, not an exception
mbpoll -m rtu -b 19200 -P even -o 0.2 -a 9 -0 -r 17 -c 1 -t 3 -1 "$folder/theirs" >"$folder/out" 2>&1 || true
grep -q 'Connection timed out' "$folder/out" || { cat "$folder/out"; exit 1; }

PYTHONPATH=$(dirname "$0") /usr/bin/python3 -B - "$folder/theirs" <<'END'
import sys
from anymodbus import Client, ModbusSerialClient, exception

client = Client(ModbusSerialClient(port=sys.argv[1], baudrate=19200, timeout=2))  # a pty has no parity
for i in range(20):
    assert client.read("holding_registers", 17, 1, 1).registers == [640]
    assert client.read("input_registers", 0, 60, 2).registers[17] == 400
assert exception(client.write("register", 0, 1, 1)) == 2
client.close()
END
