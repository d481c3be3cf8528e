"""Strings of IAB Tech Lab's Global Privacy Platform: a header that lists sections, and the sections.

Read are the sections of the European TCF, of the United States and its states, and the US Privacy string. Others (the
Canadian TCF, those that come after this was written) are named and left unread: nothing is known of them.

Source:
    IAB Tech Lab, Global Privacy Platform: Consent String Specification 1.0, "GPP String Format"; Section Information.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from consent.signals import tcf, us, usp
from consent.signals.bits import Bits, refusal, short_enough
from consent.signals.tcf import TcString
from consent.signals.us import UsSection
from consent.signals.usp import UsPrivacy

_TYPE: Final = 3
_VERSION: Final = 1
_TCF: Final = 2
_USP: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class GppString:
    """A GPP string, read: one value a section, None where it isn't there."""

    sections: tuple[int, ...]
    """The ids of all its sections, in order."""
    tcf: TcString | None = None
    usp: UsPrivacy | None = None
    us: Mapping[str, UsSection] = field(default_factory=dict)
    """Sections of the United States by name: `usnat`, `usca`, …"""
    unread: tuple[int, ...] = ()
    """Sections that aren't known here."""

    @property
    def gpc(self) -> bool:
        """Whether any section says that Global Privacy Control was on."""
        return any(section.gpc for section in self.us.values())


def read(text: str) -> GppString:
    """Read a GPP string.

    Raises:
        SignalInvalid: naming the section, its segment and the field.

    >>> read("DBACNY~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA~1YNN").usp
    UsPrivacy(notice=True, opted_out=False, covered=False)
    """
    header, *bodies = short_enough(text, "GPP string").split("~")
    sections = _sections(header)
    if len(bodies) != len(sections):
        raise refusal("header", f"names {len(sections):,} sections, but {len(bodies):,} follow")
    of = dict(zip(sections, bodies, strict=True))
    found = {section: us.read(section, body) for section, body in of.items() if section in us.SECTIONS}
    return GppString(
        sections=sections,
        tcf=tcf.read(of[_TCF]) if _TCF in of else None,
        usp=usp.read(of[_USP]) if _USP in of else None,
        us={section.name: section for section in found.values()},
        unread=tuple(section for section in sections if section not in (_TCF, _USP, *us.SECTIONS)),
    )


def _sections(header: str) -> tuple[int, ...]:
    bits = Bits(header, "header")
    if bits.whole(6, "type") != _TYPE:
        raise bits.wrong("type", "is not that of a GPP string, which begins with D")
    version = bits.whole(6, "version")
    if version != _VERSION:
        raise bits.wrong("version", f"is {version}, where 1 is the only one known here")
    found = bits.fibonacci_ranges("sections")
    bits.end()
    return tuple(found)
