"""Contact policies; snapshots in contacts; accounts of goodwill; commitments; what customers wish."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.insert_only import guard

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
INSERT_ONLY = {"contact_policy_version": ["version"]}
SNAPSHOTS = ("family", "tags", "kind", "charge", "rejected_at")


def upgrade() -> None:
    """Make the tables and columns. Contacts of before were marketing, without tags, and cost nothing."""
    op.add_column("contact", sa.Column("family", IDENT, nullable=False, server_default=""))
    op.add_column("contact", sa.Column("tags", IDENT, nullable=False, server_default=""))
    op.add_column("contact", sa.Column("kind", IDENT, nullable=False, server_default="marketing"))
    op.add_column("contact", sa.Column("charge", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("contact", sa.Column("rejected_at", sa.BigInteger(), nullable=True))
    op.add_column("run", sa.Column("contact_policy", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "contact_policy_version",
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("body", IDENT, nullable=False),
        sa.Column("format", IDENT, nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("published_by", IDENT, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk__contact_policy_version")),
        comment="a published contact policy, whole; insert-only",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "goodwill",
        sa.Column("customer", IDENT, nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer", name=op.f("pk__goodwill")),
        comment="a customer's balance of goodwill, in thousandths; the sum of its entries",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "goodwill_entry",
        sa.Column("customer", IDENT, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", IDENT, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("reference", IDENT, nullable=False),
        sa.PrimaryKeyConstraint("customer", "number", name=op.f("pk__goodwill_entry")),
        comment="a line of a customer's account of goodwill",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "commitment",
        sa.Column("customer", IDENT, nullable=False),
        sa.Column("family", IDENT, nullable=False),
        sa.Column("offer", IDENT, nullable=False),
        sa.Column("terms", IDENT, nullable=False),
        sa.Column("grade", sa.BigInteger(), nullable=True),
        sa.Column("campaign", IDENT, nullable=False),
        sa.Column("decision", IDENT, nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer", "family", name=op.f("pk__commitment")),
        comment="the terms that were promised to a customer, by offer family",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "wish",
        sa.Column("customer", IDENT, nullable=False),
        sa.Column("channel", IDENT, nullable=False),
        sa.Column("most", sa.BigInteger(), nullable=False),
        sa.Column("days", sa.BigInteger(), nullable=False),
        sa.Column("quiet_from", sa.BigInteger(), nullable=False),
        sa.Column("quiet_until", sa.BigInteger(), nullable=False),
        sa.Column("said_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer", "channel", name=op.f("pk__wish")),
        comment="how often and when a customer wants to be contacted, by his own word",
        sqlite_with_rowid=False,
    )
    for table, key in INSERT_ONLY.items():
        for statement in guard(op.get_bind().dialect.name, table, key):
            op.execute(statement)


def downgrade() -> None:
    """Drop the tables and columns; triggers go with them."""
    for table in ("wish", "commitment", "goodwill_entry", "goodwill", "contact_policy_version"):
        op.drop_table(table)
    op.drop_column("run", "contact_policy")
    for column in SNAPSHOTS:
        op.drop_column("contact", column)
