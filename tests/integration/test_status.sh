#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a running daemon tells through its status socket: the page, JSON, metrics, the live screen.
set -euo pipefail
program=$1 source=$2
. "$(dirname "$0")/shell.sh"

write_sample
(umask 077; exec "$program" run -c "$folder/packbridge.yaml" 2>"$folder/log") &
daemon=$!
status() { "$program" status --socket "$folder/status" "$@"; }
/usr/bin/python3 "$source/tests/integration/status.py" wait "$folder" "$program"

# everyone may look, only the group may order, whatever the umask
[ "$(stat -c %a "$folder/status")" = 666 ] || fail "mode of the status socket"
[ "$(stat -c %a "$folder/control")" = 660 ] || fail "mode of the control socket"

code=0
status >"$folder/page" || code=$?
[ $code -eq 1 ] || fail "exit status $code with a pack that is gone"
cat "$folder/page"
for line in '3 of 4 packs\|2 of 4 packs' '^house  *1 good' '^gone  *3 never  *-  *-' \
	'^gone (tcp:127.0.0.1:9), .*connection refused.*; [1-9][0-9]* connections failed so far' \
	'^bank lacks: 1 of 2 packs' '^lacks  *101 1/2 ' '^ALARM  *pack store: soc_low, .*, since [0-9:]* (.* s)' \
	'^ALARM  *bank all: soc_low, store: ' '^tcp 127.0.0.2:0: 0 clients' '^  unit 9: all, map pace' \
	'^quiet (sim:.*stale'; do
	grep -q -- "$line" "$folder/page" || fail "no line '$line'"
done

# alarms stand above what they are about
sed -n 3p "$folder/page" | grep -q '^ALARMS' || fail "alarms are not at the top"
grep -q 'bank lacks: 1 of 2 packs with a good reading$' "$folder/log" || fail "the log has no bank that lacks a pack"

status --json >"$folder/json"
status --metrics >"$folder/metrics"
! command -v promtool >/dev/null || promtool check metrics <"$folder/metrics" || fail "promtool"
/usr/bin/python3 "$source/tests/integration/status.py" check "$folder" "$program"
/usr/bin/python3 "$source/tests/integration/status.py" watch "$folder" "$program" "$daemon"

# who does it wrong
code=0
"$program" status --socket "$folder/none" 2>"$folder/err" || code=$?
[ $code -eq 1 ] && grep -q 'does the daemon run' "$folder/err" || fail "no daemon: $(cat "$folder/err")"
code=0
"$program" status --json -s "$folder/control" >"$folder/out" 2>"$folder/err" || code=$?
[ $code -eq 1 ] && [ ! -s "$folder/out" ] && grep -q 'this is the control socket, expected the status socket' "$folder/err" || fail "the control socket"
for ask in "status -s $folder/control" "reload -s $folder/status" "release -s $folder/status house" \
	"reset -s $folder/status" "status --trace 127.0.0.1:0 -s $folder/status"; do
	code=0
	"$program" $ask >"$folder/out" 2>"$folder/err" || code=$?
	[ $code -eq 1 ] && [ ! -s "$folder/out" ] || fail "$ask: $code"
	case $ask in
	*"$folder/control") grep -q 'expected the status socket.*control socket' "$folder/err" ;;
	*) grep -q 'this is the status socket, expected the control socket' "$folder/err" ;;
	esac || fail "$ask: $(cat "$folder/err")"
done
code=0
status --json --watch 2>"$folder/err" || code=$?
[ $code -eq 2 ] || fail "two ways at once"
code=0
status --watch >"$folder/out" 2>"$folder/err" </dev/null || code=$?
[ $code -eq 1 ] && grep -q 'expected a terminal' "$folder/err" || fail "no terminal: $(cat "$folder/err")"
echo nonsense | socat -t 5 - "UNIX-CONNECT:$folder/status" | grep -q '^error: expected' || fail "nonsense"
# one who asks and never reads does no harm to the next
(sleep 5) | socat -u - "UNIX-CONNECT:$folder/status" &
holder=$!
status >/dev/null || true
kill $holder

end
echo 'all good'
