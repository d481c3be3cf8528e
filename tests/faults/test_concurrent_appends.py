"""Many processes and threads append at once: one order without gaps, each statement in it once, all of it proven."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from consent.base.clock import rfc3339
from consent.base.store import Store
from consent.register import customers, proving, recording
from tests import reference

ROOT = Path(__file__).resolve().parents[2]
PROCESSES, THREADS, EACH = 4, 16, 157
"""Ten thousand appends."""


def appender(world, name, threads, each, *people):
    """Start a process that appends."""
    command = [sys.executable, "-m", "tests.faults.appending", world.url, str(world.keyring), rfc3339(world.clock())]
    return subprocess.Popen(
        [*command, name, str(threads), str(each), *people],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.timeout(400)
def test_appends_from_many_processes_stand_in_one_order_without_gaps(world):
    people = world.enrol("C1", "C2", "C3")
    before = world.size()
    started = [appender(world, f"p{number}", THREADS, EACH, *people) for number in range(PROCESSES)]
    try:
        outcomes = [process.communicate(timeout=180) for process in started]
    finally:
        for process in started:
            process.kill()  # whoever goes on trying must not outlive the test
    acknowledged = [line.split() for out, _ in outcomes for line in out.splitlines()]

    total = PROCESSES * THREADS * EACH
    assert [(process.returncode, errors) for process, (_, errors) in zip(started, outcomes, strict=True)] == [
        (0, "")
    ] * PROCESSES
    assert len({key for key, _ in acknowledged}) == total
    assert sorted(int(seq) for _, seq in acknowledged) == list(range(before, before + total))
    world.check_ledger()


def test_the_root_is_the_reference_root_over_the_entries(world):
    before = world.size()
    world.say(*(world.statement(world.bo, "grant", "use:purchases:recommendations") for _ in range(37)))
    with world.store.write() as work:
        checkpoint = proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())
    bodies = [body for (body,) in world.rows("SELECT body FROM ledger_entry ORDER BY seq")]

    expected = reference.root([reference.leaf(body) for body in bodies])
    assert checkpoint.split("\n")[1:3] == [str(before + 37), reference.b64(expected)]
    world.check_ledger()


def together(*functions):
    """Run functions in threads that start at once; return what went wrong."""
    barrier = threading.Barrier(len(functions))
    wrong = []

    def run(function):
        barrier.wait()
        try:
            function()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the test shows it
            wrong.append(error)

    threads = [threading.Thread(target=run, args=[function]) for function in functions]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return wrong


def test_two_statements_of_one_customer_at_once_both_stand(world):
    scopes = ["use:purchases:recommendations", "use:interests:recommendations", "contact:email:recommendations"]
    for number in range(10):
        [customer] = world.enrol(f"T{number}")
        wrong = together(*(lambda scope=scope, who=customer: world.grant(who, scope) for scope in scopes))

        assert wrong == []
        assert [world.reason(customer, scope) for scope in scopes] == ["PERMIT"] * 3
    world.check_ledger()


def test_a_withdrawal_waits_for_the_grant_before_it_and_wins(world):
    scope = "use:purchases:recommendations"
    desk, elsewhere = world.deployment.desk, Store(world.url)
    begun, done = threading.Event(), threading.Event()

    def grant_slowly():
        with elsewhere.write() as work:
            said = world.statement(world.bo, "grant", scope, "contact:email:recommendations")
            recording.record(desk, work, [said], actor="customer", at=world.clock())
            begun.set()
            done.wait(0.3)

    def withdraw():
        begun.wait()
        world.withdraw(world.bo, scope)

    wrong = together(grant_slowly, withdraw)
    elsewhere.close()

    assert wrong == []
    assert [world.reason(world.bo, each) for each in (scope, "contact:email:recommendations")] == [
        "WITHDRAWN",
        "PERMIT",
    ]
    world.check_ledger()


def test_one_request_twice_at_once_is_recorded_once(world):
    said = world.statement(world.bo, "grant", "use:purchases:recommendations")
    before = world.size()
    found = []
    wrong = together(*(lambda: found.extend(world.say(said, key="form 1")) for _ in range(6)))

    assert (wrong, world.size(), {each.seq for each in found}) == ([], before + 1, {before})
    assert sorted(each.repeated for each in found) == [False] + [True] * 5
    world.check_ledger()


def test_one_checkpoint_signed_twice_at_once_is_one_checkpoint(world):
    desk = world.deployment.desk
    notes = []

    def sign():
        with world.store.write() as work:
            notes.append(proving.sign_checkpoint(desk, work, at=world.clock()))

    for _ in range(10):
        world.grant(world.bo, "use:purchases:recommendations")
        assert together(*[sign] * 4) == []
    assert len(set(notes)) == 10
    world.check_ledger()


def test_one_customer_enrolled_twice_at_once_is_one_customer(world):
    found = []

    def enrol(reference):
        with world.store.write() as work:
            found.extend(customers.enrol(world.deployment.desk, work, [{"reference": reference}], at=world.clock()))

    for number in range(10):
        assert together(*(lambda name=f"T{number}": enrol(name) for _ in range(4))) == []
    assert (len(found), len(set(found))) == (40, 10)
    assert world.rows("SELECT COUNT(*) FROM customer") == [(12,)]
    world.check_ledger()


def test_a_hundred_readers_at_once_are_all_answered(world):
    verdicts = []
    wrong = together(
        *(lambda: verdicts.append(world.reason(world.ann, "use:purchases:recommendations")) for _ in range(100))
    )

    assert (wrong, verdicts) == ([], ["PERMIT"] * 100)
