"""A run that is killed at any moment and taken up again ends as one that nobody touched; two at once do it once."""

import random
import signal
import time

import pytest

from consent.register import households
from personalise.runs import run
from tests.advancing import advance, started
from tests.campaigns import chunks, contacts, decisions, fill, open_run, publish, short
from tests.flows.test_contact_policy import rule

MANY, SMALL = 300, 15


@pytest.fixture
def shop(world):
    """Return a world with 300 customers of all kinds, Ann and Bo, and the campaign, half of them held out.

    Three at a time live together, two of them mostly in different chunks, and are reached once.
    """
    who = fill(world, MANY)
    named = {one: f"Elm Street {spot % 100}" for spot, one in enumerate(sorted(who))}
    with world.store.write() as work:
        households.assign(world.deployment.desk, work, named, at=world.clock())
    rule(world, cap=[{"key": "home", "limit": 1, "days": 7, "per": "household"}])
    publish(world, campaign={"holdout": {"share": 0.5, "salt": "s"}})
    return world


@pytest.fixture
def scarce(world):
    """Return a world like `shop`, where there is too little of everything: half of those who would get it don't."""
    return short(world, MANY)


def begun(world):
    return open_run(world.deployment, "spring", actor="mia")


def same(world, identity, twin, other):
    """Say whether two runs decided alike, reserved alike and counted alike."""
    return (
        decisions(world, identity) == decisions(twin, other)
        and [contacts(world, each) for each in ("reserved", "ghost")]
        == [contacts(twin, each) for each in ("reserved", "ghost")]
        and run.read(world.deployment, identity).counts.as_json() == run.read(twin.deployment, other).counts.as_json()
    )


def consistent(world, identity):
    """Say whether what is stored of a run that isn't over is whole chunks."""
    stands = run.read(world.deployment, identity)
    logged = decisions(world, identity)
    reserved, ghosts = contacts(world), contacts(world, "ghost")
    return (
        len(logged) == stands.done == stands.counts.customers
        and len(reserved) == stands.counts.chosen.total()
        and {row[0] for row in (*reserved, *ghosts)} <= logged.keys()
    )


def killed(world, identity, *, beyond, after):
    """Carry a run on in a process of its own, and kill that a moment after it has come so far."""
    process = started(advance, world.url, world.keyring, identity, SMALL)
    while process.is_alive() and run.read(world.deployment, identity).done < beyond:
        time.sleep(0.005)
    time.sleep(after)
    process.kill()
    process.join()
    return process.exitcode


def test_a_run_killed_at_random_moments_and_resumed_equals_an_uninterrupted_one(shop, twins):
    twin = twins(shop)
    whole = begun(twin)
    run.advance(twin.deployment, whole, most=SMALL)
    drawn = random.Random(5)  # noqa: S311 -- moments to kill at
    identity = begun(shop)
    ends = []
    for beyond in (0, 1, 100, 200):
        ends.append(killed(shop, identity, beyond=beyond, after=drawn.random() * 0.05))
        assert consistent(shop, identity)
    last = started(advance, shop.url, shop.keyring, identity, SMALL)
    last.join()

    assert ends[:2] == [-signal.SIGKILL] * 2
    assert run.read(shop.deployment, identity).state == "finished"
    assert same(shop, identity, twin, whole)
    shop.check_ledger()


def test_two_processes_that_advance_one_run_do_every_chunk_once(shop, twins):
    twin = twins(shop)
    whole = begun(twin)
    run.advance(twin.deployment, whole, most=SMALL)
    identity = begun(shop)
    processes = [started(advance, shop.url, shop.keyring, identity, SMALL) for _ in range(2)]
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0, 0]
    assert sorted(chunk.number for chunk in chunks(shop, identity)) == list(range(21))
    assert same(shop, identity, twin, whole)
    shop.check_ledger()


def test_a_run_under_quotas_killed_while_it_ranks_and_while_it_decides_equals_an_uninterrupted_one(scarce, twins):
    twin = twins(scarce)
    whole = begun(twin)
    run.advance(twin.deployment, whole, most=2 * SMALL)  # chunks of another size, too
    drawn = random.Random(6)  # noqa: S311 -- moments to kill at
    identity = begun(scarce)
    ends = []
    for beyond in (0, 1, 150):
        ends.append(killed(scarce, identity, beyond=beyond, after=drawn.random() * 0.1))
        assert consistent(scarce, identity)
    processes = [started(advance, scarce.url, scarce.keyring, identity, SMALL) for _ in range(2)]
    for process in processes:
        process.join()

    assert ends[:2] == [-signal.SIGKILL] * 2
    assert same(scarce, identity, twin, whole)
    assert scarce.rows("SELECT * FROM quota ORDER BY key") == twin.rows("SELECT * FROM quota ORDER BY key")
    counts = run.read(scarce.deployment, identity).counts
    assert counts.quotas == {"volume:desk": 30, "volume:all": 5, "goodwill_budget": 30_000}
    scarce.check_ledger()
