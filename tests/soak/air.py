# SPDX-License-Identifier: MIT
"""fake_bluez on a bus of its own, and the programs that end with us."""
import asyncio
import functools
import os
import subprocess
import sys

# they end with us, however we do
run = functools.partial(asyncio.create_subprocess_exec, "setpriv", "--pdeathsig", "KILL")


class Air:
    def __init__(self, program, folder):
        self.program, self.folder, self.fronts, self.commands = program, folder, {}, []
        self.bus_address = "unix:path=%s/bus" % folder

    async def start(self):
        config = self.folder + "/bus.conf"
        with open(config, "w") as out:
            out.write("<busconfig><type>system</type><listen>%s</listen><auth>EXTERNAL</auth><policy context='default'>"
                      "<allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/><allow own='*'/>"
                      "<allow user='*'/></policy></busconfig>" % self.bus_address)
        self.bus = await run("dbus-daemon", "--config-file", config, "--nofork", "--nopidfile", "--print-address",
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        await self.bus.stdout.readline()
        environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.bus_address)
        self.fake = await run(self.program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        assert (await self.fake.stdout.readline()).strip() == b"ready"
        self.listener = asyncio.create_task(self.listen())
        self.say("adapter hci0 00:11:22:33:44:55")

    def say(self, line):
        self.fake.stdin.write(line.encode() + b"\n")

    def add(self, front, options, profile="lfp-4s"):
        """A pack; @front hears of it: told(n, when_ms) if it counts, wrote(bytes) and down() if its board is outside."""
        self.fronts[front.mac] = front
        self.say("pack %s CLOCK-%d %s %s" % (front.mac, len(self.fronts), profile, options))

    async def listen(self):
        while True:
            line = (await self.fake.stdout.readline()).decode().split()
            if not line:
                return
            if line[0] == "told":
                self.fronts[line[1]].told(int(line[2]), int(line[3]))
            elif line[0] == "wrote":
                self.fronts[line[1]].wrote(bytes.fromhex(line[2]))
            elif line[0] == "down":
                self.fronts[line[1]].down()
            elif line[0] == "error":
                sys.exit("fake_bluez: " + " ".join(line))

    async def stop(self):
        self.fake.stdin.write(b"quit\n")
        await self.fake.wait()
        self.bus.terminate()
        await self.bus.wait()
