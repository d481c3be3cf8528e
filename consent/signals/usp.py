"""The US Privacy string of the CCPA Compliance Framework: four characters. Withdrawn in 2024, and still sent.

Source:
    IAB Tech Lab, U.S. Privacy String, version 1.0 (2019).
"""

import re
from dataclasses import dataclass
from typing import Final

from consent.signals.bits import refusal

_FORM: Final = re.compile("1[YN-][YN-][YN-]")
_SAID: Final = {"Y": True, "N": False, "-": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class UsPrivacy:
    """A US Privacy string. None: not applicable, nothing is said."""

    notice: bool | None
    """Whether the notice and the opportunity to opt out were given."""
    opted_out: bool | None
    """Whether he opted out of the sale of his data."""
    covered: bool | None
    """Whether the transaction is under the Limited Service Provider Agreement."""


def read(text: str) -> UsPrivacy:
    """Read a string like `1YNN`; small letters count too.

    Raises:
        SignalInvalid: it is of another form.

    >>> read("1YN-")
    UsPrivacy(notice=True, opted_out=False, covered=None)
    """
    said = text.upper()
    if not _FORM.fullmatch(said):
        raise refusal("US Privacy", "is not of the form 1YNN: the version, then three times Y, N or -")
    return UsPrivacy(notice=_SAID[said[1]], opted_out=_SAID[said[2]], covered=_SAID[said[3]])
