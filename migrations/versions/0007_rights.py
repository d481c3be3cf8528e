"""Requests by right with their steps; to whom data that were used went, and which entry tells of it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables, and the columns."""
    op.add_column("data_use", sa.Column("recipient", IDENT, server_default="", nullable=False))
    op.add_column("data_use", sa.Column("noted", sa.BigInteger(), server_default="-1", nullable=False))
    op.create_table(
        "rights_request",
        sa.Column("id", IDENT, nullable=False),
        sa.Column("customer", IDENT, nullable=False),
        sa.Column("kind", IDENT, nullable=False),
        sa.Column("how", IDENT, nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("extended_at", sa.BigInteger(), nullable=True),
        sa.Column("owner", IDENT, nullable=False),
        sa.Column("state", IDENT, nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", IDENT, nullable=False),
        sa.Column("steps", sa.BigInteger(), nullable=False),
        sa.Column("asked", sa.LargeBinary(), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["customer"], ["customer.id"], name=op.f("fk__rights_request__customer__customer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk__rights_request")),
        comment="a customer's request by right, with its deadline; what was written is sealed under his key",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__rights_request__customer"), "rights_request", ["customer"], unique=False)
    op.create_index(op.f("ix__rights_request__state_due_at"), "rights_request", ["state", "due_at"], unique=False)
    op.create_table(
        "rights_step",
        sa.Column("request", IDENT, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("event", IDENT, nullable=False),
        sa.Column("detail", IDENT, nullable=False),
        sa.Column("actor", IDENT, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["request"], ["rights_request.id"], name=op.f("fk__rights_step__request__rights_request")
        ),
        sa.PrimaryKeyConstraint("request", "number", name=op.f("pk__rights_step")),
        comment="a step of a request by right, and its ledger entry",
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop the tables, and the columns: requests and their deadlines with them."""
    op.drop_table("rights_step")
    op.drop_table("rights_request")
    op.drop_column("data_use", "noted")
    op.drop_column("data_use", "recipient")
