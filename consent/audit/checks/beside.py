"""Part of the check `keys`: what is sealed under customers' keys beside memory opens where it stands."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from consent.audit.findings import Evidence, Finding, Severity
from consent.base.database import table_of
from consent.register import confirmations, reopening
from consent.rights import asked
from consent.rights.tables import RightsRequestRow
from consent.tables import ConfirmationRow

KEY: Final = "keys"
_AT_ONCE: Final = 500
_request, _link = table_of(RightsRequestRow), table_of(ConfirmationRow)


def unopened(evidence: Evidence) -> Iterator[Finding]:
    """Open what was written about requests by right, and the links that wait for the mail.

    Whoever has no key is passed over: he was erased, or has lost more than that.
    """
    what = "in the table rights_request, what was written about a request of his"
    yield from _each(evidence, what, _request.c.id, _request.c.words, asked.opened)
    what = "in the table confirmation, a link for him that waits for the mail"
    yield from _each(evidence, what, _link.c.digest, _link.c.outgoing, confirmations.opened)


def _each(
    evidence: Evidence, what: str, place: sa.Column[Any], sealed: sa.Column[Any], opened: Callable[..., object]
) -> Iterator[Finding]:
    """Open what stands in a column, some rows at a time in the order of where they stand."""
    whose = place.table.c.customer
    query = sa.select(place.label("place"), whose, sealed.label("sealed")).where(sealed.is_not(None), sealed != b"")
    query = query.order_by(place).limit(_AT_ONCE)
    after: list[sa.ColumnElement[bool]] = []
    while True:
        with evidence.store.read() as work:
            rows = work.connection.execute(query.where(*after)).all()
            wrapped = reopening.keys_of(work, sorted({row.customer for row in rows}))
        if not rows:
            return
        keys = reopening.unlocked(evidence.desk.keys, wrapped)
        for row in rows:
            if keys.shut(row.customer, partial(_open, opened, row)):
                why = f"{what} does not open: it was changed, or stands where it was not sealed for"
                yield Finding(check=KEY, severity=Severity.CRITICAL, subject=row.customer, why=why)
        after = [place > rows[-1].place]


def _open(opened: Callable[..., object], row: Any, key: bytes) -> object:  # noqa: ANN401 -- a Core row
    return opened(key, bytes(row.sealed), row.customer, row.place)
