"""What decisions were made from, sealed by customer, for replays."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table. Decisions of before have nothing in it: they can't be replayed."""
    op.create_table(
        "decision_input",
        sa.Column("chunk", IDENT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.LargeBinary(), nullable=True),
        sa.Column("dropped_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("chunk", name=op.f("pk__decision_input")),
        comment="what a chunk was decided from, sealed by customer, for replays; kept for a while",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__decision_input__dropped_at_at"), "decision_input", ["dropped_at", "at"], unique=False)


def downgrade() -> None:
    """Drop the table; its index goes with it."""
    op.drop_table("decision_input")
