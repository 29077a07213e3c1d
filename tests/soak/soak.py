# SPDX-License-Identifier: MIT
"""The daemon among faults, and an independent checker: soak.py PROGRAM FAKE_BLUEZ MINUTES SEED

Packs count their readings: every value of reading n of pack p follows from n and p, and when n was sent is
written down. So whatever a client reads tells which reading it came from, whether two readings were mixed, and
how old it really was. Other packs send their clock as values (clock.py), over lines with bad days of their own
(lines.py). What is shown as good must be younger than the pack's stale_after_s at the moment the request went
out."""
import asyncio
import collections
import fcntl
import json
import os
import random
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import tty

from air import Air, run
from clock import A5, BLOCK, D2, P81, Jbd, Jk, crc16, look, now_ms
from forger import Forger
from lines import Line, Tcp

PROGRAM, FAKE, MINUTES, SEED = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
TCP_PACKS, SIM_PACKS, BLE_PACKS = 30, 5, 5
TCP_CLIENTS, RTU_LINES = 18, 2
POLL_S, STALE_S = 0.5, 3
SLACK_S = 0.3  # from our clock at sending to the daemon's at asking: it asked before
ANSWER_S = 2   # a Modbus client waits no longer, unless the daemon is stopped
FORGED = 60000  # readings from this one on are sent by nobody
# a short run has room for all kinds of faults: how long one lasts, between two, behind the last
LONGEST_S, PAUSE_S, CALM_S = (8, 16, 10) if MINUTES > 1 else (3, 1.5, 4)
dice = random.Random(SEED)
folder = tempfile.mkdtemp(prefix="packbridge-soak-")
counts, faults, violations = collections.Counter(), collections.Counter(), []
answers = []  # how long Modbus clients have waited, s


class Stops:
    """When the daemon was stopped, by SIGSTOP: what a client waits then is not the daemon's fault."""

    def __init__(self):
        self.since, self.total = None, 0

    def begin(self):
        self.since = now()

    def end(self):
        self.total += now() - self.since
        self.since = None

    def seconds(self):
        return self.total + (now() - self.since if self.since else 0)


stops = Stops()


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def violate(what):
    violations.append("%.1f s: %s" % (now() - begun, what))
    print("VIOLATION", violations[-1], flush=True)


# ---- packs ----

def values(p, n):
    """Of reading n of pack p, as registers show them."""
    return {
        "voltage_mv": 10 * (1200 + (n * 7 + p * 13) % 300),
        "current_ma": 10 * ((n * 11 + p) % 2000 - 1000),
        "remaining_mah": 10 * (5000 + n % 4000),
        "cycles": n % 65000,
        "soc_permille": 10 * (n % 101),
    }


def jbd(register, payload):
    body = bytes([0, len(payload)]) + payload
    return b"\xDD" + bytes([register]) + body + struct.pack(">H", -sum(body) & 0xFFFF) + b"\x77"


def basic(v):
    return struct.pack(
        ">HhHHHHHHHBBBBBHH", v["voltage_mv"] // 10, v["current_ma"] // 10, v["remaining_mah"] // 10, 10000, v["cycles"],
        0x2A6F, 0, 0, 0, 0x10, v["soc_permille"] // 10, 3, 4, 2, 2981, 2990)


class Pack:
    """What one pack has told, and when."""

    def __init__(self, p, unit):
        self.p, self.unit, self.n = p, unit, 0
        self.sent = collections.deque(maxlen=4000)  # (n, when)

    def tell(self, n, when):
        self.n = n
        self.sent.append((n, when))

    def find(self, cycles):
        """When the reading with that number was sent last."""
        for n, when in reversed(self.sent):
            if n % 65000 == cycles:
                return n, when
        return None, None


class TcpPack(Pack):
    """A board behind a serial device server, with its bad days."""

    def __init__(self, p, unit):
        super().__init__(p, unit)
        self.mode, self.writers, self.port = "good", set(), 0

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    def reply(self, register):
        if register == 0x03:
            self.tell(self.n + 1, now())
            v = values(self.p, self.n)
            return jbd(3, basic(v))
        if register == 0x04:
            return jbd(4, struct.pack(">4H", *(3200 + self.n % 100 + i for i in range(4))))
        if register == 0x05:
            return jbd(5, b"SOAK-%d" % self.p)
        return b"\xDD" + bytes([register]) + b"\x80\x00\xFF\x80\x77"

    async def serve(self, reader, writer):
        self.writers.add(writer)
        held = b""
        try:
            while self.mode != "refuse":
                data = await reader.read(256)
                if not data:
                    break
                held += data
                while len(held) >= 7:
                    if held[0] != 0xDD:
                        held = held[1:]
                        continue
                    register, held = held[2], held[7 + held[3]:]
                    await self.answer(writer, register)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    async def answer(self, writer, register):
        if self.mode == "mute":
            return
        await asyncio.sleep(dice.uniform(0, 0.06))  # so that some request is always under way
        reply = self.reply(register)
        if self.mode == "bad" and dice.random() < 0.5:
            reply = reply[:-3] + bytes([reply[-3] ^ 0x55]) + reply[-2:]
        elif self.mode == "garbage":
            reply = os.urandom(dice.randrange(1, 6)) + reply + bytes(dice.randrange(0, 4))
        elif self.mode == "half":
            writer.write(reply[:len(reply) // 2])
            await writer.drain()
            writer.close()
            raise ConnectionResetError
        if self.mode == "pieces":
            for byte in range(0, len(reply), 5):
                writer.write(reply[byte:byte + 5])
                await asyncio.sleep(0.01)
        else:
            writer.write(reply)
        await writer.drain()

    def hang_up(self):
        for writer in list(self.writers):
            writer.transport.abort()


    def flood(self, seconds):
        """Sends rubbish as fast as the daemon takes it, whatever it connects."""
        rubbish = dice.choice((b"\xDD" * 65536, bytes(65536), os.urandom(65536), b"\xD2\x03\x7C" * 20000))
        until = now() + seconds
        poll = select.poll()
        held = {}

        def pour():
            while now() < until:
                writer = next(iter(self.writers), None)
                ours = writer and writer.get_extra_info("socket")
                if not ours or ours.fileno() < 0:
                    threading.Event().wait(0.01)
                    continue
                with socket.socket(fileno=os.dup(ours.fileno())) as line:
                    poll.register(line, select.POLLOUT)
                    try:
                        while now() < until:
                            if poll.poll(100):
                                held["bytes"] = held.get("bytes", 0) + line.send(rubbish, socket.MSG_DONTWAIT)
                    except BlockingIOError:
                        pass
                    except OSError:
                        threading.Event().wait(0.01)
                    poll.unregister(line)
            counts["rubbish, MB"] += held.get("bytes", 0) // 1000000

        threading.Thread(target=pour, daemon=True).start()


class BlePack(Pack):
    def __init__(self, p, unit):
        super().__init__(p, unit)
        self.mac = "A4:C1:38:00:00:%02X" % p

    def told(self, n, when_ms):
        self.tell(n, when_ms / 1000)


class ClockPack:
    """Its values are the time of their measuring; its line has bad days."""

    def __init__(self, unit, board):
        self.unit, self.board = unit, board
        self.line = Line(board, dice)
        self.front = Tcp(self.line)

    def suffer(self):
        what = dice.choice(("slow", "late", "stalls", "breaks", "keeps", "loses"))
        line = self.line
        if what == "slow":
            line.rate = dice.choice((25, 100, 340, 480, 960))
        elif what == "late":
            line.down_ms = dice.choice((300, 900, 2500, 6000, 12000))
        elif what == "stalls":
            line.stalled_until = now_ms() + dice.randrange(500, 8000)
        elif what == "loses":
            line.lose = dice.choice((0.05, 0.3))
        else:
            line.keeps = what == "keeps"
            line.break_for_ms = dice.randrange(100, 8000)
        asyncio.get_running_loop().call_later(dice.uniform(2, 15), self.heal)
        return what

    def heal(self):
        self.line.rate = self.line.down_ms = self.line.lose = 0

    def health(self):
        """Without what is still on its way, too."""
        self.heal()
        self.line.keeps, self.line.break_for_ms, self.line.stalled_until = False, 0, 0


# ---- the map ----

def load_map():
    rows = json.loads(subprocess.run([PROGRAM, "map", "export", "packbridge", "--format", "json"], check=True,
                                     capture_output=True).stdout)["rows"]
    found = {}
    for row in rows:
        key = (row["field"], row["index"] or 0)
        if row["field"] and "holding" in row["table"] and key not in found:
            found[key] = row
    return found


def number(row, words):
    """A register's value in the catalogue's unit."""
    raw = 0
    for i in range(row["words"]):
        raw = raw << 16 | words[row["address"] + i]
    if row["type"][0] == "s" and raw >> (16 * row["words"] - 1):
        raw -= 1 << 16 * row["words"]
    if raw == row["na"]:
        return None
    per = {"V": 1000, "A": 1000, "Ah": 1000, "%": 10, "degC": 1000}.get(row["unit"], 1)
    return round(raw * row["scale"] * per)


# ---- what clients see ----

class Checker:
    def __init__(self, packs, sims, clocks):
        self.rows = load_map()
        self.packs = {pack.unit: pack for pack in packs}
        self.clocks = {pack.unit: pack for pack in clocks}
        self.sims = sims
        self.last = {}

    def of(self, field, words, index=0):
        return number(self.rows[(field, index)], words)

    def data(self, unit, words, asked):
        """Registers 0.. with a good reading: one reading, and young enough when it was asked for."""
        counts["good"] += 1
        sequence, age = self.of("sequence", words), self.of("age_s", words)
        if self.of("quality", words) != 1:
            violate("unit %d: data with quality %s" % (unit, self.of("quality", words)))
        if age is None or age > STALE_S:
            violate("unit %d: data shown with age %s s" % (unit, age))
        if not sequence:
            violate("unit %d: data without a reading" % unit)
        pack = self.packs.get(unit)
        if not pack:
            return
        n, when = pack.find(self.of("cycles", words))
        if n is None:
            violate("unit %d: reading %s was never sent" % (unit, self.of("cycles", words)))
            return
        for field, value in values(pack.p, n).items():
            seen = self.of(field, words)
            if seen != value:
                violate("unit %d: %s %s in reading %d, sent was %s" % (unit, field, seen, n, value))
        if asked - when > STALE_S + SLACK_S:
            violate("unit %d: reading %d was %.2f s old, shown as good" % (unit, n, asked - when))
        if asked - when > age + 1 + SLACK_S:
            violate("unit %d: age %d s, really %.2f s" % (unit, age, asked - when))

    def cells(self, unit, words, asked):
        counts["good cells"] += 1
        pack = self.packs.get(unit)
        if not pack:
            return
        first = words[0]
        if list(words) != [first + i for i in range(4)]:
            violate("unit %d: cells of two readings: %s" % (unit, list(words)))
        if not any((3200 + n % 100) == first and asked - when < STALE_S + SLACK_S for n, when in reversed(pack.sent)):
            violate("unit %d: cells %d were not sent within %d s" % (unit, first, STALE_S))

    def clock(self, unit, words, asked):
        counts["good clocks"] += 1
        for _, what in look(self.clocks[unit].board, words, 1000 * asked, 1000 * SLACK_S)[1]:
            violate("unit %d: %s" % (unit, what))

    def answered(self, unit, asked, stopped_s):
        took = now() - asked - (stops.seconds() - stopped_s)
        answers.append(took)
        if took > ANSWER_S:
            violate("unit %d: answered after %.2f s" % (unit, took))

    def refused(self, unit, code):
        counts["exception %02X" % code] += 1
        if code not in (0x0A, 0x0B):
            violate("unit %d: exception %02X" % (unit, code))


def judge(checker, unit, what, pdu, asked):
    if pdu[0] & 0x80:
        checker.refused(unit, pdu[1])
        return
    words = struct.unpack(">%dH" % (pdu[1] // 2), pdu[2:2 + pdu[1]])
    if what == "data":
        checker.data(unit, words, asked)
    elif what == "cells":
        checker.cells(unit, words, asked)
    elif what == "clock":
        checker.clock(unit, words, asked)
    else:
        counts["status"] += 1


def choose(checker, units):
    unit = dice.choice(units)
    if unit in checker.clocks:
        return unit, "clock", struct.pack(">BHH", dice.choice((3, 4)), 0, BLOCK)
    what = dice.choice(("data", "data", "cells", "status"))
    if what == "cells":
        return unit, what, struct.pack(">BHH", 3, checker.rows[("cell_mv", 0)]["address"], 4)
    return unit, what, struct.pack(">BHH", dice.choice((3, 4)), 0, checker.width if what == "data" else 16)


async def tcp_client(checker, units, port):
    """Reads, at its own pace, and behaves badly now and then."""
    transaction = 0
    while True:
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 20)
        except (OSError, asyncio.TimeoutError):
            counts["not connected"] += 1
            await asyncio.sleep(0.5)
            continue
        try:
            for _ in range(dice.randrange(20, 400)):
                unit, what, pdu = choose(checker, units)
                transaction = (transaction + 1) % 65536
                asked, stopped_s = now(), stops.seconds()
                writer.write(struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu)
                head = await asyncio.wait_for(reader.readexactly(7), 20)
                reply = await reader.readexactly(struct.unpack(">H", head[4:6])[0] - 1)
                counts["reads"] += 1
                checker.answered(unit, asked, stopped_s)
                if struct.unpack(">HHHB", head) != (transaction, 0, len(reply) + 1, unit):
                    violate("unit %d: a reply to something else" % unit)
                    break
                judge(checker, unit, what, reply, asked)
                await asyncio.sleep(dice.expovariate(12))
            bad = dice.choice(("close", "reset", "half", "nonsense", "flood"))
            faults["client: " + bad] += 1
            if bad == "half":
                writer.write(b"\0\1\0\0\0\6\1")
            elif bad == "nonsense":
                writer.write(os.urandom(40))
            elif bad == "flood":
                writer.write(struct.pack(">HHHBBHH", 9, 0, 6, dice.choice(units), 3, 0, 60) * 300)
            if bad == "reset":
                writer.transport.abort()
            await asyncio.sleep(dice.random())
        except (asyncio.IncompleteReadError, ConnectionError):
            counts["connection lost"] += 1
        except asyncio.TimeoutError:
            if not stops.since:
                violate("no reply within 20 s")
        finally:
            writer.transport.abort()


async def rtu_client(checker, units, master):
    loop = asyncio.get_running_loop()
    held, woken = bytearray(), asyncio.Event()

    def on_bytes():
        try:
            held.extend(os.read(master, 4096))
        except OSError:
            pass
        woken.set()

    loop.add_reader(master, on_bytes)
    late = False  # a reply to an earlier request may still come: RTU can't tell them apart
    while True:
        if late:
            await asyncio.sleep(1)
            late = stops.since is not None
            continue
        unit, what, pdu = choose(checker, units)
        frame = bytes([unit]) + pdu
        held.clear()
        asked = now()
        os.write(master, frame + crc16(frame))
        try:
            while len(held) < 5 or (not held[1] & 0x80 and len(held) < 5 + held[2]):
                woken.clear()
                await asyncio.wait_for(woken.wait(), 1)
            length = 5 if held[1] & 0x80 else 5 + held[2]
            reply = bytes(held[:length])
            if stops.since:
                late = True
            elif crc16(reply[:-2]) != reply[-2:] or reply[0] != unit:
                violate("unit %d: a wrong frame on the serial line: %s to %s" % (unit, held.hex(), frame.hex()))
            else:
                counts["reads by RTU"] += 1
                judge(checker, unit, what, reply[1:-2], asked)
        except asyncio.TimeoutError:
            counts["silence by RTU"] += 1  # a unit that is not there, or the daemon is stopped
            late = True
        await asyncio.sleep(dice.expovariate(10))
        if dice.random() < 0.01:
            faults["line: noise"] += 1
            os.write(master, os.urandom(dice.randrange(1, 30)))
            await asyncio.sleep(0.2)


# ---- the daemon ----

class Log:
    """What the daemon says, by a pipe that is not read, or has no reader, for a while."""

    def __init__(self):
        self.path, self.text = folder + "/log", b""
        os.mkfifo(self.path)
        self.listen()

    def listen(self):
        self.reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(self.reader, fcntl.F_SETPIPE_SZ, 4096)
        asyncio.get_running_loop().add_reader(self.reader, self.take)

    def take(self):
        try:
            self.text = (self.text + os.read(self.reader, 65536).replace(b"(filler)\n", b""))[-20000:]
        except BlockingIOError:
            pass

    def ignore(self):
        """From now on it is full, and nobody reads it."""
        asyncio.get_running_loop().remove_reader(self.reader)
        writer = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        try:
            while True:
                os.write(writer, b"(filler)\n")
        except BlockingIOError:
            os.close(writer)

    def hear(self):
        """Reads it again, if it did not."""
        if self.reader is None:
            self.listen()
        asyncio.get_running_loop().add_reader(self.reader, self.take)

    def leave(self):
        asyncio.get_running_loop().remove_reader(self.reader)
        os.close(self.reader)
        self.reader = None

    def said(self):
        self.take()
        return self.text.decode(errors="replace")


class Deck:
    """Each of some things once, in any order, and again: so that a short run has all of them."""

    def __init__(self, *things):
        self.things, self.left = things, []

    def draw(self):
        if not self.left:
            self.left = dice.sample(self.things, len(self.things))
        return self.left.pop()


class Daemon:
    troubles = Deck("reload", "wrong configuration", "hangup signal", "stopped", "no descriptors", "log not read",
                    "log without reader")

    def __init__(self, packs, clocks, air, slaves):
        self.clocks = clocks
        self.packs, self.air, self.slaves, self.variant = packs, air, slaves, 0
        self.config, self.log = folder + "/packbridge.yaml", Log()

    def write(self, wrong=False):
        """Variants differ in what a site changes: a pack more or less, an interval, a limit, a unit of the bank."""
        v = self.variant
        lines = ["control: %s/control" % folder, "status: %s/status" % folder, "http: 127.0.0.1:%d" % (self.port + 1),
                 "bluetooth: {max_connections: 8}",
                 "limits: {charge_max_a: %d}" % (50 + v), "packs:"]
        for pack in self.packs:
            if v % 3 == 1 and pack.unit in (3, 4):
                continue
            link = "tcp:127.0.0.1:%d" % pack.port if isinstance(pack, TcpPack) else "ble:" + pack.mac
            poll = 700 if v % 2 and pack.unit % 5 == 0 else int(1000 * POLL_S)
            lines.append("  - {name: p%d, link: '%s', unit: %d, poll_ms: %d, gap_ms: 20, settle_ms: 0, reply_timeout_ms: 400,"
                         " stale_after_s: %d}" % (pack.unit, link, pack.unit, poll, STALE_S))
        for pack in self.clocks:
            lines.append("  - {name: c%d, link: '%s', unit: %d, protocol: %s, poll_ms: 500, gap_ms: 20, settle_ms: %d,"
                         " reply_timeout_ms: 400, stale_after_s: %d}" % (
                             pack.unit, pack.front.link, pack.unit, pack.board.protocol, pack.unit % 2 * 300, STALE_S))
        for i in range(SIM_PACKS):
            lines.append("  - {name: s%d, link: 'sim:lfp-4s,seed=%d,lost=5,bad=2,chunk=20,silent=20+9', unit: %d, poll_ms: 500,"
                         " gap_ms: 20, settle_ms: 0, reply_timeout_ms: 400, stale_after_s: %d}" % (i, i, 100 + i, STALE_S))
        lines += ["banks:", "  - {name: bank, packs: [p1, p2, p5, p6], unit: %d}" % (200 + v % 2), "listen:",
                  "  - {tcp: '127.0.0.1:%d', max_clients: 24, frame_timeout_ms: 1000}" % self.port]
        lines += ["  - {rtu: %s, baud: 115200}" % slave for slave in self.slaves]
        if wrong:
            lines.append("nonsense: 1")
        with open(self.config + ".new", "w") as out:
            out.write("\n".join(lines) + "\n")
        os.rename(self.config + ".new", self.config)

    async def start(self, port):
        self.port = port
        self.write()
        environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.air.bus_address)
        with open(self.log.path, "wb") as log:
            self.process = await run(PROGRAM, "run", "-c", self.config, stderr=log, env=environment)
        self.pid = self.process.pid
        self.most = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)

    def pss_kib(self):
        with open("/proc/%d/smaps_rollup" % self.pid) as rollup:
            return next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.pid))

    async def reload(self, wrong):
        done = await run(PROGRAM, "reload", "-s", folder + "/control", stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
        status = await done.wait()
        if status != (1 if wrong else 0):
            counts["reload not done"] += 1  # no descriptor left, for one

    async def trouble(self):
        what = self.troubles.draw()
        faults["daemon: " + what] += 1
        if what in ("reload", "hangup signal"):
            await self.change(what == "reload")
        elif what == "wrong configuration":
            self.write(wrong=True)
            await self.reload(True)
            self.write()
        elif what == "stopped":
            stops.begin()
            os.kill(self.pid, signal.SIGSTOP)
            await asyncio.sleep(dice.uniform(0.5, LONGEST_S))
            os.kill(self.pid, signal.SIGCONT)
            stops.end()
        elif what == "no descriptors":
            before = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (self.descriptors() + 1, before[1]))
            await asyncio.gather(asyncio.sleep(dice.uniform(1, LONGEST_S)), *(self.knock(4) for _ in range(4)))
            resource.prlimit(self.pid, resource.RLIMIT_NOFILE, before)
        elif what == "log not read":
            self.log.ignore()
            await asyncio.gather(asyncio.sleep(dice.uniform(1, LONGEST_S)), self.change(True))
            self.log.hear()
        elif what == "log without reader":
            self.log.leave()
            await asyncio.gather(asyncio.sleep(dice.uniform(1, LONGEST_S)), self.change(True))
            self.log.hear()

    async def change(self, by_command):
        self.variant += 1
        self.write()
        if by_command:
            await self.reload(False)
        else:
            os.kill(self.pid, signal.SIGHUP)

    async def knock(self, seconds):
        """At the status socket and at the page, again and again; sometimes nothing is asked or the answer is left."""
        until = now() + seconds
        while now() < until:
            page = dice.random() < 0.5
            writer = None
            try:
                reader, writer = await (asyncio.open_connection("127.0.0.1", self.port + 1) if page else
                                        asyncio.open_unix_connection(folder + "/status"))
                writer.write(b"GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n" % dice.choice(
                    (b"/metrics", b"/status.json", b"/registers.json?unit=1", b"/")) if page else
                             dice.choice((b"status\n", b"metrics\n")))
                if dice.random() < 0.8:
                    await asyncio.wait_for(reader.read(), 3)
                    counts["answers of the page" if page else "answers of the status socket"] += 1
            except (OSError, asyncio.TimeoutError):
                counts["knocks without an answer"] += 1
                await asyncio.sleep(0.05)
            finally:
                if writer:
                    writer.transport.abort()


class Outside:
    """What the world does to the daemon."""

    troubles = Deck("floods from two packs", "crowd at status and page", "forged readings", "forged disconnections",
                    "forged end of bluetoothd")

    def __init__(self, daemon, packs, ble):
        self.daemon, self.packs, self.ble = daemon, packs, ble

    def forge(self, forger, what):
        for pack in self.ble:
            device = "/org/bluez/hci0/dev_" + pack.mac.replace(":", "_")
            if what == "forged disconnections":
                dice.choice((forger.disconnected, forger.removed))(device)
                continue
            frame = jbd(3, basic(values(pack.p, FORGED)))
            for service in range(0x0E, 0x0E + 6 * 8, 6):  # it may have moved
                forger.value("%s/service%04x/char%04x" % (device, service, service + 1), frame)
        if what == "forged disconnections":
            forger.powered_off("/org/bluez/hci0")
        if what == "forged end of bluetoothd":
            forger.gone()

    async def trouble(self):
        what = self.troubles.draw()
        faults["outside: " + what] += 1
        seconds = dice.uniform(1, LONGEST_S / 2)
        if what == "floods from two packs":
            for pack in dice.sample(self.packs, 2):
                pack.mode = "mute"
                pack.flood(seconds)
                asyncio.get_running_loop().call_later(seconds, setattr, pack, "mode", "good")
            await asyncio.sleep(seconds)
        elif what == "crowd at status and page":
            await asyncio.gather(*(self.daemon.knock(seconds) for _ in range(24)))
        else:
            forger = Forger(folder + "/bus", self.daemon.pid)
            until = now() + seconds
            while forger.victim and now() < until:
                self.forge(forger, what)
                counts["forgeries"] += 1
                await asyncio.sleep(0.01 if what == "forged readings" else seconds)
            forger.close()


async def pack_troubles(packs, air):
    while True:
        await asyncio.sleep(dice.expovariate(2))
        pack = dice.choice(packs)
        if isinstance(pack, ClockPack):
            faults["line: " + pack.suffer()] += 1
        elif isinstance(pack, TcpPack):
            mode = dice.choice(("mute", "bad", "garbage", "half", "pieces", "refuse", "hangs up"))
            faults["tcp pack: " + mode] += 1
            if mode in ("refuse", "hangs up"):
                pack.hang_up()
            if mode != "hangs up":
                pack.mode = mode
                asyncio.get_running_loop().call_later(dice.uniform(1, 12), setattr, pack, "mode", "good")
        else:
            what = dice.choice(("drop", "half", "eof", "moved", "mute", "out", "phone", "fail"))
            faults["ble pack: " + what] += 1
            if what in ("mute", "phone"):
                air.say("%s %s on" % (what, pack.mac))
                asyncio.get_running_loop().call_later(dice.uniform(1, 8), air.say, "%s %s off" % (what, pack.mac))
            elif what == "out":
                air.say("out " + pack.mac)
                asyncio.get_running_loop().call_later(dice.uniform(1, 8), air.say, "in " + pack.mac)
            else:
                air.say("%s %s%s" % (what, pack.mac, " 1" if what == "fail" else ""))


async def troubles_of(whom):
    while True:
        await asyncio.sleep(dice.uniform(0.5, PAUSE_S))
        await whom.trouble()


async def all_good(units, seconds):
    """How long until every pack has a good reading again, once the faults are over."""
    start = now()
    while now() - start < seconds:
        done = await run(PROGRAM, "status", "--json", "-s", folder + "/status", stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL)
        text, _ = await done.communicate()
        try:
            packs = [p for p in json.loads(text)["packs"] if p["unit"] in units]
            if packs and all(p["quality"] == "good" for p in packs):
                return now() - start
        except ValueError:
            pass
        await asyncio.sleep(0.2)
    return None


async def end_all(tasks):
    """wait_for() may swallow a cancellation (Python before 3.12), so it is repeated."""
    while tasks:
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=1)


async def main():
    packs = [TcpPack(p, p) for p in range(1, TCP_PACKS + 1)]
    ble = [BlePack(p, p) for p in range(TCP_PACKS + 1, TCP_PACKS + BLE_PACKS + 1)]
    clocks = [ClockPack(unit, board) for unit, board in enumerate(
        (Jk(500), Jk(200), Jk(500), Jbd(), Jbd(), D2(), P81(), A5()), 61)]
    for pack in packs:
        await pack.start()
    for pack in clocks:
        await pack.front.start()
    air = Air(FAKE, folder)
    await air.start()
    for pack in ble:
        air.add(pack, "counting=%d" % pack.p)
    lines = []
    for _ in range(RTU_LINES):
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        lines.append((master, os.ttyname(slave), slave))
    checker = Checker(packs + ble, range(100, 100 + SIM_PACKS), clocks)
    last = max(row["address"] + row["words"] for (field, _), row in checker.rows.items()
               if field in ("sequence", "age_s", "quality", "voltage_mv", "current_ma", "remaining_mah", "cycles", "soc_permille"))
    checker.width = last
    units = [pack.unit for pack in packs + ble + clocks] + list(checker.sims)
    daemon = Daemon(packs + ble, clocks, air, [name for _, name, _ in lines])
    await daemon.start(12000 + 2 * (os.getpid() % 10000))  # and the next: below those that the kernel chooses
    settled = await all_good(units, 60)
    if settled is None:
        sys.exit("FAILED: not all packs came up: " + daemon.log.said()[-2000:])
    tasks = [asyncio.create_task(tcp_client(checker, units, daemon.port)) for _ in range(TCP_CLIENTS)]
    tasks += [asyncio.create_task(rtu_client(checker, units, master)) for master, _, _ in lines]
    await asyncio.sleep(min(20, MINUTES * 10))
    first = daemon.pss_kib(), daemon.descriptors()
    troubles = [asyncio.create_task(pack_troubles(packs + ble + clocks + clocks, air)),
                asyncio.create_task(troubles_of(daemon)), asyncio.create_task(troubles_of(Outside(daemon, packs, ble)))]
    end = now() + 60 * MINUTES
    while now() < end:
        await asyncio.sleep(min(60, max(0.1, end - now())))
        if daemon.process.returncode is not None:
            sys.exit("FAILED: the daemon ended with %d: %s\n%s" % (
                daemon.process.returncode, daemon.log.said()[-2000:], faults))
        print("%4.1f min: %d reads, %d faults, %d violations, %d KiB, %d descriptors" % (
            (now() - begun) / 60, counts["reads"] + counts["reads by RTU"], sum(faults.values()), len(violations),
            daemon.pss_kib(), daemon.descriptors()), flush=True)
        for task in tasks + troubles:
            if task.done() and task.exception():
                raise task.exception()
    await end_all(troubles)
    os.kill(daemon.pid, signal.SIGCONT)
    if stops.since:
        stops.end()
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, daemon.most)
    daemon.log.hear()
    for pack in packs:
        pack.mode = "good"
    for pack in clocks:
        pack.health()
    for pack in ble:
        for line in ("mute %s off", "phone %s off", "in %s"):
            air.say(line % pack.mac)
    daemon.variant = 0
    daemon.write()
    await daemon.reload(False)
    back = await all_good(units, 90)
    if back is None:
        violate("not all packs came back within 90 s after the last fault")
    before = counts["good"]
    await asyncio.sleep(CALM_S)
    calm = counts["good"] - before
    last_size = daemon.pss_kib(), daemon.descriptors()
    await end_all(tasks)
    daemon.process.terminate()
    status = await asyncio.wait_for(daemon.process.wait(), 10)
    if status != 0:
        violate("the daemon ended with %d" % status)
    await air.stop()
    print("\n%d packs (%d tcp, %d sim, %d ble, %d with a clock), %d clients (%d TCP, %d RTU), %.1f min, seed %d" % (
        len(units), TCP_PACKS, SIM_PACKS, BLE_PACKS, len(clocks), TCP_CLIENTS + RTU_LINES, TCP_CLIENTS, RTU_LINES, MINUTES, SEED))
    print("operations: " + ", ".join("%s %d" % pair for pair in sorted(counts.items())))
    print("faults: %d; " % sum(faults.values()) + ", ".join("%s %d" % pair for pair in sorted(faults.items())))
    print("all packs back %s after the last fault; %d good reads in %d s of calm" % (
        "never" if back is None else "%.1f s" % back, calm, CALM_S))
    answers.sort()
    print("a Modbus client has waited %.1f ms, 99 %% of them no longer than %.0f ms, the longest %.0f ms" % tuple(
        1000 * answers[min(len(answers) - 1, int(len(answers) * part))] for part in (0.5, 0.99, 1)))
    print("PSS %d -> %d KiB, descriptors %d -> %d" % (first[0], last_size[0], first[1], last_size[1]))
    print("violations: %d" % len(violations))
    for line in violations[:20]:
        print("  " + line)
    shutil.rmtree(folder)
    return 1 if violations else 0


begun = now()
sys.exit(asyncio.run(main()))
