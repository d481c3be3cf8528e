"""The life of campaigns: what became of each version, by whom; and what dry runs foresaw."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.insert_only import guard

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
INSERT_ONLY = {"campaign_event": ["campaign", "log", "seq"], "campaign_dry_run": ["campaign", "id"]}


def upgrade() -> None:
    """Make the tables. Versions that were published before have no events: they are drafts."""
    op.create_table(
        "campaign_event",
        sa.Column("campaign", IDENT, nullable=False),
        sa.Column("log", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", IDENT, nullable=False),
        sa.Column("event", IDENT, nullable=False),
        sa.Column("reason", IDENT, nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("run", IDENT, nullable=False),
        sa.Column("catalogue", sa.BigInteger(), nullable=False),
        sa.Column("four_eyes", sa.Boolean(), nullable=False),
        sa.Column("publisher", IDENT, nullable=False),
        sa.Column("rules", IDENT, nullable=False),
        sa.PrimaryKeyConstraint("campaign", "log", "seq", name=op.f("pk__campaign_event")),
        comment="a change of a campaign's state, and its ledger entry; insert-only",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__campaign_event__run"), "campaign_event", ["run"], unique=False)
    op.create_table(
        "campaign_dry_run",
        sa.Column("campaign", IDENT, nullable=False),
        sa.Column("id", IDENT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("catalogue", sa.BigInteger(), nullable=False),
        sa.Column("policy", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", IDENT, nullable=False),
        sa.Column("counts", IDENT, nullable=False),
        sa.PrimaryKeyConstraint("campaign", "id", name=op.f("pk__campaign_dry_run")),
        comment="what a dry run counted; insert-only",
        sqlite_with_rowid=False,
    )
    dialect = op.get_bind().dialect.name
    for table, key in INSERT_ONLY.items():
        for statement in guard(dialect, table, key):
            op.execute(statement)


def downgrade() -> None:
    """Drop the tables: every version is a draft again, and the ledger alone knows what became of it."""
    for table in ("campaign_dry_run", "campaign_event"):
        op.drop_table(table)
