# SPDX-License-Identifier: MIT
"""What the real daemon counts and remembers: ended, killed, broken, unwritable, reloaded, reset.

usage: test_history.py PROGRAM
"""
import json
import os
import re
import signal
import shutil
import socket
import subprocess
import sys
import tempfile
import time

PROGRAM = sys.argv[1]
folder = tempfile.mkdtemp(prefix="pb-history-")
path = f"{folder}/state/history"
os.mkdir(f"{folder}/state")
port = None


def configure(history, packs=("house", "solar")):
    with open(f"{folder}/c.yaml", "w") as out:
        out.write("packs:\n")
        for unit, name in enumerate(packs, 1):
            out.write(f"  - {{name: {name}, link: 'sim:lfp-4s,ah=200,soc=62', unit: {unit}, poll_ms: 200, "
                      "gap_ms: 20, settle_ms: 0}\n")
        if len(packs) > 1:
            out.write(f"banks:\n  - {{name: camper, packs: [{', '.join(packs)}], unit: 100}}\n")
        out.write(f"listen:\n  - tcp: 127.0.0.1:0\nhistory: {history}\n"
                  f"status: {folder}/s.sock\ncontrol: {folder}/c.sock\n")


class Daemon:
    def __init__(self, environment=None):
        self.log = open(f"{folder}/log", "w+")
        self.process = subprocess.Popen([PROGRAM, "run", "-c", f"{folder}/c.yaml"], stderr=self.log,
                                        stdout=subprocess.DEVNULL, env=dict(os.environ, **(environment or {})))
        self.until(lambda: os.path.exists(f"{folder}/s.sock") and self.status(), "it runs")

    def until(self, what, name, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process.poll() is None, f"the daemon has ended: {self.text()}"
            got = what()
            if got:
                return got
            time.sleep(0.05)  # between two looks
        raise AssertionError(f"not in time: {name}; {self.text()}")

    def text(self):
        with open(f"{folder}/log") as log:
            return log.read()

    def ask(self, name, line):
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(f"{folder}/{name}.sock")
            except OSError:
                return ""
            client.sendall(line.encode() + b"\n")
            answer = b""
            while True:
                got = client.recv(65536)
                if not got:
                    return answer.decode()
                answer += got

    def status(self):
        answer = self.ask("s", "status")
        return json.loads(answer) if answer else None

    def fields(self, name="house"):
        status = self.status()
        return next(b["fields"] for b in status["packs"] + status["banks"] if b["name"] == name)

    def counted(self, name="house", least=5):
        """Once something has been counted."""
        return self.until(lambda: self.fields(name)["charged_mah"] + self.fields(name)["discharged_mah"] >= least
                          and self.fields(name), f"{name} counts")

    def end(self, with_signal=signal.SIGTERM):
        self.process.send_signal(with_signal)
        self.process.wait()
        for name in ("s", "c"):
            if os.path.exists(f"{folder}/{name}.sock"):
                os.unlink(f"{folder}/{name}.sock")
        return self.text()


def saved(key, name="house"):
    with open(path) as file:
        section = re.search(rf"^pack {name}\n((?: .*\n)*)", file.read(), re.M).group(1)
    return int(re.search(rf"^ {key} (\d+)", section, re.M).group(1))


def total(fields):
    return fields["charged_mah"] + fields["discharged_mah"]


def check(what, name):
    assert what, name
    print(f"ok: {name}")


try:
    configure(f"{{path: {path}, interval_s: 60}}")
    daemon = Daemon()
    first = daemon.counted()
    check(daemon.fields("camper")["unmeasured_s"] < 5, "a bank counts")
    check("charged_today_mwh" in first or "discharged_today_mwh" in first, "today")
    metrics = daemon.ask("s", "metrics")
    check(re.search(r'^packbridge_charged_joules_total\{pack="house"\} [0-9.]+$', metrics, re.M), "metrics")
    check("# TYPE packbridge_discharged_coulombs_total counter" in metrics, "a counter")
    daemon.end()
    check(saved("charged_mah") + saved("discharged_mah") >= total(first), "saved at the end")
    check(os.listdir(f"{folder}/state") == ["history"], "nothing is left over")

    before = saved("charged_mah") + saved("discharged_mah")
    daemon = Daemon()
    check(total(daemon.fields()) >= before, "goes on")
    check(f"history: {path} has 3 records" in daemon.text(), "says what it has read")
    daemon.counted(least=before + 3)
    # killed: what was counted since the save at its start is lost, and it says so
    daemon.until(lambda: "ended no" in open(path).read(), "the first save")
    at_start = saved("charged_mah") + saved("discharged_mah")
    unmeasured = daemon.fields()["unmeasured_s"]
    daemon.end(signal.SIGKILL)
    daemon = Daemon()
    check("history: the program did not end by itself" in daemon.text(), "says that something is lost")
    after = daemon.fields()
    check(total(after) >= at_start and after["unmeasured_s"] >= unmeasured, "as it was saved last")

    # a reload saves, keeps what goes away, and gives it back
    daemon.counted("solar", least=total(daemon.fields("solar")) + 2)
    solar = total(daemon.fields("solar"))
    configure(f"{{path: {path}, interval_s: 60}}", ["house"])
    check(daemon.ask("c", "reload").startswith("ok"), "reload")
    check(total(daemon.fields()) >= total(after), "over a reload")
    daemon.until(lambda: saved("charged_mah", "solar") + saved("discharged_mah", "solar") >= solar,
                 "saved at the reload")
    configure(f"{{path: {path}, interval_s: 60}}")
    check(daemon.ask("c", "reload").startswith("ok"), "reload back")
    check(total(daemon.fields("solar")) >= solar, "a pack that is there again goes on")

    # reset
    answer = subprocess.run([PROGRAM, "reset", "--history", "-s", f"{folder}/c.sock", "house"], text=True,
                            stdin=subprocess.DEVNULL, capture_output=True)
    check(answer.returncode == 1 and "--yes" in answer.stderr, "reset asks")
    answer = subprocess.run([PROGRAM, "reset", "--history", "--yes", "-s", f"{folder}/c.sock", "house"], text=True,
                            capture_output=True)
    check(answer.returncode == 0 and answer.stdout == "ok: the history of house begins anew\n", "reset --history")
    check(total(daemon.fields()) < 3, "begins anew")
    check(total(daemon.fields("solar")) >= solar, "others stay")
    for options, status in ((["--history"], 2), (["--yes"], 2), (["--history", "--yes", "nobody"], 1)):
        answer = subprocess.run([PROGRAM, "reset", "-s", f"{folder}/c.sock"] + options, capture_output=True)
        check(answer.returncode == status, f"reset {options}")
    daemon.end()

    # broken, foreign: named, kept aside, and no hindrance
    for number, text in enumerate((open(path).read().replace("charged", "Charged"), "something else\n",
                                   "packbridge-history 99\n"), 1):
        with open(path, "w") as file:
            file.write(text)
        daemon = Daemon()
        check(f"it is kept as {path}.broken-{number}, counting begins anew" in daemon.text(), f"broken {number}")
        daemon.end()
        check(open(f"{path}.broken-{number}").read() == text, "kept as it was")

    # no folder, no StateDirectory, off: said once, and it counts all the same
    configure(f"{{path: {folder}/none/history}}")
    daemon = Daemon()
    daemon.until(lambda: f"history: can't save {folder}/none/history: No such file" in daemon.text(), "can't save")
    daemon.counted(least=1)
    daemon.end()
    configure("{}")
    daemon = Daemon({"STATE_DIRECTORY": ""})
    check("history: counted energy and extremes begin anew at each start" in daemon.text(), "no place")
    daemon.end()
    daemon = Daemon({"STATE_DIRECTORY": f"{folder}/state"})
    daemon.until(lambda: os.path.exists(path), "in the StateDirectory")
    daemon.end()
    os.unlink(path)
    configure("off")
    text = Daemon({"STATE_DIRECTORY": f"{folder}/state"}).end()
    check("history" not in text and not os.path.exists(path), "off")
finally:
    shutil.rmtree(folder)
