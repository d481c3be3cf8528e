"""Claim 7: verify the whole ledger: stored bytes, leaves, root, every entry parsed and its form checked.

Limit: `hashlib` alone, leaves and root over the same bytes in memory, in one process. Peers: a plain loop of
`sqlite3` rows, each parsed by orjson and hashed, with no check of its form; and a loop through an ORM session,
which does the same.
"""

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Session

from benchmarks.check import bare_reader
from benchmarks.ledgers import NOW, Made, founded, grown, scratch
from benchmarks.ratio import Line, Rounds, show
from consent.audit.findings import Evidence, Judged
from consent.audit.standing import standing
from consent.base.store import Store
from consent.ledger import log, merkle
from consent.ledger.verify import root_of_entries
from consent.tables import LedgerEntryRow

CUSTOMERS = 10_000


def verified(url: str, first: int, last: int) -> bytes:
    """Verify a piece of the log, as one process of several does, and return its root."""
    store = _OPENED.get(url) or _OPENED.setdefault(url, Store(url))
    with store.read() as work:
        return root_of_entries(work, 1, first, last)


_OPENED: dict[str, Store] = {}
"""A process keeps its store open from piece to piece."""


def orm_loop(store: Store) -> bytes:
    """Verify as one would write it first."""
    with store.read() as work, Session(work.connection) as session:
        hashes = []
        for row in session.scalars(sa.select(LedgerEntryRow).order_by(LedgerEntryRow.seq)).yield_per(1_000):
            said = orjson.loads(row.body)
            assert said["seq"] == row.seq
            assert merkle.leaf_hash(row.body) == row.leaf
            hashes.append(row.leaf)
    return merkle.root(hashes)


def plain_loop(made: Made) -> bytes:
    """Verify with nothing between: rows of `sqlite3`, orjson, sha256."""
    bare = bare_reader(made)
    hashes = []
    for seq, body, leaf in bare.execute("SELECT seq, body, leaf FROM ledger_entry WHERE log = 1 ORDER BY seq"):
        said = orjson.loads(body)
        assert said["seq"] == seq
        hashed = merkle.leaf_hash(body)
        assert hashed == leaf
        hashes.append(hashed)
    bare.close()
    return merkle.root(hashes)


def claims(made: Made, size: int, *, rounds: int) -> Iterator[Line]:
    """Measure one process and two against hashing in memory, and the standing of everybody against its payloads."""
    store = made.deployment.store
    bare = bare_reader(made)
    bodies = [row[0] for row in bare.execute("SELECT body FROM ledger_entry WHERE log = 1 ORDER BY seq")]
    bare.close()
    half = 1 << (size - 1).bit_length() - 1
    with store.read() as work:
        root = log.head(work).root

    def hashing() -> bytes:
        return merkle.root([merkle.leaf_hash(body) for body in bodies])

    with ProcessPoolExecutor(2, mp_context=get_context("forkserver")) as processes:

        def in_two() -> bytes:
            pieces = [processes.submit(verified, store.url, first, last) for first, last in ((0, half), (half, size))]
            return merkle.root([piece.result() for piece in pieces])

        assert verified(store.url, 0, size) == in_two() == hashing() == orm_loop(store) == root
        found = Rounds(
            {
                "one": (lambda: verified(store.url, 0, size), size),
                "two": (in_two, size),
                "hashlib": (hashing, size),
                "plain sqlite3 loop with orjson": (lambda: plain_loop(made), size),
                "ORM loop": (lambda: orm_loop(store), size),
            },
            rounds=rounds,
        )
    peers = ("plain sqlite3 loop with orjson", "ORM loop")
    for said, ours, goal in (("one process", "one", 0.35), ("two processes", "two", 0.7)):
        yield found.line(
            f"7 verify {size:,} entries, {said}", "entries", ours=ours, limit="hashlib", peers=peers, goal=goal
        )


def folded(made: Made, size: int, *, rounds: int) -> Line:
    """Measure the audit that reopens every payload, folds what it says, and holds the standing row against it."""
    evidence = Evidence(store=made.deployment.store, desk=made.deployment.desk, at=NOW)

    def audit() -> None:
        assert all(isinstance(found, Judged) for found in standing(evidence))

    return Line(
        claim=f"7 standing recomputed from {size:,} sealed payloads",
        unit="payloads",
        ours=Rounds({"ours": (audit, size)}, rounds=rounds).rate("ours"),
        least=1e5,
    )


def main() -> None:
    """Measure and print."""
    given = argparse.ArgumentParser()
    given.add_argument("--entries", type=int, default=1 << 16)
    given.add_argument("--rounds", type=int, default=9)
    given.add_argument("--json", action="store_true")
    asked = given.parse_args()
    with scratch() as folder:
        made = founded(folder, enrolled=CUSTOMERS)
        grown(made, asked.entries)
        show(*claims(made, asked.entries, rounds=asked.rounds), folded(made, asked.entries, rounds=3))
        made.deployment.store.close()


if __name__ == "__main__":
    main()
