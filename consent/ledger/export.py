"""Export the logs into a directory that any transparency-log verifier can read, and that a web server can serve.

The directory itself holds the newest log: `checkpoint`, `vkey`, `tile/…`, and beside them `openings.json`, which shows
what entries about the log itself say. Each log before it lies in a directory of its own, called by its period. Files
are written whole or not at all, the checkpoint last: whatever was interrupted, it covers what lies there. Exported
again, only what is new is written.

Source:
    c2sp.org/tlog-tiles.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from consent.base.canonical import b64u
from consent.base.counting import counted
from consent.base.errors import SettingsInvalid, StateConflict
from consent.base.store import Store, Work
from consent.ledger import checkpoint, merkle, note, opening, period, tiles, tiling
from consent.ledger.checkpoint import Checkpoint
from consent.ledger.merkle import Frontier
from consent.ledger.nodes import nodes_at
from consent.ledger.note import NoteRefused
from consent.ledger.tiles import WIDTH, Tile

CHECKPOINT: Final = "checkpoint"
VKEY: Final = "vkey"
OPENINGS: Final = "openings.json"
TILES: Final = "tile"
_AT_ONCE: Final = 32
_MODE: Final = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A log as far as it may be shown: under its newest checkpoint."""

    log: int
    origin: str
    note: str
    vkey: str
    openings: Mapping[int, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export did: how many files it wrote, and how many entries of the newest log lie there now."""

    folder: Path
    origin: str
    size: int
    logs: int
    written: int


def export(store: Store, logs: Sequence[Shown], folder: Path) -> Exported:
    """Write the logs into a directory, or what is new of them.

    Args:
        store: read in many short transactions.
        logs: all logs, the oldest first.
        folder: made if it isn't there.

    Raises:
        StateConflict: the directory holds another log, or another history of one of these.
        SettingsInvalid: it can't be written.
        LedgerBroken: something of a log is missing.
    """
    *older, newest = logs
    try:
        _make_way(folder, {each.origin for each in older}, newest.origin)
        written = sum(_export_log(store, each, folder / _period(each.origin)) for each in older)
        written += _export_log(store, newest, folder)
    except OSError as refused:
        msg = f"{folder} can't be written: {refused.strerror}"
        raise SettingsInvalid(msg) from refused
    size = checkpoint.parse(note.split(newest.note)[0]).size
    return Exported(folder=folder, origin=newest.origin, size=size, logs=len(logs), written=written)


def _period(origin: str) -> str:
    known = period.read(origin)
    return str(known[1]) if known else origin.replace("/", "_")


def _make_way(folder: Path, older: set[str], newest: str) -> None:
    """Move a log that was the newest when it was exported, and is no longer, into a directory of its own."""
    known = _exported(folder)
    if known is None or known.origin == newest:
        return
    if known.origin not in older:
        msg = f"{folder} holds {known.origin}: export into another directory"
        raise StateConflict(msg)
    apart = folder / _period(known.origin)
    apart.mkdir(parents=True, exist_ok=True)
    for name in (TILES, OPENINGS, VKEY, CHECKPOINT):  # the checkpoint last: until then it still lies where it was
        if (folder / name).exists():
            (folder / name).replace(apart / name)


def _exported(folder: Path) -> Checkpoint | None:
    """Return the checkpoint that lies in a directory; None where there is none, or none that can be read."""
    try:
        return checkpoint.parse(note.split((folder / CHECKPOINT).read_text("utf-8"))[0])
    except (FileNotFoundError, NoteRefused, UnicodeDecodeError):
        return None


def _export_log(store: Store, shown: Shown, folder: Path) -> int:
    state = checkpoint.parse(note.split(shown.note)[0])
    before = _exported(folder)
    since = 0
    if before:
        with store.read() as work:
            _require_same(work, shown, before, folder)
        since = min(before.size, state.size)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = list(tiles.needed(state.size, since=since))
    written = 0
    for first in range(0, len(wanted), _AT_ONCE):
        with store.read() as work:
            made = [(tile, tiling.read(work, shown.log, tile, size=state.size)) for tile in wanted[first:][:_AT_ONCE]]
        written += sum(_write(folder / tile.path, content) for tile, content in made)
    _settle({(folder / tile.path).parent for tile in wanted})
    for tile in wanted:
        _tidy(folder, tile)
    openings = [{"payload": plain[opening.SALT_BYTES :].decode(), "salt": b64u(plain[: opening.SALT_BYTES]), "seq": seq}
                for seq, plain in sorted(shown.openings.items()) if seq < state.size]  # fmt: skip
    told = orjson.dumps({"log": shown.origin, "openings": openings}, option=orjson.OPT_INDENT_2)
    last = ((OPENINGS, told + b"\n"), (VKEY, f"{shown.vkey}\n".encode()), (CHECKPOINT, shown.note.encode()))
    return written + sum(_write(folder / name, content, over=True) for name, content in last)


def _require_same(work: Work, shown: Shown, before: Checkpoint, folder: Path) -> None:
    """Refuse to go on from what the log does not begin with."""
    if before.origin != shown.origin:
        msg = f"{folder} holds {before.origin}: export into another directory"
        raise StateConflict(msg)
    places = merkle.frontier_positions(before.size)
    nodes = nodes_at(work, shown.log, places)
    if len(nodes) == len(places):
        root = merkle.root_of(Frontier(size=before.size, hashes=tuple(nodes[place] for place in places)))
        if root == before.root:
            return
    exported = counted(before.size, "entry that was", "entries that were")
    msg = f"the ledger does not begin with the {exported} exported to {folder}: it was changed"
    raise StateConflict(msg)


def _tidy(folder: Path, tile: Tile) -> None:
    """Remove the partial tiles of one that is full now."""
    full = folder / tile.path
    partial = full.with_name(f"{full.name}.p")
    if tile.width == WIDTH and partial.is_dir():
        for each in partial.iterdir():
            each.unlink()
        partial.rmdir()


def _settle(folders: Iterable[Path]) -> None:
    """Make sure that the files are in their directories before a checkpoint says so."""
    for folder in folders:
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _write(path: Path, content: bytes, *, over: bool = False) -> bool:
    """Write a file whole or not at all; one that is there already is left, for a tile's path says what it holds."""
    if not over and _holds(path, len(content)):
        return False
    if over and path.exists() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    unready = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(unready, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unready.replace(path)
    return True


def _holds(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False
