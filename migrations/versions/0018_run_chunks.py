"""Chunks of runs that are still to be decided: several processes take them, one at a time each."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table. A run that is under way goes on from its cursor."""
    op.create_table(
        "run_chunk",
        sa.Column("run", IDENT, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("after", IDENT, nullable=False),
        sa.Column("last", IDENT, nullable=False),
        sa.PrimaryKeyConstraint("run", "number", name=op.f("pk__run_chunk")),
        comment="a chunk of a run that is still to be decided; gone once it is",
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop the table. A run that is under way would skip what was planned: let it end, or stop it, before."""
    op.drop_table("run_chunk")
