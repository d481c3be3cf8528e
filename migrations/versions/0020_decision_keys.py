"""Which decision an idempotency key was answered by: decisions that are asked for at the same time share a chunk."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.insert_only import guard

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table. Before, a key was the id of its decision's chunk; of those that had none it does no harm."""
    op.create_table(
        "decision_key",
        sa.Column("key", IDENT, nullable=False),
        sa.Column("decision", IDENT, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk__decision_key")),
        comment="the decision that a blinded idempotency key was answered by; insert-only",
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO decision_key (key, decision) "
        "SELECT id, id || '.0' FROM decision_chunk WHERE run = '' AND customers = 1"
    )
    for statement in guard(op.get_bind().dialect.name, "decision_key", ["key"]):
        op.execute(statement)


def downgrade() -> None:
    """Drop the table: keys of decisions that were made since are forgotten."""
    op.drop_table("decision_key")
