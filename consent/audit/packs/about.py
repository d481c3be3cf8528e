"""What a pack is about: one customer, a period, or an audit; and whether payloads of his are opened in it."""

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from consent.base.clock import parse_time, rfc3339
from consent.base.errors import Place, RequestUnfit

LONGEST_REASON: Final = 2_000


class Subject(StrEnum):
    """What a pack can be about."""

    CUSTOMER = "customer"
    PERIOD = "period"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a pack is about.

    Attributes:
        kind: which of the three.
        customer: his id, for a pack about him.
        since: the first moment of a period.
        until: the first moment after it.
        audit: the id of an audit.
        personal: whether the customer's own payloads are opened in it.
        reason: why they are; needed where they are.

    Raises:
        RequestUnfit: naming every part that is missing, too much, or can't be.
    """

    kind: Subject
    customer: str = ""
    since: datetime | None = None
    until: datetime | None = None
    audit: str = ""
    personal: bool = False
    reason: str = ""

    def __post_init__(self) -> None:
        """Refuse what no pack can be about."""
        needed = {
            Subject.CUSTOMER: ("customer",), Subject.PERIOD: ("since", "until"), Subject.AUDIT: ("audit",),
        }[self.kind]  # fmt: skip
        places = [
            Place(
                f"/{name}", f"is needed for a pack about {self.kind}" if name in needed else "belongs to another kind"
            )
            for name in ("customer", "since", "until", "audit")
            if bool(getattr(self, name)) != (name in needed)
        ]
        if self.since and self.until and self.since >= self.until:
            places.append(Place("/until", "must be after the beginning"))
        if self.personal and self.kind is not Subject.CUSTOMER:
            places.append(Place("/personal", "payloads are opened in the pack of one customer only"))
        if self.personal != bool(self.reason.strip()) or len(self.reason) > LONGEST_REASON:
            places.append(
                Place(
                    "/reason",
                    f"is needed where payloads are opened, and only there: 1 to {LONGEST_REASON:,} characters",
                )
            )
        if places:
            raise RequestUnfit(places=places)

    def as_text(self) -> dict[str, str]:
        """Return what it is about as texts: as the manifest and the ledger hold it; the reason is not among them.

        >>> About(kind=Subject.AUDIT, audit="aud_1").as_text()
        {'audit': 'aud_1', 'kind': 'audit'}
        """
        told: dict[str, str] = {"kind": str(self.kind)}
        if self.customer:
            told["customer"] = self.customer
        if self.since and self.until:
            told |= {"since": rfc3339(self.since), "until": rfc3339(self.until)}
        if self.audit:
            told["audit"] = self.audit
        return dict(sorted(told.items()))

    def stored(self) -> str:
        """Return it as it is stored."""
        return json.dumps(self.as_text())


def of_stored(text: str, *, personal: bool, reason: str) -> About:
    """Return what a stored pack is about."""
    told: dict[str, Any] = json.loads(text)
    return About(
        kind=Subject(told["kind"]),
        customer=told.get("customer", ""),
        since=parse_time(told["since"]) if "since" in told else None,
        until=parse_time(told["until"]) if "until" in told else None,
        audit=told.get("audit", ""),
        personal=personal,
        reason=reason,
    )
