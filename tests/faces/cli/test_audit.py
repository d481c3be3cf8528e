"""`audit`: passed, findings and gaps have exit codes of their own."""

import sqlite3

from api.checks import CHECKS
from tests.faces.cli.conftest import HOME, Shell

REPORT = ["status", "findings", "gaps", "checks", "seconds"]


def tamper(shell: Shell, statement: str) -> None:
    connection = sqlite3.connect(shell.database)
    with connection:
        connection.execute(statement)
    connection.close()


def test_an_audit_of_an_honest_house_passes(shell: Shell):
    shell("campaign", "run", "spring")
    ran = shell("audit", "run", "--json")
    assert (ran.code, ran.err, list(ran.json), ran.json["status"]) == (0, "", REPORT, "passed")
    assert [each["check"] for each in ran.json["checks"]] == [each.key for each in CHECKS]
    shell.check_ledger()


def test_a_forged_standing_is_a_finding(shell: Shell):
    tamper(shell, "UPDATE standing SET counter = counter + 1 WHERE customer = (SELECT min(customer) FROM standing)")
    ran = shell("audit", "run", "--json")
    assert (ran.code, ran.json["status"]) == (1, "findings")
    assert [tuple(each) for each in ran.json["findings"]] == [("check", "severity", "subject", "why")]
    assert [each["check"] for each in ran.json["findings"]] == ["standing"]
    assert shell("audit", "show").code == 1


def test_what_could_not_be_judged_is_not_a_pass(shell: Shell):
    tamper(shell, "ALTER TABLE data_use RENAME TO gone")
    ran = shell("audit", "run", "--json")
    assert (ran.code, ran.json["status"], [each["check"] for each in ran.json["gaps"]]) == (
        3,
        "could_not_check",
        ["uses", "processing"],
    )
    people = shell("audit", "run")
    assert (people.code, "Could not check" in people.out) == (3, True)


def test_audits_are_listed_and_shown(shell: Shell):
    assert shell("audit", "list", "--json").json == {"data": [], "next_cursor": None}
    assert shell("audit", "show").code == 2
    shell("audit", "run")
    [past] = shell("audit", "list", "--json").json["data"]
    assert list(past) == ["audit", "started_at", "ended_at", "status", "asked_by", "position"]
    shown = shell("audit", "show", past["audit"], "--json")
    assert (shown.code, list(shown.json), shown.json["report"]["status"]) == (0, [*past, "report"], "passed")
    assert shell("audit", "show", "aud_none").code == 2


def test_long_lists_of_audits_are_gone_through_by_their_cursors(shell: Shell):
    for _ in range(3):
        shell("audit", "run", "--check", "clock")
    whole = shell("audit", "list", "--json").json["data"]
    first = shell("audit", "list", "--limit", 2, "--json").json
    rest = shell("audit", "list", "--limit", 2, "--cursor", first["next_cursor"], "--json").json
    assert first["data"] + rest["data"] == whole
    assert (len(whole), rest["next_cursor"]) == (3, None)
    told = shell("audit", "list", "--limit", 2)
    assert told.err.splitlines()[-1] == f"go on with: --cursor {first['next_cursor']}"
    assert "No audit comes after that." in shell("audit", "list", "--cursor", whole[-1]["audit"]).out


def test_every_check_explains_itself(shell: Shell):
    told = {check.key: shell("audit", "explain", check.key, "--json") for check in CHECKS}
    assert {ran.code for ran in told.values()} == {0}
    assert {key: list(ran.json) for key, ran in told.items()} == {
        key: ["check", "title", "proves", "leaves_open"] for key in told
    }
    assert [key for key, ran in told.items() if not ran.json["proves"]] == []
    assert shell("audit", "explain", "nothing").code == 2


def test_without_a_database_nothing_could_be_checked(shell: Shell):
    (shell.folder / HOME / "byleave.db").unlink()
    ran = shell("audit", "run", "--json")
    assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)


def test_a_head_that_contradicts_itself_is_named_and_hides_no_report(shell: Shell):
    shell("audit", "run", "--check", "standing")
    before = shell("audit", "list", "--json").json["data"]
    size = shell.size()
    wrong = next(other for other in range(size + 1, size + 3) if other.bit_count() != size.bit_count())
    tamper(shell, f"UPDATE ledger_head SET size = {wrong}")  # noqa: S608 -- a number

    verified = shell("ledger", "verify", "--json")
    why = f"its frontier is no edge of a tree of its size, which is {wrong}"
    assert (verified.code, verified.json["first_bad"]) == (1, {"seq": 0, "table": "ledger_head", "why": why})
    assert shell("audit", "list", "--json").json["data"] == before
    assert shell("audit", "show").code == 0
    ran = shell("audit", "run", "--json")
    found = {(each["check"], each["subject"], each["why"]) for each in ran.json["findings"]}
    assert (ran.code, ("ledger", "ledger_head 0", why) in found) == (1, True)
    gap = "the audit is not in the ledger: could not check: LedgerBroken (The ledger is broken)"
    assert {"check": "audit", "why": gap} in ran.json["gaps"]
    assert len(shell("audit", "list", "--json").json["data"]) == len(before) + 1
