"""What was asked lately, for the rate limits."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; PostgreSQL keeps no log of it, so that nobody waits for the disk because he was counted."""
    op.create_table(
        "rate",
        sa.Column("subject", sa.LargeBinary(), nullable=False),
        sa.Column("full_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk__rate")),
        comment="when somebody's quota is whole again, by a keyed hash; on SQLite it stays empty",
        prefixes=["UNLOGGED"] if op.get_context().dialect.name == "postgresql" else [],
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop the table: everybody's quota is whole."""
    op.drop_table("rate")
