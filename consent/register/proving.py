"""Checkpoints and proofs: what the ledger shows to those who don't trust it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.dialects import postgresql, sqlite

from consent.base.database import Hot, table_of
from consent.base.errors import EntryUnknown
from consent.base.store import Work
from consent.ledger import checkpoint, log, merkle, note
from consent.ledger.checkpoint import Checkpoint
from consent.ledger.note import Signer
from consent.register.desk import Desk
from consent.tables import LedgerCheckpointRow

_signed = table_of(LedgerCheckpointRow)
_COVERING: Final = Hot(
    sa.select(_signed.c.size, _signed.c.note)
    .where(_signed.c.log == sa.bindparam("log"), _signed.c.size > sa.bindparam("seq"))
    .order_by(_signed.c.size)
    .limit(sa.literal_column("1")),
    "log", "seq",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Inclusion:
    """That an entry is in the log: its bytes, and the path from its leaf to the root of the checkpoint."""

    seq: int
    body: bytes
    leaf_hash: bytes
    size: int
    path: tuple[bytes, ...]
    checkpoint: str


def signer(desk: Desk, origin: str) -> Signer:
    """Return the log's signing key, which bears the log's own name."""
    return Signer(name=origin, key=Ed25519PrivateKey.from_private_bytes(desk.keys.log_seed))


def verifier_key(desk: Desk, work: Work) -> str:
    """Return the public key as a C2SP vkey line: what everybody needs to verify checkpoints and receipts."""
    origin = log.head(work).origin
    return note.vkey(origin, signer(desk, origin).verifier.public_key)


def newest_checkpoint(work: Work) -> str | None:
    """Return the newest signed checkpoint, or None where none was signed yet. Writes nothing."""
    newest = log.head(work)
    query = (
        sa.select(LedgerCheckpointRow.note)
        .where(LedgerCheckpointRow.log == newest.log)
        .order_by(LedgerCheckpointRow.size.desc())
        .limit(1)
    )
    return work.connection.execute(query).scalar()


def sign_checkpoint(desk: Desk, work: Work, *, at: datetime) -> str:
    """Return the checkpoint of the head; sign and store it if this size has none yet."""
    newest = log.head(work)
    known = work.connection.execute(
        sa.select(LedgerCheckpointRow.note).where(
            LedgerCheckpointRow.log == newest.log, LedgerCheckpointRow.size == newest.size
        )
    ).scalar()
    if known is not None:
        return str(known)
    state = Checkpoint(origin=newest.origin, size=newest.size, root=newest.root)
    signed = checkpoint.sign(state, signer(desk, newest.origin))
    row = {"log": newest.log, "size": newest.size, "note": signed, "signed_at": at}
    insert = (postgresql if work.dialect == "postgresql" else sqlite).insert(LedgerCheckpointRow).values(**row)
    work.connection.execute(insert.on_conflict_do_nothing())  # whoever signs it at this moment writes the same bytes
    return signed


def inclusion(work: Work, seq: int) -> Inclusion:
    """Prove that an entry is in the log, under the oldest checkpoint that covers it.

    Raises:
        EntryUnknown: no such entry, or no checkpoint covers it yet.
    """
    newest = log.head(work)
    body = log.body_of(work, newest.log, seq)
    row = work.run(_COVERING, newest.log, seq).fetchone()
    if row is None:
        msg = f"no checkpoint covers entry {seq} yet: sign one first"
        raise EntryUnknown(msg)
    size, signed = row
    nodes = log.nodes_at(work, newest.log, merkle.inclusion_nodes(seq, size))
    return Inclusion(
        seq=seq,
        body=body,
        leaf_hash=merkle.leaf_hash(body),
        size=size,
        path=tuple(merkle.inclusion_proof(seq, size, nodes=nodes)),
        checkpoint=signed,
    )


def consistency(work: Work, old: int, new: int) -> list[bytes]:
    """Prove that the log of `new` entries begins with the one of `old`.

    Raises:
        EntryUnknown: the log is not that long, or `old` is not before `new`.
    """
    newest = log.head(work)
    if not 0 < old <= new <= newest.size:
        msg = f"give 0 < old <= new <= {newest.size}"
        raise EntryUnknown(msg)
    nodes = log.nodes_at(work, newest.log, merkle.consistency_nodes(old, new))
    return merkle.consistency_proof(old, new, nodes=nodes)
