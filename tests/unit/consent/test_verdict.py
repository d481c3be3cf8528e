"""Permit or denial: one reason, the first that holds."""

from typing import Any

import pytest

from consent.base.clock import to_ms
from consent.catalogue.model import LegalBasis
from consent.permission.standing import (
    ERASED,
    FOREVER,
    PENDING,
    RESTRICTED,
    SUPPRESSED,
    ScopeStanding,
    Standing,
    Status,
)
from consent.permission.verdict import MAY_BE_ASKED, Denial, Permit, Reason, judged, status_reason
from tests.builders import ANN, START, rule

NEVER_S = 2**32 - 1
NOW_S = to_ms(START) // 1000
GIVEN = ScopeStanding(Status.GIVEN, 0, 1, NEVER_S, 7)
ASKED = rule(material_since=1)
REMEMBER = rule("remember:purchases", bit=1, material_since=1)


def standing(of_scope=None, of_remember=None, **whole):
    scopes = {bit: each for bit, each in enumerate((of_scope, of_remember)) if each}
    return Standing(scopes, **whole)


def reason(what, asked=ASKED, remember=None):
    return judged(what, asked, remember, START)[0].name


def test_reasons_are_numbered_in_the_order_in_which_they_are_looked_for():
    assert [each.name for each in sorted(Reason)] == [
        "PERMIT",
        "CUSTOMER_ERASED",
        "SUPPRESSED",
        "RESTRICTED",
        "PAUSED",
        "UNKNOWN_SCOPE",
        "MINOR",
        "OBJECTED",
        "WITHDRAWN",
        "REFUSED",
        "GPC",
        "NOTICE_STALE",
        "EXPIRED",
        "PENDING_CONFIRMATION",
        "REQUESTED",
        "NO_RECORD",
        "REMEMBER_MISSING",
    ]


# Each of these alone makes its denial; where several hold at once, the first of them is the answer.
CONTACT = rule("contact:email:offers", material_since=1)
WHOLE = [
    ("CUSTOMER_ERASED", {"states": ERASED}),
    ("SUPPRESSED", {"states": SUPPRESSED}),
    ("RESTRICTED", {"states": RESTRICTED}),
    ("PAUSED", {"paused_until": FOREVER}),
]
OF_SCOPE = [
    ("OBJECTED", ScopeStanding(Status.OBJECTED, PENDING, 0, 0, 7)),
    ("WITHDRAWN", ScopeStanding(Status.WITHDRAWN, PENDING, 0, 0, 7)),
    ("REFUSED", ScopeStanding(Status.REFUSED, PENDING, 0, 0, 7)),
    ("NOTICE_STALE", ScopeStanding(Status.GIVEN, PENDING, 0, 0, 7)),
    ("EXPIRED", ScopeStanding(Status.GIVEN, PENDING, 1, 0, 7)),
    ("PENDING_CONFIRMATION", ScopeStanding(Status.GIVEN, PENDING, 1, NEVER_S, 7)),
    ("REQUESTED", ScopeStanding(Status.REQUESTED, 0, 0, NEVER_S, 7)),
    ("NO_RECORD", ScopeStanding(Status.INVALIDATED, 0, 0, NEVER_S, 7)),
    ("PERMIT", GIVEN),
]


@pytest.mark.parametrize(("expected", "stands"), OF_SCOPE)
def test_what_was_said_about_the_scope_gives_the_reason(expected, stands):
    assert reason(standing(stands, GIVEN), remember=REMEMBER) == expected


@pytest.mark.parametrize("first", range(len(WHOLE)))
@pytest.mark.parametrize("stands", [stands for _, stands in OF_SCOPE])
def test_the_customers_own_state_comes_before_any_scopes(first, stands):
    held: dict[str, int] = {"states": 0, "paused_until": 0}
    for _, state in WHOLE[first:]:
        held = {name: held[name] | state.get(name, 0) for name in held}

    assert reason(standing(stands, **held), CONTACT) == WHOLE[first][0]


def test_an_unknown_scope_is_denied_after_the_customers_own_state_and_before_all_else():
    assert reason(standing(GIVEN), None) == "UNKNOWN_SCOPE"
    assert [reason(standing(GIVEN, **state), None) for _, state in WHOLE] == [name for name, _ in WHOLE]


def test_nothing_said_is_no_record():
    assert judged(Standing(), ASKED, None, START) == (Reason.NO_RECORD, ())


@pytest.mark.parametrize(("name", "kept"), [*OF_SCOPE, ("NO_RECORD", None)])
def test_remembered_data_need_remember_to_stand_as_well(name, kept):
    expected = "PERMIT" if name == "PERMIT" else "REMEMBER_MISSING"
    assert reason(standing(GIVEN, kept), remember=REMEMBER) == expected


def test_remember_is_asked_for_only_where_the_use_itself_is_permitted():
    withdrawn = ScopeStanding(Status.WITHDRAWN, 0, 1, NEVER_S, 7)
    assert reason(standing(withdrawn, None), remember=REMEMBER) == "WITHDRAWN"
    assert reason(standing(GIVEN, None), remember=None) == "PERMIT"


@pytest.mark.parametrize(
    ("stands", "remember", "positions"),
    [
        (standing(GIVEN), None, (7,)),
        (standing(GIVEN, GIVEN._replace(position=9)), REMEMBER, (7, 9)),
        (standing(GIVEN), REMEMBER, (7,)),
        (standing(GIVEN._replace(status=Status.WITHDRAWN), GIVEN), REMEMBER, (7,)),
        (standing(GIVEN, states=RESTRICTED), REMEMBER, ()),
        (standing(), REMEMBER, ()),
    ],
)
def test_a_verdict_cites_the_entries_that_decided_it(stands, remember, positions):
    assert judged(stands, ASKED, remember, START)[1] == positions


@pytest.mark.parametrize(("seconds", "expected"), [(-1, "EXPIRED"), (0, "EXPIRED"), (1, "PERMIT")])
def test_expiry_is_judged_by_the_time_of_the_check(seconds, expected):
    assert reason(standing(GIVEN._replace(expires=NOW_S + seconds))) == expected


@pytest.mark.parametrize(
    ("until", "expected"),
    [(to_ms(START) - 1, "PERMIT"), (to_ms(START), "PERMIT"), (to_ms(START) + 1, "PAUSED"), (FOREVER, "PAUSED")],
)
def test_a_pause_is_over_at_its_end(until, expected):
    assert reason(standing(GIVEN, paused_until=until)) == expected


@pytest.mark.parametrize(("notice", "expected"), [(1, "NOTICE_STALE"), (2, "PERMIT"), (3, "PERMIT")])
def test_a_consent_to_words_before_the_last_material_ones_is_stale(notice, expected):
    assert reason(standing(GIVEN._replace(notice=notice)), rule(material_since=2)) == expected


SERVED = ["contract", "legal_obligation"]


@pytest.mark.parametrize("basis", SERVED)
@pytest.mark.parametrize("status", list(Status))
def test_a_service_basis_is_not_the_customers_to_withdraw(basis, status):
    said = ScopeStanding(status, PENDING, 0, 0, 7)
    assert reason(standing(said, paused_until=FOREVER), rule("use:place:service", basis, material_since=9)) == "PERMIT"


@pytest.mark.parametrize("basis", SERVED)
def test_a_service_basis_ends_where_the_customer_is_restricted_or_erased(basis):
    service = rule("use:place:service", basis)
    assert [reason(standing(states=state), service) for state in (ERASED, RESTRICTED)] == [
        "CUSTOMER_ERASED",
        "RESTRICTED",
    ]


@pytest.mark.parametrize("status", list(Status))
def test_a_legitimate_interest_ends_with_any_no(status):
    noes = {"OBJECTED": "OBJECTED", "WITHDRAWN": "WITHDRAWN", "REFUSED": "REFUSED", "INVALIDATED": "NO_RECORD"}
    expected = noes.get(status.name, "PERMIT")
    said = ScopeStanding(status, PENDING, 0, 0, 7)
    assert reason(standing(said), rule("use:replies:service", "legitimate_interest", material_since=9)) == expected


def test_a_legitimate_interest_can_be_paused():
    assert reason(standing(paused_until=FOREVER), rule("use:replies:service", "legitimate_interest")) == "PAUSED"


def test_explicit_consent_is_judged_as_consent_is():
    bases = (LegalBasis.CONSENT, LegalBasis.EXPLICIT_CONSENT)
    assert [[status_reason(basis, status) for status in Status] for basis in bases] == [
        [
            Reason.NO_RECORD,
            Reason.REQUESTED,
            Reason.REFUSED,
            Reason.PERMIT,
            Reason.PERMIT,
            Reason.WITHDRAWN,
            Reason.EXPIRED,
            Reason.OBJECTED,
            Reason.NO_RECORD,
        ]
    ] * 2


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("contact:email:offers", "SUPPRESSED"),
        ("share:courier:offers", "SUPPRESSED"),
        ("use:purchases:offers", "PERMIT"),
        ("remember:purchases", "PERMIT"),
    ],
)
def test_a_suppressed_address_is_neither_contacted_nor_shared(scope, expected):
    assert reason(standing(GIVEN, states=SUPPRESSED), rule(scope)) == expected


def test_a_permit_has_the_reason_permit_and_a_denial_says_whether_to_ask():
    about: dict[str, Any] = {"customer": ANN, "scope": ASKED.scope, "at": START, "position": 8, "positions": (7,)}
    denials = {each: Denial(**about, reason=each) for each in Reason if each}

    assert Permit(**about).reason is Reason.PERMIT
    assert {each for each, denial in denials.items() if denial.may_be_asked} == MAY_BE_ASKED
    assert {"WITHDRAWN", "REFUSED", "OBJECTED", "PAUSED"} & {each.name for each in MAY_BE_ASKED} == set()


@pytest.mark.parametrize("basis", list(LegalBasis))
def test_what_is_for_adults_is_denied_as_long_as_no_age_is_known(basis):
    adult = rule(basis=basis, minimum_age=18)
    given = Standing({0: ScopeStanding(Status.GIVEN, 0, 0, 2**32 - 1, 7)})

    reason, _ = judged(given, adult, None, START)

    assert reason is Reason.MINOR
