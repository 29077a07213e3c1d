# SPDX-License-Identifier: MIT
"""
What the program asks, answers with control characters in every place that a text may have: a Modbus server
(`packbridge read`), a status and a control socket (`status`, `take`, `reload`). None of them may reach the
terminal.

    hostile_peers.py PROGRAM FOLDER
"""
import json
import os
import socket
import struct
import subprocess
import sys
import threading

program, folder = sys.argv[1:]
EVIL = "\x1b[2J\x1b]0;owned\x07\r\x9b31m\u202egood\x00\x7f"


def answer_modbus(pdu):
    """Every register is ESC and '[', every text is EVIL; quality and the like take what comes."""
    function = pdu[0]
    if function in (1, 2):
        size = (struct.unpack(">HH", pdu[1:5])[1] + 7) // 8
        return bytes([function, size]) + b"\xff" * size
    if function in (3, 4):
        first, count = struct.unpack(">HH", pdu[1:5])
        words = [0x1B5B] * count
        if first <= 0 < first + count:
            words[-first] = 1
        return bytes([function, 2 * count]) + struct.pack(">%dH" % count, *words)
    if function == 0x2B:
        text = EVIL.encode()
        objects = b"".join(bytes([n, len(text)]) + text for n in range(6))
        return bytes([0x2B, 0x0E, pdu[2], 0x81, 0, 0, 6]) + objects
    return bytes([function | 0x80, 0x1B])


def exactly(peer, size):
    data = b""
    while len(data) < size:
        piece = peer.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def serve_modbus(peer):
    while True:
        head = exactly(peer, 7)
        reply = answer_modbus(exactly(peer, struct.unpack(">H", head[4:6])[0] - 1))
        peer.sendall(head[:4] + struct.pack(">H", len(reply) + 1) + head[6:] + reply)


def evil_copy(value):
    """The same JSON with EVIL at the front of each text: numbers and structure stay, so that all is printed."""
    if isinstance(value, dict):
        return {key: evil_copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [evil_copy(item) for item in value]
    return EVIL.replace("\0", "") + value if isinstance(value, str) else value


def serve_socket(reply):
    def serve(peer):
        peer.recv(4096)
        peer.sendall(reply)

    return serve


def listen(server, serve):
    def one(peer):
        try:
            serve(peer)
        except (EOFError, OSError):
            pass
        peer.close()

    def forever():
        while True:
            threading.Thread(target=one, args=(server.accept()[0],), daemon=True).start()

    server.listen()
    threading.Thread(target=forever, daemon=True).start()


def local(name, reply):
    server = socket.socket(socket.AF_UNIX)
    path = os.path.join(folder, name)
    server.bind(path)
    listen(server, serve_socket(reply))
    return path


def look(least, *arguments):
    """Runs it; what it prints has no control character but line ends. At least @least bytes were printed."""
    run = subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    said = run.stdout + run.stderr
    text = said.decode("utf-8")  # whole UTF-8, or it raises
    bad = {c for c in text if (c < " " and c != "\n") or "\x7f" <= c <= "\x9f" or "\u202a" <= c <= "\u202e"}
    if bad or len(said) < least:
        sys.exit("FAILED: %s: %r, status %d:\n%r" % (" ".join(arguments), bad, run.returncode, said))
    return text


modbus = socket.create_server(("127.0.0.1", 0))
listen(modbus, serve_modbus)
endpoint = "tcp:127.0.0.1:%d" % modbus.getsockname()[1]
maps = subprocess.run([program, "map", "list"], capture_output=True, text=True, check=True).stdout
names = [line.split()[0] for line in maps.splitlines() if line and not line[0].isspace()]
assert "packbridge" in names and "sunspec" in names, names
for name in names:
    look(20, "read", "-m", name, "--all", endpoint)
    look(20, "read", "-m", name, "--json", endpoint)
look(20, "read", endpoint)

status = json.loads(subprocess.run([program, "status", "--json", "-s", os.path.join(folder, "status")],
                                   capture_output=True, check=True).stdout)
copy = local("evil-status", json.dumps(evil_copy(status)).encode() + b"\n")
assert "good" in look(500, "status", "-s", copy)
look(500, "status", "--json", "-s", copy)
rubbish = local("evil-rubbish", EVIL.encode() * 9 + b"\n")
for arguments in (["status"], ["status", "--json"], ["status", "--metrics"]):
    look(0, *arguments, "-s", rubbish)
for arguments in (["reload"], ["take", "house"], ["release", "house"]):
    look(10, *arguments, "-s", rubbish)
print("%d maps, 3 kinds of sockets: no control character" % len(names))
