"""A run in several processes ends as in one, whatever happens to them; once it is stopped, nothing more is decided."""

import random
import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import active_children

import pytest
import sqlalchemy as sa

from consent.base.errors import Invalid
from consent.register import households
from personalise.runs import processes, run
from personalise.runs.carrying import Carrier, Step
from tests.advancing import advance_in, opened, started
from tests.campaigns import TABLES, chunks, contacts, decisions, open_run, publish, short, willing
from tests.flows.test_contact_policy import rule

MANY, SMALL, PARTS = 300, 15, 21
ANYBODY = {"holdout": {"share": 0, "salt": "s"}}


def shop(world):
    return short(world, MANY)


def begun(world):
    return open_run(world.deployment, "spring", actor="mia")


def in_processes(world, identity, count, **more):
    apart = partial(opened, world.url, world.keyring)
    return processes.advance(world.deployment, identity, opened=apart, processes=count, most=SMALL, **more)


def left_behind(world, identity):
    """Return all that a run left behind, but for ids: its decisions, contacts, accounts, quotas, counts."""
    return [
        decisions(world, identity),
        *(contacts(world, each) for each in ("reserved", "ghost")),
        world.rows("SELECT customer, campaign, rule, due_at, expires_at, state FROM deferral ORDER BY 1, 2"),
        world.rows("SELECT customer, balance, entries FROM goodwill ORDER BY 1"),
        world.rows("SELECT * FROM quota ORDER BY key"),
        run.read(world.deployment, identity).counts.as_json(),
        world.rows("SELECT state, done, total, quotas FROM run"),
        world.rows("SELECT number FROM run_chunk"),
    ]


def whole(twin):
    """Carry a run out in one process, in chunks of another size; return what it left behind."""
    identity = begun(twin)
    run.advance(twin.deployment, identity, most=40)
    return left_behind(twin, identity)


def wait_for(world, identity, done):
    """Wait until so many customers of a run are done."""
    while run.read(world.deployment, identity).done < done:
        time.sleep(0.005)


# ---------------------------------------------------------------------------------------------------- several processes


@pytest.mark.postgresql
def test_a_run_in_three_processes_leaves_behind_what_it_does_in_one(postgresql_world, twins):
    world = shop(postgresql_world)
    alone = whole(twins(world))
    identity, told = begun(world), []
    ended = in_processes(world, identity, 3, progress=lambda *so_far: told.append(so_far))

    assert ended.state == "finished"
    assert left_behind(world, identity) == alone
    assert sorted(chunk.number for chunk in chunks(world, identity)) == list(range(PARTS))
    assert told == sorted(set(told))
    assert {total for _, total in told} == {MANY + 2}
    world.check_ledger()


@pytest.mark.postgresql
def test_where_a_cap_counts_by_household_its_members_are_reached_in_their_order(postgresql_world, twins):
    world = postgresql_world
    who = willing(world, 60)
    rule(world, cap=[{"key": "home", "limit": 1, "days": 30, "per": "household"}])
    publish(world, campaign=ANYBODY, cap=[], treatment=TABLES["treatment"][:1])
    with world.store.write() as work:
        homes = {customer: f"home {spot % 20}" for spot, customer in enumerate(sorted(who))}
        households.assign(world.deployment.desk, work, homes, at=world.clock())
    alone = whole(twins(world))
    identity = begun(world)
    assert run.planned(world.deployment, identity, most=SMALL) == []
    with ThreadPoolExecutor(2) as threads:  # two who know nothing of each other
        for each in [threads.submit(in_processes, world, identity, 2) for _ in range(2)]:
            assert each.result().state == "finished"

    assert left_behind(world, identity) == alone
    assert {row[0] for row in contacts(world)} == set(sorted(who)[:20])
    world.check_ledger()


@pytest.mark.postgresql
def test_a_process_that_is_killed_leaves_its_chunk_to_the_others(postgresql_world, twins):
    world = shop(postgresql_world)
    alone = whole(twins(world))
    identity = begun(world)
    with ThreadPoolExecutor(1) as threads:
        ended = threads.submit(in_processes, world, identity, 3)
        wait_for(world, identity, SMALL)
        victims = [each for each in active_children() if each.daemon][:2]
        for each in victims:
            each.kill()
        assert ended.result().state == "finished"

    assert len(victims) == 2
    assert left_behind(world, identity) == alone
    world.check_ledger()


@pytest.mark.postgresql
def test_a_run_killed_with_all_its_processes_is_taken_up_by_any_number(postgresql_world, twins):
    world = shop(postgresql_world)
    alone = whole(twins(world))
    identity = begun(world)
    drawn = random.Random(3)  # noqa: S311 -- moments to kill at
    ends = []
    for beyond, count in ((0, 2), (1, 3)):
        process = started(advance_in, world.url, world.keyring, identity, SMALL, count)
        while process.is_alive() and run.read(world.deployment, identity).done < beyond:
            time.sleep(0.005)
        time.sleep(drawn.random() * 0.05)
        process.kill()  # those that it started see that it is gone, and go no further than their chunk
        process.join()
        ends.append(process.exitcode)
    in_processes(world, identity, 2)

    assert ends == [-signal.SIGKILL] * 2
    assert left_behind(world, identity) == alone
    world.check_ledger()


@pytest.mark.postgresql
def test_nothing_is_decided_after_a_pause_and_a_resumed_run_ends_as_an_uninterrupted_one(postgresql_world, twins):
    world = shop(postgresql_world)
    alone = whole(twins(world))
    identity = begun(world)
    with ThreadPoolExecutor(1) as threads:
        ended = threads.submit(in_processes, world, identity, 3)
        wait_for(world, identity, SMALL)
        paused = run.change(world.deployment, identity, run.PAUSED)
        logged = decisions(world, identity)
        assert ended.result().state == run.PAUSED

    assert len(logged) == len(decisions(world, identity)) == paused.done == paused.counts.customers
    assert paused.done < MANY
    run.change(world.deployment, identity, run.RUNNING)
    in_processes(world, identity, 2)
    assert left_behind(world, identity) == alone
    world.check_ledger()


@pytest.mark.postgresql
def test_a_run_that_is_stopped_in_several_processes_gives_back_exactly_what_it_did_not_use(postgresql_world):
    world = shop(postgresql_world)
    identity = begun(world)
    with ThreadPoolExecutor(1) as threads:
        ended = threads.submit(in_processes, world, identity, 3)
        wait_for(world, identity, SMALL)
        stopped = run.change(world.deployment, identity, run.STOPPED)
        assert ended.result().state == run.STOPPED

    taken = {key: amount for _, _, key, amount in world.rows("SELECT campaign, version, key, taken FROM quota")}
    assert taken == {key: stopped.counts.quotas[key] for key in taken}
    assert len(decisions(world, identity)) == stopped.done < MANY
    assert len(contacts(world)) == stopped.counts.chosen.total()
    assert world.rows("SELECT number FROM run_chunk") == []
    world.check_ledger()


@pytest.mark.postgresql
def test_a_run_that_nobody_watches_any_more_is_carried_no_further(postgresql_world):
    """Whoever tells of its progress may find that it is somebody else's by now."""
    world = shop(postgresql_world)
    identity = begun(world)

    def lost(_done, _total):
        raise Invalid("not mine")

    with pytest.raises(Invalid, match="not mine"):
        in_processes(world, identity, 2, progress=lost)

    assert [each for each in active_children() if each.daemon] == []
    assert run.read(world.deployment, identity).state == run.RUNNING


def test_several_processes_on_sqlite_are_refused_with_the_reason(sqlite_world):
    publish(sqlite_world)
    with pytest.raises(Invalid, match="2 processes: SQLite lets one writer in at a time"):
        in_processes(sqlite_world, begun(sqlite_world), 2)


def test_a_run_goes_in_a_process_a_core_on_postgresql_and_in_one_on_sqlite(world):
    assert processes.usual(world.deployment, 8) == {"postgresql": 8, "sqlite": 1}[world.dialect]


# ----------------------------------------------------------------------------------------------------- at the same time


@contextmanager
def held_up(world):
    """Keep every run's row locked: chunks are decided meanwhile, and wait to be written."""
    with world.store.engines.write.begin() as connection:
        connection.execute(sa.text("SELECT id FROM run FOR UPDATE"))
        yield


def waiting(world):
    """Return how many transactions wait for a row that another one has locked."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return world.rows(query)[0][0]


def stepping(world, identity, threads, numbers) -> list[Future[Step]]:
    """Have each of these chunks decided, all at the same time, up to where the run's row is locked."""
    carriers = [Carrier(deployment=world.deployment, run=identity) for _ in numbers]
    steps = [threads.submit(each.step, number) for each, number in zip(carriers, numbers, strict=True)]
    while waiting(world) < len(numbers):
        time.sleep(0.005)
    return steps


@pytest.mark.postgresql
def test_chunks_are_decided_at_the_same_time(postgresql_world):
    world = shop(postgresql_world)
    identity = begun(world)
    numbers = run.planned(world.deployment, identity, most=SMALL)
    with ThreadPoolExecutor(4) as threads:
        with held_up(world):
            steps = stepping(world, identity, threads, numbers[:4])
            assert Carrier(deployment=world.deployment, run=identity).step(numbers[0]) is Step.ELSEWHERE
        assert [each.result() for each in steps] == [Step.DECIDED] * 4

    assert sorted(chunk.number for chunk in chunks(world, identity)) == numbers[:4]
    assert Carrier(deployment=world.deployment, run=identity).step(numbers[0]) is Step.EXHAUSTED
    world.check_ledger()


@pytest.mark.postgresql
def test_chunks_at_the_same_time_give_out_no_more_than_was_set_aside(postgresql_world):
    """Those who were ranked come by a permission that nobody knew of: each chunk alone would take all there is."""
    world = postgresql_world
    volume = [{"key": "desk", "channels": ["email"], "limit": 4}]
    publish(world, treatment=TABLES["treatment"][:1], cap=[], volume=volume, campaign=ANYBODY)
    who = willing(world, 12)
    for customer in who[4:]:
        world.withdraw(customer, "contact:email:recommendations")
    identity = begun(world)
    numbers = run.planned(world.deployment, identity, most=4)
    for customer in who[4:]:
        world.grant(customer, "contact:email:recommendations")
    with ThreadPoolExecutor(4) as threads:
        with held_up(world):
            steps = stepping(world, identity, threads, numbers)
        assert [each.result() for each in steps] == [Step.DECIDED] * len(numbers)
    run.advance(world.deployment, identity)

    assert len(contacts(world)) == 4
    assert world.rows("SELECT taken FROM quota") == [(4,)]
    assert sorted(chunk.number for chunk in chunks(world, identity)) == numbers
    world.check_ledger()


def test_however_chunks_are_handed_out_the_result_is_the_same(world, twins):
    drawn = random.Random(11)  # noqa: S311 -- orders
    shop(world)
    worlds = [twins(world) for _ in range(4)]
    alone = whole(worlds.pop())
    for each in worlds:
        identity = begun(each)
        numbers = run.planned(each.deployment, identity, most=drawn.randrange(5, 80))
        carriers = [Carrier(deployment=each.deployment, run=identity) for _ in range(3)]
        for number in drawn.sample(numbers, len(numbers)):
            carrier = drawn.choice(carriers)
            assert carrier.step(number) is Step.DECIDED
            assert drawn.choice(carriers).step(number) is Step.EXHAUSTED  # done is done
        run.advance(each.deployment, identity)
        assert left_behind(each, identity) == alone
    worlds[0].check_ledger()
