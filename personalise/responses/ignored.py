"""USE CASE: contacts whose time is up: where nothing came of one, it was ignored, and took that much more goodwill.

Each is judged once, in the transaction that books it and notes that nothing more is waited for: whoever is killed in
between has done neither. Of whoever doesn't permit to measure by the outcome nobody knows what came: nothing is booked.
The same where nothing was told at all, unless the campaign's objective says that silence means a no.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from consent import gate
from consent.base.clock import to_ms
from consent.base.database import table_of
from consent.base.errors import CampaignInvalid, CampaignUnknown
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.deployment import Deployment
from consent.register import customers
from consent.uses import Use
from personalise import goodwill, shelf
from personalise.campaigns.model import SILENCE_IS_NO, Campaign
from personalise.contact_policy.model import HELD_BACK
from personalise.goodwill import Entry, Posting
from personalise.history import GHOST, counted_at
from personalise.responses import coming
from personalise.responses.coming import Came, Fits
from personalise.steps.interact.states import COUNTING, State
from personalise.tables import ContactRow

PAGE: Final = 500
"""Contacts judged in one transaction."""

_contact: Final = table_of(ContactRow)
_CAME: Final = (Fits.WITHIN, Fits.UNTIMED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How many contacts are waited for no longer, how many of them were ignored, and campaigns that can't be read."""

    contacts: int
    ignored: int
    unread: tuple[str, ...]


def settle(deployment: Deployment, *, actor: str, most: int = PAGE) -> Settled:
    """Settle every contact whose campaign's window is over by now, a page a transaction."""
    with deployment.store.read() as work:
        waiting = sa.select(_contact.c.campaign).where(_contact.c.waited_until.is_(None)).distinct()
        keys = sorted(work.connection.execute(waiting).scalars())
    contacts = ignored = 0
    unread: list[str] = []
    for key in keys:
        page = most
        while page == most:
            with deployment.store.write() as work:
                try:
                    campaign, _ = shelf.load(work, key, deployment.desk.catalogues.current(work))
                except (CampaignInvalid, CampaignUnknown):
                    unread.append(key)
                    break
                page, some = _page(deployment, work, campaign, actor=actor, most=most)
            contacts, ignored = contacts + page, ignored + some
    return Settled(contacts=contacts, ignored=ignored, unread=tuple(unread))


def _page(deployment: Deployment, work: Work, campaign: Campaign, *, actor: str, most: int) -> tuple[int, int]:
    """Settle some contacts of a campaign; return how many, and how many were ignored."""
    days, at = campaign.objective.window_days, deployment.clock()
    if not days:
        return 0, 0
    whose = sorted({row.customer for row in _due(work, campaign.key, at, days=days, most=most)})
    if not whose:
        return 0, 0
    customers.lock(work, whose)  # what another worker settled meanwhile is not due any more
    rows = _due(work, campaign.key, at, days=days, most=most, whose=whose)
    judged = [row for row in rows if row.kind == HELD_BACK and row.status != GHOST and row.status in COUNTING]
    terms = shelf.goodwill_terms(work)
    amount = goodwill.priced(terms, Entry.IGNORED)
    ignored = list(_ignored(deployment, work, campaign, judged, actor=actor, at=at)) if judged and amount else []
    before = goodwill.booked(work, sorted({row.customer for row in ignored}), Entry.IGNORED) if ignored else set()
    ignored = [row for row in ignored if (row.customer, row.decision) not in before]
    postings = [Posting(row.customer, Entry.IGNORED, amount, row.decision) for row in ignored]
    goodwill.book(work, postings, terms, at=at)
    done = sa.update(ContactRow).where(
        ContactRow.customer == sa.bindparam("whose"), ContactRow.decision == sa.bindparam("which")
    )
    if rows:
        places = [{"whose": row.customer, "which": row.decision} for row in rows]
        work.connection.execute(done.values(waited_until=at), places)
    return len(rows), len(ignored)


def _due(
    work: Work, key: str, at: datetime, *, days: int, most: int, whose: Sequence[str] | None = None
) -> Sequence[Any]:
    names = ("customer", "decision", "status", "kind", "rejected_at")
    over = at - timedelta(days=days)
    query = sa.select(*(_contact.c[name] for name in names), counted_at().label("counted_at")).where(
        _contact.c.campaign == key, _contact.c.waited_until.is_(None),
        _contact.c.reserved_at <= over, counted_at() <= over,  # the first is what the index knows
        sa.or_(_contact.c.status.not_in((State.RESERVED, State.CLAIMED)), _contact.c.expires_at.is_(None)),
    )  # fmt: skip  # what waits to be sent can't have been ignored
    if whose is not None:
        query = query.where(_contact.c.customer.in_(whose))
    order = (_contact.c.reserved_at, _contact.c.customer, _contact.c.decision)
    return work.connection.execute(query.order_by(*order).limit(most)).all()


def _ignored(
    deployment: Deployment, work: Work, campaign: Campaign, rows: Sequence[Any], *, actor: str, at: datetime
) -> Iterator[Any]:
    """Walk the contacts of which it may be known that nothing came."""
    measure, days = campaign.objective.measure, campaign.objective.window_days
    silence = campaign.objective.silence == SILENCE_IS_NO
    known = deployment.desk.catalogues.current(work).attributes[measure]
    scope = f"use:{known.category}:{campaign.measurement}"
    whose = sorted({CustomerId(row.customer) for row in rows})
    permitted = gate.permits(deployment.desk, work, whose, [scope], at=at)
    use = Use(actor=actor, purpose=campaign.measurement, reason=f"whether contacts of {campaign.key} were ignored")
    told = gate.recall(deployment.desk, work, permitted, attributes=[measure], use=use)
    values = dict(zip(whose, told[measure].to_pylist(), strict=True))
    may = dict(zip(whose, permitted.permitted(scope).tolist(), strict=True))
    came = coming.read(work, whose, measure)
    for row in rows:
        if may[row.customer] and _is_ignored(
            row, values[row.customer], came.get(row.customer, ()), days=days, silence=silence
        ):
            yield row


def _is_ignored(
    row: Any,  # noqa: ANN401 -- a row of contact
    value: object,
    came: Sequence[Came],
    *,
    days: int,
    silence: bool,
) -> bool:
    """Say whether it is known that nothing came of a contact in time: neither an outcome but a no, nor a no, thank you.

    What was told is known: a no, or something that came late, so not in time. Of what wasn't told, `silence` says
    whether that means that nothing came.
    """
    if row.rejected_at is not None:
        return False
    fits = coming.fits(came, to_ms(row.counted_at), days)
    if fits is Fits.REPLACED or (value and fits in _CAME):
        return False
    late = fits is Fits.LATE and isinstance(value, bool)  # of a number nobody knows what it was in time
    return silence or late or (value is not None and fits in _CAME)
