"""Claim 9: the pure function, 20 candidates, every verdict recorded, against bare Polars arithmetic of the same.

Limit: Polars reading the same columns from Parquet and computing the same 20 conditions, scores and their maximum,
with nothing else: no permissions, no reasons, no record. Peer: a plain Python loop that decides row by row, by the
same rules, and records the same verdicts. Ours runs its chunks on as many threads as there are processors; so does
Polars. Chunks are so large that threads seldom wait for each other: at 25,000 customers two threads are hardly faster
than one. A run's own are smaller, for the sake of its transactions, and one a process.
"""

import argparse
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.campaigns import CATALOGUE, campaign_text
from benchmarks.ratio import Line, measured, show
from consent.catalogue.model import published
from consent.catalogue.reading import parse_catalogue
from consent.permission.verdict import Reason
from personalise.campaigns.reading import parse_campaign
from personalise.decide import decide
from personalise.steps.personalise.policy import Policy, policy

AT = datetime(2026, 11, 21, tzinfo=UTC)
CHUNK = 100_000
HARD = frozenset({Reason.CUSTOMER_ERASED, Reason.SUPPRESSED, Reason.RESTRICTED, Reason.PAUSED, Reason.MINOR})


def the_policy(candidates: int) -> Policy:
    """Return the campaign as a policy."""
    bits = {"remember:purchases": 0, "use:purchases:offers": 1, "contact:email:offers": 2}
    catalogue = published(parse_catalogue(CATALOGUE), 1, bits)
    return policy(parse_campaign(campaign_text(candidates), "toml", catalogue), 1, catalogue)


def population(n: int) -> pa.Table:
    """Return `n` customers as the columns that `decide` takes."""
    drawn = np.random.default_rng(7)
    refused = drawn.random(n) < 0.3
    zeros = pa.array(np.zeros(n, dtype=np.int64))
    return pa.table(
        {
            "customer": pa.array([f"cus_{number:032x}" for number in range(n)]),
            "enrolled": pa.array(np.ones(n, dtype=bool)),
            "recency": pa.array(drawn.integers(1, 24, n), mask=refused),
            "spend": pa.array(drawn.gamma(2.0, 120.0, n), mask=refused),
            "visits": pa.array(drawn.integers(0, 30, n), mask=refused),
            "permit:use:purchases:offers": pa.array(np.where(refused, 9, 0).astype(np.uint8)),
            "permit:contact:email:offers": pa.array(np.where(drawn.random(n) < 0.3, 15, 0).astype(np.uint8)),
            "bucket": pa.array(drawn.integers(0, 10_000, n)),
            "contacts:month": pa.array(drawn.integers(0, 4, n)),
            "contacts_free:month": pa.array(np.full(n, 1_800_000_000_000)),
            "ghosts:month": zeros,
            "ghosts_free:month": zeros,
            "committed:f": pa.nulls(n, pa.string()),
            "committed_grade:f": pa.nulls(n, pa.int64()),
        }
    )


def bare_polars(path: Path, candidates: int) -> None:
    """Compute the same arithmetic from Parquet and nothing else."""
    scores = []
    for number in range(candidates):
        fits = (pl.col("recency") <= 12) & (pl.col("spend") > number * 10) & (pl.col("visits") >= number % 5)
        score = (number % 9 + 1) / 100 + 0.001 * pl.col("visits") + 0.0001 * pl.col("spend") - 0.01
        scores.append(pl.when(fits).then(score).otherwise(float("-inf")).alias(f"s{number}"))
    frame = pl.scan_parquet(path).select(scores).select(pl.max_horizontal(pl.all()))
    frame.collect()


def plain_python(rows: list[dict[str, Any]], chosen: Policy, candidates: int) -> list[dict[str, Any]]:
    """Decide row by row, as one would write it first: the same rules in the same order, every verdict recorded."""
    number = {rule: spot for spot, rule in enumerate(chosen.rules)}
    return [decided_plainly(row, number, candidates) for row in rows]


def decided_plainly(  # noqa: C901, PLR0912, PLR0915 -- as one writes it first is what it is here for
    row: dict[str, Any], number: dict[str, int], candidates: int
) -> dict[str, Any]:
    """Decide for one customer."""
    contact, use = row["permit:contact:email:offers"], row["permit:use:purchases:offers"]
    control = row["bucket"] < 1_000
    contacts = row["ghosts:month"] if control else row["contacts:month"]
    recency, spend, visits = row["recency"], row["spend"], row["visits"]
    best, winner = 0.0, -1
    rules, worths = [], []
    for candidate in range(candidates):
        worth = -0.01
        if visits is not None and spend is not None:
            worth = ((candidate % 9 + 1) / 100 + 0.001 * visits + 0.0001 * spend) * 1.0 + (0.0 - 0.01)
        if not row["enrolled"]:
            rule = "not_enrolled"
        elif contact in HARD:
            rule = "hard_stop"
        elif recency is not None and recency > 12:
            rule = "audience"
        elif recency is None and not use:
            rule = "unknown"
        elif (spend is not None and spend <= candidate * 10) or (visits is not None and visits < candidate % 5):
            rule = "eligibility"
        elif (spend is None or visits is None) and not use:
            rule = "unknown"
        elif contact:
            rule = "permission:contact:email:offers"
        elif use:
            rule = "permission:use:purchases:offers"
        elif contacts >= 2:
            rule = "cap:month"
        else:
            rule = ""
            if worth > best:
                best, winner = worth, candidate
        rules.append(rule)
        worths.append(worth)
    for candidate, (rule, worth) in enumerate(zip(rules, worths, strict=True)):
        if rule == "" and candidate != winner:
            rules[candidate] = "outranked" if worth > 0 else "worth_nothing"
        if control and (rule in {"", "cap:month"}):
            rules[candidate] = "holdout"
    return {
        "chosen": -1 if control else winner,
        "ghost": winner if control else -1,
        "rules": [number[rule] for rule in rules],
        "worths": worths,
    }


def same(rows: list[dict[str, Any]], made: pa.Table, candidates: int) -> bool:
    """Say whether the plain loop and `decide` came to the same decisions, verdict for verdict."""
    ours = made.to_pylist()
    return all(
        (plain["chosen"], plain["ghost"], plain["rules"], plain["worths"])
        == (
            row["chosen"],
            row["ghost"],
            [row[f"rule:t{number}"] for number in range(candidates)],
            [row[f"worth:t{number}"] for number in range(candidates)],
        )
        for plain, row in zip(rows, ours, strict=True)
    )


def claim(customers: int, candidates: int, *, rounds: int) -> Line:
    """Measure ours and Polars on all processors, and the plain loop on as few rows as a turn takes."""
    chosen = the_policy(candidates)
    table = population(customers)
    chunks = [table.slice(start, CHUNK).combine_chunks() for start in range(0, customers, CHUNK)]
    few = table.slice(0, 2_000)
    rows = few.to_pylist()
    assert same(plain_python(rows, chosen, candidates), decide(few, chosen, AT), candidates)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as threads:
        path = Path(folder) / "customers.parquet"
        pq.write_table(table, path)
        return measured(
            f"9 decide, pure, {customers:,} x {candidates}, all verdicts recorded",
            "customers",
            work=customers,
            ours=lambda: list(threads.map(lambda chunk: decide(chunk, chosen, AT), chunks)),
            limit=lambda: bare_polars(path, candidates),
            goal=0.2,
            peers={"plain Python": (lambda: plain_python(rows, chosen, candidates), len(rows))},
            peer_goals={"plain Python": 5.0},
            rounds=rounds,
        )


def main() -> None:
    """Measure and print."""
    given = argparse.ArgumentParser()
    given.add_argument("--customers", type=int, default=400_000)
    given.add_argument("--candidates", type=int, default=20)
    given.add_argument("--rounds", type=int, default=15)
    given.add_argument("--json", action="store_true")
    asked = given.parse_args()
    show(claim(asked.customers, asked.candidates, rounds=asked.rounds))


if __name__ == "__main__":
    main()
