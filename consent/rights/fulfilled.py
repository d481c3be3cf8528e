"""Whether what a request asked for was done: nobody closes one as fulfilled on his word alone."""

from datetime import timedelta
from typing import Final

import sqlalchemy as sa

from consent import standings
from consent.base.database import table_of
from consent.base.store import Work
from consent.permission.standing import EMPTY, ERASED, RESTRICTED, Standing, Status, from_stored
from consent.register import history, mergers
from consent.rights.asked import Request, Right
from consent.rights.looking import Why
from consent.tables import DataUseRow

_use: Final = table_of(DataUseRow)
_MOMENT: Final = timedelta(milliseconds=1)


def lacking(work: Work, request: Request) -> str:
    """Return what is still to be done for a request to be fulfilled; "" where all is.

    An export is what access and portability take, since the request came in; a look at the facts, with or without a
    correction, is what rectification takes; an objection was made since then, too. The others show in what stands for
    the customer: for the one that he goes on as, if he was joined with another meanwhile.
    """
    match request.kind:
        case Right.ACCESS | Right.PORTABILITY:
            given = _used(work, request, Why.EXPORT)
            return "" if given else "nothing was exported for the customer since it came in: export it first"
        case Right.RECTIFICATION:
            corrected = _used(work, request, Why.RECTIFICATION)
            return "" if corrected else "nothing of the customer's was corrected since it came in: correct it first"
        case Right.RESTRICTION:
            restricted = _standing(work, request).states & (RESTRICTED | ERASED)
            return "" if restricted else "the use of the customer's data is not restricted: record a restriction first"
        case Right.OBJECTION:
            stands = _standing(work, request)
            since, _ = history.ledger_at(work, request.received_at - _MOMENT)
            objected = any(each.status is Status.OBJECTED and each.position >= since for each in stands.scopes.values())
            return (
                "" if objected or stands.states & ERASED
                else "nothing was objected to for the customer since it came in: record his objection first"
            )  # fmt: skip
        case Right.ERASURE:
            return "" if is_erased(work, request) else "the customer is not erased: erase him first"


def is_erased(work: Work, request: Request) -> bool:
    """Say whether the customer whose request it is was erased meanwhile, as whoever he went on."""
    return bool(_standing(work, request).states & ERASED)


def _used(work: Work, request: Request, why: Why) -> bool:
    query = sa.select(_use.c.id).where(
        _use.c.customer.in_(mergers.all_of(work, request.customer)),
        _use.c.purpose == str(why),
        _use.c.at >= request.received_at,
    )
    return work.connection.execute(query.limit(1)).first() is not None


def _standing(work: Work, request: Request) -> Standing:
    now = mergers.surviving(work, request.customer)
    row = standings.read(work, [now]).get(now)
    return from_stored(row) if row is not None else EMPTY
