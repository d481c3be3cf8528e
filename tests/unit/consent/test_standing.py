"""What stands for a customer is the fold of what he said."""

from datetime import timedelta

import pytest

from consent.base.clock import to_ms
from consent.base.ids import Scope
from consent.permission.standing import (
    EMPTY,
    FOREVER,
    NOTHING,
    PENDING,
    RECORD_BYTES,
    RESTRICTED,
    Standing,
    Status,
    applied,
    fold,
    follows,
    from_stored,
    scope_at,
    stored,
)
from tests.builders import ANN, START, statement

A, B = Scope("use:purchases:offers"), Scope("contact:email:offers")
BITS: dict[str, int] = {A: 0, B: 70}
DAY = timedelta(days=1)


def said(act, *scopes, day=0, **more):
    return statement(ANN, act, *(scopes or (A,)), said_at=START + day * DAY, **more)


def folded(*statements):
    return fold(enumerate(statements, 10), BITS)


def status(*acts):
    """Return the status of A after these acts, one a day."""
    return folded(*(said(act, day=day) for day, act in enumerate(acts))).of(0).status.name


@pytest.mark.parametrize(
    ("acts", "expected"),
    [
        ([], "UNKNOWN"),
        (["request"], "REQUESTED"),
        (["grant"], "GIVEN"),
        (["refuse"], "REFUSED"),
        (["object"], "OBJECTED"),
        (["withdraw"], "WITHDRAWN"),
        (["request", "grant"], "GIVEN"),
        (["grant", "request"], "GIVEN"),
        (["refuse", "request"], "REFUSED"),
        (["grant", "renew"], "RENEWED"),
        (["grant", "renew", "renew"], "RENEWED"),
        (["renew"], "UNKNOWN"),
        (["refuse", "renew"], "REFUSED"),
        (["withdraw", "renew"], "WITHDRAWN"),
        (["grant", "withdraw"], "WITHDRAWN"),
        (["grant", "withdraw", "grant"], "GIVEN"),
        (["grant", "renew", "refuse"], "REFUSED"),
        (["grant", "object"], "OBJECTED"),
        (["object", "withdraw"], "OBJECTED"),
        (["object", "refuse"], "OBJECTED"),
        (["object", "request"], "OBJECTED"),
        (["object", "grant"], "GIVEN"),
        (["grant", "invalidate"], "INVALIDATED"),
        (["withdraw", "invalidate"], "WITHDRAWN"),
        (["invalidate"], "UNKNOWN"),
        (["grant", "invalidate", "renew"], "INVALIDATED"),
        (["grant", "invalidate", "grant"], "GIVEN"),
    ],
)
def test_acts_lead_to_a_status(acts, expected):
    assert status(*acts) == expected


def test_an_act_on_one_scope_leaves_the_others_as_they_are():
    standing = folded(said("grant", A, B), said("withdraw", B))
    assert (standing.of(0).status, standing.of(70).status) == (Status.GIVEN, Status.WITHDRAWN)


def test_the_time_said_orders_and_not_the_ledger():
    withdrawn, granted = said("withdraw", day=2), said("grant", day=1)
    assert (folded(withdrawn, granted).of(0).status, folded(withdrawn, granted).of(0).position) == (
        Status.WITHDRAWN,
        10,
    )


def test_of_two_said_at_once_the_later_entry_is_the_newer_word():
    assert folded(said("grant"), said("withdraw")).of(0).status is Status.WITHDRAWN
    assert folded(said("withdraw"), said("grant")).of(0).status is Status.GIVEN


def test_a_grant_keeps_notice_expiry_and_position():
    ends = START + 365 * DAY + timedelta(milliseconds=999)
    given = folded(said("grant", A, B, notices={A: 3, B: 0}, valid_until={A: ends})).of(0)

    assert (given.notice, given.expires, given.position) == (3, to_ms(ends) // 1000, 10)


def test_a_permission_ends_at_most_a_second_early_and_never_late():
    ends = START + timedelta(milliseconds=999)
    assert folded(said("grant", valid_until={A: ends})).of(0).expires * 1000 == to_ms(START)


def test_a_renewal_keeps_the_notice_that_was_shown_unless_it_shows_one():
    granted = said("grant", notices={A: 2})
    assert folded(granted, said("renew", day=1)).of(0).notice == 2
    assert folded(granted, said("renew", day=1, notices={A: 3})).of(0).notice == 3


def test_an_unconfirmed_grant_awaits_its_confirmation_and_a_renewal_does_not_confirm_it():
    unconfirmed = said("grant", awaiting=frozenset({A}))
    assert folded(unconfirmed).of(0).flags == PENDING
    assert folded(unconfirmed, said("renew", day=1)).of(0).flags == PENDING
    assert folded(unconfirmed, said("grant", day=1)).of(0).flags == 0


def test_an_end_before_1970_or_after_2106_is_the_first_or_last_that_a_row_holds():
    past = said("grant", valid_until={A: START - timedelta(days=365 * 70)})
    far = said("grant", valid_until={A: START + timedelta(days=365 * 200)})

    assert [from_stored(stored(folded(each))).of(0).expires for each in (past, far)] == [0, 2**32 - 1]


@pytest.mark.parametrize(
    ("statements", "paused_until", "states"),
    [
        ([], 0, 0),
        ([("pause", {})], FOREVER, 0),
        ([("pause", {"until": START + DAY})], to_ms(START + DAY), 0),
        ([("pause", {}), ("pause", {"until": START + DAY})], to_ms(START + DAY), 0),
        ([("pause", {}), ("resume", {})], 0, 0),
        ([("restrict", {})], 0, RESTRICTED),
        ([("restrict", {}), ("lift", {})], 0, 0),
        ([("pause", {}), ("restrict", {}), ("resume", {})], 0, RESTRICTED),
    ],
)
def test_a_pause_and_a_restriction_concern_the_whole_customer(statements, paused_until, states):
    history = [statement(ANN, act, said_at=START + day * DAY, **more) for day, (act, more) in enumerate(statements)]
    standing = folded(*history)

    assert (standing.paused_until, standing.states, standing.scopes) == (paused_until, states, {})
    assert standing.counter == len(statements)


def test_a_statement_follows_what_was_said_before_or_at_once():
    standing = folded(said("grant", day=1))
    assert [follows(standing, said("withdraw", day=day)) for day in (0, 1, 2)] == [False, True, True]


def test_what_was_never_answered_leaves_no_trace_in_the_row():
    # The row is compared with the fold byte by byte: both must write the same standing in the same way.
    unheard = applied(EMPTY, said("renew", B), 10, BITS)
    assert (dict(unheard.scopes), stored(unheard).scopes) == ({}, b"")


def test_a_row_leads_back_to_its_standing():
    standing = folded(
        said("grant", A, B, notices={A: 1, B: 65_535}, valid_until={A: START + DAY}),
        said("withdraw", A, day=1),
        statement(ANN, "pause", said_at=START + 2 * DAY),
    )
    assert from_stored(stored(standing)) == standing


def test_a_row_has_sixteen_bytes_a_scope_and_a_mask_in_whole_words():
    row = stored(folded(said("grant", A, B)))

    assert (RECORD_BYTES, len(row.scopes), len(row.mask)) == (16, 16 * 71, 16)
    assert int.from_bytes(row.mask, "little") == 1 << 0 | 1 << 70


def test_the_mask_holds_valid_consents_only():
    standing = folded(said("grant", A, B, awaiting=frozenset({B})), said("withdraw", A, day=1))
    assert int.from_bytes(stored(standing).mask, "little") == 0


def test_the_next_expiry_is_the_first_end_of_a_set_bit():
    ends = {A: START + 2 * DAY, B: START + DAY}
    granted = said("grant", A, B, valid_until=ends)

    assert stored(folded(granted)).next_expiry == to_ms(ends[B])
    assert stored(folded(granted, said("withdraw", B))).next_expiry == to_ms(ends[A])
    assert stored(folded(granted, said("withdraw", A, B))).next_expiry == FOREVER


def test_one_scope_is_read_straight_from_the_rows_bytes():
    standing = folded(said("grant", B))
    row = stored(standing).scopes

    assert [scope_at(row, bit) for bit in (0, 70, 71, 500)] == [NOTHING, standing.of(70), NOTHING, NOTHING]
    assert scope_at(b"", 0) == NOTHING


def test_nobody_has_an_empty_row():
    assert stored(Standing()) == (b"", FOREVER, 0, 0, 0, 0, b"", FOREVER, 0)
