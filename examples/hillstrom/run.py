#!/usr/bin/env python3
"""Walk the main job with the customers of the Hillstrom e-mail experiment, and print what happened as one JSON object.

    make hillstrom DATA=hillstrom.csv SEED=7

The permissions are synthetic (see permissions.py); customers, purchases and outcomes are the experiment's own. The
exit code is 0 where nobody was addressed without permission, the audit passed and the ledger verifies; otherwise 1.
"""

import argparse
import csv
import json
import sys
import tempfile
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from api.cli.output import steps
from api.journey import Case, main_job
from api.settings import Settings
from consent.base.clock import Clock, system_clock
from consent.base.errors import ByleaveError
from consent.deployment import Deployment
from consent.imports.cells import names
from consent.imports.faults import Faults
from consent.imports.mapping import REFERENCE as NAMES
from consent.imports.rows import opened
from consent.register import customers
from examples.hillstrom.permissions import COLUMNS, synthetic_permissions
from personalise import goodwill, shelf
from personalise.contact_policy.model import THOUSANDTHS
from personalise.runs.dry_run import dry_run

HERE = Path(__file__).parent
REFERENCE = "customer_id"
ACTOR = "hillstrom"
NOON = 18
"""The hour of the day, UTC, at which it is day in the whole of the United States' mainland."""
NIGHT = timedelta(hours=11)
DAY = timedelta(days=1)
WEEK = timedelta(days=7)
CHUNK = 5_000


class Calendar:
    """A clock that can be set ahead: caps and quiet hours take days to see, and they are the same at whatever hour.

    It starts at the last noon of the United States that is a month and more ago, and goes as the system's does.
    """

    def __init__(self, clock: Clock = system_clock) -> None:
        self._clock = clock
        now = clock()
        noon = now.replace(hour=NOON, minute=0, second=0, microsecond=0) - 32 * DAY
        self._ahead = noon - now

    def __call__(self) -> datetime:
        """Return the time."""
        return self._clock() + self._ahead

    def go(self, further: timedelta) -> None:
        """Set it ahead."""
        self._ahead += further


class Rules:
    """Looks at what the contact policy does while the main job goes on: at night, on the next day, for the third time.

    Looking is a dry run: it changes nothing.
    """

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar

    def between(self, deployment: Deployment, key: str) -> Mapping[str, Any]:
        """Look on the day after the run, and a week later at night; then let the night go by."""
        self._calendar.go(DAY)
        next_day = dry_run(deployment, key, actor=ACTOR).counts
        self._calendar.go(WEEK + NIGHT)
        at_night = dry_run(deployment, key, actor=ACTOR).counts
        self._calendar.go(DAY - NIGHT)
        return {"next_day": next_day.as_json(), "at_night": at_night.as_json()}

    def at_last(self, deployment: Deployment, key: str) -> Mapping[str, Any]:
        """Look at the accounts, and at what a third mail would find another week on."""
        self._calendar.go(WEEK)
        third = dry_run(deployment, key, actor=ACTOR).counts
        return {"third_time": third.as_json(), "goodwill": accounts(deployment)}


def accounts(deployment: Deployment) -> dict[str, float]:
    """Return how many customers' accounts were drawn upon, by how much together, and the lowest balance, in points."""
    drawn, spent, lowest, after = 0, 0, None, ""
    with deployment.store.read() as work:
        terms = shelf.load_contact_policy(work, deployment.desk.catalogues.current(work)).goodwill
        start = goodwill.opening(terms)
        while ids := customers.after(work, after, CHUNK):
            stands = goodwill.balances(work, ids, terms)
            drawn += int((stands < start).sum())
            spent += int((start - stands).sum())
            lowest = min(int(stands.min()), start if lowest is None else lowest)
            after = ids[-1]
    return {
        "accounts_drawn_upon": drawn,
        "spent": spent / THOUSANDTHS,
        "lowest": (start if lowest is None else lowest) / THOUSANDTHS,
    }


def read_references(data: Path) -> list[str]:
    """Return whom a data file names, read as the import will read it.

    Raises:
        ImportInvalid: it can't be read, has no column of references, or a wrong one; with line and column.
    """
    faults = Faults(data.name)
    sheet = opened(data)
    if REFERENCE not in sheet.header:
        faults.row(1, f"has no column {REFERENCE}")
        faults.check()
    found = [
        each for chunk in sheet.chunks(faults) for each in names(chunk, REFERENCE, faults, kind=NAMES, required=True)
    ]
    faults.check()
    return found


def write_permissions(data: Path, to: Path, *, seed: int, at: datetime) -> None:
    """Make up a statement file for the customers that the data file names.

    Raises:
        ImportInvalid: the data file names none, or is wrong; with every place.
    """
    references = read_references(data)
    with to.open("w", encoding="utf-8", newline="") as file:
        written = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        written.writeheader()
        written.writerows(synthetic_permissions(references, seed=seed, at=at))


def walk(data: Path, seed: int, folder: Path) -> dict[str, Any]:
    """Walk the main job in a new deployment in `folder`, and look at what the contact policy does on the way."""
    said, calendar = folder / "permissions.csv", Calendar()
    rules = Rules(calendar)
    write_permissions(data, said, seed=seed, at=calendar())
    mapping = HERE / "mapping.toml"
    case = Case(
        catalogue=HERE / "catalogue.toml",
        statements=said,
        statements_mapping=HERE / "statements_mapping.toml",
        customers=data,
        customers_mapping=mapping,
        outcomes=data,
        outcomes_mapping=mapping,
        contact_policy=HERE / "contact_policy.toml",
        campaign=HERE / "campaign.toml",
    )
    settings = Settings(home=folder, name="hillstrom.example")
    with steps() as tell:
        return main_job(settings, case, tell=tell, clock=calendar, between=rules.between, at_last=rules.at_last)


def proven(told: dict[str, Any]) -> bool:
    """Say whether nobody was addressed without permission or at night, the audit passed, and the ledger verifies."""
    unpermitted = told["run"]["addressed_without_permission"] + told["second_run"]["addressed_without_permission"]
    at_night = sum(told["at_night"]["chosen"].values())
    return bool(unpermitted + at_night == 0 and told["audit"]["status"] == "passed" and told["ledger"]["ok"])


def main() -> int:
    """Read the options, walk, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True, help="a file of the experiment's form")
    options.add_argument("--seed", type=int, default=7, help="of the synthetic permissions")
    options.add_argument("--keep", type=Path, help="a new folder to keep the deployment in; otherwise it is deleted")
    given = options.parse_args()
    try:
        if given.keep:
            given.keep.mkdir(mode=0o700, parents=True)
            told = walk(given.data, given.seed, given.keep)
        else:
            with tempfile.TemporaryDirectory(prefix="byleave-hillstrom-") as folder:
                told = walk(given.data, given.seed, Path(folder))
    except (ByleaveError, FileExistsError) as refused:
        print(refused, file=sys.stderr)
        return 2
    print(json.dumps(told, indent=2))
    return 0 if proven(told) else 1


if __name__ == "__main__":
    sys.exit(main())
