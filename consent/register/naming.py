"""PURE: what can be a reference, a customer's name in the company's own system: one rule for every way in.

A name that looks like nothing would be shared by all who have none, and two that look alike would be two people. Who
was enrolled by such a name before is still found by it.
"""

import re
import unicodedata
from typing import Final

LONGEST: Final = 254
"""Characters of what names a customer: the longest address that mail can be sent to (RFC 5321)."""

_BLANK: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Signs that show nothing, and are neither white space nor of the category Cf (format)."""


def why_no_reference(reference: str) -> str:
    r"""Return why a text can't be a reference; "" where it can.

    >>> why_no_reference("S000001"), why_no_reference("Zoë 1")
    ('', '')
    >>> why_no_reference("\u3000\u00a0")
    'is blank: it names nobody'
    >>> why_no_reference("S0\u200b1")
    'has a character that cannot be seen (U+200B): two names would look the same'
    """
    name = reference.strip()
    if not name:
        return "is blank: it names nobody"
    if len(reference) > LONGEST:
        return f"must have 1 to {LONGEST} characters"
    if name.isascii() and name.isprintable():
        return ""
    unseen = next((sign for sign in name if unicodedata.category(sign) in ("Cf", "Cc") or _BLANK.match(sign)), "")
    if unseen:
        return f"has a character that cannot be seen (U+{ord(unseen):04X}): two names would look the same"
    return ""
