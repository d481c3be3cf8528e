"""Claim 14: a run on Spark against the same chunks in as many local processes, on one PostgreSQL (`make spark`).

Spark has started, and every process has decided once before, when the clock starts. Beside it stand the run in one
process, and what Spark makes of the bare arithmetic in NumPy: a task a chunk, no database.
"""

import argparse
import importlib
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import sqlalchemy as sa

from benchmarks.ledgers import NOW, postgresql, scratch
from benchmarks.ratio import Line, measured, show
from benchmarks.run import CANDIDATES, filled, with_campaign
from consent.base.ids import RunId
from consent.deployment import Deployment, open_deployment
from personalise.runs import processes, run

AT_ONCE: Final = 2
LARGE: Final = 100_000
"""From so many customers on, what it takes to have a task at all is little beside them."""


def standing() -> datetime:
    """Return the instant at which all of it happens."""
    return NOW


def opened(url: str, keyring: Path) -> Deployment:
    """Open the deployment in a process of its own."""
    return open_deployment(database_url=url, keyring=keyring, clock=standing)


def bare(number: int, *, most: int) -> int:
    """Score and choose for a chunk in NumPy, and nothing else; return how many are addressed."""
    drawn = np.random.default_rng(number)
    recency, visits = drawn.integers(1, 24, most), drawn.integers(0, 30, most)
    spend, allowed = drawn.gamma(2.0, 120.0, most), drawn.random(most) < 0.8
    scores = np.zeros((CANDIDATES, most))
    for each in range(CANDIDATES):
        fits = allowed & (recency <= 12) & (spend > each * 10) & (visits >= each % 5)
        score = (each % 9 + 1) / 100 + 0.001 * visits + 0.0001 * spend
        scores[each] = np.where(fits, score - 0.01, 0.0)
    return int((scores.max(axis=0) > 0).sum())


def claim(url: str, folder: Path, *, customers: int, most: int, rounds: int) -> Line:
    """Measure all sides in turn."""
    spark: Any = importlib.import_module("personalise.runs.spark")
    made = with_campaign(filled(folder, customers, url=url))
    apart = partial(opened, url, folder / "keyring.json")
    deployment = apart()

    def begun() -> RunId:
        with deployment.store.write() as work:
            work.connection.execute(sa.text("DELETE FROM contact"))  # or caps would leave nothing to do
            return run.opened(deployment, work, "c", actor="benchmark", at=NOW)

    def local(count: int) -> None:
        ended = processes.advance(deployment, begun(), opened=apart, processes=count, most=most)
        assert ended.done == customers

    with spark.started(f"local[{AT_ONCE},4]") as context:

        def on_spark() -> None:
            identity = begun()
            numbers = run.planned(deployment, identity, most=most)
            spark.decide(context, deployment, identity, numbers, opened=apart)
            assert run.advance(deployment, identity).done == customers

        def bare_spark() -> None:
            parts = -(-customers // most)
            found = context.parallelize(range(parts), parts).map(partial(bare, most=most)).collect()
            assert len(found) == parts

        line = measured(
            f"14 run on Spark, {customers:,} x {CANDIDATES}, against {AT_ONCE} local processes", "customers",
            work=customers, ours=on_spark, limit=lambda: local(AT_ONCE), rounds=rounds,
            peers={"one process": (lambda: local(1), customers), "bare NumPy on Spark": (bare_spark, customers)},
            goal=0.8 if customers >= LARGE else 0.0,
        )  # fmt: skip
    deployment.close()
    made.deployment.store.close()
    return line


def main() -> None:
    """Measure and print."""
    given = argparse.ArgumentParser()
    given.add_argument("--customers", type=int, default=20_000)
    given.add_argument("--chunk", type=int, default=2_500)
    given.add_argument("--rounds", type=int, default=3)
    given.add_argument("--json", action="store_true")
    asked = given.parse_args()
    with scratch() as folder, postgresql(folder) as url:
        show(claim(url, folder, customers=asked.customers, most=asked.chunk, rounds=asked.rounds))


if __name__ == "__main__":
    main()
