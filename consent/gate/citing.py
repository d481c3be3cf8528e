"""The ledger entries behind a denial of a customer himself: what erased, suppressed, restricted or paused him; his age.

A standing row says that he is so, and not since which entry: that is looked up only where a denial has to cite it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from consent.base.clock import to_ms
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.permission.standing import age_said_at
from consent.permission.statement import Act
from consent.permission.verdict import Reason
from consent.register import history, left_alone, tombstones
from consent.register.desk import Desk

_ACT: Final[Mapping[Reason, Act]] = {Reason.RESTRICTED: Act.RESTRICT, Reason.PAUSED: Act.PAUSE}
WHOLE: Final = frozenset({Reason.CUSTOMER_ERASED, Reason.SUPPRESSED, Reason.MINOR, *_ACT})
"""The reasons that come of the customer himself, and not of what he answered."""


def behind(desk: Desk, work: Work, customer: CustomerId, reason: Reason, *, at: datetime) -> tuple[int, ...]:
    """Return the positions of the entries that give a customer one of the reasons in `WHOLE`, as recorded by `at`.

    Nothing is behind it that somebody whose age nobody knows counts as too young.
    """
    if reason is Reason.CUSTOMER_ERASED:
        return tuple(stone.position for stone in tombstones.of(work, [customer]).values())
    if reason is Reason.SUPPRESSED:
        return left_alone.of_customer(work, customer, to_ms(at))
    said = history.of_customer(desk, work, customer, as_of=at)
    if reason is Reason.MINOR:
        attested = age_said_at((one.seq, one.statement) for one in said)
        return () if attested is None else (attested,)
    found = [(one.statement.said_at, one.seq) for one in said if one.statement.act is _ACT[reason]]
    return (max(found)[1],) if found else ()
