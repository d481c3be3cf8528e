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
from datetime import datetime
from pathlib import Path
from typing import Any

from api.cli.output import steps
from api.journey import Case, main_job
from api.settings import Settings
from consent.base.clock import system_clock
from consent.base.errors import ByleaveError, ImportInvalid, Place
from examples.hillstrom.permissions import COLUMNS, synthetic_permissions

HERE = Path(__file__).parent
REFERENCE = "customer_id"


def write_permissions(data: Path, to: Path, *, seed: int, at: datetime) -> None:
    """Make up a statement file for the customers that the data file names.

    Raises:
        ImportInvalid: the file can't be read, or has no column of references.
    """
    try:
        with data.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if REFERENCE not in (rows.fieldnames or ()):
                raise ImportInvalid(places=[Place(f"{data.name}, line 1", f"has no column {REFERENCE}")])
            references = [row[REFERENCE] for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as unreadable:
        raise ImportInvalid(f"{data.name} can't be read: {type(unreadable).__name__}") from unreadable
    with to.open("w", encoding="utf-8", newline="") as file:
        written = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        written.writeheader()
        written.writerows(synthetic_permissions(references, seed=seed, at=at))


def walk(data: Path, seed: int, folder: Path) -> dict[str, Any]:
    """Walk the main job in a new deployment in `folder`."""
    said = folder / "permissions.csv"
    write_permissions(data, said, seed=seed, at=system_clock())
    mapping = HERE / "mapping.toml"
    case = Case(
        catalogue=HERE / "catalogue.toml",
        statements=said,
        statements_mapping=HERE / "statements_mapping.toml",
        customers=data,
        customers_mapping=mapping,
        outcomes=data,
        outcomes_mapping=mapping,
        campaign=HERE / "campaign.toml",
    )
    settings = Settings(home=folder, name="hillstrom.example")
    with steps() as tell:
        return main_job(settings, case, tell=tell)


def proven(told: dict[str, Any]) -> bool:
    """Say whether nobody was addressed without permission, the audit passed, and the ledger verifies."""
    unpermitted = told["run"]["addressed_without_permission"] + told["second_run"]["addressed_without_permission"]
    return bool(unpermitted == 0 and told["audit"]["status"] == "passed" and told["ledger"]["ok"])


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
