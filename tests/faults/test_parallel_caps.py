"""However many ask at once, a cap lets through what remains, a floor holds, and one thing is promised."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest

from consent.audit.findings import Evidence
from consent.audit.judging import judged
from consent.base.errors import StateConflict
from consent.register import households
from personalise import audit_checks, engine
from personalise.runs import run
from tests.advancing import decide, decide_in, started
from tests.builders import START
from tests.campaigns import TABLES, chunks, contacts, open_run, publish, willing
from tests.flows.test_contact_policy import rule

THREADS = 8
NOBODY_HELD = {"holdout": {"share": 0, "salt": "s"}}


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
    identity = open_run(shop.deployment, "spring", actor="mia")

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
            return open_run(shop.deployment, "spring", actor="mia") and "started"
        except StateConflict:
            return "refused"

    assert Counter(at_once(THREADS, starts)) == {"started": 1, "refused": THREADS - 1}


def test_of_many_that_publish_a_campaign_at_once_each_gets_a_number_of_its_own(shop):
    at_once(4, lambda number: publish(shop, campaign={"name": f"Spring {number}"}))

    assert shop.rows("SELECT version FROM campaign_version ORDER BY version") == [(1,), (2,), (3,), (4,), (5,)]


# ------------------------------------------------------------------------- eight processes: caps, goodwill, promises


def processes(shop, campaigns, who, count=8):
    """Have as many processes decide for each of these customers, each beginning with another campaign."""
    told = [campaigns[number % len(campaigns) :] + campaigns[: number % len(campaigns)] for number in range(count)]
    clocks = random.Random(3).sample(range(2_000), count)  # noqa: S311 -- clocks that differ
    going = [started(decide_in, shop.url, shop.keyring, who, keys, clocks[spot]) for spot, keys in enumerate(told)]
    for process in going:
        process.join()
    assert [process.exitcode for process in going] == [0] * count


def test_eight_processes_against_a_cap_reserve_as_many_as_remain(world):
    rule(world, cap=[{"key": "any", "limit": 3, "days": 30}])
    keys = ["spring", "autumn"]
    for key in keys:
        publish(world, treatment=TABLES["treatment"][:1], cap=[], campaign={"key": key, **NOBODY_HELD})
    who = willing(world, 4)
    with_one = who[0]
    engine.decide_one(world.deployment, with_one, campaign="spring", actor="mia")
    processes(world, keys, who)

    assert Counter(row[0] for row in contacts(world)) == dict.fromkeys(who, 3)
    assert len(chunks(world)) == 1 + 8 * 2 * 4
    world.check_ledger()


def test_eight_processes_never_take_goodwill_below_its_floor(world):
    """Ten points, a floor of four, a mail costs one and a half: two at the price of pressure, and no third."""
    rule(world, goodwill={"opening": 10, "floor": 4, "pressure_days": 7, "prices": {"email": 1.5}})
    publish(world, treatment=TABLES["treatment"][:1], cap=[], campaign=NOBODY_HELD)
    who = willing(world, 3)
    processes(world, ["spring"], who)

    assert world.rows("SELECT customer, balance, entries FROM goodwill ORDER BY 1") == [
        (each, 5_500, 3) for each in who
    ]
    lines = world.rows("SELECT number, amount FROM goodwill_entry WHERE customer = :who ORDER BY 1", who=who[0])
    assert lines == [(0, 10_000), (1, -1_500), (2, -3_000)]
    assert Counter(row[0] for row in contacts(world)) == dict.fromkeys(who, 2)
    world.check_ledger()


def test_eight_processes_promise_one_of_two_terms(world):
    """Whichever comes first, the other's terms are refused from then on."""
    rule(world, cap=[{"key": "any", "limit": 8, "days": 30}])
    for key, price in (("spring", "9"), ("autumn", "8")):
        offer = {**TABLES["offer"][0], "terms": {"price": price}, "validity": 30}
        publish(
            world, treatment=TABLES["treatment"][:1], cap=[], offer=[offer, TABLES["offer"][1]],
            campaign={"key": key, **NOBODY_HELD},
        )  # fmt: skip
    who = willing(world, 4)
    processes(world, ["spring", "autumn"], who)

    made = Counter((row[0], row[1]) for row in contacts(world))
    promised = world.rows("SELECT customer, campaign FROM commitment ORDER BY 1")
    assert [customer for customer, _ in promised] == who
    assert made == dict.fromkeys(promised, 8)
    world.check_ledger()


# ------------------------------------------------------------------------------------ eight processes: volumes, budgets


@pytest.mark.parametrize(("limit", "many"), [(5, 5), (100, 24)])
def test_eight_processes_against_a_volume_give_out_what_there_is(world, limit, many):
    """Each of eight asks for each of three: of the twenty-four a volume lets through what it has room for."""
    volume = [{"key": "desk", "channels": ["email"], "limit": limit}]
    publish(world, treatment=TABLES["treatment"][:1], cap=[], volume=volume, campaign=NOBODY_HELD)
    processes(world, ["spring"], willing(world, 3))

    assert len(contacts(world)) == many
    assert world.rows("SELECT version, key, taken FROM quota") == [(1, "volume:desk", many)]
    assert len(chunks(world)) == 24
    world.check_ledger()


def test_eight_processes_never_spend_more_than_the_goodwill_budget(world):
    """A first mail costs two points, a second one four, a third six, and so on; the budget has 17."""
    rule(world, goodwill={"opening": 1000, "prices": {"email": 2}})
    publish(
        world, treatment=TABLES["treatment"][:1], cap=[], campaign={**NOBODY_HELD, "goodwill_budget": 17},
    )  # fmt: skip
    processes(world, ["spring"], willing(world, 3))

    [(taken,)] = world.rows("SELECT taken FROM quota")
    assert [(taken,)] == world.rows("SELECT sum(charge) FROM contact")
    assert taken == -sum(amount for (amount,) in world.rows("SELECT amount FROM goodwill_entry WHERE kind = 'contact'"))
    # Every process came by a customer whose mail was still cheap enough, until nobody's was.
    cheapest = min(2 * (1 + Counter(row[0] for row in contacts(world))[who]) for who in enrolled(world))
    assert taken <= 17_000 < taken + cheapest * 1_000
    world.check_ledger()


def enrolled(world):
    return {chunk.customers[0] for chunk in chunks(world)}


def test_a_run_and_live_decisions_at_once_share_a_volume(world):
    """What the run has set aside is its own; whoever comes before gets what there is. Never more than the limit."""
    volume = [{"key": "desk", "channels": ["email"], "limit": 7}]
    cap = [{"key": "mail", "channels": ["email"], "limit": 1, "days": 30}]
    publish(world, treatment=TABLES["treatment"][:1], cap=cap, volume=volume, campaign=NOBODY_HELD)
    who = willing(world, 12)
    identity = open_run(world.deployment, "spring", actor="mia")

    def does(number):
        if number == 0:
            return run.advance(world.deployment, identity, most=3).state
        for customer in who[number % 2 :: 2]:
            engine.decide_one(world.deployment, customer, campaign="spring", actor="mia")
        return "decided"

    assert Counter(at_once(4, does)) == {"finished": 1, "decided": 3}
    reached = len(contacts(world))
    assert world.rows("SELECT taken FROM quota") == [(reached,)]
    assert reached <= 7
    for customer in who:  # whatever the run gave back is there for whoever comes now
        engine.decide_one(world.deployment, customer, campaign="spring", actor="mia")
    assert len(contacts(world)) == 7
    world.check_ledger()


# ------------------------------------------------------------------------------------------ eight processes: households


def together(world, who, size):
    """Have customers live together, so many in each household; return the households' members."""
    homes = [who[first : first + size] for first in range(0, len(who), size)]
    for number, members in enumerate(homes):
        with world.store.write() as work:
            named = dict.fromkeys(members, f"Elm Street {number}")
            households.assign(world.deployment.desk, work, named, at=world.clock())
    return homes


def test_eight_processes_against_a_cap_by_household_reserve_as_many_as_remain(world):
    """Half of them go through the members backwards, so that whoever locks in that order waits in a ring."""
    rule(world, cap=[{"key": "home", "limit": 3, "days": 30, "per": "household"}])
    for key in ("spring", "autumn"):
        publish(world, treatment=TABLES["treatment"][:1], cap=[], campaign={"key": key, **NOBODY_HELD})
    who = willing(world, 4)
    homes = together(world, who, 2)
    engine.decide_one(world.deployment, who[0], campaign="spring", actor="mia")
    clocks = random.Random(3).sample(range(2_000), 8)  # noqa: S311 -- clocks that differ
    going = [
        started(decide_in, world.url, world.keyring, who[:: (-1) ** spot], ["spring", "autumn"], later)
        for spot, later in enumerate(clocks)
    ]
    for process in going:
        process.join()

    assert [process.exitcode for process in going] == [0] * 8
    made = Counter(row[0] for row in contacts(world))
    assert [sum(made[one] for one in members) for members in homes] == [3, 3]
    assert len(chunks(world)) == 1 + 8 * 2 * 4
    assert found_by_audit(world) == []
    world.check_ledger()


def test_a_run_live_decisions_and_who_comes_and_goes_at_once_keep_to_a_household_cap(world):
    """The run holds several members in one chunk; others ask for the same ones, and households change meanwhile."""
    rule(world, cap=[{"key": "home", "limit": 2, "days": 30, "per": "household"}])
    for key in ("spring", "autumn"):
        publish(world, treatment=TABLES["treatment"][:1], cap=[], campaign={"key": key, **NOBODY_HELD})
    who = willing(world, 16)
    homes = together(world, who[:12], 4)
    identity = open_run(world.deployment, "spring", actor="mia")

    def does(number):
        if number == 0:
            return run.advance(world.deployment, identity, most=5).state
        if number == 1:
            for spot in range(20):
                with world.store.write() as work:
                    named = {who[12]: f"Elm Street {spot % 3}", who[13]: f"Oak Street {spot % 2}", who[14]: ""}
                    households.assign(world.deployment.desk, work, named, at=world.clock())
            return "moved"
        for customer in who[:: (-1) ** number]:
            engine.decide_one(world.deployment, customer, campaign="autumn", actor="mia")
        return "decided"

    assert Counter(at_once(5, does)) == {"finished": 1, "moved": 1, "decided": 3}
    made = Counter(row[0] for row in contacts(world))
    assert all(sum(made[one] for one in members) <= 2 for members in homes)
    assert found_by_audit(world) == []
    world.check_ledger()


def found_by_audit(world):
    """Return what the check of contacts finds: it goes by who lived together then, in the ledger's own order."""
    evidence = Evidence(store=world.store, desk=world.deployment.desk, at=world.clock())
    [found] = judged([one for one in audit_checks.CHECKS if one.key == "contacts"], evidence, world.clock)
    return [*found.findings, *found.gaps]
