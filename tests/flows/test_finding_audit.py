"""Audits of findings: how one stands, and what became of it, is held against its history and against the audits."""

from datetime import timedelta

import pytest

from consent.audit import checks, handling, life
from consent.audit import run as audits
from consent.audit.findings import Check, Evidence, Finding, Judged, Severity
from consent.audit.judging import judged
from consent.audit.life import Filter

WRONG = Finding(check="stub", severity=Severity.HIGH, subject="row 1", why="it is wrong")
CHECKS = [check for check in checks.CHECKS if check.key in {"findings", "audits"}]
INSERT = (
    "INSERT INTO finding_event (finding, version, at, actor, event, owner, until, reason, audit) "
    "VALUES (:it, :version, 0, 'cy', :event, '', NULL, '', :audit)"
)


def check(*found):
    return Check(key="stub", title="A check for a test", function=lambda _: iter([Judged(1), *found]))


def audit(world, *found):
    report = audits.run(world.deployment, [check(*found)], asked_by="cy")
    world.clock.advance(hours=1)
    return report


def audited(world):
    """Return what the two checks came upon: (check, subject, why)."""
    went = judged(CHECKS, Evidence(store=world.store, desk=world.deployment.desk, at=world.clock()), world.clock)
    assert not [gap for each in went for gap in each.gaps]
    return [(one.check, one.subject, one.why) for each in went for one in each.findings]


def the_one(world):
    with world.store.read() as work:
        [found] = life.listed(work, Filter(), at=world.clock())
    return found


def do(world, action, **how):
    with world.store.write() as work:
        action(work, the_one(world).id, actor="staff:cy", at=world.clock(), **how)
    world.clock.advance(hours=1)


@pytest.fixture
def found(world):
    """Return a world with one finding, that was found twice and belongs to somebody."""
    audit(world, WRONG)
    do(world, handling.assign, owner="mia")
    audit(world, WRONG)
    assert audited(world) == []
    return world


def test_a_finding_with_a_long_history_is_in_order(found):
    graver = Finding(check="stub", severity=Severity.CRITICAL, subject="row 1", why="and worse")
    do(found, handling.accept, until=found.clock() + timedelta(days=9), reason="it can wait")
    assert audited(found) == []
    audit(found, graver, WRONG)  # an acceptance ends where what was accepted weighs more
    assert (the_one(found).state, audited(found)) == ("assigned", [])
    do(found, handling.accept, until=found.clock() + timedelta(hours=3), reason="it can wait")
    found.clock.advance(days=1)
    audit(found, graver)  # it had lapsed
    assert audited(found) == []
    audit(found)
    assert (the_one(found).state, audited(found)) == ("resolved", [])
    audit(found, WRONG)
    handling.resolve(found.deployment, [check(WRONG)], the_one(found).id, actor="cy")
    assert (the_one(found).state, audited(found)) == ("assigned", [])
    handling.resolve(found.deployment, [check()], the_one(found).id, actor="cy")
    assert (the_one(found).state, audited(found)) == ("resolved", [])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("state = 'resolved'", "state is resolved, and by its history assigned"),
        ("state = 'accepted', accepted_until = 99999999999999", "state is accepted, and by its history assigned"),
        ("owner = 'nobody'", "owner is nobody, and by its history mia"),
        ("severity = 'low'", "severity is not what the last audit found"),
        ("why = 'nothing much'", "why is not what the last audit found"),
        ("version = 1", "its history has the steps 1, 2, and its row is of version 1"),
        ("opened_at = 0", "opened_at is 1970-01-01T00:00:00+00:00, and by its history "),
    ],
)
def test_a_finding_that_stands_otherwise_than_its_history_says_is_found(found, change, why):
    found.tamper(f"UPDATE finding_state SET {change}")  # noqa: S608 -- a change from above

    [(name, subject, said), *_] = audited(found)
    assert (name, subject) == ("findings", f"finding {the_one(found).id}")
    assert said.startswith(why)


def test_a_longer_acceptance_than_was_given_is_found(found):
    until = found.clock() + timedelta(days=9)
    do(found, handling.accept, until=until, reason="it can wait")
    found.tamper("UPDATE finding_state SET accepted_until = accepted_until + 86400000")

    [(_, _, why)] = audited(found)
    assert why == f"accepted_until is {(until + timedelta(days=1)).isoformat()}, and by its history {until.isoformat()}"


def test_who_resolves_a_finding_by_hand_has_no_audit_for_it(found):
    it, last = the_one(found).id, the_one(found).audit
    for version, event, by in ((3, "resolved", last), (4, "reopened", "aud_none")):
        found.tamper(INSERT, it=it, version=version, event=event, audit=by)
    found.tamper("UPDATE finding_state SET version = 4")

    assert [why for _, _, why in audited(found)] == [
        "step 3 says that it was resolved, and the audit it names did not pass it",
        "step 4 says that it was reopened, and its audit is not there",
    ]


def test_an_audit_that_passed_before_it_was_found_resolves_nothing(world):
    before = audit(world)
    audit(world, WRONG)
    world.tamper(INSERT, it=the_one(world).id, version=2, event="resolved", audit=before.audit)
    world.tamper("UPDATE finding_state SET version = 2, state = 'resolved'")

    assert [why for _, _, why in audited(world)] == [
        "step 2 says that it was resolved, and the audit it names came before it was found"
    ]


def test_a_finding_that_nobody_found_is_found(found):
    clean = audit(found).audit
    found.tamper(
        "INSERT INTO finding_state "
        "SELECT 'fnd_made_up', 'stub', 'row 2', severity, why, 'open', '', NULL, 0, 0, :clean, 1 FROM finding_state",
        clean=clean,
    )
    found.tamper(INSERT, it="fnd_made_up", version=1, event="opened", audit=clean)

    assert [(subject, why) for _, subject, why in audited(found)] == [
        ("finding fnd_made_up", "step 1 says that it was opened, and the audit it names did not find it"),
        ("finding fnd_made_up", "it stands, and the audit that its row names as the last that found it did not"),
    ]


def test_a_step_that_there_is_none_of_is_found(found):
    found.tamper(INSERT, it=the_one(found).id, version=3, event="forgiven", audit="")
    found.tamper("UPDATE finding_state SET version = 3")
    assert [why for _, _, why in audited(found)] == ["step 3 of its history is none that there is"]


def test_a_finding_that_was_reworded_is_found_by_its_report(found):
    audit_ = the_one(found).audit
    found.tamper("UPDATE finding SET why = 'it is well' WHERE audit = :it", it=audit_)
    assert audited(found) == [("audits", f"audit_run {audit_}", "its findings are not those of its report")]
