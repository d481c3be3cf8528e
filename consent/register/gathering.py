"""Group commit: what is said at the same time is recorded in one transaction.

One writer at a time can append: the head of the ledger is its lock. Whoever comes while a transaction is under way
waits, and the next transaction takes along all who wait: one lock, one flush and one commit for all of them. Nobody is
answered before what he said is durable, and a refusal is its caller's alone.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from consent.base.errors import DatabaseDown, Unavailable
from consent.base.store import Store
from consent.register import recording
from consent.register.desk import Desk
from consent.register.recording import Recorded, Request

_PAUSE_S: Final = 0.000_3
"""A fraction of what a commit takes."""

_BROKEN_OFF: Final = DatabaseDown("its writer was interrupted")


@dataclass(slots=True, eq=False)
class _Waiting:
    """A request on its way. Its caller is called when there is an answer, or when it is his turn to write."""

    request: Request
    at: datetime
    called: threading.Event = field(default_factory=threading.Event)
    answer: list[Recorded] | Exception | None = None


class Gathering:
    """The way into the ledger for the threads of one process."""

    def __init__(self, store: Store, desk: Desk) -> None:
        """Start with nobody waiting."""
        self._store = store
        self._desk = desk
        self._door = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._writing = False
        self._company = False

    def record(self, request: Request, *, at: datetime) -> list[Recorded]:
        """Record one request as `recording.record` does, in a transaction shared with whoever comes at the same time.

        Its statements stand, durably, when this returns. The ledger's time is the latest of those who share it.

        Raises:
            Exception: whatever `recording.record` and `Store.write` raise of this request.
        """
        mine = _Waiting(replace(request, now=at), at)
        with self._door:
            self._waiting.append(mine)
            alone, self._writing = not self._writing, True
        if not alone:
            mine.called.wait()
        if mine.answer is None:
            self._write_for_all()
        if isinstance(mine.answer, list):
            return mine.answer
        raise mine.answer or _BROKEN_OFF

    def _write_for_all(self) -> None:
        """Write for all who wait, and call them; then it is the turn of the first who came meanwhile."""
        if self._company:
            # They were answered a moment ago and may be about to come again: the first of them doesn't leave alone.
            time.sleep(_PAUSE_S)
        with self._door:
            together, self._waiting = self._waiting, []
        self._company = len(together) > 1
        try:
            self._write(together)
        finally:
            for each in together:
                each.answer = each.answer or _BROKEN_OFF
                each.called.set()
            with self._door:
                self._writing = bool(self._waiting)
                if self._waiting:
                    self._waiting[0].called.set()

    def _write(self, together: Sequence[_Waiting]) -> None:
        """Write for all of them; each has an answer afterwards."""
        answers: Sequence[list[Recorded] | Exception] = ()
        try:
            with self._store.write() as work:
                requests = [each.request for each in together]
                answers = recording.record_each(self._desk, work, requests, at=max(each.at for each in together))
        except Exception as failed:  # noqa: BLE001 -- of whatever kind: it belongs to somebody, who is told
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
