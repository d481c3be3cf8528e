"""Claim 1: check one permission, from the database, true at once after a withdrawal in another process.

Limit: a prepared SELECT of one row by its key, on a connection of its own with the product's PRAGMAs. Peers hold their
rules in memory and are asked the same questions. On PostgreSQL, for information, each check borrows a connection as a
request does, and the limit keeps its own.
"""

import argparse
import sqlite3
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import psycopg

from benchmarks.ledgers import NOW, Made, founded, grant, postgresql, record_all, scratch, withdrawal
from benchmarks.peers import asked_all, with_casbin, with_cedar
from benchmarks.ratio import Line, measured, show
from consent import gate
from consent.base import database
from consent.base.ids import CustomerId, Scope

CUSTOMERS = 3_000
SCOPES = 4
TURN = 200
"""Questions a turn: it lasts a few milliseconds, so that most turns pass undisturbed on a shared machine."""


def some_permit(made: Made, scopes: Sequence[Scope]) -> dict[str, frozenset[str]]:
    """Let each customer grant some of the scopes and withdraw one now and then; return what is allowed then."""
    drawn = np.random.default_rng(11).random((len(made.customers), len(scopes))) < 0.6
    given = {
        customer: [scope for scope, yes in zip(scopes, row, strict=True) if yes]
        for customer, row in zip(made.customers, drawn, strict=True)
    }
    record_all(made, [grant(CustomerId(customer), allowed) for customer, allowed in given.items() if allowed])
    taken = {customer: allowed[-1] for customer, allowed in islice(given.items(), 0, None, 7) if allowed}
    record_all(made, [withdrawal(CustomerId(customer), [scope]) for customer, scope in taken.items()])
    return {customer: frozenset(allowed) - {taken.get(customer)} for customer, allowed in given.items()}


def questions(made: Made, scopes: Sequence[Scope], count: int) -> list[tuple[CustomerId, Scope]]:
    """Return that many customers and scopes, the customers in an order that no cache likes."""
    whose = np.random.default_rng(5).permutation(len(made.customers))
    return list(islice(zip(cycle(made.customers[spot] for spot in whose), cycle(scopes), strict=False), count))


class Turns:
    """Questions dealt out a turn at a time, without end."""

    def __init__(self, asked: Sequence[tuple[CustomerId, Scope]]) -> None:
        """Cut them into turns."""
        self._turns = cycle([asked[first : first + TURN] for first in range(0, len(asked), TURN)])

    def next(self) -> Sequence[tuple[CustomerId, Scope]]:
        """Return the next turn's."""
        return next(self._turns)


def bare_reader(made: Made) -> sqlite3.Connection:
    """Open the database file as the product does, and nothing more."""
    bare = sqlite3.connect(made.path, isolation_level=None)
    for pragma in database._pragmas():  # noqa: SLF001 -- the same PRAGMAs are the point
        bare.execute(pragma)
    return bare


def claim(made: Made, grants: dict[str, frozenset[str]], *, rounds: int) -> Line:
    """Measure one check after the other."""
    desk = made.deployment.desk
    asked = questions(made, made.asked[:SCOPES], len(made.customers))
    mine, its, casbins, cedars = Turns(asked), Turns(asked), Turns(asked), Turns(asked)
    casbin, cedar = with_casbin(grants), with_cedar(grants)
    bare = bare_reader(made)
    with made.deployment.store.live() as work:

        def ours() -> list[bool]:
            return [not gate.check(desk, work, customer, scope, at=NOW).reason for customer, scope in mine.next()]

        def limit() -> None:
            for customer, _ in its.next():
                bare.execute(
                    "SELECT states, paused_until, scopes FROM standing WHERE customer = ?", (customer,)
                ).fetchone()

        expected = [scope in grants[customer] for customer, scope in asked[:TURN]]
        assert ours() == asked_all(casbin, asked[:TURN]) == asked_all(cedar, asked[:TURN]) == expected
        line = measured(
            f"1 check one permission, {len(made.customers):,} customers",
            "checks",
            work=TURN,
            ours=ours,
            limit=limit,
            peers={
                "casbin FastEnforcer": (lambda: asked_all(casbin, casbins.next()), TURN),
                "cedarpy": (lambda: asked_all(cedar, cedars.next()), TURN),
            },
            goal=0.5,
            peer_goals={"casbin FastEnforcer": 4.0, "cedarpy": 4.0},
            rounds=rounds,
        )
    bare.close()
    return line


def on_postgresql(folder: Path, *, rounds: int) -> Line:
    """Measure one check after the other on PostgreSQL, each as a request of its own."""
    with postgresql(folder) as url, psycopg.connect(url, autocommit=True) as bare:
        made = founded(folder, url=url, enrolled=CUSTOMERS)
        grants = some_permit(made, made.asked[:SCOPES])
        deployment = made.deployment
        asked = questions(made, made.asked[:SCOPES], len(made.customers))
        mine, its = Turns(asked), Turns(asked)

        def ours() -> list[bool]:
            answers = []
            for customer, scope in mine.next():
                with deployment.store.live() as work:
                    answers.append(not gate.check(deployment.desk, work, customer, scope, at=NOW).reason)
            return answers

        def limit() -> None:
            for customer, _ in its.next():
                bare.execute(
                    "SELECT states, paused_until, scopes FROM standing WHERE customer = %s", (customer,)
                ).fetchone()

        assert ours() == [scope in grants[customer] for customer, scope in asked[:TURN]]
        line = measured(
            "1 check one permission, PostgreSQL", "checks", work=TURN, ours=ours, limit=limit, rounds=rounds
        )
        deployment.store.close()
    return line


def main() -> None:
    """Measure and print."""
    given = argparse.ArgumentParser()
    given.add_argument("--rounds", type=int, default=200)
    given.add_argument("--json", action="store_true")
    asked = given.parse_args()
    with scratch() as folder:
        made = founded(folder, enrolled=CUSTOMERS)
        grants = some_permit(made, made.asked[:SCOPES])
        show(claim(made, grants, rounds=asked.rounds))
        made.deployment.store.close()
    with scratch() as folder:
        show(on_postgresql(folder, rounds=max(1, asked.rounds // 4)))


if __name__ == "__main__":
    main()
