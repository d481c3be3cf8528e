"""Claim 10: a run end to end on the embedded database, in one process, and the memory that it takes.

Permits, unsealing, decisions, reservations, decision log and its root in the ledger, chunk by chunk, each
committed. The measured process is one of its own, so that its memory is that of the run; the same run of fewer
customers stands beside it: memory has to be flat in customers, and time linear. Limit: the bare parts, one after the
other. Peer: a plain loop that knows no permissions, seals nothing and logs nothing but contacts.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import numpy as np

from benchmarks.bare_run import bare_parts, plain_loop
from benchmarks.campaigns import CATALOGUE, campaign_text
from benchmarks.ledgers import NOW, Made, founded, grant, record_all, scratch
from benchmarks.ratio import Line, show
from benchmarks.running import Took
from consent import gate
from consent.catalogue.reading import parse_catalogue
from personalise import shelf
from personalise.campaigns.reading import parse_campaign

CANDIDATES: Final = 20
AT_ONCE: Final = 5_000
MILLION: Final = 1_000_000
KEYRING: Final = "keyring.json"
ROOT: Final = Path(__file__).parent.parent
"""Where modules are found by their names."""


def filled(folder: Path, customers: int, *, url: str = "") -> Made:
    """Return a deployment: two thirds permit the use of purchases, most may be contacted, all are remembered."""
    made = founded(folder, url=url, enrolled=customers, catalogue=parse_catalogue(CATALOGUE))
    remember, use, contact = made.asked
    drawn = np.random.default_rng(2)
    uses, contacts = drawn.random(customers) < 0.67, drawn.random(customers) < 0.8
    allowed = {
        customer: [remember, use] * bool(of_use) + [contact] * bool(of_contact)
        for customer, of_use, of_contact in zip(made.customers, uses, contacts, strict=True)
    }
    record_all(made, [grant(customer, scopes) for customer, scopes in allowed.items() if scopes])
    for first in range(0, customers, AT_ONCE):
        those = made.customers[first : first + AT_ONCE]
        facts = {
            "recency": drawn.integers(1, 24, len(those)).tolist(),
            "spend": drawn.gamma(2.0, 120.0, len(those)).tolist(),
            "visits": drawn.integers(0, 30, len(those)).tolist(),
        }
        with made.deployment.store.write() as work:
            gate.remember_columns(made.deployment.desk, work, those, facts, at=NOW)
    return made


def with_campaign(made: Made) -> Made:
    """Publish the campaign that is run."""
    with made.deployment.store.write() as work:
        campaign = parse_campaign(campaign_text(CANDIDATES), "toml", made.catalogue)
        shelf.publish(work, campaign, actor="benchmark", at=NOW)
    return made


def carried_out_apart(database: Path) -> Took:
    """Run the campaign in a process of its own that has loaded nothing but the product."""
    command = [sys.executable, "-m", "benchmarks.running", f"sqlite:///{database}", str(database.parent / KEYRING)]
    return Took(**json.loads(subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout))


class Turn(NamedTuple):
    """One turn: the run, and in seconds what it is held against."""

    took: Took
    bare: float
    plain: float


def turn_of(filled_with: Path, folder: Path) -> Turn:
    """Run in a copy of a filled deployment, then what it is held against, on what the run wrote."""
    folder.mkdir()
    database = folder / filled_with.name
    shutil.copy(filled_with, database)
    shutil.copy(filled_with.parent / KEYRING, folder / KEYRING)
    took = carried_out_apart(database)
    bare = bare_parts(database, folder / "bare.db", CANDIDATES)
    plain = plain_loop(folder / "plain.db", took.customers, CANDIDATES)
    return Turn(took, bare, plain)


def turns_of(customers: int, rounds: int) -> list[Turn]:
    """Fill a deployment of that many customers and take turns in copies of it."""
    with scratch() as folder:
        made = with_campaign(filled(folder, customers))
        made.deployment.store.close()
        return [turn_of(made.path, folder / str(number)) for number in range(rounds)]


def claim(customers: int, *, rounds: int) -> Line:
    """Measure a run of so many customers, and for its memory one of a quarter as many."""
    [few], turns = turns_of(customers // 4, 1), turns_of(customers, rounds)
    assert all(each.took.customers == customers and each.took.chosen > customers // 5 for each in turns)
    million = "seconds a million" if customers < MILLION else "seconds"
    seconds = median(each.took.seconds for each in turns)
    megabytes = max(each.took.megabytes for each in turns)
    return Line(
        claim=f"10 run end to end, {customers:,} x {CANDIDATES}",
        unit="customers",
        ours=customers / seconds,
        limit=customers / median(each.bare for each in turns),
        of_limit=median(each.bare / each.took.seconds for each in turns),
        peers={"plain loop": customers / median(each.plain for each in turns)},
        of_peers={"plain loop": median(each.plain / each.took.seconds for each in turns)},
        figures={
            million: seconds * MILLION / customers,
            "peak memory, MB": megabytes,
            f"memory, times that of {customers // 4:,}": megabytes / few.took.megabytes,
            "chosen": turns[0].took.chosen,
        },
        at_most={million: 60, "peak memory, MB": 600},
    )


def main() -> None:
    """Measure and print."""
    given = argparse.ArgumentParser()
    given.add_argument("--customers", type=int, default=40_000)
    given.add_argument("--rounds", type=int, default=0, help="how many turns; 0: 5, or 1 from half a million on")
    given.add_argument("--json", action="store_true")
    asked = given.parse_args()
    rounds = asked.rounds or (1 if asked.customers >= MILLION // 2 else 5)
    show(claim(asked.customers, rounds=rounds))


if __name__ == "__main__":
    main()
