"""Suppression: an address that is left alone, whoever has it, and also when nobody here has it any more.

What is kept of the address is its keyed hash, so that it outlives the erasure of its customer without saying who he
was: brought in again with an import years later, it is recognised, and stays denied. Suppressing and lifting are
entries in the ledger.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from consent.base.canonical import b64u
from consent.base.clock import from_ms
from consent.base.database import Hot, table_of
from consent.base.errors import NotFound, Place, RequestUnfit
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.ledger import log
from consent.ledger.entry import Kind
from consent.permission.standing import SUPPRESSED
from consent.register import publishing
from consent.register.desk import Desk
from consent.register.tables import LiftedSuppressionRow, SuppressionRow
from consent.tables import CustomerRow, IdentityRow, StandingRow
from consent.vault.seal import blind as keyed_hash
from consent.vault.seal import normalised

REFERENCE: Final = "reference"
"""The kind of identity that is no address: the customer's name in the company's own system."""

FORMS: Final = {
    "email": (re.compile(r"[^\x00-\x20@\x7f]{1,64}@[^\x00-\x20@\x7f]{1,255}"), "is not an e-mail address"),
    "phone": (re.compile(r"\+[1-9][0-9]{6,14}"), "is not an international number (E.164), like +493012345678"),
}
"""What an address of a kind looks like, once it is as it is compared; of any other kind, any text is one."""

KIND: Final = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
"""What a kind of address may be called."""

NAMELESS: Final = b""
"""In place of the keyed hash, in what was lifted, once whoever had the address is erased."""

Blind: TypeAlias = tuple[str, bytes]
"""A kind of address, and its keyed hash."""

_row: Final = table_of(SuppressionRow)
_lifted: Final = table_of(LiftedSuppressionRow)
_identity: Final = table_of(IdentityRow)
_standing: Final = table_of(StandingRow)
_AT_ONCE: Final = 500
_LONGEST: Final = 320
_LOCK: Final = 0x62796C65  # "byle": of the whole database's advisory locks, the one of this list
_ANY: Final = Hot(sa.select(sa.literal_column("1")).select_from(_row).limit(sa.literal_column("1")))


class Why(StrEnum):
    """Why an address is left alone. Words of one's own could say who it is, and would outlive his erasure."""

    ASKED = "asked"
    """Whoever has it asked for that."""
    COMPLAINED = "complained"
    BOUNCED = "bounced"
    """It can't be reached."""
    LISTED = "listed"
    """It stands on a register of people who don't want to be contacted."""
    DECEASED = "deceased"
    ERASED = "erased"
    """Its customer was erased, and is to stay in peace."""
    RESTORED = "restored"
    """It was left alone before a backup was brought back that didn't know."""


class NotSuppressed(NotFound):
    """The address is not suppressed, so there is nothing to lift."""

    code = "not_suppressed"
    title = "That address is not suppressed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """An address that is left alone: since when, and by which entry of the ledger."""

    kind: str
    since: datetime
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What became of an address: the suppression, whether this made it so, and how many customers it concerns."""

    suppression: Suppression
    subject: str
    """Kind and keyed hash of the address, as the list of erasures names it."""

    changed: bool
    customers: int
    position: int
    """Of the entry that says how it stands now."""


def suppressed(work: Work, blinds: Iterable[Blind]) -> set[Blind]:
    """Return which of these addresses are left alone; where nobody's is, with one look."""
    wanted = sorted(set(blinds))
    if not wanted or work.run(_ANY).fetchone() is None:
        return set()
    found: set[Blind] = set()
    for first in range(0, len(wanted), _AT_ONCE):
        by_kind: dict[str, list[bytes]] = {}
        for kind, blind in wanted[first : first + _AT_ONCE]:
            by_kind.setdefault(kind, []).append(blind)
        for kind, some in by_kind.items():
            query = sa.select(_row.c.blind).where(_row.c.kind == kind, _row.c.blind.in_(some))
            found |= {(kind, bytes(blind)) for blind in work.connection.execute(query).scalars()}
    return found


def find(desk: Desk, work: Work, kind: str, address: str, *, as_of: datetime | None = None) -> Suppression | None:
    """Return the suppression of an address; None where it has none. With `as_of`, the one that it had then.

    Raises:
        RequestUnfit: it is no address, or of a kind that is not known here.
    """
    blind = _blinded(desk, kind, address)
    _require_known(desk, work, kind, also=(_row, _lifted))
    if as_of is None:
        return _found(work, kind, blind)
    stood = _stood_at(as_of)
    query = sa.select(stood.c.since, stood.c.position).where(stood.c.kind == kind, stood.c.blind == blind)
    row = work.connection.execute(query).first()
    return None if row is None else Suppression(kind=kind, since=row.since, position=row.position)


def suppress(
    desk: Desk, work: Work, kind: str, address: str, *, actor: str, why: Why = Why.ASKED, at: datetime
) -> Changed:
    """Leave an address alone from now on: whoever has it can't be contacted, nor can his data be shared.

    Once more changes nothing.

    Raises:
        RequestUnfit: it is no address, or of a kind that is not known here: nobody would ever be left alone by it.
        ClockBehind: the clock lies behind the ledger.
    """
    blind = _blinded(desk, kind, address)
    _require_known(desk, work, kind)
    return suppress_blind(desk, work, (kind, blind), actor=actor, why=why, at=at)


def suppress_blind(desk: Desk, work: Work, address: Blind, *, actor: str, why: Why, at: datetime) -> Changed:
    """Suppress as `suppress` does, where only the keyed hash is known: of a customer who is being erased."""
    kind, blind = address
    whose = _held(work, address)
    known = _found(work, kind, blind)
    if known is not None:
        return Changed(
            suppression=known, subject=subject_of(address), changed=False, customers=len(whose), position=known.position
        )
    payload = {"act": "suppress", "actor": actor, "address": kind, "blind": b64u(blind), "why": str(why)}
    position, at = _entered(desk, work, payload, at=at)
    insert: Any = (postgresql if work.dialect == "postgresql" else sqlite).insert(_row)
    row = {"kind": kind, "blind": blind, "since": at, "position": position}
    work.connection.execute(insert.values(**row).on_conflict_do_nothing())
    mark(work, whose)
    made = Suppression(kind=kind, since=at, position=position)
    return Changed(suppression=made, subject=subject_of(address), changed=True, customers=len(whose), position=position)


def suppress_customer(
    desk: Desk, work: Work, customer: CustomerId, *, actor: str, why: Why, at: datetime
) -> list[Changed]:
    """Suppress every address that a customer has, as `suppress` does each; his reference is none.

    Raises:
        ClockBehind: the clock lies behind the ledger.
    """
    beside_nobody(work)
    addresses = sorted(each for each in _addresses(work, customer) if each[0] != REFERENCE)
    # An address is one customer's, so with the first of them he is locked, before the ledger's head is.
    return [suppress_blind(desk, work, each, actor=actor, why=why, at=at) for each in addresses]


def lift(desk: Desk, work: Work, kind: str, address: str, *, actor: str, at: datetime) -> Changed:
    """Take an address off the list; a customer stays suppressed while another address of his is on it.

    Raises:
        RequestUnfit: it is no address.
        NotSuppressed: it wasn't on it.
        ClockBehind: the clock lies behind the ledger.
    """
    blind = _blinded(desk, kind, address, formed=False)  # what was put on the list can be taken off, whatever it is
    whose = _held(work, (kind, blind))
    known = _found(work, kind, blind)
    if known is None:
        raise NotSuppressed
    payload = {"act": "lift", "actor": actor, "address": kind, "blind": b64u(blind)}
    position, at = _entered(desk, work, payload, at=at)
    ended = {"position": known.position, "since": known.since, "until": at, "lifted_position": position}
    work.connection.execute(sa.insert(_lifted).values(kind=kind, blind=blind, **ended))
    work.connection.execute(sa.delete(_row).where(_row.c.kind == kind, _row.c.blind == blind))
    free = [each for each in whose if not suppressed(work, _addresses(work, each))]
    unmark(work, free)
    return Changed(
        suppression=known, subject=subject_of((kind, blind)), changed=True, customers=len(whose), position=position
    )


def subject_of(address: Blind) -> str:
    """Return how the list of erasures names an address.

    >>> subject_of(("email", bytes(32)))
    'email:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
    """
    kind, blind = address
    return f"{kind}:{b64u(blind)}"


def mark(work: Work, customers: Sequence[CustomerId]) -> None:
    """Have customers stand as suppressed: an address of theirs is on the list."""
    _set_states(work, customers, _standing.c.states.op("|")(sa.literal(SUPPRESSED)))


def unmark(work: Work, customers: Sequence[CustomerId]) -> None:
    """Have customers stand as not suppressed: no address of theirs is on the list."""
    _set_states(work, customers, _standing.c.states.op("&")(sa.literal(~SUPPRESSED)))


def forget_lifted(work: Work, customer: CustomerId) -> int:
    """Take a customer's addresses out of what was lifted, for he is being erased; return out of how many.

    That something was left alone, and from when until when, stays: the ledger says so too.
    """
    his = sa.select(_identity.c.kind, _identity.c.blind).where(_identity.c.customer == customer)
    of_him = sa.tuple_(_lifted.c.kind, _lifted.c.blind).in_(his)
    return work.connection.execute(sa.update(_lifted).where(of_him).values(blind=NAMELESS)).rowcount


def beside_enrolling(work: Work) -> None:
    """Keep suppressing out until this transaction is over: it must not miss an address that is just being enrolled."""
    if work.dialect == "postgresql":  # SQLite lets one writer in at a time
        work.connection.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(_LOCK)))


def beside_nobody(work: Work) -> None:
    """Keep enrolling and suppressing out until this transaction is over. It comes before the lock of any customer."""
    if work.dialect == "postgresql":
        work.connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def newest(work: Work, most: int, *, before: int | None = None, as_of: datetime | None = None) -> list[Suppression]:
    """Return up to `most` suppressions, the newest first.

    Args:
        work: a transaction.
        most: how many.
        before: only those whose entries stand before this position.
        as_of: those that stood then, whether or not they still do.
    """
    rows = _row if as_of is None else _stood_at(as_of)
    query = sa.select(rows.c.kind, rows.c.since, rows.c.position)
    if before is not None:
        query = query.where(rows.c.position < before)
    found = work.connection.execute(query.order_by(rows.c.position.desc()).limit(most))
    return [Suppression(kind=row.kind, since=row.since, position=row.position) for row in found]


def count(work: Work, *, as_of: datetime | None = None) -> int:
    """Return how many addresses are suppressed, or were at a time."""
    rows = _row if as_of is None else _stood_at(as_of)
    return work.connection.execute(sa.select(sa.func.count()).select_from(rows)).scalar_one()


def _held(work: Work, address: Blind) -> list[CustomerId]:
    """Lock the list, then those who have an address, in the order of ids; return who they are."""
    beside_nobody(work)
    kind, blind = address
    holders = sa.select(_identity.c.customer).where(_identity.c.kind == kind, _identity.c.blind == blind)
    whose = sa.select(CustomerRow.id).where(CustomerRow.id.in_(holders)).order_by(CustomerRow.id).with_for_update()
    return [CustomerId(each) for each in work.connection.execute(whose).scalars()]


def _entered(desk: Desk, work: Work, payload: dict[str, str], *, at: datetime) -> tuple[int, datetime]:
    """Enter a change in the ledger; return where it stands, and when it happened by the ledger's own clock."""
    position = publishing.note(desk, work, Kind.SUPPRESSION_CHANGED, payload, at=at).position
    return position, from_ms(log.head(work).last_at)


def _stood_at(at: datetime) -> sa.Subquery:
    """Return what was left alone at a time, whether or not it still is."""
    still = sa.select(_row.c.kind, _row.c.blind, _row.c.since, _row.c.position).where(_row.c.since <= at)
    then = sa.select(_lifted.c.kind, _lifted.c.blind, _lifted.c.since, _lifted.c.position)
    return still.union_all(then.where(_lifted.c.since <= at, _lifted.c.until > at)).subquery()


def _addresses(work: Work, customer: CustomerId) -> list[Blind]:
    query = sa.select(_identity.c.kind, _identity.c.blind).where(_identity.c.customer == customer)
    return [(row.kind, bytes(row.blind)) for row in work.connection.execute(query)]


def _set_states(work: Work, customers: Sequence[CustomerId], states: sa.ColumnElement[Any]) -> None:
    for first in range(0, len(customers), _AT_ONCE):
        some = customers[first : first + _AT_ONCE]
        work.connection.execute(sa.update(_standing).where(_standing.c.customer.in_(some)).values(states=states))


def _found(work: Work, kind: str, blind: bytes) -> Suppression | None:
    query = sa.select(_row.c.since, _row.c.position).where(_row.c.kind == kind, _row.c.blind == blind)
    row = work.connection.execute(query).first()
    return None if row is None else Suppression(kind=kind, since=row.since, position=row.position)


def _require_known(desk: Desk, work: Work, kind: str, *, also: Sequence[sa.Table] = ()) -> None:
    """See that addresses of a kind are known here.

    They are where we know their form, where the catalogue has a channel of that name, where an import brought some, and
    where one stands in a table of `also`: what was put on the list before goes on.

    Raises:
        RequestUnfit: they aren't; it names the kinds that are.
    """
    version = log.head(work).catalogue_version
    known = {*FORMS, *(desk.catalogues.version(work, version).channels if version else ())}
    if kind in known or any(_has(work, table, kind) for table in (_identity, *also)):
        return
    known |= set(_kinds(work))
    named = ", ".join(sorted(known))
    raise RequestUnfit(places=[Place("/kind", f"no addresses of this kind are known here; there are {named}")])


def _has(work: Work, table: sa.Table, kind: str) -> bool:
    query = sa.select(sa.exists(sa.select(table.c.kind).where(table.c.kind == kind)))
    return bool(work.connection.execute(query).scalar_one())


def _kinds(work: Work) -> Iterator[str]:
    """Yield the kinds of addresses that customers have, one look at the index each."""
    last = ""
    while found := work.connection.execute(
        sa.select(sa.func.min(_identity.c.kind)).where(_identity.c.kind > last)
    ).scalar():
        last = str(found)
        if last != REFERENCE:
            yield last


def _blinded(desk: Desk, kind: str, address: str, *, formed: bool = True) -> bytes:
    places = []
    if not KIND.fullmatch(kind) or kind == REFERENCE:
        places.append(Place("/kind", "is not a kind of address, like email or phone"))
    if not 1 <= len(address.strip()) <= _LONGEST:
        places.append(Place("/address", f"must have 1 to {_LONGEST} characters"))
    elif formed and kind in FORMS:
        form, why = FORMS[kind]
        if not form.fullmatch(normalised(kind, address)):
            places.append(Place("/address", why))
    if places:
        raise RequestUnfit(places=places)
    return keyed_hash(desk.keys.index_key, kind, address)
