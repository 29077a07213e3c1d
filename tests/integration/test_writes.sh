#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Clients that ask for control of a pack for which it is not enabled, and clients that may not: each function
# that writes, over TCP and as on a line, of a pack and of a bank. Nothing is accepted, nothing changes.
# Usage: test_writes.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1 source=$2
. "$(dirname "$0")/shell.sh"
export PACKBRIDGE_MAPS=$source/maps
cat >"$folder/packbridge.yaml" <<END
control: $folder/control
status: $folder/status
packs:
  - {name: house, link: "sim:lfp-4s,seed=1", unit: 1, poll_ms: 500}
  - {name: shed, link: "sim:lfp-4s,seed=2", unit: 2, poll_ms: 500, control: charge}
banks:
  - {name: all, packs: [house, shed], unit: 100}
listen:
  - tcp: 127.0.0.1:0
  - rtu-over-tcp: 127.0.0.2:0
END
start 2 "$program" run -c "$folder/packbridge.yaml"
/usr/bin/python3 - "$(port_of 127.0.0.1)" "$(port_of 127.0.0.2)" <<'END'
import socket
import struct
import sys

NOT_ENABLED, MAY_NOT, NO_VALUE = 2, 1, 3
# what each function writes: the wish to inhibit charging
INHIBIT = ["05 0080 ff00", "06 0190 0001", "0f 0080 0001 01 01", "10 0190 0003 06 0001 0000 003c",
           "16 0190 fffe 0001", "17 0000 0001 0190 0001 02 0001"]
DISCHARGE = ["05 0081 ff00", "06 0191 0001", "10 0190 0002 04 0001 0001"]


def crc(data):
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return struct.pack("<H", value)


def tcp(unit, pdu):
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as s:
        s.sendall(struct.pack(">HHHB", 1, 0, len(pdu) + 1, unit) + pdu)
        return s.recv(300)[7:]


def line(unit, pdu):
    with socket.create_connection(("127.0.0.2", int(sys.argv[2]))) as s:
        s.sendall(bytes([unit]) + pdu + crc(bytes([unit]) + pdu))
        return s.recv(300)[1:-2]


def broadcast(pdu):
    """It gets no reply, and the request behind it on the same connection gets its own."""
    ask = bytes.fromhex("01 04 0190 0008")
    with socket.create_connection(("127.0.0.2", int(sys.argv[2]))) as s:
        s.sendall(b"\0" + pdu + crc(b"\0" + pdu))
        s.sendall(ask + crc(ask))
        reply = s.recv(300)
    assert reply[0] == 1 and reply[1] == 4, reply.hex()


count = 0
for send in tcp, line:
    shown = {unit: send(unit, bytes.fromhex("03 0190 0004")) for unit in (1, 2, 100)}
    for unit, requests, code in ((1, INHIBIT + DISCHARGE, NOT_ENABLED), (100, INHIBIT + DISCHARGE, NOT_ENABLED),
                                 (2, DISCHARGE, NOT_ENABLED), (2, INHIBIT, MAY_NOT)):
        for request in requests:
            pdu = bytes.fromhex(request)
            reply = send(unit, pdu)
            assert reply == bytes([pdu[0] | 0x80, code]), (unit, request, reply.hex(), code)
            count += 1
    # what is only told can't be written; what is no request at all is found first
    assert send(2, bytes.fromhex("06 0194 0000")) == bytes([0x86, NOT_ENABLED])
    assert send(1, bytes.fromhex("10 0190 0001 03 0001")) == bytes([0x90, NO_VALUE])
    for unit, before in shown.items():
        assert send(unit, bytes.fromhex("03 0190 0004")) == before
for request in INHIBIT:
    broadcast(bytes.fromhex(request))
print(f"{count} requests were refused, {len(INHIBIT)} broadcasts were ignored")
END
end
