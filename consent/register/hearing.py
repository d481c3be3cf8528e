"""Who else has to know at once: what a customer's word ended, told in the transaction that records it.

Floors above keep accounts and traces of customers that consent knows nothing of. Whoever opens a deployment names one
of them (`Desk.hears`); it writes in the same transaction, so what it keeps never differs from what stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from consent.base.ids import CustomerId, Scope
from consent.catalogue.model import ASKED, Catalogue
from consent.permission.standing import PENDING, VALID, Standing, Status
from consent.permission.statement import Act, Method, Statement

NOES: Final = frozenset({Status.REFUSED, Status.WITHDRAWN, Status.OBJECTED})
"""What a customer's no leaves standing."""


class Ended(NamedTuple):
    """A statement by which a customer ended what stood: these scopes were permitted before it, and are not after."""

    customer: CustomerId
    scopes: tuple[Scope, ...]
    position: int
    """Of the statement's entry in the ledger."""


class Joined(NamedTuple):
    """Two records that are one customer's from now on: who is given up, and who goes on."""

    merged: CustomerId
    into: CustomerId
    actor: str
    """Who joined them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What some statements brought about, or the joining of two records."""

    ended: tuple[Ended, ...] = ()
    """By a customer's own no, said now: nothing that is told of the past, nor follows from joining two records."""

    forgotten: frozenset[tuple[str, CustomerId]] = frozenset()
    """Categories that are not remembered of a customer any more, and whose."""

    joined: Joined | None = None


def ended(
    statement: Statement, before: Standing, after: Standing, bits: Mapping[str, int], catalogue: Catalogue
) -> tuple[Scope, ...]:
    """Return the scopes that a withdrawal or objection ended.

    What was never given, or never confirmed, ends nothing. What rests on an interest stood unless he had said no to it.
    """
    if statement.act not in (Act.WITHDRAW, Act.OBJECT) or statement.method is Method.MERGED:
        return ()
    return tuple(
        scope
        for scope in statement.scopes
        if after.of(bits[scope]).status in NOES and _stood(scope, before, bits, catalogue)
    )


def _stood(scope: Scope, before: Standing, bits: Mapping[str, int], catalogue: Catalogue) -> bool:
    one, rule = before.of(bits[scope]), catalogue.scopes.get(scope)
    if rule is None or rule.legal_basis in ASKED:
        return one.status in VALID and not one.flags & PENDING
    return one.status not in NOES
