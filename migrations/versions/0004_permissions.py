"""Ages and opt-outs in what stands; notices, merged customers, confirmations and reminders."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.insert_only import guard

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
INSERT_ONLY = {"notice": ["key", "version", "language"]}
NEVER = str(2**63 - 1)


def upgrade() -> None:
    """Make the tables and columns. What stood has no age and no opt-out; the code of before leaves both out."""
    op.add_column("standing", sa.Column("born_by", sa.BigInteger(), nullable=False, server_default=NEVER))
    op.add_column("standing", sa.Column("gpc", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "notice",
        sa.Column("key", IDENT, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("language", IDENT, nullable=False),
        sa.Column("material", sa.Boolean(), nullable=False),
        sa.Column("wording", IDENT, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", "version", "language", name=op.f("pk__notice")),
        comment="the exact words of a notice version in one language; insert-only",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "merger",
        sa.Column("merged", IDENT, nullable=False),
        sa.Column("customer", IDENT, nullable=False),
        sa.Column("merged_at", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["customer"], ["customer.id"], name=op.f("fk__merger__customer__customer")),
        sa.ForeignKeyConstraint(["merged"], ["customer.id"], name=op.f("fk__merger__merged__customer")),
        sa.PrimaryKeyConstraint("merged", name=op.f("pk__merger")),
        comment="an id that was given up when two records were joined, and the id that goes on",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__merger__customer"), "merger", ["customer"], unique=False)
    op.create_table(
        "confirmation",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("customer", IDENT, nullable=False),
        sa.Column("scopes", IDENT, nullable=False),
        sa.Column("language", IDENT, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("spent_at", sa.BigInteger(), nullable=True),
        sa.Column("outgoing", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["customer"], ["customer.id"], name=op.f("fk__confirmation__customer__customer")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk__confirmation")),
        comment="a link that confirms a grant, as a digest; the token itself is in the mail alone",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__confirmation__customer"), "confirmation", ["customer"], unique=False)
    op.create_table(
        "reminder",
        sa.Column("customer", IDENT, nullable=False),
        sa.Column("scope", IDENT, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("queued_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["customer"], ["customer.id"], name=op.f("fk__reminder__customer__customer")),
        sa.PrimaryKeyConstraint("customer", "scope", "expires_at", name=op.f("pk__reminder")),
        comment="a permission that ends soon, for its customer to be reminded of",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__reminder__due_at"), "reminder", ["due_at"], unique=False)
    dialect = op.get_bind().dialect.name
    for table, key in INSERT_ONLY.items():
        for statement in guard(dialect, table, key):
            op.execute(statement)


def downgrade() -> None:
    """Drop the tables, and forget ages and opt-outs; they can be folded anew out of the sealed payloads."""
    for table in ("reminder", "confirmation", "merger", "notice"):
        op.drop_table(table)
    op.drop_column("standing", "gpc")
    op.drop_column("standing", "born_by")
