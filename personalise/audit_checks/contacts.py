"""The check `contacts`: every contact has its decision, and kept to holdout, contact policy, goodwill and promises.

It is the one that its decision made, and each decision that chose somebody, or gave a ghost, has its contact still.

It counts anew, from the contacts themselves and in the order of the ledger; what a decision had counted is no evidence.
What had ended by then, because nobody sent it in time or it never reached the customer, must not have counted; what had
been handed out counts from then on. Where the times of two can't be told apart, nothing is held against either. Where a
household counts together, it goes by who was in it where the ledger stood then; and what a customer had had under an id
that was given up for his before counts as his.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import sqlalchemy as sa

from consent.audit.findings import Evidence, Finding, Gap, Judged, Severity, Yielded
from consent.base.clock import to_ms
from consent.base.counting import counted
from consent.base.database import table_of
from consent.base.errors import LedgerBroken
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.ledger.position import position
from consent.register import households, mergers
from consent.register.households import Stay
from consent.register.mergers import Merger
from personalise.audit_checks import kept
from personalise.audit_checks.behind import Behind
from personalise.contact_policy.model import Told
from personalise.contact_policy.windows import Window
from personalise.history import GHOST
from personalise.runs import log
from personalise.steps.interact.states import ENDED, State
from personalise.steps.personalise.holdout import COMPANY, buckets
from personalise.steps.personalise.policy import Candidate, Policy
from personalise.tables import ContactRow

KEY: Final = "contacts"
_PAGE: Final = 2_000
"""Customers looked at in one transaction."""

_DAY_MS: Final = 86_400_000
_contact = table_of(ContactRow)
_ALL: Final = sa.select(_contact)


@dataclass(frozen=True)
class _Made:
    """A contact, with the decision and the policy behind it.

    `place` is where the ledger commits to the decision, and which of its chunk it is; `judged` where the ledger stood,
    and `judged_at` when it was, that permissions were judged. `beside`: if it is a ghost, what had reached its customer
    was to count as well. `late`: what was before it was to count from when it was handed out.
    """

    row: Any
    at: int
    place: tuple[int, int, int]
    judged: int
    judged_at: int
    beside: bool
    late: bool
    policy: Policy
    candidate: Candidate
    otherwise: tuple[str, ...]
    """What its row says otherwise than that decision."""

    @property
    def position(self) -> int:
        """Where the ledger commits to the decision."""
        return position(*self.place[:2])

    def counted_by(self, later: "_Made") -> bool:
        """Whether it counted when a later contact was decided: it had not ended by where the ledger commits to that."""
        ended: int | None = self.row.ended_position
        return ended is None or ended > later.position

    def counted_for(self, later: "_Made") -> bool:
        """Whether it counted in the arm that its customer was in when the later one was decided, as `history` says."""
        if not later.ghost:
            return not self.ghost
        if not later.beside:
            return self.ghost
        return not self.ghost or self.row.campaign == later.row.campaign or later.by_company

    def since(self, later: "_Made") -> tuple[int, int]:
        """Return the first and the last instant (ms) from which on it may have counted when a later one was decided.

        Who hands it out and who decides lock its customer, so the ledger has their order, but for others of a
        household where no rule counts by it. Of what was handed out several times only the last is known.
        """
        claimed = self.row.claimed_position
        if claimed is None or not later.late:
            return self.at, self.at
        out = max(self.at, to_ms(self.row.claimed_at))
        if claimed <= later.position:
            ordered = self.row.customer == later.row.customer or (self.policy.shared and later.policy.shared)
            return out if ordered else self.at, out
        return self.at, self.at if self.row.claims == 1 else max(self.at, later.at)

    @property
    def ghost(self) -> bool:
        """Whether it is a holdout's."""
        return bool(self.row.status == GHOST)

    @cached_property
    def by_company(self) -> bool:
        """Whether the company holds its customer out."""
        salt = self.policy.contact_policy.holdout.salt
        [bucket] = buckets([self.row.customer], salt=salt, scope=COMPANY).tolist()
        return bool(bucket < self.policy.company_share)

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


def contacts(evidence: Evidence) -> Iterator[Yielded]:
    """Go through everybody's contacts, each customer's in the order in which the ledger committed to them.

    Then through all decisions: what was chosen, or given a ghost, has its contact.
    """
    behind = Behind(evidence)
    after = ""
    while True:
        with evidence.store.read() as work:
            rows = _page(work, after)
            made, found = _all_made(behind, work, rows)
            before = _Before(behind, work, made)
        for several in made.values():
            found += _of_one(several, before)
        if not rows:
            break
        yield from found
        after = rows[-1].customer
    yield from _gone(evidence)


def _gone(evidence: Evidence) -> Iterator[Yielded]:
    """Go through all chunks for what was decided and left no contact."""
    with evidence.store.read() as work:
        chunks = log.chunk_ids(work)
    for identity in chunks:
        with evidence.store.read() as work:
            try:
                found = list(kept.gone(evidence, work, log.read(work, identity)))
            except LedgerBroken as damaged:
                yield Gap(check=KEY, why=f"chunk {identity}: {damaged.detail}")
                continue
        yield from (_finding(decision, why) for decision, why in found)


def _page(work: Work, after: str) -> list[Any]:
    whose = sa.select(_contact.c.customer).where(_contact.c.customer > after).distinct()
    last = sa.select(sa.func.max(whose.order_by(_contact.c.customer).limit(_PAGE).subquery().c.customer))
    query = sa.select(_contact).where(_contact.c.customer > after, _contact.c.customer <= last.scalar_subquery())
    return list(work.connection.execute(query.order_by(_contact.c.customer)))


def _all_made(behind: Behind, work: Work, rows: Sequence[Any]) -> tuple[dict[str, list[_Made]], list[Yielded]]:
    """Return the contacts by customer, in the order of the ledger; and beside them those that have nothing behind."""
    made: dict[str, list[_Made]] = {}
    found: list[Yielded] = []
    for row in rows:
        one = _made(behind, work, row)
        if isinstance(one, _Made):
            made.setdefault(row.customer, []).append(one)
        else:
            found.append(one)
    for several in made.values():
        several.sort(key=lambda each: (each.place, each.at))
    return made, found


def _of_one(made: Sequence[_Made], before: "_Before") -> Iterator[Yielded]:
    for spot, one in enumerate(made):
        for why in _wrong(one, made[:spot], before):
            yield _finding(one.row.decision, why)
    yield Judged(len(made))


class _Before:
    """What customers had had under earlier ids, and the others of their households, when contacts were decided."""

    def __init__(self, behind: Behind, work: Work, made: Mapping[str, Sequence[_Made]]) -> None:
        """Read it; of households, for those whose contacts a rule by household was to hold back."""
        whose = [CustomerId(one) for one, several in made.items() if any(map(_by_household, several))]
        self._in: dict[str, list[Stay]] = {}
        self._of: dict[str, list[Stay]] = {}
        for stay in households.lived(work, whose) if whose else ():
            self._in.setdefault(stay.household, []).append(stay)
            self._of.setdefault(stay.customer, []).append(stay)
        everyone = sorted(map(CustomerId, self._of.keys() | made.keys()))
        self._earlier: dict[CustomerId, list[Merger]] = {}
        for each in mergers.given_up(work, everyone):
            self._earlier.setdefault(each.into, []).append(each)
        gone = {each.merged for several in self._earlier.values() for each in several}
        others = sorted({*everyone, *gone} - made.keys())
        parts = (others[first : first + _PAGE] for first in range(0, len(others), _PAGE))
        rows = (row for part in parts for row in work.connection.execute(_ALL.where(_contact.c.customer.in_(part))))
        self._made = {**_all_made(behind, work, list(rows))[0], **made}

    def earlier(self, one: _Made, whose: str = "") -> list[_Made]:
        """Return what a customer (or another) had under ids that had been given up for his when his was decided."""
        joined = self._earlier.get(CustomerId(whose or one.row.customer), ())
        gone = [each.merged for each in joined if each.position < one.position]
        return [
            each
            for old in gone
            for each in (*self._made.get(old, ()), *self.earlier(one, old))
            if each.place < one.place
        ]

    def together(self, one: _Made) -> list[_Made]:
        """Return what the others' contacts were that counted in his household, in no order; ghosts never do."""
        place = one.position
        homes = (stay.household for stay in self._of.get(one.row.customer, ()) if stay.holds(place))
        return [
            each
            for home in homes
            for stay in self._in[home]
            if stay.holds(place) and stay.customer != one.row.customer
            for each in (*self._made.get(stay.customer, ()), *self.earlier(one, stay.customer))
            if not each.ghost and _counted_together(each, one)
        ]


def _by_household(one: _Made) -> bool:
    return any(window.per == "household" for window in one.candidate.windows)


def _counted_together(each: _Made, one: _Made) -> bool:
    """Say whether a contact counted when another of the household was decided.

    Whoever decides by rules that count by household locks it: of such decisions, the ledger has the order. Others need
    not be seen that are committed while it is decided. What nobody had sent in time counts no longer, whoever says so.
    """
    came = each.place < one.place if each.policy.shared else each.position < one.judged
    unsent = each.row.status in (State.RESERVED, State.EXPIRED) and each.row.expires_at is not None
    return came and each.counted_by(one) and not (unsent and _ms(each.row.expires_at) <= one.judged_at)


def _finding(subject: str, why: str) -> Finding:
    return Finding(check=KEY, severity=Severity.CRITICAL, subject=subject, why=why)


def _made(behind: Behind, work: Work, row: Any) -> _Made | Finding | Gap:  # noqa: ANN401 -- a row of contact
    decided = behind.decision(work, row.decision)
    if isinstance(decided, str):
        return _finding(row.decision, decided)
    chunk, spot, whose = decided
    if whose != row.customer:
        return _finding(row.decision, "the decision behind it is another customer's")
    chosen = chunk.table["ghost" if row.status == GHOST else "chosen"][spot].as_py()
    keys = chunk.about["candidates"]
    if not 0 <= chosen < len(keys) or keys[chosen] != row.treatment:
        return _finding(row.decision, f"the decision behind it did not choose {row.treatment}")
    policy = behind.policy(work, chunk)
    if isinstance(policy, str):
        return Gap(check=KEY, why=policy)
    candidate = next(one for one in policy.candidates if one.key == row.treatment)
    place = (chunk.log, chunk.seq, spot)
    beside = chunk.about.get(log.GHOSTS) == log.BESIDE
    late = chunk.about.get(log.COUNTED_FROM) == log.HANDED_OUT
    otherwise = tuple(kept.otherwise(row, chunk, policy, candidate))
    return _Made(
        row, _ms(row.reserved_at), place, chunk.position, to_ms(chunk.at), beside, late, policy, candidate, otherwise
    )


def _ms(at: datetime | None) -> int:
    return to_ms(at) if at else 0


def _wrong(one: _Made, own: Sequence[_Made], known: _Before) -> Iterator[str]:
    """Walk what a contact broke, by what had come before it under the same id, and under others."""
    yield from one.otherwise
    before = [*known.earlier(one), *own]
    campaign = one.policy.campaign
    [bucket] = buckets([one.row.customer], salt=campaign.holdout.salt, scope=campaign.key).tolist()
    if (bucket < one.policy.share or one.by_company) != one.ghost:
        yield "a customer who is held out was contacted" if not one.ghost else "a ghost stands for no control"
    if (one.row.status in ENDED) != (one.row.ended_position is not None):
        yield f"it is {one.row.status}, and when it ended is not what that says"
    alike = [each for each in before if each.counted_by(one) and each.counted_for(one)]
    household = [*alike, *known.together(one)] if _by_household(one) else alike
    for window in one.candidate.windows:
        least, most = _counted(window, one, household if window.per == "household" else alike, before)
        if most < window.limit if window.needs else least >= window.limit:
            limit = f"at least {window.limit}" if window.needs else f"at most {window.limit - 1} before it"
            count = most if window.needs else least
            yield f"{window.rule} asks for {limit} in {counted(window.days, 'day')}, and there were {count}"
    yield from _mispriced(one, alike)
    if not one.ghost:
        yield from _broken_word(one, [each for each in own if not each.ghost])


def _counted(window: Window, one: _Made, alike: Sequence[_Made], before: Sequence[_Made]) -> tuple[int, int]:
    """Return how many a rule counted, at the least and at the most."""
    if window.of == "rejections":
        since, families = one.at - window.days * _DAY_MS, window.counts.families
        turned = [_ms(each.row.rejected_at) for each in before if not families or each.row.family in families]
        count = sum(since < at <= one.at for at in turned)
        return count, count
    return _within(one, window.days, [each for each in alike if window.counts.holds(each.told)])


def _within(one: _Made, days: int, several: Sequence[_Made]) -> tuple[int, int]:
    """Return how many of some contacts were made within so many days before one, at the least and at the most."""
    after = one.at - days * _DAY_MS
    spans = [each.since(one) for each in several]
    return sum(first > after for first, _ in spans), sum(last > after for _, last in spans)


def _mispriced(one: _Made, alike: Sequence[_Made]) -> Iterator[str]:
    costs = one.policy.charges and (one.late or not one.ghost)  # before, ghosts did not say what they would have cost
    lately = _within(one, one.policy.contact_policy.goodwill.pressure_days, alike)
    least, most = (one.candidate.price * (1 + count) if costs else 0 for count in lately)
    if not least <= one.row.charge <= most:
        owed = f"{least}" if least == most else f"between {least} and {most}"
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
