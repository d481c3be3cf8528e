"""Ids: UUIDv7 behind a prefix that says what they name, so that they sort by the time they were made."""

import re
import secrets
from datetime import datetime
from typing import NewType

from consent.base.clock import to_ms

CustomerId = NewType("CustomerId", str)
CampaignId = NewType("CampaignId", str)
DecisionId = NewType("DecisionId", str)
RunId = NewType("RunId", str)
AuditId = NewType("AuditId", str)
Scope = NewType("Scope", str)

_ID = re.compile(r"[a-z]{2,4}_[0-9a-f]{32}")


def new_id(prefix: str, at: datetime, entropy: bytes | None = None) -> str:
    """Make an id: prefix, underscore, UUIDv7 in 32 hex digits.

    Args:
        prefix: two to four lower-case letters.
        at: the instant that the id sorts by.
        entropy: 10 bytes; drawn from the system when left out.

    Source:
        RFC 9562 section 5.7.

    >>> from datetime import UTC
    >>> new_id("cus", datetime(2026, 11, 21, tzinfo=UTC), bytes(10))
    'cus_01a1fb67180070008000000000000000'
    """
    drawn = int.from_bytes(entropy if entropy is not None else secrets.token_bytes(10))
    number = (to_ms(at) & 0xFFFFFFFFFFFF) << 80 | drawn
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return f"{prefix}_{number:032x}"


def is_id(text: str, prefix: str) -> bool:
    """Say whether `text` is an id of that prefix.

    >>> is_id("cus_01a1fb67180070008000000000000000", "cus"), is_id("H000002", "cus")
    (True, False)
    """
    return text.startswith(prefix + "_") and bool(_ID.fullmatch(text))
