"""Audits hold the life of findings against its history, and that against audits and against what these committed to."""

from datetime import timedelta

import pytest

from consent.audit import handling, life
from consent.audit.checks import CHECKS
from consent.audit.findings import Check, Finding, Gap, Judged, Severity, Yielded
from consent.audit.run import run
from consent.register import proving
from tests.attacker import Attacker
from tests.builders import START

WRONG = Finding(check="stub", severity=Severity.HIGH, subject="row 1", why="it is wrong")
AUDITS = next(check for check in CHECKS if check.key == "audits")


@pytest.fixture
def attacker(world):
    """Return an attacker in a world where an audit binds its findings: one that has a signed checkpoint."""
    sign(world)
    made = Attacker(world)
    if world.dialect == "postgresql":
        made.do("ALTER TABLE finding_state DISABLE TRIGGER ALL")
    return made


def sign(world):
    with world.store.write() as work:
        proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())


def audit(world, *found, **how):
    """Run a check that finds this, and beside it nothing."""
    stub = Check(key="stub", title="A check for a test", function=lambda _: iter([Judged(1), *found]))
    world.clock.advance(minutes=1)
    return run(world.deployment, [stub], asked_by="cy", **how)


def seen(world):
    """Return what the check `audits` says of findings, with the finding's own id taken out."""
    report = run(world.deployment, [AUDITS], asked_by="cy")
    assert report.all_gaps == []
    names = {f"finding_state {number}" for number, subject in findings(world) if subject == "row 1"}
    assert {one.subject for one in report.all_findings} <= names | {"finding_state stub row 1"}
    assert {str(one.severity) for one in report.all_findings} <= {"critical"}
    return [one.why for one in report.all_findings]


def findings(world):
    return world.rows("SELECT id, subject FROM finding_state ORDER BY id")


def do(world, action, **how):
    [(finding, _)] = findings(world)
    with world.store.write() as work:
        return action(work, finding, actor="staff:cy", at=world.clock(), **how)


def assign(world, owner="anna"):
    return do(world, handling.assign, owner=owner)


def accept(world, days=7):
    return do(world, handling.accept, until=world.clock() + timedelta(days=days), reason="known")


def insert(attacker, finding, version, event, *, audit=""):
    attacker.do(
        "INSERT INTO finding_event (finding, version, at, actor, event, owner, until, reason, audit)"
        " SELECT finding, :version, at, actor, :event, owner, until, reason, :audit FROM finding_event"
        " WHERE finding = :finding AND version = 1",
        finding=finding, version=version, event=event, audit=audit,
    )  # fmt: skip


# -------------------------------------------------------------------------------------------- what it keeps quiet about


def test_a_whole_life_of_a_finding_raises_no_alarm(world, attacker):  # noqa: ARG001 -- it signs
    audit(world, WRONG)
    assign(world)
    assert seen(world) == []
    accept(world)
    audit(world, Finding(check="stub", severity=Severity.LOW, subject="row 1", why="less so"))
    assert seen(world) == []
    audit(world, WRONG, Finding(check="stub", severity=Severity.CRITICAL, subject="row 1", why="and worse"))
    accept(world, days=1)
    world.clock.advance(days=2)
    assert seen(world) == []
    accept(world)
    audit(world)
    assert seen(world) == []
    audit(world, WRONG, incremental=True)
    accept(world)
    audit(world, incremental=True)
    audit(world, at=START - timedelta(days=3))
    audit(world, Finding(check="stub", severity=Severity.LOW, subject="row 9", why="then"), at=START)
    assert seen(world) == []
    audit(world, Gap(check="stub", why="dark"))
    audit(world)

    [(finding, _)] = findings(world)
    with world.store.read() as work:
        steps = [step.event.value for step in life.history(work, finding)]
    assert steps == [
        "opened", "assigned", "accepted", "changed", "changed", "accepted", "lapsed", "accepted", "resolved",
        "reopened", "accepted", "resolved",
    ]  # fmt: skip
    assert seen(world) == []
    world.check_ledger()


def test_reruns_raise_no_alarm(world, attacker):  # noqa: ARG001 -- it signs
    broken: list[Yielded] = [WRONG]
    checks = [Check(key="stub", title="A check", function=lambda _: iter([Judged(1), *broken]))]
    run(world.deployment, checks, asked_by="cy")
    [(finding, _)] = findings(world)
    for _ in range(2):
        came = handling.resolve(world.deployment, checks, finding, actor="staff:cy").came
        assert (came, seen(world)) == ("still_there" if broken else "resolved", [])
        broken.clear()


def test_an_audit_that_the_ledger_takes_no_entry_of_resolves_nothing(world, attacker):
    audit(world, WRONG)
    [(frontier,)] = world.rows("SELECT frontier FROM ledger_head")
    attacker.do("UPDATE ledger_head SET frontier = :cut", cut=bytes(frontier)[:-1])
    report = audit(world)
    attacker.do("UPDATE ledger_head SET frontier = :whole", whole=bytes(frontier))

    assert (report.position, world.rows("SELECT state FROM finding_state")) == (-1, [("open",)])
    assert seen(world) == []
    audit(world)
    assert world.rows("SELECT state FROM finding_state") == [("resolved",)]
    assert seen(world) == []


# -------------------------------------------------------------------------------------------------------- what it finds


@pytest.mark.parametrize(
    ("tampering", "why"),
    [
        ("UPDATE finding_state SET state = 'resolved'", "its state does not follow from what was done about it"),
        (
            "UPDATE finding_state SET state = 'accepted', accepted_until = opened_at",
            "its state, accepted_until does not",
        ),
        ("UPDATE finding_state SET owner = 'otto'", "its owner does not follow"),
        ("UPDATE finding_state SET opened_at = opened_at - 1000", "its opened_at does not follow"),
        ("UPDATE finding_state SET severity = 'low'", "its severity or its reason is not what the audit of entry"),
        ("UPDATE finding_state SET why = 'it is fine'", "its severity or its reason is not what the audit of entry"),
        ("UPDATE finding_state SET version = 2", "its history should have the steps 1 to 2, and has 1"),
        ("DELETE FROM finding_event", "its history should have the steps 1 to 1, and has 0"),
        ("UPDATE finding_event SET audit = 'aud_x'", "it is opened by audit aud_x, which is not there"),
    ],
)
def test_a_finding_that_was_changed_by_hand_is_found(world, attacker, tampering, why):
    audit(world, WRONG)
    assert seen(world) == []
    attacker.do(tampering)
    [told] = seen(world)
    assert told.startswith(why)


def test_a_finding_that_was_removed_is_found(world, attacker):
    audit(world, WRONG)
    [(finding, _)] = findings(world)
    attacker.do("DELETE FROM finding_state")
    report = run(world.deployment, [AUDITS], asked_by="cy")
    told = {(one.subject, one.why.split("entry")[0]) for one in report.all_findings}
    assert told == {
        ("finding_state stub row 1", "the audit of "),
        (f"finding_state {finding}", "it has a history, and no row of finding_state is there"),
    }


def test_a_resolution_by_hand_with_a_history_is_found_where_no_audit_passed_over_it(world, attacker):
    found = audit(world, WRONG)
    [(finding, _)] = findings(world)
    dark = audit(world, Gap(check="stub", why="dark"))
    earlier = audit(world, Finding(check="stub", severity=Severity.LOW, subject="row 2", why="so"), incremental=True)
    audit(world, WRONG, Finding(check="stub", severity=Severity.LOW, subject="row 2", why="so"))
    attacker.do(
        "INSERT INTO audit_run (id, started_at, ended_at, status, asked_by, report, position)"
        " SELECT 'aud_x', started_at, ended_at, 'could_not_check', asked_by, '{}', -1 FROM audit_run WHERE id = :id",
        id=found.audit,
    )
    insert(attacker, finding, 2, "resolved", audit="aud_x")
    attacker.do("UPDATE finding_state SET state = 'resolved', version = 2 WHERE id = :id", id=finding)
    assert seen(world) == ["it is resolved by audit aud_x, which the ledger knows nothing of"]
    for each, why in (
        (found.audit, "in which its check did not pass over it"),
        (dark.audit, "in which its check did not pass over it"),
        (earlier.audit, "in which its check did not pass over it"),
    ):
        attacker.do("UPDATE finding_event SET audit = :audit WHERE version = 2", audit=each)
        assert seen(world) == [f"it is resolved by audit {each}, {why}"]


def test_a_resolution_by_an_audit_before_the_one_that_found_it_again_is_found(world, attacker):
    audit(world, WRONG)
    [(finding, _)] = findings(world)
    resolving = audit(world)
    again = audit(world, WRONG)
    attacker.do("DELETE FROM finding_event WHERE version = 3")
    change = "UPDATE finding_state SET state = 'resolved', version = 2, audit = :audit WHERE id = :id"
    attacker.do(change, audit=resolving.audit, id=finding)

    why = f"the audit of entry {again.position} found it, and it is said not to have been judged since"
    assert seen(world) == [why]


def test_what_people_did_is_what_the_next_audit_committed_to(world, attacker):
    audit(world, WRONG)
    [(finding, _)] = findings(world)
    assign(world)
    accept(world)
    committed = audit(world, WRONG)
    why = f"what was done about it, up to its version 3, is not what entry {committed.position} committed to"
    assert seen(world) == []

    attacker.do("UPDATE finding_event SET until = until + 86400000 WHERE version = 3 AND finding = :id", id=finding)
    attacker.do("UPDATE finding_state SET accepted_until = accepted_until + 86400000 WHERE id = :id", id=finding)
    assert seen(world) == [why]
    attacker.do("UPDATE finding_event SET until = until - 86400000 WHERE version = 3 AND finding = :id", id=finding)
    attacker.do("UPDATE finding_state SET accepted_until = accepted_until - 86400000 WHERE id = :id", id=finding)
    assert seen(world) == []
    for column, value, before in (("reason", "as agreed", "known"), ("actor", "staff:otto", "staff:cy")):
        change = f"UPDATE finding_event SET {column} = :value WHERE version = 3 AND finding = :id"  # noqa: S608 -- words of this test
        attacker.do(change, value=value, id=finding)
        assert seen(world) == [why]
        attacker.do(change, value=before, id=finding)
    attacker.do("DELETE FROM finding_event WHERE version = 3 AND finding = :id", id=finding)
    back = "UPDATE finding_state SET state = 'assigned', accepted_until = NULL, version = 2 WHERE id = :id"
    attacker.do(back, id=finding)
    assert seen(world) == [why]


def test_a_finding_that_was_reworded_is_found_by_its_report(world, attacker):
    audit_ = audit(world, WRONG).audit
    attacker.do("UPDATE finding SET why = 'it is well' WHERE audit = :it", it=audit_)
    report = run(world.deployment, [AUDITS], asked_by="cy")
    why = "its findings are not those of its report"
    assert [(one.subject, one.why) for one in report.all_findings] == [(f"audit_run {audit_}", why)]


def test_an_audit_that_was_made_up_is_found_whichever_entry_it_names(world, attacker):
    """Fault 9: an audit that the ledger took no entry of never counts as passed."""
    audit(world, WRONG)
    [(real, position)] = world.rows("SELECT id, position FROM audit_run WHERE position >= 0")
    for made_up, place in (("aud_other", position), ("aud_nowhere", -1)):
        attacker.do(
            "INSERT INTO audit_run (id, started_at, ended_at, status, asked_by, report, position)"
            " SELECT :new, started_at, ended_at, 'passed', asked_by, report, :place FROM audit_run WHERE id = :real",
            new=made_up, place=place, real=real,
        )  # fmt: skip
    report = run(world.deployment, [AUDITS], asked_by="cy")

    assert {(one.subject, one.why) for one in report.all_findings} == {
        ("audit_run aud_other", f"it is said to stand in entry {position}, which tells of another audit"),
        ("audit_run aud_nowhere", "it is said to have passed, and the ledger knows nothing of it"),
    }
