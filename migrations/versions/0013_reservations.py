"""The life of reserved contacts, and deferrals: who is decided about again, and when."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
TIMES = ("expires_at", "claimed_at", "claimed_until", "claimed_position", "ended_at", "ended_position")


def upgrade() -> None:
    """Make the table, columns and index. Contacts of before have no time to live: they count as they did."""
    for column in TIMES:
        op.add_column("contact", sa.Column(column, sa.BigInteger(), nullable=True))
    op.add_column("contact", sa.Column("claims", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index(op.f("ix__contact__status_expires_at"), "contact", ["status", "expires_at"], unique=False)
    op.create_table(
        "deferral",
        sa.Column("customer", IDENT, nullable=False),
        sa.Column("decision", IDENT, nullable=False),
        sa.Column("campaign", IDENT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.BigInteger(), nullable=False),
        sa.Column("channel", IDENT, nullable=False),
        sa.Column("run", IDENT, nullable=False),
        sa.Column("rule", IDENT, nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("state", IDENT, nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("again", IDENT, nullable=False),
        sa.PrimaryKeyConstraint("customer", "decision", name=op.f("pk__deferral")),
        comment="a customer who is decided about again, once what held him back for now is over",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__deferral__state_due_at"), "deferral", ["state", "due_at"], unique=False)
    op.create_index(op.f("ix__deferral__campaign_state"), "deferral", ["campaign", "state"], unique=False)


def downgrade() -> None:
    """Drop the table, index and columns."""
    op.drop_table("deferral")
    op.drop_index(op.f("ix__contact__status_expires_at"), table_name="contact")
    for column in (*TIMES, "claims"):
        op.drop_column("contact", column)
