"""USE CASE: a customer turned an offer down: its family rests, and the contact is neither ignored nor waited for.

It counts from the moment it is told on: what was decided before that could not know of it, and is not judged by it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from consent.base.clock import from_ms, rfc3339, to_ms
from consent.base.errors import StateConflict
from consent.base.ids import CustomerId
from consent.deployment import Deployment
from personalise import contacts, reservations
from personalise.runs import log
from personalise.steps.interact.states import ENDED, State


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnedDown:
    """That an offer was turned down: which family rests, since when; `repeated` where that was told before."""

    decision: str
    customer: CustomerId
    family: str
    turned_down_at: datetime
    repeated: bool

    def as_json(self) -> dict[str, Any]:
        """Return it as the faces show it."""
        return {
            "decision": self.decision, "customer": self.customer, "family": self.family,
            "turned_down_at": rfc3339(self.turned_down_at), "repeated": self.repeated,
        }  # fmt: skip


def turn_down(deployment: Deployment, decision: str) -> TurnedDown:
    """Note that the customer of a decision turned down what it offered him; once more changes nothing.

    Raises:
        DecisionUnknown: no decision by that id, or nothing was offered by it; its customer may have been erased.
        StateConflict: what it chose never reached him, or was not handed out yet.
        LedgerBroken: the decision's chunk is damaged.
    """
    at = deployment.clock()
    with deployment.store.write() as work:
        chunk, spot = log.place(work, decision)
        row = reservations.locked(work, chunk.customers[spot], decision)
        waits = row.status == State.RESERVED and row.expires_at is not None and row.claimed_at is None
        if row.status in (State.GHOST, *ENDED) or waits:
            msg = f"that contact is {row.status}: what didn't reach the customer he can't turn down"
            raise StateConflict(msg)
        contacts.turn_down(work, CustomerId(row.customer), decision, at=at)
    return TurnedDown(
        decision=decision, customer=CustomerId(row.customer), family=row.family,
        turned_down_at=row.rejected_at or from_ms(to_ms(at)), repeated=row.rejected_at is not None,
    )  # fmt: skip
