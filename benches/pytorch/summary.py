"""Makes the tables of `docs/devices.md` of what `card.py` has measured.

    python3 benches/pytorch/summary.py OUT

Reads OUT/rows.jsonl, and OUT/missing.txt where there is one: a line for each thing that failed or was left out.
"""

import json
import sys
from pathlib import Path

NAMES = {"glauber": "ours", "eager": "PyTorch eager", "compiled": "`torch.compile`"}


def short(value):
    """Three significant digits."""
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def table(heads, rows):
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def difference(of):
    """What was compared, how far it is apart, and whether that is too far."""
    what, found = of["what"].partition(",")[0], of["found"]
    said = f"{what} equal" if found == 0 else f"{what} {found:.1e}"
    return said if found <= of["most"] else f"**{said}, at most {of['most']:.0e}**"


def compared(rows):
    heads = ["device", "card", "first training step, s", "training step, s", "memory held", "beside the CPU device"]

    def cells(row):
        said = ", ".join(map(difference, row["differences"]))
        times = row["training_seconds"]["device"]
        memory = f"{row['bytes'] / 1e6:.1f} MB" if row["bytes"] else "the device reports none"
        return [row["device"], row["card"], short(times["first"]), short(times["step"]), memory, said]

    return table(heads, map(cells, rows))


def steps(rows):
    heads = ["step", "card", "sequences", *(f"{name}, ms" for name in NAMES.values()), "ours as fast as eager", "as compiled"]
    heads += ["sequences/s", "utilisation", "memory, MiB"]

    def cells(row):
        sides = {name: row["sides"].get(name, {}) for name in NAMES}
        times = {name: side.get("milliseconds") for name, side in sides.items()}
        each = lambda of: " / ".join(short(of(name)) if times[name] else "–" for name in NAMES)
        ratio = lambda name: f"{times[name] / times['glauber']:.2f}" if times[name] and times["glauber"] else "–"
        peak = row["flops_a_second"]
        used = lambda name: 1e5 * row["flops"] / times[name] / peak
        span = lambda side: f"{short(side['milliseconds'])} ({short(side['least'])}–{short(side['most'])})"
        by = {side["MiB_of"] for side in sides.values() if side.get("MiB_of")}
        return [
            f"{row['what']} `{row['shape']}`, {row['precision']}",
            f"{row['card']} ({row['device']})",
            f"{row['batch']} × {row['length']}",
            *(span(side) if times[name] else "not measured" for name, side in sides.items()),
            ratio("eager"),
            ratio("compiled"),
            each(lambda name: 1e3 * row["sequences"] / times[name]),
            f"{each(used)} % of {short(peak / 1e12)} TFLOP/s ({row['flops_a_second_of']})" if peak else "no peak is known",
            f"{each(lambda name: sides[name]['MiB'])} ({', '.join(sorted(by))})",
        ]

    measured = [row for row in rows if any("milliseconds" in side for side in row["sides"].values())]
    return table(heads, map(cells, measured)) if measured else "None."


def runs(rows):
    heads = ["run", "card", "steps", "minutes", "bound, bits a letter"]

    def cells(row):
        bound = row["bound"]
        loss = f"stopped before it; training loss {short(row.get('loss'))} nats a site"
        bits = f"{bound[0]:.3f} ± {bound[1]:.3f}" if bound else loss
        card = f"{row['card']} ({row['device']})"
        return ["letters of six novels", card, str(row["steps"]), f"{row['minutes']:.1f}", bits]

    return table(heads, map(cells, rows))


def main():
    folder = Path(sys.argv[1])
    lines = lambda name: (folder / name).read_text().splitlines() if (folder / name).exists() else []
    rows = [json.loads(line) for line in lines("rows.jsonl")]
    parts = []
    of = {"Devices": (compared, ["compare"]), "Steps beside PyTorch": (steps, ["train", "sample"]), "A run": (runs, ["letters"])}
    for title, (make, kinds) in of.items():
        chosen = [row for row in rows if row["what"] in kinds]
        parts += [f"## {title}", make(chosen)] if chosen else []
    sides = [side for row in rows for side in row.get("sides", {}).values()]
    versions = sorted({side["about"] for side in sides if side.get("about")})
    parts += [f"Measured: {'; '.join(versions)}. Medians of blocks in turn, the least and the greatest in brackets."] if versions else []
    missing = lines("missing.txt")
    for row in rows:
        for name, side in row.get("sides", {}).items():
            if side.get("failed"):
                missing.append(f"{row['what']} {row['shape']} {row['precision']}, {NAMES[name]}: {side['failed']}")
    parts += ["## Not measured", "\n".join(f"- {line}" for line in missing)] if missing else []
    print("\n\n".join(parts))


if __name__ == "__main__":
    main()
