"""Which ledger a deployment has: what is looked at before one is founded, and where a keyring is missing."""

from contextlib import closing
from pathlib import Path

from api.settings import Settings
from consent.base.store import Store
from consent.ledger import log


def ledger_in(settings: Settings) -> str:
    """Return the ledger that the database has; nothing where it has none, or isn't there.

    Raises:
        DatabaseDown: it does not answer.
    """
    with closing(Store(settings.database_url)) as store:
        file = store.engines.read.url.database
        if store.dialect == "sqlite" and not (file and Path(file).exists()):
            return ""  # to look would make the file
        with store.read() as work:
            return log.head(work).origin if log.is_founded(work) else ""


def keyless(ledger: str, keyring: Path) -> str:
    """Say what is missing where there is a ledger and no keyring."""
    return f"the database has the ledger {ledger}, and its keyring is not at {keyring}: bring it back"
