"""Contacts are found by when they count as made: when they were handed out, and until then when they were reserved."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index anew."""
    op.drop_index(op.f("ix__contact__customer_reserved_at"), table_name="contact")
    counted_at = sa.text("coalesce(claimed_at, reserved_at)")
    op.create_index(op.f("ix__contact__customer_counted_at"), "contact", ["customer", counted_at], unique=False)


def downgrade() -> None:
    """Make the index of before."""
    op.drop_index(op.f("ix__contact__customer_counted_at"), table_name="contact")
    op.create_index(op.f("ix__contact__customer_reserved_at"), "contact", ["customer", "reserved_at"], unique=False)
