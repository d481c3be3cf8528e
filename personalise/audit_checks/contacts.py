"""The check `contacts`: every contact has its decision, and kept to holdout, contact policy, goodwill and promises.

It counts anew, from the contacts themselves and in the order of the ledger; what a decision had counted is no evidence.
What had ended by then, because nobody sent it in time or it never reached the customer, must not have counted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

import sqlalchemy as sa

from consent.audit.findings import Evidence, Finding, Gap, Judged, Severity, Yielded
from consent.base.clock import to_ms
from consent.base.database import table_of
from consent.base.errors import ByleaveError, DecisionUnknown, LedgerBroken
from consent.base.store import Work
from consent.ledger.position import position
from personalise.contact_policy.model import Told
from personalise.contact_policy.windows import Window
from personalise.contacts import GHOST
from personalise.runs import log
from personalise.runs.dry_run import load_policy
from personalise.runs.log import Chunk
from personalise.steps.interact.states import ENDED
from personalise.steps.personalise.holdout import COMPANY, buckets
from personalise.steps.personalise.policy import Candidate, Policy
from personalise.tables import ContactRow

KEY: Final = "contacts"
_PAGE: Final = 2_000
"""Customers looked at in one transaction."""

_CHUNKS: Final = 32
"""Chunks of decisions kept open."""

_DAY_MS: Final = 86_400_000
_contact = table_of(ContactRow)


@dataclass(frozen=True, slots=True)
class _Made:
    """A contact, with the decision and the policy behind it; `place` is where the ledger commits to the decision."""

    row: Any
    at: int
    place: tuple[int, int]
    policy: Policy
    candidate: Candidate

    def counted_by(self, later: "_Made") -> bool:
        """Whether it counted when a later contact was decided: it had not ended by where the ledger commits to that."""
        ended: int | None = self.row.ended_position
        return ended is None or ended > position(*later.place)

    @property
    def ghost(self) -> bool:
        """Whether it is a holdout's."""
        return bool(self.row.status == GHOST)

    @property
    def told(self) -> Told:
        """What it says of itself, as it was stored."""
        row = self.row
        return Told(
            channel=row.channel,
            purpose=row.purpose,
            tags=tuple(row.tags.split()),
            campaign=row.campaign,
            offer=row.offer,
            family=row.family,
        )


@dataclass(slots=True)
class _Behind:
    """What lies behind contacts, kept while it is needed: chunks, where each customer is in them, policies."""

    evidence: Evidence
    chunks: dict[str, tuple[Chunk, list[str]] | str] = field(default_factory=dict)
    policies: dict[tuple[Any, ...], Policy | str] = field(default_factory=dict)

    def chunk(self, work: Work, identity: str) -> tuple[Chunk, list[str]] | str:
        """Return a chunk and its customers, or why it can't be read."""
        if identity not in self.chunks:
            while len(self.chunks) >= _CHUNKS:
                self.chunks.pop(next(iter(self.chunks)))
            try:
                chunk = log.read(work, identity)
                self.chunks[identity] = chunk, chunk.table["customer"].to_pylist()
            except DecisionUnknown:
                self.chunks[identity] = "no decision is behind it"
            except LedgerBroken as damaged:
                self.chunks[identity] = damaged.detail
        return self.chunks[identity]

    def policy(self, work: Work, chunk: Chunk) -> Policy | str:
        """Return the policy that a chunk was decided by, or why it can't be read."""
        pins = log.pins(chunk.about)
        key = (chunk.campaign, *pins.values())
        if key not in self.policies:
            try:
                self.policies[key] = load_policy(self.evidence, work, chunk.campaign, **pins)[0]
            except ByleaveError as lost:
                self.policies[key] = f"the policy of {chunk.campaign} can't be read: {lost.title}"
        return self.policies[key]


def contacts(evidence: Evidence) -> Iterator[Yielded]:
    """Go through everybody's contacts, each customer's in the order in which the ledger committed to them."""
    behind = _Behind(evidence)
    after = ""
    while True:
        found: list[Yielded] = []
        with evidence.store.read() as work:
            rows = _page(work, after)
            for _, group in groupby(rows, key=attrgetter("customer")):
                found += _of_one(behind, work, list(group))
        if not rows:
            return
        yield from found
        after = rows[-1].customer


def _page(work: Work, after: str) -> list[Any]:
    whose = sa.select(_contact.c.customer).where(_contact.c.customer > after).distinct()
    last = sa.select(sa.func.max(whose.order_by(_contact.c.customer).limit(_PAGE).subquery().c.customer))
    query = sa.select(_contact).where(_contact.c.customer > after, _contact.c.customer <= last.scalar_subquery())
    return list(work.connection.execute(query.order_by(_contact.c.customer)))


def _of_one(behind: _Behind, work: Work, rows: Sequence[Any]) -> Iterator[Yielded]:
    made: list[_Made] = []
    for row in rows:
        one = _made(behind, work, row)
        if isinstance(one, _Made):
            made.append(one)
        else:
            yield one
    made.sort(key=lambda each: (each.place, each.at))
    for spot, one in enumerate(made):
        for why in _wrong(one, made[:spot]):
            yield _finding(one.row.decision, why)
    yield Judged(len(made))


def _finding(subject: str, why: str) -> Finding:
    return Finding(check=KEY, severity=Severity.CRITICAL, subject=subject, why=why)


def _made(behind: _Behind, work: Work, row: Any) -> _Made | Finding | Gap:  # noqa: ANN401 -- a row of contact
    identity, _, number = row.decision.partition(".")
    opened = behind.chunk(work, identity)
    if isinstance(opened, str):
        return _finding(row.decision, opened)
    chunk, whose = opened
    spot = int(number) if number.isdecimal() else -1
    if not 0 <= spot < len(whose) or whose[spot] != row.customer:
        return _finding(row.decision, "the decision behind it is another customer's")
    chosen = chunk.table["ghost" if row.status == GHOST else "chosen"][spot].as_py()
    keys = chunk.about["candidates"]
    if not 0 <= chosen < len(keys) or keys[chosen] != row.treatment:
        return _finding(row.decision, f"the decision behind it did not choose {row.treatment}")
    policy = behind.policy(work, chunk)
    if isinstance(policy, str):
        return Gap(check=KEY, why=policy)
    candidate = next(one for one in policy.candidates if one.key == row.treatment)
    return _Made(row, _ms(row.reserved_at), (chunk.log, chunk.seq), policy, candidate)


def _ms(at: datetime | None) -> int:
    return to_ms(at) if at else 0


def _wrong(one: _Made, before: Sequence[_Made]) -> Iterator[str]:
    """Walk what a contact broke, by what had come before it."""
    campaign = one.policy.campaign
    [bucket] = buckets([one.row.customer], salt=campaign.holdout.salt, scope=campaign.key).tolist()
    company = one.policy.contact_policy.holdout.salt
    [by_company] = buckets([one.row.customer], salt=company, scope=COMPANY).tolist()
    if (bucket < one.policy.share or by_company < one.policy.company_share) != one.ghost:
        yield "a customer who is held out was contacted" if not one.ghost else "a ghost stands for no control"
    if (one.row.status in ENDED) != (one.row.ended_position is not None):
        yield f"it is {one.row.status}, and when it ended is not what that says"
    alike = [each for each in before if each.ghost == one.ghost and each.counted_by(one)]
    for window in one.candidate.windows:
        count = _counted(window, one, alike, before)
        if count < window.limit if window.needs else count >= window.limit:
            limit = f"at least {window.limit}" if window.needs else f"at most {window.limit - 1} before it"
            yield f"{window.rule} asks for {limit} in {window.days} days, and there were {count}"
    yield from _mispriced(one, alike)
    if not one.ghost:
        yield from _broken_word(one, [each for each in before if not each.ghost])


def _counted(window: Window, one: _Made, alike: Sequence[_Made], before: Sequence[_Made]) -> int:
    since = one.at - window.days * _DAY_MS
    if window.of == "rejections":
        families = window.counts.families
        turned = [_ms(each.row.rejected_at) for each in before if not families or each.row.family in families]
        return sum(since < at <= one.at for at in turned)
    return sum(each.at > since and window.counts.holds(each.told) for each in alike)


def _mispriced(one: _Made, alike: Sequence[_Made]) -> Iterator[str]:
    since = one.at - one.policy.contact_policy.goodwill.pressure_days * _DAY_MS
    lately = sum(each.at > since for each in alike)
    owed = one.candidate.price * (1 + lately) if one.policy.charges and not one.ghost else 0
    if one.row.charge != owed:
        yield f"it was charged {one.row.charge} thousandths of goodwill, and costs {owed}"


def _broken_word(one: _Made, before: Sequence[_Made]) -> Iterator[str]:
    """Hold the terms against the newest promise of the family that still stood."""
    mine = one.candidate.offer
    promised = [each for each in before if each.row.family == one.row.family and each.candidate.offer.validity]
    if not promised:
        return
    last = promised[-1]
    offer = last.candidate.offer
    if one.at >= last.at + offer.validity * _DAY_MS or offer.terms_hash == mine.terms_hash:
        return
    if mine.grade is None or offer.grade is None or mine.grade < offer.grade:
        yield f"the terms of {offer.key}, promised by {last.row.decision}, still held"
