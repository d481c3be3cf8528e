"""Files that hold secrets: 0600, written whole or not at all, and never quoted."""

import fcntl
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from consent.base.errors import SettingsInvalid

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_LEDGER: Final = "ledger"


def create(path: Path, body: Mapping[str, Any]) -> None:
    """Make a file that only its owner can read; it is on the disk when this returns.

    Raises:
        SettingsInvalid: there is one already, or the folder can't be written.
    """
    try:
        _write(path, body)
    except OSError as refused:
        msg = f"the keyring {path} can't be made: {refused.strerror}"
        raise SettingsInvalid(msg) from refused
    _settled(path.parent)


def read(path: Path) -> dict[str, Any]:
    """Return the JSON object that a file holds.

    Raises:
        SettingsInvalid: missing, readable by others, or damaged. The message holds nothing of it.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        body = json.loads(path.read_text())
    except FileNotFoundError as away:
        msg = f"there is no keyring at {path}: run `byleave init`, or set BYLEAVE_KEYRING"
        raise SettingsInvalid(msg) from away
    except (OSError, ValueError, RecursionError):
        body, mode = None, 0
    if mode & _OTHERS:
        msg = f"the keyring {path} can be read by others (mode {mode:04o}): chmod 600 it"
        raise SettingsInvalid(msg)
    if not isinstance(body, dict):
        msg = f"the keyring {path} can't be read"
        raise SettingsInvalid(msg)
    return body


@contextmanager
def changing(path: Path) -> Iterator[dict[str, Any]]:
    """Read a file, let the block change what it holds, and put it back: one process at a time, whole or not at all.

    A process killed in between leaves the file as it was, or as it was to be.

    Raises:
        SettingsInvalid: it can't be read or written.
    """
    try:
        with path.with_name(path.name + ".lock").open("a") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            body = read(path)
            yield body
            _replace(path, body)
    except OSError as refused:
        msg = f"the keyring {path} can't be changed: {refused.strerror}"
        raise SettingsInvalid(msg) from refused


def ledger_of(path: Path) -> str:
    """Return the ledger that a file's keys were first used for; nothing where they were used for none yet.

    Raises:
        SettingsInvalid: it can't be read.
    """
    return str(read(path).get(_LEDGER, ""))


def bind(path: Path, ledger: str) -> None:
    """Write down which ledger a file's keys are used for, where that isn't known yet.

    Raises:
        SettingsInvalid: it can't be read or written.
    """
    if not ledger_of(path):
        with changing(path) as body:
            body.setdefault(_LEDGER, ledger)


def seen(path: Path) -> tuple[int, ...]:
    """Return what a file looks like from outside: it changes whenever the file is replaced. Empty where it is away."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _replace(path: Path, body: Mapping[str, Any]) -> None:
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)  # of a process that was killed
    _write(draft, body)
    draft.replace(path)
    _settled(path.parent)


def _write(path: Path, body: Mapping[str, Any]) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(body, file)
        file.flush()
        os.fsync(file.fileno())


def _settled(folder: Path) -> None:
    """Have the folder itself on the disk: a file's name lies in it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
