#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What has happened, from the real daemon: lost, alarms, reloads, by name, by number, as JSON.
set -euo pipefail
program=$1
. "$(dirname "$0")/shell.sh"

write_sample
start 3 "$program" run -c "$folder/packbridge.yaml"
events() { "$program" events --socket "$folder/status" "$@"; }
listed() { events "${@:2}" 2>/dev/null | grep -q -- "$1"; }

until_there listed 'pack quiet: no live reading' quiet
until_there listed 'pack store: alarm: soc_low' store
listed 'packbridge .* starts' || fail "no start"
! listed 'store' quiet || fail "events of another pack"
[ "$(events --json | jq -s 'map(.number) | . == (sort | unique)')" = true ] || fail "numbers do not rise"
events --json store | jq -es 'any(.kind == "alarm_begin" and .level == "alarm" and .values.voltage_mv > 0)' >/dev/null ||
	fail "an alarm without its values: $(events --json store)"
events --json quiet | jq -es 'any(.kind == "lost" and .values == {} and .bank == false)' >/dev/null || fail "lost"

newest=$("$program" status --json --socket "$folder/status" | jq .event)
"$program" reload --socket "$folder/control" >/dev/null
until_there listed 'is loaded' --since "$newest"
! listed 'starts' --since "$newest" || fail "--since a number"
echo 'x: y' >>"$folder/packbridge.yaml"
! "$program" reload --socket "$folder/control" 2>/dev/null || fail "a bad file is loaded"
events --json --since 1h | jq -es 'any(.kind == "reload" and .level == "warning")' >/dev/null || fail "a refused reload"

code=0
events nobody >"$folder/out" 2>"$folder/err" || code=$?
[ $code -eq 1 ] && grep -q "no pack or bank 'nobody'" "$folder/err" || fail "an unknown name: $code"
for since in 5x d -1 ''; do
	code=0
	events "--since=$since" >"$folder/out" 2>"$folder/err" || code=$?
	[ $code -eq 2 ] || fail "--since '$since': $code"
done
code=0
"$program" events --socket "$folder/none" 2>"$folder/err" || code=$?
[ $code -eq 1 ] && grep -q 'does the daemon run' "$folder/err" || fail "no daemon"
end
echo 'all good'
