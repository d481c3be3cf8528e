"""Part of the check `requests`: what was written about a request is what the ledger committed to, and none is gone."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from consent.audit.events import Event
from consent.audit.findings import Evidence
from consent.base.database import table_of
from consent.base.errors import KeyLost
from consent.register import reopening
from consent.register.desk import Desk
from consent.rights import asked, requests
from consent.rights.tables import RightsRequestRow

_AT_ONCE: Final = 500
_row: Final = table_of(RightsRequestRow)
_FIELDS: Final[Mapping[str, str]] = {
    asked.Event.RECEIVED: "wish",
    asked.Event.EXTENDED: "extension",
    asked.Event.CLOSED: "answer",
}
"""Which of the words were written with a step."""


def otherwise(evidence: Evidence, steps: Mapping[str, Sequence[Event]]) -> Iterator[tuple[str, str]]:
    """Walk the requests of which other words are kept than their steps say: (request, why).

    Whoever has no key is passed over: what was written went with it.

    Args:
        evidence: where to read, and how to open.
        steps: of each request, the entries of the steps with which something was written.
    """
    wanted = sorted(steps)
    for first in range(0, len(wanted), _AT_ONCE):
        query = sa.select(_row.c.id, _row.c.customer, _row.c.words)
        query = query.where(_row.c.id.in_(wanted[first : first + _AT_ONCE])).order_by(_row.c.id)
        with evidence.store.read() as work:
            rows = work.connection.execute(query).all()
            wrapped = reopening.keys_of(work, sorted({row.customer for row in rows}))
        keys = reopening.unlocked(evidence.desk.keys, wrapped)
        for row in rows:
            for event in steps[row.id]:
                if keys.shut(row.customer, partial(_compare, evidence.desk, row, event)):
                    field = _FIELDS[str(event.told["event"])]
                    yield row.id, f"its {field} is not what was written with entry {event.position}"


def _compare(desk: Desk, row: Any, event: Event, key: bytes) -> None:  # noqa: ANN401 -- a row of rights_request
    """Open what was written about a request.

    Raises:
        KeyLost: it doesn't open, or is something else.
    """
    words = asked.opened(key, bytes(row.words), row.customer, row.id)
    if requests.hashed(desk, getattr(words, _FIELDS[str(event.told["event"])])) != event.told["said"]:
        raise KeyLost("it is not what was written")
