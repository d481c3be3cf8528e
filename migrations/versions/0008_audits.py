"""Audits: how far each check has got; findings over time, schedules, alarms, evidence packs."""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.insert_only import guard

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
INSERT_ONLY = {"finding_event": ["finding", "version"]}


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "audit_mark",
        sa.Column("check", IDENT, nullable=False),
        sa.Column("log", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("audit", IDENT, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["audit"], ["audit_run.id"], name=op.f("fk__audit_mark__audit__audit_run")),
        sa.ForeignKeyConstraint(["log"], ["ledger_log.id"], name=op.f("fk__audit_mark__log__ledger_log")),
        sa.PrimaryKeyConstraint("check", "log", name=op.f("pk__audit_mark")),
        comment="how far a check got in a log, in an audit that it passed",
        sqlite_with_rowid=False,
    )
    _findings()
    _governance()
    _packs()
    dialect = op.get_bind().dialect.name
    for table, key in INSERT_ONLY.items():
        for statement in guard(dialect, table, key):
            op.execute(statement)
    for statement in _kept(dialect, "finding_state"):
        op.execute(statement)


def _findings() -> None:
    """Make what is known of a finding over all audits, and its history."""
    op.create_table(
        "finding_state",
        sa.Column("id", IDENT, nullable=False),
        sa.Column("check", IDENT, nullable=False),
        sa.Column("subject", IDENT, nullable=False),
        sa.Column("severity", IDENT, nullable=False),
        sa.Column("why", IDENT, nullable=False),
        sa.Column("state", IDENT, nullable=False),
        sa.Column("owner", IDENT, nullable=False),
        sa.Column("accepted_until", sa.BigInteger(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("audit", IDENT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["audit"], ["audit_run.id"], name=op.f("fk__finding_state__audit__audit_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk__finding_state")),
        sa.UniqueConstraint("check", "subject", name=op.f("uq__finding_state__check_subject")),
        comment="a finding over all audits, and how it stands; never deleted",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__finding_state__state"), "finding_state", ["state"], unique=False)
    op.create_table(
        "finding_event",
        sa.Column("finding", IDENT, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", IDENT, nullable=False),
        sa.Column("event", IDENT, nullable=False),
        sa.Column("owner", IDENT, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("reason", IDENT, nullable=False),
        sa.Column("audit", IDENT, nullable=False),
        sa.PrimaryKeyConstraint("finding", "version", name=op.f("pk__finding_event")),
        comment="what became of a finding; insert-only",
        sqlite_with_rowid=False,
    )


def _governance() -> None:
    """Make schedules and alarms."""
    op.create_table(
        "audit_schedule",
        sa.Column("key", IDENT, nullable=False),
        sa.Column("cron", IDENT, nullable=False),
        sa.Column("zone", IDENT, nullable=False),
        sa.Column("checks", IDENT, nullable=False),
        sa.Column("mode", IDENT, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_by", IDENT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk__audit_schedule")),
        comment="when audits are run; a key of a default overrides it",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audit_alarm",
        sa.Column("kind", IDENT, nullable=False),
        sa.Column("raised_at", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("detail", IDENT, nullable=False),
        sa.Column("cleared_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "raised_at", name=op.f("pk__audit_alarm")),
        comment="what had not happened in its time; one of a kind stands at a time",
        sqlite_with_rowid=False,
    )
    standing = sa.text("cleared_at IS NULL")
    op.create_index(
        "uq__audit_alarm__standing", "audit_alarm", ["kind"], unique=True,
        sqlite_where=standing, postgresql_where=standing,
    )  # fmt: skip


def _packs() -> None:
    """Make evidence packs, and the pieces of their bytes."""
    op.create_table(
        "evidence_pack",
        sa.Column("id", IDENT, nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", IDENT, nullable=False),
        sa.Column("about", IDENT, nullable=False),
        sa.Column("customer", IDENT, nullable=False),
        sa.Column("personal", sa.Boolean(), nullable=False),
        sa.Column("reason", IDENT, nullable=False),
        sa.Column("state", IDENT, nullable=False),
        sa.Column("detail", IDENT, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=True),
        sa.Column("kept_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk__evidence_pack")),
        comment="an evidence pack: what it is about, who asked, how it ended",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__evidence_pack__asked_at"), "evidence_pack", ["asked_at"], unique=False)
    op.create_table(
        "evidence_pack_part",
        sa.Column("pack", IDENT, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pack"], ["evidence_pack.id"], name=op.f("fk__evidence_pack_part__pack__evidence_pack")
        ),
        sa.PrimaryKeyConstraint("pack", "number", name=op.f("pk__evidence_pack_part")),
        comment="sealed bytes of an evidence pack; deletable",
        sqlite_with_rowid=False,
    )


def _kept(dialect: str, table: str) -> Iterator[str]:
    """Return the statements that let rows of a table be changed, and never be deleted."""
    if dialect == "postgresql":
        for name, when, level in (("delete", "DELETE", "ROW"), ("truncate", "TRUNCATE", "STATEMENT")):
            yield (
                f"CREATE TRIGGER {table}__{name} BEFORE {when} ON {table} "
                f"FOR EACH {level} EXECUTE FUNCTION byleave_insert_only()"
            )
            yield f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}__{name}"
        return
    refuse = f"SELECT RAISE(ABORT, '{table} keeps its rows')"
    same = f'SELECT 1 FROM {table} WHERE id = NEW.id OR ("check" = NEW."check" AND subject = NEW.subject)'  # noqa: S608 -- a name of our own
    yield f"CREATE TRIGGER {table}__delete BEFORE DELETE ON {table} BEGIN {refuse}; END"
    yield f"CREATE TRIGGER {table}__replace BEFORE INSERT ON {table} WHEN EXISTS ({same}) BEGIN {refuse}; END"


def downgrade() -> None:
    """Drop the tables: the next audit is a full one, and what was done about findings is forgotten."""
    for table in (
        "evidence_pack_part", "evidence_pack", "audit_alarm", "audit_schedule", "finding_event", "finding_state",
        "audit_mark",
    ):  # fmt: skip
        op.drop_table(table)
