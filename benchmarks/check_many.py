"""Claim 2: check many, a chunk of customers on several scopes, with a reason in every cell.

Limit: one NumPy mask over the same array, which is all that "is that bit set" can cost, without reasons, expiry,
notices or the customer's own state. Peers are asked one question after the other: they have no other way.
"""

import argparse
from itertools import cycle, islice

import numpy as np
from numpy.typing import NDArray

from benchmarks.check import questions, some_permit
from benchmarks.ledgers import NOW, Made, founded, scratch
from benchmarks.peers import asked_all, with_casbin, with_cedar
from benchmarks.ratio import Line, measured, show
from consent import standings
from consent.base.clock import to_ms
from consent.permission import many
from consent.permission.standing import Status

CUSTOMERS = 3_000
CHUNK = 5_000
GIVEN = (Status.GIVEN, Status.RENEWED)


def chunk(made: Made) -> many.Standings:
    """Return the standings of `CHUNK` customers, as a run reads them: those enrolled, over and over."""
    with made.deployment.store.read() as work:
        rows = standings.read(work, made.customers)
    chosen = [rows[customer] for customer in islice(cycle(made.customers), CHUNK)]
    states, pauses = [row.states for row in chosen], [row.paused_until for row in chosen]
    return many.stacked([row.scopes for row in chosen], states, pauses)


def claim(made: Made, grants: dict[str, frozenset[str]], *, rounds: int) -> Line:
    """Measure a chunk against a mask of the same array, and against peers that answer one by one."""
    stacked = chunk(made)
    rules = [made.catalogue.scopes[scope] for scope in made.asked]
    remembers = [None] * len(rules)
    at_ms = to_ms(NOW)
    bits = [rule.bit for rule in rules]
    status = stacked.records["status"]
    times = 5

    def ours() -> NDArray[np.uint8]:
        for _ in range(times):
            found = many.reasons(stacked, rules, remembers, at_ms)
        return found

    def limit() -> None:
        for _ in range(times):
            known = status[:, bits]
            _ = (known == GIVEN[0]) | (known == GIVEN[1])

    casbin, cedar = with_casbin(grants), with_cedar(grants)
    asked = questions(made, made.asked, 200)
    spot = {customer: row for row, customer in enumerate(made.customers)}
    column = {scope: number for number, scope in enumerate(made.asked)}
    found = ours()
    expected = [not found[spot[customer], column[scope]] for customer, scope in asked]
    assert expected == asked_all(casbin, asked) == asked_all(cedar, asked)
    return measured(
        f"2 check many, {CHUNK:,} customers x {len(rules)} scopes, with reasons",
        "verdicts",
        work=times * CHUNK * len(rules),
        ours=ours,
        limit=limit,
        peers={
            "casbin FastEnforcer": (lambda: asked_all(casbin, asked), len(asked)),
            "cedarpy": (lambda: asked_all(cedar, asked), len(asked)),
        },
        least=1e6,
        peer_goals={"casbin FastEnforcer": 50.0, "cedarpy": 50.0},
        rounds=rounds,
    )


def main() -> None:
    """Measure and print."""
    given = argparse.ArgumentParser()
    given.add_argument("--rounds", type=int, default=60)
    given.add_argument("--json", action="store_true")
    asked = given.parse_args()
    with scratch() as folder:
        made = founded(folder, enrolled=CUSTOMERS)
        grants = some_permit(made, made.asked)
        show(claim(made, grants, rounds=asked.rounds))
        made.deployment.store.close()


if __name__ == "__main__":
    main()
