"""The rows of requests by right. Columns only; beside this room, audits read them.

Nothing in here is insert-only: what was done, and when, stands in the ledger, and each step names its entry.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from consent.base.database import Row


def _clustered(comment: str) -> dict[str, object]:
    """Return table options: one B-tree on SQLite, keyed by the primary key; and what a row is."""
    return {"sqlite_with_rowid": False, "comment": comment}


class RightsRequestRow(Row):
    """What a customer asks for by right: its deadline, its owner, how it ended. His words are sealed under his key."""

    __tablename__ = "rights_request"
    __table_args__ = (
        sa.Index(None, "state", "due_at"),
        _clustered("a customer's request by right, with its deadline; what was written is sealed under his key"),
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    customer: Mapped[str] = mapped_column(sa.ForeignKey("customer.id"), index=True)
    kind: Mapped[str]
    how: Mapped[str]
    received_at: Mapped[datetime]
    due_at: Mapped[datetime]
    extended_at: Mapped[datetime | None]
    owner: Mapped[str]
    state: Mapped[str]
    closed_at: Mapped[datetime | None]
    outcome: Mapped[str]
    steps: Mapped[int]
    asked: Mapped[bytes]
    words: Mapped[bytes]


class RightsStepRow(Row):
    """One step of a request, and the ledger entry that tells of it."""

    __tablename__ = "rights_step"
    __table_args__ = _clustered("a step of a request by right, and its ledger entry")
    request: Mapped[str] = mapped_column(sa.ForeignKey("rights_request.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    event: Mapped[str]
    detail: Mapped[str]
    actor: Mapped[str]
    position: Mapped[int]
