"""The sections of the United States in a GPP string: the national one, and one a state.

All are alike: a core of two-bit answers in the order of the section's specification, then perhaps a segment more.
An answer about a notice or a mode is 1 (yes), 2 (no) or 0 (not applicable); about an opt-out 1 (opted out), 2 (did not)
or 0 (not applicable); about a consent 1 (no), 2 (yes) or 0 (not applicable). Three is no answer.

Source:
    IAB Tech Lab, Global Privacy Platform, "Sections": US National (versions 1 and 2), California, Virginia, Colorado,
    Utah, Connecticut, Florida, Montana, Oregon, Texas, Delaware, Iowa, Nebraska, New Hampshire, New Jersey, Tennessee,
    Minnesota, Maryland, Indiana, Kentucky, Rhode Island (version 1 each).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from consent.signals.bits import Bits, refusal

GPC: Final = "Gpc"
SENSITIVE: Final = "SensitiveDataProcessing"
CHILDREN: Final = "KnownChildSensitiveDataConsents"

_NO_ANSWER: Final = 3
_GPC_SEGMENT: Final = 1


class Answer(IntEnum):
    """An answer about an opt-out, where 1 is what stops something."""

    NOT_APPLICABLE = 0
    OPTED_OUT = 1
    DID_NOT = 2


class Consent(IntEnum):
    """An answer about a consent, where 1 is what stops something."""

    NOT_APPLICABLE = 0
    NO = 1
    YES = 2


class Tail(IntEnum):
    """What may follow the core."""

    NOTHING = 0
    GPC = 1
    SENSITIVE = 2


class Layout(NamedTuple):
    """What a section is made of: its fields in order with the number of answers each, and what may follow them."""

    name: str
    version: int
    fields: tuple[tuple[str, int], ...]
    tail: Tail


@dataclass(frozen=True, slots=True, kw_only=True)
class UsSection:
    """A section, read: answers by the names of its specification, a tuple for each."""

    name: str
    version: int
    answers: Mapping[str, tuple[int, ...]]
    gpc: bool | None
    """Whether Global Privacy Control was on; None where the section doesn't tell."""

    def of(self, field: str, item: int = 1) -> int:
        """Return one answer; 0 where the section has no such field, or not so many items."""
        found = self.answers.get(field, ())
        return found[item - 1] if 0 < item <= len(found) else 0


def _fields(text: str) -> tuple[tuple[str, int], ...]:
    """Read `Name Name*3`: fields in order, with the number of answers."""
    parts = (field.partition("*") for field in text.split())
    return tuple((name, int(count or 1)) for name, _, count in parts)


_MSPA: Final = "MspaCoveredTransaction MspaOptOutOptionMode MspaServiceProviderMode"
_MODE: Final = "MspaCoveredTransaction MspaMode"
_NATIONAL: Final = (
    "SharingNotice SaleOptOutNotice SharingOptOutNotice TargetedAdvertisingOptOutNotice "
    "SensitiveDataProcessingOptOutNotice SensitiveDataLimitUseNotice SaleOptOut SharingOptOut "
    f"TargetedAdvertisingOptOut {SENSITIVE}*%d {CHILDREN}*%d PersonalDataConsents {_MSPA}"
)
_NOTICES: Final = "SaleOptOutNotice TargetedAdvertisingOptOutNotice"
_OPT_OUTS: Final = "SaleOptOut TargetedAdvertisingOptOut"
_FORMER: Final = f"SharingNotice {_NOTICES} {_OPT_OUTS} {SENSITIVE}*%d {CHILDREN}*%d {_MSPA}"
_LATER: Final = (
    f"ProcessingNotice {_NOTICES} {_OPT_OUTS} {SENSITIVE}*%d {CHILDREN}*%d AdditionalDataProcessingConsent {_MSPA}"
)
_LATEST: Final = f"{_MODE} ProcessingNotice {_NOTICES} {_OPT_OUTS} {CHILDREN} AdditionalDataProcessingConsent"


def _layout(name: str, fields: str, tail: Tail, version: int = 1) -> Layout:
    return Layout(name, version, _fields(fields), tail)


_CALIFORNIA: Final = (
    "SaleOptOutNotice SharingOptOutNotice SensitiveDataLimitUseNotice SaleOptOut SharingOptOut "
    f"{SENSITIVE}*9 {CHILDREN}*2 PersonalDataConsents {_MSPA}"
)
_UTAH: Final = (
    f"SharingNotice {_NOTICES} SensitiveDataProcessingOptOutNotice {_OPT_OUTS} {SENSITIVE}*8 {CHILDREN} {_MSPA}"
)
_IOWA: Final = f"ProcessingNotice {_NOTICES} SensitiveDataOptOutNotice {_OPT_OUTS} {SENSITIVE}*8 {CHILDREN} {_MSPA}"
_MONTANA: Final = _FORMER.replace(_MSPA, f"AdditionalDataProcessingConsent {_MSPA}")

SECTIONS: Final[Mapping[int, tuple[Layout, ...]]] = {
    7: (
        _layout("usnat", _NATIONAL % (12, 2), Tail.GPC),
        _layout("usnat", _NATIONAL % (16, 3), Tail.GPC, version=2),
    ),
    8: (_layout("usca", _CALIFORNIA, Tail.GPC),),
    9: (_layout("usva", _FORMER % (8, 1), Tail.NOTHING),),
    10: (_layout("usco", _FORMER % (7, 1), Tail.GPC),),
    11: (_layout("usut", _UTAH, Tail.NOTHING),),
    12: (_layout("usct", _FORMER % (8, 3), Tail.GPC),),
    13: (_layout("usfl", _LATER % (8, 3), Tail.NOTHING),),
    14: (_layout("usmt", _MONTANA % (8, 3), Tail.GPC),),
    15: (_layout("usor", _LATER % (11, 3), Tail.GPC),),
    16: (_layout("ustx", _LATER % (8, 1), Tail.GPC),),
    17: (_layout("usde", _LATER % (9, 5), Tail.GPC),),
    18: (_layout("usia", _IOWA, Tail.GPC),),
    19: (_layout("usne", _LATER % (8, 1), Tail.GPC),),
    20: (_layout("usnh", _LATER % (8, 3), Tail.GPC),),
    21: (_layout("usnj", _LATER % (10, 5), Tail.GPC),),
    22: (_layout("ustn", _LATER % (8, 1), Tail.GPC),),
    23: (_layout("usmn", _LATER % (8, 1), Tail.GPC),),
    24: (_layout("usmd", _LATEST.replace(f" {CHILDREN}", ""), Tail.GPC),),
    25: (_layout("usin", _LATEST, Tail.SENSITIVE),),
    26: (_layout("usky", _LATEST, Tail.SENSITIVE),),
    27: (_layout("usri", _LATEST, Tail.SENSITIVE),),
}
"""Section id → its layouts, a version each."""

SENSITIVE_ITEMS: Final = 8
"""Answers of the segment that holds them apart."""


def read(section: int, text: str) -> UsSection:
    """Read the section of this id, one of `SECTIONS`.

    Raises:
        SignalInvalid: naming the section and the field.

    >>> read(8, "BAAAAAAA.YA").gpc
    True
    """
    layouts = SECTIONS[section]
    name = layouts[0].name
    core, *others = text.split(".", 2)
    bits = Bits(core, name)
    version = bits.whole(6, "Version")
    layout = next((layout for layout in layouts if layout.version == version), None)
    if layout is None:
        raise bits.wrong("Version", f"is {version}, which is not known here")
    answers = {field: _answers(bits, field, count) for field, count in layout.fields}
    bits.end()
    if len(others) > (layout.tail is not Tail.NOTHING):
        raise refusal(name, "has more segments than such a section can have")
    gpc = None
    for segment in others:
        if layout.tail is Tail.GPC:
            gpc = _gpc(Bits(segment, f"{name}, second segment"))
        else:
            answers[SENSITIVE] = _sensitive(Bits(segment, f"{name}, second segment"))
    return UsSection(name=name, version=version, answers=answers, gpc=gpc)


def _answers(bits: Bits, field: str, count: int) -> tuple[int, ...]:
    found = bits.numbers(count, 2, field)
    if _NO_ANSWER in found:
        raise bits.wrong(field, "is 3, where 0, 1 and 2 are possible")
    return found


def _gpc(bits: Bits) -> bool:
    if bits.whole(2, "type") != _GPC_SEGMENT:
        raise bits.wrong("type", "is not that of Global Privacy Control")
    on = bits.flag(GPC)
    bits.end()
    return on


def _sensitive(bits: Bits) -> tuple[int, ...]:
    found = _answers(bits, SENSITIVE, SENSITIVE_ITEMS)
    bits.end()
    return found
