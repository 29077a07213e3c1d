#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `packbridge switch`: its command line, what it orders, and which states it takes for an end. The daemon is a script,
# switch.py, that shows one state after the other; then a real one refuses what is not enabled.
# Usage: test_switch.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1
here=$(dirname "$0")
. "$here/shell.sh"

# STATUS WORDS ARGUMENT...: the command ends so, and says so on stdout or stderr
expect() {
	local status=0 want=$1 words=$2
	shift 2
	"$program" switch -s "$folder/control" "$@" >"$folder/out" 2>&1 || status=$?
	if [ "$status" -ne "$want" ] || ! grep -qF -- "$words" "$folder/out"; then
		cat "$folder/out" >&2
		fail "switch $*: status $status, expected $want and: $words"
	fi
}
fake() { # ORDER_ANSWER STATE...: another daemon
	[ -z "${fake:-}" ] || { kill "$fake" && wait "$fake" || true; }
	rm -f "$folder/control" "$folder/asked"
	/usr/bin/python3 "$here/switch.py" "$folder/control" "$folder/asked" "$@" &
	fake=$!
	until_there test -S "$folder/control"
}
ordered() { # LINE: it was
	grep -qxF -- "$1" "$folder/asked" && return
	cat "$folder/asked" >&2
	fail "not ordered: $1"
}

# wrong usage asks nobody
expect 2 'expected NAME'
expect 2 'expected NAME' house
expect 2 'expected NAME' house charge
expect 2 'expected off or on' house charge open
expect 2 'expected charge, discharge or release' house both off
expect 2 'release takes nothing else' house release now
expect 2 'release takes nothing else' house release --for 5
expect 2 '--status takes a name' --status house release
expect 2 'is not expected here' house charge off now
for time in 0 '' 10d 1h30m -5 19h 65535 1.5h m; do
	expect 2 '1 s to 18 h' house charge off --for "$time"
done
expect 1 'does the daemon run' house charge off

# what it orders
fake ok confirmed//local/1
expect 0 'house: charging inhibited, confirmed; by local, until it is released; FETs: charge off, discharge on' \
	house charge off
ordered 'switch house charge off'
for time in 90:90 90s:90 10m:600 10min:600 2h:7200 65534:65534; do
	expect 0 inhibited house charge off --for "${time%:*}"
	ordered "switch house charge off ${time#*:}"
done
expect 0 '"state":"confirmed"' house charge off --json

# ends that are good
fake ok 'pending/the limits of the bank drop first/local/1' writing//local/1 verifying//local/1 local//local/1
expect 0 'pending: the limits of the bank drop first; waiting' house charge off
[ "$(grep -cxF 'switch house' "$folder/asked")" -eq 4 ] || fail "asked $(cat "$folder/asked")"
fake ok verifying//local local//local
expect 0 'nothing inhibited, local' house charge on
ordered 'switch house charge on'
fake ok expired idle
expect 0 'nothing inhibited, idle' house release
ordered 'switch house release'
fake ok pending//192.168.1.20/1
expect 0 'by 192.168.1.20' house release # a client has asked already

# and that are not
fake ok 'failed/the BMS refused/local/1'
expect 1 'not confirmed: charging inhibited, failed: the BMS refused; by local' house charge off
fake ok 'overridden/a protection of the BMS/local'
expect 1 'not confirmed: nothing inhibited, overridden: a protection of the BMS' house charge on
fake ok foreign
expect 1 'foreign' house release
fake ok local//local # somebody else wants it otherwise
expect 1 'not confirmed: nothing inhibited, local' house charge off
fake ok 'pending/no live reading/local/1'
expect 1 'not confirmed within 15 s, still wanted: charging inhibited, pending: no live reading' house charge off
fake 'error: no' idle
expect 1 'error: no' house charge off
fake ok none # a reload has turned control off
expect 1 'house has no control' house charge off

# --status changes nothing
fake ok confirmed//10.0.0.7/1
expect 0 'house: charging inhibited, confirmed; by 10.0.0.7' --status
expect 0 '[{"name":"house"' --status house --json
! grep -qE 'charge|release' "$folder/asked" || fail "--status ordered $(cat "$folder/asked")"
fake ok none
expect 0 'no pack has control' --status
expect 1 'house has no control' --status house
kill "$fake" && wait "$fake" || true
rm -f "$folder/control"

# the real one
write_sample
sed -i "s|name: house, |name: house, control: charge, |" "$folder/packbridge.yaml"
start 2 "$program" run -c "$folder/packbridge.yaml"
until_there test -S "$folder/status"
expect 0 'house: nothing inhibited' --status
expect 1 'store has no control' --status store
expect 1 "there is no pack or bank 'hose'" hose release
expect 1 'only charging of house may be switched, expected control: charge+discharge' house discharge off
expect 1 'store has no control, expected control: charge' store charge off
expect 1 'all has no control, expected control: charge or charge+discharge in the configuration of all its packs' \
	all charge off
"$program" status -s "$folder/status" >"$folder/page" || true
grep -qF 'house: nothing inhibited' "$folder/page" || fail "status lacks CONTROL"
[ "$("$program" status -s "$folder/status" --json | grep -o '"control":{' | wc -l)" -eq 1 ] || fail "control in JSON"
"$program" status -s "$folder/status" --metrics >"$folder/metrics"
grep -qF 'packbridge_commands_total{pack="house",result="done"} 0' "$folder/metrics" || fail "no metrics of control"
! grep -qF 'commands_total{pack="store"' "$folder/metrics" || fail "metrics of a pack without control"
end
