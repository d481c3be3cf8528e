"""Claim 6, for information: append in bulk, as an import does: one thousand statements a transaction.

Limit: `executemany` of as many bytes, one thousand rows a commit, at the same durability. Beside it what the same costs
without sealing, permissions or standing: parse, write again by orjson, hash, store, root.
"""

import argparse
import sqlite3
from collections.abc import Sequence
from itertools import count

import orjson

from benchmarks.append import BODY, bare_sqlite
from benchmarks.ledgers import NOW, Made, founded, grant, scratch
from benchmarks.ratio import Line, measured, show
from consent.ledger import merkle
from consent.permission.statement import Statement
from consent.register import recording

CUSTOMERS = 20_000
AT_ONCE = 1_000


def said(made: Made, first: int) -> Sequence[Statement]:
    """Return the next thousand statements: customers in turn, and each of them another scope in every turn."""
    found, asked = [], made.asked
    for number in range(first, first + AT_ONCE):
        turn, spot = divmod(number, len(made.customers))
        found.append(grant(made.customers[spot], [asked[turn % len(asked)]]))
    return found


def unsealed(bare: sqlite3.Connection, first: int, frontier: merkle.Frontier) -> merkle.Frontier:
    """Append a thousand entries in the clear."""
    bodies = [
        orjson.dumps(
            {"seq": number, "said": {"act": "grant", "scopes": ["use:purchases:recommendations"]}, "pad": "x" * 250},
            option=orjson.OPT_SORT_KEYS,
        )
        for number in range(first, first + AT_ONCE)
    ]
    assert [orjson.loads(body)["seq"] for body in bodies] == [*range(first, first + AT_ONCE)]
    leaves = [merkle.leaf_hash(body) for body in bodies]
    frontier, _ = merkle.append_all(frontier, leaves)
    bare.execute("BEGIN IMMEDIATE")
    bare.executemany("INSERT INTO bare (body) VALUES (?)", [(body,) for body in bodies])
    bare.execute("COMMIT")
    return frontier


def claim(made: Made, bare: sqlite3.Connection, *, rounds: int) -> Line:
    """Measure a thousand at a time."""
    desk, store = made.deployment.desk, made.deployment.store
    ours_at, bare_at = count(step=AT_ONCE), count(step=AT_ONCE)
    frontier = merkle.Frontier()

    def ours() -> None:
        with store.write() as work:
            recording.record(desk, work, said(made, next(ours_at)), actor="import", at=NOW)

    def limit() -> None:
        bare.execute("BEGIN IMMEDIATE")
        bare.executemany("INSERT INTO bare (body) VALUES (?)", [(BODY,)] * AT_ONCE)
        bare.execute("COMMIT")

    def in_the_clear() -> None:
        nonlocal frontier
        frontier = unsealed(bare, next(bare_at), frontier)

    return measured(
        "6 append in bulk, 1,000 a transaction, sealed",
        "statements",
        work=AT_ONCE,
        ours=ours,
        limit=limit,
        peers={"orjson, sha256, SQLite, in the clear": (in_the_clear, AT_ONCE)},
        rounds=rounds,
    )


def main() -> None:
    """Measure and print."""
    given = argparse.ArgumentParser()
    given.add_argument("--rounds", type=int, default=21)
    given.add_argument("--json", action="store_true")
    asked = given.parse_args()
    with scratch() as folder:
        made = founded(folder, enrolled=CUSTOMERS)
        bare = bare_sqlite(folder / "bare.db")
        show(claim(made, bare, rounds=asked.rounds))
        bare.close()
        made.deployment.store.close()


if __name__ == "__main__":
    main()
