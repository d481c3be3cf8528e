"""What the ledger says of itself in clear; cosignatures and alarms of the witness; leaves of state snapshots."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.insert_only import guard

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
INSERT_ONLY = {"ledger_opening": ["log", "seq"], "cosignature": ["log", "size"]}


def upgrade() -> None:
    """Make the tables. The code of before knows of none of them, and goes on as it did."""
    op.create_table(
        "ledger_opening",
        sa.Column("log", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("plain", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["log"], ["ledger_log.id"], name=op.f("fk__ledger_opening__log__ledger_log")),
        sa.PrimaryKeyConstraint("log", "seq", name=op.f("pk__ledger_opening")),
        comment="salt and payload of an entry about the log itself, in clear; insert-only",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "cosignature",
        sa.Column("log", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("note", IDENT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["log"], ["ledger_log.id"], name=op.f("fk__cosignature__log__ledger_log")),
        sa.PrimaryKeyConstraint("log", "size", name=op.f("pk__cosignature")),
        comment="a checkpoint with its witness's line; insert-only",
        sqlite_with_rowid=False,
    )
    _alarms()
    op.create_table(
        "snapshot_page",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("page", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last", IDENT, nullable=False),
        sa.Column("leaves", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", "page", name=op.f("pk__snapshot_page")),
        comment="leaf hashes of a state snapshot, by page of customers; deletable",
        sqlite_with_rowid=False,
    )
    dialect = op.get_bind().dialect.name
    for table, key in INSERT_ONLY.items():
        for statement in guard(dialect, table, key):
            op.execute(statement)


def _alarms() -> None:
    """Make the table of alarms; one of a kind stands at a time for a log."""
    op.create_table(
        "ledger_alarm",
        sa.Column("id", IDENT, nullable=False),
        sa.Column("kind", IDENT, nullable=False),
        sa.Column("log", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("note", IDENT, nullable=False),
        sa.Column("witness_size", sa.BigInteger(), nullable=False),
        sa.Column("witness_note", IDENT, nullable=False),
        sa.Column("why", IDENT, nullable=False),
        sa.Column("noticed_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("settled_by", IDENT, nullable=False),
        sa.Column("settlement", IDENT, nullable=False),
        sa.ForeignKeyConstraint(["log"], ["ledger_log.id"], name=op.f("fk__ledger_alarm__log__ledger_log")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk__ledger_alarm")),
        comment="what the witness contradicts or has not said, and how it was settled",
        sqlite_with_rowid=False,
    )
    standing = sa.text("settled_at IS NULL")
    op.create_index(
        "uq__ledger_alarm__standing", "ledger_alarm", ["kind", "log"], unique=True,
        sqlite_where=standing, postgresql_where=standing,
    )  # fmt: skip


def downgrade() -> None:
    """Drop the tables: all but the alarms is at the witness too, in the sealed payloads, or made anew at night."""
    for table in ("snapshot_page", "ledger_alarm", "cosignature", "ledger_opening"):
        op.drop_table(table)
