"""What contacts took of quotas, and what those gave back that ended unsent."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make column and table; contacts of before took nothing that could be given back."""
    op.add_column("contact", sa.Column("quotas", IDENT, server_default="", nullable=False))
    op.create_table(
        "quota_return",
        sa.Column("campaign", IDENT, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", IDENT, nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("decision", IDENT, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign", "version", "key", "counted", "decision", name=op.f("pk__quota_return")),
        comment="what a contact gave back of a quota, when it ended without having been sent",
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop both. What was given back and not yet counted in stays taken."""
    op.drop_table("quota_return")
    op.drop_column("contact", "quotas")
