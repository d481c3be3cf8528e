"""Verdicts as they go out: permit or not, the one reason, and the ledger entries behind it."""

from functools import lru_cache
from typing import Final, TypedDict

from api.asking import asked_at
from api.rest.shapes import CUSTOMER, SCOPE, Choice, Flag, Form, Instant, Items, Text, Whole
from consent.base.clock import rfc3339
from consent.permission.verdict import Denial, Permit, Reason, Verdict

LARGEST: Final = 2**53 - 1
_NAMES: Final = {reason: reason.name for reason in Reason}
_written: Final = lru_cache(maxsize=16)(rfc3339)
"""Times as they go out: all verdicts of a call have the same."""


class ScopeVerdict(Form):
    """What stands for one scope."""

    scope = Text(3, 145, SCOPE, required=True)
    permit = Flag(required=True)
    reason = Choice([reason.name for reason in Reason], required=True)
    positions = Items(Whole(0, LARGEST), 0, 2, required=True, metadata={"description": "entries that decided it"})
    may_be_asked = Flag(required=True, metadata={"description": "false: leave the customer alone"})
    ask = Text(1, 2_048, required=True, allow_none=True, metadata={"description": "where he may be asked; else null"})


class CustomerVerdict(ScopeVerdict):
    """What stands for one scope of one customer, at one time."""

    customer = Text(36, 36, CUSTOMER, required=True)
    at = Instant(required=True)
    position = Whole(0, LARGEST, required=True, metadata={"description": "size of the ledger when this was judged"})


class Judged(TypedDict):
    """A verdict in the words of its form."""

    customer: str
    scope: str
    permit: bool
    reason: str
    positions: tuple[int, ...]
    may_be_asked: bool
    ask: str | None
    at: str
    position: int


def judged(verdict: Verdict, base_url: str) -> Judged:
    """Return a verdict in the words of its form. Who permits needn't be asked."""
    return {
        "customer": verdict.customer,
        "scope": verdict.scope,
        "permit": isinstance(verdict, Permit),
        "reason": _NAMES[verdict.reason],
        "positions": verdict.positions,
        "may_be_asked": isinstance(verdict, Denial) and verdict.may_be_asked,
        "ask": asked_at(verdict, base_url),
        "at": _written(verdict.at),
        "position": verdict.position,
    }
