"""What statements would change if they were recorded: for a dry run, and without a trace."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from consent import catalogues
from consent.base.clock import to_ms
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.catalogue.model import Catalogue
from consent.imports.mapping import REFERENCE
from consent.imports.passes import Once
from consent.imports.said import Row
from consent.permission.standing import Standing, fold
from consent.permission.statement import Statement
from consent.permission.verdict import Reason, scope_reason
from consent.register import customers, history, rules
from consent.register.desk import Desk


class Change(StrEnum):
    """What becomes of a scope of a customer who says something about it."""

    PERMITS = "permits"
    """Was denied, would be permitted."""
    ENDS = "ends"
    """Was permitted, would be denied."""
    STAYS_PERMITTED = "stays_permitted"
    STAYS_DENIED = "stays_denied"


class Weighing:
    """Counts what would change, chunk by chunk.

    Of what was weighed before, only the last chunk is remembered: rows of one customer should stand together.
    """

    def __init__(self, desk: Desk, catalogue: Catalogue, *, at: datetime) -> None:
        """Take the catalogue in force, and the time at which to judge."""
        self._desk = desk
        self._catalogue = catalogue
        self._at = at
        self._before: dict[str, list[Statement]] = {}
        self._strangers = Once(REFERENCE)
        self.counts: Counter[Change] = Counter()

    @property
    def new(self) -> int:
        """How many customers would be enrolled."""
        return self._strangers.distinct()

    def weigh(self, work: Work, said: Mapping[str, Sequence[Row]]) -> None:
        """Count what a chunk would change.

        Args:
            work: only read from.
            said: the rows that count by reference, in the order of the file.
        """
        found = customers.known(self._desk, work, [{REFERENCE: reference} for reference in said])
        known = dict(zip(said, found, strict=True))
        new = [reference for reference, customer in known.items() if customer is None]
        self._strangers.see(new, range(len(new)))
        recorded = self._recorded([customer for customer in found if customer is not None], work)
        bits = catalogues.bits(work)
        after: dict[str, list[Statement]] = {}
        for reference, rows in said.items():
            customer = known[reference]
            past = recorded.get(customer, []) if customer else []
            earlier = self._before.get(reference, [])
            statements = (row.statement(customer or CustomerId("")) for row in rows)
            fresh = [rules.completed(statement, self._catalogue, self._at) for statement in statements]
            after[reference] = [*earlier, *fresh]
            was, becomes = (fold(_in_order(past, each), bits) for each in (earlier, after[reference]))
            touched = {scope for statement in fresh for scope in statement.scopes}
            self.counts.update(self._change(was, becomes, scope) for scope in touched)
        self._before = after

    def _recorded(self, enrolled: Sequence[CustomerId], work: Work) -> dict[CustomerId, list[tuple[int, Statement]]]:
        found: dict[CustomerId, list[tuple[int, Statement]]] = {}
        for one in history.of_customers(self._desk, work, enrolled) if enrolled else ():
            found.setdefault(one.statement.customer, []).append((one.seq, one.statement))
        return found

    def _change(self, was: Standing, becomes: Standing, scope: str) -> Change:
        match self._permits(was, scope), self._permits(becomes, scope):
            case False, True:
                return Change.PERMITS
            case True, False:
                return Change.ENDS
            case True, True:
                return Change.STAYS_PERMITTED
            case _:
                return Change.STAYS_DENIED

    def _permits(self, standing: Standing, scope: str) -> bool:
        rule = self._catalogue.scopes[scope]
        return scope_reason(rule, standing.of(rule.bit), at_ms=to_ms(self._at)) is Reason.PERMIT


def _in_order(past: Sequence[tuple[int, Statement]], new: Sequence[Statement]) -> list[tuple[int, Statement]]:
    """Number new statements after all positions there are: what comes in later wins a tie."""
    first = max((seq for seq, _ in past), default=-1) + 1
    return [*past, *enumerate(new, first)]
