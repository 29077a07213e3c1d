# SPDX-License-Identifier: MIT
"""Looks at what `packbridge status` shows: status.py wait|check FOLDER PROGRAM, watch FOLDER PROGRAM PID"""
import datetime
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

ACTION, FOLDER, PROGRAM = sys.argv[1:4]
SOCKET = FOLDER + "/status"


def ask():
    done = subprocess.run([PROGRAM, "status", "--json", "--socket", SOCKET], capture_output=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def by_name(everything):
    return {b["name"]: b for b in everything["packs"] + everything["banks"]}


def wait():
    """Until all packs that will ever be read have been, and the quiet one has turned old."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        seen = ask()
        if seen:
            packs = by_name(seen)
            if (packs["house"]["quality"] == packs["store"]["quality"] == "good"
                    and packs["quiet"]["quality"].startswith("stale")
                    and packs["all"]["alarms"] and packs["gone"]["last_error"]):
                return
        time.sleep(0.1)
    sys.exit("FAILED: not ready: %s" % seen)


def metrics():
    """(name, labels) -> value, by prometheus_client's own parser."""
    from prometheus_client.parser import text_string_to_metric_families

    found = {}
    with open(FOLDER + "/metrics") as text:
        for family in text_string_to_metric_families(text.read()):
            assert family.documentation, family.name
            assert family.type in ("gauge", "counter"), family
            # what promtool's linter asks for
            assert not re.search(r"_(count|sum|bucket|total|info)$|hours|minutes|milli|kilo",
                                 family.name.replace("packbridge_info", "")), family.name
            for sample in family.samples:
                key = (sample.name, tuple(sorted(sample.labels.items())))
                assert key not in found, key
                found[key] = sample.value
    return found


def check():
    with open(FOLDER + "/json") as text:
        seen = json.load(text)
    batteries, shown = by_name(seen), metrics()
    house, quiet, gone = batteries["house"], batteries["quiet"], batteries["gone"]

    assert house["unit"] == 1 and house["map"] == "packbridge" and house["age_s"] <= 2
    assert house["link"] == "sim:lfp-4s,soc=64,seed=1" and house["state"] == "connected"
    assert len(house["fields"]["cell_mv"]) == 4
    assert batteries["all"]["packs"] == ["house", "store"]
    low = batteries["store"]["alarms"][0]
    assert (low["alarm"], low["level"]) == ("soc_low", "alarm") and low["text"].endswith(" %"), low
    # since when, by both clocks
    assert 0 <= low["since_s"] < 60, low
    since = datetime.datetime.strptime(low["since"], "%Y-%m-%dT%H:%M:%SZ")
    passed = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) - since
    assert -2 <= passed.total_seconds() - low["since_s"] <= 10, (low, passed)
    # nothing of an old reading is there, neither in JSON nor as a metric
    for old in (quiet, gone):
        for field in ("voltage_mv", "soc_permille", "cell_mv", "current_ma", "charge_current_ma"):
            assert field not in old["fields"], (old["name"], field)
        assert old["fields"]["polls"] is not None
    assert gone["age_s"] is None and quiet["age_s"] >= 1
    for (name, labels) in shown:
        if ("pack", "quiet") in labels:
            assert name not in ("packbridge_voltage_volts", "packbridge_soc_ratio",
                                "packbridge_cell_volts", "packbridge_current_amperes"), name
    # the same number in both, in its base unit (simulated packs change slowly)
    for name, pack in batteries.items():
        kind = "bank" if "packs" in pack else "pack"
        for field, metric, per in (("voltage_mv", "packbridge_voltage_volts", 1000),
                                   ("current_ma", "packbridge_current_amperes", 1000),
                                   ("soc_permille", "packbridge_soc_ratio", 1000),
                                   ("full_mah", "packbridge_full_coulombs", 1 / 3.6),
                                   ("polls", "packbridge_polls_total", 1)):
            value = shown.get((metric, ((kind, name),)))
            if field not in pack["fields"]:
                assert value is None, (name, field)
                continue
            expected = pack["fields"][field] / per
            between = 2 if field == "polls" else 0.5  # the two were asked for one behind the other
            assert abs(value - expected) <= abs(expected) * 0.05 + between, (name, field, value, expected)
    cells = [v for (n, labels), v in shown.items()
             if n == "packbridge_cell_volts" and ("pack", "house") in labels]
    assert len(cells) == 4 and all(3.2 < v < 3.4 for v in cells), cells
    # cells and probes that are not there have no line, nor has a pack that was never read
    for name, lines in (("packbridge_cell_state", {"house": 4, "store": 16}),
                        ("packbridge_temperature_state", {"house": 3, "store": 4})):
        of_packs = [dict(labels).get("pack") for (metric, labels) in shown if metric == name]
        for pack, count in lines.items():
            assert of_packs.count(pack) == count, (name, pack, of_packs.count(pack))
        assert "gone" not in of_packs, name
    assert shown[("packbridge_gateway_packs", ())] == 4
    assert ("packbridge_listener_requests_total", (("listener", "tcp 127.0.0.1:0"),)) in shown
    print("%d metrics" % len(shown))


def watch():
    import pyte

    rows, columns = 24, 80
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(PROGRAM, [PROGRAM, "status", "--watch", "--socket", SOCKET])
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    screen = pyte.Screen(columns, rows)
    stream = pyte.ByteStream(screen)

    def until(is_there, what):
        end = time.monotonic() + 20
        while not is_there():
            if time.monotonic() > end:
                sys.exit("FAILED: never on the screen: %s\n%s" % (what, "\n".join(screen.display)))
            if select.select([fd], [], [], 0.2)[0]:
                stream.feed(os.read(fd, 65536))

    def shown(what):
        until(lambda: any(what in line for line in screen.display), what)

    def silent():
        """The seconds without an answer, as the title says."""
        found = re.search(r"no answer for (\d+) s", screen.display[0])
        assert found, screen.display[0]
        return int(found.group(1))

    def age():
        """The first pack's, while nobody knows how it is."""
        house = screen.display[2].split()
        return int(house[3]) if house[:3:2] == ["house", "?"] else -1

    shown("> house")
    shown("house, sim:lfp-4s")
    shown(" 4 \u2588")
    assert screen.display[1].rstrip().endswith("FAIL"), screen.display[1]
    os.write(fd, b"\x1b[B")  # arrow down
    shown("> store")
    shown("16 \u2588")
    shown("ALARM soc_low")
    print("\n".join(screen.display))
    # a narrow one: whole names, whole columns, whole cells, and the limits of both directions
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 60, 0, 0))
    screen.resize(rows, 60)
    until(lambda: any(re.match(r"discharge \d+\.\d A \(.*\)", line) for line in screen.display), "the discharge limit")
    until(lambda: screen.display[1].rstrip().endswith("CELLS mV    C"), "C at the end")
    print("\n".join(screen.display))
    for line in screen.display[2:6]:
        assert line[2:].split()[0] in ("house", "store", "gone", "quiet"), line
    until(lambda: len(re.findall(r"\b\d+ [\u2588\u2591]{3,} +\d\.\d{3}", "\n".join(screen.display))) == 16, "16 cells")
    assert any("ALARM soc_low, " in line and ", since " in line for line in screen.display), screen.display
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    screen.resize(rows, columns)
    os.write(fd, b"jjjj")
    shown("> lacks")
    shown("1 of 2 packs with a good reading")
    assert " 1/2 " in next(line for line in screen.display if line.startswith("> lacks")), screen.display
    os.write(fd, b"k")
    shown("> all")
    # the daemon hangs: nothing is good any more, at once, and ages go on
    daemon = int(sys.argv[4])
    os.kill(daemon, signal.SIGSTOP)
    try:
        shown("no answer for ")
        first = silent()
        assert first <= 4, screen.display
        # a frame may have come in part
        until(lambda: not any(" good " in line for line in screen.display), "nothing is good")
        before = age()
        until(lambda: silent() >= first + 3, "three seconds more")
        until(lambda: age() >= before + 3, "older by three seconds")
        print("\n".join(screen.display))
    finally:
        os.kill(daemon, signal.SIGCONT)
    shown(" good ")
    assert "no answer" not in screen.display[0]
    os.write(fd, b"q")
    # the terminal is given back, and nothing is left of the screen
    while True:
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        stream.feed(data)
    assert os.waitpid(pid, 0)[1] == 0


{"wait": wait, "check": check, "watch": watch}[ACTION]()
