"""Fault 15 for those who wait: a worker killed while it decides again, and several at once, decide once for each."""

import random
import signal
import time
from collections import Counter
from datetime import timedelta

import pytest

from personalise.runs import run
from tests.advancing import decide_again, started
from tests.builders import START
from tests.campaigns import TABLES, again, chunks, contacts, fill, open_run, publish, sent
from tests.flows.test_contact_policy import rule

MANY, SMALL, LATER = 150, 7, timedelta(days=2)


@pytest.fixture
def shop(world):
    """Return a world in which everybody who had a contact two days ago may now have another, and waits for it."""
    rule(world, cap=[{"key": "any", "limit": 1, "days": 2}])
    for key in ("first", "spring"):
        half = {"key": key, "holdout": {"share": 0.5, "salt": "s"}}
        publish(world, treatment=TABLES["treatment"][:1], cap=[], campaign=half)
    fill(world, MANY)
    for key in ("first", "spring"):
        run.advance(world.deployment, open_run(world.deployment, key, actor="mia"))
        sent(world)
    world.clock.set(START + LATER)
    return world


def left(world):
    """Return what deciding again left behind, but for ids."""
    states = Counter(row[0] for row in world.rows("SELECT state FROM deferral"))
    return states, contacts(world), contacts(world, "ghost")


def whole(world):
    """Say whether what is stored is whole batches: each contact has a deferral that was decided, and the other way."""
    decided = {row[0] for row in world.rows("SELECT customer FROM deferral WHERE state = 'decided'")}
    logged = {one for chunk in chunks(world, "") for one in chunk.customers}
    return decided == logged


@pytest.mark.timeout(240)
def test_a_worker_killed_while_it_decides_again_and_run_again_equals_one_that_nobody_touched(shop, twins):
    twin = twins(shop)
    total = again(twin)
    drawn = random.Random(15)  # noqa: S311 -- moments to kill at
    ends = []
    for _ in range(3):
        worker = started(decide_again, shop.url, shop.keyring, LATER, SMALL)
        time.sleep(drawn.random() * 0.15)
        worker.kill()
        worker.join()
        ends.append(worker.exitcode)
        assert whole(shop)
    again(shop, most=SMALL)

    assert set(ends) <= {-signal.SIGKILL, 0}
    assert left(shop) == left(twin)
    assert left(twin)[0]["decided"] == total > 0
    shop.check_ledger()


@pytest.mark.timeout(240)
def test_several_workers_at_once_decide_once_for_each(shop, twins):
    twin = twins(shop)
    again(twin)
    workers = [started(decide_again, shop.url, shop.keyring, LATER, SMALL) for _ in range(3)]
    for worker in workers:
        worker.join()

    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert left(shop) == left(twin)
    assert max(Counter(row[0] for row in contacts(shop)).values()) == 1
    shop.check_ledger()
