"""What campaigns have only so much of: how much is taken, and what runs have set aside, with their cuts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table. What contacts of before took isn't counted: nothing limited them."""
    op.create_table(
        "quota",
        sa.Column("campaign", IDENT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("key", IDENT, nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign", "version", "key", name=op.f("pk__quota")),
        comment="what is taken of what a campaign has only so much of",
        sqlite_with_rowid=False,
    )
    op.add_column("run", sa.Column("quotas", IDENT, nullable=False, server_default=""))


def downgrade() -> None:
    """Drop the table and the column."""
    op.drop_column("run", "quotas")
    op.drop_table("quota")
