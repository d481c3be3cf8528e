"""What nothing that runs a campaign can do without, and what a plain loop does: what claim 10 is held against.

The bare parts, each on the data of the run itself and one after the other: the rows of customers read, as many bytes
opened and sealed by AES-GCM as a run opens and seals (a new key each), the arithmetic of the candidates, and rows and
records of the same size written, a commit a chunk. No permissions are judged, nothing is proved, nothing explained.
"""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

CHUNK: Final = 5_000
_NONCE: Final = bytes(12)
_CONTACT: Final = (
    "customer", "decision", "campaign", "treatment", "offer", "channel", "purpose", "status", "reserved_at", "family",
    "tags", "kind", "charge", "expires_at",
)  # fmt: skip
_PLACES: Final = ", ".join("?" * len(_CONTACT))


def _connected(path: Path) -> sqlite3.Connection:
    """Return a connection at the durability of the product's own."""
    made = sqlite3.connect(path, isolation_level=None)
    made.execute("PRAGMA journal_mode = WAL")
    made.execute("PRAGMA synchronous = FULL")
    return made


def _chunks(rows: sqlite3.Cursor) -> Iterator[list[Any]]:
    while chunk := rows.fetchmany(CHUNK):
        yield chunk


def bare_parts(path: Path, scratch: Path, candidates: int) -> float:
    """Return the seconds that the bare parts take together.

    Args:
        path: of the database, in which the run is finished: its records say how much there is to read and to write.
        scratch: a file to write to.
        candidates: how many.
    """
    read, written = _connected(path), _connected(scratch)
    written.execute(f"CREATE TABLE contact ({', '.join(_CONTACT)}, PRIMARY KEY (customer, decision)) WITHOUT ROWID")
    written.execute("CREATE TABLE record (chunk INTEGER PRIMARY KEY, decisions, inputs)")
    contacts = read.execute(f"SELECT {', '.join(_CONTACT)} FROM contact").fetchall()  # noqa: S608 -- our own names
    records = read.execute("SELECT columns, rows FROM decision_chunk AS d JOIN decision_input AS i ON i.chunk = d.id")
    kept = records.fetchall()
    began = time.perf_counter()
    for rows in _chunks(read.execute("SELECT customer, mask, next_expiry, states, counter, scopes FROM standing")):
        _sealed([row[1] for row in rows])  # the data key of each is unwrapped, and his row is sealed
        _arithmetic(len(rows), candidates)
    for rows in _chunks(read.execute("SELECT customer, sealed FROM memory")):
        _sealed([row[1] for row in rows])
    share = -(-len(contacts) // len(kept))
    for number, record in enumerate(kept):
        written.execute("BEGIN IMMEDIATE")
        some = contacts[number * share : (number + 1) * share]
        written.executemany(f"INSERT INTO contact VALUES ({_PLACES})", some)  # noqa: S608 -- question marks
        written.execute("INSERT INTO record VALUES (?, ?, ?)", (number, *record))
        written.execute("COMMIT")
    took = time.perf_counter() - began
    read.close()
    written.close()
    return took


def _sealed(texts: Sequence[bytes]) -> None:
    keys = os.urandom(32 * len(texts))
    for spot, text in enumerate(texts):
        AESGCM(keys[32 * spot : 32 * spot + 32]).encrypt(_NONCE, text, None)


def _facts(customers: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    drawn = np.random.default_rng(3)
    return (
        drawn.integers(1, 24, customers),
        drawn.gamma(2.0, 120.0, customers),
        drawn.integers(0, 30, customers),
    )


def _arithmetic(customers: int, candidates: int) -> NDArray[np.int64]:
    recency, spend, visits = _facts(customers)
    worths = np.empty((candidates, customers))
    for number in range(candidates):
        fits = (recency <= 12) & (spend > number * 10) & (visits >= number % 5)
        score = (number % 9 + 1) / 100 + 0.001 * visits + 0.0001 * spend - 0.01
        worths[number] = np.where(fits, score, -np.inf)
    found: NDArray[np.int64] = worths.argmax(axis=0)
    return found


def plain_loop(scratch: Path, customers: int, candidates: int) -> float:
    """Return the seconds of a loop as one would write it first: no permissions, no sealing, no log, contacts alone."""
    columns = [each.tolist() for each in _facts(customers)]
    written = _connected(scratch)
    written.execute("CREATE TABLE contact (customer TEXT PRIMARY KEY, treatment, at) WITHOUT ROWID")
    began = time.perf_counter()
    made: list[tuple[str, str, int]] = []
    for spot, (recency, spend, visits) in enumerate(zip(*columns, strict=True)):
        best, winner = 0.0, -1
        for number in range(candidates):
            if recency <= 12 and spend > number * 10 and visits >= number % 5:
                worth = (number % 9 + 1) / 100 + 0.001 * visits + 0.0001 * spend - 0.01
                if worth > best:
                    best, winner = worth, number
        if winner >= 0:
            made.append((f"cus_{spot:032x}", f"t{winner}", 0))
        if len(made) == CHUNK or spot == customers - 1:
            written.execute("BEGIN IMMEDIATE")
            written.executemany("INSERT INTO contact VALUES (?, ?, ?)", made)
            written.execute("COMMIT")
            made.clear()
    took = time.perf_counter() - began
    written.close()
    return took
