#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# packbridge status --trace: what a listener of each kind is asked and what it answers, bounded, on the
# control socket alone. Usage: test_trace.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1 source=$2
export PACKBRIDGE_MAPS=$source/maps
. "$(dirname "$0")/shell.sh"

serial_line
cat >"$folder/packbridge.yaml" <<END
control: $folder/control
status: $folder/status
packs:
  - {name: house, link: "sim:lfp-4s", unit: 1, poll_ms: 1000, gap_ms: 0, settle_ms: 0}
  - {name: lost, link: "sim:lfp-4s,down=0+3600", unit: 2}
listen:
  - tcp: "127.0.0.1:0"
  - rtu-over-tcp: "127.0.0.1:0"
  - {rtu: $folder/ours, units: [{unit: 1, pack: house}]}
  - {tcp: "127.0.0.1:0", units: [{unit: 1, pack: house, map: voltronic}]}
END
start 1 "$program" run -c "$folder/packbridge.yaml"
mapfile -t ports < <(sed -n 's/.*127.0.0.1:0.*port \([0-9]*\).*/\1/p' "$folder/log")
[ "${#ports[@]}" -eq 3 ] || { cat "$folder/log"; fail "ports"; }

# LISTENER COUNT COMMAND...: runs the command once the trace is on, as often as it takes
traced() {
	local listener=$1 count=$2
	shift 2
	"$program" status --trace "$listener" --seconds 20 --count "$count" -s "$folder/control" \
		>"$folder/trace" 2>"$folder/trace.err" &
	local pid=$!
	while kill -0 $pid 2>/dev/null; do
		"$@" >/dev/null 2>&1 || true
		read -rt 0.05 <> <(:) || true
	done
	wait $pid || { cat "$folder/trace.err"; fail "trace $listener"; }
}
reads() { mbpoll -m tcp -p "${ports[0]}" -a "$1" -0 -r "$2" -c "$3" -t 4 -1 -o 2 127.0.0.1; }

traced 1 1 reads 1 16 2
grep -q ' 127.0.0.1 unit 1: reads holding registers 16 to 17$' "$folder/trace"
grep -q '^  > 03 00 10 00 02$' "$folder/trace"
grep -q '^  < 03 04 ' "$folder/trace"
grep -Eq '^    2 words: 13[0-9]{2} [0-9]+$' "$folder/trace" || { cat "$folder/trace"; fail "the words"; }
traced "tcp 127.0.0.1:0" 2 reads 2 16 2
[ "$(grep -c 'unit 2' "$folder/trace")" -eq 2 ]
grep -q '^  < 83 0B: exception 0B, the reading is stale, or there is none$' "$folder/trace"
traced 1 1 reads 99 0 1
grep -q '^  < 83 0A: exception 0A, no such unit$' "$folder/trace"
traced 1 1 reads 1 5000 1
grep -q '^  < 83 02: exception 02, no such address$' "$folder/trace"

# RTU: frames with a CRC, for us and for another server
over_tcp() {
	/usr/bin/python3 -c "
import socket
s = socket.create_connection(('127.0.0.1', ${ports[1]}), 5)
s.sendall(bytes.fromhex('$1'))
s.settimeout(0.3)
s.recv(100)"
}
traced 2 1 over_tcp 010300010001D5CA
grep -q ' 127.0.0.1 unit 1: reads holding registers 1 to 1$' "$folder/trace"
grep -q '^    1 word: 1$' "$folder/trace" # its quality is good
on_line() { printf '%b' "$(sed 's/../\\x&/g' <<<"$1")" >"$folder/theirs"; }
traced "$folder/ours" 1 on_line 010300010001D5CA
grep -q ' line unit 1: reads holding registers 1 to 1$' "$folder/trace"
grep -q '^    1 word: 1$' "$folder/trace"
# what others are asked is seen, too, and that we say nothing
traced 3 1 on_line 070300010001D5AC
grep -q ' line unit 7: reads' "$folder/trace"
grep -q '^  < no reply$' "$folder/trace"
# a map with `reply_format: word-count`: the same words, behind a head of one byte more
by_words() { "$program" read --all --map voltronic --unit 1 "tcp:127.0.0.1:${ports[2]}"; }
traced 4 1 by_words
/usr/bin/python3 - "$folder/trace" <<'END'
import re, sys
text = open(sys.argv[1]).read()
reply = bytes.fromhex(re.search(r"^  < (0[34] 00 .*)$", text, re.M)[1])
words = [int.from_bytes(reply[i:i + 2], "big") for i in range(3, len(reply), 2)]
assert len(reply) == 3 + 2 * reply[2] and any(words), reply
told = f"    {len(words)} word{'s' * (len(words) > 1)}: {' '.join(map(str, words))}"
assert told in text.splitlines(), (told, text)
END

# bounded, and for those who may give orders
! "$program" status --trace nowhere -s "$folder/control" >/dev/null 2>"$folder/err" || fail "no such listener"
grep -q "there is no listener 'nowhere'" "$folder/err"
! "$program" status --trace 5 -s "$folder/control" >/dev/null 2>&1 || fail "listener 5 of 4"
! "$program" status --trace 1 -s "$folder/status" >/dev/null 2>"$folder/err" || fail "the status socket takes orders"
! "$program" status --trace 1 --json >/dev/null 2>&1 || fail "--trace with --json"
"$program" status --trace 1 --seconds 1 -s "$folder/control" >"$folder/trace" 2>"$folder/err"
[ ! -s "$folder/trace" ] && grep -q '^0 requests in 1\.[0-9] s$' "$folder/err"
# a daemon that is asked faster than anybody looks keeps the last ones and says how many are gone
/usr/bin/python3 - "$folder/control" "${ports[0]}" <<'END'
import socket, sys
def ask(since):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(sys.argv[1])
        s.sendall(b"trace %d 1\n" % since)
        text = b""
        while part := s.recv(65536):
            text += part
    head, rest = text.decode().split("\n", 1)
    word, following, left = head.split()
    assert word == "trace"
    return int(following), int(left), sum(line[:1] != " " for line in rest.splitlines())
at, left, seen = ask(0)
assert (left, seen) == (0, 0)
with socket.create_connection(("127.0.0.1", int(sys.argv[2]))) as s:
    for i in range(300):
        s.sendall(bytes.fromhex("000100000006010300000001"))
        while len(s.recv(11, socket.MSG_WAITALL)) < 11:
            pass
start = at
at, left, seen = ask(at)
assert (left, seen) == (300 - 128, 64), (left, seen)
at, left, seen = ask(at)
assert (left, seen) == (0, 64) and at == start + 300, (left, seen, at)
END
end
echo "three kinds of listeners were traced"
