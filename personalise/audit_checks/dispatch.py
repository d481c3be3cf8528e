"""The check `dispatch`: no message was handed out without a permit, or after its time; none was sent that wasn't.

What stood for a customer is folded from what he had said before the ledger position at which the claim was judged.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

import sqlalchemy as sa

from consent import catalogues
from consent.audit import times
from consent.audit.findings import Evidence, Finding, Gap, Judged, Severity, Yielded
from consent.audit.times import Around
from consent.base.clock import to_ms
from consent.base.database import table_of
from consent.base.errors import LedgerBroken, NotFound
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.ledger.position import position
from consent.permission import many
from consent.permission.verdict import Reason
from consent.register import customers, left_alone, reopening
from personalise.audit_checks import stood
from personalise.runs import log
from personalise.steps.interact.states import HANDED_OUT
from personalise.tables import ContactRow

KEY: Final = "dispatch"
_PAGE: Final = 500
"""Customers looked at in one transaction."""

_contact: Final = table_of(ContactRow)
_OUT: Final = sa.or_(_contact.c.claimed_position.is_not(None), _contact.c.status.in_(HANDED_OUT))


def dispatch(evidence: Evidence) -> Iterator[Yielded]:
    """Go through all contacts that were handed out, customer by customer."""
    after = ""
    while True:
        with evidence.store.read() as work:
            rows = _page(work, after)
            found = list(_judged(evidence, work, rows)) if rows else []
        if not rows:
            return
        yield from found
        after = rows[-1].customer


def _page(work: Work, after: str) -> list[Any]:
    whose = sa.select(_contact.c.customer).where(_contact.c.customer > after, _OUT).distinct()
    some = whose.order_by(_contact.c.customer).limit(_PAGE).subquery()
    query = sa.select(_contact).where(_contact.c.customer.in_(sa.select(some.c.customer)), _OUT)
    return list(work.connection.execute(query.order_by(_contact.c.customer, _contact.c.decision)))


def _judged(evidence: Evidence, work: Work, rows: Sequence[Any]) -> Iterator[Yielded]:
    past = _Past(evidence, work, rows)
    around = times.around(work, (row.claimed_position for row in rows if row.claimed_position is not None))
    for row in rows:
        wrong = list(_formal(row, around))
        if row.claimed_position is not None:
            try:
                wrong += past.unpermitted(row)
            except (NotFound, LedgerBroken) as lost:
                yield Gap(check=KEY, why=f"{row.decision}: {lost.detail or lost.title}")
                continue
        for why in wrong:
            yield Finding(check=KEY, severity=Severity.CRITICAL, subject=row.decision, why=why)
    yield Judged(len(rows))


def _formal(row: Any, around: Mapping[int, Around]) -> Iterator[str]:  # noqa: ANN401 -- a row of contact
    if row.claimed_position is None:
        yield f"it is {row.status}, and nobody had claimed it"
        return
    other = around[row.claimed_position].differs(row.claimed_at) if row.claimed_at is not None else ""
    if other:
        yield f"at ledger position {row.claimed_position} it was said to be handed out at {other}"
    if row.expires_at is not None and row.claimed_at >= row.expires_at:
        yield "it was handed out after its time to live was over"


class _Past:
    """What the customers of some contacts had said, and which catalogues were in force, by ledger position."""

    def __init__(self, evidence: Evidence, work: Work, rows: Sequence[Any]) -> None:
        """Read it all at once."""
        self._evidence, self._work = evidence, work
        self._bits = catalogues.bits(work)
        self._published = catalogues.listed(work)
        sealed = reopening.sealed_between(work, customers.before(rows[0].customer), rows[-1].customer)
        reopened = reopening.reopened(evidence.desk.keys, sealed)
        self._alone = left_alone.read(work, sorted({CustomerId(row.customer) for row in rows}))
        self._said = {owner: list(one) for owner, one in groupby(reopened, key=attrgetter("owner"))}

    def unpermitted(self, row: Any) -> Iterator[str]:  # noqa: ANN401 -- a row of contact
        """Walk what a customer had not permitted when his message was handed out.

        Raises:
            NotFound, LedgerBroken: the decision behind it, or what he had said by then, can't be read.
        """
        place = row.claimed_position
        chunk = log.read(self._work, row.decision.partition(".")[0])
        if place <= position(chunk.log, chunk.seq):
            yield f"it was handed out at ledger position {place}, before the ledger committed to the decision"
        keys = chunk.about["candidates"]
        if row.treatment not in keys:
            raise LedgerBroken(f"the decision knows no {row.treatment}")
        for entry in self._alone.at(CustomerId(row.customer), to_ms(row.claimed_at), before=place):
            yield f"it was handed out at ledger position {place}, and entry {entry} says to leave him alone"
        standing = stood.of(self._said.get(row.customer, []), self._bits, before=place)
        if standing is None:
            raise LedgerBroken("what its customer had said can't be read any more")
        standings = many.of_rows([standing])
        version = max((each.version for each in self._published if each.position < place), default=0)
        catalogue = self._evidence.desk.catalogues.version(self._work, version)
        for scope in chunk.about["needs"][keys.index(row.treatment)]:
            reason = Reason(stood.reasons(standings, scope, catalogue, row.claimed_at)[0])
            if reason is not Reason.PERMIT:
                yield f"it was handed out, and {scope} stood as {reason.name} at ledger position {place}"
