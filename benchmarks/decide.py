"""Claim 9: the pure function, 20 candidates, every verdict recorded, against bare Polars arithmetic of the same.

Limit: Polars reading the same columns from Parquet and computing the same 20 conditions, scores and their maximum, with
nothing else: no permissions, no reasons, no record. Peer: a plain Python loop that decides row by row.
"""

import argparse
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.ratio import measured, show
from consent.catalogue.model import published
from consent.catalogue.reading import parse_catalogue
from personalise.campaigns.reading import parse_campaign
from personalise.decide import decide
from personalise.steps.personalise.policy import Policy, policy

AT = datetime(2026, 11, 21, tzinfo=UTC)
CHUNK = 10_000
CATALOGUE = """
name = "benchmark"
[[purpose]]
key = "offers"
title = "Offers"
description = "Offers."
marketing = true
[[category]]
key = "purchases"
title = "Purchases"
origin = "observed"
attributes = { recency = "integer", spend = "number", visits = "integer", got = "text" }
[[channel]]
key = "email"
title = "E-mail"
[[notice]]
key = "offers"
version = 1
[notice.wording]
en = "May we?"
[[scope]]
scope = "remember:purchases"
legal_basis = "consent"
notice = "offers"
benefit = "Better offers."
[[scope]]
scope = "use:purchases:offers"
legal_basis = "consent"
notice = "offers"
benefit = "Better offers."
[[scope]]
scope = "contact:email:offers"
legal_basis = "consent"
notice = "offers"
benefit = "Better offers."
"""
HEAD = """
[objective]
key = "o"
title = "t"
challenge = "c"
measure = "visits"
target = 1
by = 2026-12-31
owner = "x"
[campaign]
key = "c"
name = "n"
purpose = "offers"
measurement = "offers"
received = "got"
benefit = "b"
audience = "recency <= 12"
person_to_reach = "p"
way_out = "w"
[campaign.holdout]
share = 0.1
salt = "s"
[[cap]]
key = "month"
channels = ["email"]
limit = 2
days = 30
"""


def the_policy(candidates: int) -> Policy:
    """Return a policy of that many candidates, each with its own condition and score."""
    bits = {"remember:purchases": 0, "use:purchases:offers": 1, "contact:email:offers": 2}
    catalogue = published(parse_catalogue(CATALOGUE), 1, bits)
    parts = [HEAD]
    for number in range(candidates):
        parts.append(
            f'[[offer]]\nkey = "o{number}"\nfamily = "f"\nterms = {{}}\nvalue = 1.0\ncost = 0.01\n'
            f'eligibility = "spend > {number * 10} AND visits >= {number % 5}"\n'
        )
        parts.append(
            f'[[treatment]]\nkey = "t{number}"\noffer = "o{number}"\nchannel = "email"\ncontent = "c"\n'
            f'score = "0.0{number % 9 + 1} + 0.001 * visits + 0.0001 * spend"\n'
        )
    return policy(parse_campaign("".join(parts), "toml", catalogue), 1, catalogue)


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


def plain_python(rows: list[dict[str, Any]], candidates: int) -> None:
    """Decide row by row, as one would write it first."""
    for row in rows:
        best, chosen = 0.0, -1
        for number in range(candidates):
            if row["permit:contact:email:offers"] or row["permit:use:purchases:offers"] or row["contacts:month"] >= 2:
                continue
            if row["recency"] <= 12 and row["spend"] > number * 10 and row["visits"] >= number % 5:
                score = (number % 9 + 1) / 100 + 0.001 * row["visits"] + 0.0001 * row["spend"] - 0.01
                if score > best:
                    best, chosen = score, number
        row["chosen"] = chosen


def main() -> None:
    """Measure and print."""
    given = argparse.ArgumentParser()
    given.add_argument("--customers", type=int, default=200_000)
    given.add_argument("--candidates", type=int, default=20)
    given.add_argument("--json", action="store_true")
    asked = given.parse_args()
    chosen = the_policy(asked.candidates)
    table = population(asked.customers)
    chunks = [table.slice(start, CHUNK).combine_chunks() for start in range(0, asked.customers, CHUNK)]
    few = table.slice(0, 5_000).to_pylist()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "customers.parquet"
        pq.write_table(table, path)
        line = measured(
            f"9 decide, pure, {asked.customers:,} x {asked.candidates}, all verdicts recorded",
            "customers",
            work=asked.customers,
            ours=lambda: [decide(chunk, chosen, AT) for chunk in chunks],
            limit=lambda: bare_polars(path, asked.candidates),
            goal=0.2,
            peers={"plain Python": (lambda: plain_python(few, asked.candidates), len(few))},
            peer_goals={"plain Python": 5.0},
            rounds=5,
        )
    show(line)


if __name__ == "__main__":
    main()
