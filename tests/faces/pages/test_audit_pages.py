"""The compliance officer's pages: passed, findings, could not check and never run are four different things."""

from datetime import timedelta

import pytest

from api.checks import CHECKS
from api.jobs import audits as worker_audits
from api.pages import audit as pages
from api.roles import Role
from api.wiring import HEARTBEAT
from consent import jobs
from consent.audit import run as audits
from consent.audit.findings import Check, Finding, Gap, Judged, Severity
from consent.register import alarms as ledger_alarms
from consent.register import proving
from consent.register.alarms import AlarmKind
from tests.faces.pages.conftest import house_of


@pytest.fixture
def world(sqlite_world):
    # What an anchor holds: without a checkpoint an audit has a gap.
    with sqlite_world.store.write() as work:
        proving.sign_checkpoint(sqlite_world.deployment.desk, work, at=sqlite_world.clock())
    return sqlite_world


@pytest.fixture
def officer(staff):
    return staff(Role.OFFICER)


def marks(page):
    """Every mark of a page, as word and shape, in order."""
    return [(each.text, each.attrs["class"].split()[-1]) for each in page.main.all("span", class_="state")]


def judged(*found):
    def function(_evidence):
        yield Judged(1)
        yield from found

    return Check(key="made-up", title="A made-up check", function=function)


BROKEN = Finding(check="made-up", severity=Severity.HIGH, subject="cus_x", why="it is wrong")
UNKNOWN = Gap(check="made-up", why="it could not be read")


def audit(world, *checks):
    return audits.run(world.deployment, checks, asked_by="staff:cy")


def test_before_the_first_audit_nothing_looks_as_if_it_had_passed(officer):
    page = officer.open("/audit")
    assert marks(page) == [("Never run", "state-never")] * (1 + len(CHECKS))
    assert page.main.one("p", class_="lead").text == (
        "No audit has ended yet, so nothing is known: that is not the same as passed."
    )


def test_an_audit_is_run_and_its_report_shown(world, officer):
    page = officer.press(officer.open("/audit"), "Run an audit of 2 customers now")
    passed = marks(page).count(("Passed", "state-passed")) - 1  # the first is the audit's own
    assert (page.heading, page.main.one("p", class_="lead").text) == (
        "Audit of 21 November 2026, 10:00 UTC",
        f"{passed} checks passed. {len(CHECKS) - passed} checks had nothing to judge yet.",
    )
    assert marks(page)[0] == ("Passed", "state-passed")
    assert set(marks(page)) == {("Passed", "state-passed"), ("Nothing to judge", "state-never")}
    assert len(marks(page)) == 1 + len(CHECKS)
    [(asked_by,)] = world.rows("SELECT asked_by FROM audit_run")
    assert asked_by == "staff:pat"
    overview = officer.open("/audit")
    assert set(marks(overview)) == set(marks(page))
    last = world.rows("SELECT max(seq) - 1 FROM ledger_entry")[0][0]
    said = f"The ledger was verified up to entry {last}, byte by byte, on 21 November 2026, 10:00 UTC."
    assert said in overview.main.text
    world.check_ledger()


def test_the_newest_checkpoint_is_shown_as_it_was_signed(world, officer):
    with world.store.read() as work:
        note = proving.newest_checkpoint(work)
    assert "".join(officer.open("/audit").main.one("pre")._texts()) == note


def test_a_byte_that_was_changed_is_found_and_named(world, officer):
    world.tamper("DROP TRIGGER IF EXISTS ledger_entry_no_update")
    for (name,) in world.rows("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'ledger_entry'"):
        world.tamper(f"DROP TRIGGER {name}")
    world.tamper("UPDATE ledger_entry SET leaf = zeroblob(32) WHERE seq = 1")
    page = officer.press(officer.open("/audit"), "Run an audit of 2 customers now")
    assert marks(page)[0] == ("Findings", "state-findings")
    assert "ledger" in [each.text for each in page.main.one("section", aria_labelledby="findings").all("code")]
    overview = officer.open("/audit")
    assert marks(overview)[:2] == [("Findings", "state-findings")] * 2
    assert "The ledger was verified" not in overview.main.text


def test_findings_and_gaps_have_their_own_places_and_shapes(world, officer):
    number = audit(world, judged(BROKEN, UNKNOWN)).audit
    page = officer.open(f"/audit/audits/{number}")
    assert page.main.one("p", class_="lead").text == (
        "1 finding: what is named below is not as it has to be. 1 thing could not be checked."
    )
    assert marks(page) == [
        ("Findings", "state-findings"), ("Could not check", "state-gap"), ("High", "state-findings"),
        ("Findings", "state-findings"),
    ]  # fmt: skip
    assert page.main.one("section", aria_labelledby="findings").one("li").text == (
        "it is wrong High made-up on cus_x. Now: Open"
    )


def test_what_could_not_be_checked_has_not_passed(world, officer):
    audit(world, judged(UNKNOWN))
    page = officer.open("/audit")
    assert marks(page)[0] == ("Could not check", "state-gap")
    assert page.main.one("p", class_="lead").text.startswith(
        "Nothing was found broken, but 1 thing could not be checked: it has not passed."
    )
    # Checks that the last audit did not run have not passed either.
    assert set(marks(page)[1:-1]) == {("Never run", "state-never")}


def test_an_audit_that_broke_off_is_no_result(world, officer, staff):
    audit(world, judged())
    world.clock.advance(minutes=1)
    started = world.clock()
    world.tamper(
        "INSERT INTO audit_run (id, started_at, status, asked_by, report, position) "
        "VALUES ('aud_killed', :at, 'running', 'worker', '', -1)",
        at=int(started.timestamp() * 1000),
    )
    running = officer.open("/audit")
    assert ("Running", "state-running") in marks(running)
    assert running.buttons() == []
    world.clock.set(started + timedelta(hours=2))
    page = staff(Role.OFFICER).open("/audit")
    assert ("Broke off: could not check", "state-gap") in marks(page)
    assert page.main.one("div", class_="note-warn").text == (
        "The audit of 21 November 2026, 10:01 UTC broke off. Nothing follows from it."
    )
    assert page.buttons() == ["Run an audit of 2 customers now"]


def test_what_did_not_happen_in_its_time_is_said_on_top(world, staff):
    with world.store.write() as work:
        jobs.beat(work, HEARTBEAT, "a worker", at=world.clock())
    audit(world, judged())
    world.clock.advance(hours=2)
    page = staff(Role.OFFICER).open("/audit")
    assert [note.one("h2").text for note in page.main.all("div", role="alert")] == [
        "The worker is silent", "An audit is overdue",
    ]  # fmt: skip
    assert page.main.all("div", role="alert")[0].one("p").text == (
        "No worker since 2026-11-21T10:00:00.000Z: audits, checkpoints and runs wait; start one. "
        "Since 21 November 2026, 10:00 UTC, 2 hours ago."
    )


def test_what_the_witness_contradicts_is_said_before_all_else(world, officer):
    alarm = ledger_alarms.alarm(
        AlarmKind.ROLLED_BACK, log=1, size=3, note="", why="the log has 3 entries, and the witness knows 5",
        at=world.clock(),
    )  # fmt: skip
    with world.store.write() as work:
        ledger_alarms.raised(work, alarm)
    first = officer.open("/audit").main.all("div", role="alert")[0]
    assert first.text == (
        "Signed entries are gone from the ledger The log has 3 entries, and the witness knows 5. "
        "Noticed 21 November 2026, 10:00 UTC, just now."
    )


def test_the_first_thing_that_is_wrong_is_named_and_a_broken_proof_before_all_else(world, officer):
    graver = Finding(check="made-up", severity=Severity.CRITICAL, subject="row_2", why="it is worse")
    audit(world, judged(BROKEN, graver))
    page = officer.open("/audit")
    named = [note.text for note in page.main.all("div", class_="note-bad") if "role" not in note.attrs]
    assert named == ["The first thing that is wrong row_2: it is worse"]
    broken = Finding(check="ledger", severity=Severity.CRITICAL, subject="ledger_entry 7", why="its bytes do not hash")
    world.clock.advance(minutes=1)
    audit(world, judged(graver, broken))
    page = officer.open("/audit")
    named = [note.text for note in page.main.all("div", class_="note-bad") if "role" not in note.attrs]
    assert named == ["The first thing that is wrong ledger entry 7: its bytes do not hash"]


def test_an_audit_of_many_customers_is_the_workers(world, officer, monkeypatch):
    monkeypatch.setattr(pages, "AT_ONCE", 1)
    page = officer.press(officer.open("/audit"), "Have the worker audit 2 customers now")
    assert (page.path, page.buttons()) == ("/audit", [])
    [told] = [note.text for note in page.main.all("div", class_="note") if "role" not in note.attrs]
    assert told == (
        "An audit was asked for just now The worker starts it as soon as it can. No worker has been seen yet. Runs and "
        "audits wait until one is started: byleave worker Reload"
    )
    token = page.form("Sign out").fields["csrf_token"]
    officer.send("/audit/run", {"csrf_token": token})  # asked twice: one audit
    worker_audits.asked(house_of(world), "a worker")
    worker_audits.asked(house_of(world), "a worker")
    assert world.rows("SELECT status, asked_by FROM audit_run") == [("passed", "staff:pat")]
    assert marks(officer.open("/audit"))[0] == ("Passed", "state-passed")


def test_an_unknown_audit_is_not_found(officer):
    assert officer.open("/audit/audits/aud_x").status == 404
