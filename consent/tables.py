"""The rows of the consent side. Columns only; they never leave this package.

Insert-only tables (triggers on both databases, no UPDATE or DELETE right on PostgreSQL): `ledger_log`,
`ledger_entry`, `ledger_node`, `ledger_checkpoint`, `catalogue_version`, `scope_bit`. `ledger_head` is the one mutable
row of a log, and the lock that orders it. Whatever could identify a customer stands in deletable rows: `customer`,
`identity`, `data_key`, `memory`, `standing`, `ledger_payload`, `idempotency`, `data_use`.
"""

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from consent.base.database import Row

INSERT_ONLY: Final = (
    "ledger_log",
    "ledger_entry",
    "ledger_node",
    "ledger_checkpoint",
    "catalogue_version",
    "scope_bit",
)


def _clustered(comment: str) -> dict[str, object]:
    """Return table options: one B-tree on SQLite, keyed by the primary key; and what a row is."""
    return {"sqlite_with_rowid": False, "comment": comment}


class CustomerRow(Row):
    """A customer: a pseudonym."""

    __tablename__ = "customer"
    __table_args__ = _clustered("a customer: a pseudonym and when it was made")
    id: Mapped[str] = mapped_column(primary_key=True)
    enrolled_at: Mapped[datetime]


class IdentityRow(Row):
    """A blind index: the keyed hash of a reference or an address, pointing to its customer."""

    __tablename__ = "identity"
    __table_args__ = _clustered("keyed hash of a reference or address, and whose it is")
    kind: Mapped[str] = mapped_column(primary_key=True)
    blind: Mapped[bytes] = mapped_column(primary_key=True)
    customer: Mapped[str] = mapped_column(sa.ForeignKey("customer.id"), index=True)


class DataKeyRow(Row):
    """An owner's data key, wrapped by one version of the key-encryption key."""

    __tablename__ = "data_key"
    __table_args__ = _clustered("a customer's data key, wrapped; owner 'log' is the deployment's own")
    owner: Mapped[str] = mapped_column(primary_key=True)
    kek: Mapped[int]
    wrapped: Mapped[bytes]


class MemoryRow(Row):
    """What is remembered of one customer in one category, sealed."""

    __tablename__ = "memory"
    __table_args__ = _clustered("sealed attributes of one customer in one category")
    customer: Mapped[str] = mapped_column(sa.ForeignKey("customer.id"), primary_key=True)
    category: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]
    remembered_at: Mapped[datetime]


class StandingRow(Row):
    """What stands for a customer: a projection of his statements, rebuilt from payloads at need."""

    __tablename__ = "standing"
    __table_args__ = _clustered("projection of a customer's statements; audited against the fold")
    customer: Mapped[str] = mapped_column(sa.ForeignKey("customer.id"), primary_key=True)
    mask: Mapped[bytes]
    next_expiry: Mapped[int]
    counter: Mapped[int]
    states: Mapped[int]
    paused_until: Mapped[int]
    last_said: Mapped[int]
    last_leaf: Mapped[bytes]
    scopes: Mapped[bytes]


class LedgerLogRow(Row):
    """A log: one deployment, one period."""

    __tablename__ = "ledger_log"
    __table_args__ = _clustered("a Merkle log: one deployment, one period")
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    origin: Mapped[str] = mapped_column(unique=True)
    opened_at: Mapped[datetime]


class LedgerHeadRow(Row):
    """The head of a log: the one mutable row, and the lock that orders appends."""

    __tablename__ = "ledger_head"
    __table_args__ = _clustered("size and frontier of a log; its row lock orders appends")
    log: Mapped[int] = mapped_column(sa.ForeignKey("ledger_log.id"), primary_key=True, autoincrement=False)
    size: Mapped[int]
    frontier: Mapped[bytes]
    last_at: Mapped[int]
    catalogue_version: Mapped[int]


class LedgerEntryRow(Row):
    """An entry: the exact bytes, and their leaf hash."""

    __tablename__ = "ledger_entry"
    __table_args__ = _clustered("exact bytes of an entry and their leaf hash; insert-only")
    log: Mapped[int] = mapped_column(sa.ForeignKey("ledger_log.id"), primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    body: Mapped[bytes]
    leaf: Mapped[bytes]


class LedgerNodeRow(Row):
    """The hash of a perfect subtree of at least two leaves."""

    __tablename__ = "ledger_node"
    __table_args__ = _clustered("hash of a perfect subtree (level 1 and up); insert-only")
    log: Mapped[int] = mapped_column(sa.ForeignKey("ledger_log.id"), primary_key=True, autoincrement=False)
    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    idx: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hash: Mapped[bytes]


class LedgerCheckpointRow(Row):
    """A signed checkpoint."""

    __tablename__ = "ledger_checkpoint"
    __table_args__ = _clustered("signed note over a size and a root; insert-only")
    log: Mapped[int] = mapped_column(sa.ForeignKey("ledger_log.id"), primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    note: Mapped[str]
    signed_at: Mapped[datetime]


class LedgerPayloadRow(Row):
    """What an entry says, sealed under its owner's key; deleted when the customer is erased."""

    __tablename__ = "ledger_payload"
    __table_args__ = (
        sa.Index(None, "owner", "log", "seq"),
        _clustered("sealed payload of an entry, by owner; deletable"),
    )
    log: Mapped[int] = mapped_column(sa.ForeignKey("ledger_log.id"), primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    owner: Mapped[str]
    sealed: Mapped[bytes]


class IdempotencyRow(Row):
    """An idempotency key (keyed hash), the request it stood for, and the entries it made."""

    __tablename__ = "idempotency"
    __table_args__ = _clustered("keyed hashes of an idempotency key and its request; what it made")
    key: Mapped[bytes] = mapped_column(primary_key=True)
    request: Mapped[bytes]
    log: Mapped[int]
    seqs: Mapped[str]
    owner: Mapped[str] = mapped_column(index=True)


class CatalogueVersionRow(Row):
    """A published catalogue, whole."""

    __tablename__ = "catalogue_version"
    __table_args__ = _clustered("a published catalogue; insert-only")
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hash: Mapped[bytes]
    body: Mapped[str]
    published_at: Mapped[datetime]
    log: Mapped[int]
    seq: Mapped[int]


class ScopeBitRow(Row):
    """The bit number of a scope: given at its first publication, never used again for another."""

    __tablename__ = "scope_bit"
    __table_args__ = _clustered("bit number of a scope, for ever; insert-only")
    scope: Mapped[str] = mapped_column(primary_key=True)
    bit: Mapped[int] = mapped_column(unique=True)


class DataUseRow(Row):
    """A use of data under a permit: who, for what, how much, judged where, and towards which decision."""

    __tablename__ = "data_use"
    __table_args__ = _clustered("a use of data under a permit")
    id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str]
    purpose: Mapped[str]
    categories: Mapped[str]
    customers: Mapped[int]
    customer: Mapped[str] = mapped_column(index=True)
    position: Mapped[int]
    decision: Mapped[str]
    reason: Mapped[str]


class AuditRunRow(Row):
    """An audit: when, how it ended, and its report."""

    __tablename__ = "audit_run"
    __table_args__ = _clustered("an audit and its report")
    id: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]
    status: Mapped[str]
    asked_by: Mapped[str]
    report: Mapped[str]
    position: Mapped[int]


class FindingRow(Row):
    """A rule that an audit found broken (or could not judge), first and last time."""

    __tablename__ = "finding"
    __table_args__ = _clustered("a broken rule, or one that could not be judged")
    id: Mapped[str] = mapped_column(primary_key=True)
    audit: Mapped[str] = mapped_column(sa.ForeignKey("audit_run.id"), index=True)
    kind: Mapped[str]
    check: Mapped[str]
    severity: Mapped[str]
    subject: Mapped[str]
    why: Mapped[str]
    found_at: Mapped[datetime]


class JobRunRow(Row):
    """One slot of a scheduled job: claimed once, by a holder with a fencing token."""

    __tablename__ = "job_run"
    __table_args__ = _clustered("one slot of a job; its fencing token is checked in each write")
    job: Mapped[str] = mapped_column(primary_key=True)
    scheduled_for: Mapped[datetime] = mapped_column(primary_key=True)
    state: Mapped[str]
    holder: Mapped[str]
    token: Mapped[int]
    lease_until: Mapped[datetime]
    detail: Mapped[str]
