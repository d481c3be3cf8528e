"""What the members of a household had together: what a cap `per = "household"` counts.

For whom it is decided count his own contacts and those of all who are in his household now, wherever each was when he
had them. Of a control's own count his ghosts too, as `history` says; those of the others count for him as they do for
everybody: they are what reached the household. Ghosts reached nobody, so another's never count: held out or not, what
keeps somebody from a contact is the same, and groups stay comparable.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent.base.clock import to_ms
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.gate import Permits
from consent.register import households
from personalise.contacts import NONE, Own, per_customer
from personalise.history import Counting, History
from personalise.steps.personalise.policy import Policy

_DAY_MS: Final = 86_400_000

Pairs: TypeAlias = Sequence[tuple[int, int]]
"""For whom of a chunk something counts that a household gets, and which of the policy's candidates that is."""


@dataclass(slots=True)
class Given:
    """Which treatments the members of households would have got so far, in a pass that reserves nothing."""

    kinds: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Places among the policy's candidates, by household."""

    def add(self, sharing: "Sharing", chosen: NDArray[np.int16]) -> None:
        """Add what a chunk's customers would get (candidate numbers, -1 for nothing)."""
        for row in np.flatnonzero(chosen >= 0).tolist():
            home = sharing.homes.get(sharing.customers[row])
            if home:
                self.kinds[home] = (*self.kinds.get(home, ()), int(chosen[row]))


def read(
    work: Work, permitted: Permits, policy: Policy,
    *, at: datetime, lock: bool, own: Own = NONE, given: Given | None = None,
) -> "Sharing | None":  # fmt: skip
    """Return what some customers' households had; None, without a look, where no rule counts by household.

    Args:
        work: a transaction.
        permitted: the customers, whom the caller has locked if he reserves.
        policy: what decides.
        at: the instant that caps are counted at.
        lock: whether nobody else may reserve in these households until the transaction ends.
        own: the contact that is judged: it doesn't count.
        given: what counts besides, in a pass that reserves nothing.
    """
    if not policy.shared:
        return None
    customers = permitted.customers
    homes = households.of(work, customers)
    if lock:
        households.lock(work, set(homes.values()))
    members = households.members(work, set(homes.values()))
    sharing = Sharing(customers, homes, policy, at, given.kinds if given else {})
    # What nobody had sent in time counts no longer as of now, whenever the decision is of.
    counting = Counting.of(customers, policy, but=own.decision)
    sharing.count(work, members, lapsed_at=permitted.at, counting=counting)
    return sharing


class Sharing:
    """The customers of a chunk, their households, and the contacts that count there.

    Attributes:
        customers: in the chunk's order, which is that of their turns.
        homes: their households; who is in none is left out.
    """

    def __init__(
        self, customers: Sequence[CustomerId], homes: Mapping[CustomerId, str], policy: Policy, at: datetime,
        given: Mapping[str, tuple[int, ...]],
    ) -> None:  # fmt: skip
        """Begin with no contacts but those that are given in this pass, by household."""
        self.customers = customers
        self.homes = homes
        self._at = to_ms(at)
        self._windows = [each for each in policy.windows if each.per == "household"]
        told = [policy.campaign.told(one.treatment) for one in policy.candidates]
        self._holds = {each.key: np.array([each.counts.holds(one) for one in told]) for each in self._windows}
        self._rows: dict[str, list[int]] = {}  # of each household, or of who is in none
        for row, customer in enumerate(customers):
            self._rows.setdefault(homes.get(customer, customer), []).append(row)
        self._had = [(row, one) for home, rows in self._rows.items() for one in given.get(home, ()) for row in rows]
        self._history: History | None = None
        self._who = self._what = np.empty(0, dtype=np.int64)
        self._own = np.empty(0, dtype=np.bool_)

    def count(self, work: Work, members: Mapping[CustomerId, str], *, lapsed_at: datetime, counting: Counting) -> None:
        """Read the contacts of all members of these households, and of the customers who are in none."""
        if not self._windows:
            return
        homes = {**members, **self.homes}
        everyone = sorted({*self.customers, *homes})
        since = self._at - max(each.days for each in self._windows) * _DAY_MS
        history = History(work, everyone, self._windows, since=since, at=to_ms(lapsed_at), counting=counting)
        rows_of = [self._rows[homes.get(one, one)] for one in everyone]
        many = np.array([len(rows) for rows in rows_of], dtype=np.int64)[history.who]
        # Each contact once for every customer of the chunk who is in that household.
        self._what = np.repeat(np.arange(len(history.who)), many)
        self._who = np.array([row for spot in history.who.tolist() for row in rows_of[spot]], dtype=np.int64)
        place = {customer: spot for spot, customer in enumerate(everyone)}
        mine = np.array([place[customer] for customer in self.customers], dtype=np.int64)
        self._own = history.who[self._what] == mine[self._who]
        self._history = history

    def turns(self) -> list[NDArray[np.int64]]:
        """Return who of the chunk is the first of his household, who the second, and so on: each but the last of it."""
        found: list[list[int]] = []
        for rows in self._rows.values() if self._windows else ():
            for turn, row in enumerate(rows[:-1]):
                if turn == len(found):
                    found.append([])
                found[turn].append(row)
        return [np.array(sorted(rows), dtype=np.int64) for rows in found]

    def reached(self, rows: NDArray[np.int64], chosen: NDArray[np.int16]) -> Pairs:
        """Return for whom of the chunk it counts what others get whose turn comes before."""
        found: list[tuple[int, int]] = []
        for row, candidate in zip(rows.tolist(), chosen.tolist(), strict=True):
            if candidate >= 0:
                customer = self.customers[row]
                mine = self._rows[self.homes.get(customer, customer)]
                found += [(other, candidate) for other in mine if other > row]
        return found

    def columns(self, reached: Pairs = ()) -> dict[str, pa.Array]:
        """Return what `contacts.counted` does, of the rules that count by household; `reached` counts as well."""
        columns: dict[str, pa.Array] = {}
        history = self._history
        if history is None:
            return columns
        more = np.array([*self._had, *reached], dtype=np.int64).reshape(-1, 2)
        for window in self._windows:
            length = window.days * _DAY_MS
            inside = (history.when > self._at - length) & history.matching(window.counts)
            real, apart = history.real[self._what], history.apart[self._what]
            also = more[self._holds[window.key][more[:, 1]], 0]
            for name, counts in (("contacts", real), ("ghosts", np.where(self._own, apart, real))):
                which = inside[self._what] & counts
                who = np.concatenate([self._who[which], also])
                when = np.concatenate([history.when[self._what[which]], np.full(len(also), self._at)])
                count, frees = per_customer(who, when, len(self.customers), limit=window.limit, window=length)
                columns[f"{name}:{window.key}"] = pa.array(count)
                columns[f"{name}_free:{window.key}"] = pa.array(frees)
        return columns
