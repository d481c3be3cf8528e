"""Group commit: what is asked for at the same time is done in one transaction.

Whoever comes while a transaction is under way waits, and the next transaction takes along those who wait: one lock,
one flush and one commit for all of them. Nobody is answered before what he asked for is durable, and what is wrong with
one is his alone.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from consent.base.errors import DatabaseDown, Unavailable
from consent.base.store import Store, Work

_LINGER: Final = 0.25
"""How long the first waits for company that may be about to come, as a share of what the last transaction took."""

_BROKEN_OFF: Final = DatabaseDown("its writer was interrupted")

Q = TypeVar("Q")
A = TypeVar("A")


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Q, A]):
    """A request on its way. Its caller is called when there is an answer, or when it is his turn to write."""

    request: Q
    answer: A | Exception | None = None
    called: threading.Lock = field(default_factory=threading.Lock)
    """Held until he is called; a lock costs a fraction of an event."""

    def __post_init__(self) -> None:
        self.called.acquire()


class Gathering(Generic[Q, A]):
    """The way into the database for the threads of one process that ask for the same kind of thing.

    An answer is never None.
    """

    def __init__(
        self,
        store: Store,
        answer: Callable[[Work, Sequence[Q]], Sequence[A | Exception]],
        fitting: Callable[[Sequence[Q]], Sequence[bool]] | None = None,
    ) -> None:
        """Start with nobody waiting.

        Args:
            store: where transactions begin and end.
            answer: answers requests within one, in their order; an error is one caller's, of whom nothing is left.
            fitting: which of those who wait fit with the first, who always does, into one transaction; None: all.
        """
        self._store = store
        self._answer = answer
        self._fitting = fitting
        self._door = threading.Lock()
        self._waiting: list[_Waiting[Q, A]] = []
        self._writing = False
        self._last = 0
        self._took_s = 0.0
        self._full = threading.Event()

    def ask(self, request: Q) -> A:
        """Have one request answered, in a transaction shared with whoever comes at the same time; durably.

        Raises:
            Exception: the error that is its answer; or what the transaction raised.
        """
        mine: _Waiting[Q, A] = _Waiting(request)
        with self._door:
            self._waiting.append(mine)
            if len(self._waiting) >= self._last:
                self._full.set()
            alone, self._writing = not self._writing, True
        if not alone:
            mine.called.acquire()
        if mine.answer is None:
            self._write_for_all()
        if isinstance(mine.answer, Exception):
            raise mine.answer
        if mine.answer is None:
            raise _BROKEN_OFF
        return mine.answer

    def _write_for_all(self) -> None:
        """Write for all who fit together, and call them; then it is the turn of the first who waits still."""
        self._linger()
        together: list[_Waiting[Q, A]] = []
        try:
            self._write(together)
        finally:
            together += [] if together else self._take()
            for each in together:
                each.answer = _BROKEN_OFF if each.answer is None else each.answer
                each.called.release()
            with self._door:
                self._last = len(together)
                self._writing = bool(self._waiting)
                if self._waiting:
                    self._waiting[0].called.release()

    def _linger(self) -> None:
        """Wait a little for those who were answered a moment ago: they may be about to come again."""
        with self._door:
            missing = self._last > 1 and len(self._waiting) < self._last
            if missing:
                self._full.clear()
        if missing:
            self._full.wait(self._took_s * _LINGER)

    def _take(self) -> list[_Waiting[Q, A]]:
        """Take those who wait now, as far as they fit with the first."""
        with self._door:
            waiting = self._waiting
            fit = self._fitting([each.request for each in waiting]) if self._fitting else [True] * len(waiting)
            self._waiting = [each for each, fits in zip(waiting, fit, strict=True) if not fits]
        return [each for each, fits in zip(waiting, fit, strict=True) if fits]

    def _write(self, together: list[_Waiting[Q, A]]) -> None:
        """Write for `together`, or for whoever waits once it is our turn; each has an answer afterwards."""
        answers: Sequence[A | Exception] = ()
        try:
            with self._store.write() as work:
                began = time.monotonic()
                together += [] if together else self._take()
                answers = self._answer(work, [each.request for each in together])
            self._took_s = time.monotonic() - began
        except Exception as failed:  # noqa: BLE001 -- of whatever kind: it belongs to somebody, who is told
            together += [] if together else self._take()
            if len(together) > 1 and not answers and not isinstance(failed, Unavailable):
                # Nothing of it stands. Each is tried alone, so that what is wrong with one isn't another's fault.
                for each in together:
                    self._write([each])
                return
            # Nothing of it stands, or it broke off while it was committed and nobody knows: then it is for the caller
            # to try again, under his idempotency key.
            answers = [failed] * len(together)
        for each, answer in zip(together, answers, strict=True):
            each.answer = answer
