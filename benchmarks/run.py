"""Claim 10, thin, for information: a run end to end, and the memory that it takes.

Permits, unsealing, decisions, reservations, decision log and its root in the ledger, chunk by chunk, each committed. The
measured process is one of its own, so that its memory is that of the run; the same run of fewer customers stands beside
it: memory has to be flat in customers, and time linear.
"""

import argparse
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.decide import CATALOGUE, campaign_text
from benchmarks.ledgers import NOW, Made, founded, grant, record_all, scratch
from benchmarks.ratio import Line, show
from consent import gate
from consent.catalogue.reading import parse_catalogue
from consent.deployment import open_deployment
from personalise import shelf
from personalise.campaigns.reading import parse_campaign
from personalise.runs import run

CANDIDATES = 20
AT_ONCE = 5_000


class Took(NamedTuple):
    """What a run took: seconds, and its process's peak of memory in megabytes."""

    seconds: float
    megabytes: float
    customers: int
    chosen: int


def filled(folder: Path, customers: int) -> Made:
    """Return a deployment in which two thirds permit the use of purchases, most may be contacted, and all are remembered."""
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


def carried_out(url: str, keyring: Path) -> Took:
    """Run the campaign over everybody, in this process."""
    deployment = open_deployment(database_url=url, keyring=keyring, clock=lambda: NOW)
    began = time.perf_counter()
    finished = run.advance(deployment, run.start(deployment, "c", actor="benchmark"))
    seconds = time.perf_counter() - began
    deployment.store.close()
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Took(seconds, megabytes, finished.counts.customers, sum(finished.counts.chosen.values()))


def with_campaign(made: Made) -> Made:
    """Publish the campaign that is run."""
    with made.deployment.store.write() as work:
        campaign = parse_campaign(campaign_text(CANDIDATES), "toml", made.catalogue)
        shelf.publish(work, campaign, actor="benchmark", at=NOW)
    return made


def carried_out_apart(made: Made) -> Took:
    """Run the campaign in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
        return apart.submit(carried_out, made.deployment.store.url, made.path.parent / "keyring.json").result()


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
        limit=0.0,
        peers={},
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
