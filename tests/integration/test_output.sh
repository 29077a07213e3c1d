#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What can't be written is no success: each command ends with 1 and says so when its output is full,
# and ends at once when nobody reads it. Usage: test_output.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1 source=$2
. "$(dirname "$0")/shell.sh"
failed=0

write_sample
start 2 "$program" run -c "$folder/packbridge.yaml"
until_there test -S "$folder/status"
tcp=tcp:127.0.0.1:$(port_of 127.0.0.1)
good='DD03001D0534000068C96D6000002C7C00000000000080600304030B6D0B6D0B69FAB677'

# COMMAND...: with a full output it fails and says why; with room it does not
full() {
	local status=0
	"$program" "$@" >/dev/full 2>"$folder/errors" </dev/null || status=$?
	if [ "$status" -ne 1 ] || ! grep -q "can't write the output" "$folder/errors"; then
		echo "FAILED: $* >/dev/full gave status $status, expected 1 with the reason; it said:"
		cat "$folder/errors"
		failed=1
	fi
}

full --version
full --help
full check "$source/etc/packbridge.yaml"
full probe sim:lfp-4s
full probe --json sim:lfp-4s
full status -s "$folder/status"
full status --json -s "$folder/status"
full status --metrics -s "$folder/status"
full release -s "$folder/control" house
full release -s "$folder/control" --take house
full switch -s "$folder/control" --status --json
full reset -s "$folder/control"
full reload -s "$folder/control"
full decode "$good"
full decode --json "$good"
full read "$tcp" -u 1
full read "$tcp" -u 1 --json
full map list
full map show packbridge
formats=0
for format in $("$program" map --help | sed -n '/--format FORMAT/,/--host/s/^ \{20,\}\([a-z]\+\)  *[A-Za-z].*/\1/p'); do
	full map export packbridge --format "$format"
	formats=$((formats + 1))
done
[ "$formats" -ge 10 ] || fail "only $formats formats found"

# and the help of each command
commands=0
for command in $("$program" --help | sed -n 's/^  \([a-z]\+\)  *[a-z].*/\1/p'); do
	full "$command" --help
	commands=$((commands + 1))
done
[ "$commands" -ge 13 ] || fail "only $commands commands found"

# a reader that goes away is no reason to go on
for _ in 1 2 3; do
	timeout 20 "$program" map show packbridge | head -1 >"$folder/first" || true
	[ -s "$folder/first" ]
done

# and a file that can't be written
ln -s /dev/full "$folder/recording"
if timeout 20 "$program" record -n 1 sim:lfp-4s "$folder/recording" 2>"$folder/errors"; then
	fail "record to what is there already"
fi

end
exit $failed
