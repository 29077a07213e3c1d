#!/bin/bash
# SPDX-License-Identifier: MIT
# Whole logs through `packbridge decode`: of any size, with times and words, cut anywhere, and live.
# Usage: test_decode_logs.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1
source=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

count() { # frames of $1 whose JSON has $2
	"$program" decode --json <"$1" 2>/dev/null | grep -c -- "$2" || true
}

basic=dd03001d0534000068c96d6000002c7c00000000000080600304030b6d0b6d0b69fab677

# more than 64 KiB: the limit of old; a line for each chunk, and all in one line
python3 - "$basic" "$folder" <<'EOF'
import sys
frame, folder = sys.argv[1:]
with open(folder + "/lines", "w") as lines, open(folder + "/one", "w") as one:
    for n in range(20000):
        lines.write("[10:%02d:%02d][D][x:1]: <<< %s\n" % (n // 60 % 60, n % 60, frame[:40]))
        lines.write("[10:%02d:%02d][D][x:1]: >>> dda50400fffc77\n" % (n // 60 % 60, n % 60))
        lines.write("[10:%02d:%02d][D][x:1]: <<< %s\n" % (n // 60 % 60, n % 60, frame[40:]))
        one.write(frame)
EOF
[ "$(count "$folder/lines" '"voltage_mv":13320')" -eq 20000 ] || fail "a log of lines"
[ "$(count "$folder/one" '"voltage_mv":13320')" -eq 20000 ] || fail "a log of one line"

# garbage of any size is counted, and its place told
{
	head -c 200000 /dev/zero | tr '\0' 'F'
	echo
} >"$folder/garbage"
said=$("$program" decode <"$folder/garbage" 2>&1) && fail "garbage was decoded"
grep -q 'no valid frame in 100000 bytes' <<<"$said" || fail "garbage: $said"
said=$(printf 'nothing here\n' | "$program" decode 2>&1) && fail "words were decoded"
grep -q 'no bytes' <<<"$said" || fail "words: $said"

# a line of parallel boards, glued and in pieces: each frame says whose it is, and that it is no reading
python3 - "$source/tests/data/jk/line.json" "$folder" <<'EOF'
import json, sys
wire = "".join(json.load(open(sys.argv[1]))["wire"])
with open(sys.argv[2] + "/wire", "w") as out:
    for at in range(0, len(wire), 38):
        out.write("%d < %s\n" % (at, wire[at:at + 38]))
EOF
"$program" decode --json <"$folder/wire" >"$folder/wire.json" || fail "the wire"
python3 - "$folder/wire.json" <<'EOF' || fail "the wire's frames"
import json, sys
frames = [json.loads(line) for line in open(sys.argv[1])]
readings = [f for f in frames if "line" not in f]
assert [f["address"] for f in readings] == [0, 0, 1], readings
assert all("parallel boards, address %d" % f["address"] in f["error"] for f in frames)
assert readings[2]["fields"]["remaining_mah"] == 201930
EOF

# a type of JK's that nobody knows: a whole frame without fields
python3 - >"$folder/type" <<'EOF'
frame = bytes([0x55, 0xAA, 0xEB, 0x90, 6]) + bytes(294)
print((frame + bytes([sum(frame) & 255])).hex())
EOF
[ "$(count "$folder/type" '"protocol":"jk","command":null')" -eq 1 ] || fail "type 06"

# live: a frame is shown before the next one comes
mkfifo "$folder/pipe" "$folder/live"
exec 4<>"$folder/live"
"$program" decode --json <"$folder/pipe" >"$folder/live" &
decoder=$!
exec 3>"$folder/pipe"
echo "$basic" >&3
read -r -t 20 -u 4 said || fail "nothing is shown while the log goes on"
grep -q '"voltage_mv":13320' <<<"$said" || fail "live: $said"
exec 3>&-
wait "$decoder" || fail "the live log"
echo "logs are decoded"
