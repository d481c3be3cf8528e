"""Packs as they are kept: who asked for which, how far it is, and its bytes, sealed, until they are no longer kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from consent.audit import reading
from consent.audit.packs.about import About, of_stored
from consent.audit.tables import EvidencePackPartRow, EvidencePackRow
from consent.base.errors import NotFound, StateConflict
from consent.base.ids import CustomerId, new_id
from consent.base.store import Work
from consent.register import parcels
from consent.register.desk import Desk
from consent.register.payloads import LOG_OWNER

KEPT: Final = timedelta(days=30)
"""How long a pack can be fetched; it can be asked for again."""

_PART_BYTES: Final = 1 << 20
_row: Final = EvidencePackRow
_part: Final = EvidencePackPartRow


FORGOTTEN: Final = "erased"
"""The reason that is left of a pack about somebody who was erased since."""


class Stage(StrEnum):
    """How far a pack is."""

    QUEUED = "queued"
    READY = "ready"
    FAILED = "failed"
    EXPIRED = "expired"
    """It was made, and is no longer kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A pack that was asked for."""

    id: str
    asked_at: datetime
    asked_by: str
    about: About
    stage: Stage
    detail: str
    position: int
    """Of the ledger's entry that it was handed out; −1 where it was not."""
    size: int
    digest: bytes
    """SHA-256 of the zip."""
    made_at: datetime | None
    kept_until: datetime | None

    def as_json(self) -> dict[str, Any]:
        """Return the pack as other programs read it."""
        return {
            "pack": self.id, "asked_at": self.asked_at, "asked_by": self.asked_by, "about": self.about.as_text(),
            "personal": self.about.personal, "state": str(self.stage), "detail": self.detail, "position": self.position,
            "size": self.size, "sha256": self.digest.hex(), "made_at": self.made_at, "kept_until": self.kept_until,
        }  # fmt: skip


def ask(work: Work, about: About, *, actor: str, at: datetime) -> str:
    """Write down that somebody asks for a pack, unless he waits for the same one already, and return its id.

    Raises:
        NotFound: it is about an audit that isn't there.
    """
    if about.audit:
        reading.one(work, about.audit, at=at)
    number = new_id("epk", at)
    asked = {
        "asked_by": actor, "about": about.stored(), "customer": about.customer, "personal": about.personal,
        "reason": about.reason.strip(), "state": str(Stage.QUEUED),
    }  # fmt: skip
    waits = work.connection.execute(sa.select(_row.id).filter_by(**asked).order_by(_row.id).limit(1)).scalar()
    if waits is not None:
        return str(waits)
    row = {
        "id": number, "asked_at": at, **asked, "detail": "", "position": -1, "size": 0, "digest": b"", "made_at": None,
        "kept_until": None,
    }  # fmt: skip
    work.connection.execute(sa.insert(_row).values(**row))
    return number


def one(work: Work, pack: str) -> Pack:
    """Return a pack.

    Raises:
        NotFound: there is none of that id.
    """
    row = work.connection.execute(sa.select(EvidencePackRow.__table__).where(_row.id == pack)).first()
    if row is None:
        msg = f"there is no evidence pack {pack[:80]!r}"
        raise NotFound(msg)
    return _read(row)


def listed(work: Work, *, after: str = "", most: int = 20) -> list[Pack]:
    """Return packs, the newest first; `after` is the last id of the page before."""
    query = sa.select(EvidencePackRow.__table__).order_by(_row.id.desc()).limit(most)
    if after:
        query = query.where(_row.id < after)
    return [_read(row) for row in work.connection.execute(query)]


def waiting(work: Work, *, most: int) -> list[str]:
    """Return the ids of packs that are still to be made, the oldest first."""
    query = sa.select(_row.id).where(_row.state == str(Stage.QUEUED)).order_by(_row.id).limit(most)
    return list(work.connection.execute(query).scalars())


def is_over(work: Work, *, at: datetime) -> bool:
    """Say whether the time of any pack is over whose bytes are still kept."""
    over = sa.select(_row.id).where(_row.state == str(Stage.READY), _row.kept_until <= at).limit(1)
    return work.connection.execute(over).first() is not None


def put(desk: Desk, work: Work, pack: Pack, body: bytes, *, digest: bytes, position: int, at: datetime) -> None:
    """Keep a pack's bytes, sealed under the key of the customer it opens payloads of, or of the deployment.

    Raises:
        StateConflict: it was made, or failed, already.
        KeyLost: the customer was erased meanwhile.
    """
    made = {
        "state": str(Stage.READY), "position": position, "size": len(body), "digest": digest, "made_at": at,
        "kept_until": at + KEPT,
    }  # fmt: skip
    _close(work, pack, made)
    owner = _owner(pack.about)
    rows = [
        {"pack": pack.id, "number": spot, "sealed": parcels.sealed(desk, work, owner, body[first : first + _PART_BYTES],
                                                                   place=f"{pack.id}/{spot}")}
        for spot, first in enumerate(range(0, len(body), _PART_BYTES))
    ]  # fmt: skip
    work.connection.execute(sa.insert(_part), rows)


def fail(work: Work, pack: Pack, why: str) -> None:
    """Write down that a pack could not be made, and why.

    Raises:
        StateConflict: it was made, or failed, already.
    """
    _close(work, pack, {"state": str(Stage.FAILED), "detail": why})


def _close(work: Work, pack: Pack, values: dict[str, object]) -> None:
    waiting = sa.update(_row).where(_row.id == pack.id, _row.state == str(Stage.QUEUED)).values(**values)
    if work.connection.execute(waiting).rowcount != 1:
        msg = "the pack was made already"
        raise StateConflict(msg)


def body(desk: Desk, work: Work, pack: Pack) -> Iterator[bytes]:
    """Yield a pack's bytes, part by part.

    Raises:
        StateConflict: it isn't ready, or no longer kept.
        KeyLost: its customer was erased: nobody can open it any more.
    """
    if pack.stage is not Stage.READY:
        raise StateConflict(f"the pack is {pack.stage}: there is nothing to fetch")
    query = sa.select(_part.number, _part.sealed).where(_part.pack == pack.id).order_by(_part.number)
    for row in work.connection.execute(query):
        place = f"{pack.id}/{row.number}"
        yield parcels.opened(desk, work, _owner(pack.about), bytes(row.sealed), place=place)


def tidy(work: Work, *, at: datetime) -> int:
    """Let go of the bytes of packs whose time is over, and return of how many; that they were made stays known."""
    over = sa.select(_row.id).where(_row.state == str(Stage.READY), _row.kept_until <= at)
    ids = list(work.connection.execute(over).scalars())
    if ids:
        work.connection.execute(sa.delete(_part).where(_part.pack.in_(ids)))
        work.connection.execute(sa.update(_row).where(_row.id.in_(ids)).values(state=str(Stage.EXPIRED)))
    return len(ids)


def forget(work: Work, customer: CustomerId) -> int:
    """Let go of every pack about a customer who is being erased, and return how many parts that were.

    That there were such packs stays known, and not why: the reason that somebody wrote down could say who he was.
    """
    ids = list(work.connection.execute(sa.select(_row.id).where(_row.customer == customer)).scalars())
    if not ids:
        return 0
    of_him = _row.id.in_(ids)
    over = {Stage.READY: Stage.EXPIRED, Stage.QUEUED: Stage.FAILED}
    for was, now in over.items():
        ended = sa.update(_row).where(of_him, _row.state == str(was)).values(state=str(now))
        work.connection.execute(ended)
    work.connection.execute(sa.update(_row).where(of_him).values(reason=FORGOTTEN, detail=""))
    return work.connection.execute(sa.delete(_part).where(_part.pack.in_(ids))).rowcount


def _owner(about: About) -> str:
    return about.customer if about.personal else LOG_OWNER


def _read(row: Any) -> Pack:  # noqa: ANN401 -- a Core row
    return Pack(
        id=row.id,
        asked_at=row.asked_at,
        asked_by=row.asked_by,
        # Whoever was erased has left a reason with all packs about him, also with those that had none.
        about=of_stored(row.about, personal=row.personal, reason=row.reason if row.personal else ""),
        stage=Stage(row.state),
        detail=row.detail,
        position=row.position,
        size=row.size,
        digest=bytes(row.digest),
        made_at=row.made_at,
        kept_until=row.kept_until,
    )
