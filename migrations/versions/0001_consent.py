"""The ledger, what stands, the vault, audits and jobs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.insert_only import guard

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

IDENT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
INSERT_ONLY = {
    "ledger_log": ["id"],
    "ledger_entry": ["log", "seq"],
    "ledger_node": ["log", "level", "idx"],
    "ledger_checkpoint": ["log", "size"],
    "catalogue_version": ["version"],
    "scope_bit": ["scope"],
}
UNIQUE = {"ledger_log": ["origin"], "scope_bit": ["bit"]}


def upgrade() -> None:
    """Make the tables, and guard those that are insert-only."""
    op.create_table(
        "audit_run",
        sa.Column("id", IDENT, nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("status", IDENT, nullable=False),
        sa.Column("asked_by", IDENT, nullable=False),
        sa.Column("report", IDENT, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk__audit_run")),
        comment="an audit and its report",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__audit_run__started_at"), "audit_run", ["started_at"], unique=False)
    op.create_table(
        "catalogue_version",
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("body", IDENT, nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("log", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk__catalogue_version")),
        comment="a published catalogue; insert-only",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "customer",
        sa.Column("id", IDENT, nullable=False),
        sa.Column("enrolled_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk__customer")),
        comment="a customer: a pseudonym and when it was made",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "data_key",
        sa.Column("owner", IDENT, nullable=False),
        sa.Column("kek", sa.BigInteger(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("owner", name=op.f("pk__data_key")),
        comment="a customer's data key, wrapped; owner 'log' is the deployment's own",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "data_use",
        sa.Column("id", IDENT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", IDENT, nullable=False),
        sa.Column("purpose", IDENT, nullable=False),
        sa.Column("categories", IDENT, nullable=False),
        sa.Column("customers", sa.BigInteger(), nullable=False),
        sa.Column("customer", IDENT, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("decision", IDENT, nullable=False),
        sa.Column("reason", IDENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk__data_use")),
        comment="a use of data under a permit",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__data_use__at"), "data_use", ["at"], unique=False)
    op.create_index(op.f("ix__data_use__customer"), "data_use", ["customer"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("log", sa.BigInteger(), nullable=False),
        sa.Column("seqs", IDENT, nullable=False),
        sa.Column("owner", IDENT, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk__idempotency")),
        comment="keyed hashes of an idempotency key and its request; what it made",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__idempotency__owner"), "idempotency", ["owner"], unique=False)
    op.create_table(
        "job_run",
        sa.Column("job", IDENT, nullable=False),
        sa.Column("scheduled_for", sa.BigInteger(), nullable=False),
        sa.Column("state", IDENT, nullable=False),
        sa.Column("holder", IDENT, nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.Column("detail", IDENT, nullable=False),
        sa.PrimaryKeyConstraint("job", "scheduled_for", name=op.f("pk__job_run")),
        comment="one slot of a job; its fencing token is checked in each write",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ledger_log",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("origin", IDENT, nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk__ledger_log")),
        sa.UniqueConstraint("origin", name=op.f("uq__ledger_log__origin")),
        comment="a Merkle log: one deployment, one period",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "scope_bit",
        sa.Column("scope", IDENT, nullable=False),
        sa.Column("bit", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk__scope_bit")),
        sa.UniqueConstraint("bit", name=op.f("uq__scope_bit__bit")),
        comment="bit number of a scope, for ever; insert-only",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "finding",
        sa.Column("id", IDENT, nullable=False),
        sa.Column("audit", IDENT, nullable=False),
        sa.Column("kind", IDENT, nullable=False),
        sa.Column("check", IDENT, nullable=False),
        sa.Column("severity", IDENT, nullable=False),
        sa.Column("subject", IDENT, nullable=False),
        sa.Column("why", IDENT, nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["audit"], ["audit_run.id"], name=op.f("fk__finding__audit__audit_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk__finding")),
        comment="a broken rule, or one that could not be judged",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__finding__audit"), "finding", ["audit"], unique=False)
    op.create_table(
        "identity",
        sa.Column("kind", IDENT, nullable=False),
        sa.Column("blind", sa.LargeBinary(), nullable=False),
        sa.Column("customer", IDENT, nullable=False),
        sa.ForeignKeyConstraint(["customer"], ["customer.id"], name=op.f("fk__identity__customer__customer")),
        sa.PrimaryKeyConstraint("kind", "blind", name=op.f("pk__identity")),
        comment="keyed hash of a reference or address, and whose it is",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__identity__customer"), "identity", ["customer"], unique=False)
    op.create_table(
        "ledger_checkpoint",
        sa.Column("log", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("note", IDENT, nullable=False),
        sa.Column("signed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["log"], ["ledger_log.id"], name=op.f("fk__ledger_checkpoint__log__ledger_log")),
        sa.PrimaryKeyConstraint("log", "size", name=op.f("pk__ledger_checkpoint")),
        comment="signed note over a size and a root; insert-only",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ledger_entry",
        sa.Column("log", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["log"], ["ledger_log.id"], name=op.f("fk__ledger_entry__log__ledger_log")),
        sa.PrimaryKeyConstraint("log", "seq", name=op.f("pk__ledger_entry")),
        comment="exact bytes of an entry and their leaf hash; insert-only",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ledger_head",
        sa.Column("log", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("catalogue_version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["log"], ["ledger_log.id"], name=op.f("fk__ledger_head__log__ledger_log")),
        sa.PrimaryKeyConstraint("log", name=op.f("pk__ledger_head")),
        comment="size and frontier of a log; its row lock orders appends",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ledger_node",
        sa.Column("log", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("level", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("idx", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["log"], ["ledger_log.id"], name=op.f("fk__ledger_node__log__ledger_log")),
        sa.PrimaryKeyConstraint("log", "level", "idx", name=op.f("pk__ledger_node")),
        comment="hash of a perfect subtree (level 1 and up); insert-only",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ledger_payload",
        sa.Column("log", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("owner", IDENT, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["log"], ["ledger_log.id"], name=op.f("fk__ledger_payload__log__ledger_log")),
        sa.PrimaryKeyConstraint("log", "seq", name=op.f("pk__ledger_payload")),
        comment="sealed payload of an entry, by owner; deletable",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix__ledger_payload__owner_log_seq"), "ledger_payload", ["owner", "log", "seq"], unique=False)
    op.create_table(
        "memory",
        sa.Column("customer", IDENT, nullable=False),
        sa.Column("category", IDENT, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("remembered_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["customer"], ["customer.id"], name=op.f("fk__memory__customer__customer")),
        sa.PrimaryKeyConstraint("customer", "category", name=op.f("pk__memory")),
        comment="sealed attributes of one customer in one category",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "standing",
        sa.Column("customer", IDENT, nullable=False),
        sa.Column("mask", sa.LargeBinary(), nullable=False),
        sa.Column("next_expiry", sa.BigInteger(), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.Column("states", sa.BigInteger(), nullable=False),
        sa.Column("paused_until", sa.BigInteger(), nullable=False),
        sa.Column("last_said", sa.BigInteger(), nullable=False),
        sa.Column("last_leaf", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["customer"], ["customer.id"], name=op.f("fk__standing__customer__customer")),
        sa.PrimaryKeyConstraint("customer", name=op.f("pk__standing")),
        comment="projection of a customer's statements; audited against the fold",
        sqlite_with_rowid=False,
    )
    for table, key in INSERT_ONLY.items():
        for statement in guard(op.get_bind().dialect.name, table, key, unique=UNIQUE.get(table, ())):
            op.execute(statement)


def downgrade() -> None:
    """Drop the tables; their triggers go with them, and then what these called."""
    op.drop_table("standing")
    op.drop_table("memory")
    op.drop_table("ledger_payload")
    op.drop_table("ledger_node")
    op.drop_table("ledger_head")
    op.drop_table("ledger_entry")
    op.drop_table("ledger_checkpoint")
    op.drop_table("identity")
    op.drop_table("finding")
    op.drop_table("scope_bit")
    op.drop_table("ledger_log")
    op.drop_table("job_run")
    op.drop_table("idempotency")
    op.drop_table("data_use")
    op.drop_table("data_key")
    op.drop_table("customer")
    op.drop_table("catalogue_version")
    op.drop_table("audit_run")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION byleave_insert_only()")
