#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The status page: over HTTP by curl, and in a real browser, headless Chromium, wide and as a phone. The
# pictures are left in the build folder's page/. Without a browser, that part is skipped.
set -euo pipefail
program=$1 source=$2
folder=$(mktemp -d)
trap '[ -z "${daemon:-}" ] || kill "$daemon" 2>/dev/null; rm -rf "$folder"' EXIT
fail() { echo "FAILED: $*"; exit 1; }

cat >"$folder/packbridge.yaml" <<CONFIG
control: $folder/control
status: $folder/status
http: 127.0.0.1:0
packs:
  - {name: house, link: 'sim:lfp-4s,soc=64,seed=1', unit: 1, poll_ms: 200}
  - {name: store, link: 'sim:lfp-16s,soc=5,seed=2', unit: 2, poll_ms: 200}
  - {name: gone, link: 'tcp:127.0.0.1:9', unit: 3}
  - {name: quiet, link: 'sim:lfp-8s,soc=70,silent=1+3000', unit: 4, poll_ms: 200, stale_after_s: 1}
banks:
  - {name: all, packs: [house, store], unit: 100}
listen:
  - tcp: 127.0.0.1:0
  - {tcp: 127.0.0.2:0, units: [{unit: 9, bank: all, map: pace}]}
CONFIG
start() {
	"$program" run -c "$folder/packbridge.yaml" 2>"$folder/log" &
	daemon=$!
	port=
	for _ in $(seq 100); do
		port=$(sed -n 's/^status page on .*, port \([0-9]*\)$/\1/p' "$folder/log")
		[ -z "$port" ] || break
		sleep 0.1
	done
	[ -n "$port" ] || fail "no page: $(cat "$folder/log")"
}
start
page=http://127.0.0.1:$port
code() { curl -s -o "$folder/out" -w '%{http_code}' "$@"; }

[ "$(code "$page/")" = 200 ] || fail "/"
cmp -s "$folder/out" "$source/src/bridge/page.html" || fail "the page is not page.html"
[ "$(code "$page/status.json")" = 200 ] && jq -e '.packs | length == 4' "$folder/out" >/dev/null || fail "status.json"
[ "$(code "$page/metrics")" = 200 ] && grep -q '^packbridge_gateway_packs 4$' "$folder/out" || fail "metrics"
[ "$(code "$page/registers.json?unit=100")" = 200 ] &&
	jq -e '.map == "packbridge-bank" and (.rows | length > 100)' "$folder/out" >/dev/null || fail "registers"
[ "$(code "$page/registers.json?unit=0")" = 200 ] && jq -e '.name == "gateway"' "$folder/out" >/dev/null || fail "gateway"
for wrong in 'registers.json 400' 'registers.json?unit=x 400' 'registers.json?unit=256 400' 'registers.json?unit=5 404' \
	'registers.json?unit=-1 400' '..%2f..%2fetc/passwd 404' 'index.html 404'; do
	[ "$(code "$page/${wrong% *}")" = "${wrong##* }" ] || fail "$wrong: $(cat "$folder/out")"
done
for method in POST PUT DELETE; do
	[ "$(code -X $method -d something "$page/status.json")" = 405 ] || fail "$method"
done
curl -sI "$page/" | grep -qi "^content-security-policy: default-src 'none'" || fail "no policy"
# what is no HTTP, half a request, and more clients than there are places: the page is there for the next
for bytes in 'GET' 'nonsense\r\n\r\n' 'GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n' '\0\0\0\1\0\6\1\3\0\0\0\1'; do
	printf "$bytes" | timeout 2 socat -t 1 - "TCP:127.0.0.1:$port" >/dev/null || true
done
holders=()
for _ in $(seq 40); do
	sleep 20 | socat -u - "TCP:127.0.0.1:$port" 2>/dev/null &
	holders+=($!)
done
sleep 0.3
kill "${holders[@]}" 2>/dev/null || true
[ "$(code --retry 3 --retry-connrefused "$page/")" = 200 ] || fail "the page after that"
# it comes and goes with the configuration
sed -i 's/^http:/#http:/' "$folder/packbridge.yaml"
"$program" reload -s "$folder/control" >/dev/null || fail "reload"
code=0
curl -s "$page/" >/dev/null || code=$?
[ $code -eq 7 ] || fail "the page is still there"
sed -i "s/^#http:.*/http: 127.0.0.1:$port/" "$folder/packbridge.yaml"
"$program" reload -s "$folder/control" >/dev/null || fail "reload"
[ "$(code "$page/")" = 200 ] || fail "the page did not come back"
echo 'over HTTP: all good'

/usr/bin/python3 -c 'import selenium' 2>/dev/null && command -v chromedriver >/dev/null || {
	echo 'SKIPPED: no chromedriver, no python3-selenium: not looked at in a browser'
	exit 0
}
pictures=$(dirname "$program")/page
mkdir -p "$pictures"
/usr/bin/python3 "$source/tests/integration/page.py" "$page" "$daemon" "$pictures"
daemon=
echo 'all good'
