#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every format of every map: as committed (tests/data/exports, and docs/registers for pages), read by
# parsers of its kind, its mbpoll lines run against a daemon that shows all maps, and each map read
# back by `packbridge read`. When a map has changed on purpose: test_exports.sh PROGRAM SOURCE --write
# Usage: test_exports.sh PROGRAM SOURCE_DIR [--write]
set -euo pipefail
program=$1 source=$2
. "$(dirname "$0")/shell.sh"
formats=(csv json twincat st homeassistant telegraf nodered iobroker openhab modbusscope mbpoll)
mapfile -t maps < <("$program" map list | awk '{print $1}')
[ "${#maps[@]}" -ge 11 ]
for format in "${formats[@]}" markdown; do
	"$program" map --help | grep -q "  $format " || fail "--help lacks $format"
done

mkdir "$folder/exports"
bad=0
for map in "${maps[@]}"; do
	"$program" map export "$map" --format markdown >"$folder/page"
	[ "${3:-}" != --write ] || cp "$folder/page" "$source/docs/registers/$map.md"
	cmp "$folder/page" "$source/docs/registers/$map.md" || bad=1
	for format in "${formats[@]}"; do
		name=$map
		# openHAB is told of no map that shows "not available" in integers
		[ "$map.$format" != sunspec.openhab ] || name=$map+exception
		"$program" map export "$name" --format "$format" >"$folder/exports/$map.$format"
		[ "${3:-}" != --write ] || cp "$folder/exports/$map.$format" "$source/tests/data/exports/"
		cmp "$folder/exports/$map.$format" "$source/tests/data/exports/$map.$format" || bad=1
	done
done
[ "$bad" -eq 0 ] || fail "exports have changed: see the head of this script"
[ "$(find "$source/tests/data/exports" -type f | wc -l)" -eq $((${#maps[@]} * ${#formats[@]})) ]
"$program" map export packbridge --format homeassistant --with all >"$folder/exports/all.homeassistant"
[ "$(grep -c 'write_type: coil' "$folder/exports/all.homeassistant")" -eq 3 ]
/usr/bin/python3 "$source/tests/integration/exports.py" "$folder/exports"
# a compiler that is not Beckhoff's, where there is one (matiec)
if command -v iec2c >/dev/null; then
	for map in "${maps[@]}"; do
		iec2c -f -l -p -T "$folder" "$folder/exports/$map.st" >/dev/null
	done
	echo "matiec compiled ${#maps[@]} maps"
fi

# a daemon that shows a pack by each map of a pack, and a bank by each of a bank; it reads packs once,
# so that all maps show one reading
{
	cat <<END
control: $folder/control
packs:
  - {name: house, link: "sim:lfp-16s,soc=64,seed=1", unit: 200, poll_ms: 600000, gap_ms: 0, settle_ms: 0, stale_after_s: 3600}
  - {name: solar, link: "sim:lfp-16s,soc=40,seed=2", unit: 201, poll_ms: 600000, gap_ms: 0, settle_ms: 0, stale_after_s: 3600}
banks: [{name: all, packs: [house, solar], unit: 202}]
listen:
  - tcp: "127.0.0.1:0"
    units:
END
	unit=1
	for map in "${maps[@]}"; do
		# as Modbus, so that Modbus clients can read it
		name=$map
		if grep -q '^reply_format:' "$source/maps/$map.yaml"; then
			mkdir -p "$folder/maps"
			name=$map-plain
			sed "s/^reply_format:.*//; s/^map: .*/map: $name/" "$source/maps/$map.yaml" >"$folder/maps/$name.yaml"
		fi
		case $("$program" map list | awk -v m="$map" '$1 == m {print $2}') in
		gateway) ;;
		bank) echo "      - {unit: $unit, bank: all, map: $name}" ;;
		pack) echo "      - {unit: $unit, pack: house, map: $name}" ;;
		battery)
			echo "      - {unit: $unit, pack: house, map: $name}"
			echo "      - {unit: $((unit + 100)), bank: all, map: $name}"
			;;
		esac
		unit=$((unit + 1))
	done
	echo '      - {unit: 200, pack: house, map: packbridge}'
	echo '      - {unit: 202, bank: all, map: packbridge-bank}'
} >"$folder/packbridge.yaml"
mkdir -p "$folder/maps"
cp "$source"/maps/*.yaml "$folder/maps"
export PACKBRIDGE_MAPS=$folder/maps
"$program" check -c "$folder/packbridge.yaml" >/dev/null
start 2 "$program" run -c "$folder/packbridge.yaml"
[ "$(grep -c 'first reading' "$folder/log")" -eq 2 ]
port=$(port_of 127.0.0.1)

lines=0
unit=1
for map in "${maps[@]}"; do
	name=$map
	[ ! -e "$folder/maps/$map-plain.yaml" ] || name=$map-plain
	units=("$unit")
	case $("$program" map list | awk -v m="$map" '$1 == m {print $2}') in
	gateway) units=(0) ;;
	battery) units+=($((unit + 100))) ;;
	esac
	for shown in "${units[@]}"; do
		while read -r line; do
			$line -o 5 >"$folder/values" || { echo "$line"; cat "$folder/values"; exit 1; }
			grep -q '^\[' "$folder/values"
			lines=$((lines + 1))
		done < <("$program" map export "$name" --format mbpoll --host "127.0.0.1:$port" --unit "$shown" | grep -v '^#')
		"$program" read --json --all --unit "$shown" --map "$name" "tcp:127.0.0.1:$port" >"$folder/$map.$shown.read"
	done
	unit=$((unit + 1))
done
echo "$lines lines of mbpoll were answered"

# each map's fields, as read back, against the native ones: each as fine as the coarser shows it
"$program" read --json --unit 200 "tcp:127.0.0.1:$port" >"$folder/pack.native"
"$program" read --json --unit 202 --map packbridge-bank "tcp:127.0.0.1:$port" >"$folder/bank.native"
/usr/bin/python3 - "$folder" <<'END'
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
natives = {k: json.loads((folder / f"{k}.native").read_text())["fields"] for k in ("pack", "bank")}
moving = {"age_s", "details_age_s", "heartbeat"}
# how coarse the coarsest row of a map shows a field, in the catalogue's unit
fine = {"soc_permille": 0.5, "soh_permille": 5, "temperature": 500, "cell": 50, "voltage": 50, "current": 500,
        "power": 5000, "mah": 500, "mwh": 5000, "time_to_empty_s": 50, "charge_max_ma": 500, "max_mw": 5000}
# limits are rounded to their safe side, so by up to a whole step
safe = {"charge_voltage_mv": -1, "charge_current_ma": -1, "discharge_current_ma": -1, "charge_max_ma": -1,
        "discharge_max_ma": -1, "full_voltage_mv": -1, "discharge_voltage_mv": 1}
compared = maps = 0
for path in sorted(folder.glob("*.read")):
    got = json.loads(path.read_text())
    assert got["complete"], path
    name, unit = got["map"], got["unit"]
    native = natives["bank" if unit >= 100 or "bank" in name else "pack"]
    if "gateway" in name:
        continue
    maps += 1
    for field, value in got["fields"].items():
        want = native.get(field)
        if isinstance(value, dict) or field not in native or want is None or value is None:
            continue
        for v, w in zip(value, want) if isinstance(value, list) else [(value, want)]:
            if v is None or w is None or isinstance(w, (str, bool)):
                if isinstance(w, bool):
                    assert bool(v) == w, (name, field, v, w)
                continue
            if field in moving:
                continue
            side = safe.get(field, 0)
            assert side * (v - w) >= -abs(w) * 2**-23, (name, unit, field, v, w)
            allowed = (2 if side else 1) * max([0.5 * (abs(w) * 2**-23)] + [v for k, v in fine.items() if k in field])
            assert abs(v - w) <= allowed, (name, unit, field, v, w)
            compared += 1
print(f"{compared} values of {maps} units agree with the native maps")
assert maps >= 15 and compared > 400
END
if command -v node >/dev/null; then
	echo '{}' | node "$source/tests/integration/exports.js" "$folder/exports/packbridge.nodered" >/dev/null
	words=$(mbpoll -m tcp -p "$port" -a 200 -0 -r 16 -c 84 -t 4 -1 -o 5 127.0.0.1 | sed -n 's/^\[[0-9]*\]:[[:space:]]*\([0-9]*\).*/\1/p' | paste -sd,)
	voltage=$(echo "{\"HoldingRegister 16\": [$words]}" |
		node "$source/tests/integration/exports.js" "$folder/exports/packbridge.nodered" | jq .voltage)
	[ "$(echo "$voltage" | awk '{print ($1 > 48 && $1 < 58)}')" = 1 ] || fail "Node-RED: $voltage V"
	echo "Node-RED's function: $voltage V"
fi
end
