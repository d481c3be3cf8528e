"""Whose turn it is to write into a SQLite file: one after the other, in this process and among several.

SQLite lets one writer in at a time. Whoever comes second looks again, ever more seldom, and whoever has just written is
back before him: under load somebody waits for a second while others write hundreds of times. Two locks on files beside
the database make it a queue. Who wants to write takes the first, waits for the second, and gives the first back: who
has just written finds the first taken, and waits in turn.

It is manners, not safety: that two don't write at once SQLite sees to by itself, also where somebody doesn't queue.
"""

import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

SUFFIXES: Final = ("-next", "-turn")
"""What the names of its two files end in, behind the database's."""

_LOOK_S: Final = 0.0003
"""Between two looks whether a lock is free."""

_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC


class _Line:
    """A lock for the threads of a process that goes to who has waited longest; Python's goes to who is quickest."""

    def __init__(self) -> None:
        """Start with nobody there."""
        self._door = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._taken = False

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait until it is handed over, and hand it on behind the block."""
        mine = threading.Lock()
        mine.acquire()
        with self._door:
            if self._taken:
                self._waiting.append(mine)
            else:
                self._taken = True
                mine.release()
        try:
            mine.acquire()
        except BaseException:  # he was interrupted: it goes past him
            self._leave(mine)
            raise
        try:
            yield
        finally:
            self._hand_on()

    def _leave(self, mine: threading.Lock) -> None:
        with self._door:
            waits = mine in self._waiting
            if waits:
                self._waiting.remove(mine)
        if not waits:
            self._hand_on()

    def _hand_on(self) -> None:
        with self._door:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False


class Turns:
    """The queue of one file's writers."""

    def __init__(self, file: Path, *, patience: float) -> None:
        """Queue for `file`; whoever has waited for `patience` seconds goes on without his turn."""
        self._own = _Line()
        self._patience = patience
        self._next, self._turn = (file.with_name(file.name + name) for name in SUFFIXES)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for one's turn, and keep it while the block runs.

        The locks go with the files, which are opened each time: they are nobody's who was forked meanwhile, and given
        back for whoever dies. Where the files can't be opened there is no queue.
        """
        with self._own.taken(), ExitStack() as kept:
            ends = time.monotonic() + self._patience
            with ExitStack() as queueing, suppress(OSError):  # no rights, or no room: the database itself will tell
                ahead, turn = _opened(self._next, queueing), _opened(self._turn, kept)
                if _locked(ahead, ends):
                    _locked(turn, ends)
            yield


def _opened(file: Path, until: ExitStack) -> int:
    found = os.open(file, _FLAGS, 0o600)
    until.callback(os.close, found)
    return found


def _locked(file: int, ends: float) -> bool:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > ends:
                return False
            time.sleep(_LOOK_S)
        else:
            return True
