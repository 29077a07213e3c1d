# SPDX-License-Identifier: MIT
"""A year of a battery, which year.c (room history) counts and this computes a second time.

The current is a known function of time: sun by day, a base load, and loads that are switched at random
moments. Its integral is computed here exactly, piece by piece, and in charge and energy in each
direction. Readings are samples of it, rounded as a BMS does. Between them: gaps, restarts, kills at
random moments (what was counted since the last save is lost, and must be in the unmeasured time),
readings while the clock is wrong, and packs that are replaced.

usage: year.py PROGRAM DAYS SEED
"""
import math
import random
import subprocess
import sys

PROGRAM, DAYS, SEED = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
STALE_MS = 120000
DAY_MS = 86400000
SAVE_MS = 900000
dice = random.Random(SEED)


class Current:
    """Straight pieces: (end_ms, ma at begin, ma at end), as they come."""

    def __init__(self):
        self.at, self.ma, self.load = 0, 0.0, 2000.0
        self.next_load = 0

    def sun(self, ms):
        hour = ms % DAY_MS / 3600000
        return max(0.0, math.sin((hour - 6) / 12 * math.pi)) * 40000 if 6 < hour < 18 else 0.0

    def piece(self, until_ms):
        """The pieces up to until_ms as (ms, begin, end); a load is a step between two of them."""
        pieces = []
        while self.at < until_ms:
            if self.at >= self.next_load:
                self.load = dice.choice([500.0, 2000.0, 9000.0, 35000.0, 0.0])
                self.next_load = self.at + dice.randrange(60000, 7200000)
            end = min(until_ms, self.next_load, self.at + 60000)
            pieces.append((end - self.at, self.sun(self.at) - self.load, self.sun(end) - self.load))
            self.at = end
        return pieces

    def now(self):
        return self.sun(self.at) - self.load


def areas(ms, a, b):
    """Of a straight line, above and below zero, each as it is."""
    if a * b >= 0:
        area = (a + b) / 2 * ms
        return (area, 0.0) if area > 0 else (0.0, -area)
    above, below = a * a * ms / abs(a - b) / 2, b * b * ms / abs(a - b) / 2
    return (above, below) if a > 0 else (below, above)


def volts(ma):
    return 13200 + ma / 200


class Truth:
    def __init__(self):
        self.counts = [0.0] * 4  # mA ms in, out, mW ms in, out
        self.unmeasured = 0

    def add(self, pieces):
        for ms, a, b in pieces:
            mean = (a + b) / 2
            for i, area in enumerate(areas(ms, a, b)):
                self.counts[i] += area
                self.counts[2 + i] += area * volts(mean) / 1000

    def copy(self):
        other = Truth()
        other.counts, other.unmeasured = list(self.counts), self.unmeasured
        return other


program = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1 << 20)
worst = 0.0
shown = None
checks = 0


def ask(ms):
    program.stdin.write(f"? {ms}\n")
    program.stdin.flush()
    return [int(n) for n in program.stdout.readline().split()]


def check(ms, truth, what):
    """Against the truth; and nothing may have fallen since it was asked last."""
    global worst, shown, checks
    now = ask(ms)
    checks += 1
    for i in range(4):
        true = truth.counts[i] / 3600000
        off = abs(now[i] - true)
        if true > (4000000 if i < 2 else 50000000):
            worst = max(worst, off / true)
        # readings are a minute apart: a load that is switched between two of them is a small error
        assert off <= 0.001 * true + (4000 if i < 2 else 50000), (what, ms, i, now[i], true)
    assert abs(now[4] - truth.unmeasured / 1000) <= 2, (what, ms, now[4], truth.unmeasured)
    if shown:
        assert all(n >= b for n, b in zip(now[:5], shown)), (what, ms, shown, now)
    shown = now[:5]
    return now


current, truth = Current(), Truth()
saved, saved_at = truth.copy(), None
last = None  # when the last reading was; None: nothing can be measured from
open_from = None
name, packs = "pack-0", 0
restarts = kills = gaps = lost_ms = 0
ms = 0
today_from, day = None, None

while ms < DAYS * DAY_MS:
    fate = dice.random()
    step = dice.randrange(55000, 65000)
    if fate < 0.0005:  # nobody hears the pack for a while
        step = dice.randrange(STALE_MS + 1000, 40000000)
        gaps += 1
    pieces = current.piece(ms + step)
    ms += step
    if fate > 0.9997 and saved_at is not None:  # the program ends, and begins again
        clean = dice.random() < 0.5
        if clean:
            if last is not None and ms - last > STALE_MS:
                program.stdin.write(f"g {ms}\n")
            program.stdin.write(f"s {ms}\n")
            truth.unmeasured += ms - (open_from if last is None else last)
            saved, saved_at = truth.copy(), ms
        else:  # what was counted since then is gone
            kills += 1
            lost_ms = max(lost_ms, ms - saved_at)
            shown = None
        restarts += 1
        program.stdin.write(f"l {ms} {saved_at}\n")
        truth = saved.copy()
        last, open_from = None, saved_at
        continue
    if dice.random() < 0.000008 and ms > 30 * DAY_MS:  # another pack
        packs += 1
        name = f"pack-{packs}"
        truth, last, open_from, shown, saved_at = Truth(), None, None, None, None
    elif last is not None and ms - last <= STALE_MS:
        truth.add(pieces)
    elif last is not None:
        truth.unmeasured += ms - last
    elif open_from is not None:
        truth.unmeasured += ms - open_from
    last, open_from = ms, None
    ma = round(current.now() / 10) * 10
    mv = round(volts(current.now()) / 10) * 10
    soc = dice.choice([0, 500, 1000]) if dice.random() < 0.001 else 600  # a BMS that corrects itself
    wrong = dice.choice([-3, 7, 400]) if dice.random() < 0.0005 else 0
    now_day = 20000 + ms // DAY_MS + wrong if dice.random() > 0.002 else 0
    program.stdin.write(f"r {ms} {ma} {mv} {soc} {now_day} {name}\n")
    if saved_at is None or ms - saved_at >= SAVE_MS:
        program.stdin.write(f"s {ms}\n")
        saved, saved_at = truth.copy(), ms
    if dice.random() < 0.01:
        check(ms, truth, "reading")
final = check(ms, truth, "end")
program.stdin.close()
assert program.wait() == 0
assert worst < 0.001, worst
assert final[10] == packs, (final, packs)
print(f"{DAYS} days: {checks} looks, {gaps} gaps, {restarts} restarts, {kills} of them kills that lost at most "
      f"{lost_ms / 1000:.0f} s, {packs} packs replaced; worst error {worst * 100:.4f} %")
if DAYS > 300:
    assert gaps > 50 and kills > 20 and packs > 0, "too little has happened"
