"""The check `deferrals`: who waits to be decided about again was held back by his decision, by that rule, until then.

A deferral is made by the decision that held its customer back, or by the dispatch gate, which released the contact that
his decision had reserved: of what that judged the log says nothing, so only its form and its end are held against it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from consent.audit.findings import Evidence, Finding, Gap, Judged, Severity, Yielded
from consent.base.clock import to_ms
from consent.base.database import table_of
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.register import mergers
from personalise.audit_checks.behind import NOBODY, Behind, Decided
from personalise.deferrals import State
from personalise.runs import log
from personalise.runs.log import Chunk
from personalise.steps.interact.states import State as ContactState
from personalise.steps.personalise.policy import HELD_OUT, HELD_OUT_BY_COMPANY
from personalise.tables import ContactRow, DeferralRow

KEY: Final = "deferrals"
_PAGE: Final = 500
"""Customers looked at in one transaction."""

_DAY_MS: Final = 86_400_000
_FREES: Final = ("free:", "wish_free:", "hours_free:")
_HOLDOUTS: Final = {HELD_OUT, HELD_OUT_BY_COMPANY}
_row, _contact = table_of(DeferralRow), table_of(ContactRow)


class _Page(NamedTuple):
    """Some customers' deferrals, and what is known beside them."""

    rows: list[Any]
    earlier: Mapping[str, int]
    """Until when those wait at most about whom a decision was made again, by that decision (ms)."""
    released: Mapping[tuple[str, str], Any]
    """The contacts of the same decisions."""


def deferrals(evidence: Evidence) -> Iterator[Yielded]:
    """Go through all deferrals, customer by customer."""
    behind = Behind(evidence)
    after = ""
    while True:
        with evidence.store.read() as work:
            page = _page(work, after)
            found = list(_judged(behind, work, page))
        if not page.rows:
            return
        yield from found
        after = page.rows[-1].customer


def _page(work: Work, after: str) -> _Page:
    whose = sa.select(_row.c.customer).where(_row.c.customer > after).distinct()
    some = whose.order_by(_row.c.customer).limit(_PAGE).subquery()
    mine = sa.select(_row).where(_row.c.customer.in_(sa.select(some.c.customer)))
    rows = list(work.connection.execute(mine.order_by(_row.c.customer, _row.c.decision)))
    customers = sorted({CustomerId(row.customer) for row in rows})
    former = sorted({each.merged for each in mergers.given_up(work, customers)}) if customers else []
    earlier: dict[str, int] = {}
    for row in [*rows, *_of(work, _row, former)]:
        if row.again:
            ends = to_ms(row.expires_at)
            earlier[row.again] = min(ends, earlier.get(row.again, ends))
    released = {(row.customer, row.decision): row for row in _of(work, _contact, customers)}
    return _Page(rows, earlier, released)


def _of(work: Work, table: sa.Table, customers: Sequence[CustomerId]) -> Iterator[Any]:
    for first in range(0, len(customers), _PAGE):
        query = sa.select(table).where(table.c.customer.in_(customers[first : first + _PAGE]))
        yield from work.connection.execute(query)


def _judged(behind: Behind, work: Work, page: _Page) -> Iterator[Yielded]:
    for row in page.rows:
        held = _held(behind, work, row.customer, row.decision)
        if isinstance(held, str):
            yield _finding(row, held)
            continue
        policy = behind.policy(work, held.chunk)
        if isinstance(policy, str):
            yield Gap(check=KEY, why=policy)
            continue
        wrong = [*_formal(row, held.chunk), *_again(behind, work, row)]
        if held.alone:
            wrong += _held_back(row, held, page.earlier.get(row.decision), policy.campaign.ttl_days)
        else:
            wrong += _refused(row, page.released.get((row.customer, row.decision)))
        yield from (_finding(row, why) for why in wrong)
    yield Judged(len(page.rows))


def _finding(row: Any, why: str) -> Finding:  # noqa: ANN401 -- a row of deferral
    return Finding(check=KEY, severity=Severity.HIGH, subject=f"deferral {row.decision}", why=why)


def _held(behind: Behind, work: Work, customer: str, decision: str) -> Decided | str:
    """Return the decision behind a deferral, or why there is none."""
    held = behind.decision(work, decision)
    if isinstance(held, Decided) and held.customer != customer:
        return "the decision behind it is another customer's"
    return held


def _formal(row: Any, chunk: Chunk) -> Iterator[str]:  # noqa: ANN401 -- a row of deferral
    """Walk what it says otherwise than its decision's chunk, and where it contradicts itself."""
    made = {
        "campaign": chunk.campaign, "version": chunk.about["version"], "model": chunk.about["model"], "run": chunk.run,
    }  # fmt: skip
    for name, value in made.items():
        if getattr(row, name) != value:
            yield f"{name} is {getattr(row, name)}, and by the decision behind it {value}"
    if not chunk.about.get("carried", log.GHOSTS not in chunk.about):
        yield "the decision behind it was in the hands of whoever asked for it, and keeps nobody waiting"
    if row.state not in set(State):
        yield f"state is {row.state}, which no deferral ever is"
        return
    if (row.ended_at is None) != (row.state == State.WAITING):
        yield f"it is {row.state}, and ended_at {'is not there' if row.ended_at is None else 'is there'}"
    if (row.again != "") != (row.state == State.DECIDED):
        yield f"it is {row.state}, and {f'{row.again} came of it' if row.again else 'no decision came of it'}"
    if row.due_at >= row.expires_at:
        yield "it is due once its time to live is over"


def _again(behind: Behind, work: Work, row: Any) -> Iterator[str]:  # noqa: ANN401 -- a row of deferral
    """Say whether the decision that came of it is not one about its customer, or about who he goes on as."""
    if not row.again:
        return
    came = behind.decision(work, row.again)
    if isinstance(came, str) or came.customer == NOBODY:
        yield f"{row.again}, which came of it, is not there"
    elif mergers.surviving(work, came.customer) != mergers.surviving(work, CustomerId(row.customer)):
        yield f"{row.again}, which came of it, is about another customer"
    elif came.chunk.campaign != row.campaign:
        yield f"{row.again}, which came of it, is of {came.chunk.campaign}"


def _held_back(row: Any, held: Decided, earlier: int | None, ttl_days: int) -> Iterator[str]:  # noqa: ANN401 -- a row of deferral
    """Hold a deferral against the decision that held its customer back: by which rule, when, and until when."""
    chunk = held.chunk
    [told] = chunk.table.slice(held.spot, 1).to_pylist()
    rules = {chunk.about["rules"][told[f"rule:{key}"]] for key in chunk.about["candidates"]}
    known = set(chunk.about["rules"]) - {""} if rules & _HOLDOUTS else rules  # a control's are hidden by the holdout
    if row.rule not in known:
        yield f"rule is {row.rule}, and the decision behind it names {', '.join(sorted(rules))}"
    made_at = to_ms(chunk.at)
    if to_ms(row.made_at) != made_at:
        yield f"made_at is {to_ms(row.made_at)}, and the decision behind it was made at {made_at}"
    frees = {value for name, value in told.items() if name.startswith(_FREES)}
    if to_ms(row.due_at) not in frees:
        yield f"due_at is {to_ms(row.due_at)}, and no rule of the decision behind it lets him through then"
    ends = made_at + ttl_days * _DAY_MS if earlier is None else earlier
    if to_ms(row.expires_at) != ends:
        yield f"expires_at is {to_ms(row.expires_at)}, and by the decision behind it {ends}"


def _refused(row: Any, contact: Any) -> Iterator[str]:  # noqa: ANN401 -- a row of deferral, and one of contact
    """Hold a deferral against the contact that the dispatch gate released for it."""
    if contact is None or contact.status != ContactState.RELEASED or contact.ended_at != row.made_at:
        yield "the decision behind it held nobody back, and no contact of it was released for it"
    elif contact.expires_at != row.expires_at:
        yield f"expires_at is {to_ms(row.expires_at)}, and its contact's is {to_ms(contact.expires_at)}"
