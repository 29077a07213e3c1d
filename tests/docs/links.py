# SPDX-License-Identifier: MIT
"""Follows every link of the documents below a folder: files and the headings in them.
Usage: links.py FOLDER"""
import os
import re
import sys

FENCE = re.compile(r"^(```|~~~).*?^\1", re.S | re.M)
LINK = re.compile(r"\]\(([^)\s]+)\)|<(?:img|a)[^>]*(?:src|href)=\"([^\"]+)\"")


def documents(root):
    for folder, folders, files in os.walk(root):
        folders[:] = [f for f in folders if f not in ("build", ".git") and not f.startswith(".")]
        yield from (os.path.join(folder, f) for f in files if f.endswith(".md"))


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return FENCE.sub("", file.read())


def anchors(path):
    """As code hosts make them of headings."""
    for heading in re.findall(r"^#+ +(.*)$", text_of(path), re.M):
        plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        yield re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def fault(path, link):
    """What is wrong with a link; None: it leads somewhere."""
    if re.match(r"[a-z]+:", link):
        return None
    name, _, anchor = link.partition("#")
    target = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
    if not os.path.exists(target):
        return "not there"
    if anchor and target.endswith(".md") and anchor not in set(anchors(target)):
        return "no such heading"
    return None


def main(root):
    count = wrong = 0
    for path in sorted(documents(root)):
        for link in LINK.findall(text_of(path)):
            link = link[0] or link[1]
            why = fault(path, link)
            count += 1
            if why:
                wrong += 1
                print(f"{path}: {link}: {why}")
    print(f"{count} links, {wrong} of them wrong")
    # none at all: this script looks in the wrong place
    return 1 if wrong or count < 50 else 0


sys.exit(main(sys.argv[1]))
