"""Counting a request, so that nobody asks too much: by its key, its address, its customer.

Source:
    draft-ietf-httpapi-ratelimit-headers-11 (`RateLimit-Policy`, `RateLimit`: lists of items with parameters).
"""

from datetime import datetime
from typing import Final

from flask import g, request

from api.actors.actor import Actor
from api.rates.address import client
from api.rates.limiter import ADDRESS, CUSTOMER, KEY, Spent, TooMany
from api.wiring import House

SPENT: Final = "byleave.spent"
"""Under which name the environment says that a request was counted before it came here."""

_OF: Final = {"key": KEY, "customer": CUSTOMER}


def address(house: House, *, at: datetime) -> None:
    """Count a request by where it came from.

    Raises:
        TooMany: there were too many.
        DatabaseDown: it can't be counted.
    """
    forwarded = ",".join(request.headers.getlist("X-Forwarded-For"))
    _count(house, ADDRESS, client(request.remote_addr or "", forwarded, hops=house.settings.proxy_hops), at)


def actor(house: House, who: Actor, *, at: datetime) -> None:
    """Count a request by who asks.

    Raises:
        TooMany: there were too many.
        DatabaseDown: it can't be counted.
    """
    before: Spent | None = request.environ.get(SPENT)
    if before is not None:
        g.spent = [before]
    elif who.kind in _OF:
        _count(house, _OF[who.kind], who.subject, at)


def told() -> dict[str, str]:
    """Return the headers that say what is left."""
    spent: list[Spent] = g.get("spent", [])
    return dict(headers(*spent)) if spent else {}


def headers(*spent: Spent) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return the headers that say what is left after a request that was counted so."""
    if len(spent) == 1:  # mostly
        return ("RateLimit-Policy", spent[0].policy.told), ("RateLimit", spent[0].told)
    policies = ", ".join(each.policy.told for each in spent)
    return ("RateLimit-Policy", policies), ("RateLimit", ", ".join(each.told for each in spent))


def _count(house: House, policy: str, subject: str, at: datetime) -> None:
    try:
        spent = house.limiter.spend(policy, subject, at=at)
    except TooMany as refused:
        g.spent = [*g.get("spent", ()), refused.spent]
        raise
    if spent is not None:
        g.spent = [*g.get("spent", ()), spent]
