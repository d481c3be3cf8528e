"""The whole shop from one seed, and its way into files."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from personalise.shop import outcomes as simulated
from personalise.shop.population import population
from personalise.shop.statements import statements

FILES: Final = Path(__file__).with_name("files")
"""The shop's mappings and its campaign; its catalogue is the shipped one."""

README: Final = """\
A made-up shop, seed {seed}, {n} customers, as of {at}.

Every customer, address, purchase, interest, statement and outcome in this folder is made-up.
The addresses end in .example, which belongs to nobody (RFC 2606).

customers.csv   who they are, what they bought and like
statements.csv  what they said, over two years (a few earlier, so that it has expired)
outcomes.csv    a past experiment: who got which message at random, and what followed; simulated
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A made-up shop as columns; `told` is the simulated truth behind its outcomes, and is not written to a file."""

    seed: int
    at: datetime
    customers: pa.Table
    statements: pa.Table
    outcomes: pa.Table
    told: pa.Table


def shop(n: int = 20_000, *, seed: int, at: datetime) -> Shop:
    """Make a shop of `n` customers as it stands at `at`; the same arguments give the same bytes.

    That holds for one version of NumPy, which may change how it draws from a seeded generator (its NEP 19).

    Raises:
        ValueError: n is not from 1 to 999,999, or `at` has no time zone.

    >>> from datetime import UTC
    >>> shop(3, seed=1, at=datetime(2026, 11, 21, tzinfo=UTC)).customers.num_rows
    3
    """
    if not 1 <= n <= 999_999:  # noqa: PLR2004 -- references have six digits
        raise ValueError(f"{n} customers: from 1 to 999,999")
    if at.tzinfo is None:
        raise ValueError("at has no time zone")
    generator = np.random.Generator(np.random.PCG64(seed))
    customers = population(n, generator)
    said = statements(customers, generator, at=at)
    told = simulated.truth(customers, generator)
    return Shop(
        seed=seed,
        at=at,
        customers=customers,
        statements=said,
        outcomes=simulated.experiment(told, generator),
        told=told,
    )


def rows(table: pa.Table) -> Iterator[dict[str, str]]:
    """Walk a table as `csv.DictReader` walks the file written from it: every cell text, a null the empty text.

    >>> list(rows(pa.table({"spent": [1.5, None], "visited": [True, False]})))
    [{'spent': '1.50', 'visited': '1'}, {'spent': '', 'visited': '0'}]
    """
    for cells in _lines(table):
        yield dict(zip(table.column_names, cells, strict=True))


def write(made: Shop, folder: Path) -> tuple[Path, Path, Path]:
    """Write customers.csv, statements.csv and outcomes.csv to a folder, with a README.txt; return the three paths."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"customers": made.customers, "statements": made.statements, "outcomes": made.outcomes}
    for name, table in tables.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(table.column_names)
            lines.writerows(_lines(table))
    words = README.format(seed=made.seed, n=f"{len(made.customers):,}", at=made.at.isoformat())
    (folder / "README.txt").write_text(words, encoding="utf-8")
    return folder / "customers.csv", folder / "statements.csv", folder / "outcomes.csv"


def _lines(table: pa.Table) -> Iterator[tuple[str, ...]]:
    return zip(*(_texts(column.combine_chunks()) for column in table.columns), strict=True)


def _texts(column: pa.Array) -> list[str]:
    """A column's cells as text: times RFC 3339 UTC with milliseconds, money with cents, yes and no as 1 and 0."""
    if pa.types.is_timestamp(column.type):
        instants = column.cast(pa.int64()).to_numpy(zero_copy_only=False).astype("datetime64[ms]")
        return [f"{text}Z" for text in np.datetime_as_string(instants, unit="ms").tolist()]
    cells = column.to_pylist()
    if pa.types.is_floating(column.type):
        return ["" if cell is None else f"{cell:.2f}" for cell in cells]
    if pa.types.is_boolean(column.type):
        return ["" if cell is None else str(int(cell)) for cell in cells]
    return ["" if cell is None else str(cell) for cell in cells]
