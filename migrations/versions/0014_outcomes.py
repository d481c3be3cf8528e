"""When outcomes came in, by attribute; until when a contact waited for one."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table of outcomes anew: nothing has ever written it. Contacts of before are waited for, too."""
    op.drop_table("outcome")
    op.create_table(
        "outcome",
        sa.Column("customer", IDENT, nullable=False),
        sa.Column("attribute", IDENT, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("came_at", sa.BigInteger(), nullable=False),
        sa.Column("timed", sa.Boolean(), nullable=False),
        sa.Column("changed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("customer", "attribute", "number", name=op.f("pk__outcome")),
        comment="an outcome came in; what it was is sealed in memory",
        sqlite_with_rowid=False,
    )
    op.add_column("contact", sa.Column("waited_until", sa.BigInteger(), nullable=True))
    waiting = sa.text("waited_until IS NULL")
    op.create_index(
        op.f("ix__contact__campaign_reserved_at"), "contact", ["campaign", "reserved_at"], unique=False,
        sqlite_where=waiting, postgresql_where=waiting,
    )  # fmt: skip


def downgrade() -> None:
    """Make the table of before, empty: it had nothing to keep these in."""
    op.drop_index(op.f("ix__contact__campaign_reserved_at"), table_name="contact")
    op.drop_column("contact", "waited_until")
    op.drop_table("outcome")
    op.create_table(
        "outcome",
        sa.Column("customer", IDENT, nullable=False),
        sa.Column("campaign", IDENT, nullable=False),
        sa.Column("came_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer", "campaign", name=op.f("pk__outcome")),
        comment="an outcome came in; what it was is sealed in memory",
        sqlite_with_rowid=False,
    )
