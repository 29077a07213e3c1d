# SPDX-License-Identifier: MIT
"""Reads exported configurations as their programs would. Usage: exports.py FOLDER, which holds
MAP.FORMAT files; or exports.py --lines FILE: the mbpoll commands of a file, one a line."""
import json
import pathlib
import sys
import tomllib
import xml.dom.minidom

import yaml

DATA_TYPES = {"int16", "uint16", "int32", "uint32", "float32", "string"}
TELEGRAF_TYPES = {"INT16", "UINT16", "INT32", "UINT32", "FLOAT32", "STRING"}


def unique(names, what):
    names = list(names)
    assert names, f"{what}: nothing"
    double = {name for name in names if names.count(name) > 1}
    assert not double, f"{what}: twice: {double}"


def check_homeassistant(text, what):
    hubs = yaml.safe_load(text)["modbus"]
    sensors = hubs[0]["sensors"]
    binary = hubs[0].get("binary_sensors", [])
    unique((s["unique_id"] for s in sensors + binary), what)
    unique((s["name"] for s in sensors + binary), what)
    for sensor in sensors:
        assert sensor["data_type"] in DATA_TYPES and sensor["input_type"] in ("holding", "input")
        assert 0 <= sensor["address"] <= 65535 and 0 <= sensor["slave"] <= 255
        assert (sensor["data_type"] == "string") == ("count" in sensor)
    for sensor in binary:
        assert sensor["input_type"] in ("discrete_input", "coil")


def check_telegraf(text, what):
    config = tomllib.loads(text)["inputs"]["modbus"][0]
    assert config["configuration_type"] == "request"
    unique((f["name"] for r in config["request"] for f in r["fields"]), what)
    for request in config["request"]:
        bits = request["register"] in ("coil", "discrete")
        assert request["byte_order"] in ("ABCD", "CDAB")
        for field in request["fields"]:
            assert bits or field["type"] in TELEGRAF_TYPES, field
            assert ("scale" in field) == ("output" in field)


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
