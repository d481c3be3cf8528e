"""What may be remembered is stored, and nothing else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from consent.base.clock import to_ms
from consent.base.errors import Invalid, Place
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.gate.judging import permits
from consent.register.desk import Desk
from consent.vault import memory

Noting: TypeAlias = Callable[[CustomerId, str, bool], None]
"""Called with each fact that is stored: whose, which attribute, and whether it differs from what was remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What `remember` did: facts stored, facts left out as their customer doesn't allow them, and whose it stored."""

    stored: int
    refused: int
    customers: tuple[CustomerId, ...]


def rememberable(
    desk: Desk, work: Work, customers: Sequence[CustomerId], *, at: datetime
) -> dict[str, NDArray[np.bool_]]:
    """Return by category of whom it may be remembered, shape (n_customers,).

    That is where `remember:<category>` stands and at least one use of it does: what nothing may use isn't kept.
    """
    catalogue = desk.catalogues.current(work)
    used = [rule for rule in catalogue.scopes.values() if rule.operation == "use"]
    asked = [*(f"remember:{key}" for key in catalogue.categories), *(rule.scope for rule in used)]
    found = permits(desk, work, customers, asked, at=at)
    allowed = {key: np.zeros(len(customers), dtype=np.bool_) for key in catalogue.categories}
    for rule in used:
        # A use of remembered data is judged together with `remember`, so any use that stands is enough.
        allowed[rule.target] |= found.permitted(rule.scope)
    return allowed


def remember(
    desk: Desk,
    work: Work,
    facts: Sequence[tuple[CustomerId, Mapping[str, memory.Value]]],
    *,
    at: datetime,
) -> Kept:
    """Store facts of customers, category by category, wherever they are `rememberable`; drop the rest.

    A fact of an attribute that no category declares is dropped too. A category is stored whole: facts already
    remembered in it and not among the new ones are kept.
    """
    whole: dict[CustomerId, dict[str, memory.Value]] = {}
    for customer, attributes in facts:
        whole.setdefault(customer, {}).update(attributes)
    names = dict.fromkeys(name for attributes in whole.values() for name in attributes)
    columns = {name: [attributes.get(name) for attributes in whole.values()] for name in names}
    return remember_columns(desk, work, list(whole), columns, at=at)


def remember_columns(
    desk: Desk,
    work: Work,
    customers: Sequence[CustomerId],
    columns: Mapping[str, Sequence[memory.Value | None]],
    *,
    at: datetime,
    noting: Noting | None = None,
) -> Kept:
    """Store facts as `remember` does, from columns.

    Args:
        desk: keys and catalogues.
        work: a transaction that writes.
        customers: (n_customers,), each once.
        columns: a column an attribute, each (n_customers,); None where nothing is known.
        at: the instant at which it is judged.
        noting: called with each fact that is stored.

    Raises:
        Invalid: a fact isn't of its attribute's type. It would spoil the column of everybody recalled beside it.
    """
    known = desk.catalogues.current(work).attributes
    wrong = [name for name, column in columns.items() if name in known and not known[name].admits(column)]
    if wrong:
        raise Invalid(places=[Place(name, f"must be of type {known[name].type}") for name in wrong])
    allowed = rememberable(desk, work, customers, at=at)
    data_keys = memory.data_keys(desk.keys, work, _any_of(customers, allowed))
    stored, whose = 0, dict[CustomerId, None]()
    for category, who in allowed.items():
        names = [name for name in columns if name in known and known[name].category == category]
        facts = _facts(customers, who, {name: columns[name] for name in names})
        stored += sum(map(len, facts.values()))
        whose.update(dict.fromkeys(facts))
        before = dict(memory.get(work, data_keys, category, list(facts))) if facts else {}
        _tell(noting, facts, before)
        facts |= {CustomerId(each): {**old, **facts[CustomerId(each)]} for each, old in before.items()}
        memory.put(work, data_keys, ((customer, category, fact) for customer, fact in facts.items()), to_ms(at))
    told = sum(len(customers) - list(column).count(None) for column in columns.values())
    return Kept(stored=stored, refused=told - stored, customers=tuple(whose))


def _tell(
    noting: Noting | None,
    facts: Mapping[CustomerId, Mapping[str, memory.Value]],
    before: Mapping[str, Mapping[str, memory.Value]],
) -> None:
    if noting is None:
        return
    for customer, new in facts.items():
        known = before.get(customer, {})
        for name, value in new.items():
            noting(customer, name, known.get(name) != value)


def _any_of(customers: Sequence[CustomerId], allowed: Mapping[str, NDArray[np.bool_]]) -> list[CustomerId]:
    anyone = np.zeros(len(customers), dtype=np.bool_)
    for who in allowed.values():
        anyone |= who
    return list(compress(customers, anyone))


def _facts(
    customers: Sequence[CustomerId], who: NDArray[np.bool_], columns: Mapping[str, Sequence[memory.Value | None]]
) -> dict[CustomerId, dict[str, memory.Value]]:
    """What is known of those who allow it; who has nothing known is left out."""
    names = tuple(columns)
    rows = zip(customers, *columns.values(), strict=True)
    found = {}
    for customer, *values in compress(rows, who) if names else ():
        facts = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        if facts:
            found[customer] = facts
    return found
