# SPDX-License-Identifier: MIT
"""Boards with a clock: what they measure is the time at which they measure it.

A value has few digits and a range that is plausible, so a time stands in several values of one frame, each of
them one digit. What a client reads then tells when it was measured. Frames that are sent one by one carry a
clock each; the oldest of them counts."""
import struct
import time


def now_ms():
    """The daemon's clock, which goes on while the machine sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000000


class Clock:
    """A time in digits, the lowest first: @step_ms is what the lowest counts, @radices how many values each
    digit has, @bases what is added so that the value is a plausible one."""

    def __init__(self, step_ms, *digits):
        self.step_ms, self.digits, self.span = step_ms, digits, 1
        for radix, _ in digits:
            self.span *= radix

    def values(self, at_ms):
        count, values = at_ms // self.step_ms, []
        for radix, base in self.digits:
            values.append(base + count % radix)
            count //= radix
        return values

    def latest(self, values, by_ms):
        """The latest time up to @by_ms that these values may stand for; None: they stand for none."""
        count, weight = 0, 1
        for (radix, base), value in zip(self.digits, values):
            if value is None or not 0 <= value - base < radix:
                return None
            count += (value - base) * weight
            weight *= radix
        count += (by_ms // self.step_ms - count) // self.span * self.span
        return min(by_ms, count * self.step_ms + self.step_ms - 1)


CELLS = Clock(1, *[(250, 3200)] * 4)  # 49 days
# when a frame is asked for: at each poll, and without it there is no reading; at each poll; now and then
NEEDED, POLLED, RARELY = range(3)
BLOCK = 125  # registers from 0 on: what a client reads at once
# registers of the map packbridge
QUALITY, AGE, STALE_AFTER, DETAILS_AGE = 1, 3, 7, 54  # the last: of what is asked now and then


def word(words, at, none=0xFFFF):
    return None if words[at] == none else words[at]


def long(words, at):
    value = words[at] << 16 | words[at + 1]
    return None if value in (0xFFFFFFFF, 0x80000000) else value


def per(units, value):
    return None if value is None else value // units


def cells_at(first, count):
    return lambda words: [word(words, at) for at in range(first, first + count)]


def crc16(data):
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return struct.pack("<H", crc)


class Board:
    """Takes requests, whole or in pieces, and gives the frames that it answers by. @shown: what becomes of its clocks
    in a reply of the map packbridge, (what, clock, its digits in registers 0 to BLOCK, when it is asked for)."""

    due_ms = 1 << 62  # when it sends by itself next

    def __init__(self):
        self.held = b""

    def take(self, data):
        """@return the requests that are complete now; what is meant for other boards is skipped."""
        self.held += data
        requests = []
        while self.held:
            if self.held[0] != self.start:
                self.held = self.held[1:]
                continue
            length = self.length(self.held)
            if len(self.held) < length:
                break
            requests.append(self.held[:length])
            self.held = self.held[length:]
        return requests


class Jbd(Board):
    protocol, start = "jbd", 0xDD
    basic = Clock(1, (60000, 0), (400, 0))  # cycles and current, 6.7 hours
    counters = Clock(1, (60000, 0), (60000, 0))
    shown = [
        ("basic", basic, lambda w: [word(w, 23), per(10, long(w, 18))], NEEDED),
        ("cells", CELLS, cells_at(100, 4), NEEDED),
        ("counters", counters, lambda w: [word(w, 72), word(w, 73)], RARELY),
    ]

    def length(self, held):
        return 7 + held[3] if len(held) > 3 else 7

    def answer(self, request):
        t, register = now_ms(), request[2]
        if register == 0x03:
            cycles, current = self.basic.values(t)
            body = struct.pack(">HhHHHHHHHBBBBBHH", 1330, current, 5000, 10000, cycles, 0x2A6F, 0, 0, 0, 0x10, 50,
                               3, 4, 2, 2981, 2990)
        elif register == 0x04:
            body = struct.pack(">4H", *CELLS.values(t))
        elif register == 0x05:
            body = b"CLOCK"
        elif register == 0xAA:
            body = struct.pack(">12H", *self.counters.values(t), *[0] * 10)
        else:
            return [b"\xDD" + bytes([register]) + b"\x80\x00\xFF\x80\x77"]
        body = bytes([0, len(body)]) + body
        return [b"\xDD" + bytes([register]) + body + struct.pack(">H", -sum(body) & 0xFFFF) + b"\x77"]


class Jk(Board):
    """Software 11.48. 96 brings 01, and 02 each @period_ms from then on. Asked again, it sends 01 again and goes on;
    @restarts: the next 02 is a whole period later then."""

    protocol, start = "jk", 0xAA
    shown = [("cells", CELLS, cells_at(100, 4), NEEDED)]

    def __init__(self, period_ms, restarts=False):
        super().__init__()
        self.period_ms, self.restarts, self.counter = period_ms, restarts, 0

    def length(self, held):
        return 20

    def frame(self, kind, places):
        f = bytearray(300)
        f[:6] = b"\x55\xAA\xEB\x90" + bytes([kind, self.counter & 0xFF])
        self.counter += 1
        for at, data in places:
            f[at:at + len(data)] = data
        f[299] = sum(f) & 0xFF
        return bytes(f)

    def answer(self, request):
        if request[4] == 0x97:
            return [self.frame(3, [(6, b"JK_B2A8S20P"), (22, b"11.XW"), (30, b"11.48"), (46, b"CLOCK")])]
        if request[4] != 0x96:
            return []
        if self.restarts or self.due_ms == Board.due_ms:
            self.due_ms = now_ms() + self.period_ms
        return [self.frame(1, [(114, b"\x04"), (130, struct.pack("<I", 100000))])]

    def cells(self):
        cells = CELLS.values(now_ms())
        return self.frame(2, [
            (6, struct.pack("<4H", *cells)), (70, b"\x0F"), (144, struct.pack("<h", 250)),
            (150, struct.pack("<I", sum(cells))), (158, struct.pack("<i", 1000)),
            (162, struct.pack("<2h", 250, 260)), (173, b"\x32"), (174, struct.pack("<3I", 50000, 100000, 10)),
            (190, b"\x64"), (198, b"\x01\x01")])


class Words(Board):
    """Daly's dialects of words."""

    def length(self, held):
        return 8

    def answer(self, request):
        if request[1] != 3 or crc16(request[:-2]) != request[-2:]:
            return []
        register, count = struct.unpack(">HH", request[2:6])
        values = self.block(register)
        if values is None:
            return []
        words = [values.get(register + i, 0) for i in range(count)]
        reply = struct.pack(">BBB%dH" % count, self.replies, 3, 2 * count, *words)
        return [reply + crc16(reply)]


def cell_words():
    return dict(enumerate(CELLS.values(now_ms())))


class D2(Words):
    protocol, start, replies = "daly", 0xD2, 0xD2
    balance = Clock(1000, (50, 20), (16, 0))  # transistors' temperature and which cells: 800 s
    shown = [
        ("cells", CELLS, cells_at(100, 4), NEEDED),
        ("balance", balance, lambda w: [per(10, word(w, 53, 0x8000)), long(w, 46)], POLLED),
    ]

    def block(self, register):
        if register == 0x00:
            return {**cell_words(), 0x20: 65, 0x28: 133, 0x29: 30010, 0x2A: 500, 0x30: 500, 0x31: 4, 0x32: 1, 0x33: 10,
                    0x35: 1, 0x36: 1}
        if register == 0x3E:
            temperature, cells = self.balance.values(now_ms())
            return {0x3E: cells, 0x42: temperature + 40}
        return {0x80: {0x80: 1000}, 0xA9: {0xA9: 0x3131}}.get(register)


class P81(Words):
    protocol, start, replies = "daly", 0x81, 0x51
    cycles = Clock(100, (60000, 0))  # 100 minutes
    shown = [
        ("cells", CELLS, cells_at(100, 4), NEEDED),
        ("status", cycles, lambda w: [word(w, 23)], NEEDED),
    ]

    def block(self, register):
        if register == 0x00:
            return {**cell_words(), 0x30: 65, 0x38: 133, 0x39: 30010, 0x3A: 500, 0x3C: 4, 0x3D: 1}
        if register == 0x41:
            return {0x4B: 500, 0x4C: self.cycles.values(now_ms())[0], 0x52: 1, 0x53: 1, 0x5A: 65}
        return {0x100: {0x109: 1, 0x10A: 34464, 0x10B: 1, 0x10C: 34464}, 0x178: {0x178: 0x3131}}.get(register)


class A5(Board):
    protocol, start = "daly", 0xA5
    pack = Clock(100, (100, 450), (400, 0))  # charge and current: 66 minutes
    cycles = Clock(100, (60000, 0))
    cells = Clock(1, *[(250, 3200)] * 3)  # a frame: 4.3 hours
    remaining = Clock(100, (20000, 40000))  # 33 minutes
    probes = Clock(1000, (15, 8), (15, 23))  # the first is the colder one: 225 s
    shown = [
        ("90", pack, lambda w: [word(w, 17), per(100, long(w, 18))], NEEDED),
        ("94", cycles, lambda w: [word(w, 23)], NEEDED),
        ("95, frame 1", cells, cells_at(100, 3), NEEDED),
        ("95, frame 2", cells, cells_at(103, 3), NEEDED),
        ("93", remaining, lambda w: [long(w, 24)], POLLED),
        ("96", probes, lambda w: [per(10, word(w, at, 0x8000)) for at in (37, 38)], POLLED),
    ]

    def length(self, held):
        return 13

    def answer(self, request):
        if request[1] != 0x80:
            return []
        t, command = now_ms(), request[2]
        if command == 0x90:
            charge, current = self.pack.values(t)
            data = [struct.pack(">4H", 198, 0, 30000 - current, charge)]
        elif command == 0x94:
            data = [struct.pack(">BBBBBHB", 6, 2, 0, 0, 0, self.cycles.values(t)[0], 0)]
        elif command == 0x95:
            data = [struct.pack(">B3HB", n, *self.cells.values(now_ms()), 0) for n in (1, 2)]
        elif command == 0x93:
            data = [struct.pack(">BBBBI", 1, 1, 1, 0, self.remaining.values(t)[0])]
        elif command == 0x96:
            data = [bytes([1] + [40 + v for v in self.probes.values(t)] + [0] * 5)]
        elif command in (0x97, 0x98):
            data = [bytes(8)]
        elif command == 0x50:
            data = [struct.pack(">II", 100000, 0)]
        else:
            return []
        frames = [bytes([0xA5, 1, command, 8]) + d for d in data]
        return [f + bytes([sum(f) & 0xFF]) for f in frames]


def look(board, words, asked_ms, slack_ms):
    """Is the age of a good reading honest? @words: registers 0 to BLOCK of the map packbridge, as a request that was
    made at @asked_ms has brought them.
    @return (how old the oldest value was then, ms; None: unknown), [(kind of fault, what)]"""
    quality, age_s, stale_s, details_s = (words[at] for at in (QUALITY, AGE, STALE_AFTER, DETAILS_AGE))
    faults, times = [], []
    if quality != 1 or age_s >= stale_s:
        faults.append(("other", "values with quality %d, age %d s, stale_after_s %d" % (quality, age_s, stale_s)))
    for what, clock, digits, asked_for in board.shown:
        values = digits(words)
        at_ms = None if None in values else clock.latest(values, now_ms())
        if at_ms is None:
            if asked_for == NEEDED or None not in values:
                faults.append(("other", "a good reading with %s %s" % (what, values)))
        elif asked_for != RARELY:
            times.append((at_ms, what))
        elif asked_ms - at_ms > 1000 * min(details_s + 1, 2 * stale_s) + slack_ms:
            # young enough when the reading came, and as long as that is young enough
            faults.append(("rarely", "age %d s is shown, %s are of %.2f s ago, stale_after_s %d" % (
                details_s, what, (asked_ms - at_ms) / 1000, stale_s)))
    if not times:
        return None, faults
    oldest_ms, what = min(times)
    real_ms = asked_ms - oldest_ms
    if real_ms > 1000 * (age_s + 1) + slack_ms:
        faults.append(("young", "age %d s is shown, %s is of %.2f s ago" % (age_s, what, real_ms / 1000)))
    if real_ms >= 1000 * stale_s + slack_ms:
        faults.append(("old", "%s is of %.2f s ago, stale_after_s %d" % (what, real_ms / 1000, stale_s)))
    return real_ms, faults
