#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Do the tests notice a wrong program? Changes one line at a time and runs the tests that should see it.

    tests/mutate.sh SEED COUNT TESTS FILE...
    tests/mutate.sh 1 20 '^unit/test_plant' src/plant/*.c

Works on a copy of the committed tree in build/mutate. TESTS is a pattern of test names, as ctest -R takes it. Prints
each mutation that lived. A mutation that does not compile is left out. The choice depends on SEED and the texts only;
each file gets a share that goes with its length. What lives is either a missing test, or a change that nobody can see:
a person decides. By hand, not in CI.
"""
import os
import random
import re
import subprocess
import sys

# What a slip of the hand would make. Each is tried at each place where it fits.
OPERATORS = [
    (r" < ", " <= "), (r" <= ", " < "), (r" > ", " >= "), (r" >= ", " > "),
    (r" == ", " != "), (r" != ", " == "),
    (r" && ", " || "), (r" \|\| ", " && "),
    (r" \+ ", " - "), (r" - ", " + "), (r" \* ", " + "),
    (r" \+ 1\b", ""), (r" - 1\b", ""),
    (r"\+\+", "--"), (r" \|= ", " = "), (r" \+= ", " = "),
    (r"\btrue\b", "false"), (r"\bfalse\b", "true"),
    (r"\bif \(!", "if ("), (r"\bif \((?=\w[^=]*$)", "if (!"),
    (r"\breturn 0;", "return -1;"), (r"\breturn !", "return "),
    (r"\b(\d{2,})\b", lambda m: str(int(m.group(1)) * 2)),
    (r"\bcontinue;", "break;"), (r"\bbreak;", "continue;"),
    # a statement that is left out
    (r"^(\t+)(?!return|break|continue|case|default|const|struct|enum|static|u?int|bool|char|size_t|PB_CLEANUP)"
     r"[a-z_]\w*(?:(?:->|\.)\w+|\[\w+\])*(?: [|&+-]?= .*|\(.*\)|\+\+);$", r"\1;"),
]


def places(path):
    """Yields (line number, old, new) for all that can be changed in a file."""
    comment = fenced = False
    for number, line in enumerate(open(path, encoding="utf-8").read().split("\n"), 1):
        text = line.strip()
        starts = text.startswith("/*")
        if comment or starts or text.startswith("#") or fenced:
            comment = (comment or starts) and "*/" not in text
            fenced = text.endswith("\\")
            continue
        for pattern, new in OPERATORS:
            for match in re.finditer(pattern, line):
                before = line[:match.start()]
                if before.count('"') % 2 or "/*" in before or not before.strip() and "\t" not in line[:1]:
                    continue
                changed = before + match.expand(new) + line[match.end():] if isinstance(new, str) else \
                    before + new(match) + line[match.end():]
                if changed != line:
                    yield number, line, changed


def choose(seed, count, files):
    everything = {path: list(places(path)) for path in files}
    total = sum(len(of_file) for of_file in everything.values())
    for path, of_file in everything.items():
        rng = random.Random(f"{seed} {path.rsplit('/', 1)[-1]}")
        rng.shuffle(of_file)
        seen, share = set(), max(1, round(count * len(of_file) / total)) if of_file else 0
        for number, old, new in of_file:
            if len(seen) == share:
                break
            if number not in seen:
                seen.add(number)
                yield path, number, old, new



COPY = "build/mutate"


def run(*command, **more):
    """@return whether the command succeeded; what it prints goes to build/mutate/log."""
    with open("log", "w", encoding="utf-8") as log:
        return subprocess.run(command, stdout=log, stderr=log, check=False, **more).returncode == 0


def need(good, what):
    if not good:
        sys.exit(f"{what}:\n" + open("log", encoding="utf-8").read()[-3000:])


def passes(tests):
    return run("ctest", "--test-dir", "build/dev", "-R", tests, f"-j{os.cpu_count()}", "--timeout", "60",
               "--stop-on-failure")


def targets_of(tests):
    listed = subprocess.run(["ctest", "--test-dir", "build/dev", "-N", "-R", tests], capture_output=True, text=True,
                            check=True).stdout
    names = re.findall(r": unit/(test_\w+)$", listed, re.M)
    return names or ["all"] if "Test #" in listed else sys.exit(f"no test is called like {tests}")


def try_one(path, number, new, build, tests):
    """@return True: the tests saw it; False: they did not; None: it does not compile."""
    kept = open(path, encoding="utf-8").read()
    lines = kept.split("\n")
    lines[number - 1] = new
    open(path, "w", encoding="utf-8").write("\n".join(lines))
    try:
        return not passes(tests) if run(*build) else None
    finally:
        open(path, "w", encoding="utf-8").write(kept)


def main(seed, count, tests, files):
    os.makedirs(COPY, exist_ok=True)
    tree = subprocess.run(["git", "archive", "HEAD"], capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", COPY], input=tree, check=True)
    os.chdir(COPY)
    need(run("cmake", "--preset", "dev", "-DPB_WERROR=OFF"), "it can't be configured")
    build = ["cmake", "--build", "build/dev", "--target", *targets_of(tests)]
    need(run(*build), "it does not compile")
    need(passes(tests), "the tests fail without a mutation")
    killed = lived = 0
    for path, number, old, new in choose(seed, count, files):
        seen = try_one(path, number, new, build, tests)
        if seen:
            killed += 1
        elif seen is False:
            lived += 1
            print(f"lived: {path}:{number}\n  - {old.strip()}\n  + {new.strip()}", flush=True)
    print(f"{killed} killed, {lived} lived")


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:])
