# SPDX-License-Identifier: MIT
"""Draws the pictures of docs/charge-control.md from what `limits` prints. Usage: limits | plot.py FOLDER"""
import json
import pathlib
import sys

COLORS = ["#1f77b4", "#d62728", "#2ca02c", "#ff7f0e"]
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 300, 60, 20, 30, 45


class Picture:
    def __init__(self, title, x_label, panels):
        self.parts, self.title, self.x_label, self.panels = [], title, x_label, panels

    def panel(self, number, label, lines, x_range, y_range):
        """lines: [(name, [(x, y)...])]"""
        top = TOP + number * HEIGHT
        inner_w, inner_h = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

        def px(x):
            return LEFT + (x - x_range[0]) / (x_range[1] - x_range[0]) * inner_w

        def py(y):
            return top + inner_h - (y - y_range[0]) / (y_range[1] - y_range[0]) * inner_h

        add = self.parts.append
        for i in range(6):
            x = x_range[0] + (x_range[1] - x_range[0]) * i / 5
            y = y_range[0] + (y_range[1] - y_range[0]) * i / 5
            add(f'<line x1="{px(x):.1f}" y1="{py(y_range[0]):.1f}" x2="{px(x):.1f}" y2="{py(y_range[1]):.1f}" class="grid"/>')
            add(f'<line x1="{px(x_range[0]):.1f}" y1="{py(y):.1f}" x2="{px(x_range[1]):.1f}" y2="{py(y):.1f}" class="grid"/>')
            add(f'<text x="{px(x):.1f}" y="{py(y_range[0]) + 16:.1f}" text-anchor="middle">{x:g}</text>')
            add(f'<text x="{LEFT - 6}" y="{py(y) + 4:.1f}" text-anchor="end">{y:g}</text>')
        add(f'<text x="{LEFT}" y="{top - 8}">{label}</text>')
        for n, (name, points) in enumerate(lines):
            path = " ".join(f"{px(x):.1f},{py(min(max(y, y_range[0]), y_range[1])):.1f}" for x, y in points)
            add(f'<polyline points="{path}" stroke="{COLORS[n]}"/>')
            add(f'<text x="{WIDTH - RIGHT - 8}" y="{top + 14 + 15 * n}" text-anchor="end" fill="{COLORS[n]}">{name}</text>')

    def write(self, path):
        height = self.panels * HEIGHT + 10
        path.write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">\n'
            "<style>text{font:12px sans-serif}.grid{stroke:#ddd}polyline{fill:none;stroke-width:2}</style>\n"
            f'<rect width="{WIDTH}" height="{height}" fill="white"/>\n'
            f"<title>{self.title}</title>\n" + "\n".join(self.parts) +
            f'\n<text x="{WIDTH / 2}" y="{height - 12}" text-anchor="middle">{self.x_label}</text>\n</svg>\n')


def main():
    data, folder = json.load(sys.stdin), pathlib.Path(sys.argv[1])
    for chemistry in ("lifepo4", "nmc", "lto", "lead"):
        curves = data[chemistry]
        cells = [x for x, _ in curves["charge"]]
        picture = Picture(f"{chemistry}: limits by cell voltage and temperature", "V a cell; below: degrees Celsius", 2)
        picture.panel(0, f"{chemistry}: % of the largest current, by cell voltage",
                      [("charge, highest cell", curves["charge"]), ("discharge, lowest cell", curves["discharge"])],
                      (cells[0], cells[-1]), (0, 100))
        picture.panel(1, "by temperature",
                      [("charge", curves["charge_warm"]), ("discharge", curves["discharge_warm"])], (-35, 65), (0, 100))
        picture.write(folder / f"limits-{chemistry}.svg")
    for name, title in (("balanced", "balanced cells"), ("ahead", "one cell 3 % ahead")):
        rows = data[name]
        hours = [row[0] for row in rows]

        def line(column):
            return list(zip(hours, (row[column] for row in rows)))

        picture = Picture(f"charging 16 LiFePO4 cells of 100 Ah: {title}", "hours", 3)
        picture.panel(0, f"{title}: pack voltage, V", [("charge voltage limit", line(2)), ("pack voltage", line(1))], (0, 12), (52.5, 56))
        picture.panel(1, "current, A", [("charge current limit", line(3)), ("current", line(4))], (0, 12), (0, 60))
        picture.panel(2, "cells, V", [("highest", line(5)), ("lowest", line(6))], (0, 12), (3.2, 3.6))
        picture.write(folder / f"charging-{name}.svg")


main()
