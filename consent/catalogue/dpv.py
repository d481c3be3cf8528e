"""PURE: what the catalogue says, in the words of the W3C Data Privacy Vocabulary (DPV) 2.3.

The one table between our words and theirs, for receipts, exports and records of processing. A catalogue may name terms
of its own for a purpose or a category (`dpv = ["dpv:DirectMarketing"]`); what it leaves out, and what is called as in
the shipped catalogue, is taken from here; all else gets the broadest term that is true of it.

Statements are recorded with a hash of these terms (`consent.catalogue.terms`). Whoever changes a line of the tables
gives `consent.catalogue.terms` a new version and keeps the old lines for it, or receipts of the past can't be made
again. A test holds what the shipped catalogue gives.

Source:
    https://w3id.org/dpv (version 2.3); ISO/IEC TS 27560:2023, as mapped in the group's guide of 15 February 2026.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from consent.catalogue.model import Category, LegalBasis, Operation, Origin, Purpose

VERSION: Final = "2.3"
PURPOSES: Final = "purposes"
DATA: Final = "personal data"

CONTEXT: Final[Mapping[str, str]] = {
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "legal-eu": "https://w3id.org/dpv/legal/eu#",
    "pd": "https://w3id.org/dpv/pd#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
"""Prefix → what it stands for, as a JSON-LD context has it."""

GDPR: Final = "legal-eu:law-GDPR"
KEEPING: Final = "dpv:RecordManagement"
"""The purpose of remembering, which is asked for apart from every use."""

UNNAMED: Final = "dpv:PersonalData"
"""Data of which the catalogue says no more than that there are some."""

_VOCABULARY: Final = Path(__file__).with_name("dpv-2.3.txt")

_PURPOSES: Final[Mapping[str, tuple[str, ...]]] = {
    "service": ("dpv:RequestedServiceProvision", "dpv:CustomerCare"),
    "recommendations": ("dpv:ServicePersonalisation", "dpv:ProvideProductRecommendations"),
    "newsletter": ("dpv:DirectMarketing",),
    "measurement": ("dpv:ServiceOptimisation",),
}
_CATEGORIES: Final[Mapping[str, tuple[str, ...]]] = {
    "identity": ("pd:Country",),
    "purchases": ("pd:Purchase", "pd:PurchasesAndSpendingHabit"),
    "interests": ("pd:Interest",),
    "browsing": ("pd:BrowsingBehaviour",),
    "preferences": ("pd:Preference", "pd:Language"),
    "responses": ("pd:Interaction", "pd:LinkClicked"),
}
_CHANNELS: Final[Mapping[str, tuple[str, ...]]] = {
    "email": ("pd:EmailAddress",),
    "sms": ("pd:TelephoneNumber",),
    "phone": ("pd:TelephoneNumber",),
    "post": ("pd:PhysicalAddress",),
}
_ORIGINS: Final[Mapping[Origin, str]] = {
    "provided": "dpv:ProvidedPersonalData",
    "observed": "dpv:ObservedPersonalData",
    "derived": "dpv:DerivedPersonalData",
    "inferred": "dpv:InferredPersonalData",
}
_REMEMBERED: Final[Mapping[Origin, tuple[str, ...]]] = {
    "provided": ("dpv:Collect", "dpv:Store"),
    "observed": ("dpv:Observe", "dpv:Store"),
    "derived": ("dpv:Derive", "dpv:Store"),
    "inferred": ("dpv:Infer", "dpv:Store"),
}
_BASES: Final[Mapping[LegalBasis, str]] = {
    LegalBasis.CONSENT: "eu-gdpr:A6-1-a",
    LegalBasis.EXPLICIT_CONSENT: "eu-gdpr:A9-2-a",
    LegalBasis.CONTRACT: "eu-gdpr:A6-1-b",
    LegalBasis.LEGAL_OBLIGATION: "eu-gdpr:A6-1-c",
    LegalBasis.LEGITIMATE_INTEREST: "eu-gdpr:A6-1-f",
}
_SPECIAL: Final = "dpv:SpecialCategoryPersonalData"
_MARKETING: Final = "dpv:DirectMarketing"


@cache
def vocabulary(kind: str) -> frozenset[str]:
    """Return the published terms that a catalogue may name, for `PURPOSES` or for `DATA`.

    >>> "dpv:DirectMarketing" in vocabulary(PURPOSES), "pd:Purchase" in vocabulary(PURPOSES)
    (True, False)
    """
    _, _, after = _VOCABULARY.read_text(encoding="utf-8").partition(f"\n[{kind}]\n")
    return frozenset(after.partition("\n\n")[0].split())


def purpose_terms(purpose: Purpose) -> tuple[str, ...]:
    """Return the purposes of which this one is a case.

    >>> purpose_terms(Purpose(key="raffle", title="Raffle", description="We draw lots.", marketing=True))
    ('dpv:Marketing',)
    """
    return purpose.dpv or _PURPOSES.get(purpose.key) or ("dpv:Marketing" if purpose.marketing else "dpv:Purpose",)


def reaching_terms(purpose: Purpose) -> tuple[str, ...]:
    """Return the purposes of a message: to be sent one for a marketing purpose is direct marketing, whatever it says.

    >>> reaching_terms(Purpose(key="recommendations", title="", description="", marketing=True))[-1]
    'dpv:DirectMarketing'
    """
    terms = purpose_terms(purpose)
    return (*terms, _MARKETING) if purpose.marketing and _MARKETING not in terms else terms


def data_terms(category: Category) -> tuple[str, ...]:
    """Return the kinds of personal data of which this category is one; a special one says so.

    >>> data_terms(Category(key="purchases", title="", origin="observed", special=False, attributes=()))
    ('pd:Purchase', 'pd:PurchasesAndSpendingHabit')
    """
    terms = category.dpv or _CATEGORIES.get(category.key) or (UNNAMED,)
    return (*terms, _SPECIAL) if category.special and _SPECIAL not in terms else terms


def address_terms(channel: str) -> tuple[str, ...]:
    """Return the kind of address that a channel needs.

    >>> address_terms("email"), address_terms("carrier_pigeon")
    (('pd:EmailAddress',), ('pd:Contact',))
    """
    return _CHANNELS.get(channel, ("pd:Contact",))


def origin_term(origin: Origin) -> str:
    """Return how data of an origin are called."""
    return _ORIGINS[origin]


def operation_terms(operation: Operation, *, origin: Origin = "provided", marketing: bool = False) -> tuple[str, ...]:
    """Return what is done to data under a scope of this operation.

    Args:
        operation: the scope's.
        origin: of the data; to remember inferred data is to infer them too.
        marketing: the purpose is; to use data in order to choose what to offer to whom is profiling (GDPR Art. 4(4)).

    >>> operation_terms("remember", origin="inferred"), operation_terms("use", marketing=True)
    (('dpv:Infer', 'dpv:Store'), ('dpv:Use', 'dpv:Profiling'))
    """
    match operation:
        case "remember":
            return _REMEMBERED[origin]
        case "use":
            return ("dpv:Use", "dpv:Profiling") if marketing else ("dpv:Use",)
        case "contact":
            return ("dpv:Use",)
        case "share":
            return ("dpv:Share",)


def basis_term(basis: LegalBasis) -> str:
    """Return the article that a scope stands on."""
    return _BASES[basis]
