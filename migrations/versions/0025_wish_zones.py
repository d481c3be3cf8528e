"""By whose clock a customer wants to be left alone."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the column; before, nobody could name a zone."""
    op.add_column("wish", sa.Column("zone", IDENT, server_default="", nullable=False))


def downgrade() -> None:
    """Drop it. Hours of whoever named a zone are then by the clock of wherever he may be."""
    op.drop_column("wish", "zone")
