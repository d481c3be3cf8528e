"""PURE: what an act is called in the W3C Data Privacy Vocabulary, by the legal basis that it concerns."""

from collections.abc import Mapping
from typing import Final

from consent.catalogue.model import ASKED, LegalBasis
from consent.permission.statement import Act, Method

PENDING: Final = ("dpv:ConsentRequested",)
"""A yes that awaits its confirmation: until then it is a question."""

EXPRESSED: Final[Mapping[LegalBasis, str]] = {
    LegalBasis.CONSENT: "dpv:ExpressedConsent",
    LegalBasis.EXPLICIT_CONSENT: "dpv:ExplicitlyExpressedConsent",
}
COMPANYS: Final = frozenset({Act.REQUEST, Act.INVALIDATE})
"""Acts of the company; all others are the customer's."""

_CONSENT: Final[Mapping[Act, tuple[str, ...]]] = {
    Act.REQUEST: ("dpv:ConsentRequested",),
    Act.GRANT: ("dpv:ConsentGiven",),
    Act.REFUSE: ("dpv:ConsentRefused",),
    Act.WITHDRAW: ("dpv:ConsentWithdrawn",),
    Act.OBJECT: ("dpv:ConsentWithdrawn",),
    Act.RENEW: ("dpv:RenewedConsentGiven",),
    Act.INVALIDATE: ("dpv:ConsentRevoked", "dpv:ConsentInvalidated"),
}
_INTEREST: Final[Mapping[Act, tuple[str, ...]]] = {
    Act.REQUEST: ("dpv:LegitimateInterestInformed",),
    Act.REFUSE: ("dpv:LegitimateInterestObjected",),
    Act.WITHDRAW: ("dpv:LegitimateInterestObjected",),
    Act.OBJECT: ("dpv:LegitimateInterestObjected",),
}
_WHOLE: Final[Mapping[Act, tuple[str, ...]]] = {
    Act.PAUSE: ("dpv:ActivityHalted",),
    Act.RESUME: ("dpv:ActivityOngoing",),
    Act.RESTRICT: ("dpv:ActivityHalted",),
    Act.LIFT: ("dpv:ActivityOngoing",),
}
_REVOKED: Final = ("dpv:ConsentRevoked",)
_RIGHTS: Final[Mapping[LegalBasis, str]] = {
    LegalBasis.CONSENT: "eu-gdpr:A7-3",
    LegalBasis.EXPLICIT_CONSENT: "eu-gdpr:A7-3",
    LegalBasis.LEGITIMATE_INTEREST: "eu-gdpr:A21",
}
_COMPLAINT: Final = "eu-gdpr:A77"
_OF_CONSENT: Final = "dpv:hasConsentStatus"
_ACTIVITY: Final = "dpv:hasActivityStatus"
_OTHER: Final = "dpv:hasStatus"


def status(act: Act, method: Method, basis: LegalBasis | None, *, awaiting: bool = False) -> tuple[str, list[str]]:
    """Return what an act makes of one scope: the property, and the types of its status.

    Args:
        act: of the statement.
        method: how it was made. What follows from joining two records is the company's doing: the consent is revoked.
        basis: the scope's; None where nothing tells, or where the act concerns no one scope.
        awaiting: a yes that is still to be confirmed.

    >>> status(Act.GRANT, Method.WEB_FORM, LegalBasis.CONSENT)[1]
    ['dpv:ConsentGiven', 'dpv:ExpressedConsent']
    >>> status(Act.PAUSE, Method.WEB_FORM, None)
    ('dpv:hasActivityStatus', ['dpv:ActivityHalted'])
    """
    if act in _WHOLE:
        return _ACTIVITY, list(_WHOLE[act])
    if basis is LegalBasis.LEGITIMATE_INTEREST:
        return _OTHER, list(_INTEREST.get(act, ("dpv:LegitimateInterestStatus",)))
    if basis is not None and basis not in ASKED:
        # Nobody is asked here; whoever says no all the same asks the company to stop.
        return _OTHER, ["dpv:RequestInitiated" if act not in COMPANYS else "dpv:Status"]
    if method is Method.MERGED and act is Act.WITHDRAW:
        return _OF_CONSENT, list(_REVOKED)
    if awaiting:
        return _OF_CONSENT, list(PENDING)
    given = [EXPRESSED[basis]] if basis and act in (Act.GRANT, Act.RENEW) else []
    return _OF_CONSENT, [*_CONSENT[act], *given]


def rights(act: Act, basis: LegalBasis | None) -> list[str]:
    """Return the rights that a receipt reminds of: how to take it back, and where to complain.

    >>> rights(Act.GRANT, LegalBasis.CONSENT), rights(Act.RESTRICT, None)
    (['eu-gdpr:A7-3', 'eu-gdpr:A77'], ['eu-gdpr:A18', 'eu-gdpr:A77'])
    """
    own = "eu-gdpr:A18" if act in (Act.RESTRICT, Act.LIFT) else _RIGHTS.get(basis, "") if basis else ""
    return [own, _COMPLAINT] if own else [_COMPLAINT]
