"""A deployment: one database, one keyring, one clock, opened together.

The composition root of the consent side, and therefore, beside the gate, the register and rights, the one module that
may touch the vault: it opens the keyring and hands the keys to the desk, and to nobody else.
"""

from dataclasses import dataclass
from pathlib import Path

from consent.base.clock import Clock, system_clock
from consent.base.store import Store
from consent.catalogues import Catalogues
from consent.register.desk import Desk
from consent.vault.keyring import create_keyring, open_keyring


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What every use case is called with: the store, the desk, and the clock that the faces read once a call."""

    store: Store
    desk: Desk
    clock: Clock


def open_deployment(*, database_url: str, keyring: Path, clock: Clock = system_clock) -> Deployment:
    """Open a deployment that was founded before.

    Raises:
        SettingsInvalid: the keyring is missing, readable by others or damaged, or the database is of another kind.
    """
    return Deployment(store=Store(database_url), desk=Desk(open_keyring(keyring), Catalogues()), clock=clock)


def new_keyring(path: Path) -> None:
    """Make a keyring file for a new deployment.

    Raises:
        SettingsInvalid: there is one already.
    """
    create_keyring(path)
