"""Suppressions that were lifted: what was left alone once is known as of then."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table. What was lifted before is not in it: no released version could lift."""
    op.create_table(
        "lifted_suppression",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", IDENT, nullable=False),
        sa.Column("blind", sa.LargeBinary(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("lifted_position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk__lifted_suppression")),
        comment="from when until when an address was left alone, for answers as of then; nameless once erased",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__lifted_suppression__kind_blind"), "lifted_suppression", ["kind", "blind"], unique=False)


def downgrade() -> None:
    """Drop the table; its index goes with it. Answers as of then know nothing of what was lifted since."""
    op.drop_table("lifted_suppression")
