"""Claim 8: inclusion and consistency proofs out of the stored tree.

Limit: the bare reads of the same nodes by their keys, on a connection of its own. Peer: pymerkle's SqliteTree of
the same size, which keeps leaves alone and hashes its way up for each proof.
"""

import argparse
import sqlite3
import time
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from pymerkle import SqliteTree

from benchmarks.append import BODY
from benchmarks.check import bare_reader
from benchmarks.ledgers import Made, founded, grown, scratch
from benchmarks.ratio import Line, measured, percentile, show
from consent.ledger import log, merkle
from consent.ledger.merkle import Position
from consent.register import proving

CUSTOMERS = 5_000
TURN = 20
SAMPLE = 400
"""How many single proofs the percentiles are taken of."""

_NODE = "SELECT hash FROM ledger_node WHERE log = 1 AND level = ? AND idx = ?"


def peer(path: Path, size: int) -> SqliteTree:
    """Return pymerkle's tree of that many entries."""
    tree = SqliteTree(str(path))
    tree.append_entries((BODY + number.to_bytes(8) for number in range(size)), chunksize=100_000)
    return tree


def read_nodes(bare: sqlite3.Connection, positions: Sequence[Position]) -> int:
    """Read nodes by their keys and do nothing with them."""
    for level, idx in positions:
        if level:
            bare.execute(_NODE, (level, idx)).fetchone()
        else:
            bare.execute("SELECT leaf FROM ledger_entry WHERE log = 1 AND seq = ?", (idx,)).fetchone()
    return len(positions)


def percentiles(
    ours: Callable[[int], object], bare: Callable[[int], object], places: Sequence[int]
) -> dict[str, float]:
    """Return the p99 of single proofs in milliseconds; and of the bare reads, which shows what the machine adds."""
    took: dict[str, list[float]] = {"p99, ms": [], "p99 of the bare reads, ms": []}
    for place in places:
        for call, mine in zip((ours, bare), took.values(), strict=True):
            began = time.perf_counter()
            call(place)
            mine.append((time.perf_counter() - began) * 1000)
    return {name: percentile(each, 0.99) for name, each in took.items()}


def claims(made: Made, folder: Path, size: int, *, rounds: int) -> list[Line]:
    """Measure both kinds of proof against a ledger of `size` entries."""
    with made.deployment.store.write() as work:
        proving.sign_checkpoint(made.deployment.desk, work, at=made.deployment.clock())
    tree = peer(folder / "pymerkle.db", size)
    bare = bare_reader(made)
    places = [int(place) for place in np.random.default_rng(3).integers(1, size, SAMPLE)]
    turn = places[:TURN]
    other = cycle(places)
    with made.deployment.store.read() as work:
        root = log.head(work).root
        one = proving.inclusion(work, places[0])
        merkle.verify_inclusion(one.leaf_hash, index=one.seq, size=size, proof=one.path, root=root)
        lines = [
            measured(
                f"8 inclusion proof, {size:,} entries",
                "proofs",
                work=TURN,
                ours=lambda: [proving.inclusion(work, place) for place in turn],
                limit=lambda: [read_nodes(bare, merkle.inclusion_nodes(place, size)) for place in turn],
                peers={"pymerkle SqliteTree": (lambda: tree.prove_inclusion(next(other) + 1, size), 1)},
                peer_goals={"pymerkle SqliteTree": 20.0},
                figures=percentiles(
                    lambda place: proving.inclusion(work, place),
                    lambda place: read_nodes(bare, merkle.inclusion_nodes(place, size)),
                    places,
                ),
                at_most={"p99, ms": 2.0},
                rounds=rounds,
            ),
            measured(
                f"8 consistency proof, {size:,} entries",
                "proofs",
                work=TURN,
                ours=lambda: [proving.consistency(work, place, size) for place in turn],
                limit=lambda: [read_nodes(bare, merkle.consistency_nodes(place, size)) for place in turn],
                peers={"pymerkle SqliteTree": (lambda: tree.prove_consistency(next(other), size), 1)},
                peer_goals={"pymerkle SqliteTree": 20.0},
                figures=percentiles(
                    lambda place: proving.consistency(work, place, size),
                    lambda place: read_nodes(bare, merkle.consistency_nodes(place, size)),
                    places,
                ),
                at_most={"p99, ms": 2.0},
                rounds=rounds,
            ),
        ]
    bare.close()
    tree.close()
    return lines


def main() -> None:
    """Measure and print."""
    given = argparse.ArgumentParser()
    given.add_argument("--entries", type=int, default=100_000)
    given.add_argument("--rounds", type=int, default=15)
    given.add_argument("--json", action="store_true")
    asked = given.parse_args()
    with scratch() as folder:
        made = founded(folder, enrolled=CUSTOMERS)
        grown(made, asked.entries)
        show(*claims(made, folder, asked.entries, rounds=asked.rounds))
        made.deployment.store.close()


if __name__ == "__main__":
    main()
