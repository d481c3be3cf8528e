"""Claims 6 and 12: bring in a file of statements, and a file of customers, from the first byte to the ledger's entry.

Both files are made up, a row a customer: statements of somebody who isn't enrolled yet, with two scopes, a time, a
language and evidence; then three facts of each. Every row is checked before the first is stored. What is measured runs
in a process of its own, so that its memory is that of the import; an import of a quarter of the rows stands beside it.
Memory has to be flat: the peak at four times the rows is held against the peak at once the rows. What grows between
the two is SQLite's page cache, up to the 64 MB that a connection may keep. With 4 MB of it the peaks of customers were
167 MB at 25,000 rows and 171 MB at 100,000; those of statements 179, 184, and 204 MB at 400,000: hashes of names, which
are kept to count customers, eight bytes each.

Limit: `executemany` of as many bytes as a statement's entry and payload have, one thousand rows a commit, at the same
durability: what of an import no one can do without. For customers: of as many bytes as their rows have.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.append import bare_sqlite
from benchmarks.bringing_in import Took
from benchmarks.ledgers import NOW, founded, scratch
from benchmarks.ratio import Line, show
from consent.base.clock import rfc3339

ROOT: Final = Path(__file__).parent.parent
AT_ONCE: Final = 1_000
SCOPES: Final = "remember:purchases use:purchases:recommendations"
STATEMENTS: Final = """
format = "csv"
reference = "id"
[statement]
act = "act"
scopes = { column = "scopes", separator = " " }
said_at = "said_at"
method = "method"
language = "language"
evidence = "evidence"
notice_version = { value = 1 }
"""
CUSTOMERS: Final = """
format = "csv"
reference = "id"
[identities]
email = "mail"
[attributes]
purchases_count = "count"
spend_past_year = "spend"
last_purchase_category = "item"
"""
BYTES: Final = {"statements": 330 + 420, "customers": 300}
"""What of a row is written at the least: entry and sealed payload; sealed memory, identities."""

MEMORY: Final = 1.3
"""Peak at four times the rows over the peak at once the rows."""
GOALS: Final[dict[str, float]] = {"statements": 0.15, "customers": 0.0}


class Measured(NamedTuple):
    """Both imports of one size."""

    statements: Took
    customers: Took


def written(folder: Path, rows: int) -> None:
    """Write the files and their mappings."""
    (folder / "statements.toml").write_text(STATEMENTS, encoding="utf-8")
    (folder / "customers.toml").write_text(CUSTOMERS, encoding="utf-8")
    with (folder / "statements.csv").open("w", encoding="utf-8") as file:
        file.write("id,act,scopes,said_at,method,language,evidence\n")
        for number in range(rows):
            act = "grant" if number % 4 else "refuse"
            at = rfc3339(NOW - timedelta(seconds=number % 600_000))
            file.write(f"C{number:07d},{act},{SCOPES},{at},paper,en,form {number}\n")
    with (folder / "customers.csv").open("w", encoding="utf-8") as file:
        file.write("id,mail,count,spend,item\n")
        for number in range(rows):
            file.write(f"C{number:07d},c{number}@shop.example,{number % 40},{number % 900}.5,lamps\n")


def apart(url: str, folder: Path, what: str) -> Took:
    """Bring in a file in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.bringing_in", url, str(folder), what]
    return Took(**json.loads(subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout))


def measured_of(rows: int) -> Measured:
    """Bring in statements, then customers, of that many rows."""
    with scratch() as folder:
        written(folder, rows)
        made = founded(folder, enrolled=0)
        url = made.deployment.store.url
        made.deployment.store.close()
        return Measured(apart(url, folder, "statements"), apart(url, folder, "customers"))


def bare(rows: int, size: int) -> float:
    """Return how many rows a second of so many bytes are written, one thousand a commit."""
    with scratch() as folder:
        table = bare_sqlite(folder / "bare.db")
        body = os.urandom(size)
        began = time.perf_counter()
        for _ in range(0, rows, AT_ONCE):
            table.execute("BEGIN IMMEDIATE")
            table.executemany("INSERT INTO bare (body) VALUES (?)", [(body,)] * AT_ONCE)
            table.execute("COMMIT")
        took = time.perf_counter() - began
        table.close()
        return rows / took


def line(what: str, claim: str, many: Took, few: Took) -> Line:
    """Return what an import took beside its limit."""
    rate, limit = many.rows / many.seconds, bare(min(many.rows, 100_000), BYTES[what])
    return Line(
        claim=f"{claim}, {many.rows:,} rows",
        unit="rows",
        ours=rate,
        limit=limit,
        of_limit=rate / limit,
        goal=GOALS[what],
        figures={
            "seconds": many.seconds,
            "processor, µs a row": many.processor / many.rows * 1e6,
            "peak memory, MB": many.megabytes,
            f"peak memory at {few.rows:,}, MB": few.megabytes,
            "peak over peak at a quarter of the rows": many.megabytes / few.megabytes,
        },
        at_most={"peak over peak at a quarter of the rows": MEMORY},
    )


def main() -> None:
    """Measure and print."""
    given = argparse.ArgumentParser()
    given.add_argument("--rows", type=int, default=100_000)
    given.add_argument("--json", action="store_true")
    rows = given.parse_args().rows
    few, many = measured_of(rows // 4), measured_of(rows)
    show(
        line("statements", "6 import statements, checked, enrolled, sealed", many.statements, few.statements),
        line("customers", "12 import customers, checked, sealed", many.customers, few.customers),
    )


if __name__ == "__main__":
    main()
