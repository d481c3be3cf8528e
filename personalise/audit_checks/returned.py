"""What contacts gave back of quotas: each what its decision had taken, once, and because it ended unsent."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Final, NamedTuple

import numpy as np
import sqlalchemy as sa

from consent.base.database import table_of
from consent.base.store import Work
from personalise import quotas
from personalise.contacts import OVER, Over
from personalise.quotas import Back
from personalise.runs.log import Chunk
from personalise.steps.interact.states import ENDED
from personalise.steps.personalise.policy import Policy
from personalise.tables import ContactRow, QuotaReturnRow

_contact: Final = table_of(ContactRow)
_return: Final = table_of(QuotaReturnRow)

Place = tuple[str, int, str]
"""A campaign, its version (0: all), and a quota's key: what a row counts."""


@dataclass(slots=True)
class Returns:
    """All that was given back by some moment.

    `counted` is what the quotas' rows have of it already; `ordered` holds of each quota the positions of the ledger at
    which something came back, in order, and the sums up to there.
    """

    counted: Counter[Place] = field(default_factory=Counter)
    ordered: dict[Place, tuple[list[int], list[int]]] = field(default_factory=dict)
    decisions: frozenset[str] = frozenset()

    def before(self, place: Place, position: int) -> int:
        """Return how much of a quota had come back before the entry at a position."""
        positions, sums = self.ordered.get(place, ([], []))
        count = bisect_right(positions, position)
        return sums[count - 1] if count else 0

    def unknown(self, chunks: Collection[str]) -> list[str]:
        """Return the decisions that gave something back and are in none of these chunks."""
        known = set(chunks)
        return sorted(each for each in self.decisions if each.partition(".")[0] not in known)


def read(work: Work) -> Returns:
    """Return all that was given back by now."""
    found = Returns()
    came: dict[Place, list[tuple[int, int]]] = defaultdict(list)
    decisions = set()
    for row in work.connection.execute(sa.select(_return)):
        place = (row.campaign, row.version, row.key)
        came[place].append((row.position, row.amount))
        decisions.add(row.decision)
        found.counted[place] += row.amount if row.counted else 0
    for place, several in came.items():
        several.sort()
        positions, amounts = zip(*several, strict=True)
        found.ordered[place] = list(positions), list(accumulate(amounts))
    found.decisions = frozenset(decisions)
    return found


def wrong(work: Work, chunk: Chunk, policy: Policy) -> Iterator[tuple[str, str]]:
    """Walk what decisions of a chunk gave back and hadn't to, or had to and didn't: (decision, why).

    Of whoever was erased the contact is gone: what had waited to be sent to him came back, and no more is known of it.
    """
    back = _back(work, chunk, policy)
    there = {each.over.decision: each for each in _contacts(work, chunk)}
    due = {one for each in there.values() if each.status in ENDED for one in quotas.given_back(each.over)}
    for one in sorted(back.keys() - due):
        took = _took(chunk, policy, one)
        contact = there.get(one.decision)
        if one.amount != took:
            yield one.decision, f"it gave back {one.amount} of {one.key}, and had taken {took}"
        elif contact is not None:
            yield one.decision, f"it gave back what it took of {one.key}, and is {contact.status}"
    for one in sorted(due - back.keys()):
        yield one.decision, f"it ended unsent, and did not give back what it took of {one.key}"
    for one in sorted(due & back.keys()):
        place, ended = back[one], there[one.decision].ended
        if place != ended:
            yield one.decision, f"it gave back what it took of {one.key} at position {place}, and ended at {ended}"


class _Ended(NamedTuple):
    """A contact that took of some quota: how it stands, and the ledger's position at its end."""

    over: Over
    status: str
    ended: int | None


def _back(work: Work, chunk: Chunk, policy: Policy) -> dict[Back, int]:
    """Return what decisions of a chunk gave back, each with the ledger's position then."""
    found: dict[Back, int] = {}
    for quota in policy.quotas:
        query = sa.select(*(_return.c[name] for name in Back._fields), _return.c.position).where(
            _return.c.campaign == chunk.campaign, _return.c.version == quota.version, _return.c.key == quota.key,
            _return.c.counted.in_((False, True)),
            _return.c.decision > f"{chunk.id}.", _return.c.decision < f"{chunk.id}/",
        )  # fmt: skip
        found |= {Back(*back): place for *back, place in work.connection.execute(query)}
    return found


def _contacts(work: Work, chunk: Chunk) -> Iterator[_Ended]:
    """Walk the contacts of a chunk that took of some quota."""
    whose: Sequence[Any] = chunk.customers
    query = sa.select(*(_contact.c[name] for name in OVER), _contact.c.status, _contact.c.ended_position).where(
        _contact.c.customer >= whose[0], _contact.c.customer <= whose[-1],
        _contact.c.decision > f"{chunk.id}.", _contact.c.decision < f"{chunk.id}/", _contact.c.quotas != "",
    )  # fmt: skip
    for row in work.connection.execute(query):
        *over, status, ended = row
        yield _Ended(Over(*over), status, ended)


def _took(chunk: Chunk, policy: Policy, back: Back) -> int:
    """Return how much a decision took of a quota."""
    number = back.decision.partition(".")[2]
    spot = int(number) if number.isdecimal() and int(number) < chunk.table.num_rows else -1
    chosen = int(np.asarray(chunk.table["chosen"])[spot]) if spot >= 0 else -1
    if chosen < 0:
        return 0
    one = policy.candidates[chosen]
    charge = chunk.table[f"charge:{one.key}"][spot].as_py() if policy.charges else 0
    mine = (each for each in policy.quotas if one.key in each.treatments and each.key == back.key)
    return sum(each.taken(charge) for each in mine)
