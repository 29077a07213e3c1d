#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Boards of all makers that answer the same again and again: said where a current flows and it is not
# switched off, and by unchanged_s in any case.
set -euo pipefail
program=$1
. "$(dirname "$0")/shell.sh"

cat >"$folder/packbridge.yaml" <<END
control: $folder/control
status: $folder/status
alarms: {frozen: {warning: 10}, soc_low: off}
packs:
  - {name: jbd, link: "sim:lfp-16s,soc=60,seed=3,frozen=0+3600", unit: 1, poll_ms: 500}
  - {name: daly, protocol: daly, link: "sim:daly-lfp-16s,soc=60,seed=3,frozen=0+3600", unit: 2, poll_ms: 500}
  - {name: jk, protocol: jk, link: "sim:jk-lfp-16s,soc=60,seed=3,frozen=0+3600", unit: 3, poll_ms: 500}
  - {name: off, link: "sim:lfp-16s,soc=60,seed=3,frozen=0+3600", unit: 4, poll_ms: 500, alarms: {frozen: off}}
  - {name: rest, link: "sim:replay=$2/tests/data/jbd/short_circuit.recording", unit: 5, poll_ms: 500, alarms: {protection: off}}
  - {name: alive, link: "sim:lfp-16s,soc=60,seed=3", unit: 6, poll_ms: 500}
listen: [{tcp: 127.0.0.1:0}]
END
start 6 "$program" run -c "$folder/packbridge.yaml"
until_there has "$folder/log" 3 'warning: frozen, no value has changed for 1[0-9] s at [1-9]'
for pack in jbd daly jk; do
	has "$folder/log" 1 "pack $pack: warning: frozen" || fail "nothing of $pack"
done
# all that could be said has been: the others have been watched for as long
watched() {
	"$program" status --json --socket "$folder/status" >"$folder/json"
	jq -e '[.packs[] | select(.name != "alive") | .fields.unchanged_s >= 10] | all' "$folder/json" >/dev/null
}
until_there watched
jq -e '[.packs[] | select(.name == "off" or .name == "rest" or .name == "alive") | .alarms | length == 0] | all' \
	"$folder/json" >/dev/null || fail "$(jq -c '.packs[] | .alarms' "$folder/json")"
jq -e '.packs[] | select(.name == "alive") | .fields.unchanged_s <= 3' "$folder/json" >/dev/null || fail "one that is alive"
if grep -E 'pack (off|rest|alive): .*frozen' "$folder/log"; then
	fail "said of a pack that it is not of"
fi

end
echo 'all good'
