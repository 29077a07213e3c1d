# SPDX-License-Identifier: MIT
"""Walks a SunSpec device as a client does: the marker at 40000, model by model to the end; then reads
points by their offsets, with their scale factors. Usage: sunspec.py PORT UNIT"""
import sys

from anymodbus import Client, ModbusTcpClient

client = Client(ModbusTcpClient("127.0.0.1", port=int(sys.argv[1])))
unit = int(sys.argv[2])


def read(addr, count):
    reply = client.read("holding_registers", addr, count, unit)
    assert not reply.isError(), reply
    return reply.registers


def signed(raw):
    return raw - 65536 if raw & 0x8000 else raw


def text(words):
    return b"".join(w.to_bytes(2, "big") for w in words).rstrip(b"\0").decode()


assert read(40000, 2) == [0x5375, 0x6E53], "no SunS"
addr, models = 40002, {}
while True:
    model, length = read(addr, 2)
    if model == 0xFFFF:
        assert length == 0
        break
    models[model] = (addr, length)
    addr += 2 + length
    assert addr < 40500, "no end"
print("models", {m: a for m, (a, _) in models.items()}, "end", addr)
assert models[1][1] == 66 and models[802][1] == 62 and models[803][1] == 58
assert list(models) == [1, 802, 803]

one = read(models[1][0], 68)
assert text(one[2:18]) == "packbridge" and text(one[50:66]) == "camper"
base = read(models[802][0], 64)
scale = {name: signed(base[52 + i]) for i, name in enumerate(
    "AHRtg WHRtg WChaDisChaMax DisChaRte SoC DoD SoH V CellV A AMax W".split())}
soc = base[11] * 10 ** scale["SoC"]
volts = base[34] * 10 ** scale["V"]
amps = signed(base[44]) * 10 ** scale["A"]
watts = signed(base[47]) * 10 ** scale["W"]
assert 0 < soc < 100 and abs(soc + base[12] * 10 ** scale["DoD"] - 100) < 0.11
assert 11 < volts < 15, volts
assert abs(watts - volts * amps) <= 15 + abs(watts) * 0.02, (watts, volts, amps)
assert base[2] * 10 ** scale["AHRtg"] == 350 and base[3] * 10 ** scale["WHRtg"] == 4480
assert base[21] == 4 and base[22] == 3 and base[16] in (3, 4, 6)
low, high = base[40] * 10 ** scale["CellV"], base[37] * 10 ** scale["CellV"]
assert 2.5 < low <= base[43] * 10 ** scale["CellV"] <= high < 3.7
print(f"model 802: {soc:.1f} %, {volts:.2f} V, {amps:.1f} A, {watts} W")
string = read(models[803][0], 60)
assert string[2] == 1 and string[28] == 2 and abs(string[28 + 4] - base[11]) <= 1
# the heartbeat goes on; a read may begin and end anywhere
assert read(40069, 3)[1] == 802
print("SunSpec holds")
