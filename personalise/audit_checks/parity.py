"""The check `price_parity`: a permutation test. Nobody's terms may follow from what no terms may depend on.

Decisions of one policy are taken together, a sample of them. Twice something is exchanged between their customers:
facts that no terms may depend on, those of a customer going to another of whom the same ones are known; then what was
between the company and them lately (contacts that count, pressure, goodwill). Each time the same policy decides again,
from the same sealed inputs but for that. Where an offer opens or closes to somebody by another's facts, where by these
he is left alone instead of getting terms (or gets them instead), or where he gets other terms of the same family of
offers, his terms depend on what they may not. Whom contact history keeps from a contact, it may.

Facts that a catalogue calls `unpriced` are exchanged, and with them all that is derived from a category that has such:
there a dependence doesn't show in any expression. What customers were promised, and what they wish, stays theirs.
What a policy's wordings read is opened only for whoever is told it, so it isn't exchanged, but looked at as it stands.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent.audit.findings import Evidence, Finding, Gap, Judged, Severity, Yielded
from consent.base.clock import from_ms
from consent.base.counting import counted
from consent.base.errors import LedgerBroken
from personalise.campaigns import parity as publishing
from personalise.campaigns.model import FITTING, Offer
from personalise.decide import decide
from personalise.hours.judging import ALLOWED
from personalise.runs import log, replaying
from personalise.steps.personalise.policy import AUDIENCE, UNKNOWN, Policy

KEY: Final = "price_parity"
SAMPLE: Final = 5_000
"""Decisions looked at in an audit, or a chunk more."""

ROUNDS: Final = 3
"""How often each is exchanged, each time in another order."""

_NAMED: Final = 20
_HISTORY: Final = ("contacts:", "contacts_free:", "ghosts:", "ghosts_free:")
_BALANCE: Final = ("pressure", "ghost_pressure", "goodwill")
_HOURS: Final = "hours:"
_OPEN: Final = (AUDIENCE, *FITTING, UNKNOWN)

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Decisions of one chunk that were made again: their ids, what from, and how they came out."""

    ids: list[str]
    columns: pa.Table
    at: datetime
    made: pa.Table


@dataclass(slots=True, kw_only=True)
class _Group:
    """The decisions of one policy."""

    policy: Policy
    parts: list[_Part] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        """Of all of them, part by part."""
        return [one for part in self.parts for one in part.ids]


def parity(evidence: Evidence) -> Iterator[Yielded]:
    """Look at chunks in an order drawn from the audit's id until the sample is full."""
    with evidence.store.read() as work:
        chunks = list(log.places(work))
    groups: dict[tuple[bytes, ...], _Group] = {}
    left, gone = SAMPLE, 0
    for identity in sorted(chunks, key=lambda one: _drawn(evidence, "parity", one)):
        if left <= 0:
            break
        with evidence.store.write() as work:  # what is opened is a use, and is written down
            try:
                chunk = log.read(work, identity)
            except LedgerBroken as damaged:
                yield Gap(check=KEY, why=f"chunk {identity}: {damaged.detail}")
                continue
            found = replaying.replayed(evidence, work, chunk, actor="audit", at=evidence.began)
        unmade = [*found.unread, *(found.differs if found.made is None else ())]
        if unmade:
            why = found.why or "what they were made from does not open"
            yield Gap(
                check=KEY, why=f"{counted(len(unmade), 'decision')} of chunk {identity} can't be made again: {why}"
            )
        if found.made is None:
            gone += len(found.gone) if found.why == replaying.LET_GO else 0
            continue
        made = found.made
        at, ids = from_ms(chunk.about["decided_at"]), [f"{identity}.{spot}" for spot in made.spots]
        alike = (made.policy.digest, *map(str.encode, made.columns.column_names))
        group = groups.setdefault(alike, _Group(policy=made.policy))
        group.parts.append(_Part(ids=ids, columns=made.columns, at=at, made=made.table))
        left -= len(ids)
    if not groups and gone:
        yield Gap(check=KEY, why=f"none of {counted(gone, 'decision')} can be made again: {replaying.LET_GO}")
    yield from chain(_worded(groups.values()), *(_judged(evidence, group) for group in groups.values()))


def _worded(groups: Iterable[_Group]) -> Iterator[Finding]:
    """Walk what wordings of these groups' policies read and may not, of each policy once."""
    for policy in {each.policy.digest: each.policy for each in groups}.values():
        for where, name in publishing.worded_by(policy.campaign, publishing.carrying(policy.catalogue)):
            why = f"{where} tells terms, and reads {name}, which no terms may depend on"
            subject = f"{policy.campaign.key}@{policy.version}"
            yield Finding(check=KEY, severity=Severity.HIGH, subject=subject, why=why)


def _drawn(evidence: Evidence, *what: str) -> bytes:
    return hashlib.sha256("|".join((evidence.audit, *what)).encode()).digest()


def _judged(evidence: Evidence, group: _Group) -> Iterator[Yielded]:
    """Exchange what terms may not depend on within a group, and decide again."""
    policy, ids = group.policy, group.ids
    carrying = publishing.carrying(policy.catalogue)
    facts = [name for name in policy.attributes if name in carrying]
    first = group.parts[0].columns.column_names
    history = [name for name in first if name.startswith(_HISTORY) or name in _BALANCE]
    found: dict[str, str] = {}
    exchanged = np.zeros(len(ids), dtype=np.bool_)
    for names, told in ((facts, ", ".join(facts)), (history, "contact history")):
        tried = np.zeros(len(ids), dtype=np.bool_)
        for turn in range(ROUNDS if names else 0):
            donors, differ = _donors(evidence, group, names, turn, tried)
            tried |= differ
            for spot, why in _other_terms(group, names, donors, rules=names is facts):
                found.setdefault(ids[spot], f"with another customer's {told} {why}")
        exchanged |= tried & (names is facts)
    yield from _named(policy, found)
    known = _known(group, facts)
    if known.any() and not exchanged.any():
        why = f"{counted(int(known.sum()), 'decision')} of {policy.campaign.key} read {', '.join(facts)}"
        yield Gap(check=KEY, why=f"{why}, and there are no two customers to exchange that between")
        return
    yield Judged(int((exchanged | ~known).sum()))


def _known(group: _Group, names: Sequence[str]) -> NDArray[np.bool_]:
    """Return of whom any of these facts is known."""
    known = np.zeros(len(group.ids), dtype=np.bool_)
    for name in names:
        known |= np.concatenate([np.asarray(part.columns[name].is_valid()) for part in group.parts])
    return known


def _donors(
    evidence: Evidence, group: _Group, names: Sequence[str], turn: int, tried: NDArray[np.bool_]
) -> tuple[Rows, NDArray[np.bool_]]:
    """Return whose values each row gets, and where they are others than its own.

    Rows of whom the same facts are known stand in a ring, alike beside alike and otherwise in an order drawn from the
    audit's id. Each gets the values of the row so many places on as the most are alike: others than its own, but where
    more than half of the ring are alike. Of those the first get others, so who got none yet (`tried`) stands before.
    """
    ids = group.ids
    table = pa.concat_tables([part.columns.select(names) for part in group.parts])
    rings: dict[tuple[bool, ...], list[int]] = {}
    values = list(zip(*(table[name].to_pylist() for name in names), strict=True))
    for spot, row in enumerate(values):
        rings.setdefault(tuple(value is None for value in row), []).append(spot)
    donors = np.arange(len(ids), dtype=np.int64)
    for ring in rings.values():
        order = sorted(ring, key=lambda spot: (repr(values[spot]), tried[spot], _drawn(evidence, str(turn), ids[spot])))
        alike = max(Counter(repr(values[spot]) for spot in ring).values())
        donors[order] = np.roll(np.array(order, dtype=np.int64), -alike)
    differ = np.array([values[spot] != values[donor] for spot, donor in enumerate(donors.tolist())], dtype=np.bool_)
    return donors, differ


def _other_terms(group: _Group, names: Sequence[str], donors: Rows, *, rules: bool) -> Iterator[tuple[int, str]]:
    """Decide again with others' values; walk whose terms came out otherwise.

    Whether an offer is open to him, and whether he gets any terms at all, counts by `rules` only.
    """
    policy = group.policy
    table = pa.concat_tables([part.columns.select(names) for part in group.parts]).take(pa.array(donors))
    begin = 0
    for part in group.parts:
        columns = part.columns
        for name in names:
            given = table[name].slice(begin, len(part.ids)).combine_chunks()
            columns = columns.set_column(columns.column_names.index(name), name, given)
        again = decide(columns, policy, part.at)
        for spot, why in _differing(policy, part.made, again, rules=rules):
            yield begin + spot, why
        begin += len(part.ids)


def _differing(policy: Policy, made: pa.Table, again: pa.Table, *, rules: bool) -> Iterator[tuple[int, str]]:
    numbers = [number for number, rule in enumerate(policy.rules) if rule in _OPEN]
    for one in policy.candidates if rules else ():
        left, right = (np.isin(np.asarray(table[f"rule:{one.key}"]), numbers) for table in (made, again))
        for spot in np.flatnonzero(left != right).tolist():
            yield spot, f"{one.offer.key} {'opens' if left[spot] else 'closes'}"
    counts = _same_hours(made, again) & rules
    for spot, pair in enumerate(zip(_got(made), _got(again), strict=True)):
        first, second = (policy.candidates[number].offer if number >= 0 else None for number in pair)
        if first and second and first.family == second.family and first.terms_hash != second.terms_hash:
            yield spot, f"the terms are those of {second.key}, not of {first.key}"
        elif counts[spot]:
            yield from ((spot, told) for told in _gained(first, second))


def _gained(first: Offer | None, second: Offer | None) -> Iterator[str]:
    """Say what became of terms that somebody gets either first or second, and otherwise none; at most one thing."""
    if second and second.terms and not (first and first.terms):
        yield f"he gets {second.key}, and did not"
    if first and first.terms and not (second and second.terms):
        yield f"he no longer gets {first.key}"


def _same_hours(made: pa.Table, again: pa.Table) -> NDArray[np.bool_]:
    """Return for whom it is as quiet on every channel as it was: where somebody is may say when he is reached."""
    same = np.ones(made.num_rows, dtype=np.bool_)
    for name in made.column_names:
        if name.startswith(_HOURS):
            was, is_now = (np.asarray(table[name]) != ALLOWED for table in (made, again))
            same &= was == is_now
    return same


def _got(table: pa.Table) -> list[int]:
    """Return which candidate each got, or would have got if he weren't held out."""
    found: list[int] = np.maximum(np.asarray(table["chosen"]), np.asarray(table["ghost"])).tolist()
    return found


def _named(policy: Policy, found: dict[str, str]) -> Iterator[Finding]:
    for decision, why in list(found.items())[:_NAMED]:
        yield Finding(check=KEY, severity=Severity.HIGH, subject=decision, why=why)
    more = len(found) - _NAMED
    if more > 0:
        why = f"so it is for {more} more decisions"
        yield Finding(check=KEY, severity=Severity.HIGH, subject=f"{policy.campaign.key}@{policy.version}", why=why)
