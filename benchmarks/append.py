"""Claim 4: append one statement (durable, sealed, in the tree, standing updated) against one bare INSERT a commit.

Limit: one row of an entry's size, inserted and committed on the same disk at the same durability: SQLite with the same
PRAGMAs, PostgreSQL with eight clients at once, each a process that commits on its own. On PostgreSQL ours are eight
threads that go through `Gathering`: each waits until his statement is durable, and those who wait share a commit. Peer:
pymerkle's SqliteTree, which hashes and stores the bytes in the clear and keeps no inner nodes. What `fdatasync` alone
costs is printed beside it: on a disk where it is dear, everybody waits for the same thing.
"""

import argparse
import os
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from unittest.mock import patch

import psycopg
from pymerkle import SqliteTree

from benchmarks.ledgers import Made, founded, grant, postgresql, scratch, withdrawal
from benchmarks.ratio import Line, measured, show
from consent.base import database
from consent.deployment import Deployment
from consent.permission.statement import Statement
from consent.register import recording
from consent.register.gathering import Gathering
from consent.register.recording import Request

CUSTOMERS = 2_000
BODY = os.urandom(330)
"""As many bytes as an entry has."""
CLIENTS = 8


def one_by_one(made: Made) -> Iterator[Statement]:
    """Yield statements without end: every customer grants the second scope asked for, then every one withdraws it."""
    scope = made.asked[1]
    for number in count():
        turn, spot = divmod(number, len(made.customers))
        yield (withdrawal if turn % 2 else grant)(made.customers[spot], [scope])


def appended(deployment: Deployment, statement: Statement) -> None:
    """Record one statement; it is durable when this returns."""
    with deployment.store.write() as work:
        recording.record(deployment.desk, work, [statement], actor="customer", at=deployment.clock())


def bare_sqlite(path: Path) -> sqlite3.Connection:
    """Open a bare table with the product's own PRAGMAs."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in database._pragmas():  # noqa: SLF001 -- the same PRAGMAs are the point
        connection.execute(pragma)
    connection.execute("CREATE TABLE bare (seq INTEGER PRIMARY KEY, body BLOB)")
    return connection


def synced(path: Path, times: int = 200) -> float:
    """Return how many times a second the disk takes an entry's bytes for good."""
    file = os.open(path, os.O_CREAT | os.O_RDWR)
    took = []
    for _ in range(times):
        began = time.perf_counter()
        os.pwrite(file, BODY, 0)
        os.fdatasync(file)
        took.append(time.perf_counter() - began)
    os.close(file)
    return 1 / statistics.median(took)


def on_sqlite(claim: str, folder: Path, *, rounds: int) -> Line:
    """Measure on SQLite, with the journal that the product chooses."""
    batch = 50
    made = founded(folder, enrolled=CUSTOMERS)
    said = one_by_one(made)
    bare = bare_sqlite(folder / "bare.db")
    tree = SqliteTree(str(folder / "pymerkle.db"))

    def ours() -> None:
        for _ in range(batch):
            appended(made.deployment, next(said))

    def limit() -> None:
        for _ in range(batch):
            bare.execute("BEGIN IMMEDIATE")
            bare.execute("INSERT INTO bare (body) VALUES (?)", (BODY,))
            bare.execute("COMMIT")

    def pymerkle() -> None:
        for _ in range(batch):
            tree.append_entry(BODY)

    journal = bare.execute("PRAGMA journal_mode").fetchone()[0]
    disk = synced(folder / "synced")
    line = measured(
        f"{claim} (journal: {journal})",
        "statements",
        work=batch,
        ours=ours,
        limit=limit,
        peers={"pymerkle SqliteTree": (pymerkle, batch)},
        rounds=rounds,
        goal=0.35,
        peer_goals={"pymerkle SqliteTree": 1.5},
        figures={"fdatasync alone, /s": disk},
    )
    bare.close()
    tree.close()
    made.deployment.store.close()
    return line


def client(pipe: Connection, url: str) -> None:
    """Be one client of the bare table: insert and commit as often as the pipe says, until it says 0."""
    with psycopg.connect(url, autocommit=True) as bare:
        while times := pipe.recv():
            for _ in range(times):
                bare.execute("INSERT INTO bare (body) VALUES (%s)", (BODY,))
            pipe.send(times)


@contextmanager
def bare_clients(url: str) -> Iterator[Callable[[int], None]]:
    """Start eight clients, each a process of its own, and give what lets all of them insert so many rows at once."""
    forked = get_context("fork")
    with psycopg.connect(url, autocommit=True) as connection, ExitStack() as stack:
        connection.execute("CREATE TABLE bare (seq BIGSERIAL PRIMARY KEY, body BYTEA)")
        for setting in (b"fsync", b"synchronous_commit"):
            assert connection.execute(b"SHOW " + setting).fetchone() == ("on",)
        pipes = []
        for _ in range(CLIENTS):
            here, there = forked.Pipe()
            process = forked.Process(target=client, args=(there, url))
            process.start()
            stack.callback(process.join)
            stack.callback(here.send, 0)
            pipes.append(here)

        def all_at_once(times: int) -> None:
            for pipe in pipes:
                pipe.send(times)
            for pipe in pipes:
                assert pipe.recv() == times

        yield all_at_once


def on_postgresql(folder: Path, *, rounds: int) -> Line:
    """Measure on PostgreSQL with eight clients at once: ours are threads that share transactions (group commit)."""
    each = 50
    with postgresql(folder) as url, bare_clients(url) as inserted, ThreadPoolExecutor(CLIENTS) as threads:
        made = founded(folder, url=url, enrolled=CUSTOMERS)
        gathering = Gathering(made.deployment.store, made.deployment.desk)
        said = [one_by_one(made.of(number, CLIENTS)) for number in range(CLIENTS)]

        def one_client(number: int) -> None:
            for _ in range(each):
                request = Request(statements=[next(said[number])], actor="customer")
                [recorded] = gathering.record(request, at=made.deployment.clock())
                assert not recorded.repeated

        line = measured(
            "4 append one statement, PostgreSQL, 8 clients",
            "statements",
            work=each * CLIENTS,
            ours=lambda: list(threads.map(one_client, range(CLIENTS))),
            limit=lambda: inserted(each),
            goal=0.35,
            rounds=rounds,
        )
        made.deployment.store.close()
    return line


def main() -> None:
    """Measure and print."""
    given = argparse.ArgumentParser()
    given.add_argument("--rounds", type=int, default=15)
    given.add_argument("--json", action="store_true")
    asked = given.parse_args()
    with scratch() as folder:
        show(on_sqlite("4 append one statement, SQLite", folder, rounds=asked.rounds))
    if not database.wal_is_safe():
        # The product avoids the write-ahead log of this SQLite, which has a fault; this is what a newer one gives.
        with scratch() as folder, patch.object(database, "wal_is_safe", return_value=True):
            claim = "4 append one statement, SQLite as of 3.51.3"
            show(on_sqlite(claim, folder, rounds=asked.rounds))
    with scratch() as folder:
        show(on_postgresql(folder, rounds=asked.rounds))


if __name__ == "__main__":
    main()
