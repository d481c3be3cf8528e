#!/usr/bin/env python3
"""Count what each further call of a telephone campaign brought, and what caps would have saved and lost.

    make telephone DATA=bank_calls.csv

Prints one JSON object. The data are observational: who was called again was nobody's draw (see README.md).
"""

import argparse
import csv
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from consent.base.errors import ByleaveError, ImportInvalid, Place
from personalise.measure.effects import wilson

CAPS: Final = (3, 6)
CALLS, ANSWER = "campaign", "y"
MOST_TOLD: Final = 10
"""Calls beyond this one are told together: few customers had them."""

OBSERVATIONAL: Final = (
    "Observational: nobody drew lots for who is called again. What a cap loses is the most that it can have cost; what "
    "it would have caused, only an experiment tells."
)


def read(rows: Iterable[Mapping[str, str]]) -> Counter[tuple[int, bool]]:
    """Count customers by how many calls they had, and whether they said yes.

    Raises:
        ImportInvalid: a row has no whole number of calls above 0, or no yes or no.
    """
    found: Counter[tuple[int, bool]] = Counter()
    for line, row in enumerate(rows, 2):
        calls, answer = row.get(CALLS) or "", row.get(ANSWER) or ""
        if not (calls.isascii() and calls.isdigit() and int(calls)):
            raise ImportInvalid(places=[Place(f"line {line}, {CALLS}", "is not a whole number above 0")])
        if answer not in ("yes", "no"):
            raise ImportInvalid(places=[Place(f"line {line}, {ANSWER}", "is neither yes nor no")])
        found[int(calls), answer == "yes"] += 1
    return found


def by_call(found: Counter[tuple[int, bool]]) -> list[dict[str, Any]]:
    """Return for each call how many customers got it, and how many said yes in it, as a share with its interval."""
    last = max((calls for calls, _ in found), default=0)
    each = [_share(found, range(call, call + 1), str(call)) for call in range(1, min(last, MOST_TOLD) + 1)]
    if last > MOST_TOLD:
        each.append(_share(found, range(MOST_TOLD + 1, last + 1), f"{MOST_TOLD + 1} and more"))
    return each


def _share(found: Counter[tuple[int, bool]], which: Sequence[int], name: str) -> dict[str, Any]:
    made = sum(count * max(0, min(calls, which[-1]) - which[0] + 1) for (calls, _), count in found.items())
    came = sum(found[call, True] for call in which)
    lower, upper = wilson(came, made)
    return {"call": name, "made": made, "successes": came, "rate": came / made, "lower": lower, "upper": upper}


def capped(found: Counter[tuple[int, bool]], cap: int) -> dict[str, Any]:
    """Return what would have been saved and lost if nobody had been called more than `cap` times."""
    calls = sum(count * made for (made, _), count in found.items())
    successes = sum(count for (_, yes), count in found.items() if yes)
    saved = sum(count * (made - cap) for (made, _), count in found.items() if made > cap)
    lost = sum(count for (made, yes), count in found.items() if yes and made > cap)
    spared = sum(count for (made, _), count in found.items() if made > cap)
    return {
        "cap": cap,
        "customers_spared": spared,
        "calls_saved": saved,
        "share_of_calls_saved": saved / calls if calls else None,
        "successes_lost_at_most": lost,
        "share_of_successes_lost_at_most": lost / successes if successes else None,
        "calls_saved_per_success_lost": saved / lost if lost else None,
    }


def told(data: Path) -> dict[str, Any]:
    """Return what a file of calls tells.

    Raises:
        ImportInvalid: the file can't be read, or something in it is not of the form.
    """
    try:
        with data.open(encoding="utf-8-sig", newline="") as file:
            found = read(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as unreadable:
        raise ImportInvalid(f"{data.name} can't be read: {type(unreadable).__name__}") from unreadable
    return {
        "observational": OBSERVATIONAL,
        "customers": found.total(),
        "calls": sum(count * calls for (calls, _), count in found.items()),
        "successes": sum(count for (_, yes), count in found.items() if yes),
        "by_call": by_call(found),
        "caps": [capped(found, cap) for cap in CAPS],
    }


def main() -> int:
    """Read the options, count, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True, help="a CSV file with the columns campaign and y")
    given = options.parse_args()
    try:
        print(json.dumps(told(given.data), indent=2))
    except ByleaveError as refused:
        print(refused, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
