"""A statement goes into a payload and comes back as it was."""

from dataclasses import FrozenInstanceError
from datetime import timedelta

import pytest

from consent.base import canonical
from consent.base.clock import rfc3339
from consent.base.errors import StatementInvalid
from consent.base.ids import Scope
from consent.permission.statement import Act, Method, from_record
from consent.register.rules import completed
from tests.builders import ANN, START, published_catalogue, statement

A, B = Scope("use:purchases:offers"), Scope("contact:email:offers")
FULL = statement(
    ANN,
    "grant",
    A,
    B,
    method=Method.PAPER,
    notice_version=2,
    language="de",
    evidence="box 7, sheet 12",
    notices={A: 2, B: 2},
    valid_until={B: START + timedelta(days=365)},
    awaiting=frozenset({B}),
)


@pytest.mark.parametrize("act", list(Act))
@pytest.mark.parametrize("method", list(Method))
def test_a_plain_statement_comes_back_as_it_was(act, method):
    said = statement(ANN, act, A, method=method)
    assert from_record(ANN, said.record()) == said


def test_a_full_statement_comes_back_as_it_was():
    assert from_record(ANN, FULL.record()) == FULL


def test_a_pause_comes_back_with_its_end():
    said = statement(ANN, "pause", until=START + timedelta(days=30))
    assert from_record(ANN, said.record()) == said


def test_a_record_is_canonical_and_leaves_out_what_is_empty():
    assert statement(ANN, "pause").record() == {
        "act": "pause",
        "method": "web_form",
        "said_at": "2026-11-21T10:00:00.000Z",
    }
    assert canonical.parse(canonical.encode(FULL.record())) == FULL.record()


def test_a_record_holds_ends_and_notices_in_the_order_of_the_scopes():
    said = FULL.record()
    assert (said["scopes"], said["notices"]) == ([A, B], [2, 2])
    assert said["valid_until"] == ["", "2027-11-21T10:00:00.000Z"]


def test_a_statement_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        FULL.act = Act.WITHDRAW  # type: ignore[misc]  # that it can't is what is tested


def test_a_catalogue_completes_a_grant_with_notice_end_and_what_awaits_confirmation():
    said = completed(statement(ANN, "grant", A, B), published_catalogue(), START)

    assert said.notices == {A: 1, B: 1}
    assert said.valid_until == {A: START.replace(year=2027), B: START.replace(year=2027, month=5)}
    assert said.awaiting == {B}


def test_a_confirmation_awaits_nothing():
    confirming = statement(ANN, "grant", B, method=Method.CONFIRMATION)
    said = completed(confirming, published_catalogue(), START, vouched={Method.CONFIRMATION})
    assert said.awaiting == frozenset()


def test_a_withdrawal_is_given_no_end():
    said = completed(statement(ANN, "withdraw", A, B), published_catalogue(), START)
    assert (said.valid_until, said.awaiting, said.notices) == (None, frozenset(), {A: 1, B: 1})


def test_the_end_counts_from_the_time_said_not_from_the_time_recorded():
    said = completed(statement(ANN, "grant", A), published_catalogue(), START + timedelta(days=90))
    assert said.valid_until == {A: START.replace(year=2027)}


@pytest.mark.parametrize(
    ("said", "places"),
    [
        (
            statement(ANN, "grant", A, said_at=START + timedelta(milliseconds=1)),
            [("/said_at", "2026-11-21T10:00:00.001Z is later than the ledger's own time, 2026-11-21T10:00:00.000Z")],
        ),
        (statement(ANN, "pause", A), [("/scopes", "pause concerns the whole customer: leave the scopes out")]),
        (statement(ANN, "grant"), [("/scopes", "name at least one scope")]),
        (statement(ANN, "grant", A, A), [("/scopes", "a scope stands twice")]),
        (statement(ANN, "grant", A, evidence="x" * 2_001), [("/evidence", "has more than 2,000 characters")]),
        (statement(ANN, "grant", A, until=START), [("/until", "belongs to a pause only")]),
        (
            statement(ANN, "pause", until=START),
            [
                (
                    "/until",
                    f"must be after {rfc3339(START)}, when the pause was said; left out, it lasts until it is ended",
                )
            ],
        ),
        (
            statement(ANN, "grant", A, "use:dreams:offers"),
            [("/scopes/1", "'use:dreams:offers' is not in the catalogue (version 1)")],
        ),
        (
            statement(ANN, "grant", "remember:place"),
            [("/scopes/0", "remember:place stands on contract: it isn't granted")],
        ),
        (
            statement(ANN, "grant", A, notice_version=2),
            [("/notice_version", "notice words of use:purchases:offers has no version 2")],
        ),
        (
            statement(ANN, "grant", "x", evidence="x" * 2_001),
            [("/evidence", "has more than 2,000 characters"), ("/scopes/0", "'x' is not in the catalogue (version 1)")],
        ),
    ],
)
def test_a_statement_that_cannot_be_recorded_names_every_place(said, places):
    with pytest.raises(StatementInvalid) as refused:
        completed(said, published_catalogue(), START)
    assert [tuple(place) for place in refused.value.places] == places


def test_any_act_but_a_gift_may_concern_a_scope_on_any_basis():
    acts = [act for act in Act if act not in (Act.GRANT, Act.RENEW, Act.PAUSE, Act.RESUME, Act.RESTRICT, Act.LIFT)]
    said = [completed(statement(ANN, act, "remember:place"), published_catalogue(), START) for act in acts]
    assert [each.notices for each in said] == [{"remember:place": 1}] * 5
