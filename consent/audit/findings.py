"""What a check takes and what it gives: evidence in, findings and gaps out.

A finding says that a rule is broken, a gap that it could not be judged. The two are never mixed up: what could not be
judged is neither right nor wrong, and an audit with a gap has not passed.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from consent.audit.pages import BEHIND_ALL, Customer
from consent.base.clock import Clock, system_clock
from consent.base.store import Store
from consent.ledger.position import position
from consent.ledger.verify import Verified, verify
from consent.register import proving
from consent.register.desk import Desk
from consent.rights.horizon import Horizon


class Severity(StrEnum):
    """How much a finding matters."""

    CRITICAL = "critical"
    """The proof is broken, or data are used against somebody's word."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A rule is broken. `subject` is a pseudonym, a table, a key: nothing that names a person."""

    check: str
    severity: Severity
    subject: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Something could not be judged."""

    check: str
    why: str


@dataclass(frozen=True, slots=True)
class Judged:
    """That many more things were judged, whatever came of it. A check that never says so has looked at nothing."""

    count: int


Yielded = Finding | Gap | Judged


class Anchor(NamedTuple):
    """A signed checkpoint: a log, its size, the root over so many entries, and the note that says so."""

    log: int
    size: int
    root: bytes
    note: str

    @property
    def position(self) -> int:
        """The ledger position of the first entry that it does not cover."""
        return position(self.log, self.size)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What every check is given: where to read, how to open, and the one time that all judge at.

    `now` is when the audit began by the deployment's clock, where the past is judged (`at` is another time); `clock` is
    that clock, where it is known. `machine` is the clock of the machine that the audit runs on. `marks` says how far
    each check got in an audit that it passed: nothing of that in a full audit. `horizon` is what the deployment says of
    its backups, if it says anything, and `witnessed` whether it names a witness.
    """

    store: Store
    desk: Desk
    at: datetime
    now: datetime | None = None
    machine: Clock = system_clock
    clock: Clock | None = None
    marks: Mapping[str, Anchor] = field(default_factory=dict)
    horizon: Horizon | None = None
    witnessed: bool = False
    audit: str = ""
    """The audit's id, from which a check that takes a sample draws it; "" outside of one."""
    _verified: dict[str, Verified] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def began(self) -> datetime:
        """When the audit began, by the deployment's clock."""
        return self.at if self.now is None else self.now

    @property
    def by_now(self) -> datetime:
        """What time it is while the audit goes on, by the deployment's clock; when it began, where that isn't known."""
        return max(self.began, self.clock()) if self.clock else self.began

    def since(self, check: str) -> int:
        """Return the ledger position up to which a check has nothing to do any more: 0 in a full audit."""
        mark = self.marks.get(check)
        return mark.position if mark else 0

    def verified(self, check: str) -> Verified:
        """Return the verification of every byte of the ledger that is new to a check.

        It is done once, however many checks ask that have come equally far.

        Raises:
            DatabaseDown: the store can't be read.
            LedgerBroken: there is no log.
        """
        mark = self.marks.get(check)
        since = mark.note if mark else ""
        if since not in self._verified:
            with self.store.read() as work:
                vkey = proving.verifier_key(self.desk, work)
            self._verified[since] = verify(self.store, vkey=vkey, since=since)
        return self._verified[since]


class Reader(ABC):
    """A check on its way through the customers: one walk shows every customer to all such checks of an audit.

    So each payload is read and opened once, however many checks look at it. Where several processes walk, each over a
    range of its own, each has readers of its own; what they counted is joined before the end.
    """

    range: tuple[str, str] = ("", BEHIND_ALL)
    """Only customers with ids behind the first and up to the second are shown; others see the rest."""

    def between(self, after: str, until: str) -> None:
        """Take note of the range."""
        self.range = (after, until)

    @abstractmethod
    def customer(self, one: Customer) -> Iterable[Yielded]:
        """Look at a customer."""

    def past(self) -> Iterable[Yielded]:
        """Say what shows once the last customer of the range was seen."""
        return ()

    def kept(self) -> Any:  # noqa: ANN401 -- each reader's own
        """Return what it keeps from one to the next, as plain values that can go from one process to another."""
        return None

    def join(self, kept: Any) -> None:  # noqa: ANN401 -- what another reader of the same kind kept
        """Add what another reader of the same check kept, so that this one ends for both."""
        if kept is not None:
            raise TypeError("a reader that keeps something says how two are joined")

    def end(self) -> Iterable[Yielded]:
        """Say what only shows once everybody was seen, in whatever process."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that an audit looks at.

    `function` either yields what it comes upon as it goes: if it breaks off, what it had found by then still counts.
    It opens its own short read transactions, and holds none while it yields. Or it returns a `Reader`, which takes
    part in the one walk over all customers. `incremental` says that it can go on from where it passed before, and
    `by_catalogue` that it can't once another catalogue is in force.
    """

    key: str
    title: str
    function: Callable[[Evidence], "Iterator[Yielded] | Reader"]
    incremental: bool = False
    by_catalogue: bool = False
