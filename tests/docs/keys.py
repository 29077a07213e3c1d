# SPDX-License-Identifier: MIT
"""Holds docs/configuration.md's tables against the program's: keys | keys.py FILE [--write]"""
import re
import sys

path, write = sys.argv[1], "--write" in sys.argv
tables = {}
for line in sys.stdin:
    if line.startswith("@"):
        name = line[1:].strip()
        tables[name] = ""
    else:
        tables[name] += line
with open(path) as text:
    before = text.read()
seen = []


def region(match):
    seen.append(match.group(1))
    return "<!-- keys: %s -->\n%s<!-- end -->" % (match.group(1), tables[match.group(1)])


after = re.sub(r"<!-- keys: (\w+) -->\n.*?<!-- end -->", region, before, flags=re.S)
if sorted(seen) != sorted(tables):
    sys.exit("FAILED: tables in %s: %s, expected %s" % (path, seen, sorted(tables)))
if write:
    with open(path, "w") as text:
        text.write(after)
elif before != after:
    sys.exit("FAILED: %s has drifted; build/dev/tests/keys | python3 tests/docs/keys.py %s --write"
             % (path, path))
