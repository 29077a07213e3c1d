#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A lost pack, as clients meet it that take all or nothing: blocks that are joined to 100 registers (the
# default of ioBroker), units of several packs over one connection (Home Assistant's hub), SunSpec
# clients. No old value stands without a bad quality beside it, and no unit holds up another.
# Usage: test_lost_pack.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1
. "$(dirname "$0")/shell.sh"
cat >"$folder/packbridge.yaml" <<END
control: $folder/control
packs:
  - {name: lost, link: "sim:lfp-4s,soc=57,seed=1,silent=1+3600", unit: 1, poll_ms: 200, stale_after_s: 2, map: packbridge+na}
  - {name: good, link: "sim:lfp-16s,soc=60,seed=2", unit: 2, poll_ms: 200}
listen:
  - tcp: 127.0.0.1:0
    units:
      - {unit: 1, pack: lost}
      - {unit: 2, pack: good, map: sunspec}
      - {unit: 3, pack: lost, map: growatt}
      - {unit: 4, pack: lost, map: voltronic}
      - {unit: 5, pack: lost, map: sunspec+exception}
      - {unit: 6, pack: lost, map: sunspec}
      - {unit: 7, pack: lost, map: packbridge}
      - {unit: 8, pack: lost, map: victron+na}
      - {unit: 9, pack: lost, map: packbridge+na+low-first+blanks}
END
"$program" check -c "$folder/packbridge.yaml" >/dev/null
start 2 "$program" run -c "$folder/packbridge.yaml"
until_there grep -q "pack lost: stale" "$folder/log"
/usr/bin/python3 - "$(port_of 127.0.0.1)" <<'END'
import socket
import struct
import sys

link = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=20)


def take(count):
    data = b""
    while len(data) < count:
        piece = link.recv(count - len(data))
        assert piece, "closed"
        data += piece
    return data


def ask_all(requests):
    """All at once over the one connection; replies in the order of requests: words, or an exception."""
    link.sendall(b"".join(struct.pack(">HHHBBHH", i, 0, 6, *r) for i, r in enumerate(requests)))
    replies = []
    for i, (unit, function, _, count) in enumerate(requests):
        number, _, length, its_unit, code = struct.unpack(">HHHBB", take(8))
        body = take(length - 2)
        assert (number, its_unit) == (i, unit)
        if code & 0x80:
            replies.append(body[0])
        elif function < 3:
            replies.append([body[1 + k // 8] >> k % 8 & 1 for k in range(count)])
        else:
            replies.append(list(struct.unpack(f">{count}H", body[1:])))
    return replies


# joined blocks: all can be read, nothing of the reading is there, and the state tells why
low, middle, high, bits = ask_all([(1, 3, 0, 100), (1, 3, 100, 100), (1, 3, 200, 125), (1, 2, 0, 126)])
assert low[1] in (2, 3) and low[3] >= 2, low[:8]
assert low[16] == low[17] == 0xFFFF and low[18:20] == [0x8000, 0], low[16:20]
assert low[42:50] == [0xFFFF] * 8, low[42:50]  # masks
assert middle[0:48] == [0xFFFF] * 48 and middle[48:64] == [0x8000] * 16
assert high[40] == 0xFFFF and high[42:46] == [0xFFFF] * 4, high[40:46]
assert bits[0] == 0 and not any(bits[8:96]), bits
assert ask_all([(7, 3, 0, 16), (7, 3, 0, 100), (7, 2, 0, 100)])[1:] == [0x0B, 0x0B]
# the same with two options more: blanks behind texts
words = ask_all([(9, 3, 0, 100), (9, 3, 208, 16)])
assert words[0][18:20] == [0, 0x8000], words[0][18:20]
assert b"".join(struct.pack(">H", w) for w in words[1]) == b"lost".ljust(32)
assert words[0][56:72] == [0x2020] * 16
# maps that are silent on a line answer, so the good unit behind them is served
growatt, voltronic, good = ask_all([(3, 3, 0x15, 1), (4, 3, 0x33, 1), (2, 3, 40081, 1)])
assert (growatt, voltronic) == (0x0B, 0x0B) and 0 < good[0] < 1000, (growatt, voltronic, good)
# SunSpec: not implemented, or an exception; the chain can be followed in both
for unit, is_old in ((5, 0x0B), (6, [0xFFFF])):
    head, bank, end, soc = ask_all([(unit, 3, 40070, 2), (unit, 3, 40134, 2), (unit, 3, 40194, 2), (unit, 3, 40081, 1)])
    assert (head, bank, end) == ([802, 62], [803, 58], [0xFFFF, 0]) and soc == is_old, (unit, soc)
# a limit that nobody knows lets nothing flow
assert ask_all([(8, 3, 303, 6), (8, 3, 840, 7)]) == [
    [0xFFFF, 0xFFFF, 0, 0xFFFF, 0, 0], [0xFFFF, 0x7FFF, 0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF]]
END
end
