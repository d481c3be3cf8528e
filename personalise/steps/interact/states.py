"""PURE: the life of a contact: what may become of it, and in which states it counts.

    reserved → claimed → sent → delivered
        ↓         ↓ failed softly: reserved again, until its time to live is over
    released, expired    failed, lost

A contact counts from its reservation on, until it is certain that nothing of it reached the customer.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """How a contact stands."""

    RESERVED = "reserved"
    CLAIMED = "claimed"
    """Handed out, to be sent now."""
    SENT = "sent"
    """Whoever carries it has accepted it."""
    DELIVERED = "delivered"
    LOST = "lost"
    """Handed out, and nothing was heard of it again: it may have reached him, so it counts."""
    RELEASED = "released"
    """Given up before it was sent: something stood against it when it was to be sent."""
    FAILED = "failed"
    """It never reached him, and never will."""
    EXPIRED = "expired"
    """Its time to live was over before it was sent."""
    GHOST = "ghost"
    """What a holdout's customer would have had."""


class Did(StrEnum):
    """What happened to it."""

    CLAIM = "claim"
    SEND = "send"
    DELIVER = "deliver"
    FAIL_SOFTLY = "fail_softly"
    """Not this time: it may be tried again."""
    FAIL_HARD = "fail_hard"
    RELEASE = "release"
    EXPIRE = "expire"
    LOSE = "lose"


COUNTING: Final = (State.RESERVED, State.CLAIMED, State.SENT, State.DELIVERED, State.LOST, State.GHOST)
"""What counts against caps, and costs goodwill."""

ENDED: Final = (State.RELEASED, State.FAILED, State.EXPIRED)
"""What never reached him: it counts no longer, and what it cost is given back."""

HANDED_OUT: Final = (State.CLAIMED, State.SENT, State.DELIVERED, State.LOST)

_LEADS_TO: Final[Mapping[Did, Mapping[State, State]]] = {
    Did.CLAIM: {State.RESERVED: State.CLAIMED, State.CLAIMED: State.CLAIMED},  # again, once a claim has run out
    Did.SEND: {State.CLAIMED: State.SENT},
    Did.DELIVER: {State.CLAIMED: State.DELIVERED, State.SENT: State.DELIVERED, State.LOST: State.DELIVERED},
    Did.FAIL_SOFTLY: {State.CLAIMED: State.RESERVED, State.SENT: State.RESERVED},
    Did.FAIL_HARD: {State.CLAIMED: State.FAILED, State.SENT: State.FAILED, State.LOST: State.FAILED},
    Did.RELEASE: {State.RESERVED: State.RELEASED},
    Did.EXPIRE: {State.RESERVED: State.EXPIRED},
    Did.LOSE: {State.CLAIMED: State.LOST},
}


def after(state: State, did: Did) -> State | None:
    """Return how a contact stands after something happened to it; None where that can't happen.

    What is told once more, of a contact that stands so already, changes nothing; but nothing is claimed twice.

    >>> after(State.RESERVED, Did.CLAIM), after(State.SENT, Did.SEND), after(State.EXPIRED, Did.CLAIM)
    (<State.CLAIMED: 'claimed'>, <State.SENT: 'sent'>, None)
    """
    leads = _LEADS_TO[did]
    return leads.get(state, state if state in leads.values() and state is not State.RESERVED else None)
