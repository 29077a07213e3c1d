#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a running daemon tells through its status socket: the page, JSON, metrics, the live screen.
set -euo pipefail
program=$1 source=$2
folder=$(mktemp -d)
trap '[ -z "${daemon:-}" ] || kill "$daemon" 2>/dev/null; rm -rf "$folder"' EXIT
fail() { echo "FAILED: $*"; exit 1; }

cat >"$folder/packbridge.yaml" <<CONFIG
control: $folder/control
status: $folder/status
packs:
  - {name: house, link: 'sim:lfp-4s,soc=64,seed=1', unit: 1, poll_ms: 200}
  - {name: store, link: 'sim:lfp-16s,soc=5,seed=2', unit: 2, poll_ms: 200}
  - {name: gone, link: 'tcp:127.0.0.1:9', unit: 3}
  - {name: quiet, link: 'sim:lfp-8s,soc=70,silent=1+3000', unit: 4, poll_ms: 200, stale_after_s: 1}
banks:
  - {name: all, packs: [house, store], unit: 100}
listen:
  - tcp: 127.0.0.1:0
  - tcp: 127.0.0.2:0
    units: [{unit: 9, bank: all, map: pace}]
CONFIG
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
	'^gone (tcp:127.0.0.1:9), .*connection refused' '^ALARM  *pack store: soc_low' \
	'^ALARM  *bank all: soc_low, store: ' '^tcp 127.0.0.2:0: 0 clients' '^  unit 9: all, map pace' \
	'^quiet (sim:.*stale'; do
	grep -q -- "$line" "$folder/page" || fail "no line '$line'"
done

status --json >"$folder/json"
status --metrics >"$folder/metrics"
/usr/bin/python3 "$source/tests/integration/status.py" check "$folder" "$program"
/usr/bin/python3 "$source/tests/integration/status.py" watch "$folder" "$program"

# who does it wrong
code=0
"$program" status --socket "$folder/none" 2>"$folder/err" || code=$?
[ $code -eq 1 ] && grep -q 'does the daemon run' "$folder/err" || fail "no daemon: $(cat "$folder/err")"
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

kill -TERM "$daemon"
wait "$daemon" || fail "the daemon ended with $?"
daemon=
echo 'all good'
