"""Measure every claim and write the table of docs/performance.md.

Each script runs in a process of its own and prints its lines as JSON; this prints them for people as they come, and
puts the table between the markers. `--long` measures with a million customers and entries as well, `--only NAME …`
some of the scripts, and then the table stays as it is.
"""

import argparse
import json
import os
import platform
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = ROOT / "docs" / "performance.md"
BEGIN: Final = "<!-- results: written by benchmarks/run_all.py -->"
END: Final = "<!-- end of results -->"
SCRIPTS: Final = {
    "check": [],
    "check_many": [],
    "append": [],
    "append_bulk": [],
    "imports": ["--rows", "1000000"],
    "verify": ["--entries", str(1 << 20), "--customers", "100000"],
    "proof": ["--entries", "1000000"],
    "decide": ["--customers", "1000000"],
    "serving": [],
    "run": ["--customers", "1000000"],
    "growth": ["--long"],
}
"""The scripts, in the order of their claims, and what makes them long."""


def measured(script: str, options: list[str]) -> list[dict[str, Any]]:
    """Run one script and return its lines."""
    command = [sys.executable, "-m", f"benchmarks.{script}", "--json", *options]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def machine(began: float) -> str:
    """Say what it was measured on, and beside whom."""
    load = os.getloadavg()[2]
    minutes = (time.monotonic() - began) / 60
    return (
        f"Measured on {os.cpu_count()} cores ({platform.machine()}, {platform.system()}), Python "
        f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}, in {minutes:.0f} minutes, "
        f"at a load of {load:.1f} over the last quarter of an hour."
    )


def short(number: float) -> str:
    """Return a number with three digits and a unit for thousands or millions.

    >>> short(1_234_567), short(52_340.0), short(0.1234)
    ('1.23 M', '52.3 k', '0.123')
    """
    for size, letter in ((1e6, " M"), (1e3, " k")):
        if abs(number) >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"


def row(line: dict[str, Any]) -> str:
    """Return a line of the table."""
    peers = line["peers"].items()
    said = [f"{name}: {short(rate)}/s" for name, rate in peers]
    times = [f"{short(line['ours/peer'][name])}" for name, _ in peers]
    goals = [f"≥ {line['goal']:g} × limit"] if line["goal"] else []
    goals += [f"≥ {goal:g} × {name}" for name, goal in line["peer_goals"].items()]
    goals += [f"≥ {short(line['least'])}/s"] if line["least"] else []
    goals += [f"{name} ≤ {most:g}" for name, most in line["at_most"].items()]
    figures = [f"{name}: {short(figure)}" for name, figure in line["figures"].items()]
    reached = {None: "for information", True: "reached", False: "**not reached**"}[line["reached"]]
    ours = [f"{short(line['ours'])} {line['unit']}/s"] if line["unit"] else []
    cells = (
        line["claim"],
        "<br>".join([*ours, *figures]),
        f"{short(line['limit'])}/s" if line["limit"] else "",
        "<br>".join(said),
        f"{line['ours/limit']:.2f}" if line["limit"] else "",
        "<br>".join(times),
        "<br>".join(goals),
        reached,
    )
    return f"| {' | '.join(cells)} |"


def table(lines: list[dict[str, Any]]) -> str:
    """Return the table in Markdown."""
    head = "| claim | ours | limit | peers | ours/limit | ours/peer | goal | |\n|---|---|---|---|---|---|---|---|"
    return "\n".join([head, *map(row, lines)])


def written(text: str) -> None:
    """Put the text between the markers of the page."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def sentence(line: dict[str, Any]) -> str:
    """Return a line as people read it."""
    return " | ".join(cell for cell in row(line).replace("<br>", "; ").strip("| ").split(" | ") if cell.strip())


def main() -> None:
    """Measure all, print, and write."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--long", action="store_true", help="with a million customers and entries as well")
    given.add_argument("--only", nargs="+", choices=SCRIPTS, help="some of the scripts; the table stays as it is")
    asked = given.parse_args()
    began = time.monotonic()
    lines = []
    for script in asked.only or SCRIPTS:
        for line in measured(script, SCRIPTS[script] if asked.long else []):
            lines.append(line)
            print(sentence(line), flush=True)
    if not asked.only:
        written(f"{machine(began)}\n\n{table(lines)}")


if __name__ == "__main__":
    main()
