# SPDX-License-Identifier: MIT
"""Bytes that packs are sent while nobody may switch them: control_off.py PROGRAM TOOLS GOLDEN [--write]

They are those of the program before it could switch anything: GOLDEN was recorded with it, byte for byte, without
times. Each case ends after so many requests; what follows are repeated polls."""
import json
import sys
import tempfile

from boards import Bluetooth, Boards, Daemon, until

PROGRAM, TOOLS, GOLDEN = sys.argv[1:4]
COMMON = "unit: 1, poll_ms: 300, gap_ms: 5, settle_ms: 0, reply_timeout_ms: 250, stale_after_s: 5"

# what is behind the link, `protocol:`, how many requests are compared
TCP = {
    "jbd": ("lfp-4s", "jbd", 14),
    "jbd 32 cells, tenths": ("lfp-16s,ah=900", "jbd", 10),
    "jbd asleep": ("lfp-4s,wake=0", "jbd", 8),
    "daly D2": ("daly-lfp-4s", "daly", 14),
    "daly P81": ("daly-lfp-16s", "daly", 16),
    "daly A5": ("daly-nmc-14s", "daly", 30),
    "daly A5, host 40": ("daly-old-lfp-8s", "daly", 34),
    "jk 32 slots": ("jk-lfp-8s", "jk", 2),
    "jk new": ("jk-lfp-16s", "jk", 2),
    "jk 24 slots": ("jk-nmc-14s", "jk", 2),
    "auto, jbd": ("lfp-8s", "auto", 12),
    "auto, daly D2": ("daly-lfp-4s", "auto", 12),
    "auto, daly A5": ("daly-nmc-14s", "auto", 20),
    "auto, jk": ("jk-lfp-8s", "auto", 6),
}
SILENT = {"silent, jbd": ("jbd", 6), "silent, daly": ("daly", 12), "silent, jk": ("jk", 4), "silent, auto": ("auto", 14)}
SHARED = {"shared P81": ("daly-lfp-16s", 24), "shared A5": ("daly-old-lfp-8s", 60)}
BLE = {
    "ble jbd": ("lfp-4s", "jbd", "chunk=20", "", 10),
    "ble jbd with a password": ("lfp-4s", "jbd", "password=123456", ", password: '123456'", 14),
    "ble daly D2": ("daly-lfp-4s", "daly", "service=fff0 manufacturer=d", "", 10),
    "ble daly A5": ("daly-nmc-14s", "daly", "service=fff0 manufacturer=d", "", 20),
    "ble jk": ("jk-lfp-16s", "jk", "service=ffe0 manufacturer=j", "", 2),
}
MAC = "A4:C1:38:00:00:%02X"


def pack(number, link, protocol, more=""):
    return "  - {name: p%d, link: '%s', protocol: %s, %s%s}\n" % (number, link, protocol, COMMON.replace(
        "unit: 1", "unit: %d" % number), more)


def record(case, text, requests, count, environment=None):
    """What the daemon sends with that configuration, the first @count requests."""
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(PROGRAM, folder + "/packbridge.yaml", "packs:\n" + text, environment)
        try:
            until("%d requests of %s" % (count, case), lambda: len(requests()) >= count, 30)
        except AssertionError as error:
            sys.exit("%s: %s\n%s" % (error, requests(), daemon.log))
        daemon.end()
        return requests()[:count]


def record_all():
    found = {}
    boards = Boards(TOOLS, *(profile for profile, _, _ in TCP.values()))
    for n, (case, (_, protocol, count)) in enumerate(TCP.items()):
        found[case] = record(case, pack(1, "tcp:127.0.0.1:%d" % boards.ports[n], protocol),
                             lambda n=n: boards.requests(n), count)
    boards.end()
    boards = Boards(TOOLS, *(["lfp-4s"] * len(SILENT)))
    for n, (case, (protocol, count)) in enumerate(SILENT.items()):
        boards.say("%d mute on" % n)
        found[case] = record(case, pack(1, "tcp:127.0.0.1:%d" % boards.ports[n], protocol),
                             lambda n=n: boards.requests(n), count)
    boards.end()
    for case, (profile, count) in SHARED.items():
        boards = Boards(TOOLS, "--shared", profile, profile)
        link = "tcp:127.0.0.1:%d" % boards.ports[0]
        # two packs take turns by the clock: each one's requests are compared by themselves
        found[case] = split(record(case, "".join(pack(1 + i, link, "daly", ", address: %d" % (1 + i)) for i in range(2)),
                                   lambda: boards.requests(0), count))
        boards.end()
    with tempfile.TemporaryDirectory() as folder:
        air = Bluetooth(TOOLS, folder)
        for n, (case, (profile, protocol, options, more, count)) in enumerate(BLE.items()):
            mac = MAC % n
            air.fake.say("pack %s P%d %s log=y %s" % (mac, n, profile, options))
            found[case] = record(case, pack(1, "ble:" + mac, protocol, more), lambda mac=mac: air.fake.requests(mac), count,
                                 air.environment)
        air.end()
    return found


def split(requests):
    """By the address; as many of each as there surely are."""
    each = {}
    for request in requests:
        address = int(request[2:4], 16) - 0x3F if request.startswith("A5") else int(request[:2], 16) - 0x80
        each.setdefault(address, []).append(request)
    least = len(requests) // 3
    assert all(len(list) >= least for list in each.values()), each
    return {str(address): list[:least] for address, list in sorted(each.items())}


def main():
    found = record_all()
    if "--write" in sys.argv:
        with open(GOLDEN, "w") as out:
            json.dump(found, out, indent=0)
            out.write("\n")
        return 0
    with open(GOLDEN) as golden:
        expected = json.load(golden)
    assert sorted(expected) == sorted(found)
    wrong = [case for case in expected if expected[case] != found[case]]
    for case in wrong:
        print("%s:\n  before %s\n  now    %s" % (case, expected[case], found[case]))
    print("%d cases, %d wrong" % (len(expected), len(wrong)))
    return 1 if wrong else 0


sys.exit(main())
