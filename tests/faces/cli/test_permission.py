"""`permission`: what is said is recorded and stands at once; checks answer by exit code and by JSON."""

import pytest

from consent.base.clock import rfc3339, system_clock
from tests.faces.cli.conftest import SOMEBODY, Shell

SCOPE = "contact:post:newsletter"
CHECKED = ["permit", "reason", "positions", "scope", "customer", "at"]


def test_a_grant_is_recorded_and_stands(shell: Shell):
    size = shell.size()
    before = shell("permission", "check", SOMEBODY, SCOPE, "--json")
    assert (before.code, before.json["permit"], before.json["reason"]) == (1, False, "REFUSED")
    said = shell("permission", "record", SOMEBODY, "grant", SCOPE, "--evidence", "call 17", "--json")
    assert (said.code, list(said.json)) == (
        0, ["customer", "seq", "recorded_at", "act", "scopes", "said_at", "repeated"],
    )  # fmt: skip
    assert (said.json["seq"], said.json["scopes"], said.json["repeated"]) == (size, [SCOPE], False)
    after = shell("permission", "check", SOMEBODY, SCOPE, "--json")
    assert (after.code, list(after.json)) == (0, CHECKED)
    assert after.json == {
        "permit": True, "reason": "PERMIT", "positions": [size], "scope": SCOPE, "customer": said.json["customer"],
        "at": after.json["at"],
    }  # fmt: skip
    shell.check_ledger()


def test_a_customer_is_found_by_his_id_as_well(shell: Shell):
    customer = shell("permission", "check", SOMEBODY, SCOPE, "--json").json["customer"]
    assert shell("permission", "check", customer, SCOPE, "--json").json["customer"] == customer


def test_a_withdrawal_stands_at_once_and_the_past_stays_what_it_was(shell: Shell):
    shell("permission", "record", SOMEBODY, "grant", SCOPE)
    between = rfc3339(system_clock())
    shell("permission", "record", SOMEBODY, "withdraw", SCOPE)
    now = shell("permission", "check", SOMEBODY, SCOPE)
    assert (now.code, now.out.split()[:2]) == (1, ["denial:", "WITHDRAWN"])
    then = shell("permission", "check", SOMEBODY, SCOPE, "--as-of", between, "--json")
    assert (then.code, then.json["reason"], then.json["at"]) == (0, "PERMIT", between)
    assert shell("permission", "check", SOMEBODY, SCOPE, "--at", "2020-01-01T00:00:00Z").code == 1


def test_a_use_of_remembered_data_needs_remember_too(shell: Shell):
    use = "use:browsing:recommendations"
    shell("permission", "record", "NEW", "grant", use, "--enrol")
    plain = shell("permission", "check", "NEW", use, "--json")
    remembered = shell("permission", "check", "NEW", use, "--remembered", "--json")
    assert (plain.json["reason"], remembered.json["reason"]) == ("PERMIT", "REMEMBER_MISSING")


def test_show_judges_every_scope(shell: Shell):
    ran = shell("permission", "show", SOMEBODY, "--json")
    assert (ran.code, list(ran.json)) == (0, ["customer", "at", "position", "permissions"])
    assert {tuple(each) for each in ran.json["permissions"]} == {("permit", "reason", "positions", "scope")}
    scopes = [each["scope"] for each in shell("catalogue", "show", "--json").json["scopes"]]
    assert [each["scope"] for each in ran.json["permissions"]] == scopes
    assert len(shell("permission", "show", SOMEBODY).out.splitlines()) == len(scopes) + 1


def test_history_tells_what_was_said_in_order(shell: Shell):
    shell("permission", "record", "NEW", "grant", SCOPE, "remember:purchases", "--enrol", "--method", "paper")
    shell("permission", "record", "NEW", "pause", "--until", "2090-01-01T00:00:00Z")
    ran = shell("permission", "history", "NEW", "--json")
    assert (ran.code, list(ran.json)) == (0, ["customer", "statements"])
    assert [(each["act"], each["method"]) for each in ran.json["statements"]] == [
        ("grant", "paper"),
        ("pause", "phone"),
    ]
    assert {each["actor"].partition(":")[0] for each in ran.json["statements"]} == {"shell"}
    assert len(shell("permission", "history", "NEW").out.splitlines()) == 3


def test_an_idempotency_key_records_once(shell: Shell):
    typed = ["permission", "record", SOMEBODY, "grant", SCOPE, "--idempotency-key", "call-17", "--json"]
    first, again = shell(*typed), shell(*typed)
    assert (first.json["repeated"], again.json["repeated"]) == (False, True)
    assert {**again.json, "repeated": False} == first.json
    other = shell("permission", "record", SOMEBODY, "withdraw", SCOPE, "--idempotency-key", "call-17")
    assert (other.code, other.out) == (1, "")


def test_what_was_never_given_cannot_be_renewed(shell: Shell):
    size = shell.size()
    ran = shell("permission", "record", "NEW", "renew", SCOPE, "--enrol")
    assert (ran.code, ran.out, shell.size()) == (1, "", size)
    assert shell("customer", "show", "NEW").code == 2


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        (["record", SOMEBODY, "grant", "contact:pigeon:offers"], "contact:pigeon:offers"),
        (["record", SOMEBODY, "grant"], "SCOPE"),
        (["record", SOMEBODY, "allow", SCOPE], "allow"),
        (["record", SOMEBODY, "grant", SCOPE, SCOPE], "twice"),
        (["record", SOMEBODY, "grant", SCOPE, "--said-at", "2090-01-01T00:00:00Z"], "--said-at"),
        (["record", SOMEBODY, "grant", SCOPE, "--said-at", "yesterday"], "--said-at"),
        (["record", SOMEBODY, "grant", SCOPE, "--said-at", "2026-01-01T00:00:00"], "--said-at"),
        (["record", SOMEBODY, "grant", SCOPE, "--said-at", "2026-02-30T00:00:00Z"], "--said-at"),
        (["record", SOMEBODY, "grant", SCOPE, "--method", "import"], "--method"),
        (["record", SOMEBODY, "grant", SCOPE, "--until", "2090-01-01T00:00:00Z"], "until"),
        (["record", SOMEBODY, "pause", "--until", "0001-01-01T00:00:00Z"], "until"),
        (["record", SOMEBODY, "grant", SCOPE, "--evidence", "a\x00b"], "--evidence"),
        (["record", SOMEBODY, "grant", SCOPE, "--evidence", "a" * 2_001], "--evidence"),
        (["record", SOMEBODY, "grant", SCOPE, "--notice-version", "99"], "--notice-version"),
        (["record", SOMEBODY, "grant", SCOPE, "--method", "one_click"], "--method"),
        (["record", "", "grant", SCOPE], "CUSTOMER"),
        (["record", "\u3000", "grant", SCOPE, "--enrol"], "CUSTOMER"),
        (["record", "S\u316401", "grant", SCOPE, "--enrol"], "CUSTOMER"),
        (["record", "NOBODY", "grant", SCOPE], "reference"),
        (["check", "NOBODY", SCOPE], "reference"),
        (["check", SOMEBODY, SCOPE, "--as-of", "2090-01-01T00:00:00Z"], "--as-of"),
        (["show", SOMEBODY, "--as-of", "2090-01-01T00:00:00Z"], "--as-of"),
        (["history", "NOBODY"], "reference"),
    ],
)
def test_bad_input_is_named_and_nothing_is_stored(shell: Shell, typed, named):
    size = shell.size()
    ran = shell("permission", *typed)
    assert (ran.code, ran.out, ran.err.count("\n"), named.lower() in ran.err.lower()) == (2, "", 1, True), ran.err
    assert shell.size() == size
    assert "NOBODY" not in ran.err


def test_a_denial_says_whether_the_customer_may_be_asked(shell: Shell):
    shell("permission", "record", "NEWCOMER", "refuse", "contact:email:newsletter", "--enrol")
    asked = shell("permission", "check", "NEWCOMER", "contact:sms:recommendations")
    shell("permission", "record", "NEWCOMER", "refuse", "contact:sms:recommendations")
    left = shell("permission", "check", "NEWCOMER", "contact:sms:recommendations")
    assert [each.out.partition(":")[0] for each in (asked, left)] == ["denial"] * 2
    assert "The customer may be asked for it" in asked.err
    assert "He is not to be asked for it" in left.err
