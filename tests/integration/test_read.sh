#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `packbridge read` as a technician uses it: over TCP and over a serial line, on units that are
# good, old, never read and not there, and used wrongly. Usage: test_read.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1
. "$(dirname "$0")/shell.sh"
# STATUS TEXT ARGS...: what the program says, on both streams, has TEXT, and it ends with STATUS
says() {
	local wanted=$1 text=$2 status=0
	shift 2
	"$program" read "$@" >"$folder/out" 2>&1 || status=$?
	if [ "$status" != "$wanted" ] || ! grep -qE "$text" "$folder/out"; then
		echo "read $*: status $status, expected $wanted and '$text':"
		cat "$folder/out"
		exit 1
	fi
}
is_old() {
	{ "$program" read "$tcp" -u 3 -j 2>/dev/null || true; } | grep -qE '"quality": [23]'
}

has_reading() {
	"$program" read "$tcp" -u "$1" >/dev/null 2>&1
}

serial_line
cat >"$folder/packbridge.yaml" <<END
control: $folder/control
listen:
  - tcp: 127.0.0.1:0
  - {rtu: $folder/ours, baud: 19200, parity: even}
packs:
  - {name: house, link: "sim:lfp-4s,soc=64,seed=1", unit: 1, poll_ms: 60000}
  - {name: store, link: "sim:lfp-16s,silent=4+86400", unit: 3, poll_ms: 500, stale_after_s: 1,
     reply_timeout_ms: 200}
  - {name: never, link: "sim:lfp-4s,silent=0+86400", unit: 4, reply_timeout_ms: 200}
  - {name: words, link: "sim:lfp-16s,soc=40,seed=5", unit: 5, map: voltronic, poll_ms: 60000}
  - {name: low, link: "sim:lfp-4s,soc=50,seed=6", unit: 6, map: packbridge+low-first}
banks:
  - {name: all, packs: [house, low], unit: 100}
END
start 4 "$program" run -c "$folder/packbridge.yaml"
until_there grep -q 'Modbus RTU on' "$folder/log"
tcp=tcp:127.0.0.1:$(port_of 127.0.0.1)
rtu=rtu:$folder/theirs@19200,8E1

# the same pack over both, and by name what mbpoll shows as numbers
for at in "$tcp" "$rtu"; do
	says 0 '^ +17  soc_permille +64\.0 %' "$at"
	says 0 '^ +1  quality +1  good' "$at"
	says 0 '^ +103  cell_mv\[3\] +3[0-9]{3} mV' "$at"
	"$program" read "$at" --json >"$folder/json.${at%%:*}"
done
# the unit says which map it shows, on any port; one counts registers instead of bytes
until_there has_reading 5
until_there has_reading 6
for at in "$tcp" "$rtu"; do
	says 0 "soc_permille +5[67]\.[0-9] %" "$at" -u 100
	says 0 'soc_permille +50\.0 %' "$at" -u 6
	says 0 'soc_percent +40' "$at" -u 5
	"$program" read "$at" -u 100 -j | grep -q '"map": "packbridge-bank"'
	"$program" read "$at" -u 6 -j | grep -q '"map": "packbridge+low-first"'
	"$program" read "$at" -u 5 -j | grep -q '"map": "voltronic"'
done
says 0 'product +packbridge' "$tcp" -u 255
# this client; the open line is none
says 0 '^ +7  clients +1 *$' "$tcp" -u 255

# but for what goes on meanwhile
for file in tcp rtu; do
	python3 - "$folder/json.$file" >"$folder/fields.$file" <<-'END'
		import json, sys
		look = json.load(open(sys.argv[1]))
		fields = look["fields"]
		assert look["complete"] and look["unit"] == 1 and look["map"] == "packbridge", look
		assert fields["name"] == "house" and fields["soc_permille"] == 640, fields
		assert len(fields["cell_mv"]) == fields["cell_count"] == 4, fields
		assert fields["soh_permille"] is None and fields["charge_fet"] is True, fields
		for live in ("heartbeat", "age_s", "details_age_s", "rssi_dbm"):
		    del fields[live]
		# what is counted goes on between the two looks
		fields = {name: value for name, value in fields.items()
		          if "charged_" not in name and not name.startswith("since_")
		          and name not in ("unmeasured_s", "control_age_s")}
		print(json.dumps(fields, sort_keys=True))
	END
done
cmp "$folder/fields.tcp" "$folder/fields.rtu"
mbpoll -m tcp -p "${tcp##*:}" -a 1 -0 -r 17 -c 1 -t 4 -1 -q 127.0.0.1 | grep -qE '\[17\]:[[:space:]]+640'

says 0 'soh_permille +n/a' "$tcp" --all
says 0 'product +packbridge' "$tcp" -u 255
says 0 'unit_status\[1\] +2' "$tcp" -u 0

# reasons
until_there is_old
says 1 '0B: unit 3 is configured, but its pack has not answered for [0-9]+ s' "$tcp" -u 3
says 1 '^ +1  quality +[23]  stale' "$tcp" -u 3
says 1 '0B: unit 4 is configured, but its pack has not answered since the start' "$tcp" -u 4
says 1 '0A: there is no unit 9 behind' "$tcp" -u 9
says 1 '02: unit 1 does not have these addresses: is packbridge-gateway its map' "$tcp" -m packbridge-gateway
says 1 'no reply within 0.2 s' "$rtu" -u 9 -T 200
says 1 "no map 'packbrige', expected 'packbridge' perhaps" "$tcp" -m packbrige
says 1 'no connection to 127.0.0.1, port 1: Connection refused' tcp:127.0.0.1:1
says 1 'host nobody.invalid: ' tcp:nobody.invalid
says 1 '/dev/nowhere is not there' rtu:/dev/nowhere
says 2 'expected tcp:HOST:PORT or rtu:' house
says 2 'expected ENDPOINT'
says 2 'is not expected here' "$tcp" "$tcp"
says 2 '9601 baud, expected' rtu:/dev/ttyS0@9601
says 2 'unit 248, expected 1 to 247' rtu:/dev/ttyS0 -u 248
says 2 'port .x., expected' tcp:127.0.0.1:x
says 2 'unit 256, expected 0 to 255' "$tcp" -u 256
says 2 'watch, expected' "$tcp" -w 0

# a device that does not know 43/14, and answers it too late: read by the usual map, and rightly
cat >"$folder/late.py" <<-'END'
	import socket, struct, threading, time
	server = socket.create_server(("127.0.0.1", 0))
	print(server.getsockname()[1], flush=True)
	def serve(client):
	    while len(head := client.recv(7)) == 7:
	        transaction, _, length, unit = struct.unpack(">HHHB", head)
	        pdu = client.recv(length - 1)
	        count = struct.unpack(">H", pdu[3:5])[0] if len(pdu) == 5 else 0
	        reply = bytes([pdu[0], 2 * count]) + bytes(2 * count)
	        if pdu[0] == 43:
	            time.sleep(0.3)
	            reply = bytes([0xAB, 1])
	        elif pdu[0] < 3:
	            reply = bytes([pdu[0], (count + 7) // 8]) + bytes((count + 7) // 8)
	        client.sendall(struct.pack(">HHHB", transaction, 0, len(reply) + 1, unit) + reply)
	while True:
	    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
END
python3 "$folder/late.py" >"$folder/late.port" 2>/dev/null &
until_there test -s "$folder/late.port"
says 0 '^ +17  soc_permille +0\.0 %' "tcp:127.0.0.1:$(cat "$folder/late.port")" --timeout 200 --all

# a device whose reading changes between two blocks: all is read again, and readings are not mixed. All of its
# registers are the number of the reading. From the third request on it is the second one.
cat >"$folder/mixed.py" <<-'END'
	import socket, struct
	server = socket.create_server(("127.0.0.1", 0))
	print(server.getsockname()[1], flush=True)
	client, asked = server.accept()[0], 0
	while len(head := client.recv(7)) == 7:
	    transaction, _, length, unit = struct.unpack(">HHHB", head)
	    pdu = client.recv(length - 1)
	    count = struct.unpack(">H", pdu[3:5])[0]
	    asked += 1
	    words = struct.pack(">H", 1 if asked < 3 else 2) * count
	    data = words if pdu[0] >= 3 else bytes((count + 7) // 8)
	    reply = bytes([pdu[0], len(data)]) + data
	    client.sendall(struct.pack(">HHHB", transaction, 0, len(reply) + 1, unit) + reply)
END
python3 "$folder/mixed.py" >"$folder/mixed.port" &
until_there test -s "$folder/mixed.port"
"$program" read "tcp:127.0.0.1:$(cat "$folder/mixed.port")" -m packbridge --json >"$folder/mixed"
jq -e '.complete and .fields.sequence == 2 and .fields.cycles == 2' "$folder/mixed" >/dev/null || { cat "$folder/mixed"; exit 1; }

# again and again, one object a line, until nobody takes them
"$program" read "$tcp" --watch 0.1 --json 2>"$folder/err" | head -n 5 >"$folder/watch" || true
[ "$(grep -c '"heartbeat":' "$folder/watch")" = 5 ] || { cat "$folder/watch" "$folder/err"; exit 1; }
