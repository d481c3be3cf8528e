"""Founding a deployment: the home folder, the keyring, the tables, the ledger, the first catalogue.

Each step looks whether it is done already, so that a founding that was cut off can be run again.
"""

from contextlib import closing
from pathlib import Path

from api.founded import keyless, ledger_in
from api.settings import Settings
from api.wiring import House, open_house
from consent.base import schema
from consent.base.clock import Clock, system_clock
from consent.base.errors import SettingsInvalid, StateConflict
from consent.base.store import Store
from consent.catalogue.reading import DEFAULT, read_catalogue
from consent.deployment import bind_keyring, ledger_of, new_keyring
from consent.ledger import log
from consent.register import proving, publishing


def _require_unfounded(settings: Settings) -> None:
    """Refuse what has a ledger already: a new keyring opens nothing of it, and no keyring may sign for two."""
    there, kept = ledger_in(settings), settings.keyring.exists()
    if there and kept:
        msg = f"{settings.home} was founded before"
        raise StateConflict(msg)
    if there:
        raise StateConflict(keyless(there, settings.keyring))
    if kept and (ours := ledger_of(settings.keyring)):
        msg = f"the keyring {settings.keyring} belongs to the ledger {ours}, which is not in the database"
        raise StateConflict(f"{msg}: `byleave db restore` brings a backup back; a new ledger needs another home")


def found(settings: Settings, *, catalogue: Path = DEFAULT, actor: str, clock: Clock = system_clock) -> House:
    """Found the deployment that the settings name, and return it open.

    Raises:
        StateConflict: it was founded before, or the keyring belongs to a ledger that isn't here.
        CatalogueInvalid: the first catalogue breaks a rule; nothing was made.
        SettingsInvalid: the home folder can't be made, or is another's.
        KmsDown: the Vault that is to hold the key-encryption key does not answer.
    """
    first = read_catalogue(catalogue)
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.keyring.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as refused:
        msg = f"the folder {settings.home} can't be made: {refused.strerror}"
        raise SettingsInvalid(msg) from refused
    _require_unfounded(settings)
    with closing(Store(settings.database_url)) as store:
        schema.upgrade(store)
    if not settings.keyring.exists():
        new_keyring(settings.keyring, settings.vault)
    house = open_house(settings, clock=clock)
    deployment = house.deployment
    at = clock()
    with deployment.store.write() as work:
        publishing.found(deployment.desk, work, settings.name, at=at)
        publishing.publish(deployment.desk, work, first, actor=actor, at=at)
        proving.sign_checkpoint(deployment.desk, work, at=at)
    bind(house)
    return house


def bind(house: House) -> None:
    """Note in the keyring which ledger it belongs to, where that isn't known: no other is ever founded with it."""
    with house.deployment.store.read() as work:
        if log.is_open(work):
            bind_keyring(house.settings.keyring, log.head(work).origin)
