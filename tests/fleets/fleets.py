# SPDX-License-Identifier: MIT
"""Computes banks from their packs by docs/banks.md, in fractions, and holds the figures of room bank
against them. Usage: fleets COUNT SEED | fleets.py COUNT"""
import json
import sys
from fractions import Fraction

CHARGE_STOPS = (0, 2, 4, 5, 8, 10, 11, 13)  # bits of protection_mask
DISCHARGE_STOPS = (1, 3, 6, 7, 9, 10, 11, 14)


def rounded(x):
    """Half away from zero."""
    x = Fraction(x)
    return int(abs(x) + Fraction(1, 2)) * (-1 if x < 0 else 1)


def values(packs, name):
    """Of all packs, or None when one lacks it."""
    seen = [pack[name] for pack in packs]
    return None if None in seen else seen


def unlike(packs, part):
    """Packs side by side of which some cannot be: other cells, or more than 10 % apart."""
    cells = {pack["cell_count"] for pack in packs} - {None}
    volts = [pack["voltage_mv"] for pack in part if pack["voltage_mv"] is not None]
    return len(cells) > 1 or (bool(volts) and min(volts) < Fraction(9, 10) * max(volts))


def apply(function, packs, name):
    seen = values(packs, name)
    return None if seen is None else function(seen)


def weights(packs):
    for name in ("full_mah", "nominal_mah"):
        seen = values(packs, name)
        if seen is not None:
            return seen if min(seen) > 0 else None
    return None


def weighted(packs, name):
    seen = values(packs, name)
    by = [1] if len(packs) == 1 else weights(packs)
    if seen is None or by is None:
        return None
    return rounded(Fraction(sum(a * b for a, b in zip(seen, by)), sum(by)))


def mean(seen):
    return rounded(Fraction(sum(seen), len(seen)))


def first(packs, name, better):
    """The place of the first pack with the extreme value, and that."""
    place = None
    for i, pack in enumerate(packs):
        if pack[name] is not None and (place is None or better(pack[name], packs[place][name])):
            place = i
    return place


def lower(a, b):
    return a < b


def higher(a, b):
    return a > b


def protects(pack, stops):
    return pack["protection_mask"] is not None and any(
        pack["protection_mask"] >> b & 1 for b in stops)


def passes(pack, fet, stops):
    if protects(pack, stops):
        return False
    return pack[fet] is None or pack[fet] == 1


def share(packs, name, series):
    """The largest current at which no pack passes its own limit; and which pack that is."""
    limits = values(packs, name)
    if limits is None:
        return None
    by = None if series else weights(packs)
    if by:
        limits = [Fraction(limit * sum(by), w) for limit, w in zip(limits, by)]
    least = min(range(len(limits)), key=lambda i: (rounded(limits[i]), i))
    return rounded(limits[least]), packs[least]["number"]


def charge_figures(packs, series, ret):
    if series:
        ret["remaining_mah"] = apply(min, packs, "remaining_mah")
        short = apply(min, packs, "consumed_mah")
        ret["full_mah"] = None
        if ret["remaining_mah"] is not None and short is not None:
            ret["full_mah"] = ret["remaining_mah"] + short
        ret["nominal_mah"] = apply(min, packs, "nominal_mah")
    else:
        for name in ("remaining_mah", "full_mah", "nominal_mah"):
            ret[name] = apply(sum, packs, name)
    left, full = ret["remaining_mah"], ret["full_mah"]
    ret["soc_total_permille"] = None
    ret["consumed_mah"] = None
    if left is not None and full is not None:
        ret["consumed_mah"] = max(full - left, 0)
        if full > 0:
            ret["soc_total_permille"] = min(rounded(Fraction(left * 1000, full)), 1000)


def limit_figures(fleet, packs, series, ret):
    ret["charge_max_ma"] = ret["discharge_max_ma"] = None
    for way, fet, stops in (
        ("charge", "charge_fet", CHARGE_STOPS),
        ("discharge", "discharge_fet", DISCHARGE_STOPS),
    ):
        part = [pack for pack in packs if passes(pack, fet, stops)]
        limit, rated = (0, 0), share(packs, f"{way}_max_ma", series)
        blocked = [pack for pack in packs if pack not in part]
        blocked.sort(key=lambda pack: (not protects(pack, stops), pack["number"]))
        mixed = not series and unlike(packs, part)
        if series and blocked:
            limit = (0, blocked[0]["number"])
        elif part:
            limit = share(part, f"{way}_current_ma", series)
        if series:
            part = packs
        own = fleet[f"{way}_max_ma"]
        if mixed:
            limit = (0, 0)
        if limit is not None and own and limit[0] > own:
            limit = (own, 0)
        if rated is not None and own and rated[0] > own:
            rated = (own, 0)
        ret[f"{way}_current_ma"] = None if limit is None else limit[0]
        ret[f"{way}_current_pack"] = 0 if limit is None else limit[1]
        ret[f"{way}_max_ma"] = None if rated is None else rated[0]
        if way == "charge":
            volts = part or packs
            ret["charge_voltage_mv"] = apply(sum if series else min, volts, "charge_voltage_mv")
    ret["discharge_voltage_mv"] = apply(sum if series else max, packs, "discharge_voltage_mv")
    ret["full_voltage_mv"] = apply(sum if series else min, packs, "full_voltage_mv")
    energy = apply(sum, packs, "energy_mwh")
    ret["energy_mwh"] = energy if ret["nominal_mah"] is not None else None
    ret["charge_phase"] = min(pack["charge_phase"] for pack in packs)
    for way in "charge", "discharge":
        ret[f"{way}_allowed"] = int((ret[f"{way}_current_ma"] or 0) > 0)
    if ret["charge_current_ma"] is None and ret["discharge_current_ma"] is None:
        ret["charge_allowed"] = ret["discharge_allowed"] = None


def cell_figures(packs, series, ret):
    names = ("min", lower), ("max", higher)
    for what, better in names:
        place = first(packs, f"cell_{what}_mv", better)
        source = packs[place] if place is not None else {}
        ret[f"cell_{what}_mv"] = source.get(f"cell_{what}_mv")
        ret[f"cell_{what}_index"] = source.get(f"cell_{what}_index")
        ret[f"cell_{what}_pack"] = source.get("number")
        place = first(packs, f"temperature_{what}_mc", better)
        source = packs[place] if place is not None else {}
        ret[f"temperature_{what}_mc"] = source.get(f"temperature_{what}_mc")
        ret[f"temperature_{what}_index"] = source.get(f"temperature_{what}_index")
        ret[f"temperature_{what}_pack"] = source.get("number")
    every = [v for pack in packs for v in pack["cell_mv"] if v is not None]
    ret["cell_avg_mv"] = mean(every) if ret["cell_min_mv"] is not None else None
    if ret["cell_min_mv"] is not None:
        ret["cell_delta_mv"] = ret["cell_max_mv"] - ret["cell_min_mv"]
    probes = [t for pack in packs for t in pack["temperature_mc"] if t is not None]
    ret["temperature_avg_mc"] = mean(probes) if probes else None
    counts = values(packs, "cell_count")
    cells = [None] * 48
    ret["cell_count"] = None
    if counts is not None and series:
        ret["cell_count"] = sum(counts)
        if sum(counts) <= 48:
            every = [v for pack in packs for v in pack["cell_mv"][: pack["cell_count"]]]
            cells[: len(every)] = every
    elif counts is not None and min(counts) == max(counts):
        ret["cell_count"] = counts[0]
        for n in range(counts[0]):
            nth = [p["cell_mv"][n] for p in packs if p["cell_mv"][n] is not None]
            if nth:
                cells[n] = min(nth)
        there = [n for n, v in enumerate(cells) if v is not None]
        if len(packs) > 1 and len(there) > 1:
            cells[there[0]] = min(cells[there[0]], cells[there[-1]])
            cells[there[-1]] = ret["cell_max_mv"]
    ret["pack_cell_count"] = None
    if counts is not None and min(counts) == max(counts):
        ret["pack_cell_count"] = counts[0]
    ret["cell_mv"] = cells


def switch_figures(packs, everything, series, ret):
    for way, fet, stops in (
        ("charge", "charge_fet", CHARGE_STOPS),
        ("discharge", "discharge_fet", DISCHARGE_STOPS),
    ):
        ready = sum(passes(pack, fet, stops) for pack in packs)
        ret[f"packs_{way}"] = ready
        ret[f"packs_{way}_blocked"] = len(packs) - ready
        ret[f"{way}_any"] = int(ready > 0)
        ret[f"{way}_all"] = int(ready == len(everything))
        ret[fet] = apply(min if series else max, packs, fet)
    told = [p["protection_mask"] for p in packs if p["protection_mask"] is not None]
    ret["protection_mask"] = None
    if told:
        ret["protection_mask"] = 0
        for mask in told:
            ret["protection_mask"] |= mask


def figures(fleet):
    everything = fleet["packs"]
    for i, pack in enumerate(everything):
        pack["number"] = i + 1
    packs = [p for p, old in zip(everything, fleet["old"]) if not old]
    series = fleet["series"]
    reading = len(packs) == len(everything) if fleet["fault"] else bool(packs)
    ret = {
        "packs": len(everything),
        "packs_online": len(packs),
        "packs_stale": len(everything) - len(packs),
        "packs_parallel": 1 if series else len(everything),
        "packs_series": len(everything) if series else 1,
        "packs_online_set": sum(1 << (p["number"] - 1) for p in packs) & (1 << 63) - 1
        if len(everything) < 64
        else None,
        "polls": sum(p["polls"] for p in everything) % 2**32,
        "failures": sum(p["failures"] for p in everything) % 2**32,
        "connect_failures": sum(p["connect_failures"] for p in everything) % 2**32,
        "connected": max(p["connected"] for p in everything),
        "stale_after_s": max(p["stale_after_s"] for p in everything),
    }
    if ret["packs_online_set"] is None:
        del ret["packs_online_set"]  # bit 63 makes it negative in this JSON
    for name in "alarm_level", "worst_level":
        for kind in range(16):
            levels = [p[name][kind] for p in everything]
            worst = max(min(level, 1) if kind == 12 else level for level in levels)
            ret.setdefault(name, []).append(worst)
    ret["warnings"] = sum(1 << i for i, level in enumerate(ret["alarm_level"]) if level)
    ret["alarms"] = sum(1 << i for i, level in enumerate(ret["alarm_level"]) if level == 2)
    if not reading:
        read = [p["sequence"] != 0 for p in everything]
        enough = all(read) if fleet["fault"] else any(read)
        ret["quality"] = (2 if ret["connected"] else 3) if enough else 0
        for name in ("voltage_mv", "current_ma", "soc_permille", "charge_voltage_mv", "cell_min_mv",
                     "charge_current_ma", "discharge_current_ma", "charge_allowed", "full_mah"):
            ret[name] = None
        return reading, ret
    ret["quality"] = 1
    ret["sampled_ms"] = min(p["sampled_ms"] for p in packs)
    ret["voltage_mv"] = apply(sum if series else mean, packs, "voltage_mv")
    ret["current_ma"] = apply(mean if series else sum, packs, "current_ma")
    if values(packs, "power_mw") is not None:
        ret["power_mw"] = apply(sum, packs, "power_mw")
    charge_figures(packs, series, ret)
    ret["soc_permille"] = weighted(packs, "soc_permille")
    ret["soh_permille"] = (
        apply(min, packs, "soh_permille") if series else weighted(packs, "soh_permille")
    )
    ret["soc_min_permille"] = apply(min, packs, "soc_permille")
    ret["soc_max_permille"] = apply(max, packs, "soc_permille")
    ret["cycles"] = apply(max, packs, "cycles")
    ret["unchanged_s"] = max((p["unchanged_s"] for p in packs if p["unchanged_s"] is not None), default=None)
    ret["voltage_spread_mv"] = apply(lambda v: max(v) - min(v), packs, "voltage_mv")
    cell_figures(packs, series, ret)
    switch_figures(packs, everything, series, ret)
    limit_figures(fleet, packs, series, ret)
    return reading, ret


def main():
    wanted, seen, compared, readings = int(sys.argv[1]), 0, 0, 0
    for line in sys.stdin:
        fleet = json.loads(line)
        reading, expected = figures(fleet)
        seen += 1
        readings += bool(reading)
        bank = fleet["bank"]
        assert bool(fleet["reading"]) == bool(reading), line
        for name, value in expected.items():
            compared += value is not None
            if bank[name] != value:
                print(f"fleet {seen}: {name} {bank[name]}, expected {value}", file=sys.stderr)
                print(line, file=sys.stderr)
                sys.exit(1)
    print(f"{seen} fleets, {readings} with a reading, {compared} figures agree")
    sys.exit(seen != wanted)


main()
