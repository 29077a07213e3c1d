# SPDX-License-Identifier: MIT
"""Simulated boards (tests/boards/sim_board.c, tests/fakebluez) and the daemon, for tests that count every byte."""
import os
import queue
import socket
import struct
import subprocess
import threading
import time


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def until(what, condition, seconds=20):
    """Looks again and again. @return what the condition gave; fails after so many seconds."""
    end = now() + seconds
    while True:
        found = condition()
        if found:
            return found
        if now() > end:
            raise AssertionError("not in %d s: %s" % (seconds, what))
        time.sleep(0.02)


class Lines:
    """A program that takes commands line by line, and prints what happens."""

    def __init__(self, args, ready, environment=None):
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL"] + args, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=environment)
        self.events, self.answers, self.lock = [], queue.Queue(), threading.Lock()
        self.ready, self.is_ready = ready, threading.Event()
        threading.Thread(target=self.listen, daemon=True).start()
        assert self.is_ready.wait(10), "it does not start: %s" % args

    def listen(self):
        for line in self.process.stdout:
            words = line.split()
            if words[0] in ("ok", "error"):
                self.answers.put(line.strip())
            else:
                with self.lock:
                    self.events.append(tuple(words))
            if words[0] == self.ready or self.ready == "port":
                self.is_ready.set()

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.answers.get(timeout=10)
        assert answer.startswith("ok"), "%s: %s" % (line, answer)
        return answer[3:]

    def requests(self, which, word="got"):
        """All requests that board got so far, as hex."""
        with self.lock:
            return [event[2] for event in self.events if event[0] == word and event[1] == str(which)]

    def count(self, which, word):
        with self.lock:
            return sum(event[0] == word and event[1] == str(which) for event in self.events)

    def end(self):
        self.process.stdin.close()
        self.process.wait(10)


class Boards(Lines):
    """sim_board: board N is at ports[N]."""

    def __init__(self, folder, *profiles):
        super().__init__([folder + "/sim_board"] + list(profiles), "port")
        count = 1 if profiles[0] == "--shared" else len(profiles)
        until("ports", lambda: len([event for event in self.events if event[0] == "port"]) == count)
        self.ports = [int(event[2]) for event in self.events if event[0] == "port"]


class Bluetooth:
    """A bus of its own with fake_bluez on it."""

    def __init__(self, folder, temporary):
        self.address = "unix:path=%s/bus" % temporary
        config = temporary + "/bus.conf"
        with open(config, "w") as out:
            out.write("<busconfig><type>system</type><listen>%s</listen><auth>EXTERNAL</auth><policy context='default'>"
                      "<allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/><allow own='*'/>"
                      "<allow user='*'/></policy></busconfig>" % self.address)
        self.bus = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "dbus-daemon", "--config-file", config, "--nofork",
                                     "--nopidfile", "--print-address"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.bus.stdout.readline()
        self.environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.address)
        self.fake = Lines([folder + "/fake_bluez"], "ready", self.environment)
        self.fake.say("adapter hci0 00:11:22:33:44:55")

    def end(self):
        self.fake.end()
        self.bus.terminate()
        self.bus.wait(10)


class Daemon:
    """`packbridge run` with a configuration; its log is in memory."""

    def __init__(self, program, config, text, environment=None):
        self.program, self.config, self.environment, self.log = program, config, environment, ""
        self.write(text)
        self.start()

    def write(self, text):
        with open(self.config, "w") as out:
            out.write(text)

    def start(self):
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", self.program, "run", "-c", self.config],
                                        stderr=subprocess.PIPE, text=True, env=self.environment)
        self.listener = threading.Thread(target=self.listen, args=(self.process,), daemon=True)
        self.listener.start()

    def listen(self, process):
        for line in process.stderr:
            self.log += line

    def says(self, text, seconds=20):
        try:
            until(text, lambda: text in self.log, seconds)
        except AssertionError as error:
            raise AssertionError("%s in:\n%s" % (error, self.log)) from None

    def kill(self):
        self.process.kill()
        self.process.wait(10)
        self.listener.join(10)

    def end(self):
        self.process.terminate()
        status = self.process.wait(10)
        self.listener.join(10)  # the last lines, too
        assert status == 0, "it ended with %d:\n%s" % (status, self.log)


class Modbus:
    """A client of one TCP listener. A request gives words, or the number of the exception as a negative one."""

    def __init__(self, port, source="127.0.0.1"):
        self.connection = until("a listener", lambda: self.connect(port, source))
        self.transaction = 0

    @staticmethod
    def connect(port, source):
        try:
            return socket.create_connection(("127.0.0.1", port), 10, (source, 0))
        except OSError:
            return None

    def pdu(self, unit, pdu):
        self.transaction = (self.transaction + 1) % 65536
        self.connection.sendall(struct.pack(">HHHB", self.transaction, 0, len(pdu) + 1, unit) + pdu)
        head = self.take(7)
        assert struct.unpack(">H", head[:2])[0] == self.transaction
        reply = self.take(struct.unpack(">H", head[4:6])[0] - 1)
        return reply

    def take(self, length):
        data = b""
        while len(data) < length:
            piece = self.connection.recv(length - len(data))
            assert piece, "the connection was closed"
            data += piece
        return data

    def read(self, unit, address, count=1):
        reply = self.pdu(unit, struct.pack(">BHH", 3, address, count))
        return -reply[1] if reply[0] & 0x80 else struct.unpack(">%dH" % count, reply[2:])

    def write(self, unit, address, *words):
        if len(words) == 1:
            reply = self.pdu(unit, struct.pack(">BHH", 6, address, words[0]))
        else:
            reply = self.pdu(unit, struct.pack(">BHHB%dH" % len(words), 16, address, len(words), 2 * len(words), *words))
        return -reply[1] if reply[0] & 0x80 else 0

    def close(self):
        self.connection.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
