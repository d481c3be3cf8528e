"""Gather a campaign's arms chunk by chunk: who is in which, what came of him, and what it took from his goodwill."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from numpy.typing import NDArray

from consent import gate, standings
from consent.base.clock import to_ms
from consent.base.database import Hot, among, table_of
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.deployment import Deployment
from consent.permission.standing import from_stored
from consent.register.hearing import NOES
from consent.uses import Use
from personalise.campaigns.model import SILENCE_IS_NO, Campaign
from personalise.contact_policy.model import HELD_BACK, NONE, Holdout
from personalise.goodwill import CREDITS, Entry
from personalise.history import GHOST
from personalise.responses import coming
from personalise.responses.coming import Fits
from personalise.steps.interact.states import ENDED
from personalise.steps.personalise.holdout import COMPANY, buckets
from personalise.tables import ContactRow, DecisionChunkRow, GoodwillEntryRow

_CHARGES: Final = frozenset({Entry.CONTACT, Entry.CORRECTION})
_contact = table_of(ContactRow)
_chunk = table_of(DecisionChunkRow)
_entry = table_of(GoodwillEntryRow)
_CONTACTS: Final = Hot(
    lambda dialect: (
        sa.select(
            _contact.c.customer, _contact.c.reserved_at, _contact.c.decision, _contact.c.status, _contact.c.charge
        )
        .where(among(_contact.c.customer, "customers")(dialect), _contact.c.campaign == sa.bindparam("campaign"))
        .order_by(_contact.c.customer, _contact.c.reserved_at, _contact.c.decision)
    ),
    "customers",
    "campaign",
)
_ALL_CONTACTS: Final = Hot(
    lambda dialect: (
        sa.select(
            _contact.c.customer, _contact.c.reserved_at, _contact.c.decision, _contact.c.status, _contact.c.charge
        )
        .where(
            among(_contact.c.customer, "customers")(dialect),
            _contact.c.kind == HELD_BACK,
            _contact.c.reserved_at >= sa.bindparam("since", type_=sa.BigInteger()),
        )
        .order_by(_contact.c.customer, _contact.c.reserved_at, _contact.c.decision)
    ),
    "customers",
    "since",
)
_JUDGED: Final = Hot(
    lambda dialect: sa.select(_chunk.c.id, _chunk.c.position).where(among(_chunk.c.id, "chunks")(dialect)), "chunks"
)
_ENTRIES: Final = Hot(
    lambda dialect: sa.select(_entry.c.customer, _entry.c.at, _entry.c.kind, _entry.c.amount, _entry.c.reference).where(
        among(_entry.c.customer, "customers")(dialect)
    ),
    "customers",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Of which campaign, and what is read for it."""

    deployment: Deployment
    campaign: Campaign
    kinds: Mapping[str, pa.DataType]
    """Of what is read: the outcome, and the covariate if there is one."""
    scopes: tuple[str, ...]
    """What has to be permitted to read it."""
    covariate: str
    use: Use
    bits: frozenset[int]
    """Of the scopes that the campaign asks for."""
    company: Holdout = NONE.holdout
    """Whom the company held out of all campaigns meanwhile: they are in neither arm of one."""
    since: int | None = None
    """From when on (ms) all campaigns together are judged by the company's holdout; None: one campaign by its own."""


@dataclass(slots=True)
class Gathered:
    """What was gathered: lists and tables have a row a customer, amounts are in thousandths of a point."""

    treated: list[bool] = field(default_factory=list)
    facts: list[pa.Table] = field(default_factory=list)
    opted_out: list[bool] = field(default_factory=list)
    complained: list[bool] = field(default_factory=list)
    misplaced: int = 0
    early: int = 0
    late: int = 0
    untimed: int = 0
    contacts: int = 0
    taken: int = 0
    given: int = 0


class _First(NamedTuple):
    """A customer's first contact, or the first one that he would have had."""

    customer: CustomerId
    at: int
    decision: str
    ghost: bool
    """Whether he was left out."""


def gather(work: Work, asked: Asked, ids: Sequence[CustomerId], found: Gathered) -> None:
    """Add what is known of some customers, in a transaction that can record the use."""
    if asked.since is None:
        rows = work.run(_CONTACTS, work.listed(ids), asked.campaign.key).fetchall()
    else:
        rows = work.run(_ALL_CONTACTS, work.listed(ids), asked.since).fetchall()
    if not rows:
        return
    by_customer = [list(several) for _, several in groupby(rows, key=lambda row: row[0])]
    by_all = asked.since is not None  # then whom some campaign left out may have been reached by another
    firsts = [
        _First(
            CustomerId(one[0][0]), one[0][1], one[0][2], all(row[3] == GHOST for row in (one if by_all else one[:1]))
        )
        for one in by_customer
    ]
    told = _entries(work, [first.customer for first in firsts])
    _add_goodwill(rows, told, found)
    firsts = _placed(firsts, asked, found)
    if not firsts:
        return
    found.treated += [not first.ghost for first in firsts]
    found.complained += [
        any(kind == Entry.COMPLAINT and at >= first.at for at, kind, _, _ in told.get(first.customer, ()))
        for first in firsts
    ]
    found.opted_out += _opted_out(work, asked, firsts)
    found.facts.append(_facts(work, asked, firsts, found))


def _placed(firsts: list[_First], asked: Asked, found: Gathered) -> list[_First]:
    """Return those who are in the arm that their ids say, and count the others."""
    ids, hold = [first.customer for first in firsts], asked.campaign.holdout
    company = buckets(ids, salt=asked.company.salt, scope=COMPANY) < asked.company.share
    if asked.since is not None:
        by_id = zip(firsts, company.tolist(), strict=True)
        kept = [first._replace(ghost=control) for first, control in by_id if first.ghost or not control]
        found.misplaced += len(firsts) - len(kept)
        return kept
    own = buckets(ids, salt=hold.salt, scope=asked.campaign.key) < hold.share
    placed = list(zip(firsts, own.tolist(), company.tolist(), strict=True))
    kept = [first for first, control, by_company in placed if not by_company and first.ghost == control]
    found.misplaced += sum(first.ghost != (control or by_company) for first, control, by_company in placed)
    return kept


def _entries(work: Work, ids: Sequence[CustomerId]) -> Mapping[str, list[tuple[int, str, int, str]]]:
    """Return the lines of customers' accounts: time (ms), kind, amount, reference."""
    lines: dict[str, list[tuple[int, str, int, str]]] = {}
    for customer, *line in work.run(_ENTRIES, work.listed(ids)).fetchall():
        at, kind, amount, reference = line
        lines.setdefault(customer, []).append((at, kind, amount, reference))
    return lines


def _add_goodwill(
    contacts: Sequence[Any], told: Mapping[str, list[tuple[int, str, int, str]]], found: Gathered
) -> None:
    """Add what these contacts cost, and what else was booked with reference to their decisions."""
    # What ended gave its charge back, and ghosts say only what they would have cost.
    found.contacts += sum(row[4] for row in contacts if row[3] not in (*ENDED, GHOST))
    ours = {row[2] for row in contacts}
    ended = {row[2] for row in contacts if row[3] in ENDED}
    for lines in told.values():
        for _, kind, amount, reference in lines:
            if reference not in ours or kind in _CHARGES:  # what a contact cost stands in the contact
                continue
            if kind == Entry.IGNORED and reference in ended:  # it never reached him after all, and was given back
                continue
            if kind in CREDITS:
                found.given += amount
            else:
                found.taken -= amount


def _opted_out(work: Work, asked: Asked, firsts: Sequence[_First]) -> list[bool]:
    """Return of whom a no stands that was recorded after his permissions were judged for the first contact."""
    chunks = {first.decision: first.decision.partition(".")[0] for first in firsts}
    judged = {row[0]: row[1] for row in work.run(_JUDGED, work.listed(sorted(set(chunks.values())))).fetchall()}
    stand = standings.read(work, [first.customer for first in firsts])
    found: list[bool] = []
    for first in firsts:
        row, since = stand.get(first.customer), judged.get(chunks[first.decision], 0)
        scopes = from_stored(row).scopes if row else {}
        noes = (scopes[bit] for bit in asked.bits if bit in scopes and scopes[bit].status in NOES)
        found.append(any(no.position >= since for no in noes))
    return found


def _facts(work: Work, asked: Asked, firsts: Sequence[_First], found: Gathered) -> pa.Table:
    """Recall outcome and covariate; an outcome that came in before the first contact is not of it."""
    desk, at = asked.deployment.desk, asked.deployment.clock()
    ids = [first.customer for first in firsts]
    permitted = gate.permits(desk, work, ids, asked.scopes, at=at)
    told = gate.recall(desk, work, permitted, attributes=asked.kinds, use=asked.use)
    # A newer catalogue may have dropped an attribute, or made another kind of thing of it.
    still = {name for name, kind in asked.kinds.items() if name in told.column_names and told[name].type == kind}
    table = pa.table(
        {name: told[name] if name in still else pa.nulls(len(ids), kind) for name, kind in asked.kinds.items()}
    )
    measure = asked.campaign.objective.measure
    scope = (
        f"use:{permitted.catalogue.attributes[measure].category}:{asked.campaign.measurement}"
        if measure in still
        else ""
    )
    known = permitted.permitted(scope) if scope in permitted.scopes else np.zeros(len(ids), dtype=np.bool_)
    kept = _of_the_contacts(work, asked, firsts, table[measure].to_pylist(), found, known=known, now=to_ms(at))
    return table.set_column(table.column_names.index(measure), measure, pa.array(kept, type=table[measure].type))


def _of_the_contacts(
    work: Work, asked: Asked, firsts: Sequence[_First], values: Sequence[Any], found: Gathered,
    *, known: NDArray[np.bool_], now: int,
) -> list[Any]:  # fmt: skip
    """Return outcomes within the window after each first contact; None where that can't be known.

    A flag that first came in when the window was over had not come in within it: it counts as a no. Of a number nobody
    knows what it was by then.
    """
    objective = asked.campaign.objective
    silence, none = (
        objective.silence == SILENCE_IS_NO,
        False if pa.types.is_boolean(asked.kinds[objective.measure]) else 0,
    )
    came = coming.read(work, [first.customer for first in firsts], objective.measure)
    kept: list[Any] = []
    for first, value, may_be_known in zip(firsts, values, known.tolist(), strict=True):
        fits = coming.fits(came.get(first.customer, ()), first.at, objective.window_days)
        told = value is not None
        found.early += told and fits is Fits.EARLY
        found.late += told and fits is Fits.LATE
        found.untimed += told and fits is Fits.UNTIMED
        over = objective.window_days > 0 and now >= coming.window(first.at, objective.window_days)[1]
        if told and fits in (Fits.WITHIN, Fits.UNTIMED):
            kept.append(value)
        elif told and fits is Fits.LATE:
            kept.append(False if isinstance(value, bool) else None)
        elif may_be_known and silence and over and fits not in (Fits.WITHIN, Fits.REPLACED):
            kept.append(none)
        else:
            kept.append(None)
    return kept
