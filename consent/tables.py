"""The rows of the consent side. Columns only; they never leave this package.

Insert-only tables (triggers on both databases, no UPDATE or DELETE right on PostgreSQL): `ledger_log`,
`ledger_entry`, `ledger_node`, `ledger_checkpoint`, `ledger_opening`, `cosignature`, `catalogue_version`, `scope_bit`.
`ledger_head` is the one mutable row of a log, and the lock that orders it. Whatever could identify a customer stands
in deletable rows: `customer`, `identity`, `data_key`, `memory`, `standing`, `ledger_payload`, `idempotency`,
`data_use`, `rights_request`, `merger`, `confirmation`, `reminder`.
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
    "ledger_opening",
    "cosignature",
    "catalogue_version",
    "scope_bit",
    "notice",
    "finding_event",
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
    """A blind index: the keyed hash of a reference or an address, pointing to its customer.

    It came to `came_to` at a time, where the ledger had come to a position, and went on with whoever that id was merged
    into: so whose it was then is known. Of those from before this was kept, `came_to` is empty.
    """

    __tablename__ = "identity"
    __table_args__ = _clustered("keyed hash of a reference or address, and whose it is")
    kind: Mapped[str] = mapped_column(primary_key=True)
    blind: Mapped[bytes] = mapped_column(primary_key=True)
    customer: Mapped[str] = mapped_column(sa.ForeignKey("customer.id"), index=True)
    came_to: Mapped[str] = mapped_column(server_default="")
    since: Mapped[datetime] = mapped_column(server_default="0")
    position: Mapped[int] = mapped_column(server_default="0")


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
    born_by: Mapped[int] = mapped_column(server_default=str(2**63 - 1))
    gpc: Mapped[int] = mapped_column(server_default="0")


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


class LedgerOpeningRow(Row):
    """What an entry about the log itself says, in clear: where it goes on, and which key signs it from there on."""

    __tablename__ = "ledger_opening"
    __table_args__ = _clustered("salt and payload of an entry about the log itself, in clear; insert-only")
    log: Mapped[int] = mapped_column(sa.ForeignKey("ledger_log.id"), primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    plain: Mapped[bytes]


class CosignatureRow(Row):
    """A checkpoint that the witness cosigned, with both signatures."""

    __tablename__ = "cosignature"
    __table_args__ = _clustered("a checkpoint with its witness's line; insert-only")
    log: Mapped[int] = mapped_column(sa.ForeignKey("ledger_log.id"), primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    note: Mapped[str]
    at: Mapped[datetime]


class LedgerAlarmRow(Row):
    """What the witness contradicts, or has not said: it stands until it is settled. Both notes are kept."""

    __tablename__ = "ledger_alarm"
    __table_args__ = (
        sa.Index(
            "uq__ledger_alarm__standing", "kind", "log", unique=True,
            sqlite_where=sa.text("settled_at IS NULL"), postgresql_where=sa.text("settled_at IS NULL"),
        ),
        _clustered("what the witness contradicts or has not said, and how it was settled"),
    )  # fmt: skip
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    log: Mapped[int] = mapped_column(sa.ForeignKey("ledger_log.id"))
    size: Mapped[int]
    note: Mapped[str]
    witness_size: Mapped[int]
    witness_note: Mapped[str]
    why: Mapped[str]
    noticed_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[str]
    settlement: Mapped[str]


class SnapshotPageRow(Row):
    """The leaves of a state snapshot, a page of customers a row: a hash each, which names nobody."""

    __tablename__ = "snapshot_page"
    __table_args__ = _clustered("leaf hashes of a state snapshot, by page of customers; deletable")
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    page: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[str]
    leaves: Mapped[bytes]


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


class NoticeRow(Row):
    """One wording of one notice version: the exact words, their hash, and the entry that tells of them.

    `material` is what the version was published as; the catalogue in force says what it counts as now.
    """

    __tablename__ = "notice"
    __table_args__ = _clustered("the exact words of a notice version in one language; insert-only")
    key: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    language: Mapped[str] = mapped_column(primary_key=True)
    material: Mapped[bool]
    wording: Mapped[str]
    digest: Mapped[bytes]
    published_at: Mapped[datetime]
    position: Mapped[int]


class MergerRow(Row):
    """That two records were of one customer: the id that was given up, and the one that goes on."""

    __tablename__ = "merger"
    __table_args__ = _clustered("an id that was given up when two records were joined, and the id that goes on")
    merged: Mapped[str] = mapped_column(sa.ForeignKey("customer.id"), primary_key=True)
    customer: Mapped[str] = mapped_column(sa.ForeignKey("customer.id"), index=True)
    merged_at: Mapped[datetime]
    position: Mapped[int]


class ConfirmationRow(Row):
    """A link that confirms what a customer granted (double opt-in), as a digest; spent once, by his own POST.

    `outgoing` is the token, sealed under the customer's key, until the outgoing mail has it; then it is empty.
    """

    __tablename__ = "confirmation"
    __table_args__ = _clustered("a link that confirms a grant, as a digest; the token itself is in the mail alone")
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    customer: Mapped[str] = mapped_column(sa.ForeignKey("customer.id"), index=True)
    scopes: Mapped[str]
    language: Mapped[str]
    position: Mapped[int]
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    spent_at: Mapped[datetime | None]
    outgoing: Mapped[bytes | None]


class ReminderRow(Row):
    """A permission that ends soon: its customer is to be asked whether it goes on."""

    __tablename__ = "reminder"
    __table_args__ = _clustered("a permission that ends soon, for its customer to be reminded of")
    customer: Mapped[str] = mapped_column(sa.ForeignKey("customer.id"), primary_key=True)
    scope: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(index=True)
    queued_at: Mapped[datetime]


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
    recipient: Mapped[str] = mapped_column(server_default="")
    noted: Mapped[int] = mapped_column(server_default="-1")


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


class AuditMarkRow(Row):
    """How far a check has got in a log: to a signed checkpoint, in an audit that it passed."""

    __tablename__ = "audit_mark"
    __table_args__ = _clustered("how far a check got in a log, in an audit that it passed")
    check: Mapped[str] = mapped_column(primary_key=True)
    log: Mapped[int] = mapped_column(sa.ForeignKey("ledger_log.id"), primary_key=True, autoincrement=False)
    size: Mapped[int]
    root: Mapped[bytes]
    at: Mapped[datetime]
    audit: Mapped[str] = mapped_column(sa.ForeignKey("audit_run.id"))
    position: Mapped[int]


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
