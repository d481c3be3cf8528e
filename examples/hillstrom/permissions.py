#!/usr/bin/env python3
"""Synthetic permissions for customers of a data set that has none.

Nobody in the Hillstrom experiment was ever asked what may be remembered of him. So that the engine has something to
hold to, each customer's answers are made up here from his reference and a seed, through SHA-256, and from nothing else:
not from what he bought, which e-mail he got or what he did then. Every statement says so: its method is "synthetic".

Run as a script it reads the customers' file and writes the statements, for `statements_mapping.toml` to read:

    python examples/hillstrom/permissions.py hillstrom.csv --seed 7 --at 2026-11-21T12:00:00Z > permissions.csv
"""

import argparse
import csv
import struct
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

COLUMNS: Final = ("reference", "act", "scopes", "said_at", "method", "language", "evidence")

SILENT: Final = 0.08
"""Share of customers of whom nothing is on record. The shares below are of all customers as well."""


class Ask(NamedTuple):
    """Scopes asked for in one go, and the share of customers who say yes."""

    scopes: tuple[str, ...]
    share: float


ASKS: Final = (
    Ask(("remember:purchases", "use:purchases:recommendations"), 0.70),
    Ask(("contact:email:recommendations",), 0.65),
    Ask(("remember:profile", "use:profile:recommendations"), 0.50),
    Ask(("remember:contact_habits", "use:contact_habits:recommendations"), 0.45),
)

OBJECT: Final = 0.02
WITHDRAW_EMAIL: Final = 0.04
WITHDRAW_ALL: Final = 0.03
EXPIRED: Final = 0.04

OBJECTED: Final = (
    "use:purchases:recommendations",
    "use:profile:recommendations",
    "use:contact_habits:recommendations",
    "contact:email:recommendations",
    "remember:responses",
    "use:responses:measurement",
)
"""What an objection reaches: all marketing, and what stands on a legitimate interest."""

_DAY: Final = 86_400
_VALID_SAID: Final = (30 * _DAY, 700 * _DAY)  # seconds ago; 24 months hold
_EXPIRED_SAID: Final = (740 * _DAY, 900 * _DAY)


class _Draws(NamedTuple):
    """Eight independent numbers in [0, 1) that belong to one customer and seed."""

    silence: float
    asks: tuple[float, float, float, float]
    fate: float
    first: float
    later: float


def synthetic_permissions(references: Iterable[str], *, seed: int, at: datetime) -> Iterator[dict[str, str]]:
    """Make up what each customer said before `at`: rows as `csv.DictReader` would give them.

    A customer's rows stand together, oldest first, and depend on reference, seed and `at` alone, so that any part of a
    file gives the same rows as the whole. Scopes are separated by a space; a form partly accepted is two rows.

    Raises:
        ValueError: `at` has no time zone.

    >>> rows = list(synthetic_permissions(["H000002"], seed=1, at=datetime(2026, 11, 21, tzinfo=UTC)))
    >>> [(row["act"], row["method"]) for row in rows]
    [('grant', 'synthetic'), ('refuse', 'synthetic')]
    """
    if at.tzinfo is None:
        raise ValueError("at has no time zone")
    now = at.astimezone(UTC).replace(tzinfo=None)
    for reference in references:
        for act, scopes, ago in _said(_draws(reference, seed)):
            yield {
                "reference": reference,
                "act": act,
                "scopes": " ".join(scopes),
                "said_at": (now - timedelta(seconds=ago)).isoformat(timespec="milliseconds") + "Z",
                "method": "synthetic",
                "language": "en",
                "evidence": f"synthetic, seed {seed}: made up from the reference",
            }


def _draws(reference: str, seed: int) -> _Draws:
    numbers = struct.unpack(">8I", sha256(f"byleave synthetic|{seed}|{reference}".encode()).digest())
    silence, a, b, c, d, fate, first, later = (number / 2**32 for number in numbers)
    return _Draws(silence, (a, b, c, d), fate, first, later)


def _said(draws: _Draws) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """Yield act, scopes and how many seconds ago, oldest first."""
    if draws.silence < SILENT:
        return
    spoke = 1 - SILENT
    yes = [draw < ask.share / spoke for ask, draw in zip(ASKS, draws.asks, strict=True)]
    granted = _scopes(yes)
    refused = _scopes([not answer for answer in yes])
    act, later = _fate(draws.fate * spoke, granted)
    shortest, longest = _EXPIRED_SAID if act == "expire" else _VALID_SAID
    first = shortest + int(draws.first * (longest - shortest))
    if granted:
        yield "grant", granted, first
    if refused:
        yield "refuse", refused, first
    if later:
        yield act, later, 1 + int(draws.later * (first - _DAY))


def _fate(draw: float, granted: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """What the customer said later, and of which scopes; "expire" and "stay" say nothing more."""
    if draw < OBJECT:
        return "object", OBJECTED
    if draw < OBJECT + WITHDRAW_EMAIL:
        return "withdraw", tuple(scope for scope in granted if scope.startswith("contact:email:"))
    if draw < OBJECT + WITHDRAW_EMAIL + WITHDRAW_ALL:
        return "withdraw", granted
    if draw < OBJECT + WITHDRAW_EMAIL + WITHDRAW_ALL + EXPIRED:
        return "expire", ()
    return "stay", ()


def _scopes(chosen: list[bool]) -> tuple[str, ...]:
    return tuple(scope for ask, wanted in zip(ASKS, chosen, strict=True) if wanted for scope in ask.scopes)


def main() -> None:
    """Read the customers' file, write their synthetic statements to standard output."""
    asked = argparse.ArgumentParser(description="Write synthetic statements for the customers of a CSV file.")
    asked.add_argument("customers", type=Path)
    asked.add_argument("--reference", default="customer_id", help="the column that names the customer")
    asked.add_argument("--seed", type=int, required=True)
    asked.add_argument("--at", type=datetime.fromisoformat, required=True, help="2026-11-21T12:00:00Z")
    given = asked.parse_args()
    with given.customers.open(newline="", encoding="utf-8") as file:
        references = (row[given.reference] for row in csv.DictReader(file))
        lines = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        lines.writeheader()
        lines.writerows(synthetic_permissions(references, seed=given.seed, at=given.at))


if __name__ == "__main__":
    main()
