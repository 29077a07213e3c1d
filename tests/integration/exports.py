# SPDX-License-Identifier: MIT
"""Reads exported configurations as their programs would. Usage: exports.py FOLDER, which holds
MAP.FORMAT files; or exports.py --lines FILE: the mbpoll commands of a file, one a line."""
import json
import pathlib
import re
import sys
import tomllib
import xml.dom.minidom

import yaml

DATA_TYPES = {"int16", "uint16", "int32", "uint32", "float32", "uint64"}
TELEGRAF_TYPES = {"INT16", "UINT16", "INT32", "UINT32", "FLOAT32", "UINT64"}  # texts need 1.29


def unique(names, what):
    names = list(names)
    assert names, f"{what}: nothing"
    double = {name for name in names if names.count(name) > 1}
    assert not double, f"{what}: twice: {double}"


def check_names(names, what):
    """Each has a name made for it: none of an address, none of a sentence."""
    for name in names:
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name), (what, name)
        assert not re.fullmatch(r"(bits|stored)_[0-9]+", name), (what, name)
        assert name.startswith("unit_") or not re.search(r"_[0-9]{3,}$", name), (what, name)
        assert len(name.split("_")) <= 6, (what, name)


def check_homeassistant(text, what):
    (hub,) = yaml.safe_load(text)["modbus"]
    sensors = hub.get("sensors", [])
    binary = hub.get("binary_sensors", [])
    switches = hub.get("switches", [])
    unique((s["unique_id"] for s in sensors + binary + switches), what)
    unique((s["name"] for s in sensors + binary + switches), what)
    for switch in switches:
        assert switch["write_type"] == "coil" and (switch["command_on"], switch["command_off"]) == (1, 0)
        assert switch["verify"] == {"input_type": "discrete_input", "address": switch["address"]}
    # one entity a register
    unique(((s["slave"], s["input_type"], s["address"]) for s in sensors + binary), what)
    for sensor in sensors:
        # texts end in NULs, which PostgreSQL's recorders refuse
        assert sensor["data_type"] in DATA_TYPES and sensor["input_type"] in ("holding", "input")
        assert 0 <= sensor["address"] <= 65535 and 0 <= sensor["slave"] <= 255
    for sensor in binary:
        assert sensor["input_type"] in ("discrete_input", "coil")


def check_telegraf(text, what):
    # before 1.37, no comment could stand within an array
    for array in re.findall(r"fields = \[.*?\]", text, re.S):
        assert "#" not in array, what
    loaded = tomllib.loads(text)
    always = {}
    for plugin in loaded["inputs"]["modbus"]:
        assert plugin["configuration_type"] == "request"
        names = [f["name"] for r in plugin["request"] for f in r["fields"]]
        check_names(names, what)
        always.setdefault(plugin["name"], []).extend(names)
        assert not set(names) & {"name", "type", "slave_id", "host"}, what
        for request in plugin["request"]:
            bits = request["register"] in ("coil", "discrete")
            assert request["byte_order"] in ("ABCD", "CDAB")
            for field in request["fields"]:
                assert bits or field["type"] in TELEGRAF_TYPES, field
                assert ("scale" in field) == ("output" in field)
    for name, names in always.items():
        unique(names, f"{what} {name}")


def check_iobroker(text, what):
    settings = json.loads(text)
    unique((r["name"] for key in ("disInputs", "coils", "inputRegs", "holdingRegs") for r in settings[key]), what)


def check_openhab(text, what):
    things, items = text.split("items/packbridge.items")
    unique(re.findall(r"^(?:Number|Switch)\S* (\S+)", items, re.M), what)
    assert things.count("{") == things.count("}")
    channels = re.findall(r'channel="modbus:data:(\w+):(\w+):(\w+):(?:number|switch)"', items)
    for bridge, poller, thing in channels:
        body = things.split(f":{bridge} ", 1)[1].split("\n}\n", 1)[0]
        assert re.search(rf"Thing data {thing} ", body.split(f"poller {poller} ", 1)[1].split("    }\n", 1)[0])
    assert channels or "Switch" not in items


def check_nodered(text, what):
    flow = json.loads(text)
    unique((node["id"] for node in flow), what)
    ids = {node["id"] for node in flow}
    for node in flow:
        for wire in node.get("wires", []):
            assert set(wire) <= ids, node
        assert node.get("z") is None or node["z"] in ids
        if node["type"] == "modbus-read":
            assert node["server"] in ids
            limit = 2000 if node["dataType"] in ("Coil", "Input") else 125
            assert 1 <= int(node["quantity"]) <= limit


def check_xml(text, what):
    xml.dom.minidom.parseString(text)


def check_json(text, what):
    rows = json.loads(text)["rows"]
    assert rows, what


CHECKS = {
    "homeassistant": check_homeassistant,
    "telegraf": check_telegraf,
    "nodered": check_nodered,
    "iobroker": check_iobroker,
    "openhab": check_openhab,
    "twincat": check_xml,
    "modbusscope": check_xml,
    "json": check_json,
}

count = 0
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    form = path.suffix[1:]
    if form in CHECKS:
        CHECKS[form](path.read_text(), path.name)
        count += 1
print(f"{count} configurations are sound")
assert count >= 6
