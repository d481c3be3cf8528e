"""The catalogue as values: what may be asked, on which legal basis, in which words."""

import hashlib
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Literal

from consent.base.clock import EPOCH
from consent.base.ids import Scope
from consent.catalogue.duration import Duration

Operation = Literal["remember", "use", "contact", "share"]
Origin = Literal["provided", "observed", "derived", "inferred"]
AttributeType = Literal["number", "integer", "boolean", "text", "time"]
_PYTHON: Final[Mapping[AttributeType, frozenset[type]]] = {
    "number": frozenset({float, int}),
    "integer": frozenset({int}),
    "boolean": frozenset({bool}),
    "text": frozenset({str}),
    "time": frozenset({int}),
}
_MOST: Final[Mapping[type, float]] = {float: sys.float_info.max, int: 2**53 - 1, bool: 1}
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
UNPUBLISHED: Final = 0
NO_BIT: Final = -1


class LegalBasis(StrEnum):
    """Why a scope may stand (GDPR Art. 6 and, for special categories, Art. 9)."""

    CONSENT = "consent"
    EXPLICIT_CONSENT = "explicit_consent"
    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal_obligation"
    LEGITIMATE_INTEREST = "legitimate_interest"


ASKED: Final = frozenset({LegalBasis.CONSENT, LegalBasis.EXPLICIT_CONSENT})
"""The bases on which nothing is permitted until the customer says yes."""

SERVICE: Final = frozenset({LegalBasis.CONTRACT, LegalBasis.LEGAL_OBLIGATION})
"""The bases that serve what the customer ordered, or the law."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """A fact that may be remembered; it belongs to exactly one category."""

    name: str
    category: str
    type: AttributeType

    def admits(self, values: Iterable[object]) -> bool:
        """Say whether all values are of the attribute's type; None, for what isn't known, always is.

        Numbers are finite, whole numbers within ±(2^53 − 1), times whole milliseconds since 1970, texts free of
        surrogates.

        >>> spent = Attribute(name="spent", category="purchases", type="number")
        >>> spent.admits([12.5, 3, None]), spent.admits([True]), spent.admits([float("nan")])
        (True, False, False)
        """
        told = [value for value in values if value is not None]
        if not set(map(type, told)) <= _PYTHON[self.type]:
            return False
        if self.type == "text":
            return not any(map(_SURROGATE.search, map(str, told)))
        return all(isinstance(value, float | int) and abs(value) <= _MOST[type(value)] for value in told)


def in_language(language: str, words: Mapping[str, str], otherwise: str) -> str:
    """Return words in the language that is asked for, in its parent, or what they are otherwise.

    >>> in_language("de-AT", {"de": "Brief"}, "Letter"), in_language("fr", {"de": "Brief"}, "Letter")
    ('Brief', 'Letter')
    """
    return words.get(language, words.get(language.partition("-")[0], otherwise))


@dataclass(frozen=True, slots=True, kw_only=True)
class Titled:
    """What customers know by a title, which may be said in more languages than the catalogue's own."""

    key: str
    title: str
    titles: Mapping[str, str] = field(default_factory=dict, hash=False)

    def title_in(self, language: str) -> str:
        """Return the title in a language, as far as it has one."""
        return in_language(language, self.titles, self.title)


@dataclass(frozen=True, slots=True, kw_only=True)
class Category(Titled):
    """A kind of data, by where it comes from."""

    origin: Origin
    special: bool
    attributes: tuple[Attribute, ...]
    dpv: tuple[str, ...] = ()
    """Terms of the W3C Data Privacy Vocabulary for it; empty leaves them to the table in `consent.catalogue.dpv`."""
    sources: tuple[str, ...] = ()
    """The categories that it is made from, where it is derived or inferred."""
    unpriced: tuple[str, ...] = ()
    """Attributes of it that neither prices nor terms may depend on, such as how long somebody has been a customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose(Titled):
    """What data are used for; `marketing` sets it apart from service."""

    description: str
    marketing: bool
    dpv: tuple[str, ...] = ()
    """As of `Category`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel(Titled):
    """A way to reach a customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient(Titled):
    """Somebody that data may be shared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """Who asks, and answers for it: as he is named in receipts, exports and records. What is not said is empty."""

    name: str
    address: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """The wording shown when asking: one version, in each language."""

    key: str
    version: int
    material: bool
    wording: Mapping[str, str]
    since: datetime = field(default=EPOCH, compare=False)
    """When it was published; without a meaning before it is."""

    def digest(self, language: str) -> str:
        """Return the SHA-256 of the wording's bytes, in hex."""
        return hashlib.sha256(self.wording[language].encode()).hexdigest()

    def spoken(self, language: str) -> str:
        """Return the language in which the wording is shown to whoever asks for one: that, its parent, English.

        >>> Notice(key="a", version=1, material=True, wording={"en": "May we?", "de": "Dürfen wir?"}).spoken("de-AT")
        'de'
        """
        asked = (language, language.partition("-")[0], "en")
        return next((code for code in asked if code in self.wording), next(iter(self.wording)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeRule:
    """The rule of one scope. `bit` is `NO_BIT` until the catalogue is published."""

    scope: Scope
    operation: Operation
    target: str
    purpose: str
    legal_basis: LegalBasis
    notice: str
    benefit: str
    validity: Duration | None
    retention: Duration | None
    double_opt_in: bool
    minimum_age: int
    gpc: bool
    order: int
    bit: int = NO_BIT
    material_since: int = 0
    """The lowest notice version whose consents still count."""
    remind_days: int = -1
    """So many days before a consent ends its customer is reminded; -1 leaves it to the deployment."""
    benefits: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The benefit in more languages."""

    def benefit_in(self, language: str) -> str:
        """Return the benefit in a language, as far as it is said in it."""
        return in_language(language, self.benefits, self.benefit)


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """All purposes, categories, channels and scopes: one version of them."""

    name: str
    version: int
    body: str
    purposes: Mapping[str, Purpose]
    categories: Mapping[str, Category]
    channels: Mapping[str, Channel]
    recipients: Mapping[str, Recipient]
    notices: Mapping[tuple[str, int], Notice]
    scopes: Mapping[str, ScopeRule]
    controller: Controller = Controller(name="")
    worded: Mapping[tuple[str, int], Notice] = field(default_factory=dict, repr=False)
    """Every notice version that was published, also those that are no longer in the file."""

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the file's bytes."""
        return hashlib.sha256(self.body.encode()).digest()

    @cached_property
    def attributes(self) -> Mapping[str, Attribute]:
        """Every attribute by its name."""
        found = {item.name: item for category in self.categories.values() for item in category.attributes}
        return MappingProxyType(found)

    @cached_property
    def hashed_terms(self) -> dict[object, bytes]:
        """Hashes of terms that `consent.catalogue.terms` has worked out for this catalogue, which never changes."""
        return {}

    @cached_property
    def forms(self) -> dict[Any, Any]:
        """What this catalogue fixes for statements of each form, as `consent.register.rules` has worked it out."""
        return {}

    @cached_property
    def in_order(self) -> tuple[ScopeRule, ...]:
        """The scopes in the order in which they are presented."""
        return tuple(sorted(self.scopes.values(), key=lambda rule: (rule.order, rule.scope)))

    @cached_property
    def _newest(self) -> Mapping[str, Notice]:
        """The newest version of each notice: every statement asks for one a scope."""
        return {notice.key: notice for notice in sorted(self.notices.values(), key=lambda notice: notice.version)}

    def current_notice(self, key: str) -> Notice | None:
        """Return the newest version of a notice."""
        return self._newest.get(key)

    def notice_at(self, key: str, at: datetime) -> Notice | None:
        """Return the newest version of a notice that was published by `at`: nobody was shown a later one before."""
        newest = self._newest.get(key)
        if newest is None or at >= self.worded_since:
            return newest
        shown = [one for one in self.worded.values() if one.key == key and one.since <= at]
        return max(shown, key=lambda one: one.version, default=None)

    def notice_of(self, key: str, version: int) -> Notice | None:
        """Return one version of a notice, also one that was published once and has left the file."""
        return self.notices.get((key, version)) or self.worded.get((key, version))

    @cached_property
    def worded_since(self) -> datetime:
        """When the youngest of its wordings was published; from then on the newest is what everybody is shown."""
        return max((one.since for one in self.worded.values()), default=EPOCH)


def published(
    catalogue: Catalogue,
    version: int,
    bits: Mapping[str, int],
    worded: Mapping[tuple[str, int], Notice] = MappingProxyType({}),
) -> Catalogue:
    """Return the catalogue as published: with its number, a bit for every scope, and every wording there was."""
    scopes = {scope: replace(rule, bit=bits[scope]) for scope, rule in catalogue.scopes.items()}
    return replace(catalogue, version=version, scopes=MappingProxyType(scopes), worded=worded)
