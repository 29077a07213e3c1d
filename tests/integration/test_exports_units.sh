#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Exports of several units: names and ids that do not collide, hosts in every form or refused, units of
# a configuration, and less or more values.
# Usage: test_exports_units.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1 source=$2
export PACKBRIDGE_MAPS=$source/maps
. "$(dirname "$0")/shell.sh"
export_map() { "$program" map export "$@"; }
# PATTERN OPTION...: an export of these options has a line like that
exported() {
	export_map "${@:2}" >"$folder/out"
	grep -q -e "$1" "$folder/out" || fail "map export ${*:2}: no $1"
}

# ---- hosts: in every form, or refused with status 2 and nothing printed ----
host_of() { export_map packbridge -f homeassistant -H "$1" | sed -n 's/^    \(host\|port\|type\): //p' | tr '\n' ' '; }
while read -r given want; do
	got=$(host_of "$given")
	[ "$got" = "$want " ] || fail "--host $given: $got, expected $want"
done <<'END'
192.168.1.10 tcp "192.168.1.10" 502
192.168.1.10:1502 tcp "192.168.1.10" 1502
battery.local:502 tcp "battery.local" 502
pi tcp "pi" 502
my_host-1.example. tcp "my_host-1.example." 502
[::1]:1510 tcp "::1" 1510
[::1] tcp "::1" 502
::1 tcp "::1" 502
fe80::1%eth0 tcp "fe80::1%eth0" 502
[fe80::1%eth0]:503 tcp "fe80::1%eth0" 503
tcp:10.0.0.5:503 tcp "10.0.0.5" 503
rtu-over-tcp:10.0.0.5:503 rtuovertcp "10.0.0.5" 503
END
refused=0
while read -r bad; do
	status=0
	export_map packbridge -f homeassistant -H "$bad" >"$folder/out" 2>"$folder/err" || status=$?
	[ "$status" -eq 2 ] && [ ! -s "$folder/out" ] && grep -q '^packbridge map: --host: ' "$folder/err" ||
		fail "--host $bad: status $status"
	refused=$((refused + 1))
done <<'END'
:502
[::1
[::1]x
[::1]:
[]:502
[10.0.0.5]:502
[pi]:502
::1]:502
1:2
10.0.0.5:0
10.0.0.5:65536
10.0.0.5:x
10.0.0.5:
10.0.0
256.1.1.1
010.0.0.1
-pi
pi-
a..b
a b
pi;reboot
pi"
pi'
$(reboot)
fe80::1%
fe80::g
1::2::3
rtu:
rtu:/dev/ttyUSB0@0
rtu:/dev/ttyUSB0@9601
rtu:/dev/tty USB0
rtu:/dev/ttyUSB0@9600,9N1
END
echo "$refused hosts were refused"
[ "$(export_map packbridge -f telegraf -H '[::1]:1510' | grep -c 'controller = "tcp://\[::1\]:1510"')" -eq 2 ]
exported 'controller = "file:///dev/ttyUSB0"' packbridge -f telegraf -H rtu:/dev/ttyUSB0@19200,8E1
exported '^mbpoll -m rtu -b 19200 -d 8 -s 1 -P even -a 1 .* /dev/ttyUSB0$' \
	packbridge -f mbpoll -H rtu:/dev/ttyUSB0@19200,8E1
for pair in twincat:rtu:/dev/ttyUSB0 twincat:pi twincat:::1 modbusscope:rtu-over-tcp:pi mbpoll:rtu-over-tcp:pi; do
	! export_map packbridge -f "${pair%%:*}" -H "${pair#*:}" >"$folder/out" 2>/dev/null || fail "$pair"
	[ ! -s "$folder/out" ]
done

# ---- units: wrong lists are refused ----
while read -r bad; do
	! export_map packbridge -f homeassistant -u "$bad" >"$folder/out" 2>/dev/null || fail "--unit $bad"
	[ ! -s "$folder/out" ] || fail "--unit $bad prints something"
done <<'END'
1,1
1,,2
1,
256
-1
x
1=
1=a b
1=a"b
1=house,2=house
1=a-b,2=a_b
1:
1:no-such-map
1:../maps/packbridge
0=gw:packbridge
255:packbridge-float
1=gw:packbridge-gateway
0,255
END
! export_map packbridge -f csv -u 1,2 >/dev/null 2>&1 || fail "csv takes two units"
! export_map packbridge -f modbusscope -u 1,2,3,4 >/dev/null 2>&1 || fail "modbusscope takes four units"
! export_map packbridge -f homeassistant -w cell >/dev/null 2>&1 || fail "--with cell"

# what was refused, and why: PATTERN OPTION...
refuses() {
	! export_map "${@:2}" >"$folder/out" 2>"$folder/err" || fail "map export ${*:2} was not refused"
	[ ! -s "$folder/out" ] || fail "map export ${*:2} prints something"
	grep -q -e "$1" "$folder/err" || { cat "$folder/err"; fail "map export ${*:2}: no $1"; }
}
for format in markdown csv json twincat st telegraf nodered modbusscope mbpoll; do
	refuses "--with, expected none: $format" packbridge -f "$format" -w cells
done
! "$program" map list -w all >/dev/null 2>&1 || fail "map list --with"
refuses 'modbusscope takes 3 units.*--unit 1,2,5$' packbridge -f modbusscope -u 1,2,5,9
# the gateway's units mean its map
exported 'gw uptime' packbridge -f homeassistant -w all -u 0=gw,1=house
exported 'gateway uptime' packbridge -f homeassistant -w all -u 255
# blanks around commas
[ "$(export_map packbridge -f homeassistant -w ' cells , alarms' -u ' 1=house , 2=shed ')" = \
	"$(export_map packbridge -f homeassistant -w cells,alarms -u 1=house,2=shed)" ] || fail "blanks"
# openHAB scales whatever a register has: no integers that mean "not available" for all old data
for map in packbridge+na packbridge-bank+na+low-first sunspec victron+na; do
	refuses 'openhab takes .not available. in integers' "$map" -f openhab
done
refuses 'unit 7 (packbridge+na)' packbridge -f openhab -u 1=a,7=b:packbridge+na
for map in packbridge-float+na packbridge-bank-float+na sunspec+exception packbridge; do
	exported "^// $map, version" "$map" -f openhab
done
# replies that are no Modbus are told of, in whatever form
for format in st twincat homeassistant telegraf nodered iobroker openhab modbusscope mbpoll; do
	export_map voltronic -f "$format" 2>"$folder/err" >"$folder/out"
	grep -q 'replies of voltronic are not Modbus' "$folder/err" || fail "voltronic as $format"
done
exported 'Replies of this map are not Modbus' voltronic -f st
exported 'not Modbus: FB_MBReadRegs' voltronic -f twincat

# ---- four units in one ----
mkdir "$folder/four" "$folder/configured"
formats=(st twincat homeassistant telegraf nodered iobroker openhab mbpoll)
everything() { case $1 in homeassistant | iobroker | openhab) echo -w all ;; esac; }
for format in "${formats[@]}"; do
	# shellcheck disable=SC2046 # two words, or none
	export_map packbridge -f "$format" $(everything "$format") -H 192.168.1.10 \
		-u 1=house,2,100=all:packbridge-bank,5=sun:sunspec+exception >"$folder/four/four.$format"
done
export_map packbridge -f modbusscope -u 1,2,3 >"$folder/four/three.modbusscope"
/usr/bin/python3 "$source/tests/integration/exports.py" "$folder/four"
if command -v iec2c >/dev/null; then
	iec2c -f -l -p -T "$folder" "$folder/four/four.st" >/dev/null
fi
count() { export_map packbridge -f homeassistant "$@" | grep -c unique_id; }
few=$(count) more=$(count -w cells) all=$(count -w all)
[ "$few" -le 40 ] && [ "$more" -ge $((few + 64)) ] && [ "$all" -gt "$more" ] || fail "$few, $more, $all entities"
[ "$(count -w all -u 1,2)" -eq $((2 * all)) ]
# an identity that another host's packs do not have
comm -12 <(export_map packbridge -f homeassistant -H 10.0.0.5 | grep -E 'unique_id|  - name: packb' | sort) \
	<(export_map packbridge -f homeassistant -H 10.0.0.6 | grep -E 'unique_id|  - name: packb' | sort) >"$folder/both"
[ ! -s "$folder/both" ] || fail "two hosts, one id: $(head -1 "$folder/both")"

# ---- of a configuration: its units, names, maps and listener ----
cat >"$folder/four.yaml" <<'END'
packs:
  - {name: house, link: "sim:lfp-16s", unit: 7}
  - {name: shed, link: "sim:lfp-16s", unit: 8, map: packbridge-float}
banks: [{name: all, packs: [house, shed], unit: 100}]
listen:
  - {tcp: "127.0.0.1:1502"}
  - {tcp: "0.0.0.0:1503", units: [{unit: 1, pack: shed, map: sunspec}]}
END
for format in "${formats[@]}"; do
	# shellcheck disable=SC2046
	export_map -c "$folder/four.yaml" -f "$format" $(everything "$format") >"$folder/configured/all.$format"
done
/usr/bin/python3 "$source/tests/integration/exports.py" "$folder/configured"
grep -q 'name: "shed soc"' "$folder/configured/all.homeassistant"
grep -q 'port: 1502' "$folder/configured/all.homeassistant"
[ "$(grep -A8 'name: "shed voltage"' "$folder/configured/all.homeassistant" | grep -c float32)" -eq 1 ]
[ "$(export_map -c "$folder/four.yaml" -f homeassistant -u 100 | grep -c ' slave: 100$')" -gt 10 ]
exported 'name: "gateway' -c "$folder/four.yaml" -f homeassistant -u 0,7
exported 'address: 40081' -c "$folder/four.yaml" -f homeassistant -l 0.0.0.0:1503 -H 10.0.0.5:1503
! export_map -c "$folder/four.yaml" -f homeassistant -l 0.0.0.0:1503 >/dev/null 2>"$folder/err" || fail "a host of 0.0.0.0"
grep -q -- '--host' "$folder/err"
! export_map -c "$folder/four.yaml" -f homeassistant -u 9 >/dev/null 2>&1 || fail "a unit that is not there"
! export_map -c "$folder/none.yaml" -f homeassistant >/dev/null 2>&1 || fail "a file that is not there"
refuses 'has no unit 9 ' -c "$folder/four.yaml" -f homeassistant -u 100,9
refuses 'unit 7 appears twice' -c "$folder/four.yaml" -f homeassistant -u 7=a,7=b
refuses 'none with --config' -c "$folder/four.yaml" -f homeassistant -u 7=a:sunspec
refuses 'csv takes 1 unit .*--unit 7$' -c "$folder/four.yaml" -f csv
exported '^address,' -c "$folder/four.yaml" -f csv -u 8
exported 'name: "barn soc"' -c "$folder/four.yaml" -f homeassistant -u 7=barn,8
exported 'name: "gw uptime' -c "$folder/four.yaml" -f homeassistant -w all -u 255=gw
refuses 'is a configuration.*--config ' "$folder/four.yaml" -f homeassistant

# one bank by two maps: its units' numbers, or names that are given
cat >"$folder/twice.yaml" <<'END'
packs: [{name: one, link: "sim:lfp-16s", unit: 1}, {name: two, link: "sim:lfp-16s", unit: 2}]
banks: [{name: store, packs: [one, two], unit: 100}]
listen:
  - tcp: "127.0.0.1:1502"
    units: [{unit: 1, bank: store, map: growatt}, {unit: 2, bank: store, map: pace}, {unit: 3, pack: one}]
END
exported 'name: "store-1 soc' -c "$folder/twice.yaml" -f homeassistant
grep -q 'name: "store-2 soc' "$folder/out" && grep -q 'name: "one soc' "$folder/out" || fail "store-2, one"
exported 'name: "store-2 soc' -c "$folder/twice.yaml" -f homeassistant -u 2
exported 'name: "a soc' -c "$folder/twice.yaml" -f homeassistant -u 1=a,2=b
grep -q 'name: "b soc' "$folder/out" || fail "2=b"
refuses '--unit 1=NAME,2=NAME' -c "$folder/twice.yaml" -f homeassistant -u 1=a,2=a
echo "four units in one: $few main values of a pack, $all in all"
