"""Rotate the log's key: a new one takes over, in an entry that both keys vouch for.

The note in that entry is signed by both, and so is the checkpoint over it. From there on the new key signs alone; what
was signed before stays signed by the old one, and whoever trusts either of them knows the other by the note.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.base.database import table_of
from consent.base.store import Work
from consent.ledger import note, opening, trust
from consent.ledger.entry import Kind
from consent.ledger.log import Appender
from consent.ledger.note import Signer
from consent.ledger.position import position
from consent.register import proving, sealing
from consent.register.desk import Desk
from consent.tables import DataKeyRow

_SEED_BYTES: Final = 32
_key = table_of(DataKeyRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """Which key took over from which, and where."""

    old: str
    new: str
    position: int
    note: str
    checkpoint: str


def rotate(desk: Desk, work: Work, *, actor: str, at: datetime) -> Rotated:
    """Make a new log key, let the old one hand over to it, and sign the first checkpoint with both.

    The new key lies among the data keys, wrapped; one that was itself made by a rotation is deleted.

    Args:
        desk: keys.
        work: a transaction that writes: the new key is in force once it commits.
        actor: of what kind, such as `shell`: everybody may read the entry.
        at: now.

    Raises:
        RolledBack: the log lost entries that its witness knows; settle that first.
        LedgerForked: its witness knows it with other entries; the same.
        KeyLost: the key in force doesn't unwrap.
    """
    appender = Appender(work, at)
    old = proving.in_force(desk, work, appender.origin)
    seed = os.urandom(_SEED_BYTES)
    new = Signer(name=appender.origin, key=Ed25519PrivateKey.from_private_bytes(seed))
    size = appender.size + 1
    signed = trust.rotation_note(appender.origin, size, old=old, new=new)
    appended, head = sealing.told(desk, work, appender, Kind.KEY_ROTATED, opening.rotating(actor, signed))
    owner = f"{proving.SIGNING_KEY}{position(head.log, size):016}"
    wrapped = desk.keys.wrap(owner, seed)
    work.connection.execute(sa.delete(_key).where(_key.c.owner.like(f"{proving.SIGNING_KEY}%")))
    work.connection.execute(sa.insert(_key).values(owner=owner, kek=wrapped.kek, wrapped=wrapped.key))
    checkpoint = proving.sign(work, head, [old, new], at=at)
    return Rotated(
        old=note.vkey(old.name, old.verifier.public_key),
        new=note.vkey(new.name, new.verifier.public_key),
        position=appended.position,
        note=signed,
        checkpoint=checkpoint,
    )
