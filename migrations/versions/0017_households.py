"""Households: who lives with whom, now and when decisions were made."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables. Nobody is in a household until somebody says so."""
    op.create_table(
        "household",
        sa.Column("blind", sa.LargeBinary(), nullable=False),
        sa.Column("id", IDENT, nullable=False),
        sa.PrimaryKeyConstraint("blind", name=op.f("pk__household")),
        sa.UniqueConstraint("id", name=op.f("uq__household__id")),
        comment="keyed hash of what a household is called; its row lock orders contacts with its members",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "household_member",
        sa.Column("customer", IDENT, nullable=False),
        sa.Column("since_position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("household", IDENT, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("until_position", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["customer"], ["customer.id"], name=op.f("fk__household_member__customer__customer")),
        sa.PrimaryKeyConstraint("customer", "since_position", name=op.f("pk__household_member")),
        comment="in which household a customer is, or was, and from which ledger position until which",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__household_member__household"), "household_member", ["household"], unique=False)
    op.create_index(
        "uq__household_member__now", "household_member", ["customer"], unique=True,
        sqlite_where=sa.text("until_position IS NULL"), postgresql_where=sa.text("until_position IS NULL"),
    )  # fmt: skip


def downgrade() -> None:
    """Drop both tables; their indexes go with them. Caps by household count each customer alone."""
    op.drop_table("household_member")
    op.drop_table("household")
