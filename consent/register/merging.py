"""USE CASE: join two records that turned out to be of one customer.

Joining never gives the company more than it had. For each scope the more restrictive of the two answers stands until
the customer chooses: what only one of them allowed is asked for again, and a no of either is a no. Both histories stay
as they are, provable each under its own id; what follows from joining them is said in ordinary statements, of the
method `merged`, so that what stands is still nothing but the fold of what is in the ledger. Identities move, memory is
sealed anew under the id that goes on (only what both permitted), and the old id goes on as that one (see `mergers`).
Who goes on stays in his household, and comes into the other's where he was in none.
Contacts and decisions stay with the id they were made under: that is what they were judged by.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from consent import standings
from consent.base.clock import from_ms, to_ms
from consent.base.database import table_of
from consent.base.errors import CustomerErased, CustomerUnknown, StateConflict
from consent.base.ids import CustomerId, Scope
from consent.base.store import Work
from consent.catalogue.model import ASKED, SERVICE, Catalogue, ScopeRule
from consent.ledger.entry import Kind
from consent.permission.standing import (
    ERASED,
    FOREVER,
    RESTRICTED,
    SUPPRESSED,
    VALID,
    ScopeStanding,
    Standing,
    Status,
    birth_limit,
)
from consent.permission.statement import Act, Method, Statement
from consent.permission.verdict import PERMIT, Reason, scope_reason
from consent.register import households, mergers, publishing, recording, suppressing
from consent.register.desk import Desk
from consent.register.hearing import Heard, Joined
from consent.register.recording import Recorded
from consent.tables import ConfirmationRow, IdentityRow, MemoryRow, ReminderRow
from consent.vault import memory

_memory: Final = table_of(MemoryRow)
_RANK: Final = {Status.REFUSED: 1, Status.WITHDRAWN: 2, Status.OBJECTED: 3}
_ACT: Final = {Status.REFUSED: Act.REFUSE, Status.WITHDRAWN: Act.WITHDRAW, Status.OBJECTED: Act.OBJECT}
_ORDER: Final = (Act.INVALIDATE, Act.REFUSE, Act.WITHDRAW, Act.OBJECT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What joining two records did."""

    customer: CustomerId
    """Who goes on."""
    merged: CustomerId
    position: int
    """Of the entry that tells of it."""
    statements: tuple[Recorded, ...]
    """What follows for who goes on."""
    identities: int
    moved: tuple[str, ...]
    """The categories whose memory moved."""
    forgotten: tuple[str, ...]
    """Those in which it was deleted: not both permitted to remember it."""


def merge(
    desk: Desk, work: Work, merged: CustomerId, into: CustomerId, *, actor: str, at: datetime, reason: str = ""
) -> Merged:
    """Join two records: `merged` is given up, `into` goes on.

    Raises:
        CustomerUnknown: one of them is not enrolled.
        CustomerErased: one of them was erased.
        StateConflict: they are one already.
    """
    suppressing.beside_nobody(work)  # nor beside somebody who enrols, suppresses or joins one of them to others
    into = mergers.surviving(work, into)
    if mergers.surviving(work, merged) != merged or merged == into:
        msg = "these are one customer already"
        raise StateConflict(msg)
    given_up, goes_on = _both(work, merged, into)
    households.join(work, merged, into, at=at)
    said_at = recording.ledger_time(work, at)
    catalogue = desk.catalogues.current(work)
    told = {"actor": actor, "customer": into, "merged": merged, "reason": reason}
    position = publishing.note(desk, work, Kind.CUSTOMER_MERGED, told, at=said_at).position
    join = _Join(catalogue, goes_on, given_up, said_at, f"joined by ledger entry {position}")
    moved, forgotten = _move_memory(desk, work, merged, into, join)
    said = [*join.statements(into, desk.catalogues.bits(work, catalogue.version)), join.farewell(merged)]
    done = recording.record(desk, work, said, actor=actor, at=said_at, vouched={Method.MERGED})
    identities = _move_identities(work, merged, into)
    if given_up.states & SUPPRESSED:
        suppressing.mark(work, [into])
        suppressing.unmark(work, [merged])  # which has no address any more
    mergers.note(work, merged, into, at=said_at, position=position)
    desk.hears(desk, work, Heard(joined=Joined(merged, into, actor)), said_at)
    return Merged(
        customer=into,
        merged=merged,
        position=position,
        statements=tuple(one for one in done if one.customer == into),
        identities=identities,
        moved=tuple(moved),
        forgotten=tuple(forgotten),
    )


def _move_identities(work: Work, merged: CustomerId, into: CustomerId) -> int:
    """Have who goes on found by the names of who doesn't; what waited to be sent under the old id is not sent."""
    for row in (ConfirmationRow, ReminderRow):
        work.connection.execute(sa.delete(row).where(row.customer == merged))
    moved = sa.update(IdentityRow).where(IdentityRow.customer == merged).values(customer=into)
    return work.connection.execute(moved).rowcount


def _both(work: Work, merged: CustomerId, into: CustomerId) -> tuple[Standing, Standing]:
    """Lock both, in the order of their ids, and return what stands for each."""
    held = standings.locked(work, sorted([merged, into]))
    for customer in (merged, into):
        if customer not in held:
            row = standings.read(work, [customer]).get(customer)
            raise CustomerErased if row is not None and row.states & ERASED else CustomerUnknown
    return held[merged].standing, held[into].standing


class _Join:
    """What follows for the one who goes on."""

    def __init__(
        self, catalogue: Catalogue, goes_on: Standing, given_up: Standing, said_at: datetime, evidence: str
    ) -> None:
        self._catalogue = catalogue
        self._one, self._other = goes_on, given_up
        self._said_at = said_at
        self._evidence = evidence

    def statements(self, customer: CustomerId, bits: Mapping[str, int]) -> Iterator[Statement]:
        """Walk what has to be said, so that the more restrictive answer stands for each scope."""
        acts: dict[Act, list[Scope]] = {}
        for scope, bit in sorted(bits.items()):
            rule = self._catalogue.scopes.get(scope)
            act = self._act(rule, self._one.of(bit), self._other.of(bit))
            if act is not None and (rule is None or rule.legal_basis not in SERVICE):
                acts.setdefault(act, []).append(Scope(scope))
        for act in _ORDER:
            if act in acts:
                yield self._said(customer, act, *acts[act])
        yield from self._sooner(customer, bits)
        yield from self._whole(customer)

    def farewell(self, customer: CustomerId) -> Statement:
        """Return the last word of the id that is given up: nothing may be done under it any more."""
        return self._said(customer, Act.RESTRICT)

    def both_permit(self, scope: str) -> bool:
        """Say whether both of them permit a scope."""
        rule = self._catalogue.scopes.get(scope)
        return rule is not None and all(_permits(rule, each, self._said_at) for each in (self._one, self._other))

    def _act(self, rule: ScopeRule | None, one: ScopeStanding, other: ScopeStanding) -> Act | None:
        if _RANK.get(other.status, 0) > _RANK.get(one.status, 0):
            return _ACT[other.status]
        if one.status in _RANK:
            # Both said no, and one of them before the other: a yes of the time between, on paper, may be typed in yet.
            return _ACT[one.status] if other.status in _RANK else None
        if rule is None:
            return Act.INVALIDATE if one.status in VALID and other.status not in VALID else None
        if rule.legal_basis in ASKED:
            counts = other.status in VALID and _answers(rule, other, self._said_at) and not self._too_young(rule, other)
            return Act.INVALIDATE if one.status in VALID and not counts else None
        # A legitimate interest whose lifted objection turned out not to be lifted: the objection is back.
        lapsed = other.status is Status.INVALIDATED and one.status is not Status.INVALIDATED
        return Act.OBJECT if lapsed else None

    def _too_young(self, rule: ScopeRule, other: ScopeStanding) -> bool:
        """Say whether a yes without a guardian is that of a minor, by the ages that are known: it doesn't count.

        Nor does that of whoever is given up without an age that anybody knew: the age of the one who goes on would make
        a yes count that didn't.
        """
        known = [each.born_by for each in (self._one, self._other) if each.born_by < FOREVER]
        if not known:
            return False
        born_by = max(known) if self._other.born_by < FOREVER else FOREVER
        return scope_reason(rule, other, at_ms=to_ms(self._said_at), born_by=born_by) is Reason.MINOR

    def _sooner(self, customer: CustomerId, bits: Mapping[str, int]) -> Iterator[Statement]:
        """Walk what both gave and the one given up gave for less long: it ends when the first of the two does."""
        ends: dict[Scope, datetime] = {}
        for scope in sorted(self._catalogue.scopes.keys() & bits.keys()):
            rule, one, other = self._catalogue.scopes[scope], self._one.of(bits[scope]), self._other.of(bits[scope])
            counts = all(_answers(rule, each, self._said_at) for each in (one, other))
            if rule.legal_basis in ASKED and counts and other.expires < one.expires:
                ends[rule.scope] = from_ms(other.expires * 1000)
        if ends:
            said = self._said(customer, Act.RENEW, *ends)
            yield replace(said, valid_until=ends)

    def _whole(self, customer: CustomerId) -> Iterator[Statement]:
        one, other = self._one, self._other
        if other.states & RESTRICTED:  # said again where he is restricted: what lifted that may be typed in yet
            yield self._said(customer, Act.RESTRICT)
        if other.paused_until > to_ms(self._said_at):
            ends = max(one.paused_until, other.paused_until)
            yield self._said(customer, Act.PAUSE, until=None if ends == FOREVER else from_ms(ends))
        if FOREVER > other.born_by > one.born_by:
            yield self._said(customer, Act.INVALIDATE, age=_years(other.born_by, self._said_at))
        if other.gpc:
            yield self._said(customer, Act.REFUSE, method=Method.SIGNAL)

    def _said(
        self,
        customer: CustomerId,
        act: Act,
        *scopes: Scope,
        method: Method = Method.MERGED,
        until: datetime | None = None,
        age: int = 0,
    ) -> Statement:
        return Statement(
            customer=customer,
            act=act,
            scopes=scopes,
            said_at=self._said_at,
            method=method,
            evidence=self._evidence,
            until=until,
            age=age,
        )


def _permits(rule: ScopeRule, standing: Standing, at: datetime) -> bool:
    stands = standing.of(rule.bit)
    opted_out = standing.gpc > 0
    return scope_reason(rule, stands, at_ms=to_ms(at), born_by=standing.born_by, opted_out=opted_out) is PERMIT


def _answers(rule: ScopeRule, stands: ScopeStanding, at: datetime) -> bool:
    """Say whether a yes counts by itself; ages and signals of browsers are joined for the customer as a whole."""
    return scope_reason(rule, stands, at_ms=to_ms(at), born_by=birth_limit(at, rule.minimum_age)) is PERMIT


def _years(born_by: int, at: datetime) -> int:
    """Return the age in whole years that stands for a latest birth, or for a later one."""
    age = at.year - from_ms(born_by).year
    while age > 1 and birth_limit(at, age) < born_by:
        age -= 1
    return max(age, 1)


def _move_memory(
    desk: Desk, work: Work, merged: CustomerId, into: CustomerId, join: _Join
) -> tuple[list[str], list[str]]:
    """Seal under the one who goes on what both permitted to remember; what he has already is the newer word.

    Kept for as long as the older of the two was to be kept.
    """
    query = sa.select(_memory.c.category, _memory.c.customer, _memory.c.remembered_at).where(
        _memory.c.customer.in_([merged, into])
    )
    since: dict[str, dict[str, int]] = {}
    for category, customer, remembered_at in work.connection.execute(query):
        since.setdefault(category, {})[customer] = to_ms(remembered_at)
    keys = memory.data_keys(desk.keys, work, [merged, into])
    moved, forgotten = [], []
    for category in sorted(each for each, whose in since.items() if merged in whose):
        if join.both_permit(f"remember:{category}"):
            known = dict(memory.get(work, keys, category, [merged, into]))
            facts = {**known[merged], **known.get(into, {})}
            memory.put(work, keys, [(into, category, facts)], min(since[category].values()))
            moved.append(category)
        else:
            forgotten.append(category)
        memory.forget(work, category, [merged])
    return moved, forgotten
