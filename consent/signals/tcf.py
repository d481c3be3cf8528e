"""TC strings of IAB Europe's Transparency and Consent Framework, versions 2.0 to 2.3.

A string is segments of bits in base64url, joined by dots: the core first, then in any order the vendors disclosed, the
publisher's own purposes, and (up to 2.2) the vendors allowed. Version 2.3 makes the vendors disclosed mandatory: since
then a zero says that somebody was asked and didn't agree, where before it could mean that nobody asked him. A string
of an older version is read all the same, and marked.

Source:
    IAB Tech Lab, Transparency and Consent String with Global Vendor & CMP List Formats, v2.3 (April 2025, final July
    2025): "TC String Format", "The Core String", "Disclosed Vendors", "Publisher Purposes Transparency and Consent".
    IAB Europe's policies number the framework's own versions: 2 and 3 are TCF 2.0 and 2.1, 4 is 2.2, 5 is 2.3.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Final

from consent.signals.bits import Bits, Ids, refusal, short_enough

DISCLOSED_SINCE: Final = datetime(2026, 3, 1, tzinfo=UTC)
"""Strings made from here on aren't valid without the vendors disclosed, whatever version they name."""

_VERSION: Final = 2
_CORE: Final = "core"
_DISCLOSED: Final = "vendors disclosed"
_ALLOWED: Final = "vendors allowed"
_PUBLISHER: Final = "publisher's purposes"
_SEGMENTS: Final = {1: _DISCLOSED, 2: _ALLOWED, 3: _PUBLISHER}
_POLICY_22: Final = 4
_POLICY_23: Final = 5
_DOTS: Final = 8
"""More segments than this are no string of any version."""


class Framework(StrEnum):
    """The version of the framework under which a string was made."""

    V2_0 = "2.0"
    """2.0 or 2.1: their strings don't differ."""
    V2_2 = "2.2"
    V2_3 = "2.3"


class Restriction(IntEnum):
    """What a publisher says of a purpose, for some vendors."""

    NOT_ALLOWED = 0
    REQUIRE_CONSENT = 1
    REQUIRE_LEGITIMATE_INTEREST = 2


_RESTRICTIONS: Final = frozenset(map(int, Restriction))


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """What somebody allows the publisher himself, by purposes of the framework and by purposes of his own."""

    consents: Ids
    legitimate_interests: Ids
    custom_purposes: int
    custom_consents: Ids
    custom_legitimate_interests: Ids


@dataclass(frozen=True, slots=True, kw_only=True)
class TcString:
    """A TC string, read."""

    created: datetime
    updated: datetime
    """When somebody last chose. Since 2.2 to the day: at midnight."""
    cmp: int
    cmp_version: int
    screen: int
    language: str
    vendor_list: int
    policy: int
    service_specific: bool
    non_standard_texts: bool
    special_features: Ids
    consents: Ids
    """Purposes that he agreed to."""
    legitimate_interests: Ids
    """Purposes on legitimate interest that were disclosed, and to which he did not object."""
    purpose_one_treatment: bool
    country: str
    """Of the publisher."""
    vendor_consents: Ids
    vendor_legitimate_interests: Ids
    restrictions: Mapping[tuple[int, Restriction], Ids]
    """Vendors by purpose and restriction."""
    disclosed: Ids | None = None
    """Vendors that were shown to him; None where the string doesn't tell."""
    allowed: Ids | None = None
    publisher: Publisher | None = None

    @property
    def framework(self) -> Framework:
        """The version of the framework, by the policy that the string names."""
        if self.policy >= _POLICY_23:
            return Framework.V2_3
        return Framework.V2_2 if self.policy == _POLICY_22 else Framework.V2_0

    @property
    def legacy(self) -> bool:
        """Whether the string was made under a version before 2.3, or lacks what 2.3 makes mandatory."""
        return self.framework is not Framework.V2_3 or self.disclosed is None

    @property
    def lapsed(self) -> bool:
        """Whether the framework itself takes it no more: of 2.3, or of its time, and without the vendors disclosed."""
        return self.disclosed is None and (self.framework is Framework.V2_3 or self.updated >= DISCLOSED_SINCE)

    def restricted(self, purpose: int, vendor: int) -> Restriction | None:
        """Return what the publisher says of a purpose for a vendor; the strictest, if several."""
        found = (kind for kind in Restriction if vendor in self.restrictions.get((purpose, kind), Ids()))
        return next(found, None)


def read(text: str) -> TcString:
    """Read a TC string.

    Raises:
        SignalInvalid: naming the segment and the field.

    >>> read("CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA").framework
    <Framework.V2_0: '2.0'>
    """
    core, *others = short_enough(text, "TC string").split(".", _DOTS)
    read_core = _core(Bits(core, _CORE))
    segments: dict[str, Bits] = {}
    for number, segment in enumerate(others, 2):
        bits = Bits(segment, f"segment {number}")
        bits.segment = name = _SEGMENTS.get(bits.whole(3, "type"), "")
        if not name:
            raise refusal(f"segment {number}, type", "is none of the framework's")
        if name in segments:
            raise refusal(name, "stands twice")
        segments[name] = bits
    return replace(
        read_core,
        disclosed=_vendors(segments.get(_DISCLOSED)),
        allowed=_vendors(segments.get(_ALLOWED)),
        publisher=_publisher(segments.get(_PUBLISHER)),
    )


def _core(bits: Bits) -> TcString:
    """Read the core; what is in the other segments is not known yet."""
    version = bits.whole(6, "version")
    if version == 1:
        raise bits.wrong("version", "is 1: such strings have not been valid since 2020")
    if version != _VERSION:
        raise bits.wrong("version", f"is {version}, where 2 is the only one in use")
    read_core = TcString(
        created=bits.time("created"),
        updated=bits.time("last updated"),
        cmp=bits.whole(12, "CMP"),
        cmp_version=bits.whole(12, "CMP version"),
        screen=bits.whole(6, "consent screen"),
        language=bits.letters("consent language"),
        vendor_list=bits.whole(12, "vendor list version"),
        policy=bits.whole(6, "policy version"),
        service_specific=bits.flag("is service specific"),
        non_standard_texts=bits.flag("use of non-standard texts"),
        special_features=bits.ids(12, "special feature opt-ins"),
        consents=bits.ids(24, "purpose consents"),
        legitimate_interests=bits.ids(24, "purpose legitimate interests"),
        purpose_one_treatment=bits.flag("purpose one treatment"),
        country=bits.letters("publisher country"),
        vendor_consents=bits.vendors("vendor consents"),
        vendor_legitimate_interests=bits.vendors("vendor legitimate interests"),
        restrictions=_restrictions(bits),
    )
    bits.end()
    return read_core


def _restrictions(bits: Bits) -> dict[tuple[int, Restriction], Ids]:
    field = "publisher restrictions"
    found: dict[tuple[int, Restriction], Ids] = {}
    for number in range(1, bits.whole(12, field) + 1):
        purpose, kind = bits.whole(6, field), bits.whole(2, field)
        if not purpose or kind not in _RESTRICTIONS:
            raise bits.wrong(field, f"number {number} is of no purpose, or of a kind that isn't defined")
        key = purpose, Restriction(kind)
        found[key] = Ids(found.get(key, Ids()).mask | bits.ranges(field).mask)
    return found


def _vendors(bits: Bits | None) -> Ids | None:
    if bits is None:
        return None
    found = bits.vendors("vendors")
    bits.end()
    return found


def _publisher(bits: Bits | None) -> Publisher | None:
    if bits is None:
        return None
    consents = bits.ids(24, "purpose consents")
    interests = bits.ids(24, "purpose legitimate interests")
    custom = bits.whole(6, "number of custom purposes")
    read_custom = Publisher(
        consents=consents,
        legitimate_interests=interests,
        custom_purposes=custom,
        custom_consents=bits.ids(custom, "custom purpose consents"),
        custom_legitimate_interests=bits.ids(custom, "custom purpose legitimate interests"),
    )
    bits.end()
    return read_custom
