"""What a change of the catalogue means to the customers there are: how many would have to be asked again.

Counted from what stands, a chunk of customers at a time, before anything is published; the numbers are those of the
moment at which each chunk was read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from consent import catalogues, standings
from consent.base.clock import to_ms
from consent.base.store import Store
from consent.catalogue.changes import Redeclared, difference, redeclared
from consent.catalogue.model import ASKED, Catalogue, ScopeRule, published
from consent.permission import many
from consent.permission.verdict import MAY_BE_ASKED, Reason
from consent.register.desk import Desk
from consent.register.publishing import new_bits, require_publishable

_ASKED_AGAIN: Final = np.array([reason in MAY_BE_ASKED for reason in Reason], dtype=np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What would change, and for how many.

    Attributes:
        changes: scopes by kind of change, as `catalogue.changes.difference` names them.
        redeclared: what is declared differently besides them.
        customers: how many there are.
        asked_again: how many of them permit something now that they would have to be asked for again.
        lost: how many permit something now that could not be asked for again: the scope goes, or a rule forbids it.
        by_scope: for each scope that somebody permits now and would not permit then: how many.
    """

    changes: Mapping[str, list[str]]
    redeclared: list[Redeclared]
    customers: int
    asked_again: int
    lost: int
    by_scope: Mapping[str, int]


def impact(desk: Desk, store: Store, draft: Catalogue, *, at: datetime) -> Impact:
    """Say what it would mean to publish a catalogue now. Changes nothing.

    Args:
        desk: catalogues.
        store: read in many short transactions.
        draft: as it was read from a file.
        at: the instant to judge at.

    Raises:
        CatalogueInvalid: it could not be published.
    """
    with store.read() as work:
        require_publishable(desk, work, draft)
        old = desk.catalogues.current(work)
        given = catalogues.bits(work)
    new = published(draft, old.version + 1, {**given, **new_bits(draft, given)})
    pairs = [(rule, new.scopes.get(rule.scope)) for rule in old.in_order if _matters(rule, new.scopes.get(rule.scope))]
    tally = _Tally(pairs, to_ms(at))
    after = ""
    while True:
        with store.read() as work:
            rows, after = standings.chunk(work, after)
        if not rows:
            break
        tally.add(many.of_rows([row for _, row in rows]))
    return Impact(
        changes=difference(old, new),
        redeclared=redeclared(old, new),
        customers=tally.customers,
        asked_again=tally.asked_again,
        lost=tally.lost,
        by_scope={rule.scope: count for (rule, _), count in zip(pairs, tally.by_scope, strict=True) if count},
    )


def _matters(old: ScopeRule, new: ScopeRule | None) -> bool:
    """Say whether a rule changed in a way that can take a permission away."""
    return new is None or _weighed(old) != _weighed(new)


def _weighed(rule: ScopeRule) -> tuple[object, ...]:
    return rule.legal_basis, rule.material_since, rule.minimum_age, rule.gpc


class _Tally:
    """Counts customers, a chunk at a time."""

    def __init__(self, pairs: list[tuple[ScopeRule, ScopeRule | None]], at_ms: int) -> None:
        self._old = [old for old, _ in pairs]
        # What goes is lost only to who was asked for it: what served an order was never his to give.
        self._new = [new if new or old.legal_basis in ASKED else old for old, new in pairs]
        self._at_ms = at_ms
        self.customers = self.asked_again = self.lost = 0
        self.by_scope = [0] * len(pairs)

    def add(self, chunk: many.Standings) -> None:
        """Count a chunk."""
        self.customers += len(chunk.states)
        nothing = [None] * len(self._old)
        before = many.reasons(chunk, self._old, nothing, self._at_ms)
        after = many.reasons(chunk, self._new, nothing, self._at_ms)
        gone = (before == Reason.PERMIT) & (after != Reason.PERMIT)
        again = gone & _ASKED_AGAIN[after]
        self.asked_again += int(again.any(axis=1).sum())
        self.lost += int((gone & ~again).any(axis=1).sum())
        self.by_scope = [so_far + int(count) for so_far, count in zip(self.by_scope, gone.sum(axis=0), strict=True)]
