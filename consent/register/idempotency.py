"""Idempotency: the same request under the same key is recorded once, and answered the same however often it comes."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from consent.base.database import Hot, table_of
from consent.base.errors import IdempotencyConflict
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.ledger.position import parts, position
from consent.register import history
from consent.register.desk import Desk
from consent.register.history import Said
from consent.tables import IdempotencyRow

_row: Final = table_of(IdempotencyRow)
KEEP: Final = Hot(sa.insert(_row), "key", "request", "log", "seqs", "owner")
_KEPT: Final = Hot(sa.select(_row.c.request, _row.c.log, _row.c.seqs).where(_row.c.key == sa.bindparam("key")), "key")


@dataclass(frozen=True, slots=True)
class Key:
    """A caller's key and the request it stands for, as keyed hashes: neither may be readable in a table."""

    key: bytes
    request: bytes

    @classmethod
    def of(cls, desk: Desk, *, actor: str, key: str, asked: bytes) -> "Key":
        """Return the key of a request: one actor's keys are nothing to another's."""
        index = desk.keys.index_key
        return cls(
            hmac.digest(index, f"byleave/idempotency/v1\x00{actor}\x00{key}".encode(), "sha256"),
            hmac.digest(index, b"byleave/request/v1\x00" + asked, "sha256"),
        )

    def require_same(self, request: bytes) -> None:
        """Refuse a key that stood for another request.

        Raises:
            IdempotencyConflict: it did.
        """
        if not hmac.compare_digest(request, self.request):
            raise IdempotencyConflict

    def answered(self, desk: Desk, work: Work) -> list[Said] | None:
        """Return what the key made the first time; None where it is new.

        Raises:
            IdempotencyConflict: it stood for another request.
        """
        row = work.run(_KEPT, self.key).fetchone()
        if row is None:
            return None
        request, log_number, seqs = row
        self.require_same(bytes(request))
        return history.several(desk, work, [position(log_number, int(seq)) for seq in seqs.split(",")])

    def kept(self, log_number: int, positions: Sequence[int], owner: CustomerId) -> tuple[Any, ...]:
        """Return the row that remembers what the key made."""
        seqs = ",".join(str(parts(one).seq) for one in positions)
        return self.key, self.request, log_number, seqs, owner
