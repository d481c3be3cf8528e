"""`byleave decision outcome` and `byleave goodwill`: what comes back, at the shell."""

import pytest

from consent.base.clock import rfc3339, system_clock
from tests.faces.cli.conftest import SOMEBODY

CAMPAIGN = ("--campaign", "spring")


@pytest.fixture
def decision(shell):
    key = next(
        line.split('"')[1]
        for line in (shell.folder / "campaign.toml").read_text().split("[campaign]")[1].splitlines()
        if line.startswith("key")
    )
    return shell("decide", SOMEBODY, "--campaign", key, "--json").json["decision"]


def offered(shell):
    """Return a decision of somebody who was offered something."""
    asked = (shell("decide", f"S{number:06d}", "--campaign", "spring", "--json").json for number in range(1, 40))
    return next(each["decision"] for each in asked if each["chosen"])


def test_an_outcome_is_recorded_once_as_far_as_its_customer_allows(shell, decision):
    asked = ("decision", "outcome", decision, "--value", "true", "--at", rfc3339(system_clock()))
    first, again = shell(*asked), shell(*asked, "--json")

    assert (first.code, again.code) == (0, 0)
    assert (first.out.partition(": ")[2], again.json["outcome"]) in (
        ("visited is remembered\n", "repeated"), ("visited may not be remembered of this customer\n", "refused"),
    )  # fmt: skip


def test_an_offer_is_turned_down_once(shell):
    made = offered(shell)
    first, again = shell("decision", "turn-down", made), shell("decision", "turn-down", made, "--json")

    assert (first.code, again.code, again.json["repeated"]) == (0, 0, True)
    assert first.out == f"{made}: turned down; offers of the family {again.json['family']} rest from now on\n"


@pytest.mark.parametrize("value", ["yes", "'true'", "NaN", "[1]"])
def test_a_value_that_is_none_is_refused(shell, decision, value):
    refused = shell("decision", "outcome", decision, "--value", value, "--at", "2026-11-21T17:00:00Z")

    assert (refused.code, "--value must be true, false or a number" in refused.err) == (2, True)


def test_a_complaint_is_reported_once_and_stands_in_the_account(shell):
    asked = ("goodwill", "report", SOMEBODY, "--kind", "complaint", "--reference", "call 7")
    first, again = shell(*asked, "--json"), shell(*asked)
    account = shell("goodwill", "show", SOMEBODY, "--json").json

    assert (first.json["amount"], first.json["balance"], first.json["repeated"]) == (-100.0, 0.0, False)
    assert (again.code, again.out.endswith("It was reported before.\n")) == (0, True)
    assert [line["kind"] for line in account["data"]] == ["opening", "complaint"]
    assert "Balance: 0 points." in shell("goodwill", "show", SOMEBODY).out
    shell.check_ledger()
