"""PURE: what a campaign has only so much of: contacts that somebody can make, goodwill that it may spend.

There is one order: the higher worth, then the longer wait since the last contact, then the lower id, then the earlier
treatment. Going through all claims (a customer and a treatment that he would get) in that order, each customer gets the
first that has room in every quota it counts in; the first claim for which a quota has no room closes that quota for all
behind it. So what has to be known of a quota is one place in the order, its cut.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

VOLUME: Final = "volume:"
BUDGET: Final = "goodwill_budget"
"""How the rules are named, and the quotas behind them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Something that a campaign has only so much of.

    Attributes:
        key: the name of its rule.
        limit: contacts, or thousandths of a point of goodwill.
        version: the campaign's version that it is counted for; 0 counts over all of them.
        treatments: what counts.
        least: the least that one contact takes.
        charged: a contact takes what it costs in goodwill, instead of one.
    """

    key: str
    limit: int
    version: int
    treatments: frozenset[str]
    least: int = 1
    charged: bool = False

    def taken(self, charge: int) -> int:
        """Return what a contact takes that costs so much goodwill."""
        return charge if self.charged else 1

    @property
    def noted(self) -> str:
        """What a contact that took of it notes, so that it can be given back: its key, and the version."""
        return f"{self.key}@{self.version}"


class Cut(NamedTuple):
    """A place in the order: who stands here, or behind it, gets nothing of a quota."""

    worth: float
    last: int
    customer: str
    treatment: int


OPEN: Final = Cut(0.0, 0, "", 0)
"""Behind everybody: whatever claims is worth more than nothing."""

CLOSED: Final = Cut(float(np.finfo(np.float64).max), -1, "", 0)
"""Before everybody."""

Texts: TypeAlias = NDArray[np.bytes_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Customers with a treatment each would get, if there is room: at most one for each customer and kind.

    Attributes:
        kind: (n_claims,) which quotas it counts in, as a place in `Kinds`.
        worth: (n_claims,) above 0.
        last: (n_claims,) when the customer was last contacted, in ms; 0 for never.
        customer: (n_claims,) ids.
        treatment: (n_claims,) places among the policy's candidates.
        charge: (n_claims,) what it costs in goodwill, in thousandths.
        free: (n_claims,) a control's: he gets a ghost, which takes nothing.
    """

    kind: NDArray[np.int16]
    worth: NDArray[np.float64]
    last: NDArray[np.int64]
    customer: Texts
    treatment: NDArray[np.int16]
    charge: NDArray[np.int64]
    free: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.kind)

    def take(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> "Claims":
        """Return some of them."""
        return Claims(**{name: getattr(self, name)[which] for name in self.__slots__})

    def order(self) -> NDArray[np.int64]:
        """Return their places in the order."""
        return np.lexsort((self.treatment, self.customer, self.last, -self.worth))

    def behind(self, cut: Cut) -> NDArray[np.bool_]:
        """Return which of them stand at a cut, or behind it."""
        mine = (self.worth, self.last, self.customer, self.treatment)
        return behind(mine, (cut.worth, cut.last, cut.customer.encode(), cut.treatment))


def together(several: Sequence[Claims]) -> Claims:
    """Return claims in one."""
    names = Claims.__slots__
    return Claims(**{name: np.concatenate([getattr(each, name) for each in several]) for name in names})


def behind(places: Sequence[Any], cut: Sequence[Any]) -> NDArray[np.bool_]:
    """Return which places are a cut, or behind it.

    Args:
        places: worth, last contact, customer (bytes) and treatment; arrays or single values.
        cut: the same.

    >>> worth, last = np.array([0.6, 0.5, 0.5, 0.4]), np.array([900, 50, 100, 0])
    >>> whose = np.array([b"cus_z", b"cus_z", b"cus_b", b"cus_a"])
    >>> behind((worth, last, whose, 0), (0.5, 100, b"cus_b", 0)).tolist()
    [False, False, True, True]
    """
    found: NDArray[np.bool_] = places[-1] >= cut[-1]
    for spot, backwards in ((2, False), (1, False), (0, True)):
        mine, other = (cut[spot], places[spot]) if backwards else (places[spot], cut[spot])
        found = (mine > other) | ((mine == other) & found)
    return found


Kinds: TypeAlias = Sequence[tuple[Quota, ...]]
"""The quotas that treatments of one kind count in."""


@dataclass(slots=True, kw_only=True)
class Room:
    """What there is left of each quota, how much of it is taken (for observation), and the cuts that stand already."""

    left: dict[str, int]
    taken: dict[str, int]
    cuts: dict[str, Cut] = field(default_factory=dict)

    def spend(self, amounts: Mapping[str, int]) -> None:
        """Take amounts out of it."""
        for key, amount in amounts.items():
            self.left[key] -= amount


def filled(claims: Claims, kinds: Kinds, room: Mapping[str, int]) -> tuple[dict[str, Cut], dict[str, int]]:
    """Give out what there is room for, in the order.

    Returns:
        The cuts of the quotas that were closed, and what was taken of each.
    """
    left, cuts = dict(room), dict[str, Cut]()
    served: set[bytes] = set()
    if _enough(claims, kinds, room):
        return cuts, _all(claims, kinds, room)
    order = claims.order()
    columns = (order, claims.kind[order], claims.customer[order], claims.charge[order])
    for spot, kind, customer, charge in zip(*(each.tolist() for each in columns), strict=True):
        # A loop over claims: whether one fits depends on all before it.
        quotas = kinds[kind]
        if customer in served or any(each.key in cuts for each in quotas):
            continue
        takes = {each.key: each.taken(charge) for each in quotas}
        tight = [key for key, amount in takes.items() if amount > left[key]]
        if tight:
            cuts |= dict.fromkeys(tight, _place(claims, spot))
            if len(cuts) == len(left):
                break
            continue
        served.add(customer)
        for key, amount in takes.items():
            left[key] -= 0 if claims.free[spot] else amount
    return cuts, {key: amount - left[key] for key, amount in room.items()}


def _demand(claims: Claims, kinds: Kinds, room: Mapping[str, int]) -> dict[str, int]:
    """Return what all claims together would take of each quota."""
    found = dict.fromkeys(room, 0)
    for number, quotas in enumerate(kinds):
        mine = (claims.kind == number) & ~claims.free
        charge, count = int(claims.charge[mine].sum()), int(mine.sum())
        for each in quotas:
            found[each.key] += charge if each.charged else count
    return found


def _enough(claims: Claims, kinds: Kinds, room: Mapping[str, int]) -> bool:
    """Say whether there is room for all, so that nobody's place matters; controls have to find some room, too."""
    demand = _demand(claims, kinds, room)
    return not claims.free.any() and all(amount <= room[key] for key, amount in demand.items())


def _all(claims: Claims, kinds: Kinds, room: Mapping[str, int]) -> dict[str, int]:
    """Return what is taken where everybody gets what he would rather have."""
    order = claims.order()
    _, firsts = np.unique(claims.customer[order], return_index=True)
    return _demand(claims.take(order[firsts]), kinds, room)


def _place(claims: Claims, spot: int) -> Cut:
    return Cut(
        float(claims.worth[spot]),
        int(claims.last[spot]),
        bytes(claims.customer[spot]).decode(),
        int(claims.treatment[spot]),
    )


class Ranking:
    """Finds the cuts in one pass over all customers, in memory that is bounded by the quotas.

    Of each kind the best claims are enough, one more than contacts that the quotas have room for: each claim of a kind
    that is passed over is the customer's who was served with another, or finds one of the kind's quotas closed. So
    after as many there has to have been one that closed a quota, and whoever comes later changes nothing.
    """

    def __init__(self, kinds: Kinds, room: Mapping[str, int]) -> None:
        """Begin with nobody; of what comes to be free beyond `room` until the end nothing is given."""
        self._kinds, self._room = kinds, room
        self._least = {each.key: each.least for kind in kinds for each in kind}
        self._most = 1 + sum(max(0, room[key]) // least for key, least in self._least.items())
        self._held: list[list[Claims]] = [[] for _ in kinds]

    @property
    def held(self) -> int:
        """How many claims are kept."""
        return sum(len(each) for several in self._held for each in several)

    def add(self, claims: Claims) -> None:
        """Add those of more customers, no controls."""
        for number, several in enumerate(self._held):
            several.append(claims.take(claims.kind == number))
            if sum(map(len, several)) > 2 * self._most:
                self._held[number] = [self._best(several)]

    def _best(self, several: Sequence[Claims]) -> Claims:
        whole = together(several)
        return whole.take(whole.order()[: self._most])

    def room(self, left: Mapping[str, int], taken: Mapping[str, int]) -> Room:
        """Return what is given out of what is left, as a room of its own with its cuts."""
        left = {key: min(amount, self._room[key]) for key, amount in left.items()}
        full = {key: CLOSED for key, least in self._least.items() if left[key] < least}
        several = [self._best(each) for each in self._held if each]
        if not several:
            return Room(left=dict.fromkeys(left, 0), taken=dict(taken), cuts=full)
        cuts, given = filled(together(several), self._kinds, left)
        return Room(left=given, taken={key: taken[key] + given[key] for key in taken}, cuts={**cuts, **full})


def tightened(claims: Claims, kinds: Kinds, room: Room) -> dict[str, Cut]:
    """Return the cuts for some customers: those that stand, or tighter ones where that would be more than is left."""
    for number, quotas in enumerate(kinds):
        for each in quotas:
            if each.key in room.cuts:
                out = (claims.kind == number) & claims.behind(room.cuts[each.key])
                claims = claims.take(~out)
    found, _ = filled(claims, kinds, room.left)
    return {**room.cuts, **found}


def kinds_of(quotas: Sequence[Quota], treatments: Sequence[str]) -> Iterator[tuple[Quota, ...]]:
    """Walk the treatments' kinds: in which quotas each counts."""
    for treatment in treatments:
        yield tuple(each for each in quotas if treatment in each.treatments)
