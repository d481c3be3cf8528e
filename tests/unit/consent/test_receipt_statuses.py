"""What each act is called in the vocabulary: given, refused, withdrawn, revoked, objected, halted."""

import pytest

from consent.catalogue.model import LegalBasis
from consent.permission.statement import WHOLE_CUSTOMER, Act, Method
from consent.receipts import statuses

FORM = Method.WEB_FORM
CONSENT, INTEREST = LegalBasis.CONSENT, LegalBasis.LEGITIMATE_INTEREST


@pytest.mark.parametrize(
    ("act", "types"),
    [
        (Act.REQUEST, ["dpv:ConsentRequested"]),
        (Act.GRANT, ["dpv:ConsentGiven", "dpv:ExpressedConsent"]),
        (Act.REFUSE, ["dpv:ConsentRefused"]),
        (Act.WITHDRAW, ["dpv:ConsentWithdrawn"]),
        (Act.OBJECT, ["dpv:ConsentWithdrawn"]),
        (Act.RENEW, ["dpv:RenewedConsentGiven", "dpv:ExpressedConsent"]),
        (Act.INVALIDATE, ["dpv:ConsentRevoked", "dpv:ConsentInvalidated"]),
    ],
)
def test_what_an_act_makes_of_a_consent(act, types):
    assert statuses.status(act, FORM, CONSENT) == ("dpv:hasConsentStatus", types)


def test_explicit_consent_is_said_to_be_explicit():
    assert statuses.status(Act.GRANT, FORM, LegalBasis.EXPLICIT_CONSENT)[1] == [
        "dpv:ConsentGiven", "dpv:ExplicitlyExpressedConsent",
    ]  # fmt: skip


def test_rule_5_a_yes_that_awaits_its_confirmation_is_no_consent_yet():
    """Rule 5: nothing is permitted until the mailed token is spent."""
    assert statuses.status(Act.GRANT, FORM, CONSENT, awaiting=True)[1] == ["dpv:ConsentRequested"]


def test_a_consent_that_the_company_took_away_by_merging_is_revoked_not_withdrawn():
    assert statuses.status(Act.WITHDRAW, Method.MERGED, CONSENT)[1] == ["dpv:ConsentRevoked"]


def test_rule_7_an_objection_to_an_interest_is_no_withdrawal():
    """Rule 7: objection (GDPR Art. 21) is not withdrawal."""
    assert statuses.status(Act.OBJECT, FORM, INTEREST) == ("dpv:hasStatus", ["dpv:LegitimateInterestObjected"])
    assert statuses.rights(Act.OBJECT, INTEREST) == ["eu-gdpr:A21", "eu-gdpr:A77"]


@pytest.mark.parametrize("basis", [LegalBasis.CONTRACT, LegalBasis.LEGAL_OBLIGATION])
def test_a_no_to_what_nobody_is_asked_for_is_a_request(basis):
    assert statuses.status(Act.OBJECT, FORM, basis) == ("dpv:hasStatus", ["dpv:RequestInitiated"])
    assert statuses.rights(Act.OBJECT, basis) == ["eu-gdpr:A77"]


@pytest.mark.parametrize(
    ("act", "type_"),
    [
        (Act.PAUSE, "dpv:ActivityHalted"),
        (Act.RESUME, "dpv:ActivityOngoing"),
        (Act.RESTRICT, "dpv:ActivityHalted"),
        (Act.LIFT, "dpv:ActivityOngoing"),
    ],
)
def test_what_concerns_everything_halts_or_goes_on(act, type_):
    assert statuses.status(act, FORM, None) == ("dpv:hasActivityStatus", [type_])


def test_every_act_has_a_status_on_every_basis():
    every = {
        (act, basis): statuses.status(act, method, basis)[1]
        for act in Act
        for method in Method
        for basis in (*LegalBasis, None)
    }
    assert [key for key, types in every.items() if not types] == []
    assert {types[0] for (act, _), types in every.items() if act in WHOLE_CUSTOMER} == {
        "dpv:ActivityHalted", "dpv:ActivityOngoing",
    }  # fmt: skip
