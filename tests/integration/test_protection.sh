#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a BMS has tripped over is seen wherever somebody looks: a recording of a short circuit.
set -euo pipefail
program=$1 source=$2
. "$(dirname "$0")/shell.sh"

serial_line
cat >"$folder/packbridge.yaml" <<END
control: $folder/control
status: $folder/status
packs:
  - {name: house, link: "sim:replay=$source/tests/data/jbd/short_circuit.recording", unit: 1, poll_ms: 1000}
  - {name: solar, link: "sim:lfp-16s,soc=60,seed=3", unit: 2, poll_ms: 1000}
banks: [{name: all, packs: [house, solar], unit: 100}]
listen:
  - tcp: 127.0.0.1:0
  - rtu: $folder/ours
  - {tcp: 127.0.0.2:0, units: [{unit: 1, pack: house, map: victron}, {unit: 2, bank: all, map: victron}]}
END
start 2 "$program" run -c "$folder/packbridge.yaml"
status() { "$program" status --socket "$folder/status" "$@"; }

code=0
status >"$folder/page" || code=$?
cat "$folder/page"
[ $code -eq 1 ] || fail "exit status $code"
grep -q '^ALARM  *pack house: protection, short circuit' "$folder/page" || fail "no alarm of the pack"
grep -q '^ALARM  *bank all: protection, house: short circuit' "$folder/page" || fail "no alarm of the bank"
[ "$(grep -c 'pack house: ALARM: protection, short circuit$' "$folder/log")" -eq 1 ] || fail "the log"
status --json >"$folder/json"
jq -e '.packs[0] | .alarms[0].alarm == "protection" and .fields.severity == 2 and .fields.alarms == 8192 and
	.fields.warnings == 8192' "$folder/json" >/dev/null || fail "$(jq -c '.packs[0]' "$folder/json")"
# an open line is no client; the gateway counts who has an alarm
jq -e '.gateway | .clients == 0 and .alarms == 1 and .warnings == 1' "$folder/json" >/dev/null &&
	jq -e '.listeners[1] | .kind == "rtu" and .clients == 1' "$folder/json" >/dev/null ||
	fail "$(jq -c '.gateway, .listeners' "$folder/json")"
status --metrics >"$folder/metrics"
for line in 'packbridge_severity{pack="house"} 2' 'packbridge_severity{bank="all"} 2' \
	'packbridge_alarm_level{pack="house",name="protection"} 2' 'packbridge_protection_active{pack="house"} 1'; do
	grep -qF "$line" "$folder/metrics" || fail "no metric $line"
done

read_words() { # ADDRESS UNIT FROM COUNT: as one line
	mbpoll -m tcp -p "$(port_of "$1")" -a "$2" -0 -r "$3" -c "$4" -t 4 -1 "$1" |
		sed -n 's/^\[[0-9]*\]:[^0-9]*\([0-9]*\).*/\1/p' | tr '\n' ' '
}
expect() { # WHAT IS EXPECTED
	[ "$2" = "$3" ] || fail "$1: $2, expected $3"
}
expect "severity, warnings and alarms of a pack" "$(read_words 127.0.0.1 1 15 1)$(read_words 127.0.0.1 1 232 2)" '2 8192 8192 '
expect "those of the gateway" "$(read_words 127.0.0.1 255 45 2)" '1 1 '
expect "its levels" "$(read_words 127.0.0.1 1 333 3)" '2 0 0 '
expect "those of a bank" "$(read_words 127.0.0.1 100 160 2)$(read_words 127.0.0.1 100 175 1)" '8192 8192 2 '
# alarm; low voltage to high temperature; high charge and discharge current; high current
for unit in 1 2; do
	expect "victron, unit $unit" "$(read_words 127.0.0.2 $unit 267 8)$(read_words 127.0.0.2 $unit 320 2)$(read_words 127.0.0.2 $unit 329 1)" \
		'2 0 0 0 0 0 0 0 0 2 2 '
done

end
echo 'all good'
