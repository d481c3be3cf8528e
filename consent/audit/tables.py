"""The rows of what is done about audits: findings over time, schedules, alarms, evidence packs. Columns only.

They stay in this room. `finding_event` is insert-only, and no row of `finding_state` can be deleted (triggers on both
databases). Nothing in here names a customer but by his pseudonym.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from consent.base.database import Row


def _clustered(comment: str) -> dict[str, object]:
    """Return table options: one B-tree on SQLite, keyed by the primary key; and what a row is."""
    return {"sqlite_with_rowid": False, "comment": comment}


class FindingStateRow(Row):
    """A finding over all audits: one check, one subject, and what is being done about it."""

    __tablename__ = "finding_state"
    __table_args__ = (
        sa.UniqueConstraint("check", "subject"),
        _clustered("a finding over all audits, and how it stands; never deleted"),
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    check: Mapped[str]
    subject: Mapped[str]
    severity: Mapped[str]
    why: Mapped[str]
    state: Mapped[str] = mapped_column(index=True)
    owner: Mapped[str]
    accepted_until: Mapped[datetime | None]
    opened_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    audit: Mapped[str] = mapped_column(sa.ForeignKey("audit_run.id"))
    version: Mapped[int]


class FindingEventRow(Row):
    """What became of a finding, when, and by whom."""

    __tablename__ = "finding_event"
    __table_args__ = _clustered("what became of a finding; insert-only")
    finding: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    event: Mapped[str]
    owner: Mapped[str]
    until: Mapped[datetime | None]
    reason: Mapped[str]
    audit: Mapped[str]


class AuditScheduleRow(Row):
    """When audits are run, and of what."""

    __tablename__ = "audit_schedule"
    __table_args__ = _clustered("when audits are run; a key of a default overrides it")
    key: Mapped[str] = mapped_column(primary_key=True)
    cron: Mapped[str]
    zone: Mapped[str]
    checks: Mapped[str]
    mode: Mapped[str]
    enabled: Mapped[bool]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]
    version: Mapped[int]


class AuditAlarmRow(Row):
    """An alarm: what had not happened in its time; it is over once `cleared_at` is set."""

    __tablename__ = "audit_alarm"
    __table_args__ = (
        sa.Index(
            "uq__audit_alarm__standing", "kind", unique=True,
            sqlite_where=sa.text("cleared_at IS NULL"), postgresql_where=sa.text("cleared_at IS NULL"),
        ),
        _clustered("what had not happened in its time; one of a kind stands at a time"),
    )  # fmt: skip
    kind: Mapped[str] = mapped_column(primary_key=True)
    raised_at: Mapped[datetime] = mapped_column(primary_key=True)
    since: Mapped[datetime]
    detail: Mapped[str]
    cleared_at: Mapped[datetime | None]


class EvidencePackRow(Row):
    """An evidence pack: of what, for whom, and how far it is."""

    __tablename__ = "evidence_pack"
    __table_args__ = _clustered("an evidence pack: what it is about, who asked, how it ended")
    id: Mapped[str] = mapped_column(primary_key=True)
    asked_at: Mapped[datetime] = mapped_column(index=True)
    asked_by: Mapped[str]
    about: Mapped[str]
    customer: Mapped[str]
    personal: Mapped[bool]
    reason: Mapped[str]
    state: Mapped[str]
    detail: Mapped[str]
    position: Mapped[int]
    size: Mapped[int]
    digest: Mapped[bytes]
    made_at: Mapped[datetime | None]
    kept_until: Mapped[datetime | None]


class EvidencePackPartRow(Row):
    """A piece of an evidence pack's bytes, sealed; gone once it is no longer kept."""

    __tablename__ = "evidence_pack_part"
    __table_args__ = _clustered("sealed bytes of an evidence pack; deletable")
    pack: Mapped[str] = mapped_column(sa.ForeignKey("evidence_pack.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sealed: Mapped[bytes]
