"""Campaigns, models, runs, decisions, contacts, outcomes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.insert_only import guard

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
INSERT_ONLY = {
    "campaign_version": ["key", "version"],
    "model_version": ["campaign", "version"],
    "decision_chunk": ["id"],
}


def upgrade() -> None:
    """Make the tables, and guard those that are insert-only."""
    op.create_table(
        "campaign_version",
        sa.Column("key", IDENT, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("body", IDENT, nullable=False),
        sa.Column("format", IDENT, nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("published_by", IDENT, nullable=False),
        sa.PrimaryKeyConstraint("key", "version", name=op.f("pk__campaign_version")),
        comment="a published campaign, whole; insert-only",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "contact",
        sa.Column("customer", IDENT, nullable=False),
        sa.Column("decision", IDENT, nullable=False),
        sa.Column("campaign", IDENT, nullable=False),
        sa.Column("treatment", IDENT, nullable=False),
        sa.Column("offer", IDENT, nullable=False),
        sa.Column("channel", IDENT, nullable=False),
        sa.Column("purpose", IDENT, nullable=False),
        sa.Column("status", IDENT, nullable=False),
        sa.Column("reserved_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer", "decision", name=op.f("pk__contact")),
        comment="a contact with a customer, on any channel",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__contact__customer_reserved_at"), "contact", ["customer", "reserved_at"], unique=False)
    op.create_table(
        "decision_chunk",
        sa.Column("id", IDENT, nullable=False),
        sa.Column("run", IDENT, nullable=False),
        sa.Column("chunk", sa.BigInteger(), nullable=False),
        sa.Column("campaign", IDENT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("first", IDENT, nullable=False),
        sa.Column("last", IDENT, nullable=False),
        sa.Column("customers", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("log", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("columns", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk__decision_chunk")),
        comment="decisions of a chunk, columnar; their root is in the ledger; insert-only",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__decision_chunk__first"), "decision_chunk", ["first"], unique=False)
    op.create_index(op.f("ix__decision_chunk__last"), "decision_chunk", ["last"], unique=False)
    op.create_index(op.f("ix__decision_chunk__run"), "decision_chunk", ["run"], unique=False)
    op.create_table(
        "model_version",
        sa.Column("campaign", IDENT, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("body", IDENT, nullable=False),
        sa.Column("fitted_at", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign", "version", name=op.f("pk__model_version")),
        comment="a fitted model; insert-only",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "outcome",
        sa.Column("customer", IDENT, nullable=False),
        sa.Column("campaign", IDENT, nullable=False),
        sa.Column("came_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer", "campaign", name=op.f("pk__outcome")),
        comment="an outcome came in; what it was is sealed in memory",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "run",
        sa.Column("id", IDENT, nullable=False),
        sa.Column("campaign", IDENT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.BigInteger(), nullable=False),
        sa.Column("catalogue", sa.BigInteger(), nullable=False),
        sa.Column("policy", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", IDENT, nullable=False),
        sa.Column("after", IDENT, nullable=False),
        sa.Column("chunk", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("counts", IDENT, nullable=False),
        sa.Column("asked_by", IDENT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("beat_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("milliseconds", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk__run")),
        comment="a campaign run and its cursor",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__run__campaign"), "run", ["campaign"], unique=False)
    op.create_index(op.f("ix__run__created_at"), "run", ["created_at"], unique=False)
    for table, key in INSERT_ONLY.items():
        for statement in guard(op.get_bind().dialect.name, table, key):
            op.execute(statement)


def downgrade() -> None:
    """Drop the tables; their triggers go with them."""
    op.drop_table("run")
    op.drop_table("outcome")
    op.drop_table("model_version")
    op.drop_table("decision_chunk")
    op.drop_table("contact")
    op.drop_table("campaign_version")
