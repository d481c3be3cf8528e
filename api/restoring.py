"""Bring a backup back: into a place of its own first, settled there, and only then where the service will find it.

At no moment does a database lie in the service's place that knows somebody again who was erased.
"""

from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from api import erasing, founding
from api.settings import Settings
from api.wiring import House, open_house
from consent.base import backup, schema
from consent.base.clock import Clock, system_clock
from consent.base.errors import ByleaveError, Invalid, KeyLost, StateConflict
from consent.base.store import Store
from consent.ledger import log
from consent.register.payloads import LOG_OWNER
from consent.rights.settling import Settled


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What came of bringing a backup back."""

    settled: Settled
    size: int
    """Entries of the log that goes on."""

    revision: str
    aside: Path | None
    """Where the database that stood there was put; it is to be deleted once nothing of it is needed."""


def restore(settings: Settings, file: Path, *, clock: Clock = system_clock) -> Restored:
    """Restore the deployment that the settings name from a backup.

    Raises:
        Invalid: the file is no backup of this deployment, or is damaged; nothing was touched.
        StateConflict: somebody has the database open (SQLite), or it has tables (PostgreSQL).
        RolledBack, LedgerForked: the witness has raised an alarm as well: that has to be settled first.
        DatabaseDown, KmsDown: it could not be done.
    """
    with closing(Store(settings.database_url)) as store:
        if store.dialect == "sqlite":
            return _restored_beside(settings, store.file, file, clock)
        backup.unpack(file, store)
    return _settled(settings, clock, reached=None)


def reopen(settings: Settings, *, nothing_lost: bool = False, clock: Clock = system_clock) -> Restored:
    """Settle a database that was brought back by other means (a snapshot, point-in-time recovery), where it stands.

    Args:
        settings: of the deployment.
        nothing_lost: it is known to be as new as it ever was, so its log can go on.
        clock: where the time is read.

    Raises:
        RolledBack, LedgerForked: the witness has raised an alarm as well: that has to be settled first.
        DatabaseDown, KmsDown: it could not be done.
    """
    return _settled(settings, clock, reached=-1 if nothing_lost else None)


def _restored_beside(settings: Settings, place: Path, file: Path, clock: Clock) -> Restored:
    if backup.opened_by(place):
        busy = ", ".join(str(each) for each in backup.opened_by(place))
        msg = f"{place} is in use by process {busy}: stop the service and the worker first"
        raise StateConflict(msg)
    beside = place.with_name(place.name + ".restoring")
    backup.drop(beside)  # of a restoration that was cut off
    try:
        with closing(Store(f"sqlite:///{beside}")) as store:
            backup.unpack(file, store)
        there = replace(settings, database_url=f"sqlite:///{beside}")
        restored = _settled(there, clock, reached=_reached(place))
        aside = place.with_name(f"{place.name}.replaced-{clock():%Y%m%dT%H%M%SZ}")
        replaced = backup.put_in_place(beside, place, aside)
    finally:
        backup.drop(beside)
    return replace(restored, aside=aside if replaced else None)


def _reached(place: Path) -> int | None:
    """Return how far the ledger goes in the database that is to be replaced; None where that can't be told."""
    if not place.exists():
        return None
    try:
        with closing(Store(f"sqlite:///{place}")) as store, store.read() as work:
            return log.head(work).position
    except ByleaveError:
        return None  # it is damaged, and that is why a backup is brought back


def _settled(settings: Settings, clock: Clock, *, reached: int | None) -> Restored:
    """Bring the schema up to date, and settle; `reached` is how far the ledger is known to have gone, if it is."""
    with closing(open_house(settings, clock=clock)) as house:
        deployment = house.deployment
        _require_readable(deployment.store)
        schema.upgrade(deployment.store)
        _require_ours(house)
        founding.bind(house)
        settled = erasing.settle(house, ahead=-1 if reached is None else reached, doubtful=reached is None)
        with deployment.store.read() as work:
            size = log.head(work).size
        revision = schema.current(deployment.store) or ""
    return Restored(settled=settled, size=size, revision=revision, aside=None)


def _require_readable(store: Store) -> None:
    """Refuse a backup that a newer version made.

    Raises:
        Invalid: it did.
    """
    current = schema.current(store)
    if current is None or not schema.knows(current):
        msg = (
            f"the backup's schema is {current or 'none'}, which this version doesn't know: use the version that made it"
        )
        raise Invalid(msg)


def _require_ours(house: House) -> None:
    """Refuse a backup that was sealed under another keyring.

    Raises:
        Invalid: it was.
    """
    with house.deployment.store.read() as work:
        try:
            house.deployment.desk.data_key(work, LOG_OWNER)
        except KeyLost as lost:
            msg = f"the backup was not sealed under {house.settings.keyring}: bring its keyring back as well"
            raise Invalid(msg) from lost
