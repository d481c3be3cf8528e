"""Group commit of statements: one writer at a time can append, since the head of the ledger is its lock."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from consent.base.gathering import Gathering as Sharing
from consent.base.store import Store, Work
from consent.register import recording
from consent.register.desk import Desk
from consent.register.recording import Recorded, Refused, Request


class Gathering:
    """The way into the ledger for the threads of one process."""

    def __init__(self, store: Store, desk: Desk) -> None:
        """Start with nobody waiting."""
        self._desk = desk
        self._sharing: Sharing[tuple[Request, datetime], list[Recorded]] = Sharing(store, self._recorded)

    def record(self, request: Request, *, at: datetime) -> list[Recorded]:
        """Record one request as `recording.record` does, in a transaction shared with whoever comes at the same time.

        Its statements stand, durably, when this returns. The ledger's time is the latest of those who share it.

        Raises:
            Exception: whatever `recording.record` and `Store.write` raise of this request.
        """
        return self._sharing.ask((replace(request, now=at), at))

    def _recorded(self, work: Work, asked: Sequence[tuple[Request, datetime]]) -> list[list[Recorded] | Refused]:
        requests = [request for request, _ in asked]
        return recording.record_each(self._desk, work, requests, at=max(at for _, at in asked))
