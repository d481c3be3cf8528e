"""However many ask at once, a cap of one lets one contact through."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest

from consent.base.errors import StateConflict
from personalise import engine
from personalise.runs import run
from tests.advancing import decide, started
from tests.builders import START
from tests.campaigns import TABLES, chunks, contacts, publish, willing

THREADS = 8


@pytest.fixture
def shop(world):
    """Return a world with a campaign of one mail, which may reach a customer once in 30 days."""
    cap = [{"key": "mail", "channels": ["email"], "limit": 1, "days": 30}]
    publish(world, treatment=TABLES["treatment"][:1], cap=cap, campaign={"holdout": {"share": 0, "salt": "s"}})
    return world


def at_once(count, does):
    """Call a function in as many threads, as close together as can be; return the answers."""
    barrier = Barrier(count)

    def one(number):
        barrier.wait()
        return does(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(one, range(count)))


def test_eight_threads_against_a_cap_of_one_reserve_one_contact(shop):
    """Each thread has a clock of its own, a few milliseconds off: nobody's turn comes in the order of the times."""
    drawn = random.Random(1)  # noqa: S311 -- clocks that differ
    who = willing(shop, 4)
    chosen = []
    for customer in who:

        def asked(_, customer=customer):
            at = START + timedelta(milliseconds=drawn.randrange(4_000))
            made = engine.decide_one(
                replace(shop.deployment, clock=lambda: at), customer, campaign="spring", actor="mia"
            )  # fmt: skip
            return made.chosen

        chosen.append(Counter(at_once(THREADS, asked)))

    assert chosen == [Counter({None: THREADS - 1, "mail": 1})] * 4
    assert [row[0] for row in contacts(shop)] == who
    assert len(chunks(shop)) == THREADS * 4
    shop.check_ledger()


def test_processes_against_a_cap_of_one_reserve_one_contact_with_each_customer(shop):
    who = willing(shop, 10)
    processes = [started(decide, shop.url, shop.keyring, who, later) for later in (900, 0, 300)]
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert [row[0] for row in contacts(shop)] == who
    assert len(chunks(shop)) == 30
    shop.check_ledger()


def test_a_run_and_live_decisions_at_once_reach_everybody_once(shop):
    who = willing(shop, 12)
    identity = run.start(shop.deployment, "spring", actor="mia")

    def does(number):
        if number == 0:
            return run.advance(shop.deployment, identity, most=4).state
        for customer in who[number % 2 :: 2]:
            engine.decide_one(shop.deployment, customer, campaign="spring", actor="mia")
        return "decided"

    assert Counter(at_once(4, does)) == {"finished": 1, "decided": 3}
    assert [row[0] for row in contacts(shop)] == who
    shop.check_ledger()


def test_one_key_asked_at_once_by_many_gives_one_decision(shop):
    [who] = willing(shop, 1)

    def asked(_):
        return engine.decide_one(shop.deployment, who, campaign="spring", actor="mia", idempotency_key="k")

    made = at_once(THREADS, asked)
    assert made == [made[0]] * THREADS
    assert (len(contacts(shop)), len(chunks(shop))) == (1, 1)
    shop.check_ledger()


def test_of_many_that_start_a_run_at_once_one_does(shop):
    def starts(_):
        try:
            return run.start(shop.deployment, "spring", actor="mia") and "started"
        except StateConflict:
            return "refused"

    assert Counter(at_once(THREADS, starts)) == {"started": 1, "refused": THREADS - 1}


def test_of_many_that_publish_a_campaign_at_once_each_gets_a_number_of_its_own(shop):
    at_once(4, lambda number: publish(shop, campaign={"name": f"Spring {number}"}))

    assert shop.rows("SELECT version FROM campaign_version ORDER BY version") == [(1,), (2,), (3,), (4,), (5,)]
