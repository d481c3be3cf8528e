"""The dead man's alarm: raised by who still lives, once, and cleared when life returns."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from api import watch
from api.jobs import audits as worker
from api.settings import Settings
from api.wiring import HEARTBEAT, House
from consent import jobs
from consent.audit import alarms, schedules
from consent.audit.findings import Check, Judged
from consent.audit.schedules import Schedule
from consent.base.clock import rfc3339
from tests.builders import START


@pytest.fixture
def quiet(world):
    """Return a world whose one schedule begins now, and whose worker has just been seen."""
    with world.store.write() as work:
        for key, enabled in (("nightly", False), ("hourly", True)):
            made = Schedule(key=key, cron="0 * * * *", enabled=enabled)
            schedules.put(work, made, known_checks=(), actor="cy", at=START)
    beat(world)
    return world


def beat(world):
    with world.store.write() as work:
        jobs.beat(work, HEARTBEAT, "a worker", at=world.clock())


def house(world):
    return House(settings=Settings(database_url=world.url, keyring=world.keyring), deployment=world.deployment)


def look(world):
    found = alarms.look(world.store, at=world.clock(), heartbeat=HEARTBEAT)
    return [str(sign.kind) for sign in found.raised], [str(kind) for kind in found.cleared]


def standing(world):
    with world.store.read() as work:
        return [(str(each.kind), each.since, each.raised_at) for each in alarms.standing(work)]


def test_where_all_is_well_nothing_is_raised(quiet):
    assert (look(quiet), standing(quiet)) == (([], []), [])


def test_a_silent_worker_is_raised_once_and_cleared_when_it_is_back(quiet):
    quiet.clock.advance(minutes=2)
    in_time = look(quiet)
    quiet.clock.advance(seconds=1)
    raised_at = quiet.clock()
    raised, again = look(quiet), look(quiet)
    stood = standing(quiet)
    beat(quiet)
    cleared = look(quiet)

    assert (in_time, raised, again) == (([], []), (["worker_silent"], []), ([], []))
    assert stood == [("worker_silent", START, raised_at)]
    assert (cleared, standing(quiet)) == (([], ["worker_silent"]), [])
    [(cleared_at,)] = quiet.rows("SELECT cleared_at FROM audit_alarm")
    assert cleared_at is not None


def test_a_worker_that_never_was_is_missed_from_the_founding_on(world):
    with world.store.read() as work:
        [silent, *_] = alarms.signs(work, at=world.clock(), heartbeat=HEARTBEAT)
    assert (silent.kind, silent.detail.partition(":")[0]) == ("worker_silent", "no worker has ever run here")


def test_an_audit_that_does_not_end_in_its_time_is_raised_and_cleared_by_the_next_that_ends(quiet, monkeypatch):
    monkeypatch.setattr(worker, "CHECKS", (Check(key="one", title="One", function=lambda _: iter([Judged(1)])),))
    quiet.clock.advance(hours=1, minutes=59)  # the slot of 11:00 has an hour
    beat(quiet)
    in_time = look(quiet)
    quiet.clock.advance(minutes=1)
    beat(quiet)
    raised = look(quiet)
    worker.scheduled(house(quiet), "a worker")

    assert (in_time, raised, look(quiet)) == (([], []), (["audit_overdue"], []), ([], ["audit_overdue"]))


def test_three_slots_missed_are_one_catch_up_three_missed_and_the_alarm_had_fired(quiet, monkeypatch):
    """Reliability, fault 8."""
    monkeypatch.setattr(worker, "CHECKS", (Check(key="one", title="One", function=lambda _: iter([Judged(1)])),))
    quiet.clock.advance(hours=3, minutes=30)
    raised = look(quiet)[0]
    beat(quiet)
    for _ in range(3):
        worker.scheduled(house(quiet), "a worker")

    query = "SELECT job, state, count(*) FROM job_run WHERE job LIKE 'audit:%' GROUP BY job, state ORDER BY 1"
    assert raised == ["worker_silent", "audit_overdue"]
    assert quiet.rows(query) == [
        ("audit:hourly", "missed", 3), ("audit:hourly:late", "passed", 1),
    ]  # fmt: skip
    assert quiet.rows("SELECT status FROM audit_run") == [("passed",)]
    assert look(quiet) == ([], ["audit_overdue", "worker_silent"])


def test_a_schedule_that_is_switched_off_is_never_overdue(quiet):
    with quiet.store.write() as work:
        off = Schedule(key="hourly", cron="0 * * * *", enabled=False)
        schedules.put(work, off, known_checks=(), actor="cy", at=START)
    quiet.clock.advance(days=3)
    beat(quiet)

    assert look(quiet) == ([], [])


def test_of_many_processes_one_raises(quiet):
    quiet.clock.advance(minutes=10)
    with ThreadPoolExecutor(6) as pool:
        raised = [kinds for kinds, _ in pool.map(lambda _: look(quiet), range(6)) if kinds]

    assert (raised, len(standing(quiet))) == ([["worker_silent"]], 1)


def test_the_watch_writes_one_line_into_the_log_when_it_raises_and_one_when_it_clears(quiet, caplog):
    caplog.set_level(logging.INFO, logger="byleave.alarm")
    quiet.clock.advance(minutes=10)
    for _ in range(2):
        watch.look(house(quiet))
    beat(quiet)
    watch.look(house(quiet))

    said = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "byleave.alarm"]
    assert said == [
        (
            "ERROR",
            (
                f"alarm=worker_silent raised: no worker since {rfc3339(START)}: "
                "audits, checkpoints and runs wait; start one"
            ),
        ),
        ("WARNING", "alarm=worker_silent cleared"),
    ]


def test_where_the_database_is_away_the_watch_says_so_and_goes_on(quiet, caplog):
    gone = House(settings=Settings(database_url=quiet.url, keyring=quiet.keyring), deployment=quiet.deployment)
    quiet.tamper("ALTER TABLE audit_alarm RENAME TO elsewhere")
    watch.look(gone)

    assert [record.getMessage() for record in caplog.records if record.name == "byleave.alarm"] == [
        "alarm=unknown failed=database_down"
    ]


def test_newest_alarms_show_those_that_stand_first(quiet):
    for _ in range(2):
        quiet.clock.advance(minutes=10)
        look(quiet)
        beat(quiet)
        look(quiet)
    quiet.clock.advance(minutes=10)
    look(quiet)
    with quiet.store.read() as work:
        found = alarms.newest(work)

    assert [each.cleared_at is None for each in found] == [True, False, False]
    assert found[0].raised_at == START + timedelta(minutes=30)
