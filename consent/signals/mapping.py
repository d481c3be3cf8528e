"""PURE: what signals mean in the company's own scopes: the tables `[tcf]` and `[us]` of a TOML file.

    [tcf]
    role = "vendor"                 # or "publisher": then the publisher's own purposes are read, and `vendor` left out
    vendor = 755                    # our number on the vendor list
    cmps = [31]                     # the consent platforms that are believed; others' strings say nothing
    [[tcf.purpose]]
    number = 4
    scopes = ["use:browsing:recommendations"]
    [[tcf.special_feature]]
    number = 1
    scopes = ["remember:place"]
    [[tcf.custom_purpose]]          # the publisher's own
    number = 2
    scopes = ["contact:email:newsletter"]

    [[us.opt_out]]                  # in any section of the United States; SaleOptOut in the US Privacy string as well
    field = "SaleOptOut"
    scopes = ["share:partners:advertising"]
    [[us.consent]]                  # items are numbered differently by each section
    section = "usnat"
    field = "SensitiveDataProcessing"
    item = 8
    scopes = ["remember:place"]

Which bits count follows from the scope's legal basis in the catalogue: consents for what stands on consent, objections
and opt-outs for legitimate interest. A scope that stands on contract or law can't be mapped: no signal speaks of it.

A yes needs everything that is mapped to its scope to be a yes; one no is a no, and an objection more than that. A zero
is a no only where the string shows that he was asked: the vendor is among those disclosed, or the publisher's own
purposes are there. Whatever else a string says, or doesn't, leaves the scope unknown.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final

from consent.base.clock import rfc3339
from consent.base.errors import Place
from consent.base.form import Form
from consent.base.ids import Scope
from consent.catalogue.model import ASKED, Catalogue, LegalBasis
from consent.signals import us
from consent.signals.bits import GREATEST_ID
from consent.signals.gpp import GppString
from consent.signals.tcf import Restriction, TcString
from consent.signals.us import Answer, Consent, UsSection
from consent.signals.usp import UsPrivacy

TABLES: Final = ("tcf", "us")
_ROLES: Final = ("vendor", "publisher")
_DAY: Final = timedelta(days=1) - timedelta(milliseconds=1)
_SALE: Final = "SaleOptOut"
_MOST: Final = {"purpose": 24, "special_feature": 12, "custom_purpose": 63}
_LAST_CMP: Final = 4_095
_SPOKEN_OF: Final = ASKED | {LegalBasis.LEGITIMATE_INTEREST}
_FIELDS: Final = frozenset(
    field for layouts in us.SECTIONS.values() for layout in layouts for field, _ in layout.fields
)
_OPT_OUTS: Final = tuple(sorted(field for field in _FIELDS if field.endswith("OptOut")))
_CONSENTS: Final = (us.SENSITIVE, us.CHILDREN, "PersonalDataConsents", "AdditionalDataProcessingConsent")
_SECTIONS: Final = tuple(layouts[0].name for layouts in us.SECTIONS.values())


class Says(StrEnum):
    """What a signal says of one scope."""

    YES = "yes"
    NO = "no"
    OBJECTION = "objection"


_STRICTEST: Final = (Says.OBJECTION, Says.NO)
_CONSENTED: Final[Mapping[int, Says | None]] = {
    Consent.NOT_APPLICABLE: None,
    Consent.NO: Says.NO,
    Consent.YES: Says.YES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """One thing that a signal can say, and the scopes that it says it of. `where` is the field or kind of number."""

    where: str
    number: int
    scopes: tuple[Scope, ...]
    section: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalMapping:
    """What signals mean in the scopes of one catalogue."""

    vendor: int
    """Our number on the vendor list; 0 where the publisher's own purposes are read."""
    cmps: frozenset[int]
    tcf: tuple[Meaning, ...]
    opt_outs: tuple[Meaning, ...]
    consents: tuple[Meaning, ...]
    bases: Mapping[Scope, LegalBasis]
    """The legal basis of every mapped scope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one signal says in our scopes.

    The time of a choice may be known to the day only. A yes counts from the earliest time that it can have been made
    (`earliest`), a no from the latest (`latest`); None where the signal bears no time at all.
    """

    source: str
    """What was heard, for the evidence: "TCF 2.3, CMP 31 …"."""
    says: Mapping[Scope, Says] = field(default_factory=dict)
    gpc: bool = False
    earliest: datetime | None = None
    latest: datetime | None = None


# ------------------------------------------------------------------------------------------------------------- reading


def read_signals(table: Mapping[str, Any], catalogue: Catalogue, places: list[Place]) -> SignalMapping:
    """Read the tables `tcf` and `us` of a file, noting every place that is wrong."""
    top = Form({name: table[name] for name in TABLES if name in table}, "", places)
    tcf, states = top.form("tcf", required=False), top.form("us", required=False)
    role = tcf.choice("role", _ROLES) if "tcf" in table else ""
    vendor = tcf.integer("vendor", low=1, high=GREATEST_ID) if role == "vendor" else 0
    cmps = tcf.integers("cmps", (), low=2, high=_LAST_CMP)
    kinds = ("purpose", "special_feature", *(("custom_purpose",) if role == "publisher" else ()))
    numbered = tuple(meaning for kind in kinds for meaning in _numbered(tcf, kind, catalogue))
    opt_outs, consents = tuple(_opt_outs(states, catalogue)), tuple(_consents(states, catalogue))
    tcf.unknown()
    states.unknown()
    mapped = (scope for meaning in (*numbered, *opt_outs, *consents) for scope in meaning.scopes)
    return SignalMapping(
        vendor=vendor,
        cmps=frozenset(cmps),
        tcf=numbered,
        opt_outs=opt_outs,
        consents=consents,
        bases={scope: catalogue.scopes[scope].legal_basis for scope in mapped},
    )


def _numbered(form: Form, kind: str, catalogue: Catalogue) -> Iterator[Meaning]:
    for one in form.forms(kind):
        number = one.integer("number", low=1, high=_MOST[kind])
        yield Meaning(where=kind, number=number, scopes=_scopes(one, catalogue))
        one.unknown()


def _opt_outs(form: Form, catalogue: Catalogue) -> Iterator[Meaning]:
    for one in form.forms("opt_out"):
        where = one.choice("field", _OPT_OUTS)
        yield Meaning(where=where, number=1, scopes=_scopes(one, catalogue))
        one.unknown()


def _consents(form: Form, catalogue: Catalogue) -> Iterator[Meaning]:
    for one in form.forms("consent"):
        section, where = one.choice("section", _SECTIONS), one.choice("field", _CONSENTS)
        item = one.integer("item", 1, low=1, high=_items(section, where) or 1)
        if section in _SECTIONS and where in _CONSENTS and not _items(section, where):
            one.wrong("field", f"is not in the section {section}")
        yield Meaning(where=where, number=item, scopes=_scopes(one, catalogue, asked=True), section=section)
        one.unknown()


def _items(section: str, where: str) -> int:
    """Return how many answers a field of a section has in its newest version; 0 where there is no such field."""
    newest = next((layouts[-1] for layouts in us.SECTIONS.values() if layouts[-1].name == section), None)
    if newest is None:
        return 0
    if where == us.SENSITIVE and newest.tail is us.Tail.SENSITIVE:
        return us.SENSITIVE_ITEMS
    return dict(newest.fields).get(where, 0)


def _scopes(form: Form, catalogue: Catalogue, *, asked: bool = False) -> tuple[Scope, ...]:
    """Read the scopes of a meaning; with `asked`, only those that stand on consent."""
    found = []
    given = form.texts("scopes")
    if not given:
        form.wrong("scopes", "names none")
    for scope in given:
        rule = catalogue.scopes.get(scope)
        if rule is None:
            near = get_close_matches(scope, catalogue.scopes, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            form.wrong("scopes", f"{scope[:80]} is not in the catalogue{hint}")
        elif rule.legal_basis not in (ASKED if asked else _SPOKEN_OF):
            form.wrong("scopes", f"{scope} stands on {rule.legal_basis}: no such signal speaks of it")
        else:
            found.append(rule.scope)
    return tuple(found)


# ------------------------------------------------------------------------------------------------------------- hearing


def heard_tcf(mapping: SignalMapping, string: TcString) -> Heard:
    """Return what a TC string says in our scopes."""
    source = (
        f"TCF {string.framework}{' (legacy)' if string.legacy else ''}, CMP {string.cmp} version {string.cmp_version}, "
        f"screen {string.screen} in {string.language}, vendor list {string.vendor_list}, {rfc3339(string.updated)}"
    )
    earliest = latest = string.updated
    if not (earliest.hour or earliest.minute or earliest.second or earliest.microsecond):
        latest = earliest + _DAY  # known to the day only
    says: Mapping[Scope, Says] = {}
    if not mapping.cmps or string.cmp in mapping.cmps:
        says = _together(
            (scope, _said_in(string, meaning, mapping.vendor, consent=mapping.bases[scope] in ASKED))
            for meaning in mapping.tcf
            for scope in meaning.scopes
        )
    return Heard(source=source, says=says, earliest=earliest, latest=latest)


def heard_us(mapping: SignalMapping, sections: Mapping[str, UsSection]) -> Heard:
    """Return what the sections of the United States say together in our scopes."""
    names = ", ".join(f"{name} (version {section.version})" for name, section in sections.items())
    said = [
        *(
            (scope, _opted(section.of(meaning.where), mapping.bases[scope]))
            for section in sections.values()
            for meaning in mapping.opt_outs
            for scope in meaning.scopes
        ),
        *(
            (scope, _CONSENTED[sections[meaning.section].of(meaning.where, meaning.number)])
            for meaning in mapping.consents
            if meaning.section in sections
            for scope in meaning.scopes
        ),
    ]
    return Heard(source=f"GPP {names}", says=_together(said), gpc=any(each.gpc for each in sections.values()))


def heard_usp(mapping: SignalMapping, string: UsPrivacy) -> Heard:
    """Return what a US Privacy string says in our scopes: whether he opted out of sale."""
    said = (
        (scope, _opted(Answer.OPTED_OUT if string.opted_out else Answer.NOT_APPLICABLE, mapping.bases[scope]))
        for meaning in mapping.opt_outs
        if meaning.where == _SALE
        for scope in meaning.scopes
    )
    return Heard(source="US Privacy 1", says=_together(said))


def heard_gpp(mapping: SignalMapping, string: GppString) -> list[Heard]:
    """Return what a GPP string says in our scopes, by each framework that it speaks for."""
    heard = []
    if string.tcf:
        heard.append(heard_tcf(mapping, string.tcf))
    if string.usp:
        heard.append(heard_usp(mapping, string.usp))
    if string.us:
        heard.append(heard_us(mapping, string.us))
    return heard


def _said_in(string: TcString, meaning: Meaning, vendor: int, *, consent: bool) -> Says | None:
    """Return what a TC string says of one purpose or feature; None for nothing.

    Args:
        string: that was read.
        meaning: which purpose, special feature or custom purpose.
        vendor: our number; 0 reads the publisher's own purposes.
        consent: whether the scope stands on consent; else on legitimate interest.
    """
    number = meaning.number
    if meaning.where == "purpose" and number == 1 and string.purpose_one_treatment:
        return None  # it was not disclosed at all
    if meaning.where == "special_feature":
        given = number in string.special_features and (not vendor or vendor in string.vendor_consents)
        return _answer(string, given, asked=_asked(string, vendor), consent=True)
    if vendor:
        return _said_to_vendor(string, number, vendor, consent=consent)
    own = string.publisher
    if own is None or (meaning.where == "custom_purpose" and number > own.custom_purposes):
        return None
    if meaning.where == "custom_purpose":
        given = number in (own.custom_consents if consent else own.custom_legitimate_interests)
    else:
        given = number in (own.consents if consent else own.legitimate_interests)
    return _answer(string, given, asked=True, consent=consent)


def _said_to_vendor(string: TcString, purpose: int, vendor: int, *, consent: bool) -> Says | None:
    restriction = string.restricted(purpose, vendor)
    other = Restriction.REQUIRE_LEGITIMATE_INTEREST if consent else Restriction.REQUIRE_CONSENT
    if restriction in (Restriction.NOT_ALLOWED, other):
        return None  # the publisher's word, not the customer's: on this basis he was not asked
    if consent:
        given = purpose in string.consents and vendor in string.vendor_consents
    else:
        given = purpose in string.legitimate_interests and vendor in string.vendor_legitimate_interests
    return _answer(string, given, asked=_asked(string, vendor), consent=consent)


def _asked(string: TcString, vendor: int) -> bool:
    """Say whether the string shows that he was asked by us, or for us."""
    return vendor in (string.disclosed or ()) if vendor else string.publisher is not None


def _answer(string: TcString, given: bool, *, asked: bool, consent: bool) -> Says | None:  # noqa: FBT001 -- the bit that was read
    if given:
        counts = (asked or string.disclosed is None) and not string.lapsed
        return Says.YES if consent and counts else None
    if not asked:
        return None
    return Says.NO if consent else Says.OBJECTION


def _opted(answer: int, basis: LegalBasis) -> Says | None:
    if answer != Answer.OPTED_OUT:
        return None
    return Says.NO if basis in ASKED else Says.OBJECTION


def _together(said: Iterable[tuple[Scope, Says | None]]) -> dict[Scope, Says]:
    """Put together what is said of each scope: the strictest counts, and a yes only where nothing is unknown."""
    by_scope: dict[Scope, set[Says | None]] = {}
    for scope, each in said:
        by_scope.setdefault(scope, set()).add(each)
    found = {}
    for scope, all_of_it in by_scope.items():
        strictest = next((each for each in _STRICTEST if each in all_of_it), None)
        if strictest or all_of_it == {Says.YES}:
            found[scope] = strictest or Says.YES
    return found
