"""Two workers, one of them paused past its lease: one completed run a slot, and the stale one is fenced (fault 8)."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from api.jobs import audits as worker
from api.settings import Settings
from api.wiring import House
from consent.audit import reading, schedules
from consent.audit.findings import Check, Judged
from consent.audit.schedules import Schedule
from tests.advancing import PROCESSES, started
from tests.builders import START
from tests.faults.auditing import clock, work
from tests.world import World

LEASE = 1.0


@pytest.fixture
def scheduled(world: World) -> World:
    """Return a world with one schedule, whose first slot comes in an hour."""
    with world.store.write() as writing:
        for key, enabled in (("nightly", False), ("hourly", True)):
            made = Schedule(key=key, cron="0 * * * *", enabled=enabled)
            schedules.put(writing, made, known_checks=(), actor="cy", at=START)
    return world


def house(world: World, begun: float) -> House:
    settings = Settings(database_url=world.url, keyring=world.keyring)
    own = replace(world.deployment, clock=lambda: clock(begun))
    return House(settings=settings, deployment=own)


@contextmanager
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let this process's worker audit at once, under the same short lease."""
    ran: list[str] = []

    def look(_evidence):
        ran.append("here")
        yield Judged(1)

    monkeypatch.setattr(worker, "CHECKS", (Check(key="slow", title="A slow check", function=look),))
    monkeypatch.setattr(worker, "LEASE_SECONDS", LEASE)
    yield ran


def taken_over(world: World, begun: float, ran: list[str]) -> None:
    """Have this process's worker look again and again, until the other's lease is over and it has run the audit."""
    for _ in range(100):
        worker.scheduled(house(world, begun), "the other worker")
        if ran:
            return
        time.sleep(LEASE / 10)
    pytest.fail("the slot was never taken over")


def outcome(world: World) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    runs = world.rows("SELECT status FROM audit_run ORDER BY status")
    return runs, world.rows("SELECT state, holder, token FROM job_run WHERE job = 'audit:hourly'")


def test_a_process_that_was_stopped_past_its_lease_closes_nothing(scheduled, monkeypatch):
    begun = time.monotonic()
    here, there = PROCESSES.Pipe()
    process = started(work, scheduled.url, scheduled.keyring, begun, LEASE, there)
    stopped = here.recv()
    os.kill(stopped, signal.SIGSTOP)
    try:
        with quick(monkeypatch) as ran:
            taken_over(scheduled, begun, ran)
    finally:
        os.kill(stopped, signal.SIGCONT)
    here.send("go on")
    process.join()

    assert (process.exitcode, ran) == (0, ["here"])
    assert outcome(scheduled) == ([("aborted",), ("passed",)], [("passed", "the other worker", 2)])
    scheduled.check_ledger()


def test_a_process_that_is_killed_leaves_its_slot_to_another(scheduled, monkeypatch):
    begun = time.monotonic()
    here, there = PROCESSES.Pipe()
    process = started(work, scheduled.url, scheduled.keyring, begun, LEASE, there)
    os.kill(here.recv(), signal.SIGKILL)
    process.join()
    with quick(monkeypatch) as ran:
        taken_over(scheduled, begun, ran)

    assert outcome(scheduled) == ([("passed",), ("running",)], [("passed", "the other worker", 2)])
    with scheduled.store.read() as reading_:
        shown = reading.newest(reading_, at=clock(begun) + timedelta(hours=2))
    assert {each.status for each in shown} == {"passed", "aborted"}  # fault 9: what was killed never counts as passed
    scheduled.check_ledger()


def test_a_process_that_is_merely_slow_keeps_its_slot(scheduled, monkeypatch):
    begun = time.monotonic()
    here, there = PROCESSES.Pipe()
    process = started(work, scheduled.url, scheduled.keyring, begun, LEASE, there)
    slow = here.recv()
    with quick(monkeypatch) as ran:
        for _ in range(8):
            time.sleep(LEASE / 4)
            worker.scheduled(house(scheduled, begun), "the other worker")
    here.send("go on")
    process.join()

    assert ran == []
    assert outcome(scheduled) == ([("passed",)], [("passed", f"worker {slow}", 1)])


def test_of_many_threads_that_find_a_slot_due_one_runs_its_audit(scheduled, monkeypatch):
    begun = time.monotonic()
    ready = threading.Barrier(6)

    def look(number: int) -> Callable[[], None]:
        def run() -> None:
            ready.wait()
            worker.scheduled(house(scheduled, begun), f"worker {number}")

        return run

    with quick(monkeypatch) as ran:
        threads = [threading.Thread(target=look(number)) for number in range(6)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

    runs, [(state, _, token)] = outcome(scheduled)
    assert (ran, runs, state, token) == (["here"], [("passed",)], "passed", 1)
    scheduled.check_ledger()
