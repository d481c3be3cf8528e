"""Claim 10, thin, for information: a run end to end, and the memory that it takes.

Permits, unsealing, decisions, reservations, decision log and its root in the ledger, chunk by chunk, each
committed. The measured process is one of its own, so that its memory is that of the run; the same run of fewer
customers stands beside it: memory has to be flat in customers, and time linear.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import numpy as np

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
ROOT: Final = Path(__file__).parent.parent
"""Where modules are found by their names."""


def filled(folder: Path, customers: int) -> Made:
    """Return a deployment: two thirds permit the use of purchases, most may be contacted, all are remembered."""
    made = founded(folder, enrolled=customers, catalogue=parse_catalogue(CATALOGUE))
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


def carried_out_apart(made: Made) -> Took:
    """Run the campaign in a process of its own that has loaded nothing but the product."""
    keyring = str(made.path.parent / "keyring.json")
    command = [sys.executable, "-m", "benchmarks.running", made.deployment.store.url, keyring]
    return Took(**json.loads(subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout))


def run_of(customers: int) -> Took:
    """Fill a deployment of that many customers and run the campaign in it."""
    with scratch() as folder:
        made = with_campaign(filled(folder, customers))
        took = carried_out_apart(made)
        made.deployment.store.close()
        return took


def claim(customers: int) -> Line:
    """Measure a run of so many customers, and of a quarter as many."""
    few, many = run_of(customers // 4), run_of(customers)
    assert many.customers == customers
    return Line(
        claim=f"10 run end to end, {customers:,} x {CANDIDATES}",
        unit="customers",
        ours=many.customers / many.seconds,
        figures={
            "seconds": many.seconds,
            "peak memory, MB": many.megabytes,
            f"peak memory at {customers // 4:,}, MB": few.megabytes,
            "chosen": many.chosen,
        },
    )


def main() -> None:
    """Measure and print."""
    given = argparse.ArgumentParser()
    given.add_argument("--customers", type=int, default=40_000)
    given.add_argument("--json", action="store_true")
    asked = given.parse_args()
    show(claim(asked.customers))


if __name__ == "__main__":
    main()
