"""Checkpoints and proofs: what the ledger shows to those who don't trust it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.dialects import postgresql, sqlite

from consent.base.database import Hot, table_of
from consent.base.errors import EntryUnknown
from consent.base.store import Store, Work
from consent.ledger import checkpoint, log, merkle, note, stored
from consent.ledger.checkpoint import Checkpoint
from consent.ledger.export import Shown
from consent.ledger.log import Head
from consent.ledger.nodes import nodes_at
from consent.ledger.note import Signer
from consent.ledger.position import parts
from consent.ledger.trust import Trust
from consent.ledger.verify import trust_in
from consent.register.desk import Desk
from consent.tables import CosignatureRow, DataKeyRow, LedgerCheckpointRow
from consent.vault.keyring import Wrapped

SIGNING_KEY: Final = "log:"
"""How the owner of a log key begins that took another's place: it lies wrapped among the data keys."""

_signed = table_of(LedgerCheckpointRow)
_cosigned = table_of(CosignatureRow)
_key = table_of(DataKeyRow)


def _notes() -> sa.Select[tuple[int, str]]:
    """Select sizes and checkpoints, as their witness cosigned them where he has."""
    same = sa.and_(_cosigned.c.log == _signed.c.log, _cosigned.c.size == _signed.c.size)
    return (
        sa.select(_signed.c.size, sa.func.coalesce(_cosigned.c.note, _signed.c.note))
        .select_from(_signed.join(_cosigned, same, isouter=True))
        .where(_signed.c.log == sa.bindparam("log"))
        .limit(sa.literal_column("1"))
    )


_COVERING: Final = Hot(
    _notes().where(_signed.c.size > sa.bindparam("seq")).order_by(_signed.c.size), "log", "seq"
)  # fmt: skip
_NEWEST: Final = Hot(_notes().order_by(_signed.c.size.desc()), "log")
_SIGNING: Final = Hot(
    sa.select(_key.c.owner, _key.c.kek, _key.c.wrapped)
    .where(_key.c.owner > sa.literal_column(f"'{SIGNING_KEY}'"), _key.c.owner < sa.literal_column("'log;'"))
    .order_by(_key.c.owner.desc())
    .limit(sa.literal_column("1"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inclusion:
    """That an entry is in its log: its bytes, and the path from its leaf to the root of the checkpoint.

    `seq` and `size` are those of its log, as the path is; `position` names the entry among all logs.
    """

    seq: int
    body: bytes
    leaf_hash: bytes
    size: int
    path: tuple[bytes, ...]
    checkpoint: str
    position: int


def signer(desk: Desk, origin: str) -> Signer:
    """Return the key that the keyring holds for the log, which bears the log's own name.

    It is the log's first key. Where it was rotated, others know the key in force by it.
    """
    return Signer(name=origin, key=Ed25519PrivateKey.from_private_bytes(desk.keys.log_seed))


def in_force(desk: Desk, work: Work, origin: str) -> Signer:
    """Return the key that signs the newest log now.

    Raises:
        KeyLost: it doesn't unwrap.
    """
    row = work.run(_SIGNING).fetchone()
    if row is None:
        return signer(desk, origin)
    seed = desk.keys.unwrap(row[0], Wrapped(row[1], bytes(row[2])))
    return Signer(name=origin, key=Ed25519PrivateKey.from_private_bytes(seed))


def verifier_key(desk: Desk, work: Work) -> str:
    """Return the public key as a C2SP vkey line: what everybody needs to verify checkpoints and receipts."""
    origin = stored.newest(work).origin
    return note.vkey(origin, in_force(desk, work, origin).verifier.public_key)


def trust(desk: Desk, work: Work) -> Trust:
    """Return the keys of all logs, as they follow from the one in force."""
    return trust_in(verifier_key(desk, work), stored.logs(work), stored.openings(work))


def newest_checkpoint(work: Work) -> str | None:
    """Return the newest signed checkpoint, or None where none was signed yet. Writes nothing."""
    row = work.run(_NEWEST, log.head(work).log).fetchone()
    return None if row is None else str(row[1])


def is_covered(work: Work) -> bool:
    """Say whether a checkpoint covers all of the newest log."""
    newest = log.head(work)
    return work.run(_COVERING, newest.log, newest.size - 1).fetchone() is not None


def sign_checkpoint(desk: Desk, work: Work, *, at: datetime) -> str:
    """Return the checkpoint of the head; sign and store it if this size has none yet.

    Who signs holds the head: while he does, no other key takes over, and no log is sealed or left behind.

    Raises:
        RolledBack: the log lost entries that were signed: to sign others in their place would be to lie.
        LedgerForked: it was signed with two contents; the same.
    """
    known = _at_head(work, log.head(work))
    if known is not None:
        return known
    newest = log.locked_head(work)
    known = _at_head(work, newest)  # somebody else may have signed it while we waited
    return known if known is not None else sign(work, newest, [in_force(desk, work, newest.origin)], at=at)


def _at_head(work: Work, head: Head) -> str | None:
    row = work.run(_COVERING, head.log, head.size - 1).fetchone()
    return str(row[1]) if row is not None and row[0] == head.size else None


def sign(work: Work, head: Head, signers: list[Signer], *, at: datetime) -> str:
    """Sign the checkpoint of a head and store it."""
    state = Checkpoint(origin=head.origin, size=head.size, root=head.root)
    signed = checkpoint.sign(state, *signers)
    row = {"log": head.log, "size": head.size, "note": signed, "signed_at": at}
    insert = (postgresql if work.dialect == "postgresql" else sqlite).insert(LedgerCheckpointRow).values(**row)
    work.connection.execute(insert.on_conflict_do_nothing())  # what a size was signed with once, stays
    return signed


def inclusion(work: Work, position: int) -> Inclusion:
    """Prove that the entry at a position is in its log, under the oldest checkpoint that covers it.

    Raises:
        EntryUnknown: no such entry, or no checkpoint covers it yet.
    """
    number, seq = parts(position)
    body = log.body_of(work, number, seq)
    row = work.run(_COVERING, number, seq).fetchone()
    if row is None:
        msg = f"no checkpoint covers entry {position} yet: sign one first"
        raise EntryUnknown(msg)
    size, signed = row
    nodes = nodes_at(work, number, merkle.inclusion_nodes(seq, size))
    return Inclusion(
        seq=seq,
        body=body,
        leaf_hash=merkle.leaf_hash(body),
        size=size,
        path=tuple(merkle.inclusion_proof(seq, size, nodes=nodes)),
        checkpoint=signed,
        position=position,
    )


def proven(store: Store, desk: Desk, position: int, *, at: datetime) -> Inclusion:
    """Prove the same; where no checkpoint covers the entry yet, one is signed at once.

    Raises:
        EntryUnknown: no such entry.
    """
    with store.read() as work:
        log.body_of(work, *parts(position))
        if work.run(_COVERING, *parts(position)).fetchone() is not None:
            return inclusion(work, position)
    with store.write() as work:
        sign_checkpoint(desk, work, at=at)
        return inclusion(work, position)


def consistency(work: Work, old: int, new: int, *, number: int = 0) -> list[bytes]:
    """Prove that a log of `new` entries begins with the one of `old`.

    Args:
        work: a transaction.
        old: the smaller size.
        new: the greater size.
        number: the log; 0 for the newest.

    Raises:
        EntryUnknown: the log is not that long, or `old` is not before `new`.
    """
    number = number or log.head(work).log
    size = log.size_of(work, number)
    if not 0 < old <= new <= size:
        msg = f"give 0 < old <= new <= {size}"
        raise EntryUnknown(msg)
    nodes = nodes_at(work, number, merkle.consistency_nodes(old, new))
    return merkle.consistency_proof(old, new, nodes=nodes)


def checkpoint_at(work: Work, number: int, size: int) -> str:
    """Return the checkpoint of a log at one size.

    Raises:
        EntryUnknown: none was signed there.
    """
    row = work.run(_COVERING, number, size - 1).fetchone()
    if row is None or row[0] != size:
        msg = f"no checkpoint of log {number} was signed at size {size}"
        raise EntryUnknown(msg)
    return str(row[1])


def covered(work: Work, number: int) -> tuple[int, str]:
    """Return the size and the newest checkpoint of a log: what may be shown of it.

    Raises:
        EntryUnknown: nothing of it was signed yet, or there is no such log.
    """
    row = work.run(_NEWEST, number).fetchone()
    if row is None:
        msg = f"no checkpoint of log {number} was signed yet"
        raise EntryUnknown(msg)
    return int(row[0]), str(row[1])


def shown(desk: Desk, work: Work) -> list[Shown]:
    """Return all logs as far as they may be shown: each under its newest checkpoint, the oldest log first.

    A log that ended without a word, for it had lost signed entries, is shown as far as it was signed.
    """
    known = trust(desk, work)
    told = stored.openings(work)
    found = []
    for each in stored.logs(work):
        row = work.run(_NEWEST, each.log).fetchone()
        if row is None:
            continue
        size, signed = int(row[0]), str(row[1])
        public = known.verifiers(each.origin, each.log, size)[-1].public_key
        openings = {seq: plain for number, seq, plain in told if number == each.log}
        key = note.vkey(each.origin, public)
        found.append(Shown(log=each.log, origin=each.origin, note=signed, vkey=key, openings=openings))
    return found
