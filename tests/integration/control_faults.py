# SPDX-License-Identifier: MIT
"""A pack that is switched, and everything that can go wrong: control_faults.py PROGRAM TOOLS TABLE [--write] [ROW...]

The real daemon, a Modbus client, and a simulated board behind a TCP port that writes down every byte. Each row is one
fault: the states that the pack went through, the commands that the board got (nothing else but reads of the codec's
plan), and the end. TABLE is the Markdown table of what was found; it must be what the document says."""
import concurrent.futures
import re
import signal
import subprocess
import sys
import tempfile

from boards import Boards, Daemon, Modbus, free_port, now, until

PROGRAM, TOOLS, TABLE = sys.argv[1:4]
CHARGE, DISCHARGE, LEASE, RESET, STATE, OWNER = 400, 401, 402, 403, 404, 408
STATES = "off local idle pending writing verifying confirmed overridden failed expired foreign".split()
NAMES = {
    "DD5AE1020000FF1D77": "E1 0000", "DD5AE1020001FF1C77": "E1 0001", "DD5AE1020002FF1B77": "E1 0002",
    "DD5AE1020003FF1A77": "E1 0003", "DD5AFB020101FF0177": "FB 0101", "DD5AFB020100FF0277": "FB 0100",
    "DD5A060706030303030303FFDB77": "06 PIN",
    "D20600A500008A4A": "A5 off", "D20600A500014B8A": "A5 on",
    "810601210000C7FC": "121 off", "810601210001063C": "121 on",
    "A540DA080000000000000000C7": "DA off", "A540DA080100000000000000C8": "DA on",
    "A580DA08000000000000000007": "DA off", "A580DA08010000000000000008": "DA on",
    "AA5590EB1D04000000000000000000000000009B": "1D off", "AA5590EB1D04010000000000000000000000009C": "1D on",
}
READS = re.compile(r"DDA5(00|03|04|05|AA)|D203|8103|A5(40|80)(50|9[0-8])|AA5590EB9[67]00")


class Site:
    """A board, a daemon and a client."""

    def __init__(self, profile="lfp-4s,soc=50,current=0", protocol="jbd", **keys):
        self.folder = tempfile.TemporaryDirectory()
        self.boards = Boards(TOOLS, profile)
        self.port, self.protocol, self.seen = free_port(), protocol, 0
        self.keys = dict({"control": "charge+discharge", "control_min_s": 0, "reply_timeout_ms": 300}, **keys)
        self.daemon = Daemon(PROGRAM, self.folder.name + "/packbridge.yaml", self.text())
        self.daemon.says("first reading")
        self.client = Modbus(self.port)
        self.connected = True
        self.boards_seen = 0

    def text(self, **keys):
        more = "".join(", %s: %s" % pair for pair in dict(self.keys, **keys).items())
        return ("control: {0}/control\nstatus: {0}/status\n"
                "listen: [{{tcp: '127.0.0.1:{1}', write: [127.0.0.1, 127.0.0.2], allow: [127.0.0.0/8]}}]\npacks:\n"
                "  - {{name: p, link: 'tcp:127.0.0.1:{2}', protocol: {3}, unit: 1, poll_ms: 500, gap_ms: 5, settle_ms: 0, "
                "stale_after_s: 3, tries: 1{4}}}\n").format(self.folder.name, self.port, self.boards.ports[0],
                                                              self.protocol, more)

    def board(self, line):
        return self.boards.say("0 " + line)

    def wish(self, address, *words):
        assert self.client.write(1, address, *words) == 0

    def state(self):
        state, reason = self.client.read(1, STATE, 2)
        return STATES[state], reason

    def reaches(self, state, reason=None, seconds=25):
        try:
            until(state, lambda: self.state()[0] == state and reason in (None, self.state()[1]), seconds)
        except AssertionError as error:
            raise AssertionError("%s, but %s; %s\n%s" % (error, self.state(), self.commands(), self.daemon.log)) from None

    def polls(self, count):
        """Waits for so many more readings."""
        begin = self.client.read(1, 2)[0]
        until("%d polls" % count, lambda: (self.client.read(1, 2)[0] - begin) % 65536 >= count)

    def commands(self):
        found = []
        for request in self.boards.requests(0):
            if not READS.match(request):
                found.append(NAMES.get(request, "?" + request))
        return found

    def gets(self, name):
        until(name, lambda: name in self.commands())

    def states(self):
        """As the log has them; a word that repeats is one."""
        found = []
        for word in re.findall(r"control is (\w+)", self.daemon.log):
            if not found or found[-1] != word:
                found.append(word)
        return found

    def restart(self):
        self.daemon.kill()
        self.client.close()
        self.daemon.log += "control is (killed)\n"
        self.daemon.start()
        self.client = Modbus(self.port)
        until("a reading", lambda: self.client.read(1, 1)[0] == 1)

    def reload(self, **keys):
        self.daemon.write(self.text(**keys))
        before = self.daemon.log.count("reload") + self.daemon.log.count("loaded")
        self.daemon.process.send_signal(signal.SIGHUP)
        until("a reload", lambda: self.daemon.log.count("reload") + self.daemon.log.count("loaded") > before)

    def end(self):
        state = self.boards.say("0 state")
        assert state.endswith("offences=0"), state
        self.daemon.process.kill()
        self.daemon.process.wait()
        self.boards.end()
        self.folder.cleanup()
        return "charge switch %s" % ("closed" if "charge=1" in state.split() else "open")


ROWS = []


def row(fault, **setup):
    def add(function):
        ROWS.append((fault, setup, function))
        return function
    return add


def confirmed(site):
    site.wish(CHARGE, 1)
    site.reaches("confirmed")


def lost(site):
    site.board("away on")
    until("the loss", lambda: site.client.read(1, 1)[0] != 1)


def back(site):
    site.board("away off")
    until("a reading", lambda: site.client.read(1, 1)[0] == 1, 40)
    site.polls(2)


# ---- the board ----

@row("none: inhibited, then released")
def _(site):
    confirmed(site)
    site.wish(CHARGE, 1)  # the same again: nothing is sent
    site.polls(2)
    site.wish(CHARGE, 0)
    site.reaches("idle")


@row("acknowledged and ignored", profile="lfp-4s,current=0,command=ignore")
def _(site):
    site.wish(CHARGE, 1)
    site.reaches("failed", 11)
    site.polls(3)


@row("acknowledged and ignored: Daly D2", profile="daly-lfp-4s,current=0,command=ignore", protocol="daly")
def _(site):
    site.wish(CHARGE, 1)
    site.reaches("failed", 11)
    site.polls(3)


@row("acknowledged and ignored: JK", profile="jk-lfp-16s,current=0,command=ignore", protocol="jk")
def _(site):
    site.wish(CHARGE, 1)
    site.reaches("failed", 11)
    site.polls(3)


@row("E1 is refused, FB is not", profile="lfp-4s,current=0,command=refuse-e1")
def _(site):
    confirmed(site)


@row("E1 is ignored, FB is not", profile="lfp-4s,current=0,command=ignore-e1")
def _(site):
    site.wish(CHARGE, 1)
    until("the end", lambda: site.state()[0] in ("confirmed", "failed"))
    site.polls(2)


@row("refused", profile="lfp-4s,current=0,command=refuse")
def _(site):
    site.wish(CHARGE, 1)
    site.reaches("failed", 9)


@row("refused with a wrong checksum", profile="lfp-4s,current=0,command=refuse-bad")
def _(site):
    site.wish(CHARGE, 1)
    site.reaches("failed", 9)


@row("PIN needed, and configured", profile="lfp-4s,current=0,pin=333333", pin="'333333'")
def _(site):
    confirmed(site)


@row("acknowledgement lost, obeyed", profile="lfp-4s,current=0,command=mute")
def _(site):
    confirmed(site)


@row("acknowledgement broken, obeyed: Daly D2", profile="daly-lfp-4s,current=0,command=garble", protocol="daly")
def _(site):
    confirmed(site)


@row("acknowledgement in pieces: JK", profile="jk-lfp-8s,current=0,command=split", protocol="jk")
def _(site):
    confirmed(site)
    site.wish(CHARGE, 0)
    site.reaches("idle")


@row("effect a second late", profile="lfp-4s,current=0,command=late")
def _(site):
    confirmed(site)


@row("Daly P81, inhibited and released", profile="daly-lfp-16s,current=0", protocol="daly")
def _(site):
    confirmed(site)
    site.wish(CHARGE, 0)
    site.reaches("idle")


@row("Daly A5, inhibited and released", profile="daly-nmc-14s,current=0", protocol="daly")
def _(site):
    confirmed(site)
    site.wish(CHARGE, 0)
    site.reaches("idle")


@row("a current of 5 A the other way, then none", profile="lfp-4s,soc=50,current=-5")
def _(site):
    site.wish(CHARGE, 1)
    site.reaches("pending", 7)
    site.polls(2)
    site.board("current 0")
    site.reaches("confirmed")


@row("a protection, then released")
def _(site):
    confirmed(site)
    site.board("protect on")
    site.polls(2)
    site.wish(CHARGE, 0)
    site.reaches("overridden", 12)
    site.board("protect off")
    site.reaches("idle")


@row("pack power-cycled while confirmed (JBD forgets)")
def _(site):
    confirmed(site)
    site.board("power")
    site.polls(2)
    site.reaches("confirmed")


@row("pack power-cycled while confirmed (JK keeps)", profile="jk-lfp-16s,current=0", protocol="jk")
def _(site):
    confirmed(site)
    site.board("power")
    site.polls(3)
    site.reaches("confirmed")


@row("an app closes the switch meanwhile")
def _(site):
    confirmed(site)
    site.board("app charge on")
    site.polls(3)
    until("the end", lambda: site.state()[0] in ("confirmed", "overridden", "failed"))


@row("an app opened the switch before; then reset")
def _(site):
    site.board("app charge off")
    site.reaches("foreign", 13)
    site.polls(3)
    site.wish(RESET, 1)
    site.reaches("idle")


# ---- the link ----

@row("link lost in idle")
def _(site):
    lost(site)
    back(site)
    site.reaches("idle")


@row("link lost in pending")
def _(site):
    lost(site)
    site.wish(CHARGE, 1)
    site.reaches("pending", 2)
    back(site)
    site.reaches("confirmed")


@row("link lost in writing: the board did not get it")
def _(site):
    site.board("hangup-at DD5AE1")
    site.wish(CHARGE, 1)
    site.reaches("confirmed")


@row("link lost in verifying", profile="lfp-4s,current=0,command=hangup")
def _(site):
    confirmed(site)


@row("link lost in confirmed")
def _(site):
    confirmed(site)
    lost(site)
    back(site)
    site.reaches("confirmed")


@row("link lost in confirmed, and the lease ends")
def _(site):
    site.wish(LEASE, 3)
    site.wish(CHARGE, 1)
    site.reaches("confirmed")
    lost(site)
    until("the lease's end", lambda: site.client.read(1, CHARGE)[0] == 0)
    back(site)
    site.reaches("idle")


@row("link lost in failed", profile="lfp-4s,current=0,command=refuse")
def _(site):
    site.wish(CHARGE, 1)
    site.reaches("failed", 9)
    lost(site)
    back(site)


@row("link lost in foreign")
def _(site):
    site.board("app charge off")
    site.reaches("foreign")
    lost(site)
    back(site)
    site.reaches("foreign")


# ---- the bridge ----

@row("bridge killed in idle")
def _(site):
    site.restart()
    site.polls(2)
    site.reaches("idle")


@row("bridge killed in pending", profile="lfp-4s,soc=50,current=-5")
def _(site):
    site.wish(CHARGE, 1)
    site.reaches("pending", 7)
    site.restart()
    site.polls(2)
    site.reaches("idle")


@row("bridge killed in writing", profile="lfp-4s,current=0,command=mute", reply_timeout_ms=1500)
def _(site):
    site.wish(CHARGE, 1)
    site.gets("E1 0001")
    site.restart()
    site.reaches("foreign")
    site.polls(2)


@row("bridge killed in verifying", profile="lfp-4s,current=0,command=late")
def _(site):
    site.wish(CHARGE, 1)
    site.reaches("verifying")
    site.restart()
    site.reaches("foreign")
    site.polls(2)


@row("bridge killed in confirmed; then reset")
def _(site):
    confirmed(site)
    site.restart()
    site.reaches("foreign")
    site.polls(2)
    site.wish(RESET, 1)
    site.reaches("idle")


@row("bridge killed in confirmed; the client writes its wish again")
def _(site):
    confirmed(site)
    site.restart()
    site.wish(CHARGE, 1)
    site.reaches("confirmed")


@row("bridge killed in failed", profile="lfp-4s,current=0,command=refuse")
def _(site):
    site.wish(CHARGE, 1)
    site.reaches("failed")
    site.restart()
    site.polls(2)
    site.reaches("idle")


@row("bridge stopped in confirmed")
def _(site):
    confirmed(site)
    site.daemon.end()


@row("bridge stopped in confirmed, lease_end keep", lease_end="keep")
def _(site):
    confirmed(site)
    site.daemon.end()


@row("reload during a write", profile="lfp-4s,current=0,command=mute", reply_timeout_ms=1500)
def _(site):
    site.wish(CHARGE, 1)
    site.gets("E1 0001")
    site.reload(lease_s=90)
    site.reaches("confirmed")


@row("reload with control off, in confirmed")
def _(site):
    confirmed(site)
    site.reload(control="off")
    site.reaches("off")
    site.polls(3)


# ---- clients ----

@row("two clients: the second one gets exception 06")
def _(site):
    confirmed(site)
    other = Modbus(site.port, "127.0.0.2")
    assert other.write(1, CHARGE, 0) == -6
    assert other.write(1, DISCHARGE, 1) == -6
    site.polls(2)
    site.reaches("confirmed")


@row("a client without permission, a bad value: exceptions 01 and 03")
def _(site):
    got = Modbus(site.port, "127.0.0.3").write(1, CHARGE, 1), site.client.write(1, CHARGE, 2)
    assert got == (-1, -3), got
    site.polls(2)
    site.reaches("idle")


@row("discharge is not enabled: exception 02", control="charge")
def _(site):
    assert site.client.write(1, DISCHARGE, 1) == -2
    site.polls(2)


@row("lease ends in confirmed")
def _(site):
    site.wish(LEASE, 2)
    site.wish(CHARGE, 1)
    site.reaches("confirmed")
    site.reaches("idle")


@row("lease ends in confirmed, lease_end keep", lease_end="keep")
def _(site):
    site.wish(LEASE, 2)
    site.wish(CHARGE, 1)
    site.reaches("confirmed")
    until("the lease's end", lambda: site.client.read(1, CHARGE)[0] == 0)
    site.polls(3)


@row("lease ends during a write", profile="lfp-4s,current=0,command=mute", reply_timeout_ms=1800)
def _(site):
    site.wish(LEASE, 1)
    site.wish(CHARGE, 1)
    site.gets("E1 0001")
    site.reaches("idle")


@row("pack stale")
def _(site):
    site.board("mute on")
    until("a stale reading", lambda: site.client.read(1, 1)[0] != 1)
    site.wish(CHARGE, 1)
    site.reaches("pending", 2)
    site.board("mute off")
    site.reaches("confirmed", seconds=40)


@row("clock of the machine set: no timer of the daemon follows it")
def _(site):
    confirmed(site)
    clocks = subprocess.run("grep -h '^clockid:' /proc/%d/fdinfo/* || true" % site.daemon.process.pid, shell=True,
                            capture_output=True, text=True).stdout.split("\n")
    assert any(clocks) and not [clock for clock in clocks if clock in ("clockid: 0", "clockid: 8")], clocks


# ---- all of them ----

def play(entry):
    fault, setup, function = entry
    try:
        site = Site(**setup)
        function(site)
        end = site.end()
        commands, states = site.commands(), site.states()
    except AssertionError as error:
        return fault, None, str(error)
    unknown = [command for command in commands if command[0] == "?"]
    if unknown:
        return fault, None, "it got %s" % unknown
    return fault, "| %s | %s | %s | %s |" % (fault, ", ".join(states) or "idle", ", ".join(commands) or "nothing",
                                             end), None


def main():
    wanted = [word for word in sys.argv[4:] if word != "--write"]
    rows = [entry for entry in ROWS if not wanted or any(word in entry[0] for word in wanted)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(play, rows))
    failed = [entry for entry in found if entry[1] is None]
    for fault, _, why in failed:
        print("FAILED: %s: %s" % (fault, why))
    lines = ["| fault | states shown | commands sent | the end |", "| --- | --- | --- | --- |"]
    lines += [line for _, line, _ in found if line]
    if wanted or failed:
        print("\n".join(lines))
        return 1 if failed else 0
    with open(TABLE) as document:
        text = document.read()
    head, tail = text.split("| fault |")[0], text[text.rindex("|\n") + 2:]
    if "--write" in sys.argv:
        with open(TABLE, "w") as document:
            document.write(head + "\n".join(lines) + "\n" + tail)
        return 0
    wrong = [line for line in lines if line not in text.split("\n")]
    for line in wrong:
        print("not in %s: %s" % (TABLE, line))
    print("%d rows, %d not as the document has them" % (len(rows), len(wrong)))
    return 1 if wrong or text.count("\n| ") != len(rows) + 2 else 0


sys.exit(main())
