"""`customer merge`, `permission stop-all`, `catalogue notice`, reminders: what the shell does for customers."""

import hashlib

import pytest

from tests.faces.cli.conftest import SOMEBODY, Shell

OTHER, NEWS, MAIL = "S000002", "contact:email:newsletter", "contact:email:recommendations"


def said(shell: Shell, customer: str, act: str, *scopes: str) -> None:
    assert shell("permission", "record", customer, act, *scopes).code == 0


def reason(shell: Shell, customer: str, scope: str) -> str:
    answer: str = shell("permission", "check", customer, scope, "--json").json["reason"]
    return answer


def test_rule_16_an_id_that_was_given_up_since_is_whom_it_was_then(shell: Shell):
    said(shell, OTHER, "grant", NEWS)
    old = shell("customer", "show", OTHER, "--json").json["customer"]
    [then] = [each["recorded_at"] for each in shell("permission", "history", old, "--json").json["statements"][-1:]]
    said(shell, SOMEBODY, "refuse", NEWS)
    asked = ("permission", "check", old, NEWS, "--as-of", then, "--json")
    before = shell(*asked).json
    assert shell("customer", "merge", OTHER, SOMEBODY, "--reason", "the same address").code == 0
    shown = shell("permission", "show", old, "--as-of", then, "--json").json

    assert (before["reason"], before["customer"], shell(*asked).json) == ("PERMIT", old, before)
    assert [each["reason"] for each in shown["permissions"] if each["scope"] == NEWS] == ["PERMIT"]
    assert reason(shell, old, NEWS) == "REFUSED"


def test_merge_joins_two_records(shell: Shell):
    """Rule 12: the more restrictive answer of both."""
    said(shell, SOMEBODY, "grant", NEWS, MAIL)
    said(shell, OTHER, "grant", NEWS)
    said(shell, OTHER, "refuse", MAIL)
    old = shell("customer", "show", OTHER, "--json").json["customer"]
    ran = shell("customer", "merge", OTHER, SOMEBODY, "--reason", "the same address", "--json")

    assert (ran.code, list(ran.json), ran.json["merged"]) == (
        0,
        ["customer", "merged", "seq", "statements", "identities", "memory_moved", "memory_forgotten"],
        old,
    )
    assert [reason(shell, who, scope) for who in (OTHER, SOMEBODY, old) for scope in (NEWS, MAIL)] == [
        "PERMIT",
        "REFUSED",
    ] * 3
    again = shell("customer", "merge", old, SOMEBODY)
    assert (again.code, again.out, again.err.count("\n")) == (1, "", 1)
    shell.check_ledger()


@pytest.mark.parametrize("typed", [[SOMEBODY, "NOBODY"], ["NOBODY", SOMEBODY], [SOMEBODY]])
def test_merge_of_nobody_is_refused(shell: Shell, typed):
    size = shell.size()
    ran = shell("customer", "merge", *typed)
    assert (ran.code, ran.out, shell.size()) == (2, "", size)


def test_stop_all_takes_everything_back_and_the_same_key_does_it_once(shell: Shell):
    """Rules 13 and 14."""
    said(shell, SOMEBODY, "grant", NEWS)
    first = shell("permission", "stop-all", SOMEBODY, "--evidence", "call 7", "--idempotency-key", "k", "--json")
    size = shell.size()
    again = shell("permission", "stop-all", SOMEBODY, "--evidence", "call 7", "--idempotency-key", "k", "--json")

    assert (first.code, {each["act"] for each in first.json["statements"]}) == (0, {"refuse", "withdraw", "object"})
    assert [each["seq"] for each in again.json["statements"]] == [each["seq"] for each in first.json["statements"]]
    assert (reason(shell, SOMEBODY, NEWS), shell.size()) == ("WITHDRAWN", size)
    assert "object" in shell("permission", "stop-all", SOMEBODY).out
    shell.check_ledger()


def test_a_notice_is_shown_word_for_word_with_its_hash(shell: Shell):
    """Rule 4: by hand, too."""
    ran = shell("catalogue", "notice", "courier", "--language", "de-AT", "--json")
    plain = shell("catalogue", "notice", "courier", "--language", "de-AT")

    assert (ran.code, ran.json["language"], ran.json["version"]) == (0, "de", 1)
    assert hashlib.sha256(ran.json["wording"].encode()).hexdigest() == ran.json["sha256"]
    assert (plain.out, ran.json["sha256"] in plain.err) == (ran.json["wording"] + "\n", True)
    assert [shell("catalogue", "notice", *typed).code for typed in (["dreams"], ["courier", "--version", "2"])] == [
        2,
        2,
    ]


def test_the_history_holds_the_words_that_were_shown(shell: Shell):
    """Rule 4: for any event."""
    said(shell, SOMEBODY, "grant", NEWS)
    [*_, last] = shell("permission", "history", SOMEBODY, "--json").json["statements"]
    [shown] = last["shown"]
    assert (shown["scope"], shown["notice"], shown["version"], shown["language"]) == (
        NEWS, "contact-email-newsletter", 1, "en",
    )  # fmt: skip
    assert hashlib.sha256(shown["wording"].encode()).hexdigest() == shown["sha256"]
    assert isinstance(shown["position"], int)


def test_ages_guardians_and_opt_outs_are_typed_too(shell: Shell):
    """Rules 8 and 9, by hand."""
    assert shell("permission", "record", SOMEBODY, "grant", NEWS, "--age", 15, "--guardian").code == 0
    [*_, last] = shell("permission", "history", SOMEBODY, "--json").json["statements"]
    assert (last["age"], last["guardian"]) == (15, True)
    assert shell("permission", "record", SOMEBODY, "grant", NEWS, "--age", 151).code == 2
    assert shell("permission", "record", SOMEBODY, "grant", NEWS, "--method", "confirmation").code == 2
    assert shell("permission", "check", SOMEBODY, NEWS, "--gpc").code == 0


def test_nobody_is_to_be_reminded_in_a_new_shop(shell: Shell):
    assert shell("permission", "reminders", "--json").json == {"data": [], "more": False}
    assert "Nobody is to be reminded" in shell("permission", "reminders").out


def test_the_catalogue_of_a_past_time_is_shown(shell: Shell):
    """Rule 16."""
    assert shell("catalogue", "show", "--as-of", "2020-01-01T00:00:00Z").code == 2
    assert shell("catalogue", "show", "--as-of", "2999-01-01T00:00:00Z").code == 2
    assert shell("catalogue", "show", "--as-of", "2020-01-01T00:00:00Z", "--version", 1).code == 2
