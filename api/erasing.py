"""Erasing and suppressing, for every face alike: the transaction, and what has to happen around it.

The use cases know nothing of files and of floors above them. Here they are given what else keeps something of a
customer; here SQLite's journal is dropped after the commit, for the pages that it keeps hold what was deleted; and here
the list of erasures is told that it is done.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress as passing_over
from typing import Final

from api.actors import erasing as actors_erasing
from api.wiring import OUTBOX, House
from consent.audit.packs import shelf
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.register import suppressing
from consent.register.suppressing import Changed, Why
from consent.rights import erasing, settling, verifying_erasure
from consent.rights.erasing import Erased, Eraser, Ground
from consent.rights.erasure_list import Event
from consent.rights.settling import Settled
from consent.rights.verifying_erasure import Verified
from personalise import erasing as personalise_erasing

ERASERS: Final[tuple[Eraser, ...]] = (
    *personalise_erasing.ERASERS,
    *actors_erasing.ERASERS,
    Eraser("evidence_pack_part", shelf.forget),
)
"""What the floors above erasing keep of a customer."""


def erase(
    house: House,
    customer: CustomerId,
    *,
    ground: Ground,
    actor: str,
    suppress: bool = False,
    also: Callable[[Work, Erased], object] | None = None,
) -> Erased:
    """Erase a customer: all of it is done when this returns, or nothing of it if it raises.

    Args:
        house: where.
        customer: who.
        ground: why.
        actor: who asked for it.
        suppress: leave his addresses alone for good, should they ever come back.
        also: what else belongs into the same transaction, such as closing his request.

    Raises:
        CustomerUnknown: nobody of that id was ever enrolled.
        ClockBehind, DatabaseDown, KmsDown: it could not be done.
    """
    deployment = house.deployment
    with deployment.store.write() as work:
        erased = erasing.erase(
            deployment.desk, work, customer, listed=deployment.erasures, besides=ERASERS, ground=ground, actor=actor,
            at=deployment.clock(), suppress=suppress,
        )  # fmt: skip
        if also is not None:
            also(work, erased)
    _call_back(house, erased.positions)
    deployment.store.drop_journal()
    erasing.confirm(deployment.erasures, erased)
    return erased


def suppress(house: House, kind: str, address: str, *, actor: str, why: Why = Why.ASKED) -> Changed:
    """Leave an address alone from now on, and whatever backup is ever brought back.

    Raises:
        Invalid: it is no address.
        ClockBehind, DatabaseDown: it could not be done.
    """
    deployment = house.deployment
    at = deployment.clock()
    with deployment.store.write() as work:
        changed = suppressing.suppress(deployment.desk, work, kind, address, actor=actor, why=why, at=at)
        if changed.changed:  # before it is committed: should that fail, too much is left alone, and never too little
            deployment.erasures.note([(Event.SUPPRESSED, changed.subject, changed.position)], at=at)
    return changed


def lift(house: House, kind: str, address: str, *, actor: str) -> Changed:
    """Take an address off the list of those that are left alone.

    Raises:
        Invalid: it is no address.
        NotSuppressed: it wasn't on it.
        ClockBehind, DatabaseDown: it could not be done.
    """
    deployment = house.deployment
    at = deployment.clock()
    with deployment.store.write() as work:
        changed = suppressing.lift(deployment.desk, work, kind, address, actor=actor, at=at)
    deployment.erasures.note([(Event.LIFTED, changed.subject, changed.position)], at=at)
    return changed


def check(house: House) -> None:
    """Hold the database against the list of erasures: nothing of the house may be opened to anybody before that.

    Raises:
        RolledBack: a backup was restored, and nobody has settled it yet.
        LedgerBroken: the list of erasures was changed, or a tombstone is gone whose erasure the ledger tells of.
        DatabaseDown: one of them can't be read.
    """
    deployment = house.deployment
    settling.check(deployment.desk, deployment.store, deployment.erasures, at=deployment.clock())


def settle(house: House, *, ahead: int = -1, doubtful: bool = False) -> Settled:
    """Settle a database that was brought back from a backup, while nothing else has it open.

    Args:
        house: where.
        ahead: the position that the ledger is known to have reached.
        doubtful: nobody knows how far the ledger went.

    Raises:
        RolledBack, LedgerForked: the witness has raised an alarm as well: that has to be settled first.
        LedgerBroken: the list of erasures was changed.
        ClockBehind, DatabaseDown, KmsDown: it could not be done.
    """
    deployment = house.deployment
    return settling.settle(
        deployment.desk, deployment.store, deployment.erasures, besides=ERASERS, at=deployment.clock(), ahead=ahead,
        doubtful=doubtful,
    )  # fmt: skip


def verify(house: House) -> Verified:
    """Prove of everybody erased that nothing is left of him, and say so in the ledger.

    Raises:
        ClockBehind, DatabaseDown, KmsDown: it could not be done.
    """
    deployment = house.deployment
    with deployment.store.read() as work:
        waiting = erasing.unproven(work, verifying_erasure.AT_ONCE)
    _call_back(house, waiting)  # whoever erased them may have been cut off before he had
    return verifying_erasure.verify(deployment.desk, deployment.store, besides=ERASERS, at=deployment.clock())


def _call_back(house: House, customers: Iterable[CustomerId]) -> None:
    """Delete mails to these customers that nobody has fetched yet: they bear a pseudonym, and a link that is dead."""
    sought = [customer.encode() for customer in customers]
    folder = house.settings.home / OUTBOX
    for file in folder.iterdir() if sought and folder.is_dir() else ():
        with passing_over(FileNotFoundError):  # fetched in this moment
            written = file.read_bytes()
            if any(customer in written for customer in sought):
                file.unlink()
