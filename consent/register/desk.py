"""The desk: what every use case of the register needs at hand."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

import sqlalchemy as sa

from consent.base.database import Hot
from consent.base.errors import KeyLost
from consent.base.store import Work
from consent.catalogues import Catalogues
from consent.register.hearing import Heard
from consent.register.payloads import LOG_OWNER
from consent.tables import DataKeyRow
from consent.vault.keyring import Keys, Wrapped
from consent.vault.seal import blind

_DATA_KEY: Final = Hot(
    sa.select(DataKeyRow.kek, DataKeyRow.wrapped).where(DataKeyRow.owner == sa.bindparam("owner")), "owner"
)

Hears: TypeAlias = Callable[["Desk", Work, Heard, datetime], None]
"""Told what statements brought about, in their transaction, with their customers locked. It may refuse nothing."""


def nobody(_desk: "Desk", _work: Work, _heard: Heard, _at: datetime) -> None:
    """Stand in where no other floor has to know."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The keys and the parsed catalogues of one deployment, and who else hears of what customers end."""

    keys: Keys
    catalogues: Catalogues
    hears: Hears = field(default=nobody, repr=False)

    def blinded(self, kind: str, value: str) -> bytes:
        """Return a keyed hash of something that may not be readable in a table, such as an idempotency key."""
        return blind(self.keys.index_key, kind, value)

    def data_key(self, work: Work, owner: str) -> bytes:
        """Return an owner's data key (`LOG_OWNER` for the deployment's own).

        Raises:
            KeyLost: it is gone (the customer was erased), or doesn't unwrap.
        """
        row = work.run(_DATA_KEY, owner).fetchone()
        if row is None:
            whose = "the log" if owner == LOG_OWNER else "this customer"
            msg = f"there is no data key of {whose}"
            raise KeyLost(msg)
        kek, wrapped = row
        return self.keys.unwrap(owner, Wrapped(kek, bytes(wrapped)))
