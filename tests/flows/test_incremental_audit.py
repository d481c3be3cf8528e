"""An incremental audit goes on from where each check passed; a full one believes nothing of that, and finds all."""

import pytest

from consent.audit import marks
from consent.audit.checks import CHECKS
from consent.audit.findings import Check, Finding, Gap, Judged, Severity
from consent.audit.run import run
from consent.base.errors import NotFound
from consent.register import proving
from tests.attacker import Attacker, other_commitment

KEEP, USE, NEWS = "remember:browsing", "use:browsing:recommendations", "contact:email:newsletter"
WALKING = {"notices", "keys", "standing", "expiry", "kept_without_use"}
INCREMENTAL = {*WALKING, "ledger", "checkpoints", "clock", "snapshot"}


def sign(world):
    with world.store.write() as work:
        proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())


def audit(world, *, incremental=True, checks=CHECKS, **how):
    return run(world.deployment, checks, asked_by="cy", incremental=incremental, **how)


def went(report):
    """Return of each check: how many things it judged, and from which position on."""
    return {each.check: (each.checked, each.since) for each in report.checks}


def found(report):
    """Return what an audit found, beside that somebody had taken the guards off to get there."""
    return sorted((one.check, one.subject) for one in report.all_findings if one.check != "guards")


def marked(world):
    rows = world.rows('SELECT "check", log, size, audit, position FROM audit_mark ORDER BY "check"')
    return {check: (log, size, audit, position) for check, log, size, audit, position in rows}


@pytest.fixture
def passed(world):
    """Return the full audit that a world with Ann, Bo and 30 others has passed."""
    customers = world.enrol(*(f"C{number:02}" for number in range(30)))
    world.say(*(world.statement(each, "grant", KEEP, USE) for each in customers))
    sign(world)
    report = audit(world, incremental=False)
    assert (report.status, report.all_findings, report.all_gaps) == ("passed", [], [])
    return report


# ------------------------------------------------------------------------------------------------------------- marks


def test_an_audit_marks_how_far_the_checks_that_it_passed_have_got(world, passed):
    size = passed.position  # the entry about the audit is the first that no check has seen

    assert marked(world) == dict.fromkeys(sorted(INCREMENTAL), (1, size, passed.audit, size))
    with world.store.read() as work:
        believed = marks.believed(world.deployment.desk, work, CHECKS)
        anchor = marks.anchored(world.deployment.desk, work)
    assert believed == dict.fromkeys(INCREMENTAL, anchor)
    assert anchor is not None
    assert (anchor.log, anchor.size, anchor.position) == (1, size, size)


def test_a_check_that_did_not_pass_leaves_no_mark(sqlite_world):
    def fails(_):
        yield Finding(check="fails", severity=Severity.LOW, subject="x", why="y")

    def breaks(_):
        yield Gap(check="breaks", why="dark")

    checks = [
        Check(key=key, title="for a test", function=function, incremental=incremental)
        for key, function, incremental in (
            ("fails", fails, True), ("breaks", breaks, True),
            ("passes", lambda _: iter([Judged(1)]), True), ("full", lambda _: iter([Judged(1)]), False),
        )
    ]  # fmt: skip
    sign(sqlite_world)
    audit(sqlite_world, checks=checks)

    assert list(marked(sqlite_world)) == ["passes"]


def test_without_a_checkpoint_there_is_nothing_that_a_mark_could_be_bound_to(sqlite_world):
    audit(sqlite_world)

    assert marked(sqlite_world) == {}


def test_an_audit_of_the_past_moves_no_mark(world, passed):
    before = marked(world)
    world.clock.advance(days=1)
    world.grant(world.bo, KEEP)
    sign(world)
    run(world.deployment, CHECKS, asked_by="cy", at=passed_at(world, passed))

    assert marked(world) == before


def passed_at(world, report):
    [(at,)] = world.rows("SELECT started_at FROM audit_run WHERE id = :id", id=report.audit)
    return world.clock.at.fromtimestamp(at / 1000, tz=world.clock.at.tzinfo)


# ----------------------------------------------------------------------------------------------- what is looked at


def test_an_incremental_audit_looks_at_new_entries_and_at_those_who_spoke(world, passed):
    world.clock.advance(hours=1)
    world.grant(world.bo, KEEP, USE)
    world.grant(world.bo, NEWS)
    [new] = world.enrol("NEW")
    world.grant(new, KEEP)
    sign(world)
    mark, size = passed.position, world.size()

    report = audit(world)

    assert (report.status, report.all_findings, report.all_gaps) == ("passed", [], [])
    judged = {check: went(report)[check] for check in (*WALKING, "ledger", "clock")}
    assert judged.pop("ledger") == (size, mark)  # a chunk is the least that is read
    assert judged.pop("clock") == (size - mark + 2, mark)  # the last that was seen, and two clocks
    assert judged.pop("notices")[1] == judged.pop("keys")[1] == judged.pop("kept_without_use")[1] == mark
    assert judged == {"standing": (2, mark), "expiry": (2, mark)}
    assert {position for *_, position in marked(world).values()} == {report.position}
    world.check_ledger()


def test_the_first_incremental_audit_is_a_full_one(world):
    sign(world)
    report = audit(world)

    assert report.status == "passed"
    assert {since for _, since in went(report).values()} == {0}


def test_an_incremental_audit_in_which_nothing_is_new_has_still_judged_something(world, passed):
    report = audit(world)

    assert (report.status, went(report)["standing"]) == ("passed", (0, passed.position))


@pytest.mark.usefixtures("passed")
def test_a_forged_row_of_somebody_who_spoke_is_found_at_once(world):
    world.grant(world.bo, KEEP)
    world.tamper("UPDATE standing SET counter = 7 WHERE customer = :bo", bo=world.bo)

    assert found(audit(world)) == [("standing", world.bo)]


@pytest.mark.usefixtures("passed")
def test_what_happened_to_somebody_who_has_not_spoken_is_left_to_the_next_full_audit(world):
    world.grant(world.bo, KEEP)
    world.tamper("UPDATE standing SET counter = 7 WHERE customer = :ann", ann=world.ann)

    assert found(audit(world)) == []
    assert found(audit(world, incremental=False)) == [("standing", world.ann)]


def test_who_speaks_often_is_looked_at_once(world, passed, monkeypatch):
    monkeypatch.setattr("consent.audit.pages._ENTRIES", 3)
    for _ in range(8):
        world.grant(world.bo, KEEP)
        world.grant(world.ann, KEEP)

    assert went(audit(world))["standing"] == (2, passed.position)


def test_a_check_without_a_mark_is_run_in_full_beside_the_others(world, passed):
    world.tamper("""DELETE FROM audit_mark WHERE "check" = 'standing'""")
    report = went(audit(world))

    assert (report["standing"], report["ledger"][1]) == ((32, 0), passed.position)


@pytest.mark.usefixtures("passed")
def test_a_changed_entry_behind_the_mark_is_found(world):
    world.grant(world.bo, KEEP)
    attacker = Attacker(world)
    seq = world.size() - 1
    attacker.rewrite(seq, other_commitment(attacker.body(seq)))

    assert ("ledger", f"ledger_entry {seq}") in found(audit(world))


def test_a_tree_that_no_longer_begins_as_it_was_signed_is_found(world, passed):
    attacker = Attacker(world)
    attacker.rewrite(3, other_commitment(attacker.body(3)), leaf=True)
    attacker.regrow()

    assert ("checkpoints", f"ledger_checkpoint {passed.position}") in found(audit(world))


def test_another_catalogue_in_force_has_what_is_judged_by_it_judged_anew(world):
    world.remember(world.ann, visits_past_month=3)
    sign(world)
    first = audit(world)
    with world.store.read() as work:
        body = world.deployment.desk.catalogues.current(work).body
    begins = body.index(f'[[scope]]\nscope = "{KEEP}"')
    world.publish(body[:begins] + body[body.index("[[scope]]", begins + 1) :])
    sign(world)
    second = audit(world)

    assert [(one.check, one.subject) for one in second.all_findings] == [("kept_without_use", "browsing")]
    assert went(second)["kept_without_use"] == (1, 0)
    assert went(second)["ledger"][1] == first.position


# -------------------------------------------------------------------------------------------------------- forged marks


def forged(world, **changes):
    """Put a mark in the place of the check `standing`'s, and return what a full audit and an incremental one say."""
    attacker = Attacker(world)
    for column, value in changes.items():
        statement = f"""UPDATE audit_mark SET {column} = :value WHERE "check" = 'standing'"""  # noqa: S608 -- a column from below
        attacker.do(statement, value=value)


def test_a_forged_mark_is_named_by_the_next_full_audit_which_finds_what_it_was_to_hide(world, passed):
    """The attacker moves the mark behind a customer's words, under a checkpoint that was really signed."""
    world.grant(world.bo, KEEP)
    sign(world)
    world.tamper("UPDATE standing SET counter = 7 WHERE customer = :bo", bo=world.bo)
    with world.store.read() as work:
        anchor = marks.anchored(world.deployment.desk, work)
    assert anchor is not None
    forged(world, size=anchor.size, root=anchor.root)

    full = audit(world, incremental=False)
    why = f"entry {passed.position} tells of another audit, or of another checkpoint"
    assert found(full) == [("marks", "audit_mark standing 1"), ("standing", world.bo)]
    assert [one.why for one in full.all_findings if one.check == "marks"] == [why]


@pytest.mark.usefixtures("passed")
def test_a_forged_mark_is_not_gone_on_from(world):
    world.grant(world.bo, KEEP)
    sign(world)
    world.tamper("UPDATE standing SET counter = 7 WHERE customer = :bo", bo=world.bo)
    with world.store.read() as work:
        anchor = marks.anchored(world.deployment.desk, work)
    assert anchor is not None
    forged(world, size=anchor.size, root=anchor.root)

    report = audit(world)
    assert found(report) == [("marks", "audit_mark standing 1"), ("standing", world.bo)]
    assert went(report)["standing"] == (32, 0)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"size": 3}, "no checkpoint at size 3 signs its root"),
        ({"root": bytes(32)}, "no checkpoint at size {size} signs its root"),
        ({"position": 2}, "entry 2 tells of another audit, or of another checkpoint"),
        ({"position": 10**9}, "entry 1000000000, which should tell of its audit, can't be read: No such entry"),
    ],
)
@pytest.mark.usefixtures("passed")
def test_every_column_of_a_mark_is_held_against_what_was_signed_and_sealed(world, changes, why):
    forged(world, **changes)
    [(size,)] = world.rows("""SELECT size FROM audit_mark WHERE "check" = 'ledger'""")

    [finding] = audit(world, incremental=False, only=["marks"]).all_findings
    assert (finding.severity, finding.why) == ("critical", why.format(size=size))


@pytest.mark.usefixtures("passed")
def test_a_mark_of_a_check_that_its_audit_did_not_pass_is_named(world):
    """As if the mark of another check had been copied."""
    world.tamper(
        """INSERT INTO audit_mark SELECT 'uses', log, size, root, at, audit, position FROM audit_mark
        WHERE "check" = 'standing'"""
    )

    [finding] = audit(world, incremental=False, only=["marks"]).all_findings
    assert (finding.subject, finding.why) == ("audit_mark uses 1", "its audit did not pass uses")


# --------------------------------------------------------------------------------------------------------- some checks


def test_only_the_checks_asked_for_are_run_and_marked(world):
    sign(world)
    report = audit(world, only=["standing", "uses"])

    assert ([each.check for each in report.checks], list(marked(world))) == (["standing", "uses"], ["standing"])


def test_a_check_that_does_not_exist_is_refused_before_anything_is_written(sqlite_world):
    with pytest.raises(NotFound) as refused:
        audit(sqlite_world, only=["standing", "weather"])

    assert refused.value.detail.startswith("'weather' is no check; there are ledger, ")
    assert sqlite_world.rows("SELECT count(*) FROM audit_run") == [(0,)]


@pytest.mark.usefixtures("passed")
def test_an_incremental_audit_resolves_no_finding(world):
    world.grant(world.bo, KEEP)
    [(counter,)] = world.rows("SELECT counter FROM standing WHERE customer = :bo", bo=world.bo)
    world.tamper("UPDATE standing SET counter = 7 WHERE customer = :bo", bo=world.bo)
    audit(world)
    world.tamper("UPDATE standing SET counter = :counter WHERE customer = :bo", counter=counter, bo=world.bo)
    states = []
    for incremental in (True, False):
        audit(world, incremental=incremental)
        states += world.rows("SELECT state FROM finding_state WHERE subject = :bo", bo=world.bo)

    assert states == [("open",), ("resolved",)]
