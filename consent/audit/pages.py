"""Customers a page at a time: what is stored of each, and what he said, reopened from the ledger.

A page is read in one short transaction, so that its rows belong together; the opening and folding is done after it. A
page is as long as a thousand customers or ten thousand payloads, whichever comes first, so that memory stays the same
however many there are.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from consent.audit.folding import folded
from consent.base.database import Hot, among, table_of
from consent.base.errors import Invalid
from consent.base.ids import CustomerId
from consent.base.store import Store, Work
from consent.ledger.entry import Kind
from consent.ledger.position import parts
from consent.permission.standing import EMPTY, StoredStanding, stored
from consent.permission.statement import from_record
from consent.register import customers, reopening
from consent.register.desk import Desk
from consent.register.payloads import LOG_OWNER
from consent.register.reopening import Reopened, Sealed
from consent.register.tables import ErasureRow, SuppressionRow
from consent.tables import IdentityRow, LedgerLogRow, LedgerPayloadRow, MemoryRow, ReminderRow, StandingRow

PAGE: Final = 1_000
"""Customers read in one transaction, at most."""

PAYLOADS: Final = 10_000
"""Payloads read in one transaction; more where one customer alone has more."""

_NOTHING_SAID: Final = stored(EMPTY)
_NOBODY_ELSE: Final[tuple[str, tuple[()]]] = ("", ())
_owner: Final = itemgetter(0)
BEHIND_ALL: Final = "\U0010ffff"
"""Sorts after every id."""

_ENTRIES: Final = 4_096
"""New entries looked at in one transaction for whom they are about."""

_row: Final = table_of(StandingRow)
_memory: Final = table_of(MemoryRow)
_payload: Final = table_of(LedgerPayloadRow)
_erasure: Final = table_of(ErasureRow)
_identity: Final = table_of(IdentityRow)
_reminder: Final = table_of(ReminderRow)
_suppression: Final = table_of(SuppressionRow)


class _Part:
    """A select, of which a page needs the rows of its customers: those in a range of ids, or those of a list."""

    __slots__ = ("_among", "_between")

    def __init__(self, column: Any, *selected: Any, besides: Any = None) -> None:  # noqa: ANN401 -- columns of a Core table, and a join
        selection = sa.select(column, *selected).select_from(column.table if besides is None else besides)
        in_range = sa.and_(column > sa.bindparam("after"), column <= sa.bindparam("last"))
        self._between = Hot(selection.where(in_range), "after", "last")
        self._among = Hot(lambda dialect: selection.where(among(column, "customers")(dialect)), "customers")

    def rows(self, work: Work, whose: "_Whose") -> list[tuple[Any, ...]]:
        found = (
            work.run(self._between, whose.after, whose.last)
            if isinstance(whose, _Range)
            else work.run(self._among, work.listed(whose))
        )
        rows: list[tuple[Any, ...]] = found.fetchall()
        return rows


_STANDINGS: Final = _Part(_row.c.customer, _row.c.last_leaf, *[_row.c[name] for name in StoredStanding._fields])
_KEPT: Final = _Part(_memory.c.customer, _memory.c.category, _memory.c.sealed)
_BURIED: Final = _Part(_erasure.c.customer, _erasure.c.position)
_REMINDERS: Final = _Part(_reminder.c.customer, _reminder.c.scope, _reminder.c.expires_at)
_LEFT_ALONE: Final = _Part(
    _identity.c.customer,
    besides=_identity.join(
        _suppression, sa.and_(_suppression.c.kind == _identity.c.kind, _suppression.c.blind == _identity.c.blind)
    ),
)


def full_at(payloads: int) -> Hot:
    """Return what finds the customer with whom a page is full that may have so many payloads."""
    return Hot(
        sa.select(_payload.c.owner)
        .where(_payload.c.owner > sa.bindparam("after"), _payload.c.owner < LOG_OWNER)
        .order_by(_payload.c.owner, _payload.c.log, _payload.c.seq)
        .limit(sa.literal_column("1"))
        .offset(sa.literal_column(str(payloads - 1))),
        "after",
    )


_FULL_AT: Final = full_at(PAYLOADS)


def _spoke_first_in(payload: Any) -> sa.Select[Any]:  # noqa: ANN401 -- a Core table
    """Select who spoke in a stretch of a log, and had not spoken between a position and that stretch."""
    earlier = payload.alias("earlier")
    between = sa.and_(
        earlier.c.owner == payload.c.owner,
        sa.tuple_(earlier.c.log, earlier.c.seq) >= sa.tuple_(sa.bindparam("log0"), sa.bindparam("seq0")),
        sa.tuple_(earlier.c.log, earlier.c.seq) < sa.tuple_(sa.bindparam("log"), sa.bindparam("first")),
    )
    stretch = sa.and_(
        payload.c.log == sa.bindparam("log"),
        payload.c.seq >= sa.bindparam("first"),
        payload.c.seq < sa.bindparam("last"),
        payload.c.owner != LOG_OWNER,
    )
    return (
        sa.select(payload.c.owner)
        .distinct()
        .where(stretch, ~sa.exists().select_from(earlier).where(between))
        .order_by(payload.c.owner)
    )


_NEW: Final = Hot(_spoke_first_in(_payload), "log", "first", "last", "log0", "seq0")


# The place of the last payload of each log.
_LAST: Final = sa.select(
    LedgerLogRow.id,
    sa.select(sa.func.max(_payload.c.seq)).where(_payload.c.log == LedgerLogRow.id).scalar_subquery(),
).order_by(LedgerLogRow.id)


class _Range(NamedTuple):
    after: str
    last: str


_Whose = _Range | list[CustomerId]


class Row(NamedTuple):
    """A standing row; nothing in it need be true."""

    last_leaf: bytes
    standing: StoredStanding


class Customer(NamedTuple):
    """A customer (or somebody who isn't enrolled, of whom something is stored all the same), with what he said.

    `key_opens` says whether his data key does, and is None where he has none. `memory` are the categories in which
    something is kept of him, `unreadable` those whose record doesn't open under his key, or holds nothing that could be
    remembered, each with why (none where the key itself is lost), `reminders` what is queued to remind him of: scopes,
    and when they end (ms). `said` are his payloads in the order of the ledger, `standing` is what stands because of
    them: None where one of them can't be read, for then that is not known. `suppressed` says that an address of his is
    left alone, `buried` that his tombstone stands, and `erased` that the ledger itself says that he was erased.
    """

    id: CustomerId
    enrolled: bool
    key_opens: bool | None
    row: Row | None
    memory: Sequence[str]
    unreadable: Sequence[tuple[str, str]]
    reminders: Sequence[tuple[str, int]]
    said: Sequence[Reopened]
    standing: StoredStanding | None
    suppressed: bool
    buried: bool
    erased: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some customers, as they are stored."""

    customers: Collection[CustomerId]
    rows: Mapping[str, Row]
    memory: Mapping[str, Sequence[tuple[str, bytes]]]
    """What is remembered: (category, sealed record) by customer."""
    reminders: Mapping[str, Sequence[tuple[str, int]]]
    suppressed: Collection[str]
    buried: Mapping[str, int]
    """Tombstones: whose, and the position of the entry that should say so."""
    sealed: Sealed
    obituaries: Sealed
    """The payloads of those entries."""
    desk: Desk
    bits: Mapping[str, int]

    def __iter__(self) -> Iterator[Customer]:
        """Open what each of them said, one after the other: nothing is kept open of the one before.

        So little lives at a time that the garbage collector finds nothing to do, which is a fifth of the time.
        """
        keys = reopening.unlocked(self.desk.keys, self.sealed)
        spoken = groupby(reopening.reopened(self.desk.keys, self.sealed, keys), key=_owner)
        next_owner, next_said = next(spoken, _NOBODY_ELSE)
        enrolled, erased = set(self.customers), self._erased()
        for one in sorted({*enrolled, *self.rows, *self.sealed.keys, *map(_owner, self.sealed.rows)}):
            said: list[Reopened] = []
            kept = self.memory.get(one, ())
            standing: StoredStanding | None = _NOTHING_SAID
            if next_owner == one:
                said, standing = _told(list(next_said), self.bits)
                next_owner, next_said = next(spoken, _NOBODY_ELSE)
            yield Customer(
                id=CustomerId(one),
                enrolled=one in enrolled,
                key_opens=keys.opens(one),
                row=self.rows.get(one),
                memory=[category for category, _ in kept],
                unreadable=keys.wrong_memory(one, kept),
                reminders=self.reminders.get(one, ()),
                said=said,
                standing=standing,
                suppressed=one in self.suppressed,
                buried=one in self.buried,
                erased=one in erased,
            )

    def _erased(self) -> set[str]:
        """Return who was erased by what the ledger says, not by what his tombstone says."""
        return {
            each.payload["erased"]
            for each in reopening.reopened(self.desk.keys, self.obituaries)
            if each.kind == Kind.CUSTOMER_ERASED
            and not each.why
            and self.buried.get(each.payload["erased"]) == each.seq
        }


def _told(said: list[Reopened], bits: Mapping[str, int]) -> tuple[list[Reopened], StoredStanding | None]:
    """Fold what a customer said; where it can't be folded, say which payload it is, and why."""
    if any(one.why for one in said):
        return said, None
    try:
        return said, folded([(one.seq, one.payload["statement"]) for one in said if one.kind == Kind.STATEMENT], bits)
    except (Invalid, AttributeError, KeyError, TypeError, ValueError):
        return _named(said, bits), None


def _named(said: list[Reopened], bits: Mapping[str, int]) -> list[Reopened]:
    for spot, one in enumerate(said):
        if one.kind != Kind.STATEMENT:
            continue
        try:
            statement = from_record(CustomerId(one.owner), one.payload["statement"])
        except (Invalid, AttributeError, KeyError, TypeError, ValueError):
            return [*said[:spot], one._replace(why="holds no statement"), *said[spot + 1 :]]
        if any(scope not in bits for scope in statement.scopes):
            return [*said[:spot], one._replace(why="names a scope that never got a bit"), *said[spot + 1 :]]
    return [*said[:-1], said[-1]._replace(why="can't be folded with the others")]


@dataclass(frozen=True, kw_only=True)
class Pages:
    """All customers of a deployment, to be walked page by page.

    `since` is a ledger position: with it, only those are walked of whom something was recorded from there on.
    `after` and `until` bound a range of ids, of which several processes take one each.
    """

    store: Store
    desk: Desk
    bits: Mapping[str, int]
    since: int = 0
    after: str = ""
    until: str = BEHIND_ALL

    def __iter__(self) -> Iterator[Page]:
        """Walk the pages; no transaction is open in between."""
        return self._new() if self.since else self._all()

    def _all(self) -> Iterator[Page]:
        """Walk all in the order of their ids; what is nobody's is in the page where his id would be."""
        after = self.after
        while after < self.until:
            with self.store.read() as work:
                found = [each for each in customers.after(work, after, PAGE) if each <= self.until]
                last = found[-1] if len(found) == PAGE else self.until
                full = work.run(_FULL_AT, after).fetchone()
                if full and full[0] < last:
                    last = full[0]
                    found = [each for each in found if each <= last]
                page = self._page(work, found, _Range(after, last))
            yield page
            after = last

    def _new(self) -> Iterator[Page]:
        """Walk those who said something since, in the order in which they did."""
        begun = parts(self.since)
        with self.store.read() as work:
            ends = work.connection.execute(_LAST.where(LedgerLogRow.id >= begun.log)).all()
        for log, end in ends:
            start = begun.seq if log == begun.log else 0
            for first in range(start, (end or 0) + 1, _ENTRIES):
                with self.store.read() as work:
                    rows = work.run(_NEW, log, first, first + _ENTRIES, *begun).fetchall()
                    whose = [CustomerId(row[0]) for row in rows if self.after < row[0] <= self.until]
                    page = self._page(work, whose, whose) if whose else None
                if page:
                    yield page

    def _page(self, work: Work, found: list[CustomerId], whose: _Whose) -> Page:
        rows = {
            customer: Row(leaf, StoredStanding(*standing)) for customer, leaf, *standing in _STANDINGS.rows(work, whose)
        }
        kept: defaultdict[str, list[tuple[str, bytes]]] = defaultdict(list)
        for customer, category, sealed in _KEPT.rows(work, whose):
            kept[customer].append((category, sealed))
        reminders: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        for customer, scope, expires_at in _REMINDERS.rows(work, whose):
            reminders[customer].append((scope, expires_at))
        buried: dict[str, int] = dict(_BURIED.rows(work, whose))
        return Page(
            customers=found,
            rows=rows,
            memory=kept,
            reminders=reminders,
            suppressed={customer for (customer,) in _LEFT_ALONE.rows(work, whose)},
            buried=buried,
            sealed=(
                reopening.sealed_between(work, whose.after, whose.last)
                if isinstance(whose, _Range)
                else reopening.sealed_of(work, whose)
            ),
            obituaries=reopening.sealed_among(work, buried.values()),
            desk=self.desk,
            bits=self.bits,
        )
