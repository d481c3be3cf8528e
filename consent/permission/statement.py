"""What a customer said: one act, for one or more scopes, at one time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from consent.base.clock import rfc3339
from consent.base.ids import CustomerId, Scope


class Act(StrEnum):
    """What the customer (or, for `request`, the company) did."""

    REQUEST = "request"
    GRANT = "grant"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"
    OBJECT = "object"
    RENEW = "renew"
    INVALIDATE = "invalidate"
    PAUSE = "pause"
    RESUME = "resume"
    RESTRICT = "restrict"
    LIFT = "lift"


class Method(StrEnum):
    """How the statement was made."""

    WEB_FORM = "web_form"
    PHONE = "phone"
    PAPER = "paper"
    IMPORT = "import"
    SIGNAL = "signal"
    ONE_CLICK = "one_click"
    CONFIRMATION = "confirmation"
    SYNTHETIC = "synthetic"
    """Made up by a seeded rule, for data that came without permissions. Never a customer's own word."""

    MERGED = "merged"
    """Follows from joining two records of the same customer. Never a customer's own word."""


WHOLE_CUSTOMER: Final = frozenset({Act.PAUSE, Act.RESUME, Act.RESTRICT, Act.LIFT})
"""Acts that concern everything a customer allowed, and so name no scope."""

GIVING: Final = frozenset({Act.GRANT, Act.RENEW})
"""Acts that permit more; every other act permits less, or nothing new."""

GIVES_MORE: Final = GIVING | {Act.RESUME, Act.LIFT}
"""Acts after which more may be done than before; brought in from elsewhere, they count only with evidence."""

ENDING: Final = frozenset({Act.WITHDRAW, Act.REFUSE, Act.OBJECT, Act.INVALIDATE})
"""Acts after which nothing of their scopes is permitted."""

OWN_WORD: Final = frozenset({Method.WEB_FORM, Method.PHONE, Method.PAPER, Method.CONFIRMATION})
"""Methods by which a customer speaks for himself, knowing what he is asked."""

OLDEST: Final = 150
"""Years; nobody attests more."""


_PLAIN: Final = ("notice_version", "language", "evidence", "age", "guardian", "at_least")
"""Parts of a statement that are recorded as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One act of one customer.

    `notices` (the notice version shown for each scope), `valid_until` (when each granted scope ends), `awaiting` (the
    scopes that still await a confirmation), `material` (the lowest notice version of each of those whose consents
    still count) and `gains` (the flags of each of those that make a yes permit more than one without them) follow from
    the catalogue in force and are fixed when the statement is recorded, so that folding it needs no catalogue.

    `age` is what the customer attests to be at `said_at`, in whole years, 0 where he doesn't say. It comes with
    whatever else he says. On an invalidation it sets right an age that was wrong. `guardian` says that a parent or
    guardian stands behind a grant. `at_least` says that a pause ends none sooner that lasts longer.
    """

    customer: CustomerId
    act: Act
    scopes: tuple[Scope, ...]
    said_at: datetime
    method: Method
    notice_version: int = 0
    language: str = ""
    evidence: str = ""
    notices: Mapping[Scope, int] | None = None
    valid_until: Mapping[Scope, datetime] | None = None
    awaiting: frozenset[Scope] = frozenset()
    material: Mapping[Scope, int] | None = None
    gains: Mapping[Scope, int] | None = None
    until: datetime | None = None
    age: int = 0
    guardian: bool = False
    at_least: bool = False

    @property
    def opts_out(self) -> bool:
        """Whether this is a browser's general wish not to be sold or shared (Sec-GPC): a refusal of no one scope."""
        return self.act is Act.REFUSE and not self.scopes

    def record(self) -> dict[str, Any]:
        """Return the statement as it goes into the sealed payload; what is empty is left out."""
        said: dict[str, Any] = {"act": str(self.act), "method": str(self.method), "said_at": rfc3339(self.said_at)}
        if self.scopes:
            said["scopes"] = list(self.scopes)
            if self.notices:
                said["notices"] = [self.notices.get(scope, 0) for scope in self.scopes]
            if self.valid_until:
                said["valid_until"] = _written(self.scopes, self.valid_until)
        if self.awaiting:
            said["awaiting"] = awaiting = sorted(self.awaiting)
            said |= {"material": [self.material.get(scope, 0) for scope in awaiting]} if self.material else {}
            said |= {} if self.gains is None else {"gains": [self.gains.get(scope, 0) for scope in awaiting]}
        if self.until:
            said["until"] = rfc3339(self.until)
        for name in _PLAIN:
            if value := getattr(self, name):
                said[name] = value
        return said

    def fixed(
        self,
        *,
        notices: Mapping[Scope, int] | None,
        valid_until: Mapping[Scope, datetime] | None,
        awaiting: frozenset[Scope] = frozenset(),
        material: Mapping[Scope, int] | None = None,
        gains: Mapping[Scope, int] | None = None,
    ) -> "Statement":
        """Return it with what the catalogue fixes: `dataclasses.replace`, in a third of the time."""
        return Statement(
            customer=self.customer, act=self.act, scopes=self.scopes, said_at=self.said_at, method=self.method,
            notice_version=self.notice_version, language=self.language, evidence=self.evidence,
            notices=notices, valid_until=valid_until, awaiting=awaiting, material=material, gains=gains,
            until=self.until, age=self.age, guardian=self.guardian,
        )  # fmt: skip


def _written(scopes: tuple[Scope, ...], ends: Mapping[Scope, datetime]) -> list[str]:
    """Return when each scope ends, "" where it doesn't; mostly it is one time for all of them."""
    texts: dict[datetime | None, str] = {None: ""}
    written = []
    for scope in scopes:
        end = ends.get(scope)
        text = texts.get(end)
        if text is None:
            text = texts[end] = rfc3339(end)  # type: ignore[arg-type]  # None is among the texts
        written.append(text)
    return written


def _instant(text: str) -> datetime:
    """Return a time that `rfc3339` wrote; anything else never got into a payload, and raises ValueError."""
    return datetime.fromisoformat(text)


def from_record(customer: CustomerId, said: Mapping[str, Any]) -> Statement:
    """Return the statement that `Statement.record` wrote."""
    scopes = tuple(Scope(scope) for scope in said.get("scopes", ()))
    ends = said.get("valid_until")
    awaiting = [Scope(scope) for scope in said.get("awaiting", ())]
    return Statement(
        customer=customer,
        act=Act(said["act"]),
        scopes=scopes,
        said_at=_instant(said["said_at"]),
        method=Method(said["method"]),
        notice_version=said.get("notice_version", 0),
        language=said.get("language", ""),
        evidence=said.get("evidence", ""),
        notices=dict(zip(scopes, said["notices"], strict=True)) if "notices" in said else None,
        valid_until={s: _instant(end) for s, end in zip(scopes, ends, strict=True) if end} if ends else None,
        awaiting=frozenset(awaiting),
        material=dict(zip(awaiting, said["material"], strict=True)) if "material" in said else None,
        gains=dict(zip(awaiting, said["gains"], strict=True)) if "gains" in said else None,
        until=_instant(said["until"]) if "until" in said else None,
        age=said.get("age", 0),
        guardian=said.get("guardian", False),
        at_least=said.get("at_least", False),
    )
