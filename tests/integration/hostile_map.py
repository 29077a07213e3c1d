# SPDX-License-Identifier: MIT
"""Exports of maps that are made of nothing but attempts to escape. Usage: hostile_map.py PROGRAM FOLDER"""
import csv
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET

import yaml

PROGRAM, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
CANARY = "PWNED"
FORMATS = ("markdown csv json twincat st homeassistant telegraf nodered iobroker openhab modbusscope "
           "mbpoll").split()

# each stands in every place for a text
TEXTS = [
    f"x\ntouch {CANARY}\n#",
    f"x\r\ntouch {CANARY}\r\n#",
    f"x\u2028touch {CANARY}\u2029x\u0085touch {CANARY}\vx\ftouch {CANARY}",
    f"$(touch {CANARY}) `touch {CANARY}` ; touch {CANARY} & | > {CANARY}",
    "*) pwned : INT; (* x *) {pragma} (* (* */ /* //",
    '"\n[[inputs.exec]]\n  commands = ["touch PWNED"]\n#',
    '"]\n[[inputs.exec]]',
    '""" \'\'\' " \' \\ \\" \\n \\u0022 \\',
    "ends with a backslash \\",
    'x"\npwned: !!python/object/apply:os.system ["touch PWNED"]\n- "',
    "x: y # z\n--- \n... ]]> <![CDATA[ --> <!-- &lt; &pwned; <pwned a='b\"'>",
    "</xhtml></documentation><pwned/><documentation><xhtml>",
    "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\x08",
    "\u202eevil\u202c \u2066x\u2069 a\u200bb\ufeff",
    "=HYPERLINK(\"http://pwned\")",
    "+1+1", "-1+1", "@SUM(1)", "=cmd|'/c pwned'!A1", "\t=1+1",
    "| pwned | cell |\n\n# pwned\n\n<script>pwned</script> [x](javascript:pwned) ![](http://pwned)",
    "```\npwned\n```", "~~~", "> pwned", "- pwned", "# pwned", "1. pwned", "===", "~~~\npwned",
    "';pwned();//", "${pwned}", "*/pwned()/*", "\\u000apwned", "3rd", "123", "true", "~", "null",
]
# as the file is called, so no '/'; '+' begins options
NAMES = ['x"y', "x\\", "x`touch PWNED`", "$(touch PWNED)", "x y", "12", "=1", "<x>", "x*)y", "x]]>", "1_1", "x'"]
REFUSED = ["x\ny", "\u202ex", "x\x1b[2J"]


def clean(text):
    """What the program makes of it, by a second implementation."""
    out = []
    for c in text.split("\0")[0]:
        n = ord(c)
        if 9 <= n <= 13 or n in (0x85, 0x2028, 0x2029):
            out.append(" ")
        elif n < 32 or 127 <= n < 160 or 0x200b <= n <= 0x200f or 0x202a <= n <= 0x202e \
                or 0x2060 <= n <= 0x206f or n == 0xfeff:
            out.append("?")
        else:
            out.append(c)
    return "".join(out)


def node(text):
    return clean(text).rstrip(" ")


def write_map(path, name, text):
    def row(addr, **more):
        return {"addr": addr, "description": text, **more}
    tree = {
        "map": name, "version": 1, "title": text[:100], "description": text, "scope": "pack",
        "blocks": [
            {"name": text[:60], "description": text, "tables": ["input", "holding"], "addr": 0, "count": 10,
             "rows": [
                 row(0, type="u16", field="voltage_mv", unit="V", scale=0.01),
                 row(1, type="s16", field="temperature_mc", index=0, unit="degC", scale=0.1, na=0x8000),
                 row(2, type="string", words=4, field="device_name"),
                 row(6, type="u16", field="cycles"),
                 row(7, type="bits", bits=[{"bit": 0, "field": "connected"}]),
                 row(8, type="u16", access="rw", value=3), row(9, type="u16", value=7)]},
            {"name": text[:50] + " bits", "description": text, "tables": ["discrete", "coil"], "addr": 0, "count": 2,
             "rows": [row(0, type="coil", field="protection_mask", bit=0), row(1, type="coil", field="connected")]},
        ],
    }
    # JSON is YAML, and keeps every character
    path.write_text(json.dumps(tree))


def run(*args):
    return subprocess.run([PROGRAM, *args], capture_output=True, check=False)


def no_controls(text, what):
    bad = [c for c in text if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 or c in "\u2028\u2029\u202e\ufeff"]
    assert not bad, (what, bad)


def check_markdown(text, what, original):
    cells = 0
    for line in text.splitlines():
        assert not re.match(r"\s*(```|~~~)", line), (what, line)
        assert "<script" not in line and "<pwned" not in line and "<!--" not in line, (what, line)
        assert not re.search(r"(?<!\\)\]\(", line), (what, line)
        if line.startswith("|"):
            cells += 1
            assert len(re.findall(r"(?<!\\)\|", line.replace("\\\\", ""))) == 9, (what, line)
    assert cells == 2 * 2 + 9, (what, cells)
    assert sum(line.startswith("#") for line in text.splitlines()) == 3, what


def check_csv(text, what, original):
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) == 1 + 9 and all(len(r) == 13 for r in rows), (what, rows)
    for r in rows[1:]:
        assert r[12].lstrip("'") == original.lstrip("'") or original in r[12] or r[12][1:] == original, (what, r[12], original)
        assert not r[12] or r[12][0] not in "=+-@", (what, r[12])


def check_json(text, what, original):
    root = json.loads(text)
    assert set(root) == {"map", "version", "scope", "title", "word_order", "rows"}, what
    assert len(root["rows"]) == 9
    assert root["rows"][0]["description"] == original, (what, root["rows"][0]["description"], original)


def check_homeassistant(text, what, original):
    root = yaml.safe_load(text)
    assert list(root) == ["modbus"] and len(root["modbus"]) == 1, what
    hub = root["modbus"][0]
    assert set(hub) <= {"name", "type", "host", "port", "sensors", "binary_sensors"}, (what, set(hub))
    # a text is no entity: zeros behind it stop PostgreSQL
    assert len(hub["sensors"]) == 5 and len(hub["binary_sensors"]) == 2, what
    for entity in hub["sensors"] + hub["binary_sensors"]:
        assert isinstance(entity["unique_id"], str) and isinstance(entity["name"], str), (what, entity)
        assert set(entity) <= {"name", "unique_id", "slave", "address", "input_type", "data_type", "scale", "offset",
                               "precision", "swap", "nan_value", "unit_of_measurement", "device_class", "state_class",
                               "count"}, (what, entity)


def check_telegraf(text, what, original):
    root = tomllib.loads(text)
    assert "inputs" in root and list(root["inputs"]) == ["modbus"], (what, root)
    for plugin in root["inputs"]["modbus"]:
        assert set(plugin) <= {"name", "controller", "configuration_type", "request", "tags"}, (what, set(plugin))
    assert sum(len(plugin["request"]) for plugin in root["inputs"]["modbus"]) == 2, what


def check_nodered(text, what, original):
    flow = json.loads(text)
    assert [n["type"] for n in flow] == ["tab", "modbus-client", "debug"] + ["modbus-read", "function"] * 2, what
    for n in flow:
        for line in n.get("func", "").splitlines():
            assert "pwned" not in line.lower() or line.startswith("v."), (what, line)
            if line.startswith("v."):
                assert re.fullmatch(r"v\.[a-z_][a-z0-9_]* = [A-Za-z0-9_()., {}:=>+*-]+;", line), (what, line)


def check_iobroker(text, what, original):
    root = json.loads(text)
    assert sum(len(root[table]) for table in ("disInputs", "coils", "inputRegs", "holdingRegs")) >= 6, (what, root)


def check_openhab(text, what, original):
    """Lines of things, items and comments; no text in quotes ends early."""
    for line in text.splitlines():
        code = re.sub(r'"(\\.|[^"\\])*"', '""', line)
        assert not code or code.startswith("//") or re.fullmatch(r"[A-Za-z0-9_:\[\]{}(), =<>.%*/\"-]*", code), (what, line)


def check_xml(text, what, original):
    root = ET.fromstring(text)
    tags = {e.tag.split("}")[-1] for e in root.iter()}
    assert not any("pwned" in t for t in tags), (what, tags)
    return root


def st_code(text):
    """The text without its comments, which nest in some compilers and not in others."""
    nested = out = 0
    kept = []
    depth = 0
    i = 0
    while i < len(text):
        if text.startswith("(*", i):
            depth += 1
            assert depth == 1, "a comment within a comment"
            i += 2
        elif text.startswith("*)", i):
            depth -= 1
            assert depth == 0, "the end of no comment"
            i += 2
        else:
            if depth == 0:
                kept.append(text[i])
            i += 1
    assert depth == 0, "a comment without an end"
    return "".join(kept)


def check_st(text, what, original):
    code = st_code(text)
    assert "pwned" not in code.lower().replace("pb_", "") or re.fullmatch(r"[\x20-\x7e\n\t]*", code), what
    assert not re.search(r"pwned\s*:\s*INT", code), (what, code)
    for line in code.splitlines():
        assert re.fullmatch(r"[A-Za-z0-9_ \t:;=<>#.,()\[\]*+-]*", line), (what, line)


def check_twincat(text, what, original):
    root = check_xml(text, what, original)
    documents = [e for e in root.iter() if e.tag.endswith("documentation")]
    assert documents and all(len(list(d.iter())) == 2 for d in documents), what


def check_mbpoll(text, what, original):
    for line in text.splitlines():
        assert line.startswith("#") or re.fullmatch(r"mbpoll -m tcp -p 502 -a 1 -0 -r \d+ -c \d+ -t [0-9a-z: -]+B? -1 127.0.0.1", line), (what, line)
    place = FOLDER / "run"
    place.mkdir(exist_ok=True)
    (place / "mbpoll").write_text("#!/bin/sh\n")
    (place / "mbpoll").chmod(0o755)
    script = place / "script"
    script.write_text(text)
    subprocess.run(["sh", "-n", script], check=True)
    subprocess.run(["sh", script], check=True, cwd=place, env={"PATH": f"{place}:{os.environ['PATH']}"})
    assert not (place / CANARY).exists(), what


CHECKS = {"markdown": check_markdown, "csv": check_csv, "json": check_json, "homeassistant": check_homeassistant,
          "telegraf": check_telegraf, "nodered": check_nodered, "twincat": check_twincat, "modbusscope": check_xml,
          "st": check_st, "mbpoll": check_mbpoll, "iobroker": check_iobroker, "openhab": check_openhab}
assert set(CHECKS) == set(FORMATS)

count = 0
for name, text in [("hostile", t) for t in TEXTS] + [(n, n) for n in NAMES]:
    path = FOLDER / f"{name}.yaml"
    write_map(path, name, text)
    for form in FORMATS:
        what = f"{form} of {text!r}"
        whole = ["--with", "all"] if form in ("homeassistant", "iobroker", "openhab") else []
        result = run("map", "export", str(path), "--format", form, *whole)
        assert result.returncode == 0, (what, result.stderr)
        shown = result.stdout.decode()
        no_controls(shown, what)
        CHECKS[form](shown, what, node(text))
        count += 1
    for args in (("map", "show", str(path)), ("map", "show", str(path) + "x")):
        result = run(*args)
        no_controls((result.stdout + result.stderr).decode(), (args, text))
for name in REFUSED:
    path = FOLDER / f"{name}.yaml"
    write_map(path, name, "x")
    result = run("map", "show", str(path))
    assert result.returncode == 1, name
    no_controls(result.stderr.decode(), name)
# where client code finds the unit is a host, and no more
for host in ("x;touch PWNED", "x y", 'x"', "x'", "$(x)", "x\ny", "<x>:502"):
    assert run("map", "export", str(FOLDER / "hostile.yaml"), "--format", "mbpoll", "--host", host).returncode == 2, host
print(f"{count} exports hold what they should and no more")
