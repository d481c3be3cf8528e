"""`doctor` looks at everything, changes nothing, and names what needs attention."""

import sqlite3

import pytest

from api.wiring import HEARTBEAT
from consent import jobs
from consent.base.clock import system_clock, to_ms
from tests.faces.cli.conftest import HOME, Ran, Shell

CHECKS = [
    "settings", "home", "keyring", "database", "storage", "triggers", "clock", "ledger", "witness", "worker", "audits",
    "keys", "erasures", "horizon", "approvals", "contacts", "rights",
]  # fmt: skip


def states(ran: Ran) -> dict[str, str]:
    return {each["check"]: each["state"] for each in ran.json["checks"] if each["state"] != "ok"}


def working(shell: Shell) -> None:
    with shell.house() as house, house.deployment.store.write() as work:
        jobs.beat(work, HEARTBEAT, "a worker", at=system_clock())


def change(shell: Shell, statement: str, *values: object) -> None:
    connection = sqlite3.connect(shell.database)
    with connection:
        connection.execute(statement, values)
    connection.close()


def test_where_all_is_well_the_exit_code_is_0(shell: Shell):
    working(shell)
    ran = shell("doctor", "--json")
    assert (ran.code, list(ran.json), ran.json["ok"]) == (0, ["ok", "checks"], True)
    assert [each["check"] for each in ran.json["checks"]] == CHECKS
    assert {tuple(each) for each in ran.json["checks"]} == {("check", "state", "detail")}


def test_a_worker_that_never_worked_needs_attention(shell: Shell):
    ran = shell("doctor")
    assert (ran.code, [line.split()[:2] for line in ran.out.splitlines() if not line.startswith("ok")]) == (
        1, [["attention", "worker"]],
    )  # fmt: skip
    assert "start one with byleave worker, or with the service by byleave serve --with-worker" in ran.out
    assert ran.err == "needs attention: worker\n"


def test_without_a_contact_policy_it_says_what_does_not_hold(shell: Shell):
    working(shell)
    (shell.folder / "rules.toml").write_text(shell("contact-policy", "draft").out, encoding="utf-8")
    without = shell("doctor")
    assert shell("contact-policy", "publish", "rules.toml").code == 0
    published = shell("doctor")
    said = [[line for line in ran.out.splitlines() if " contacts " in line] for ran in (without, published)]
    assert ["no contact policy is published" in said[0][0], "version 1 of the contact policy" in said[1][0]] == [
        True
    ] * 2
    assert (without.code, without.err, published.err) == (0, "all is well\n", "all is well\n")


def test_files_that_others_can_read_need_attention(shell: Shell):
    working(shell)
    (shell.folder / HOME).chmod(0o755)
    assert states(shell("doctor", "--json")) == {"home": "attention"}
    (shell.folder / HOME / "keyring.json").chmod(0o640)
    ran = shell("doctor", "--json")
    assert (ran.code, states(ran)) == (1, {"home": "attention", "keyring": "attention"})


def test_behind_tls_it_has_to_be_said_how_many_proxies_there_are(shell: Shell, monkeypatch: pytest.MonkeyPatch):
    working(shell)
    monkeypatch.setenv("BYLEAVE_BASE_URL", "https://shop.example")
    unsaid = shell("doctor")
    assert (unsaid.code, unsaid.err) == (1, "needs attention: settings\n")
    assert "BYLEAVE_PROXY_HOPS" in unsaid.out
    for name, value in (("PROXY_HOPS", "1"), ("RATE_PER_ADDRESS", "0")):
        with monkeypatch.context() as said:
            said.setenv(f"BYLEAVE_{name}", value)
            assert shell("doctor").code == 0


def test_in_production_a_witness_has_to_be_asked(shell: Shell, monkeypatch: pytest.MonkeyPatch):
    working(shell)
    before = states(shell("doctor", "--json"))
    for name, value in {
        "ENVIRONMENT": "production",
        "NAME": "shop.example",
        "BASE_URL": "https://shop.example",
        "PROXY_HOPS": "1",
    }.items():
        monkeypatch.setenv(f"BYLEAVE_{name}", value)
    ran = shell("doctor", "--json")
    [said] = [each["detail"] for each in ran.json["checks"] if each["check"] == "witness"]

    assert (before, ran.code, states(ran)) == ({}, 1, {"witness": "attention"})
    assert "BYLEAVE_WITNESS_URL" in said


def test_a_lost_trigger_needs_attention(shell: Shell):
    working(shell)
    change(shell, "DROP TRIGGER ledger_entry__update")
    ran = shell("doctor", "--json")
    assert (ran.code, states(ran)) == (1, {"triggers": "attention"})
    [said] = [each["detail"] for each in ran.json["checks"] if each["check"] == "triggers"]
    assert said.split()[0] == "ledger_entry"


def test_a_clock_behind_the_ledger_needs_attention(shell: Shell):
    working(shell)
    change(shell, "UPDATE ledger_head SET last_at = ?", to_ms(system_clock()) + 60_000)
    assert states(shell("doctor", "--json")) == {"clock": "attention"}


def test_what_could_not_be_looked_at_never_looks_well(shell: Shell):
    shell.database.write_bytes(b"this is no database at all" * 100)
    ran = shell("doctor", "--json")
    unknown = ["database", "triggers", "clock", "ledger", "witness", "worker", "audits", "keys", "erasures", "contacts"]
    assert (ran.code, states(ran)) == (3, dict.fromkeys(unknown, "unknown"))


def test_without_a_deployment_nothing_could_be_looked_at(nowhere: Shell):
    assert nowhere("doctor").code == 3
