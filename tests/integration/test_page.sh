#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The status page: over HTTP by curl, and in a real browser, headless Chromium, wide and as a phone. The
# pictures are left in the build folder's page/. Without a browser, that part is skipped.
set -euo pipefail
program=$1 source=$2
. "$(dirname "$0")/shell.sh"

write_sample
echo 'http: 127.0.0.1:0' >>"$folder/packbridge.yaml"
start 2 "$program" run -c "$folder/packbridge.yaml"
port=$(port_of http://127.0.0.1)
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
# by which name a browser asks: see test_server_guard for all of them
for host in localhost "$(hostname)" "$(hostname).local:$port" 127.0.0.1 LOCALHOST.:80 '[::1]:80'; do
	[ "$(code -H "Host: $host" "$page/status.json")" = 200 ] || fail "Host: $host"
done
for host in evil.example "evil.example:$port" 127.0.0.1.evil.example "localhost.evil.example" 'x@127.0.0.1' 2130706433; do
	[ "$(code -H "Host: $host" "$page/status.json")" = 421 ] || fail "Host: $host is answered"
	! grep -q packs "$folder/out" || fail "Host: $host is answered"
	[ "$(code -X POST -d x -H "Host: $host" "$page/")" = 421 ] || fail "Host: $host, POST"
done
code -H 'Host: evil.example' "$page/" >/dev/null
grep -q "'evil.example'" "$folder/out" && grep -q 'hosts:' "$folder/out" || fail "421 does not say what helps"
exec 3<>"/dev/tcp/127.0.0.1/$port"
printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3
timeout 10 cat <&3 >"$folder/out" || true
exec 3>&-
grep -q '200 OK' "$folder/out" || fail "HTTP/1.0"
# names and networks of the configuration, by a reload, on the same socket
page_section() { # KEYS
	sed -i '/^http:/d' "$folder/packbridge.yaml"
	echo "http: {address: '127.0.0.1:0'$1}" >>"$folder/packbridge.yaml"
	"$program" reload -s "$folder/control" >/dev/null || fail "reload"
}
page_section ', hosts: [evil.example, packbridge.lan]'
[ "$(code -H "Host: Evil.Example.:80" "$page/")" = 200 ] && [ "$(code -H 'Host: other.example' "$page/")" = 421 ] || fail "hosts"
"$program" check -c "$folder/packbridge.yaml" | grep -q '^page .*also as evil.example, packbridge.lan$' || fail "check"
# also for who is connected already
coproc kept { timeout 20 socat -t 20 - "TCP:127.0.0.1:$port"; }
ask_kept() { printf 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n' >&"${kept[1]}"; }
ask_kept
read -r line <&"${kept[0]}" && [[ $line == *'200 OK'* ]] || fail "kept: $line"
page_section ', allow: [192.0.2.0/24]'
ask_kept
while read -r line <&"${kept[0]}" && [[ $line != *' 403 '* ]]; do :; done
[[ $line == *' 403 '* ]] || fail "who was connected goes on"
status=0
curl -s "$page/" >/dev/null || status=$?
[ $status -ne 0 ] || fail "an address that is not allowed is answered"
"$program" check -c "$folder/packbridge.yaml" | grep -q '^page .*, from 192.0.2.0/24$' || fail "check"
page_section ', allow: [192.0.2.0/24, 127.0.0.1]'
[ "$(code "$page/")" = 200 ] && [ "$(code -H 'Host: evil.example' "$page/")" = 421 ] || fail "allow"
for wrong in 'hosts: [a:80]' 'hosts: ["*"]' 'hosts: a' 'allow: [10.0.0.1/8]' 'allow: [x]' 'host: [a]'; do
	{ grep -v '^http:' "$folder/packbridge.yaml" && echo "http: {address: '127.0.0.1:0', $wrong}"; } >"$folder/wrong.yaml"
	! "$program" check -c "$folder/wrong.yaml" >/dev/null 2>&1 || fail "$wrong is good"
done
page_section ''
sed -i "s/^http:.*/http: 127.0.0.1:0/" "$folder/packbridge.yaml"
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
echo 'all good'
