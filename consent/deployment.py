"""A deployment: one database, one keyring, one clock, opened together.

The composition root of the consent side, and therefore, beside the gate, the register and rights, the one module that
may touch the vault: it opens the keyring and hands the keys to the desk, and to nobody else.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from consent.base.clock import Clock, system_clock
from consent.base.errors import SettingsInvalid
from consent.base.store import Store
from consent.catalogues import Catalogues
from consent.register.desk import Desk, Hears, nobody
from consent.rights.erasure_list import ErasureList
from consent.rights.horizon import Horizon
from consent.vault import secret_file
from consent.vault.calls import VaultPlace
from consent.vault.keyring import Keys, create_keyring, open_keyring
from consent.vault.transit import create_sealed_keyring, open_sealed_keyring

_LOGGER: Final = logging.getLogger("byleave.deployment")
ERASURES: Final = "erasures.log"
"""What the list of erasures is called, beside the keyring."""

# Where a Vault is has to be said by whoever reads the settings, and he may not look into the vault itself.
__all__ = ["ERASURES", "Deployment", "VaultPlace", "bind_keyring", "ledger_of", "new_keyring", "open_deployment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What every use case is called with: the store, the desk, and the clock that the faces read once a call."""

    store: Store
    desk: Desk
    clock: Clock
    erasures: ErasureList
    """What outlasts every backup."""

    horizon: Horizon
    """For how long after an erasure a backup can still be read."""

    witnessed: bool = False
    """Whether the settings name a witness, so that audits have to hear of it."""

    def close(self) -> None:
        """Close all connections. A process that ends needn't."""
        self.store.close()
        self.desk.keys.close()


def open_deployment(
    *,
    database_url: str,
    keyring: Path,
    clock: Clock = system_clock,
    vault: VaultPlace | None = None,
    erasures: Path | None = None,
    horizon: Horizon | None = None,
    hears: Hears = nobody,
    witnessed: bool = False,
) -> Deployment:
    """Open a deployment that was founded before.

    Args:
        database_url: `sqlite:///FILE` or `postgresql://…`.
        keyring: the keyring file; with a Vault, what Vault sealed.
        clock: where the time is read.
        vault: the Vault that holds the key-encryption key; without one, the keyring file does.
        erasures: the list of erasures; `erasures.log` beside the keyring, where left out.
        horizon: how long backups are kept.
        hears: who above consent has to know at once of what customers end.
        witnessed: whether there is a witness that cosigns checkpoints.

    Raises:
        SettingsInvalid: the keyring is missing, readable by others or damaged, or the database is of another kind.
        KmsDown: the Vault does not answer.
    """
    keys: Keys = open_keyring(keyring) if vault is None else open_sealed_keyring(keyring, vault)
    return Deployment(
        store=Store(database_url),
        desk=Desk(keys, Catalogues(), hears),
        clock=clock,
        erasures=ErasureList(erasures or keyring.with_name(ERASURES), keys.index_key),
        horizon=horizon or Horizon(),
        witnessed=witnessed,
    )


def new_keyring(path: Path, vault: VaultPlace | None = None) -> None:
    """Make a keyring file for a new deployment; with a Vault, one that Vault seals.

    Raises:
        SettingsInvalid: there is one already, or the Vault's key is not of the kind that is needed.
        KmsDown: the Vault does not answer.
    """
    keys: Keys = create_keyring(path) if vault is None else create_sealed_keyring(path, vault)
    keys.close()


def ledger_of(keyring: Path) -> str:
    """Return the ledger that a keyring belongs to; nothing where it belongs to none yet, or where it isn't known.

    Raises:
        SettingsInvalid: it can't be read.
    """
    return secret_file.ledger_of(keyring)


def bind_keyring(keyring: Path, ledger: str) -> None:
    """Write down which ledger a keyring belongs to: never is another one founded with it.

    A keyring that can't be written, such as one that is mounted to be read only, stays as it is; the log says so.
    """
    try:
        secret_file.bind(keyring, ledger)
    except SettingsInvalid as refused:
        _LOGGER.warning("which ledger it belongs to isn't noted there: %s", refused)
