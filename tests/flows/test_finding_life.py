"""A finding is followed over all audits: nobody deletes it, and only a passing rerun of its check resolves it."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from consent.audit import handling, life
from consent.audit import run as audits
from consent.audit.findings import Check, Finding, Gap, Judged, Severity, Yielded
from consent.audit.handling import Rerun
from consent.audit.life import Filter, State
from consent.base.errors import NotFound, RequestUnfit, StateConflict, VersionMoved
from tests.builders import START

WRONG = Finding(check="stub", severity=Severity.HIGH, subject="row 1", why="it is wrong")


def check(*found, key="stub", judged=1):
    return Check(key=key, title="A check for a test", function=lambda _: iter([Judged(judged), *found]))


def audit(world, *checks, **how):
    return audits.run(world.deployment, checks, asked_by="cy", **how)


def only(world, **wanted):
    with world.store.read() as work:
        return life.listed(work, Filter(**wanted), at=world.clock())


def the_one(world):
    [found] = only(world)
    return found


def steps(world):
    with world.store.read() as work:
        return [(each.event.value, each.actor, each.reason) for each in life.history(work, the_one(world).id)]


def do(world, action, **how):
    with world.store.write() as work:
        return action(work, the_one(world).id, actor="staff:cy", at=world.clock(), **how)


def test_a_finding_is_opened_once_however_often_it_is_found(world):
    first = audit(world, check(WRONG))
    world.clock.advance(hours=1)
    second = audit(world, check(WRONG))

    found = the_one(world)
    assert (found.state, found.severity, found.subject, found.why) == ("open", "high", "row 1", "it is wrong")
    assert (found.opened_at, found.seen_at, found.audit) == (START, START + timedelta(hours=1), second.audit)
    assert (steps(world), first.audit != second.audit) == ([("opened", "cy", "")], True)
    world.check_ledger()


def test_several_reasons_over_one_subject_are_one_finding_of_the_gravest_severity(sqlite_world):
    graver = Finding(check="stub", severity=Severity.CRITICAL, subject="row 1", why="and worse")
    audit(sqlite_world, check(WRONG, graver))

    assert (the_one(sqlite_world).severity, the_one(sqlite_world).why) == ("critical", "it is wrong; and worse")


def test_a_passing_rerun_resolves_and_a_regression_reopens_the_same_finding(world):
    audit(world, check(WRONG))
    identity = the_one(world).id
    world.clock.advance(hours=1)
    audit(world, check())
    resolved = the_one(world).state
    world.clock.advance(hours=1)
    audit(world, check(WRONG))

    assert (resolved, the_one(world).state, the_one(world).id) == ("resolved", "open", identity)
    assert [event for event, _, _ in steps(world)] == ["opened", "resolved", "reopened"]


@pytest.mark.parametrize(
    "ran",
    [
        pytest.param(check(Gap(check="stub", why="dark")), id="gap"),
        pytest.param(check(judged=0), id="nothing-judged"),
        pytest.param(check(key="other"), id="another-check"),
        pytest.param(check(Finding(check="stub", severity=Severity.HIGH, subject="", why="and 5 more")), id="cut-off"),
    ],
)
def test_an_audit_that_did_not_look_at_it_resolves_nothing(sqlite_world, ran):
    audit(sqlite_world, check(WRONG))
    audit(sqlite_world, ran)

    assert the_one(sqlite_world).state == "open"


def test_where_nothing_is_left_for_a_check_an_audit_that_judged_something_resolves(sqlite_world):
    audit(sqlite_world, check(WRONG))
    audit(sqlite_world, check(judged=0), check(key="other"))

    assert the_one(sqlite_world).state == "resolved"


def test_an_audit_that_broke_off_in_its_check_resolves_nothing(sqlite_world):
    def crash(_):
        yield Judged(5)
        raise ValueError

    audit(sqlite_world, check(WRONG))
    audit(sqlite_world, Check(key="stub", title="A check", function=crash))

    assert the_one(sqlite_world).state == "open"


def test_an_audit_of_a_past_time_changes_nothing(sqlite_world):
    audit(sqlite_world, check(WRONG))
    audit(sqlite_world, check(), at=START - timedelta(hours=1))
    other = Finding(check="stub", severity=Severity.LOW, subject="row 2", why="then")
    audit(sqlite_world, check(other), at=START - timedelta(hours=1))

    assert [(each.subject, each.state) for each in only(sqlite_world)] == [("row 1", "open")]


def test_other_subjects_of_a_check_do_not_hinder_a_resolution(world):
    other = Finding(check="stub", severity=Severity.LOW, subject="row 2", why="too")
    audit(world, check(WRONG, other))
    audit(world, check(other))

    assert {each.subject: each.state for each in only(world)} == {"row 1": "resolved", "row 2": "open"}


def test_a_severity_that_changes_is_written_into_the_history(sqlite_world):
    audit(sqlite_world, check(WRONG))
    audit(sqlite_world, check(Finding(check="stub", severity=Severity.LOW, subject="row 1", why="less so")))

    assert (the_one(sqlite_world).severity, steps(sqlite_world)[-1]) == (
        "low",
        ("changed", "cy", "high before, low now"),
    )


# ----------------------------------------------------------------------------------------------------- what people do


def test_assigning_names_an_owner_and_a_regression_goes_back_to_him(world):
    audit(world, check(WRONG))
    do(world, handling.assign, owner="anna")
    assigned = the_one(world)
    audit(world, check())
    audit(world, check(WRONG))

    assert (assigned.state, assigned.owner, the_one(world).state, the_one(world).owner) == (
        "assigned", "anna", "assigned", "anna",
    )  # fmt: skip


def test_an_acceptance_ends_by_itself_also_where_no_worker_runs(world):
    audit(world, check(WRONG))
    until = START + timedelta(days=7)
    do(world, handling.accept, until=until, reason="the importer is being replaced")
    accepted = the_one(world)
    world.clock.set(until)
    over = the_one(world)
    with world.store.write() as work:
        lapsed = life.lapse(work, at=world.clock())

    assert (accepted.state, accepted.accepted_until) == ("accepted", until)
    assert (over.state, over.accepted_until) == ("open", None)
    assert [found.id for found in only(world, states=(State.OPEN,))] == [over.id]
    assert only(world, states=(State.ACCEPTED,)) == []
    assert (lapsed, steps(world)[-1]) == (1, ("lapsed", "clock", ""))


def test_while_it_is_accepted_it_stays_so_when_it_is_found_again_and_is_resolved_when_it_is_gone(sqlite_world):
    world = sqlite_world
    audit(world, check(WRONG))
    do(world, handling.accept, until=START + timedelta(days=7), reason="known")
    audit(world, check(WRONG))
    still = the_one(world).state
    audit(world, check())

    assert (still, the_one(world).state, the_one(world).accepted_until) == ("accepted", "resolved", None)


@pytest.mark.parametrize(
    ("owner", "now", "state"),
    [("", Severity.CRITICAL, "open"), ("anna", Severity.CRITICAL, "assigned"), ("anna", Severity.LOW, "accepted")],
)
def test_an_acceptance_does_not_cover_what_weighs_more_than_what_was_accepted(sqlite_world, owner, now, state):
    world = sqlite_world
    audit(world, check(WRONG))
    if owner:
        do(world, handling.assign, owner=owner)
    until = START + timedelta(days=7)
    do(world, handling.accept, until=until, reason="known")
    audit(world, check(Finding(check="stub", severity=now, subject="row 1", why="it is another thing now")))

    found = the_one(world)
    assert (found.state, found.severity, found.accepted_until) == (state, now, until if state == "accepted" else None)
    assert steps(world)[-1] == ("changed", "cy", f"high before, {now} now")


@pytest.mark.parametrize(
    ("days", "reason"), [(0, "because"), (-1, "because"), (367, "because"), (7, ""), (7, "   "), (7, "x" * 2_001)]
)
def test_an_acceptance_needs_a_reason_and_a_date_within_a_year(sqlite_world, days, reason):
    audit(sqlite_world, check(WRONG))
    with pytest.raises(RequestUnfit):
        do(sqlite_world, handling.accept, until=START + timedelta(days=days), reason=reason)
    assert the_one(sqlite_world).state == "open"


def test_what_is_resolved_can_be_neither_assigned_nor_accepted(sqlite_world):
    audit(sqlite_world, check(WRONG))
    audit(sqlite_world, check())
    for action, how in (
        (handling.assign, {"owner": "anna"}),
        (handling.accept, {"until": START + timedelta(days=1), "reason": "because"}),
    ):
        with pytest.raises(StateConflict):
            do(sqlite_world, action, **how)


def test_who_looked_at_an_older_version_changes_nothing(world):
    audit(world, check(WRONG))
    tag = the_one(world).tag
    do(world, handling.assign, owner="anna", tag=tag)
    with pytest.raises(VersionMoved):
        do(world, handling.assign, owner="ben", tag=tag)

    assert the_one(world).owner == "anna"


def test_resolving_runs_the_check_again_and_says_what_came_of_it(world):
    broken: list[Yielded] = [WRONG]

    def look(_):
        yield Judged(1)
        yield from broken

    checks = (Check(key="stub", title="A check", function=look),)
    audit(world, *checks)

    def resolve():
        return handling.resolve(world.deployment, checks, the_one(world).id, actor="staff:cy").came

    still = resolve(), the_one(world).state
    broken[:] = [Gap(check="stub", why="dark")]
    dark = resolve(), the_one(world).state
    broken.clear()
    gone = resolve(), the_one(world).state

    assert (still, dark, gone) == (
        (Rerun.STILL_THERE, "open"), (Rerun.COULD_NOT_CHECK, "open"), (Rerun.RESOLVED, "resolved"),
    )  # fmt: skip
    assert steps(world) == [
        ("opened", "cy", ""),
        ("rerun", "staff:cy", "still_there"),
        ("rerun", "staff:cy", "could_not_check"),
        ("resolved", "staff:cy", ""),
    ]
    world.check_ledger()


def test_a_check_that_is_no_more_cannot_resolve(sqlite_world):
    audit(sqlite_world, check(WRONG))
    outcome = handling.resolve(sqlite_world.deployment, (check(key="other"),), the_one(sqlite_world).id, actor="cy")

    assert (outcome.came, outcome.report, the_one(sqlite_world).state) == (Rerun.COULD_NOT_CHECK, None, "open")


# ------------------------------------------------------------------------------------------------ kept, and protected


def test_history_cannot_be_changed_and_no_finding_deleted(world):
    audit(world, check(WRONG))
    for statement in (
        "DELETE FROM finding_state",
        "DELETE FROM finding_event",
        "UPDATE finding_event SET actor = 'nobody'",
    ):
        with pytest.raises(sa.exc.DBAPIError):
            world.tamper(statement)
    assert steps(world) == [("opened", "cy", "")]


def test_findings_are_listed_by_filter_a_page_at_a_time(world):
    many = [Finding(check="stub", severity=Severity.LOW, subject=f"row {n}", why="so") for n in range(5)]
    audit(world, check(*many), check(WRONG, key="other"))
    with world.store.read() as work:
        first = life.listed(work, at=world.clock(), most=4)
        rest = life.listed(work, at=world.clock(), after=first[-1].id, most=4)
    together = [each.subject for each in first + rest]

    assert (len(together), len(set(together))) == (6, 5)  # row 1 of two checks
    assert [each.check for each in only(world, severity="high")] == ["other"]
    assert {each.subject for each in only(world, check="stub", subject="row 3")} == {"row 3"}
    with world.store.read() as work:
        assert life.counts(work, at=world.clock()) == {("open", "low"): 5, ("open", "high"): 1}


def test_an_unknown_finding_is_not_found(sqlite_world):
    with sqlite_world.store.read() as work, pytest.raises(NotFound):
        life.one(work, "fnd_x", at=START)
