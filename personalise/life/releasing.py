"""USE CASE: release what a campaign had reserved before it was stopped, so that it neither counts nor costs any longer.

The dispatch gate releases it as well, one by one, where somebody comes for it first.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from consent.base.database import table_of
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.deployment import Deployment
from consent.ledger.position import position
from consent.register import customers
from personalise import halts, reservations
from personalise.contacts import OVER, Over
from personalise.halts import Halts
from personalise.runs import log
from personalise.steps.interact.states import State
from personalise.tables import ContactRow

PAGE: Final = 1_000
"""Contacts looked at in one transaction."""

_row: Final = table_of(ContactRow)


class _Behind(NamedTuple):
    """The version that decided, and where the ledger commits to that."""

    version: int
    position: int


def release(deployment: Deployment, *, most: int = PAGE) -> int:
    """Release every contact that waits to be sent for something that was stopped since; return how many."""
    with deployment.store.read() as work:
        keys = halts.stopped(work)
    return sum(_of_campaign(deployment, key, most) for key in keys)


def _of_campaign(deployment: Deployment, key: str, most: int) -> int:
    released, after = 0, ("", "")
    behind: dict[str, _Behind | None] = {}
    while True:
        with deployment.store.read() as work:
            halted = halts.of(work, key)
            rows = _page(work, key, halted, after, most) if halted.stops else []
            _look_up(work, rows, behind)
        if not rows:
            return released
        over = [row for row in rows if _is_over(behind[_chunk_of(row)], halted)]
        if over:
            with deployment.store.write() as work:
                released += _release(deployment, work, over)
        after = (rows[-1].customer, rows[-1].decision)


def _page(work: Work, key: str, halted: Halts, after: tuple[str, str], most: int) -> Sequence[Any]:
    """Return contacts that wait, of those that may be older than the last stop."""
    place = sa.tuple_(_row.c.customer, _row.c.decision)
    query = sa.select(_row.c.customer, _row.c.decision).where(
        _row.c.status == State.RESERVED, _row.c.expires_at.is_not(None), _row.c.campaign == key,
        _row.c.reserved_at <= max(each.at for each in halted.stops),
        place > sa.tuple_(*map(sa.literal, after)),
    )  # fmt: skip
    return work.connection.execute(query.order_by(_row.c.customer, _row.c.decision).limit(most)).all()


def _chunk_of(row: Any) -> str:  # noqa: ANN401 -- a row of contact
    return str(row.decision.partition(".")[0])


def _look_up(work: Work, rows: Sequence[Any], behind: dict[str, _Behind | None]) -> None:
    for identity in {_chunk_of(row) for row in rows} - behind.keys():
        found = log.find(work, identity)
        behind[identity] = _Behind(found.about["version"], position(found.log, found.seq)) if found else None


def _is_over(behind: _Behind | None, halted: Halts) -> bool:
    return behind is not None and halted.stopped(*behind)


def _release(deployment: Deployment, work: Work, over: Sequence[Any]) -> int:
    """Release those that wait still, now that their customers are locked."""
    whose: Mapping[str, CustomerId] = {row.decision: CustomerId(row.customer) for row in over}
    those = sorted(set(whose.values()))
    customers.lock(work, those)
    query = sa.select(*(_row.c[name] for name in OVER)).where(
        _row.c.customer.in_(those), _row.c.decision.in_(list(whose)), _row.c.status == State.RESERVED
    )
    still = sorted(Over(*row) for row in work.connection.execute(query))
    reservations.end(work, still, State.RELEASED, at=deployment.clock())
    return len(still)
