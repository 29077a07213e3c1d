#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the daemon costs: start, rest, polls and memory, on simulated packs.

    daemon.py PROGRAM [SECONDS]     60 s for each number of packs; about seven minutes

The program runs on processor 1, this on 0. CPU times are the kernel's (schedstat), in user space and
in system calls; simulated packs cost what they cost, and that is part of the figures. Loopback only;
ends what it starts. PACKBRIDGE_MAPS as for the program.
"""
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

program = sys.argv[1]
seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60
folder = tempfile.mkdtemp(prefix="bench-daemon-")
READ = bytes.fromhex("0001000000060103001000010000")[:12]  # voltage of unit 1


class Daemon:
    def __init__(self, packs, extra="", listen="{tcp: '127.0.0.1:0'}"):
        path = f"{folder}/packbridge.yaml"
        with open(path, "w") as file:
            file.write(f"control: {folder}/control\nlisten: [{listen}]\npacks:\n")
            for i in range(1, packs + 1):
                file.write(f"  - {{name: p{i}, link: 'sim:lfp-16s,seed={i}', unit: {i}{extra}}}\n")
        self.log = open(f"{folder}/log", "w+")
        self.begin = time.monotonic()
        self.process = subprocess.Popen([program, "run", "-c", path], stderr=self.log,
                                        preexec_fn=lambda: os.sched_setaffinity(0, {1}))
        self.pid = self.process.pid
        self.packs = packs

    def said(self):
        return open(f"{folder}/log").read()

    def port(self):
        while True:
            found = re.search(r"port (\d+)\n", self.said())
            if found:
                return int(found.group(1))
            time.sleep(0.0002)

    def ready(self):
        while self.said().count("first reading") < self.packs:
            time.sleep(0.05)
        return self

    def cpu(self):
        return int(open(f"/proc/{self.pid}/schedstat").read().split()[0]) / 1e9

    def switches(self):
        text = open(f"/proc/{self.pid}/status").read()
        return sum(int(n) for n in re.findall(r"voluntary_ctxt_switches:\s+(\d+)", text))

    def memory(self):
        """PSS in KiB: all, and by what it is made of."""
        parts, name = {}, ""
        for line in open(f"/proc/{self.pid}/smaps"):
            head = re.match(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+\s*(.*)", line)
            if head:
                name = os.path.basename(head.group(1)) or "other"
            elif line.startswith("Pss:"):
                parts[name] = parts.get(name, 0) + int(line.split()[1])
        return sum(parts.values()), parts

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait() == 0


def ask(client, unit=1):
    request = bytearray(READ)
    request[6] = unit
    client.sendall(request)
    return client.recv(300)


def start():
    """exec to the first good reply, of a pack that answers at once."""
    times = []
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    for _ in range(15):
        daemon = Daemon(1, ", settle_ms: 0, gap_ms: 0", f"{{tcp: '127.0.0.1:{port}'}}")
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port)) as client:
                    while len(ask(client)) != 11:
                        pass
                break
            except ConnectionRefusedError:
                pass
        times.append(time.monotonic() - daemon.begin)
        daemon.end()
    print(f"exec to first good reply: {statistics.median(times) * 1e3:.1f} ms "
          f"({min(times) * 1e3:.1f} to {max(times) * 1e3:.1f}), fork and exec by Python among it")


def rest():
    """Nobody asks, and the next poll is far away."""
    daemon = Daemon(3, ", poll_ms: 3600000").ready()
    clients = [socket.create_connection(("127.0.0.1", daemon.port())) for _ in range(8)]
    for client in clients:
        ask(client)
    time.sleep(3)
    switches, cpu = daemon.switches(), daemon.cpu()
    time.sleep(20)
    print(f"20 s between two polls, 8 silent clients: {daemon.switches() - switches} wake-ups, "
          f"{(daemon.cpu() - cpu) * 1e6:.0f} us of CPU")
    for client in clients:
        client.close()
    daemon.end()


def polls():
    print("\npacks  polled each second: CPU for each poll   PSS")
    for packs in (1, 8, 32, 64, 240):
        daemon = Daemon(packs, ", poll_ms: 1000").ready()
        time.sleep(2)
        cpu, begin = daemon.cpu(), time.monotonic()
        time.sleep(seconds)
        each = (daemon.cpu() - cpu) / (packs * (time.monotonic() - begin))
        print(f"{packs:5}  {each * 1e6:37.1f} us  {daemon.memory()[0]:5} KiB", flush=True)
        daemon.end()


def memory():
    daemon = Daemon(32, ", poll_ms: 1000").ready()
    port = daemon.port()
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(64)]
    for n in range(3):
        for client in clients:
            for unit in range(1, 33):
                assert len(ask(client, unit)) == 11
    total, parts = daemon.memory()
    own = {"[heap]", "packbridge", "[stack]", "other"}
    print(f"\n32 packs, 64 clients: PSS {total} KiB, of them "
          f"{sum(kib for name, kib in parts.items() if name in own)} our own:")
    for name, kib in sorted(parts.items(), key=lambda part: -part[1]):
        if kib >= 20:
            print(f"{kib:7} {name}")
    for client in clients:
        client.close()
    daemon.end()


os.sched_setaffinity(0, {0})
start()
rest()
memory()
polls()
for name in os.listdir(folder):
    os.unlink(f"{folder}/{name}")
os.rmdir(folder)
