#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Clients that others wrote, against the daemon: pymodbus (clients.py has what it asks) and nmap's
# scanner. Usage: test_clients.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1 source=$2
. "$(dirname "$0")/shell.sh"

cat >"$folder/packbridge.yaml" <<END
control: $folder/control
listen: [{tcp: "127.0.0.1:0"}]
packs:
  - {name: house, link: "sim:lfp-4s,soc=64,seed=1", unit: 1}
  - {name: dead, link: "sim:lfp-4s,silent=0+86400", unit: 2}
END
start 1 "$program" run -c "$folder/packbridge.yaml"
port=$(port_of 127.0.0.1)

/usr/bin/python3 -B "$source/tests/integration/clients.py" "$port"

nmap -Pn -p "$port" --script +modbus-discover --script-args modbus-discover.aggressive=true \
	127.0.0.1 >"$folder/nmap"
for line in 'Slave ID data: P.xFFpackbridge [0-9.]* house' 'Device identification: packbridge packbridge' \
	'GATEWAY PATH UNAVAILABLE'; do
	grep -q "$line" "$folder/nmap" || { echo "nmap does not say '$line':"; head -n 20 "$folder/nmap"; exit 1; }
done
