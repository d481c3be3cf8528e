"""What a check takes and what it gives: evidence in, findings and gaps out.

A finding says that a rule is broken, a gap that it could not be judged. The two are never mixed up: what could not be
judged is neither right nor wrong, and an audit with a gap has not passed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from consent.base.store import Store
from consent.ledger import note, stored
from consent.ledger.verify import Verified, verify
from consent.register import proving
from consent.register.desk import Desk


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


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What every check is given: where to read, how to open, and the one time that all judge at."""

    store: Store
    desk: Desk
    at: datetime

    @cached_property
    def verified(self) -> Verified:
        """The verification of every byte of the newest log: done once, however many checks ask.

        Raises:
            DatabaseDown: the store can't be read.
            LedgerBroken: there is no log.
        """
        with self.store.read() as work:
            origin = stored.newest(work).origin
        key = proving.signer(self.desk, origin).verifier.public_key
        return verify(self.store, vkey=note.vkey(origin, key))


Yielded = Finding | Gap | Judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that an audit looks at.

    `function` yields what it comes upon as it goes: if it breaks off, what it had found by then still counts. It opens
    its own short read transactions, and holds none while it yields.
    """

    key: str
    title: str
    function: Callable[[Evidence], Iterator[Yielded]]
