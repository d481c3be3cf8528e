"""USE CASE: write out all that is kept of a customer and known of him: for himself, and for whomever he takes it to.

Two moves. `start` records, in one transaction, that it is done (a use of every category, an entry in the ledger), and
opens what is remembered; `written` then gives the file, piece by piece, as it stood at that instant. Nothing leaves
before it is recorded. A file that was broken off is no JSON: nobody takes half of it for all.

Source:
    GDPR Art. 15(1), (3) (access: the data, and what is done to them), Art. 20(1) (portability: structured, commonly
    used, machine-readable).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias

import orjson
import sqlalchemy as sa

from consent import gate, uses
from consent.base.clock import rfc3339
from consent.base.errors import StateConflict
from consent.base.ids import CustomerId
from consent.base.store import Store, Work
from consent.catalogue.model import Catalogue
from consent.ledger import log
from consent.ledger.entry import Kind
from consent.permission.verdict import Verdict
from consent.register import publishing
from consent.register.desk import Desk
from consent.rights import linked, looking, sections
from consent.rights.looking import Remembered, Why
from consent.rights.sections import Elsewhere, Row
from consent.tables import CustomerRow, DataKeyRow

FORMAT: Final = "byleave/export/v1"
Section: TypeAlias = tuple[str, Iterable[Row]]
RIGHTS: Final = ("access", "rectification", "erasure", "restriction", "portability", "objection", "complaint")
"""What a customer is reminded of: what else he can ask for, and that he can complain to a supervisory authority."""


class Form(StrEnum):
    """How it is written."""

    JSON = "json"
    JSONLD = "jsonld"

    @property
    def media_type(self) -> str:
        """As HTTP calls it."""
        return "application/ld+json" if self is Form.JSONLD else "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """An export that was recorded, with what was opened for it."""

    id: str
    customer: CustomerId
    enrolled_at: datetime
    form: Form
    at: datetime
    position: int
    """Of the ledger entry that tells of it."""
    host: str
    """The deployment's name in its ledger."""
    keyed: bool
    """Whether he has a data key; who was erased has none."""
    catalogue: Catalogue
    remembered: tuple[Remembered, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def name(self) -> str:
        """What the file is called."""
        return f"{self.customer}.{self.form}"


def start(desk: Desk, work: Work, customer: CustomerId, form: Form, *, actor: str, reason: str, at: datetime) -> Export:
    """Record an export, and open what is remembered.

    Args:
        desk: keys and catalogues.
        work: a transaction that writes.
        customer: whose data.
        form: how they are to be written.
        actor: who exports.
        reason: why.
        at: now; the export tells what was recorded by then.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
        Invalid: no reason is given.
        KeyLost: something that is remembered doesn't open.
    """
    look = looking.start(desk, work, customer, Why.EXPORT, actor=actor, reason=reason, at=at)
    customer = look.customer
    enrolled = work.connection.execute(
        sa.select(CustomerRow.enrolled_at).where(CustomerRow.id == customer)
    ).scalar_one()
    verdicts = gate.check_all(desk, work, customer, at=at)
    payload = {"actor": actor, "customer": customer, "format": str(form), "use": look.id}
    noted = publishing.note(desk, work, Kind.EXPORT_MADE, payload, at=at)
    uses.note(work, look.id, noted.position)
    return Export(
        id=look.id,
        customer=customer,
        enrolled_at=enrolled,
        form=form,
        at=at,
        position=noted.position,
        host=log.head(work).origin.partition("/")[0],
        keyed=_keyed(work, customer),
        catalogue=desk.catalogues.current(work),
        remembered=tuple(looking.remembered(desk, work, look)),
        verdicts=tuple(verdicts),
    )


def written(store: Store, desk: Desk, export: Export, elsewhere: Elsewhere) -> Iterator[bytes]:
    """Write an export, piece by piece; the transaction that recorded it is over by now.

    Raises:
        StateConflict: the customer was erased meanwhile: what there is of the file is not whole.
        LedgerBroken: a payload doesn't open, or is not the one its entry commits to.
    """
    if export.form is Form.JSONLD:
        names = linked.Names(host=export.host, customer=export.customer)
        yield from _object(linked.head(_head(export), names), _linked(store, desk, export, elsewhere, names))
    else:
        yield from _object(_head(export), _plain(store, desk, export, elsewhere))
    with store.read() as work:
        whole = _keyed(work, export.customer) == export.keyed
    if not whole:
        msg = "the customer was erased while his data were being written out: the file is not whole"
        raise StateConflict(msg)
    yield b"\n}\n"


def _keyed(work: Work, customer: CustomerId) -> bool:
    query = sa.select(DataKeyRow.owner).where(DataKeyRow.owner == customer)
    return work.connection.execute(query).first() is not None


def _head(export: Export) -> dict[str, Any]:
    who = export.catalogue.controller
    return {
        "format": FORMAT,
        "export": export.id,
        "made_at": rfc3339(export.at),
        "position": export.position,
        "catalogue": export.catalogue.version,
        "controller": {"name": who.name or export.catalogue.name, "address": who.address, "email": who.email},
        "rights": list(RIGHTS),
        "customer": {"id": export.customer, "enrolled_at": rfc3339(export.enrolled_at)},
    }


def _plain(store: Store, desk: Desk, export: Export, elsewhere: Elsewhere) -> Iterator[Section]:
    who, at = export.customer, export.at
    ids = sections.all_ids(store, who)
    told = sections.Told(store, desk, who, at, named=False)
    yield "identities", sections.identities(store, who)
    yield "households", sections.stays(store, ids, at)
    yield "remembered", sections.remembered(export.remembered)
    yield "permissions", sections.permissions(export.verdicts, export.catalogue)
    yield "statements", told.statements()
    yield "notices", told.notices()
    yield "receipts", told.receipts()
    yield from elsewhere.sections(ids, at)
    yield "uses", sections.uses(store, who, at, named=False)
    yield "requests", sections.requests(store, desk, who, at, named=False)


def _linked(store: Store, desk: Desk, export: Export, elsewhere: Elsewhere, names: linked.Names) -> Iterator[Section]:
    """Return the same in the vocabulary's words; what is one list there is one list."""
    catalogue = export.catalogue
    plain = dict(_plain(store, desk, export, elsewhere))
    for name, kinds in linked.PROPERTIES.items():
        yield name, _nodes(kinds, plain, names, catalogue)


def _nodes(
    kinds: Iterable[str], plain: Mapping[str, Iterable[Row]], names: linked.Names, catalogue: Catalogue
) -> Iterator[Row]:
    return (linked.node(kind, row, names, catalogue) for kind in kinds for row in plain[kind])


def _object(head: Mapping[str, Any], listed: Iterable[Section]) -> Iterator[bytes]:
    """Write an object that is left open: what has one value first, then each list, a line an item."""
    yield orjson.dumps(head, option=orjson.OPT_INDENT_2).removesuffix(b"\n}")
    for name, rows in listed:
        yield b",\n  " + orjson.dumps(name) + b": ["
        between = b"\n    "
        for row in rows:
            yield between + orjson.dumps(row)
            between = b",\n    "
        yield b"]" if between == b"\n    " else b"\n  ]"
