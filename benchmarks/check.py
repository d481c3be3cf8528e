"""Claim 1: check one permission, from the database, true at once after a withdrawal in another process.

Limit: a prepared SELECT of one row by its key, on a connection of its own with the product's PRAGMAs. Peers hold their
rules in memory and are asked the same questions.
"""

import argparse
import sqlite3
from itertools import cycle, islice

import numpy as np

from benchmarks.ledgers import NOW, Made, founded, grant, record_all, scratch, withdrawal
from benchmarks.peers import asked_all, with_casbin, with_cedar
from benchmarks.ratio import Line, measured, show
from consent import gate
from consent.base import database
from consent.base.ids import CustomerId, Scope

CUSTOMERS = 3_000
SCOPES = 4
QUESTIONS = 2_000


def some_permit(made: Made, customers: int) -> dict[str, frozenset[str]]:
    """Let each customer grant some of the scopes and withdraw one now and then; return what is allowed then."""
    scopes = made.asked[:SCOPES]
    drawn = np.random.default_rng(11).random((customers, SCOPES)) < 0.6
    given = {
        customer: [scope for scope, yes in zip(scopes, row, strict=True) if yes]
        for customer, row in zip(made.customers, drawn, strict=True)
    }
    record_all(made, [grant(customer, allowed) for customer, allowed in given.items() if allowed])
    taken = {customer: allowed[-1] for customer, allowed in islice(given.items(), 0, None, 7) if allowed}
    record_all(made, [withdrawal(CustomerId(customer), [scope]) for customer, scope in taken.items()])
    return {customer: frozenset(allowed) - {taken.get(customer)} for customer, allowed in given.items()}


def questions(made: Made, count: int = QUESTIONS) -> list[tuple[CustomerId, Scope]]:
    """Return that many customers and scopes, all customers in an order that no cache likes."""
    whose = np.random.default_rng(5).permutation(len(made.customers))
    asked = cycle((made.customers[spot], scope) for spot, scope in zip(whose, cycle(made.asked[:SCOPES]), strict=False))
    return list(islice(asked, count))


def claim(made: Made, grants: dict[str, frozenset[str]], *, rounds: int) -> Line:
    """Measure one check after the other."""
    desk = made.deployment.desk
    asked = questions(made)
    with made.deployment.store.live() as work:

        def ours() -> list[bool]:
            check = gate.check
            return [not check(desk, work, customer, scope, at=NOW).reason for customer, scope in asked]

        bare = sqlite3.connect(made.path, isolation_level=None)
        for pragma in database._pragmas():  # noqa: SLF001 -- the same PRAGMAs are the point
            bare.execute(pragma)

        def limit() -> None:
            execute = bare.execute
            for customer, _ in asked:
                execute("SELECT states, paused_until, scopes FROM standing WHERE customer = ?", (customer,)).fetchone()

        casbin, cedar = with_casbin(grants), with_cedar(grants)
        few = asked[: QUESTIONS // 5]
        expected = [scope in grants[customer] for customer, scope in asked]
        assert ours() == expected
        assert asked_all(casbin, few) == asked_all(cedar, few) == expected[: len(few)]
        line = measured(
            f"1 check one permission, {len(made.customers):,} customers",
            "checks",
            work=len(asked),
            ours=ours,
            limit=limit,
            peers={
                "casbin FastEnforcer": (lambda: asked_all(casbin, few), len(few)),
                "cedarpy": (lambda: asked_all(cedar, few), len(few)),
            },
            goal=0.5,
            peer_goals={"casbin FastEnforcer": 4.0, "cedarpy": 4.0},
            rounds=rounds,
        )
        bare.close()
    return line


def main() -> None:
    """Measure and print."""
    given = argparse.ArgumentParser()
    given.add_argument("--rounds", type=int, default=21)
    given.add_argument("--json", action="store_true")
    asked = given.parse_args()
    with scratch() as folder:
        made = founded(folder, enrolled=CUSTOMERS)
        grants = some_permit(made, CUSTOMERS)
        show(claim(made, grants, rounds=asked.rounds))
        made.deployment.store.close()


if __name__ == "__main__":
    main()
