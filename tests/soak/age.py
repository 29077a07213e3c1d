# SPDX-License-Identifier: MIT
"""Is the age honest? The daemon, and boards whose values are the time at which they were measured, behind lines
of every kind: age.py PROGRAM FAKE_BLUEZ MINUTES [SEED [ONLY]]

One request reads quality, age and the values of a unit. Of each reply with a good reading:

 * the oldest value in it is not older than the age that is shown, plus the second that a whole number hides
 * the oldest value in it is younger than stale_after_s

at the moment before the request went out. A line on which fresh values can come must have them: a share of its
replies is good. docs/reliability.md has what was seen."""
import asyncio
import collections
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile

from air import Air, run
from clock import A5, BLOCK, D2, P81, STALE_AFTER, Jbd, Jk, look, now_ms
from lines import Ble, Line, Serial, Tcp

PROGRAM, FAKE, MINUTES = sys.argv[1], sys.argv[2], float(sys.argv[3])
SEED = int(sys.argv[4]) if len(sys.argv) > 4 else 1
ONLY = sys.argv[5] if len(sys.argv) > 5 else ""
SETTLE_S = 8      # from the start to the first reply that counts
PAUSE_S = 0.06    # between two looks at all units
CLOCK_MS = 5      # clocks are whole milliseconds: ours, the board's, the daemon's
HEALTHY = 0.8     # a line without faults: the least share of good replies
dice = random.Random(SEED)
folder = tempfile.mkdtemp(prefix="packbridge-age-")
violations, kinds = [], set()


def violate(what):
    violations.append(what)
    kind = re.sub(r"[0-9.]+ s", "", what)
    if kind not in kinds:  # the first of each kind
        kinds.add(kind)
        print("VIOLATION " + what, flush=True)


# ---- the lines ----

def fast(stale_s=5):
    return "poll_ms: 1000, gap_ms: 20, stale_after_s: %d" % stale_s


DEFAULTS = ""
PATIENT = ", reply_timeout_ms: 3000"


def breaks(line, longest_ms=8000):
    if line.connected:
        line.break_for_ms = dice.randrange(100, dice.choice((1500, longest_ms)))


def short_breaks(line):
    breaks(line, 1600)


def long_breaks(line):
    breaks(line, 25000)


def stalls(line):
    line.stalled_until = now_ms() + dice.randrange(500, 6000)


def drifts(line):
    line.down_ms = dice.choice((0, 20, 300, 900, 2000, 6000, 12000))


def rows():
    """(what, kind of link, board, line, settings, fault, least share of good replies). A share of 0: it may well be
    that nothing fresh ever comes."""
    yield "JK 2/s, 340 B/s", Tcp, Jk(500), dict(rate=340), fast(), None, 0
    yield "JK 2/s, 480 B/s", Tcp, Jk(500), dict(rate=480), fast(), None, 0
    yield "JK 2/s, 480 B/s, starts anew", Tcp, Jk(500, True), dict(rate=480), fast(), None, 0
    yield "JK 2/s, 480 B/s, room for 8 s", Tcp, Jk(500), dict(rate=480, room=3900), fast(15), None, 0
    yield "JK 2/s, 960 B/s", Tcp, Jk(500), dict(rate=960), fast(), None, HEALTHY
    yield "JK 2/s, 960 B/s, starts anew", Tcp, Jk(500, True), dict(rate=960), fast(), None, HEALTHY
    yield "JK 2/s", Tcp, Jk(500), dict(), fast(), None, HEALTHY
    yield "JK 2/s, stale after 3 s", Tcp, Jk(500), dict(), fast(3), None, HEALTHY
    yield "JK 5/s, 340 B/s", Tcp, Jk(200), dict(rate=340), fast(), None, 0
    yield "JK 5/s, 480 B/s", Tcp, Jk(200), dict(rate=480), fast(), None, 0
    yield "JK 5/s, 960 B/s", Tcp, Jk(200), dict(rate=960), fast(), None, 0
    yield "JK 5/s, 960 B/s, stale after 15 s", Tcp, Jk(200), dict(rate=960), fast(15), None, 0
    yield "JK 5/s", Tcp, Jk(200), dict(), fast(), None, HEALTHY
    yield "JK 2/s, 340 B/s", Tcp, Jk(500), dict(rate=340), DEFAULTS, None, 0
    yield "JK 5/s, 960 B/s", Tcp, Jk(200), dict(rate=960), DEFAULTS, None, 0
    yield "JK 2/s", Tcp, Jk(500), dict(), DEFAULTS, None, HEALTHY
    yield "JK 2/s, stalls", Tcp, Jk(500), dict(), fast(), stalls, 0.1
    yield "JK 2/s, loses a tenth", Tcp, Jk(500), dict(lose=0.1), fast(), None, 0.5
    yield "JK 2/s, 0.8 s late", Tcp, Jk(500), dict(down_ms=800), fast(), None, 0.5
    yield "JK 2/s, 0 to 12 s late", Tcp, Jk(500), dict(), fast(15), drifts, 0
    yield "JK 2/s, breaks, keeps", Tcp, Jk(500), dict(keeps=True), fast(), breaks, 0.1
    yield "JK 2/s, 960 B/s, breaks, keeps", Tcp, Jk(500), dict(keeps=True, rate=960), fast(), breaks, 0

    yield "JBD", Tcp, Jbd(), dict(), fast(), None, HEALTHY
    yield "JBD", Tcp, Jbd(), dict(), DEFAULTS, None, HEALTHY
    yield "JBD, 150 B/s", Tcp, Jbd(), dict(rate=150), fast(), None, HEALTHY
    yield "JBD, 25 B/s", Tcp, Jbd(), dict(rate=25), fast(), None, 0
    yield "JBD, loses a tenth", Tcp, Jbd(), dict(lose=0.1), fast(), None, 0.5
    yield "JBD, loses a third", Tcp, Jbd(), dict(lose=0.3), fast(), None, 0
    yield "JBD, stalls", Tcp, Jbd(), dict(), fast(), stalls, 0.1
    yield "JBD, 0.7 s late", Tcp, Jbd(), dict(down_ms=700), fast(), None, 0.5
    yield "JBD, 6 s late", Tcp, Jbd(), dict(down_ms=6000), fast(), None, 0
    yield "JBD, 12 s late", Tcp, Jbd(), dict(down_ms=12000), fast(15), None, 0
    yield "JBD, 12 s late there", Tcp, Jbd(), dict(up_ms=12000), fast(15), None, 0
    yield "JBD, 12 s late, loses", Tcp, Jbd(), dict(down_ms=12000, lose=0.1), fast(15), None, 0
    yield "JBD, 12 s late, waits 3 s", Tcp, Jbd(), dict(down_ms=12000), fast(30) + PATIENT, None, 0
    yield "JBD, 12 s late, keeps", Tcp, Jbd(), dict(down_ms=12000, keeps=True), fast(15), None, 0
    yield "JBD, 0 to 12 s late", Tcp, Jbd(), dict(), fast(), drifts, 0
    yield "JBD, 0 to 12 s late, waits 3 s, loses", Tcp, Jbd(), dict(lose=0.05), fast(15) + PATIENT, drifts, 0
    yield "JBD, breaks", Tcp, Jbd(), dict(), fast(), breaks, 0.1
    yield "JBD, breaks, keeps", Tcp, Jbd(), dict(keeps=True), fast(), breaks, 0.1
    yield "JBD, breaks, keeps, settle 0", Tcp, Jbd(), dict(keeps=True), fast() + ", settle_ms: 0", breaks, 0.1
    yield "JBD, breaks, keeps, 0.4 s late", Tcp, Jbd(), dict(keeps=True, down_ms=400), DEFAULTS, long_breaks, 0

    yield "Daly D2", Tcp, D2(), dict(), fast(), None, HEALTHY
    yield "Daly D2, loses a tenth", Tcp, D2(), dict(lose=0.1), fast(), None, 0.5
    yield "Daly D2, breaks, keeps", Tcp, D2(), dict(keeps=True), fast() + ", settle_ms: 0", breaks, 0.1
    yield "Daly D2, stalls", Tcp, D2(), dict(), fast(), stalls, 0.1
    yield "Daly D2, 0 to 12 s late, waits 3 s", Tcp, D2(), dict(), fast(15) + PATIENT, drifts, 0
    yield "Daly P81", Tcp, P81(), dict(), fast(), None, HEALTHY
    yield "Daly P81, breaks, keeps", Tcp, P81(), dict(keeps=True), fast() + ", settle_ms: 0", breaks, 0.1
    yield "Daly A5", Tcp, A5(), dict(), fast(), None, HEALTHY
    yield "Daly A5, loses a tenth", Tcp, A5(), dict(lose=0.1), fast(), None, 0.1
    yield "Daly A5, breaks, keeps", Tcp, A5(), dict(keeps=True), fast() + ", settle_ms: 0", breaks, 0.1
    yield "Daly A5, stalls", Tcp, A5(), dict(), fast(), stalls, 0.1
    yield "Daly A5, 0 to 12 s late, waits 3 s", Tcp, A5(), dict(), fast(15) + PATIENT, drifts, 0

    yield "JK 2/s, 960 B/s", Serial, Jk(500), dict(rate=960), DEFAULTS, None, HEALTHY
    yield "JK 5/s, 960 B/s", Serial, Jk(200), dict(rate=960), DEFAULTS, None, 0
    yield "JK 2/s, 480 B/s", Serial, Jk(500), dict(rate=480), fast(), None, 0
    yield "JBD, 960 B/s", Serial, Jbd(), dict(rate=960), fast(), None, HEALTHY
    yield "JBD, plugged out, keeps", Serial, Jbd(), dict(keeps=True), fast() + ", settle_ms: 0", short_breaks, 0.1
    yield "Daly A5, 960 B/s", Serial, A5(), dict(rate=960), fast(), None, HEALTHY

    yield "JK 2/s", Ble, Jk(500), dict(), fast(), None, HEALTHY
    yield "JK 2/s, 480 B/s", Ble, Jk(500), dict(rate=480), fast(), None, 0
    yield "JBD", Ble, Jbd(), dict(), fast(), None, HEALTHY
    yield "JBD, breaks, keeps", Ble, Jbd(), dict(keeps=True), fast() + ", settle_ms: 0", breaks, 0.1
    yield "Daly A5", Ble, A5(), dict(), fast(), None, HEALTHY
    yield "Daly D2, breaks, keeps", Ble, D2(), dict(keeps=True), fast() + ", settle_ms: 0", breaks, 0.1


def stopped_rows():
    """Of the daemon that is stopped for seconds, again and again."""
    yield "JK 2/s", Tcp, Jk(500), dict(), fast(), None, 0.2
    yield "JK 5/s", Tcp, Jk(200), dict(), fast(), None, 0.2
    yield "JK 2/s, 960 B/s", Tcp, Jk(500), dict(rate=960), fast(15), None, 0.2
    yield "JK 2/s, 480 B/s", Tcp, Jk(500), dict(rate=480), fast(), None, 0
    yield "JBD", Tcp, Jbd(), dict(), fast(), None, 0.2
    yield "JBD, 0.7 s late", Tcp, Jbd(), dict(down_ms=700), fast(), None, 0.1
    yield "JBD, breaks, keeps", Tcp, Jbd(), dict(keeps=True), fast(), breaks, 0
    yield "Daly D2", Tcp, D2(), dict(), fast(), None, 0.2
    yield "Daly A5", Tcp, A5(), dict(), fast(), None, 0.2
    yield "JK 2/s", Serial, Jk(500), dict(), fast(), None, 0.2


class Row:
    def __init__(self, unit, what, kind, board, line, settings, fault, least, air):
        self.unit, self.what, self.board, self.settings, self.fault, self.least = (
            unit, what, board, settings, fault, least)
        self.line = Line(board, dice, **line)
        self.kind = kind.__name__.lower()
        if kind is Ble:
            mac = "A4:C1:38:00:01:%02X" % unit
            self.front = Ble(self.line, mac, air)
            air.add(self.front, "outside=y" + {"jk": " service=ffe0 manufacturer=j", "daly": " service=fff0 manufacturer=d",
                                               "jbd": ""}[board.protocol])
        elif kind is Serial:
            self.front = Serial(self.line, "%s/tty%d" % (folder, unit))
        else:
            self.front = Tcp(self.line)
        self.stale_s = int(re.search(r"stale_after_s: (\d+)", settings).group(1)) if settings else None
        self.replies, self.good, self.ages, self.faults = 0, 0, [], collections.Counter()

    def config(self):
        return "  - {name: p%d, link: '%s', unit: %d, protocol: %s%s}" % (
            self.unit, self.front.link, self.unit, self.board.protocol, ", " + self.settings if self.settings else "")

    async def suffer(self):
        while self.fault:
            await asyncio.sleep(dice.uniform(5, 15))
            self.fault(self.line)

    def name(self):
        return "unit %d (%s, %s)" % (self.unit, self.kind, self.what)

    def judge(self, pdu, asked_ms):
        self.replies += 1
        if pdu[0] & 0x80:
            if pdu[1] != 0x0B:
                self.faults["other"] += 1
                violate("%s: exception %02X" % (self.name(), pdu[1]))
            return
        self.good += 1
        words = struct.unpack(">%dH" % BLOCK, pdu[2:])
        if self.stale_s and words[STALE_AFTER] != self.stale_s:
            violate("%s: stale_after_s %d, configured is %d" % (self.name(), words[STALE_AFTER], self.stale_s))
        real_ms, faults = look(self.board, words, asked_ms, CLOCK_MS)
        for kind, what in faults:
            self.faults[kind] += 1
            violate("%s: %s" % (self.name(), what))
        if real_ms is not None:
            self.ages.append(real_ms)

    def line_of_table(self):
        ages = sorted(self.ages) or [0]
        share = self.good / self.replies if self.replies else 0
        if share < self.least or self.replies == 0:
            violate("%s: live for %.0f %% of the time, expected %.0f %%" % (self.name(), 100 * share, 100 * self.least))
        return "| %s | %s | %s | %d | %d | %.0f | %.1f / %.1f / %.1f | %d | %d | %d |" % (
            self.kind, self.what, "%d s" % self.stale_s if self.stale_s else "default", self.replies, self.good,
            100 * share, ages[len(ages) // 2] / 1000, ages[len(ages) * 95 // 100] / 1000, ages[-1] / 1000,
            self.faults["young"], self.faults["old"], self.faults["rarely"])


# ---- the daemon, and who reads it ----

class Daemon:
    def __init__(self, name, rows, air, stops):
        self.name, self.rows, self.air, self.stops = name, rows, air, stops
        self.running = asyncio.Event()
        self.running.set()
        self.slowest_ms = 0

    async def start(self):
        base = "%s/%s" % (folder, self.name)
        with open(base + ".yaml", "w") as out:
            out.write("\n".join(["control: %s.control" % base, "status: %s.status" % base,
                                 "bluetooth: {max_connections: 8}", "packs:"] +
                                [row.config() for row in self.rows] + ["listen: [{tcp: '127.0.0.1:0'}]", ""]))
        self.log = base + ".log"
        environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.air.bus_address)
        with open(self.log, "wb") as log:
            self.process = await run(PROGRAM, "run", "-c", base + ".yaml", stderr=log, env=environment)
        for _ in range(1000):
            found = re.search(r"port (\d+)\n", open(self.log).read())
            if found or self.process.returncode is not None:
                break
            await asyncio.sleep(0.01)
        if not found:
            sys.exit("FAILED: no listener: " + open(self.log).read()[-2000:])
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", int(found.group(1)))

    async def look(self, counts):
        """All units at once; the time before the request is before the daemon's time of each answer."""
        asked_ms = now_ms()
        self.writer.write(b"".join(struct.pack(">HHHBBHH", row.unit, 0, 6, row.unit, 3, 0, BLOCK) for row in self.rows))
        for row in self.rows:
            head = await self.reader.readexactly(7)
            pdu = await self.reader.readexactly(struct.unpack(">H", head[4:6])[0] - 1)
            if counts:
                row.judge(pdu, asked_ms)
        return now_ms() - asked_ms

    async def read(self, until_ms):
        settled_ms = now_ms() + 1000 * SETTLE_S
        while now_ms() < until_ms:
            await self.running.wait()
            took_ms = await asyncio.wait_for(self.look(now_ms() > settled_ms), 20)
            if self.running.is_set() and not self.stops:
                self.slowest_ms = max(self.slowest_ms, took_ms)
            await asyncio.sleep(dice.uniform(0, 2 * PAUSE_S))

    async def be_stopped(self):
        while self.stops:
            await asyncio.sleep(dice.uniform(3, 10))
            self.running.clear()
            os.kill(self.process.pid, signal.SIGSTOP)
            await asyncio.sleep(dice.uniform(0.5, 7))
            self.running.set()  # so that the first request meets what has waited meanwhile
            os.kill(self.process.pid, signal.SIGCONT)

    async def end(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        if await asyncio.wait_for(self.process.wait(), 10) != 0:
            violate("the daemon ended with %d: %s" % (self.process.returncode, open(self.log).read()[-1000:]))


async def main():
    air = Air(FAKE, folder)
    await air.start()
    all_rows = [Row(unit, *row, air) for unit, row in enumerate(rows(), 1)]
    stopped = [Row(unit, *row, air) for unit, row in enumerate(stopped_rows(), 101)]
    all_rows, stopped = ([row for row in some if re.search(ONLY, "%s, %s" % (row.kind, row.what))] for some in (
        all_rows, stopped))
    for row in all_rows + stopped:
        await row.front.start()
    daemons = [daemon for daemon in (Daemon("calm", all_rows, air, False), Daemon("stopped", stopped, air, True))
               if daemon.rows]
    for daemon in daemons:
        await daemon.start()
    until_ms = now_ms() + 1000 * SETTLE_S + int(60000 * MINUTES)
    tasks = [asyncio.create_task(row.suffer()) for row in all_rows + stopped]
    tasks += [asyncio.create_task(daemon.be_stopped()) for daemon in daemons]
    await asyncio.gather(*(daemon.read(until_ms) for daemon in daemons))
    for task in tasks:
        task.cancel()
    for daemon in daemons:
        await daemon.end()
    await air.stop()
    print("\n| link | line | stale after | replies | good | live % | real age, s: median / 95 % / most | too young | too old | asked rarely, too young |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for row in all_rows:
        print(row.line_of_table())
    print("\nThe daemon stopped for up to 7 s, again and again:\n")
    for row in stopped:
        print(row.line_of_table())
    every = all_rows + stopped
    faults = sum((row.faults for row in every), collections.Counter())
    print("\n%d replies, %d of them with good readings; too young %d, older than stale_after_s %d, asked rarely %d, other %d; "
          "slowest answer of %d units at once %d ms; seed %d" % (
              sum(row.replies for row in every), sum(row.good for row in every), faults["young"], faults["old"],
              faults["rarely"], faults["other"], len(all_rows), daemons[0].slowest_ms, SEED))
    print("violations: %d" % len(violations))
    for row in every:
        row.line.stop()
    shutil.rmtree(folder)
    return 1 if violations else 0


sys.exit(asyncio.run(main()))
