"""The rows of erasure, suppression, households, and the key-encryption key. Columns only; rights and audits read them.

None of them names anybody: a tombstone's pseudonym leads nowhere, and of an address only the keyed hash is kept.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from consent.base.database import Row


def _clustered(comment: str) -> dict[str, object]:
    """Return table options: one B-tree on SQLite, keyed by the primary key; and what a row is."""
    return {"sqlite_with_rowid": False, "comment": comment}


class SuppressionRow(Row):
    """An address that is left alone, as its keyed hash: it survives whoever had it."""

    __tablename__ = "suppression"
    __table_args__ = _clustered("keyed hash of an address that is left alone; survives erasure")
    kind: Mapped[str] = mapped_column(primary_key=True)
    blind: Mapped[bytes] = mapped_column(primary_key=True)
    since: Mapped[datetime]
    position: Mapped[int]


class LiftedSuppressionRow(Row):
    """From when until when an address was left alone: answers as of then go by it.

    Once its customer is erased, `blind` is empty: nobody's answers can go by it any more.
    """

    __tablename__ = "lifted_suppression"
    __table_args__ = (
        sa.Index(None, "kind", "blind"),
        _clustered("from when until when an address was left alone, for answers as of then; nameless once erased"),
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    blind: Mapped[bytes]
    since: Mapped[datetime]
    until: Mapped[datetime]
    lifted_position: Mapped[int]


class ErasureRow(Row):
    """That a customer was erased: when, by which entry, and by which entry it was proved that nothing is left."""

    __tablename__ = "erasure"
    __table_args__ = _clustered("an erased customer's tombstone: the entries of erasure and of its verification")
    customer: Mapped[str] = mapped_column(sa.ForeignKey("customer.id"), primary_key=True)
    erased_at: Mapped[datetime]
    position: Mapped[int]
    verified_at: Mapped[datetime | None] = mapped_column(index=True)
    verified_position: Mapped[int]


class KeyRotationRow(Row):
    """A rotation of the key-encryption key: how far data keys are wrapped anew."""

    __tablename__ = "key_rotation"
    __table_args__ = _clustered("a rotation of the key-encryption key, and its cursor")
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    started_at: Mapped[datetime]
    asked_by: Mapped[str]
    after: Mapped[str]
    done: Mapped[int]
    total: Mapped[int]
    finished_at: Mapped[datetime | None]
    position: Mapped[int]


class KeyDestructionRow(Row):
    """A wish to destroy old versions of the key-encryption key: two people say so, then it is done."""

    __tablename__ = "key_destruction"
    __table_args__ = _clustered("a destruction of old key-encryption keys: who asked, who confirmed")
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    asked_at: Mapped[datetime]
    asked_by: Mapped[str]
    confirmed_by: Mapped[str]
    destroyed_at: Mapped[datetime | None]
    position: Mapped[int]


class HouseholdRow(Row):
    """A household: the keyed hash of what the company calls it. It is gone once nobody is in it.

    Its row is the lock behind which contacts with its members are counted and reserved.
    """

    __tablename__ = "household"
    __table_args__ = _clustered(
        "keyed hash of what a household is called; its row lock orders contacts with its members"
    )
    blind: Mapped[bytes] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)


class HouseholdMemberRow(Row):
    """In which household a customer is, or was: what a cap counted is recomputed by where the ledger stood then."""

    __tablename__ = "household_member"
    __table_args__ = (
        sa.Index(
            "uq__household_member__now", "customer", unique=True,
            sqlite_where=sa.text("until_position IS NULL"), postgresql_where=sa.text("until_position IS NULL"),
        ),
        _clustered("in which household a customer is, or was, and from which ledger position until which"),
    )  # fmt: skip
    customer: Mapped[str] = mapped_column(sa.ForeignKey("customer.id"), primary_key=True)
    since_position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    household: Mapped[str] = mapped_column(index=True)
    since: Mapped[datetime]
    until: Mapped[datetime | None]
    until_position: Mapped[int | None]
