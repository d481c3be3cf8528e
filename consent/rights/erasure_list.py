"""The list of erasures: a file beside the keyring, which says what must hold whatever backup is brought back.

A database that is restored knows nothing of what was erased or suppressed after its backup was made. So each of these
is written down outside of it: one line each, appended and synced, with the keyed hash of whom it concerns. It is never
restored with the database. A line is written *before* its erasure is committed and another one after it, so there is
no moment at which an erasure is known to nobody; a line that was never followed by the second is looked up when the
deployment is opened next.

Each line carries a MAC over itself and the line before it. A line that was cut off by a crash is no line.
"""

import fcntl
import hashlib
import hmac
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from io import FileIO
from itertools import pairwise
from pathlib import Path
from typing import Final

from consent.base.canonical import b64u
from consent.base.clock import rfc3339
from consent.base.errors import DatabaseDown, LedgerBroken

_LINE: Final = re.compile(
    r"(?P<body>(?P<event>erasing|erased|kept|suppressed|lifted) (?P<at>[0-9TZ:.-]{24}) "
    r"(?P<position>0|[1-9][0-9]{0,15}) (?P<subject>[a-z0-9_]*:[\w-]{43})) (?P<mac>[\w-]{43})\n",
    re.ASCII,
)
_DOMAIN: Final = b"byleave/erasure_list/v1\x00"
_ERASED: Final = b"byleave/erased/v1\x00"
_FIRST: Final = "A" * 43
_TAIL: Final = 65_536


class Event(StrEnum):
    """What a line says."""

    ERASING = "erasing"
    """A customer is about to be erased: the transaction has done everything but commit."""
    ERASED = "erased"
    """He is."""
    KEPT = "kept"
    """He isn't, after all: the transaction was never committed."""
    SUPPRESSED = "suppressed"
    LIFTED = "lifted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: what, whom it concerns (kind of address or nothing, and keyed hash), and which ledger entry says so."""

    event: Event
    subject: str
    position: int
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlasting:
    """What must hold in a restored database: who is erased, which addresses are suppressed; by their keyed hashes."""

    erased: frozenset[str]
    suppressed: frozenset[str]


class ErasureList:
    """The list of one deployment; any number of processes append to it."""

    def __init__(self, path: Path, index_key: bytes) -> None:
        """Nothing is opened yet; a list that isn't there is an empty one."""
        self.path = path
        self._key = index_key

    def subject_of(self, customer: str) -> str:
        """Return how the list names a customer: by a keyed hash of his pseudonym."""
        return ":" + b64u(hmac.digest(self._key, _ERASED + customer.encode(), "sha256"))

    def note(self, lines: Iterable[tuple[Event, str, int]], *, at: datetime) -> None:
        """Append lines (event, subject, ledger position); they are on the disk when this returns.

        Raises:
            DatabaseDown: the file can't be written, so nothing may be erased.
            LedgerBroken: its last line is not one of ours.
        """
        try:
            with self._alone() as file:
                mac = self._last_mac(file)
                written = b""
                for event, subject, position in lines:
                    body = f"{event} {rfc3339(at)} {position} {subject}"
                    mac = self._mac(mac, body)
                    written += f"{body} {mac}\n".encode()
                file.write(written)
                os.fsync(file.fileno())
        except OSError as refused:
            msg = f"the list of erasures {self.path} can't be written: {refused.strerror}"
            raise DatabaseDown(msg) from refused

    def lines(self) -> Iterator[Line]:
        """Walk all lines from the first on, each held against its MAC.

        Raises:
            LedgerBroken: a line was changed, moved or taken out.
        """
        mac = _FIRST
        for number, text in enumerate(self._text(0).splitlines(keepends=True), start=1):
            found = _LINE.fullmatch(text)
            if found is None and not text.endswith("\n"):
                return  # cut off by a crash: it was never said to be written
            if found is None or not hmac.compare_digest(found["mac"], self._mac(mac, found["body"])):
                msg = f"line {number} of the list of erasures {self.path} was changed"
                raise LedgerBroken(msg)
            mac = found["mac"]
            yield _line(found)

    def newest(self) -> list[Line]:
        """Return the last lines, some hundred of them, in order: enough to know what was under way.

        Raises:
            LedgerBroken: one of them was changed.
        """
        try:
            start = max(0, self.path.stat().st_size - _TAIL)
        except FileNotFoundError:
            return []
        if start == 0:
            return list(self.lines())
        found = [each for each in map(_LINE.fullmatch, self._text(start).splitlines(keepends=True)[1:]) if each]
        for before, after in pairwise(found):
            if not hmac.compare_digest(after["mac"], self._mac(before["mac"], after["body"])):
                msg = f"the end of the list of erasures {self.path} was changed"
                raise LedgerBroken(msg)
        return [_line(each) for each in found[1:]]

    def outlasting(self) -> Outlasting:
        """Return all that must hold whatever is restored; an erasure that was under way counts.

        Raises:
            LedgerBroken: a line was changed, moved or taken out.
        """
        erased: dict[str, Event] = {}
        suppressed: dict[str, Event] = {}
        for line in self.lines():
            of_address = line.event in (Event.SUPPRESSED, Event.LIFTED)
            known = suppressed if of_address else erased
            if line.event is not Event.KEPT or known.get(line.subject) is Event.ERASING:
                known[line.subject] = line.event
        return Outlasting(
            erased=frozenset(subject for subject, event in erased.items() if event is not Event.KEPT),
            suppressed=frozenset(subject for subject, event in suppressed.items() if event is Event.SUPPRESSED),
        )

    def under_way(self) -> list[Line]:
        """Return erasures at the end of the list that neither were done nor weren't, as far as the list knows."""
        unsettled: dict[str, Line] = {}
        for line in self.newest():
            if line.event is Event.ERASING:
                unsettled[line.subject] = line
            elif line.event in (Event.ERASED, Event.KEPT):
                unsettled.pop(line.subject, None)
        return list(unsettled.values())

    @contextmanager
    def _alone(self) -> Iterator[FileIO]:
        """Open the file for whoever appends now, and cut off what a crash left half written."""
        new = not self.path.exists()
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        with FileIO(handle, "r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if new:
                _settle(self.path.parent)
            yield file

    def _last_mac(self, file: FileIO) -> str:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL))
        text = file.read().decode("ascii", "replace")
        whole = text[: text.rfind("\n") + 1]
        if len(whole) < len(text):
            file.truncate(size - (len(text) - len(whole)))
        if not whole:
            return _FIRST
        found = _LINE.fullmatch(whole[whole.rfind("\n", 0, -1) + 1 :])
        if found is None:
            msg = f"the end of the list of erasures {self.path} was changed"
            raise LedgerBroken(msg)
        return found["mac"]

    def _text(self, start: int) -> str:
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                return file.read().decode("ascii", "replace")
        except FileNotFoundError:
            return ""
        except OSError as refused:
            msg = f"the list of erasures {self.path} can't be read: {refused.strerror}"
            raise DatabaseDown(msg) from refused

    def _mac(self, before: str, body: str) -> str:
        return b64u(hmac.digest(self._key, _DOMAIN + before.encode() + b"\x00" + body.encode(), hashlib.sha256))


def _line(found: re.Match[str]) -> Line:
    return Line(event=Event(found["event"]), subject=found["subject"], position=int(found["position"]), at=found["at"])


def _settle(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
