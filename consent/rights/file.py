"""USE CASE: a customer's complete file as of a date: what stood then, by the entries recorded by then.

Every claim names the ledger position that it stands on. What is remembered is named by its categories, and stays
sealed: the file accounts for what was done, and needs no facts for that. What is remembered is not kept as it was at a
past time; the file says of each category since when it has been as it is.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from consent import gate
from consent.base.clock import rfc3339
from consent.base.database import table_of
from consent.base.errors import CustomerUnknown
from consent.base.ids import CustomerId
from consent.base.store import Store, Work
from consent.ledger.log import position_in
from consent.permission.standing import ERASED, RESTRICTED, SUPPRESSED, Standing
from consent.permission.statement import Act
from consent.permission.verdict import Reason, Verdict
from consent.register import history
from consent.register.desk import Desk
from consent.register.tables import ErasureRow
from consent.rights import looking, sections
from consent.rights.looking import Kept, Look
from consent.rights.sections import Elsewhere, Row
from consent.tables import CatalogueVersionRow, CustomerRow

_version: Final = table_of(CatalogueVersionRow)
_erasure: Final = table_of(ErasureRow)
_BY_ACT: Final = {Act.PAUSE: Reason.PAUSED, Act.RESTRICT: Reason.RESTRICTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A customer's file, but for its long sections, which `written` walks."""

    customer: CustomerId
    enrolled_at: datetime
    as_of: datetime
    position: int
    """How long the ledger was then."""
    catalogue: int
    """The version in force then; 0 for none."""
    published: int | None
    """The position of the entry that published it."""
    standing: Standing
    verdicts: tuple[Verdict, ...]
    grounds: Mapping[Reason, int]
    """The entries behind what held for him as a whole, whatever the scope."""
    kept: tuple[Kept, ...]
    """The categories in which something is kept now that was there already."""
    look: str
    """The use that was recorded when it was opened."""

    @property
    def states(self) -> tuple[str, ...]:
        """What held for the customer as a whole then."""
        named = (("erased", ERASED), ("suppressed", SUPPRESSED), ("restricted", RESTRICTED))
        return tuple(name for name, bit in named if self.standing.states & bit)


def opened(desk: Desk, work: Work, look: Look, *, as_of: datetime) -> File:
    """Open the file of a look's customer as of a time.

    Args:
        desk: keys and catalogues.
        work: the transaction that the look was made in.
        look: the use of his data that was recorded for it, for `looking.Why.FILE`.
        as_of: not later than now.

    Raises:
        CustomerUnknown: nobody of that id was enrolled then.
    """
    query = sa.select(CustomerRow.enrolled_at).where(CustomerRow.id == look.customer)
    enrolled_at = work.connection.execute(query).scalar()
    if enrolled_at is None or enrolled_at > as_of:
        msg = "nobody of this id was enrolled then"
        raise CustomerUnknown(msg)
    position, version = history.ledger_at(work, as_of)
    return File(
        customer=look.customer,
        enrolled_at=enrolled_at,
        as_of=as_of,
        position=position,
        catalogue=version,
        published=work.connection.execute(
            sa.select(position_in(_version)).where(_version.c.version == version)
        ).scalar(),
        standing=history.standing_at(desk, work, look.customer, as_of),
        verdicts=tuple(gate.check_all(desk, work, look.customer, at=as_of, as_of=True)),
        grounds=_grounds(desk, work, look.customer, as_of),
        kept=tuple(each for each in looking.kept(desk, work, look.customer) if each.remembered_at <= as_of),
        look=look.id,
    )


def _grounds(desk: Desk, work: Work, customer: CustomerId, as_of: datetime) -> dict[Reason, int]:
    """Return the newest entries that paused, restricted or erased a customer; whether they still held is not said."""
    said = history.of_customer(desk, work, customer, as_of=as_of)
    acts = {one.statement.act: one.seq for one in said}
    found = {_BY_ACT[act]: position for act, position in acts.items() if act in _BY_ACT}
    query = sa.select(_erasure.c.position).where(_erasure.c.customer == customer, _erasure.c.erased_at <= as_of)
    erased = work.connection.execute(query).scalar()
    return found if erased is None else {**found, Reason.CUSTOMER_ERASED: erased}


def head(file: File) -> dict[str, Any]:
    """Return what has one value in a file."""
    return {
        "customer": file.customer,
        "as_of": rfc3339(file.as_of),
        "position": file.position,
        "catalogue": file.catalogue,
        "catalogue_position": file.published,
        "enrolled_at": rfc3339(file.enrolled_at),
        "states": list(file.states),
        "look": file.look,
    }


def written(store: Store, desk: Desk, file: File, elsewhere: Elsewhere) -> Iterator[tuple[str, Iterable[Row]]]:
    """Walk the sections of a file: the name of each, and its rows."""
    who, by = file.customer, file.as_of
    ids = sections.all_ids(store, who)
    told = sections.Told(store, desk, who, by, named=True)
    yield "permissions", _permissions(store, desk, file)
    yield "statements", told.statements()
    yield "notices", told.notices()
    yield from elsewhere.sections(ids, by)
    yield "uses", sections.uses(store, who, by, named=True)
    yield "requests", sections.requests(store, desk, who, by, named=True)
    yield "kept", [{"category": each.category, "since": rfc3339(each.remembered_at)} for each in file.kept]
    yield "identities", sections.identities(store, who)
    yield "households", sections.stays(store, ids, by)


def _permissions(store: Store, desk: Desk, file: File) -> list[Row]:
    """Return what stood then, with what the catalogue of then said of it.

    `entries` are what it stands on: what the customer said, or, where he had said nothing of it, the catalogue.
    """
    if not file.catalogue:
        return []
    with store.read() as work:
        catalogue = desk.catalogues.version(work, file.catalogue)
    rows = sections.permissions(file.verdicts, catalogue)
    return [{**row, "entries": row["positions"] or [_ground(file, row)]} for row in rows]


def _ground(file: File, row: Row) -> int | None:
    return file.grounds.get(Reason[row["reason"]], file.published)
