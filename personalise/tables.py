"""The rows of the personalise side. Columns only; they never leave this package.

Insert-only: versions of campaigns, contact policies and models, `decision_chunk` and `decision_key`. Customers lead the
keys of the large tables, so that PostgreSQL can spread them by customer.
"""

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from consent.base.database import Row

INSERT_ONLY: Final = (
    "campaign_dry_run",
    "campaign_event",
    "campaign_version",
    "contact_policy_version",
    "decision_chunk",
    "decision_key",
    "model_version",
)


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
    compiled: Mapped[str] = mapped_column(server_default="")
    """Its HTML mails as JSON, by the SHA-256 of their MJML; "" where it has none."""


class CampaignEventRow(Row):
    """What became of a campaign's version, by whom, and what was demanded then; each is an entry of the ledger."""

    __tablename__ = "campaign_event"
    __table_args__ = _clustered("a change of a campaign's state, and its ledger entry; insert-only")
    campaign: Mapped[str] = mapped_column(primary_key=True)
    log: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]
    at: Mapped[datetime]
    actor: Mapped[str]
    event: Mapped[str]
    reason: Mapped[str]
    due_at: Mapped[datetime | None]
    run: Mapped[str] = mapped_column(index=True)
    catalogue: Mapped[int]
    four_eyes: Mapped[bool]
    publisher: Mapped[str]
    rules: Mapped[str]
    back: Mapped[str] = mapped_column(server_default="")


class CampaignDryRunRow(Row):
    """That somebody looked at whom a version would reach, and what he saw: counts alone."""

    __tablename__ = "campaign_dry_run"
    __table_args__ = _clustered("what a dry run counted; insert-only")
    campaign: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    catalogue: Mapped[int]
    policy: Mapped[bytes]
    at: Mapped[datetime]
    actor: Mapped[str]
    counts: Mapped[str]


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
    contact_policy: Mapped[int] = mapped_column(server_default="0")
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
    quotas: Mapped[str] = mapped_column(server_default="")


class RunChunkRow(Row):
    """A chunk of a run that is still to be decided: the customers behind one id, up to and with another."""

    __tablename__ = "run_chunk"
    __table_args__ = _clustered("a chunk of a run that is still to be decided; gone once it is")
    run: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    after: Mapped[str]
    last: Mapped[str]


class QuotaRow(Row):
    """How much of a quota is taken: given out, or set aside for a run. Of the version 0, over all versions."""

    __tablename__ = "quota"
    __table_args__ = _clustered("what is taken of what a campaign has only so much of")
    campaign: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(primary_key=True)
    taken: Mapped[int]


class QuotaReturnRow(Row):
    """What a contact gave back of a quota when it ended unsent, once; `counted` since the quota's row has it.

    `position` is the ledger's, where the next entry came to stand. It names a decision and no customer: it outlives his
    contact, as the decision log does.
    """

    __tablename__ = "quota_return"
    __table_args__ = _clustered("what a contact gave back of a quota, when it ended without having been sent")
    campaign: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(primary_key=True)
    counted: Mapped[bool] = mapped_column(primary_key=True)
    """Stands in the key, so that what waits is found among all that ever came back."""
    decision: Mapped[str] = mapped_column(primary_key=True)
    amount: Mapped[int]
    position: Mapped[int]


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


class DecisionKeyRow(Row):
    """Which decision a caller's idempotency key was answered by; the key is blinded."""

    __tablename__ = "decision_key"
    __table_args__ = _clustered("the decision that a blinded idempotency key was answered by; insert-only")
    key: Mapped[str] = mapped_column(primary_key=True)
    decision: Mapped[str]


class DecisionInputRow(Row):
    """What the decisions of one chunk were made from: a row a customer, each sealed under that customer's data key.

    It is let go of after a while; that it was, stays.
    """

    __tablename__ = "decision_input"
    __table_args__ = (
        sa.Index(None, "dropped_at", "at"),
        _clustered("what a chunk was decided from, sealed by customer, for replays; kept for a while"),
    )
    chunk: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    rows: Mapped[bytes | None]
    dropped_at: Mapped[datetime | None]


class ContactRow(Row):
    """A contact: reserved, sent, or a holdout's ghost. Tags and class are snapshots.

    Positions are the ledger's: at the last claim, where its permissions were judged; at its end, where the next entry
    came to stand. `waited_until` is set once nothing more is waited for: its time was up, or it was answered.
    """

    __tablename__ = "contact"
    __table_args__ = (
        sa.Index("ix__contact__customer_counted_at", "customer", sa.text("coalesce(claimed_at, reserved_at)")),
        sa.Index(None, "status", "expires_at"),
        sa.Index(
            None,
            "campaign",
            "reserved_at",
            sqlite_where=sa.text("waited_until IS NULL"),
            postgresql_where=sa.text("waited_until IS NULL"),
        ),
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
    family: Mapped[str] = mapped_column(server_default="")
    tags: Mapped[str] = mapped_column(server_default="")
    kind: Mapped[str] = mapped_column(server_default="marketing")
    charge: Mapped[int] = mapped_column(server_default="0")
    rejected_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    claimed_at: Mapped[datetime | None]
    claimed_until: Mapped[datetime | None]
    claimed_position: Mapped[int | None]
    ended_at: Mapped[datetime | None]
    ended_position: Mapped[int | None]
    claims: Mapped[int] = mapped_column(server_default="0")
    waited_until: Mapped[datetime | None]
    quotas: Mapped[str] = mapped_column(server_default="")
    """What it took of, as `key@version`, apart by spaces."""


class DeferralRow(Row):
    """A customer who is decided about again once what held him back is over, and what became of that."""

    __tablename__ = "deferral"
    __table_args__ = (
        sa.Index(None, "state", "due_at"),
        sa.Index(None, "campaign", "state"),
        _clustered("a customer who is decided about again, once what held him back for now is over"),
    )
    customer: Mapped[str] = mapped_column(primary_key=True)
    decision: Mapped[str] = mapped_column(primary_key=True)
    campaign: Mapped[str]
    version: Mapped[int]
    model: Mapped[int]
    channel: Mapped[str]
    run: Mapped[str]
    rule: Mapped[str]
    made_at: Mapped[datetime]
    due_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    state: Mapped[str]
    ended_at: Mapped[datetime | None]
    again: Mapped[str]


class ContactPolicyVersionRow(Row):
    """A contact policy as it was published: immutable."""

    __tablename__ = "contact_policy_version"
    __table_args__ = _clustered("a published contact policy, whole; insert-only")
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hash: Mapped[bytes]
    body: Mapped[str]
    format: Mapped[str]
    published_at: Mapped[datetime]
    published_by: Mapped[str]
    position: Mapped[int]


class GoodwillRow(Row):
    """A customer's account of goodwill as it stands: the sum of its entries, in thousandths of a point."""

    __tablename__ = "goodwill"
    __table_args__ = _clustered("a customer's balance of goodwill, in thousandths; the sum of its entries")
    customer: Mapped[str] = mapped_column(primary_key=True)
    balance: Mapped[int]
    entries: Mapped[int]


class GoodwillEntryRow(Row):
    """One line of a customer's account, which he can see: what it was for, and what it took or gave."""

    __tablename__ = "goodwill_entry"
    __table_args__ = _clustered("a line of a customer's account of goodwill")
    customer: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    kind: Mapped[str]
    amount: Mapped[int]
    reference: Mapped[str]


class CommitmentRow(Row):
    """The terms of an offer family that a customer was promised, until when."""

    __tablename__ = "commitment"
    __table_args__ = _clustered("the terms that were promised to a customer, by offer family")
    customer: Mapped[str] = mapped_column(primary_key=True)
    family: Mapped[str] = mapped_column(primary_key=True)
    offer: Mapped[str]
    terms: Mapped[str]
    grade: Mapped[int | None]
    campaign: Mapped[str]
    decision: Mapped[str]
    made_at: Mapped[datetime]
    until: Mapped[datetime]


class WishRow(Row):
    """How often a customer wants to hear from us on a channel; in a row without one, his quiet hours in minutes."""

    __tablename__ = "wish"
    __table_args__ = _clustered("how often and when a customer wants to be contacted, by his own word")
    customer: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    most: Mapped[int]
    days: Mapped[int]
    quiet_from: Mapped[int]
    quiet_until: Mapped[int]
    said_at: Mapped[datetime]
    zone: Mapped[str] = mapped_column(server_default="")
    """In a row of quiet hours, by whose clock: a name of the IANA database, or "" where he named none."""


class OutcomeRow(Row):
    """An outcome of a customer came in. What it was is in memory; here is which, and when.

    `number` counts in the order of their coming in; `came_at` is when it happened where that is known (`timed`), else
    when it was told. `changed` says that it was another than what was known before.
    """

    __tablename__ = "outcome"
    __table_args__ = _clustered("an outcome came in; what it was is sealed in memory")
    customer: Mapped[str] = mapped_column(primary_key=True)
    attribute: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    came_at: Mapped[datetime]
    timed: Mapped[bool]
    changed: Mapped[bool]
