"""USE CASES: set right what is remembered of a customer, or remove it; without asking whether it may be remembered.

What is wrong is set right even where nothing may be used: a restriction or a pause doesn't keep an error alive. Only
what is remembered already can be corrected: to remember more takes a permission, and goes by the gate. The ledger tells
which facts were changed, when and by whom; never what they were or have become.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from consent import uses
from consent.base.clock import to_ms
from consent.base.errors import CustomerUnknown, Place, RequestUnfit
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.catalogue.model import Attribute, Catalogue
from consent.ledger.entry import Kind
from consent.register import customers, mergers, publishing
from consent.register.desk import Desk
from consent.register.hearing import Heard
from consent.rights import looking
from consent.rights.looking import Look, Why
from consent.rights.typed import Value
from consent.vault import memory

Act = Literal["corrected", "removed"]
_UNKNOWN: Final = "nothing is remembered under this name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """What was changed, and where the ledger tells of it; nothing, and nowhere, where all was as wished already."""

    customer: CustomerId
    attributes: tuple[str, ...]
    position: int | None


def correct(
    desk: Desk,
    work: Work,
    customer: CustomerId,
    values: Mapping[str, Value],
    *,
    actor: str,
    reason: str,
    at: datetime,
) -> Corrected:
    """Set facts right that are remembered of a customer.

    Args:
        desk: keys and catalogues.
        work: a transaction that writes.
        customer: who.
        values: attribute → what is right.
        actor: who does it.
        reason: why; it is a use of the facts beside it, which are sealed with it.
        at: now.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
        RequestUnfit: an attribute is not remembered, or the value is not of its type; with every place.
        Invalid: no reason is given.
    """
    look, found = _opened(desk, work, customer, actor=actor, reason=reason, at=at)
    catalogue = desk.catalogues.current(work)
    places = [place for name, value in values.items() for place in _wrong(name, value, found, catalogue)]
    if places:
        raise RequestUnfit(places=places)
    changed = [name for name, value in values.items() if found[_where(name, found)][name] != value]
    for category in dict.fromkeys(_where(name, found) for name in changed):
        mine = {name: values[name] for name in changed if name in found[category]}
        _put(desk, work, look.customer, category, {**found[category], **mine}, at)
    return _noted(desk, work, look, changed, act="corrected")


def remove(
    desk: Desk, work: Work, customer: CustomerId, attributes: Sequence[str], *, actor: str, reason: str, at: datetime
) -> Corrected:
    """Remove facts that are remembered of a customer; a category of which nothing is left goes with them.

    What may be remembered stays as it was: the company may come to know the same again.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
        RequestUnfit: an attribute is not remembered; with every place.
        Invalid: no reason is given.
    """
    look, found = _opened(desk, work, customer, actor=actor, reason=reason, at=at)
    names = list(dict.fromkeys(attributes))
    places = [Place(f"/{name[:80]}", _UNKNOWN) for name in names if not _where(name, found)]
    if places:
        raise RequestUnfit(places=places)
    for category in dict.fromkeys(_where(name, found) for name in names):
        left = {name: value for name, value in found[category].items() if name not in names}
        if left:
            _put(desk, work, look.customer, category, left, at)
        else:
            _forget(desk, work, look, category, at)
    return _noted(desk, work, look, names, act="removed")


def remove_category(
    desk: Desk, work: Work, customer: CustomerId, category: str, *, actor: str, reason: str, at: datetime
) -> Corrected:
    """Remove all that is remembered of a customer in a category, as `remove` does.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
        RequestUnfit: nothing is remembered in the category.
        Invalid: no reason is given.
    """
    look, found = _opened(desk, work, customer, actor=actor, reason=reason, at=at)
    if category not in found:
        raise RequestUnfit(places=[Place(f"/{category[:80]}", "nothing is remembered in this category")])
    _forget(desk, work, look, category, at)
    return _noted(desk, work, look, list(found[category]), act="removed")


def _forget(desk: Desk, work: Work, look: Look, category: str, at: datetime) -> None:
    memory.forget(work, category, [look.customer])
    desk.hears(desk, work, Heard(forgotten=frozenset({(category, look.customer)})), at)


def _opened(
    desk: Desk, work: Work, customer: CustomerId, *, actor: str, reason: str, at: datetime
) -> tuple[Look, dict[str, dict[str, Value]]]:
    """Lock a customer, and open what is remembered of him: category → attribute → value."""
    if not customers.lock(work, [mergers.surviving(work, customer)]):
        raise CustomerUnknown
    look = looking.start(desk, work, customer, Why.RECTIFICATION, actor=actor, reason=reason, at=at)
    return look, {each.kept.category: each.attributes for each in looking.remembered(desk, work, look)}


def _where(name: str, found: Mapping[str, Mapping[str, Value]]) -> str:
    """Return the category in which an attribute is remembered; "" where it is in none."""
    return next((category for category, attributes in found.items() if name in attributes), "")


def _wrong(name: str, value: Value, found: Mapping[str, Mapping[str, Value]], catalogue: Catalogue) -> list[Place]:
    category = _where(name, found)
    if not category:
        return [Place(f"/{name[:80]}", _UNKNOWN)]
    attribute: Attribute | None = catalogue.attributes.get(name)
    if attribute is None or attribute.category != category:
        return [Place(f"/{name}", "the catalogue has this no more: it can be removed, and not corrected")]
    if not attribute.admits([value]):
        return [Place(f"/{name}", f"must be of type {attribute.type}")]
    return []


def _put(desk: Desk, work: Work, customer: CustomerId, category: str, facts: Mapping[str, Value], at: datetime) -> None:
    data_keys = memory.data_keys(desk.keys, work, [customer])
    memory.put(work, data_keys, [(customer, category, facts)], to_ms(at))


def _noted(desk: Desk, work: Work, look: Look, attributes: Sequence[str], *, act: Act) -> Corrected:
    if not attributes:
        return Corrected(customer=look.customer, attributes=(), position=None)
    payload = {
        "act": act, "actor": look.actor, "attributes": sorted(attributes), "customer": look.customer, "use": look.id,
    }  # fmt: skip
    appended = publishing.note(desk, work, Kind.DATA_CORRECTED, payload, at=look.at)
    uses.note(work, look.id, appended.position)
    return Corrected(customer=look.customer, attributes=tuple(sorted(attributes)), position=appended.position)
