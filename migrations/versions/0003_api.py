"""API keys, sessions, sign-in links."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "api_key",
        sa.Column("id", IDENT, nullable=False),
        sa.Column("prefix", IDENT, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("name", IDENT, nullable=False),
        sa.Column("role", IDENT, nullable=False),
        sa.Column("scopes", IDENT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk__api_key")),
        sa.UniqueConstraint("prefix", name=op.f("uq__api_key__prefix")),
        comment="an API key, as a digest",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "link",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("kind", IDENT, nullable=False),
        sa.Column("subject", IDENT, nullable=False),
        sa.Column("role", IDENT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk__link")),
        comment="a one-use sign-in link, as a digest",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__link__subject"), "link", ["subject"], unique=False)
    op.create_table(
        "web_session",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("kind", IDENT, nullable=False),
        sa.Column("subject", IDENT, nullable=False),
        sa.Column("role", IDENT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk__web_session")),
        comment="a signed-in browser, as a digest of its cookie",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__web_session__subject"), "web_session", ["subject"], unique=False)


def downgrade() -> None:
    """Drop the tables: every key, session and link with them."""
    op.drop_table("web_session")
    op.drop_table("link")
    op.drop_table("api_key")
