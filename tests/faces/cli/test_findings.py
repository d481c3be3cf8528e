"""`finding`, `audit schedule`, `audit pack` and `report make`: what an officer does at the shell."""

import json
import sqlite3
import stat
import subprocess
import sys
import zipfile
from io import BytesIO

import pytest
from pypdf import PdfReader

from api.checks import CHECKS
from api.explained import EXPLAINED, explained
from consent.audit.findings import Check
from tests.faces.cli.conftest import HOME, SOMEBODY, Shell

FINDING = ["finding", "check", "subject", "severity", "why", "state", "owner", "accepted_until", "opened_at", "seen_at",
           "audit", "version"]  # fmt: skip
FORGE = "UPDATE standing SET counter = counter + 1 WHERE customer = (SELECT min(customer) FROM standing)"
UNFORGE = FORGE.replace("+ 1", "- 1")


def tamper(shell: Shell, statement: str) -> None:
    connection = sqlite3.connect(shell.database)
    with connection:
        connection.execute(statement)
    connection.close()


@pytest.fixture
def broken(shell: Shell) -> Shell:
    """Return a shell whose deployment has one finding."""
    tamper(shell, FORGE)
    assert shell("audit", "run", "--check", "standing").code == 1
    return shell


def only(shell: Shell, *options: str) -> dict[str, object]:
    [found] = shell("finding", "list", "--json", *options).json["data"]
    return dict(found)


def test_findings_are_listed_with_stable_keys_and_a_code(broken: Shell):
    ran = broken("finding", "list", "--json")
    assert (ran.code, list(ran.json), list(ran.json["data"][0])) == (1, ["data", "next_cursor"], FINDING)
    assert (ran.json["data"][0]["check"], ran.json["data"][0]["state"], ran.json["next_cursor"]) == (
        "standing",
        "open",
        None,
    )
    assert broken("finding", "list", "--check", "uses").out == "No such finding. Audits find them: byleave audit run\n"


def test_a_finding_is_assigned_accepted_and_resolved_by_a_rerun(broken: Shell):
    identity = str(only(broken)["finding"])
    assert broken("finding", "assign", identity, "anna", "--json").json["state"] == "assigned"
    far = broken("finding", "accept", identity, "--until", "2001-01-01T00:00:00Z", "--reason", "because")
    assert (far.code, "within a year" in far.err) == (2, True)
    still = broken("finding", "resolve", identity, "--json")
    assert (still.code, still.json["came"], still.json["state"]) == (1, "still_there", "assigned")
    tamper(broken, UNFORGE)
    gone = broken("finding", "resolve", identity)
    assert (gone.code, gone.out.partition(":")[0]) == (0, "Resolved")
    assert (broken("finding", "list").code, only(broken, "--state", "resolved")["owner"]) == (0, "anna")
    events = [each["event"] for each in broken("finding", "show", identity, "--json").json["history"]]
    assert events == ["opened", "assigned", "rerun", "resolved"]
    assert broken("finding", "show", "fnd_x").code == 2


def test_an_accepted_finding_says_until_when(broken: Shell):
    identity = str(only(broken)["finding"])
    soon = broken("doctor", "--json")  # any command: the clock is the machine's
    assert soon.code in (0, 1, 3)
    until = subprocess.run(
        ["date", "-u", "-d", "+10 days", "+%Y-%m-%dT%H:%M:%SZ"], capture_output=True, text=True, check=True
    )
    ran = broken("finding", "accept", identity, "--until", until.stdout.strip(), "--reason", "fixed by then", "--json")
    assert (ran.code, ran.json["state"]) == (0, "accepted")
    assert broken("finding", "list").code == 0


def test_one_check_is_run_and_an_unknown_one_is_refused(shell: Shell):
    ran = shell("audit", "run", "--check", "uses", "--check", "standing", "--json")
    assert [each["check"] for each in ran.json["checks"]] == ["standing", "uses"]
    assert shell("audit", "run", "--check", "nonsense").code == 2
    refused = shell("finding", "list", "--check", "nonsense")
    assert (refused.code, refused.out, "'standing'" in refused.err) == (2, "", True)


def test_an_incremental_audit_goes_on_from_the_last(shell: Shell):
    assert shell("audit", "run").code == 0
    assert shell("audit", "run", "--incremental").code == 0


def test_every_check_is_explained_in_its_own_words(shell: Shell):
    told = shell("audit", "explain", "--json").json["data"]
    assert [each["check"] for each in told] == [each.key for each in CHECKS]
    assert len({each["proves"] for each in told}) == len(told)
    one = shell("audit", "explain", "standing", "--json").json
    assert list(one) == ["check", "title", "proves", "leaves_open"]
    assert shell("audit", "explain", "nonsense").code == 2
    generic = {
        check.key
        for check in CHECKS
        if EXPLAINED[check.key] == explained(Check(key="?", title=check.title, function=check.function))
    }
    assert generic == set()


# ---------------------------------------------------------------------------------------------------------- schedules


def test_schedules_are_listed_made_and_switched_off(shell: Shell):
    told = shell("audit", "schedule", "list", "--json").json["data"]
    assert [(each["schedule"], each["cron"], each["mode"], each["enabled"]) for each in told] == [
        ("hourly", "5 * * * *", "incremental", True), ("nightly", "15 2 * * *", "full", True),
    ]  # fmt: skip
    made = shell(
        "audit",
        "schedule",
        "set",
        "weekly",
        "--cron",
        "0 3 * * sun",
        "--zone",
        "Europe/Berlin",
        "--check",
        "uses",
        "--json",
    )
    assert (made.code, made.json["checks"], made.json["zone"], made.json["version"]) == (
        0,
        ["uses"],
        "Europe/Berlin",
        1,
    )
    kept = shell("audit", "schedule", "set", "weekly", "--mode", "incremental", "--json").json
    assert (kept["cron"], kept["checks"], kept["mode"]) == ("0 3 * * sun", ["uses"], "incremental")
    off = shell("audit", "schedule", "off", "weekly", "--json").json
    on = shell("audit", "schedule", "on", "weekly", "--json").json
    assert (off["enabled"], off["next_at"], on["enabled"], on["version"]) == (False, None, True, 4)


def test_a_schedule_that_can_not_be_names_every_fault(shell: Shell):
    ran = shell(
        "audit", "schedule", "set", "weekly", "--cron", "61 3 * * sun", "--zone", "Europe/Berlyn", "--check", "none"
    )
    assert (ran.code, [word in ran.err for word in ("minute", "zone", "checks")]) == (2, [True, True, True])


# ------------------------------------------------------------------------------------------------- reports and packs


def test_reports_are_written_in_four_formats_for_their_owner_alone(broken: Shell):
    audit = broken("audit", "list", "--json").json["data"][0]["audit"]
    for each in ("html", "pdf", "csv", "json"):
        assert broken("report", "make", audit, "--format", each, "--out", f"report.{each}").code == 0
    assert json.loads((broken.folder / "report.json").read_text())["audit"] == audit
    assert "What binds this report" in PdfReader(broken.folder / "report.pdf").pages[0].extract_text()
    assert stat.S_IMODE((broken.folder / "report.csv").stat().st_mode) == 0o600
    again = broken("report", "make", audit, "--format", "csv", "--out", "report.csv")
    assert (again.code, again.err.strip()) == (1, "byleave: report.csv is there already: nothing was written")


def test_a_pack_is_made_listed_and_verified(shell: Shell):
    ran = shell("audit", "pack", "make", "--customer", SOMEBODY, "--out", "pack.zip", "--json")
    assert (ran.code, ran.json["state"], ran.json["personal"]) == (0, "ready", False)
    with zipfile.ZipFile(BytesIO((shell.folder / "pack.zip").read_bytes())) as archive:
        (shell.folder / "verify.py").write_bytes(archive.read("verify.py"))
    alone = subprocess.run(
        [sys.executable, "-I", "-S", "verify.py", "pack.zip"], capture_output=True, check=False, cwd=shell.folder
    )
    assert alone.returncode == 0
    assert shell("audit", "pack", "verify", "pack.zip", "--json").code == 0
    (shell.folder / "pack.zip").write_bytes((shell.folder / "pack.zip").read_bytes()[:-1])
    refused = shell("audit", "pack", "verify", "pack.zip")
    assert (refused.code, refused.out.partition(":")[0]) == (1, "REFUSED")
    listed = shell("audit", "pack", "list", "--json").json
    assert ([each["state"] for each in listed["data"]], listed["next_cursor"]) == (["ready"], None)
    assert "No pack comes after that." in shell("audit", "pack", "list", "--cursor", listed["data"][0]["pack"]).out
    shell.check_ledger()


def test_what_a_customer_said_is_opened_for_a_reason_only(shell: Shell):
    refused = shell("audit", "pack", "make", "--customer", SOMEBODY, "--personal", "--out", "pack.zip")
    assert (refused.code, "reason" in refused.err, (shell.folder / "pack.zip").exists()) == (2, True, False)
    ran = shell(
        "audit",
        "pack",
        "make",
        "--customer",
        SOMEBODY,
        "--personal",
        "--reason",
        "court",
        "--out",
        "pack.zip",
        "--json",
    )
    assert (ran.code, ran.json["personal"]) == (0, True)
    connection = sqlite3.connect(shell.folder / HOME / "byleave.db")
    assert connection.execute("SELECT purpose, reason FROM data_use WHERE purpose = 'right:evidence'").fetchall() == [
        ("right:evidence", "court")
    ]
    connection.close()


def test_a_pack_of_nothing_is_refused_with_the_reason(shell: Shell):
    ran = shell(
        "audit", "pack", "make", "--from", "2001-01-01T00:00:00Z", "--to", "2001-01-02T00:00:00Z", "--out", "pack.zip"
    )
    assert (ran.code, "there is nothing to prove" in ran.err) == (1, True)
