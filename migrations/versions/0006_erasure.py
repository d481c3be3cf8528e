"""Suppressed addresses, tombstones of erased customers, rotations and destructions of the key-encryption key."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "suppression",
        sa.Column("kind", IDENT, nullable=False),
        sa.Column("blind", sa.LargeBinary(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "blind", name=op.f("pk__suppression")),
        comment="keyed hash of an address that is left alone; survives erasure",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "erasure",
        sa.Column("customer", IDENT, nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("verified_at", sa.BigInteger(), nullable=True),
        sa.Column("verified_position", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["customer"], ["customer.id"], name=op.f("fk__erasure__customer__customer")),
        sa.PrimaryKeyConstraint("customer", name=op.f("pk__erasure")),
        comment="an erased customer's tombstone: the entries of erasure and of its verification",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__erasure__verified_at"), "erasure", ["verified_at"], unique=False)
    op.create_table(
        "key_rotation",
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", IDENT, nullable=False),
        sa.Column("after", IDENT, nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk__key_rotation")),
        comment="a rotation of the key-encryption key, and its cursor",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "key_destruction",
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", IDENT, nullable=False),
        sa.Column("confirmed_by", IDENT, nullable=False),
        sa.Column("destroyed_at", sa.BigInteger(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk__key_destruction")),
        comment="a destruction of old key-encryption keys: who asked, who confirmed",
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop the tables: who is suppressed, and who was erased, is no longer known."""
    op.drop_table("key_destruction")
    op.drop_table("key_rotation")
    op.drop_index(op.f("ix__erasure__verified_at"), table_name="erasure")
    op.drop_table("erasure")
    op.drop_table("suppression")
