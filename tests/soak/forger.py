# SPDX-License-Identifier: MIT
"""Somebody on the bus who is not bluetoothd and sends the daemon signals in its name, straight to its unique name.

D-Bus by hand, as far as signals need it: the tests' tools would send one a process."""
import os
import socket
import struct

PROPERTIES = "org.freedesktop.DBus.Properties"
WAITING_MOST = 65536  # bytes; what is forged meanwhile is left out


class Writer:
    def __init__(self):
        self.bytes = bytearray()

    def align(self, size):
        self.bytes += bytes(-len(self.bytes) % size)

    def u32(self, value):
        self.align(4)
        self.bytes += struct.pack("<I", value)

    def string(self, text):
        self.u32(len(text))
        self.bytes += text.encode() + b"\0"

    def signature(self, text):
        self.bytes += bytes([len(text)]) + text.encode() + b"\0"

    def array(self, align, elements):
        """@elements: functions that write one each."""
        self.u32(0)
        at = len(self.bytes)
        self.align(align)
        begin = len(self.bytes)
        for element in elements:
            self.align(align)
            element()
        self.bytes[at - 4:at] = struct.pack("<I", len(self.bytes) - begin)

    def variant(self, kind, value):
        self.signature(kind)
        if kind == "ay":
            self.u32(len(value))
            self.bytes += value
        elif kind in "so":
            self.string(value)
        elif kind == "g":
            self.signature(value)
        else:
            self.u32(value)


class Forger:
    def __init__(self, path, pid):
        """@path: of the bus's socket; @pid: of the daemon. Without it on the bus, @victim is None."""
        self.victim, self.serial, self.held, self.waiting = None, 0, b"", bytearray()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\n")
        assert self.socket.recv(200).startswith(b"OK")
        self.socket.sendall(b"BEGIN\r\n")
        own = int(self.ask("Hello", "", b"").split(b":1.")[1].rstrip(b"\0"))
        for number in range(own):
            body = Writer()
            body.string(":1.%d" % number)
            answer = self.ask("GetConnectionUnixProcessID", "s", bytes(body.bytes))
            if answer and struct.unpack("<I", answer)[0] == pid:
                self.victim = ":1.%d" % number
        self.socket.setblocking(False)

    def ask(self, member, signature, body):
        """@return the body of the bus's answer; None: it is an error."""
        self.send(1, "/org/freedesktop/DBus", "org.freedesktop.DBus", member, signature, body, "org.freedesktop.DBus")
        while True:
            kind, answer = self.message()
            if kind in (2, 3):
                return answer if kind == 2 else None

    def message(self):
        while True:
            if len(self.held) >= 16:
                body, fields = struct.unpack("<I4xI", self.held[4:16])
                begin = (16 + fields + 7) // 8 * 8
                if len(self.held) >= begin + body:
                    kind, answer = self.held[1], self.held[begin:begin + body]
                    self.held = self.held[begin + body:]
                    return kind, answer
            self.held += self.socket.recv(65536)

    def send(self, kind, path, interface, member, signature, body, destination):
        self.serial += 1
        head = Writer()
        head.bytes += struct.pack("<BBBBII", ord("l"), kind, 0 if kind == 1 else 1, 1, len(body), self.serial)
        fields = [(1, "o", path), (2, "s", interface), (3, "s", member), (6, "s", destination)]
        if signature:
            fields.append((8, "g", signature))

        def writes(code, kind, value):
            def write():
                head.bytes.append(code)
                head.variant(kind, value)
            return write

        head.array(8, [writes(*field) for field in fields])
        head.align(8)
        # while the daemon is stopped, the bus takes no more for it; a message that has begun must go out whole
        if len(self.waiting) < WAITING_MOST:
            self.waiting += bytes(head.bytes) + body
        self.flush()

    def flush(self):
        try:
            while self.waiting:
                del self.waiting[:self.socket.send(self.waiting)]
        except BlockingIOError:
            pass

    def signal(self, path, interface, member, signature, body):
        try:
            self.socket.recv(65536)  # what the bus says does not matter
        except BlockingIOError:
            pass
        self.send(4, path, interface, member, signature, bytes(body.bytes), self.victim)

    def changed(self, path, interface, name, kind, value):
        body = Writer()
        body.string(interface)

        def entry():
            body.string(name)
            body.variant(kind, value)

        body.array(8, [entry])
        body.array(4, [])
        self.signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", body)

    def value(self, characteristic, data):
        self.changed(characteristic, "org.bluez.GattCharacteristic1", "Value", "ay", data)

    def disconnected(self, device):
        self.changed(device, "org.bluez.Device1", "Connected", "b", 0)

    def powered_off(self, adapter):
        self.changed(adapter, "org.bluez.Adapter1", "Powered", "b", 0)

    def removed(self, device):
        body = Writer()
        body.string(device)
        body.array(4, [lambda: body.string("org.bluez.Device1")])
        self.signal("/", "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved", "oas", body)

    def gone(self):
        """As if bluetoothd had left the bus."""
        body = Writer()
        for text in ("org.bluez", ":1.0", ""):
            body.string(text)
        self.signal("/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged", "sss", body)

    def close(self):
        self.socket.close()
