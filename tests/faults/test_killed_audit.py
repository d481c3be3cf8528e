"""Fault 9: an audit that was killed, was empty or had no anchor never counts as passed."""

import random
import signal

import pytest

from api.checks import CHECKS
from consent.audit import marks, reading
from consent.audit.checks import CHECKS as OF_CONSENT
from consent.audit.run import run
from consent.register import proving
from tests.advancing import started
from tests.faults.dying_audit import AUDITING, audit
from tests.faults.stepping import steps

KEEP, USE = "remember:browsing", "use:browsing:recommendations"
TIMES = 8
"""How often the audit is killed, each time at a later step."""


def sign(world):
    with world.store.write() as work:
        proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())


def past(world):
    """Return how every audit that ever was is shown two hours later, the newest first, with its report."""
    at = world.clock.advance(hours=2)
    with world.store.read() as work:
        listed = reading.newest(work, at=at, most=1_000)
        shown = [(one.status, reading.one(work, one.audit, at=at)[1]) for one in listed]
    world.clock.advance(hours=-2)
    return shown


@pytest.mark.timeout(600)
@pytest.mark.parametrize("incremental", [False, True])
def test_an_audit_killed_at_any_step_is_aborted_marks_nothing_and_stands_in_nobodys_way(world, incremental):
    [customer] = world.enrol("CLEO")
    world.grant(customer, KEEP, USE)
    world.remember(customer, visits_past_month=3)
    sign(world)
    ways = steps(AUDITING, lambda: run(world.deployment, CHECKS, asked_by="cy"))
    assert [status for status, _ in past(world)] == ["passed"]
    if incremental:
        world.grant(world.bo, KEEP)
        sign(world)
    before, entries = len(past(world)), world.size()
    with world.store.read() as work:
        marked = marks.believed(world.deployment.desk, work, CHECKS)
    drawn = random.Random(9)  # noqa: S311 -- steps to be killed at
    ends = []
    for step in sorted(drawn.sample(range(ways), TIMES)):
        world.store.close()
        process = started(audit, world.url, world.keyring, step, incremental)
        process.join()
        ends.append(process.exitcode)
        if process.exitcode == 0 or world.size() > entries:  # it had come through
            break

    shown = past(world)[: len(past(world)) - before]
    killed = [one for one in shown if one[0] != "passed"]
    assert {status for status, _ in killed} == {"aborted"}
    assert [report for _, report in killed if report] == []
    assert (len(killed) > TIMES // 2, ends[0]) == (True, -signal.SIGKILL)
    if len(killed) == len(shown):
        with world.store.read() as work:
            assert marks.believed(world.deployment.desk, work, CHECKS) == marked
    assert run(world.deployment, CHECKS, asked_by="cy").status == "passed"
    world.check_ledger()


def test_an_audit_without_a_check_and_one_of_a_log_without_a_checkpoint_have_not_passed(world):
    empty = run(world.deployment, (), asked_by="cy")
    unanchored = run(world.deployment, OF_CONSENT, asked_by="cy")

    assert (empty.status, unanchored.status) == ("could_not_check", "could_not_check")
    assert [gap.check for gap in unanchored.all_gaps] == ["checkpoints"]
    assert world.rows("SELECT count(*) FROM audit_mark") == [(0,)]


@pytest.mark.parametrize("why", ["no key", "no tables"])
def test_an_audit_that_can_see_nothing_has_not_passed(sqlite_world, why):
    """Every check of it is a gap: each says that it could not look, and none that all is well."""
    sign(sqlite_world)
    if why == "no key":
        sqlite_world.tamper("UPDATE data_key SET wrapped = :junk", junk=bytes(60))
    else:
        for table in ("standing", "memory", "notice", "data_use"):
            sqlite_world.tamper(f"ALTER TABLE {table} RENAME TO {table}_gone")
    report = run(sqlite_world.deployment, CHECKS, asked_by="cy")

    walking = {each.check: each.status for each in report.checks if each.check in {"standing", "kept_without_use"}}
    assert report.status != "passed"
    assert walking == (
        {"standing": "findings", "kept_without_use": "passed"}
        if why == "no key"
        else {"standing": "could_not_check", "kept_without_use": "could_not_check"}
    )
