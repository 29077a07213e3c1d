#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Inverters on a serial line, played by a script on the other end of a pair of pseudo terminals: the
# polls and the greeting that captures and makers' documents have, and silence when the pack is silent.
# Usage: test_inverters.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1
. "$(dirname "$0")/shell.sh"
serial_line
cat >"$folder/packbridge.yaml" <<END
control: $folder/control
packs:
  - {name: one, link: "sim:lfp-16s,soc=64,seed=1,silent=6+3600", unit: 11, poll_ms: 200, stale_after_s: 2}
  - {name: two, link: "sim:lfp-16s,soc=60,seed=2", unit: 12, poll_ms: 200, stale_after_s: 2}
banks: [{name: store, packs: [one, two], unit: 100, missing: fault}]
listen:
  - rtu: $folder/ours
    units:
      - {unit: 1, bank: store, map: growatt}
      - {unit: 2, bank: store, map: voltronic}
      - {unit: 3, bank: store, map: pace}
END
start 2 "$program" run -c "$folder/packbridge.yaml"
/usr/bin/python3 - "$folder/theirs" "$folder/log" <<'END'
import sys
import time

import serial

line = serial.Serial(sys.argv[1], 9600, timeout=0.5)


def crc(data):
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
    return bytes([value & 255, value >> 8])


def ask(hex_request, length):
    request = bytes.fromhex(hex_request)
    line.reset_input_buffer()
    line.write(request + crc(request))
    reply = line.read(length)
    if reply:
        assert len(reply) == length and crc(reply[:-2]) == reply[-2:], reply.hex()
    return reply[:-2]


def word(data, at):
    return data[at] << 8 | data[at + 1]


# Growatt: the greeting, then the polls that are known, each as long as it must be
assert ask("01 10 00 13 00 01 02 00 00", 8).hex() == "011000130001"
for start, count in ((0x01, 7), (0x0D, 29), (0x10, 12), (0x71, 16), (0x100, 12), (0x10D, 2)):
    reply = ask(f"0103 {start:04x} {count:04x}", 5 + 2 * count)
    assert reply[2] == 2 * count, (start, reply)
status = ask("01 03 00 13 00 06", 17)[3:]
assert word(status, 0) & 0x60 == 0x60, status.hex()  # both directions allowed
soc, volts = word(status, 4), word(status, 6) / 100
assert 55 <= soc <= 70 and 48 < volts < 58, (soc, volts)
# Voltronic: the length counts registers, in two bytes
reply = ask("02 03 00 30 00 07", 2 + 2 + 14 + 2)
assert reply[2:4] == b"\x00\x07" and word(reply, 4 + 6) == soc and word(reply, 4 + 12) == 2, reply.hex()
assert abs(word(reply, 4 + 4) / 10 - volts) < 0.5
# PACE
reply = ask("03 03 00 00 00 09", 23)[3:]
assert word(reply, 4) == soc and abs(word(reply, 2) / 100 - volts) < 0.5
took = []
for _ in range(20):
    start = time.monotonic()
    assert ask("01 03 00 15 00 01", 7)
    took.append(time.monotonic() - start)
print(f"{soc} %, {volts} V; slowest of 20 replies {max(took) * 1000:.0f} ms, median {sorted(took)[10] * 1000:.0f} ms")
# a pack falls silent: so does the bank, to each of them
deadline = time.monotonic() + 30
while "pack one: stale" not in open(sys.argv[2]).read():
    assert time.monotonic() < deadline, "not stale"
    time.sleep(0.05)
for request, length in (("01 03 00 15 00 01", 7), ("02 03 00 30 00 07", 20), ("03 03 00 00 00 09", 23)):
    assert ask(request, length) == b"", request
print("silent")
END
[ "$(grep -c "no more" "$folder/log")" -eq 0 ]
