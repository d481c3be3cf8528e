"""HTML mails of campaigns as they were compiled when a version was published."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the column. What was published before has no mails."""
    op.add_column("campaign_version", sa.Column("compiled", IDENT, nullable=False, server_default=""))


def downgrade() -> None:
    """Drop the column. Versions with mails could not be read by the code before: stop their campaigns first."""
    op.drop_column("campaign_version", "compiled")
