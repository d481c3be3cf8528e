"""Whose an address was at a past time: under which id it came, and when."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the columns. What came before counts as its customer's from the beginning: that denies more, never less."""
    op.add_column("identity", sa.Column("came_to", IDENT, nullable=False, server_default=""))
    op.add_column("identity", sa.Column("since", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("identity", sa.Column("position", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop the columns: every address counts as its customer's from the beginning again."""
    for column in ("position", "since", "came_to"):
        op.drop_column("identity", column)
