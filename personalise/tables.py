"""The rows of the personalise side. Columns only; they never leave this package.

Insert-only: `campaign_version`, `decision_chunk`. Customers lead the keys of the large tables, so that PostgreSQL can
spread them by customer.
"""

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from consent.base.database import Row

INSERT_ONLY: Final = ("campaign_version", "decision_chunk", "model_version")


def _clustered(comment: str) -> dict[str, object]:
    """Return table options: one B-tree on SQLite, keyed by the primary key; and what a row is."""
    return {"sqlite_with_rowid": False, "comment": comment}


class CampaignVersionRow(Row):
    """A campaign as it was published: immutable."""

    __tablename__ = "campaign_version"
    __table_args__ = _clustered("a published campaign, whole; insert-only")
    key: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hash: Mapped[bytes]
    body: Mapped[str]
    format: Mapped[str]
    published_at: Mapped[datetime]
    published_by: Mapped[str]


class ModelVersionRow(Row):
    """A fitted model: weights in integers, its features, and what it was fitted on."""

    __tablename__ = "model_version"
    __table_args__ = _clustered("a fitted model; insert-only")
    campaign: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hash: Mapped[bytes]
    body: Mapped[str]
    fitted_at: Mapped[datetime]
    rows: Mapped[int]


class RunRow(Row):
    """A run: a campaign's version over all customers, chunk by chunk."""

    __tablename__ = "run"
    __table_args__ = _clustered("a campaign run and its cursor")
    id: Mapped[str] = mapped_column(primary_key=True)
    campaign: Mapped[str] = mapped_column(index=True)
    version: Mapped[int]
    model: Mapped[int]
    catalogue: Mapped[int]
    policy: Mapped[bytes]
    at: Mapped[datetime]
    state: Mapped[str]
    after: Mapped[str]
    chunk: Mapped[int]
    done: Mapped[int]
    total: Mapped[int]
    counts: Mapped[str]
    asked_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(index=True)
    beat_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    milliseconds: Mapped[int]


class DecisionChunkRow(Row):
    """The decisions of one chunk: a compressed columnar record, and the Merkle root over its salted leaves."""

    __tablename__ = "decision_chunk"
    __table_args__ = _clustered("decisions of a chunk, columnar; their root is in the ledger; insert-only")
    id: Mapped[str] = mapped_column(primary_key=True)
    run: Mapped[str] = mapped_column(index=True)
    chunk: Mapped[int]
    campaign: Mapped[str]
    at: Mapped[datetime]
    first: Mapped[str] = mapped_column(index=True)
    last: Mapped[str] = mapped_column(index=True)
    customers: Mapped[int]
    position: Mapped[int]
    root: Mapped[bytes]
    log: Mapped[int]
    seq: Mapped[int]
    columns: Mapped[bytes]


class ContactRow(Row):
    """A contact: reserved, sent, or a holdout's ghost. Tags and class are snapshots."""

    __tablename__ = "contact"
    __table_args__ = (
        sa.Index(None, "customer", "reserved_at"),
        _clustered("a contact with a customer, on any channel"),
    )
    customer: Mapped[str] = mapped_column(primary_key=True)
    decision: Mapped[str] = mapped_column(primary_key=True)
    campaign: Mapped[str]
    treatment: Mapped[str]
    offer: Mapped[str]
    channel: Mapped[str]
    purpose: Mapped[str]
    status: Mapped[str]
    reserved_at: Mapped[datetime]


class OutcomeRow(Row):
    """That outcomes of a customer came in: which treatment he had received, and when. The outcomes are in memory."""

    __tablename__ = "outcome"
    __table_args__ = _clustered("an outcome came in; what it was is sealed in memory")
    customer: Mapped[str] = mapped_column(primary_key=True)
    campaign: Mapped[str] = mapped_column(primary_key=True)
    came_at: Mapped[datetime]
