"""Whether what a request asked for was done: nobody closes one as fulfilled on his word alone."""

from typing import Final

import sqlalchemy as sa

from consent import standings
from consent.base.database import table_of
from consent.base.store import Work
from consent.permission.standing import EMPTY, ERASED, RESTRICTED, Standing, Status, from_stored
from consent.rights.asked import Request, Right
from consent.rights.looking import Why
from consent.tables import DataUseRow

_use: Final = table_of(DataUseRow)


def lacking(work: Work, request: Request) -> str:
    """Return what is still to be done for a request to be fulfilled; "" where all is.

    An export is what access and portability take, since the request came in; a look at the facts, with or without a
    correction, is what rectification takes. The others show in what stands for the customer.
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
            objected = any(each.status is Status.OBJECTED for each in stands.scopes.values()) or stands.states & ERASED
            return "" if objected else "no objection of the customer stands: record it first"
        case Right.ERASURE:
            erased = _standing(work, request).states & ERASED
            return "" if erased else "the customer is not erased: erase him first"


def _used(work: Work, request: Request, why: Why) -> bool:
    query = sa.select(_use.c.id).where(
        _use.c.customer == request.customer, _use.c.purpose == str(why), _use.c.at >= request.received_at
    )
    return work.connection.execute(query.limit(1)).first() is not None


def _standing(work: Work, request: Request) -> Standing:
    row = standings.read(work, [request.customer]).get(request.customer)
    return from_stored(row) if row is not None else EMPTY
