"""USE CASE: an outcome comes in: for a decision, as staff or a shop tell it, or for many customers with a file.

What it was is remembered as far as the customer allows; when it came is noted beside it. Where it may not be
remembered, nothing is noted: then nobody knows.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from consent import gate
from consent.base.clock import rfc3339, to_ms
from consent.base.errors import CustomerUnknown, Place, RequestUnfit
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.deployment import Deployment
from consent.imports.outcomes import Brought
from consent.register import customers, mergers
from personalise import contacts, shelf
from personalise.campaigns.model import NOTHING, Campaign
from personalise.responses import coming
from personalise.runs import log
from personalise.runs.log import Chunk
from personalise.steps.interact.states import ENDED

Value = bool | int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of an outcome: `stored`, `repeated` (it was known) or `refused` (it may not be remembered)."""

    decision: str
    customer: CustomerId
    measure: str
    came_at: datetime
    outcome: Literal["stored", "repeated", "refused"]

    def as_json(self) -> dict[str, Any]:
        """Return it as the faces show it."""
        return {
            "decision": self.decision,
            "customer": self.customer,
            "measure": self.measure,
            "came_at": rfc3339(self.came_at),
            "outcome": self.outcome,
        }


def record(deployment: Deployment, decision: str, value: Value, *, came_at: datetime) -> Recorded:
    """Remember what came of a decision, by what its campaign is measured by; the same once more changes nothing.

    The treatment that the customer had received is remembered with it: none, where he was left alone or out.

    Args:
        deployment: where.
        decision: its id.
        value: of the campaign's measure.
        came_at: when it happened.

    Raises:
        DecisionUnknown: no decision by that id.
        CustomerUnknown: its customer is not here any more.
        RequestUnfit: it can't be of that time, or not of that value.
        LedgerBroken: the decision's chunk is damaged.
    """
    now = deployment.clock()
    with deployment.store.write() as work:
        chunk, spot = log.place(work, decision)
        customer = mergers.surviving(work, chunk.customers[spot])
        if not customers.lock(work, [customer]):
            raise CustomerUnknown
        campaign = _campaign(deployment, work, chunk)
        facts = {campaign.objective.measure: value, campaign.received: _received(work, chunk, spot)}
        _check(deployment, work, campaign, value, chunk=chunk, came_at=came_at, now=now)
        stored: list[tuple[CustomerId, str, bool]] = []
        gate.remember_columns(
            deployment.desk, work, [customer], {name: [each] for name, each in facts.items()}, at=now,
            noting=lambda whose, name, changed: stored.append((whose, name, changed)),
        )  # fmt: skip
        noted = coming.note(work, coming.timed(stored, {customer: to_ms(came_at)}, at=now))
    kept = any(name == campaign.objective.measure for _, name, _ in stored)
    outcome: Literal["stored", "repeated", "refused"] = "refused" if not kept else "stored" if noted else "repeated"
    return Recorded(
        decision=decision, customer=customer, measure=campaign.objective.measure, came_at=came_at, outcome=outcome
    )


def note_brought(work: Work, brought: Brought) -> None:
    """Note when the outcomes of a file came in: what `bring_in_outcomes` calls with each chunk."""
    coming.note(work, coming.timed(brought.facts, brought.times, at=brought.at))


def _campaign(deployment: Deployment, work: Work, chunk: Chunk) -> Campaign:
    """Return the campaign as the decision's own policy read it."""
    pins = log.pins(chunk.about)
    read_under = deployment.desk.catalogues.version(work, pins["catalogue"])
    return shelf.load(work, chunk.campaign, read_under, version=pins["version"])[0]


def _received(work: Work, chunk: Chunk, spot: int) -> str:
    """Return what the customer had received; nothing, where what was chosen surely never reached him."""
    chosen = chunk.table["chosen"][spot].as_py()
    reached = chosen >= 0 and contacts.status(work, chunk.customers[spot], f"{chunk.id}.{spot}") not in ENDED
    return str(chunk.about["candidates"][chosen]) if reached else NOTHING


def _check(
    deployment: Deployment, work: Work, campaign: Campaign, value: Value,
    *, chunk: Chunk, came_at: datetime, now: datetime,
) -> None:  # fmt: skip
    measure = campaign.objective.measure
    known = deployment.desk.catalogues.current(work).attributes.get(measure)
    places = []
    if known is None:
        places.append(Place("/value", f"is {measure}, which the catalogue in force doesn't have"))
    elif not known.admits((value,)):
        places.append(Place("/value", f"is {measure}: must be of type {known.type}"))
    if came_at > now:
        places.append(Place("/came_at", "is a time to come"))
    if to_ms(came_at) < chunk.about.get("decided_at", to_ms(chunk.at)):
        places.append(Place("/came_at", "is before the decision was made"))
    if places:
        raise RequestUnfit(places=places)
