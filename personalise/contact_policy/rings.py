"""PURE: orders in a ring: what has to come first waits, by way of others or by itself, for what comes after it.

Nobody who has not had such a contact before would ever get one. What counts as a ring is only what surely is one: an
order whose `first` lies as a whole in what an order of the ring holds back. Service and legal messages are never held
back, so a `first` that names a purpose that serves waits for nothing, nor does one that names campaigns, tags, offers
or families where the order that would hold it back names none: those may be service messages.
"""

from collections.abc import Sequence
from typing import Final

from consent.base.errors import Place
from consent.base.ids import Scope
from consent.catalogue.model import SERVICE, Catalogue
from personalise.contact_policy.model import Matching, Order

_SCOPES: Final = ("channels", "purposes")
_OWN: Final = ("tags", "campaigns", "offers", "families")


def rings(orders: Sequence[Order], catalogue: Catalogue) -> list[Place]:
    """Return the place of each order that stands in a ring, and which orders that ring is of."""
    serving = _serving(catalogue)
    waits = {
        spot: [other for other, each in enumerate(orders) if _within(order.first, each.then, serving)]
        for spot, order in enumerate(orders)
    }
    found = []
    for spot in waits:
        ring = _ring(spot, waits)
        if ring:
            found.append(Place(f"order[{spot}].first", _why([orders[each].key for each in ring])))
    return found


def _why(keys: list[str]) -> str:
    if len(keys) == 1:
        return "waits for itself: it is among what `then` holds back, so the first would never come"
    return f"waits for itself by way of {', '.join(keys[1:])}: in that ring the first would never come"


def _ring(start: int, waits: dict[int, list[int]]) -> list[int]:
    """Return the shortest way from an order back to itself, without the way's end; empty where there is none."""
    ways = [[start]]
    seen: set[int] = set()
    for way in ways:
        for after in waits[way[-1]]:
            if after == start:
                return way
            if after not in seen:
                seen.add(after)
                ways.append([*way, after])
    return []


def _serving(catalogue: Catalogue) -> set[str]:
    """Return the purposes that some contact serves."""
    serve = (rule.scope for rule in catalogue.scopes.values() if rule.legal_basis in SERVICE)
    return {purpose for scope in serve if (purpose := _purpose(scope))}


def _purpose(scope: Scope) -> str:
    operation, _, rest = scope.partition(":")
    return rest.partition(":")[2] if operation == "contact" else ""


def _within(first: Matching, then: Matching, serving: set[str]) -> bool:
    """Say whether every contact that `first` is about is surely held back by what `then` is about."""
    if serving.intersection(first.purposes):
        return False
    narrower = any(getattr(first, name) and not getattr(then, name) for name in _OWN)
    covered = (
        not getattr(then, name) or (getattr(first, name) and set(getattr(first, name)) <= set(getattr(then, name)))
        for name in (*_SCOPES, *_OWN)
    )
    return not narrower and all(covered)
