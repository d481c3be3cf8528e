"""Fault 11: somebody withdraws between decision and dispatch. Once that is recorded, nothing of what he had leaves."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier

import pytest

from personalise.reach.dispatch import Message, Refusal
from personalise.runs import run
from personalise.steps.interact.states import State
from tests.campaigns import MAIL, PURCHASES, TABLES, claim, open_run, publish, willing

INTERLEAVINGS = {"postgresql": 1_000, "sqlite": 250}
"""SQLite lets one writer in at a time: there are only two orders to meet in."""


@pytest.fixture
def reserved(world):
    """Return contacts that wait to be sent: (customer, decision), by customer."""
    many = INTERLEAVINGS[world.dialect]
    willing(world, many)
    publish(world, campaign={"holdout": {"share": 0, "salt": "s"}}, treatment=TABLES["treatment"][:1], cap=[])
    run.advance(world.deployment, open_run(world.deployment, "spring", actor="mia"))
    found = world.rows("SELECT customer, decision FROM contact WHERE status = 'reserved' ORDER BY customer")
    assert len(found) == many
    return found


@pytest.mark.timeout(120)
def test_of_a_thousand_withdrawals_none_is_followed_by_a_message(world, reserved):
    drawn = random.Random(11)  # noqa: S311 -- an order
    order, sent = count(), 0
    for contact in reserved:
        scope, ahead, at_once = drawn.choice((MAIL, PURCHASES)), drawn.uniform(-0.004, 0.004), Barrier(2)

        def withdraws(who=contact[0], scope=scope, wait=-ahead, at_once=at_once):
            at_once.wait(30)
            time.sleep(max(wait, 0))
            return world.withdraw(who, scope).seq, next(order)  # answered: it is durable

        def sends(contact=contact, wait=ahead, at_once=at_once):
            at_once.wait(30)
            time.sleep(max(wait, 0))
            return next(order), claim(world, contact)

        with ThreadPoolExecutor(2) as pool:
            said, came = pool.submit(withdraws), pool.submit(sends)
        (entry, answered), (asked, given) = said.result(), came.result()
        if isinstance(given, Message):
            sent += 1
            assert given.position <= entry, "its permissions were judged when the withdrawal was in the ledger"
            assert asked < answered, "it was asked for when the withdrawal had been answered"
        else:
            assert given == Refusal(rule=f"permission:{scope}", state=State.RELEASED, observed="WITHDRAWN")
    assert 0 < sent < len(reserved)  # they met in both orders
    world.check_ledger()
