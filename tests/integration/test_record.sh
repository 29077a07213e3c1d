#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `packbridge record`, and its file as a pack: the values are those of the pack it was recorded from.
set -euo pipefail
program=$1
. "$(dirname "$0")/shell.sh"

# small pieces, stray bytes, replies that never come: as on a bad day
link='sim:lfp-16s,soc=64,seed=7,chunk=20,delay=20,stray=30,lost=10'
"$program" record --seconds 6 "$link" "$folder/day.rec" 2>"$folder/err" || fail "record: $(cat "$folder/err")"
cat "$folder/err"
head -n 1 "$folder/day.rec" | grep -qx 'packbridge recording 1' || fail "head"
grep -q 'lfp-16s' "$folder/day.rec" && fail "where the pack was stands in the file"
code=0
"$program" record "$link" "$folder/day.rec" 2>"$folder/err" || code=$?
[ $code -eq 1 ] && grep -q 'File exists' "$folder/err" || fail "a file was written over"
"$program" probe --json "$link" 2>/dev/null | jq '.fields | {cell_count, device_name, nominal_mah, cycles}' >"$folder/real"
"$program" probe --json "sim:replay=$folder/day.rec" 2>"$folder/err" |
	jq '.fields | {cell_count, device_name, nominal_mah, cycles}' >"$folder/played"
cmp "$folder/real" "$folder/played" || fail "played: $(cat "$folder/played" "$folder/err")"

# ended by Ctrl-C, the file is whole
"$program" record --seconds 60 sim:lfp-4s,seed=1 "$folder/short.rec" 2>"$folder/err" &
recorder=$!
until_there has "$folder/short.rec" 7 '<'
kill -INT $recorder
wait $recorder || fail "Ctrl-C: $(cat "$folder/err")"

# the daemon plays it again and again: past the end of the recording it goes on
cat >"$folder/packbridge.yaml" <<CONFIG
control: $folder/control
status: $folder/status
packs: [{name: played, link: "sim:replay=$folder/short.rec", unit: 1, poll_ms: 200, gap_ms: 10, settle_ms: 0}]
listen: [tcp: 127.0.0.1:0]
CONFIG
"$program" check -c "$folder/packbridge.yaml" >/dev/null || fail check
start 1 "$program" run -c "$folder/packbridge.yaml"
played() { "$program" status --json -s "$folder/status" | jq -e '.packs[0].fields.polls >= 12' >/dev/null; }
until_there played
"$program" status -s "$folder/status" | grep '^played'
sed -i 's/^[0-9]* </nonsense/' "$folder/short.rec"
code=0
"$program" check -c "$folder/packbridge.yaml" >"$folder/out" 2>&1 || code=$?
[ $code -eq 1 ] && grep -q "packbridge.yaml:3:.*recording .*short.rec: line" "$folder/out" || fail "$(cat "$folder/out")"
end
echo 'all good'
