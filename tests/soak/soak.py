# SPDX-License-Identifier: MIT
"""The daemon among faults, and an independent checker: soak.py PROGRAM FAKE_BLUEZ MINUTES SEED

Packs count their readings: every value of reading n of pack p follows from n and p, and when n was sent is
written down. So whatever a client reads tells which reading it came from, whether two readings were mixed, and
how old it really was. What is shown as good must be younger than the pack's stale_after_s at the moment the
request went out."""
import asyncio
import collections
import functools
import json
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
import tty

PROGRAM, FAKE, MINUTES, SEED = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
TCP_PACKS, SIM_PACKS, BLE_PACKS = 30, 5, 5
TCP_CLIENTS, RTU_LINES = 18, 2
POLL_S, STALE_S = 0.5, 3
SLACK_S = 0.3  # from our clock at sending to the daemon's at asking: it asked before
dice = random.Random(SEED)
folder = tempfile.mkdtemp(prefix="packbridge-soak-")
counts, faults, violations = collections.Counter(), collections.Counter(), []
stopped = False  # the daemon is, by SIGSTOP
# they end with us, however we do
run = functools.partial(asyncio.create_subprocess_exec, "setpriv", "--pdeathsig", "KILL")


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
            return jbd(3, struct.pack(
                ">HhHHHHHHHBBBBBHH", v["voltage_mv"] // 10, v["current_ma"] // 10, v["remaining_mah"] // 10, 10000,
                v["cycles"], 0x2A6F, 0, 0, 0, 0x10, v["soc_permille"] // 10, 3, 4, 2, 2981, 2990))
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


class BlePack(Pack):
    def __init__(self, p, unit):
        super().__init__(p, unit)
        self.mac = "A4:C1:38:00:00:%02X" % p


class Air:
    """fake_bluez on a bus of its own."""

    def __init__(self, packs):
        self.packs = {pack.mac: pack for pack in packs}
        self.bus_address = "unix:path=%s/bus" % folder

    async def start(self):
        config = folder + "/bus.conf"
        with open(config, "w") as out:
            out.write("<busconfig><type>system</type><listen>%s</listen><auth>EXTERNAL</auth><policy context='default'>"
                      "<allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/><allow own='*'/>"
                      "<allow user='*'/></policy></busconfig>" % self.bus_address)
        self.bus = await run("dbus-daemon", "--config-file", config, "--nofork", "--nopidfile", "--print-address",
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        await self.bus.stdout.readline()
        environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.bus_address)
        self.fake = await run(FAKE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        assert (await self.fake.stdout.readline()).strip() == b"ready"
        self.listener = asyncio.create_task(self.listen())
        self.say("adapter hci0 00:11:22:33:44:55")
        for pack in self.packs.values():
            self.say("pack %s JBD-%d lfp-4s counting=%d" % (pack.mac, pack.p, pack.p))

    def say(self, line):
        self.fake.stdin.write(line.encode() + b"\n")

    async def listen(self):
        while True:
            line = (await self.fake.stdout.readline()).decode().split()
            if not line:
                return
            if line[0] == "told":
                self.packs[line[1]].tell(int(line[2]), int(line[3]) / 1000)
            elif line[0] == "error":
                sys.exit("fake_bluez: " + " ".join(line))

    async def stop(self):
        self.fake.stdin.write(b"quit\n")
        await self.fake.wait()
        self.bus.terminate()
        await self.bus.wait()


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
    def __init__(self, packs, sims):
        self.rows = load_map()
        self.packs = {pack.unit: pack for pack in packs}
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

    def refused(self, unit, code):
        counts["exception %02X" % code] += 1
        if code not in (0x0A, 0x0B):
            violate("unit %d: exception %02X" % (unit, code))


def crc16(data):
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return struct.pack("<H", crc)


def judge(checker, unit, what, pdu, asked):
    if pdu[0] & 0x80:
        checker.refused(unit, pdu[1])
        return
    words = struct.unpack(">%dH" % (pdu[1] // 2), pdu[2:2 + pdu[1]])
    if what == "data":
        checker.data(unit, words, asked)
    elif what == "cells":
        checker.cells(unit, words, asked)
    else:
        counts["status"] += 1


def choose(checker, units):
    unit = dice.choice(units)
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
                asked = now()
                writer.write(struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu)
                head = await asyncio.wait_for(reader.readexactly(7), 20)
                reply = await reader.readexactly(struct.unpack(">H", head[4:6])[0] - 1)
                counts["reads"] += 1
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
            if not stopped:
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
            late = stopped
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
            if stopped:
                late = True
            elif crc16(reply[:-2]) != reply[-2:] or reply[0] != unit:
                violate("unit %d: a wrong frame on the serial line" % unit)
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

class Daemon:
    def __init__(self, packs, air, slaves):
        self.packs, self.air, self.slaves, self.variant = packs, air, slaves, 0
        self.config, self.log = folder + "/packbridge.yaml", folder + "/log"

    def write(self, wrong=False):
        """Variants differ in what a site changes: a pack more or less, an interval, a limit, a unit of the bank."""
        v = self.variant
        lines = ["control: %s/control" % folder, "status: %s/status" % folder,
                 "limits: {charge_max_a: %d}" % (50 + v), "packs:"]
        for pack in self.packs:
            if v % 3 == 1 and pack.unit in (3, 4):
                continue
            link = "tcp:127.0.0.1:%d" % pack.port if isinstance(pack, TcpPack) else "ble:" + pack.mac
            poll = 700 if v % 2 and pack.unit % 5 == 0 else int(1000 * POLL_S)
            lines.append("  - {name: p%d, link: '%s', unit: %d, poll_ms: %d, gap_ms: 20, settle_ms: 0, reply_timeout_ms: 400,"
                         " stale_after_s: %d}" % (pack.unit, link, pack.unit, poll, STALE_S))
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
        with open(self.log, "wb") as log:
            self.process = await run(PROGRAM, "run", "-c", self.config, stderr=log, env=environment)
        self.pid = self.process.pid

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
        global stopped
        what = dice.choice(("reload", "reload", "wrong configuration", "hangup signal", "stopped", "no descriptors", "full disk"))
        faults["daemon: " + what] += 1
        if what in ("reload", "hangup signal"):
            self.variant += 1
            self.write()
            if what == "reload":
                await self.reload(False)
            else:
                os.kill(self.pid, signal.SIGHUP)
        elif what == "wrong configuration":
            self.write(wrong=True)
            await self.reload(True)
            self.write()
        elif what == "stopped":
            stopped = True
            os.kill(self.pid, signal.SIGSTOP)
            await asyncio.sleep(dice.uniform(0.5, 8))
            os.kill(self.pid, signal.SIGCONT)
            stopped = False
        elif what == "no descriptors":
            before = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (self.descriptors() + 1, before[1]))
            await asyncio.sleep(dice.uniform(1, 6))
            resource.prlimit(self.pid, resource.RLIMIT_NOFILE, before)
        elif what == "full disk":  # the log can't grow
            before = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (max(os.path.getsize(self.log), 1), before[1]))
            await asyncio.sleep(dice.uniform(1, 10))
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, before)


async def pack_troubles(packs, air):
    while True:
        await asyncio.sleep(dice.expovariate(2))
        pack = dice.choice(packs)
        if isinstance(pack, TcpPack):
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


async def daemon_troubles(daemon):
    while True:
        await asyncio.sleep(dice.uniform(4, 16))
        await daemon.trouble()


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


async def main():
    packs = [TcpPack(p, p) for p in range(1, TCP_PACKS + 1)]
    ble = [BlePack(p, p) for p in range(TCP_PACKS + 1, TCP_PACKS + BLE_PACKS + 1)]
    for pack in packs:
        await pack.start()
    air = Air(ble)
    await air.start()
    lines = []
    for _ in range(RTU_LINES):
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        lines.append((master, os.ttyname(slave), slave))
    checker = Checker(packs + ble, range(100, 100 + SIM_PACKS))
    last = max(row["address"] + row["words"] for (field, _), row in checker.rows.items()
               if field in ("sequence", "age_s", "quality", "voltage_mv", "current_ma", "remaining_mah", "cycles", "soc_permille"))
    checker.width = last
    units = [pack.unit for pack in packs + ble] + list(checker.sims)
    daemon = Daemon(packs + ble, air, [name for _, name, _ in lines])
    await daemon.start(20000 + os.getpid() % 20000)
    settled = await all_good(units, 60)
    if settled is None:
        sys.exit("FAILED: not all packs came up: " + open(daemon.log).read()[-2000:])
    tasks = [asyncio.create_task(tcp_client(checker, units, daemon.port)) for _ in range(TCP_CLIENTS)]
    tasks += [asyncio.create_task(rtu_client(checker, units, master)) for master, _, _ in lines]
    await asyncio.sleep(min(20, MINUTES * 10))
    first = daemon.pss_kib(), daemon.descriptors()
    troubles = [asyncio.create_task(pack_troubles(packs + ble, air)), asyncio.create_task(daemon_troubles(daemon))]
    end = now() + 60 * MINUTES
    while now() < end:
        await asyncio.sleep(min(60, max(0.1, end - now())))
        if daemon.process.returncode is not None:
            sys.exit("FAILED: the daemon ended with %d: %s\n%s" % (
                daemon.process.returncode, open(daemon.log).read()[-2000:], faults))
        print("%4.1f min: %d reads, %d faults, %d violations, %d KiB, %d descriptors" % (
            (now() - begun) / 60, counts["reads"] + counts["reads by RTU"], sum(faults.values()), len(violations),
            daemon.pss_kib(), daemon.descriptors()), flush=True)
        for task in tasks + troubles:
            if task.done() and task.exception():
                raise task.exception()
    for task in troubles:
        task.cancel()
    await asyncio.gather(*troubles, return_exceptions=True)
    os.kill(daemon.pid, signal.SIGCONT)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (1024, 4096))
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for pack in packs:
        pack.mode = "good"
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
    await asyncio.sleep(10)
    calm = counts["good"] - before
    last_size = daemon.pss_kib(), daemon.descriptors()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    daemon.process.terminate()
    status = await asyncio.wait_for(daemon.process.wait(), 10)
    if status != 0:
        violate("the daemon ended with %d" % status)
    await air.stop()
    print("\n%d packs (%d tcp, %d sim, %d ble), %d clients (%d TCP, %d RTU), %.1f min, seed %d" % (
        len(units), TCP_PACKS, SIM_PACKS, BLE_PACKS, TCP_CLIENTS + RTU_LINES, TCP_CLIENTS, RTU_LINES, MINUTES, SEED))
    print("operations: " + ", ".join("%s %d" % pair for pair in sorted(counts.items())))
    print("faults: %d; " % sum(faults.values()) + ", ".join("%s %d" % pair for pair in sorted(faults.items())))
    print("all packs back %s after the last fault; %d good reads in 10 s of calm" % (
        "never" if back is None else "%.1f s" % back, calm))
    print("PSS %d -> %d KiB, descriptors %d -> %d" % (first[0], last_size[0], first[1], last_size[1]))
    print("violations: %d" % len(violations))
    for line in violations[:20]:
        print("  " + line)
    return 1 if violations else 0


begun = now()
sys.exit(asyncio.run(main()))
