"""Rotate the key-encryption key: a new version wraps every data key anew, and the old one can be destroyed.

Nothing that a data key seals is touched. The data keys are walked in the order of their owners, a chunk at a time:
read, wrapped anew (inside the key management system, where that can), and put in place of what was read if that still
stands there. So at every moment each data key unwraps under exactly one version; a rotation that is killed goes on from
its cursor, and two at once do no harm.

Destroying an old version takes a second person, and waits until no backup needs it any more.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from consent.base.clock import Clock
from consent.base.counting import counted
from consent.base.database import Hot, table_of
from consent.base.errors import KeyLost, NotAllowed, StateConflict
from consent.base.store import Store, Work
from consent.ledger import opening
from consent.ledger.entry import Kind
from consent.ledger.log import Appender
from consent.register import sealing
from consent.register.desk import Desk
from consent.register.tables import KeyDestructionRow, KeyRotationRow
from consent.tables import DataKeyRow
from consent.vault.keyring import Wrapped, require_old

CHUNK: Final = 500
IN_FLIGHT: Final = timedelta(minutes=15)
"""How long a transaction that wrapped a key under the old version may still be under way."""

_PASSES: Final = 10
_SHELL: Final = "shell"
_key: Final = table_of(DataKeyRow)
_rotation: Final = table_of(KeyRotationRow)
_destruction: Final = table_of(KeyDestructionRow)
_OLD: Final = Hot(
    sa.select(_key.c.owner, _key.c.kek, _key.c.wrapped)
    .where(_key.c.owner > sa.bindparam("after"), _key.c.kek < sa.bindparam("version"))
    .order_by(_key.c.owner)
    .limit(sa.bindparam("most")),
    "after", "version", "most",
)  # fmt: skip
_MOVE: Final = Hot(
    sa.update(_key)
    .where(_key.c.owner == sa.bindparam("b_owner"), _key.c.wrapped == sa.bindparam("b_was"))
    .values(kek=sa.bindparam("b_kek"), wrapped=sa.bindparam("b_wrapped")),
    "b_kek", "b_wrapped", "b_owner", "b_was",
)  # fmt: skip

Progress = Callable[[int, int], None]
"""Told how many data keys are wrapped anew, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """A rotation, as far as it has got. `lost` are data keys that don't unwrap at all, and stay as they are."""

    version: int
    started_at: datetime
    finished_at: datetime | None
    done: int
    total: int
    position: int
    lost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Destruction:
    """That old versions are to be destroyed, `version` and all before it: who says so, and when it was done."""

    version: int
    asked_by: str
    asked_at: datetime
    confirmed_by: str
    destroyed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """How the keys stand."""

    versions: tuple[int, ...]
    """Those that can unwrap; the last one wraps."""

    in_use: Mapping[int, int]
    """Version → data keys that it wraps."""

    rotation: Rotation | None
    """The newest one, if there ever was one."""

    destructions: tuple[Destruction, ...]

    @property
    def unknown(self) -> tuple[int, ...]:
        """Versions that wrap data keys and are not there: those keys are lost."""
        return tuple(sorted(self.in_use.keys() - set(self.versions)))

    @property
    def outdated(self) -> int:
        """How many data keys an older version than the newest wraps."""
        return sum(count for version, count in self.in_use.items() if version != self.versions[-1])


def state(desk: Desk, work: Work) -> KeyState:
    """Return how the keys stand.

    Raises:
        KmsDown: the key management system does not answer.
    """
    destructions = work.connection.execute(sa.select(_destruction).order_by(_destruction.c.version))
    return KeyState(
        versions=desk.keys.versions(),
        in_use=_in_use(work),
        rotation=_newest(work),
        destructions=tuple(_destruction_of(row) for row in destructions),
    )


def rotate(
    desk: Desk, store: Store, *, actor: str, clock: Clock, progress: Progress | None = None, most: int = CHUNK
) -> Rotation:
    """Make a new version and wrap every data key with it; one that was interrupted is carried on.

    Args:
        desk: keys.
        store: the database; each chunk is a transaction.
        actor: who asked for it.
        clock: where the time is read.
        progress: told after each chunk.
        most: data keys in a chunk.

    Returns:
        The rotation, finished; data keys that were lost before are left as they were.

    Raises:
        KmsDown: the key management system does not answer: what is done is done, run it again.
        DatabaseDown: as above.
    """
    version = _begun(desk, store, actor=actor, at=clock())
    lost: set[str] = set()
    for _ in range(_PASSES):
        lost = _pass(desk, store, version, most, progress)
        with store.read() as work:
            if sum(count for kek, count in _in_use(work).items() if kek < version) <= len(lost):
                break
        _rewind(store, version)  # somebody has enrolled a customer meanwhile, who had not seen the new version
    return _finished(desk, store, version, len(lost), at=clock())


def ask_destruction(desk: Desk, work: Work, version: int, *, actor: str, at: datetime) -> Destruction:
    """Ask for the destruction of a version and all before it; nothing is destroyed before somebody else confirms.

    Raises:
        StateConflict: it is the newest, isn't there, or still wraps data keys.
        KmsDown: the key management system does not answer.
    """
    _require_unused(desk, work, version)
    insert: Any = (postgresql if work.dialect == "postgresql" else sqlite).insert(_destruction)
    row = {"version": version, "asked_at": at, "asked_by": actor, "confirmed_by": "", "destroyed_at": None,
           "position": 0}  # fmt: skip
    work.connection.execute(insert.values(**row).on_conflict_do_nothing())
    return _asked(work, version)


def destroy(
    desk: Desk, store: Store, version: int, *, actor: str, at: datetime, backups_end: timedelta, at_once: bool = False
) -> Destruction:
    """Destroy a version and all before it, as the second person: what they alone could open is lost for ever.

    Args:
        desk: keys.
        store: the database.
        version: that somebody else has asked to destroy.
        actor: the second person.
        at: now.
        backups_end: how long backups are kept: before that, a backup may still need the version.
        at_once: don't wait for that; no backup that was made before the rotation can be restored any more.

    Raises:
        StateConflict: nobody asked for it, it is still in use, or it is too early.
        NotAllowed: the second person is the first.
        KmsDown: the key management system does not answer, or doesn't allow it.
    """
    with store.write() as work:
        asked = _asked(work, version)
        if asked.destroyed_at is not None:
            return asked
        if actor == asked.asked_by:
            raise NotAllowed("destroying keys takes two people: let somebody else confirm it")
        _require_unused(desk, work, version)
        _require_late_enough(work, version, at=at, wait=max(IN_FLIGHT, timedelta() if at_once else backups_end))
        whose = _destruction.c.version == version
        work.connection.execute(sa.update(_destruction).where(whose).values(confirmed_by=actor))
    if desk.keys.versions()[0] <= version:  # else it is destroyed, and we were cut off before we could say so
        desk.keys.destroy(version)
    with store.write() as work:
        position, _ = _told(desk, work, "destroyed", version, 0, at=at)
        work.connection.execute(
            sa.update(_destruction).where(whose).values(destroyed_at=at, position=position)
        )  # fmt: skip
        return _asked(work, version)


def _begun(desk: Desk, store: Store, *, actor: str, at: datetime) -> int:
    """Return the version that is being rotated to: that of a rotation which was cut off, or a new one."""
    with store.read() as work:
        known = _newest(work)
        seen = max((*_in_use(work), known.version if known else 0))
    if known is not None and known.finished_at is None:
        return known.version
    newest = desk.keys.versions()[-1]
    if newest <= seen:
        newest = desk.keys.rotate()
    # Else a version was made (by us, before we were cut off, or by the system itself) and no key was wrapped anew yet.
    with store.write() as work:
        total = sum(count for kek, count in _in_use(work).items() if kek < newest)
        insert: Any = (postgresql if work.dialect == "postgresql" else sqlite).insert(_rotation)
        row = {"version": newest, "started_at": at, "asked_by": actor, "after": "", "done": 0, "total": total,
               "finished_at": None, "position": 0}  # fmt: skip
        work.connection.execute(insert.values(**row).on_conflict_do_nothing())
    return newest


def _pass(desk: Desk, store: Store, version: int, most: int, progress: Progress | None) -> set[str]:
    """Walk the data keys from the cursor on, and return the owners of those that don't unwrap."""
    lost: set[str] = set()
    with store.read() as work:
        after = work.connection.execute(sa.select(_rotation.c.after).where(_rotation.c.version == version)).scalar_one()
    while True:
        with store.read() as work:
            rows = [(owner, kek, bytes(key)) for owner, kek, key in work.run(_OLD, after, version, most).fetchall()]
        if not rows:
            return lost
        # Outside of any transaction: the key management system may be far away.
        anew = desk.keys.rewrap_all([(owner, Wrapped(kek, key)) for owner, kek, key in rows])
        moved = [
            (new.kek, new.key, owner, key)
            for (owner, _, key), new in zip(rows, anew, strict=True)
            if not isinstance(new, KeyLost)
        ]
        lost |= {owner for (owner, _, _), new in zip(rows, anew, strict=True) if isinstance(new, KeyLost)}
        after = rows[-1][0]
        with store.write() as work:
            work.run_many(_MOVE, moved)
            row = _rotation.c.version == version
            further = {"after": after, "done": _rotation.c.done + len(moved)}
            work.connection.execute(sa.update(_rotation).where(row).values(**further))
            done, total = work.connection.execute(sa.select(_rotation.c.done, _rotation.c.total).where(row)).one()
        if progress:
            progress(min(done, total), total)


def _rewind(store: Store, version: int) -> None:
    with store.write() as work:
        work.connection.execute(sa.update(_rotation).where(_rotation.c.version == version).values(after=""))


def _finished(desk: Desk, store: Store, version: int, lost: int, *, at: datetime) -> Rotation:
    """Close the rotation and say so in the ledger, once."""
    with store.write() as work:
        row = _rotation.c.version == version
        closing = sa.update(_rotation).where(row, _rotation.c.finished_at.is_(None)).values(finished_at=at)
        if work.connection.execute(closing).rowcount == 1:
            done = work.connection.execute(sa.select(_rotation.c.done).where(row)).scalar_one()
            position, _ = _told(desk, work, "rotated", version, done, at=at)
            work.connection.execute(sa.update(_rotation).where(row).values(position=position))
        found = work.connection.execute(sa.select(_rotation).where(row)).one()
    return _rotation_of(found, lost=lost)


def _told(desk: Desk, work: Work, act: str, version: int, keys: int, *, at: datetime) -> tuple[int, datetime]:
    """Append an entry about the key-encryption key; everybody may read it."""
    appender = Appender(work, at)
    payload = opening.encryption_key(_SHELL, act, version=version, keys=keys)
    appended, _ = sealing.told(desk, work, appender, Kind.KEY_ROTATED, payload)
    return appended.position, appender.at


def _require_unused(desk: Desk, work: Work, version: int) -> None:
    versions = desk.keys.versions()
    if versions[0] <= version:
        require_old(version, versions)
    used = sum(count for kek, count in _in_use(work).items() if kek <= version)
    if used:
        msg = f"version {version} and those before it still wrap {counted(used, 'data key')}: byleave vault rotate"
        raise StateConflict(msg)


def _require_late_enough(work: Work, version: int, *, at: datetime, wait: timedelta) -> None:
    query = sa.select(sa.func.min(_rotation.c.finished_at)).where(_rotation.c.version > version)
    finished: datetime | None = work.connection.execute(query).scalar()
    if finished is None:
        msg = f"no rotation away from version {version} has been finished"
        raise StateConflict(msg)
    if at < finished + wait:
        when = (finished + wait).isoformat(timespec="minutes")
        msg = f"a backup may still need version {version}: not before {when}"
        raise StateConflict(msg)


def _in_use(work: Work) -> dict[int, int]:
    counted = sa.select(_key.c.kek, sa.func.count()).group_by(_key.c.kek).order_by(_key.c.kek)
    return {row[0]: row[1] for row in work.connection.execute(counted)}


def _newest(work: Work) -> Rotation | None:
    row = work.connection.execute(sa.select(_rotation).order_by(_rotation.c.version.desc()).limit(1)).first()
    return None if row is None else _rotation_of(row)


def _rotation_of(row: Any, *, lost: int = 0) -> Rotation:  # noqa: ANN401 -- a row of the table
    return Rotation(
        version=row.version, started_at=row.started_at, finished_at=row.finished_at, done=row.done, total=row.total,
        position=row.position, lost=lost,
    )  # fmt: skip


def _asked(work: Work, version: int) -> Destruction:
    row = work.connection.execute(sa.select(_destruction).where(_destruction.c.version == version)).first()
    if row is None:
        msg = f"nobody has asked to destroy version {version}: byleave vault destroy {version}"
        raise StateConflict(msg)
    return _destruction_of(row)


def _destruction_of(row: Any) -> Destruction:  # noqa: ANN401 -- a row of the table
    return Destruction(
        version=row.version, asked_by=row.asked_by, asked_at=row.asked_at, confirmed_by=row.confirmed_by,
        destroyed_at=row.destroyed_at,
    )  # fmt: skip
