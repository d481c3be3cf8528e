"""Schedules: which slot is due, which were missed, and that one audit makes up for however many were."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from api.checks import CHECKS
from api.jobs import audits as worker
from api.settings import Settings
from api.wiring import House
from consent import jobs
from consent.audit import run as audits
from consent.audit import schedules
from consent.audit.findings import Check, Judged
from consent.audit.schedules import INCREMENTAL, Schedule, Spot
from consent.base.errors import Invalid, NotFound, StateConflict
from tests.builders import FOUNDED, START

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def put(world, key="hourly", **what):
    with world.store.write() as work:
        made = Schedule(key=key, **{"cron": "0 * * * *", **what})
        return schedules.put(work, made, known_checks={"ledger"}, actor="staff:cy", at=world.clock())


def due(world, schedule):
    with world.store.write() as work:
        return schedules.due(work, schedule, at=world.clock())


def slots(world, schedule):
    with world.store.read() as work:
        return [(f"{each.scheduled_for:%H:%M}", each.job, each.state) for each in schedules.slots_of(work, schedule)]


def finish(world, spot, state="passed"):
    with world.store.write() as work:
        claim = jobs.claim(work, spot.job, spot.slot, "one", at=world.clock(), lease_seconds=60)
        if claim:
            jobs.finish(work, claim, state=state, detail="aud_1", at=world.clock())
        return claim is not None


def house(world):
    settings = Settings(database_url=world.url, keyring=world.keyring)
    return House(settings=settings, deployment=world.deployment)


@pytest.fixture
def one_check(monkeypatch):
    """Let audits of the worker run one small check, and count how often."""
    ran = []

    def look(_evidence):
        ran.append("looked")
        yield Judged(1)

    monkeypatch.setattr(worker, "CHECKS", (Check(key="ledger", title="A check", function=look),))
    return ran


# ------------------------------------------------------------------------------------------------------ the schedules


def test_two_schedules_are_there_from_the_start(world):
    with world.store.read() as work:
        found = schedules.schedules(work)

    assert [(each.key, each.cron, each.zone, each.mode, each.enabled, each.version) for each in found] == [
        ("hourly", "5 * * * *", "UTC", "incremental", True, 0),
        ("nightly", "15 2 * * *", "UTC", "full", True, 0),
    ]
    assert {each.changed_at for each in found} == {FOUNDED}


def test_a_schedule_is_made_and_changed_and_says_by_whom(world):
    made = put(world, "weekly", cron="0 3 * * SUN", zone="Europe/Berlin", checks=("ledger",), mode=INCREMENTAL)
    changed = put(world, "weekly", cron="0 4 * * sun", enabled=False)

    assert (made.cron, made.zone, made.checks, made.mode, made.changed_by, made.changed_at, made.version) == (
        "0 3 * * sun", "Europe/Berlin", ("ledger",), "incremental", "staff:cy", START, 1,
    )  # fmt: skip
    assert (changed.cron, changed.enabled, changed.version) == ("0 4 * * sun", False, 2)


def test_a_default_is_overridden_by_its_key(world):
    put(world, "nightly", cron="0 1 * * *")

    with world.store.read() as work:
        assert [(each.key, each.cron) for each in schedules.schedules(work)] == [
            ("hourly", "5 * * * *"), ("nightly", "0 1 * * *"),
        ]  # fmt: skip


def test_everything_that_is_wrong_with_a_schedule_is_named(sqlite_world):
    with pytest.raises(Invalid) as refused:
        put(sqlite_world, "Nightly!", cron="61 * * * *", zone="Nowhere", checks=("made-up",), mode="quick")
    assert [place.where for place in refused.value.places] == ["key", "mode", "checks", "cron, minute", "zone"]


def test_a_schedule_that_somebody_else_has_changed_is_not_overwritten(world):
    put(world)
    with world.store.write() as work, pytest.raises(StateConflict):
        schedules.put(work, Schedule(key="hourly", cron="1 * * * *"), known_checks=(), actor="cy", at=START, version=0)
    with world.store.read() as work, pytest.raises(NotFound):
        schedules.one(work, "yearly")


# -------------------------------------------------------------------------------------------------------------- slots


def test_a_slot_is_due_once_its_time_has_come(world):
    schedule = put(world)
    before = due(world, schedule)
    world.clock.advance(minutes=61)
    spot = due(world, schedule)
    ran = finish(world, spot)

    assert (before, spot, ran, due(world, schedule)) == (
        None, Spot("audit:hourly", START + timedelta(hours=1)), True, None,
    )  # fmt: skip
    assert slots(world, schedule) == [("11:00", "audit:hourly", "passed")]


def test_of_three_missed_slots_all_are_shown_and_one_late_audit_makes_up_for_them(world):
    schedule = put(world)
    world.clock.advance(hours=3, minutes=30)

    spot = due(world, schedule)
    again = due(world, schedule)

    assert spot == again == Spot("audit:hourly:late", START + timedelta(hours=3))
    assert [finish(world, spot), finish(world, again)] == [True, False]
    assert slots(world, schedule) == [
        ("13:00", "audit:hourly:late", "passed"),
        ("13:00", "audit:hourly", "missed"),
        ("12:00", "audit:hourly", "missed"),
        ("11:00", "audit:hourly", "missed"),
    ]


def test_a_slot_that_is_due_as_the_worker_comes_back_makes_up_for_those_before(world):
    schedule = put(world)
    world.clock.advance(hours=3, minutes=5)

    spot = due(world, schedule)

    assert (spot, finish(world, spot)) == (Spot("audit:hourly", START + timedelta(hours=3)), True)
    assert [state for _, _, state in slots(world, schedule)] == ["passed", "missed", "missed"]


def test_the_slot_of_a_dead_worker_stays_to_be_taken_over(world):
    schedule = put(world)
    world.clock.advance(minutes=61)
    spot = due(world, schedule)
    with world.store.write() as work:
        jobs.claim(work, spot.job, spot.slot, "dead", at=world.clock(), lease_seconds=60)
    world.clock.advance(minutes=20)

    assert (due(world, schedule), finish(world, spot)) == (spot, True)


def test_slots_of_before_a_change_are_not_missed(world):
    schedule = put(world)
    world.clock.advance(hours=3, minutes=30)
    changed = put(world, cron="45 * * * *")

    assert (due(world, changed), slots(world, schedule)) == (None, [])


def test_a_long_absence_shows_the_last_hundred_missed_slots(world):
    schedule = put(world)
    world.clock.advance(days=400)
    due(world, schedule)

    [(count,)] = world.rows("SELECT count(*) FROM job_run WHERE job = 'audit:hourly' AND state = 'missed'")
    assert count == schedules.MOST_MISSED


@pytest.mark.parametrize(
    ("evening", "slot"),
    [(datetime(2027, 3, 27, 20, tzinfo=UTC), "28 01:00"), (datetime(2027, 10, 30, 20, tzinfo=UTC), "31 00:30")],
)
def test_in_the_nights_when_clocks_are_moved_one_slot_is_due(world, evening, slot):
    world.clock.set(evening)
    schedule = put(world, "nightly", cron="30 2 * * *", zone="Europe/Berlin")
    ran = []
    for _ in range(60):
        world.clock.advance(minutes=10)
        spot = due(world, schedule)
        if spot and finish(world, spot):
            ran.append((spot.job, f"{spot.slot:%d %H:%M}"))

    assert ran == [("audit:nightly", slot)]


# --------------------------------------------------------------------------------------------------------- the worker


def test_the_worker_runs_what_is_due_once_and_says_for_which_schedule(world, one_check):
    put(world, "hourly")
    put(world, "nightly", cron="15 2 * * *")
    world.clock.advance(minutes=61)
    for _ in range(3):
        worker.scheduled(house(world), "a worker")

    assert one_check == ["looked"]
    assert world.rows("SELECT asked_by, status FROM audit_run") == [("schedule:hourly", "passed")]
    [(audit,)] = world.rows("SELECT id FROM audit_run")
    assert world.rows("SELECT state, holder, detail FROM job_run") == [("passed", "a worker", audit)]
    world.check_ledger()


def test_a_schedule_that_is_switched_off_runs_nothing(world, one_check):
    for key in ("hourly", "nightly"):
        put(world, key, enabled=False)
    world.clock.advance(days=2)
    worker.scheduled(house(world), "a worker")

    assert (one_check, world.rows("SELECT * FROM job_run")) == ([], [])


def test_a_schedule_runs_its_own_checks_in_its_own_mode(world, monkeypatch):
    seen = []
    monkeypatch.setattr(
        audits, "run", lambda _, checks, **how: seen.append(([each.key for each in checks], how["incremental"]))
    )
    put(world, "nightly", enabled=False)
    put(world, "hourly", checks=("ledger",), mode=INCREMENTAL)
    world.clock.advance(minutes=61)
    worker.scheduled(house(world), "a worker")

    assert seen == [(["ledger"], True)]
    assert worker.chosen(replace(schedules.DEFAULTS[0], checks=())) == CHECKS
