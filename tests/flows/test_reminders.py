"""Whose consent ends soon is queued to be reminded, and leaves the queue when it no longer does."""

from datetime import timedelta

import pytest

from api.jobs import reminders as job
from consent import standings
from consent.register import reminders
from tests.builders import tables, toml
from tests.faces.rest.conftest import house_of

USE, MAIL, POST, LOOKED = (
    "use:purchases:recommendations", "contact:email:recommendations", "contact:post:newsletter", "remember:browsing",
)  # fmt: skip
DAY = timedelta(days=1)


def walk(world, days=30):
    done = reminders.queue(world.deployment.desk, world.store, at=world.clock(), days=days)
    return done.queued, done.dropped


def due(world):
    with world.store.read() as work:
        return [(one.customer, one.scope) for one in reminders.due(work, at=world.clock(), most=100)]


@pytest.fixture
def soon(world):
    """Return a world in which two years have almost passed since Bo granted two things."""
    world.grant(world.bo, USE, MAIL)
    world.clock.set(world.clock().replace(year=2028) - 31 * DAY)
    return world


def test_a_reminder_is_queued_so_many_days_before_and_not_sooner(soon):
    """Rule 3: a reminder is queued N days before."""
    early = walk(soon), due(soon)
    soon.clock.advance(days=1)
    # Ann granted a day before Bo, everything; what she may be asked thirteen months later has ended long ago.
    found = walk(soon)

    assert early == ((12, 0), [(soon.ann, scope) for _, scope in early[1]])
    assert found == (2, 0)
    assert [one for one in due(soon) if one[0] == soon.bo] == [(soon.bo, MAIL), (soon.bo, USE)]
    assert walk(soon) == (0, 0)


def test_what_was_renewed_withdrawn_or_has_ended_leaves_the_queue(soon):
    soon.clock.advance(days=1)
    walk(soon)
    soon.say(soon.statement(soon.bo, "renew", USE))
    soon.withdraw(soon.bo, MAIL)
    after = walk(soon)
    soon.clock.advance(days=40)

    assert (after, [one for one in due(soon) if one[0] == soon.bo]) == ((0, 2), [])
    assert (walk(soon)[1], due(soon)) == (12, [])


def test_nobody_is_reminded_of_what_does_not_count(world):
    with_pause, restricted, free = world.enrol("1", "2", "3")
    for who in (with_pause, restricted, free):
        world.grant(who, USE)
    world.say(world.statement(with_pause, "pause"), world.statement(restricted, "restrict"))
    world.clock.advance(days=720)
    walk(world)
    assert [who for who, scope in due(world) if scope == USE] == [world.ann, free]


def test_a_scope_may_say_how_long_before(world):
    given = tables()
    post = next(each for each in given["scope"] if each["scope"] == "use:purchases:offers")
    post["remind_days"] = 3
    world.publish(toml(given))
    world.grant(world.bo, "use:purchases:offers", "remember:purchases")
    world.clock.set(world.clock().replace(year=2027) - 10 * DAY)
    walk(world)
    first = [scope for who, scope in due(world) if who == world.bo]
    world.clock.advance(days=7)
    walk(world)
    assert (first, sorted(scope for who, scope in due(world) if who == world.bo)) == (
        ["remember:purchases"],
        ["remember:purchases", "use:purchases:offers"],
    )


def test_zero_days_remind_nobody(world):
    world.clock.advance(days=720)
    assert (walk(world, days=0), due(world)) == ((0, 0), [])


def test_all_customers_are_walked_over_many_chunks(world):
    people = world.enrol(*(f"P{number}" for number in range(2 * standings.CHUNK + 23)))
    last = people[:: standings.CHUNK // 2]
    world.say(*(world.statement(who, "grant", USE) for who in last))
    world.clock.advance(days=720)
    assert (walk(world)[0], len(last)) == (len(last) + 12, 5)


def test_the_workers_walk_once_a_day(sqlite_world):
    house = house_of(sqlite_world)
    sqlite_world.clock.advance(days=720)
    job.queue(house, "one")
    queued = len(due(sqlite_world))
    sqlite_world.tamper("DELETE FROM reminder")
    job.queue(house, "two")
    same_day = len(due(sqlite_world))
    sqlite_world.clock.advance(days=1)
    job.queue(house, "two")

    assert (queued, same_day, len(due(sqlite_world))) == (12, 0, 12)
    assert sqlite_world.rows("SELECT state, detail FROM job_run WHERE job = 'reminders' ORDER BY scheduled_for") == [
        ("finished", "12 queued, 0 dropped"),
        ("finished", "12 queued, 0 dropped"),
    ]
