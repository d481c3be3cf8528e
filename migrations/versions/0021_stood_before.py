"""How a version of a campaign stood before it was paused, of one that goes on without a run."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the column. Whatever went on without a run before had finished, which is what nothing means."""
    op.add_column("campaign_event", sa.Column("back", IDENT, nullable=False, server_default=""))


def downgrade() -> None:
    """Drop the column: versions that went on otherwise count as finished, and the audit says so."""
    op.drop_column("campaign_event", "back")
