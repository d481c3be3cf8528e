"""A witness for tests: its own folder, its own key, and a server of its own in a thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from typing_extensions import override

from api.witness import create_app
from consent.base.clock import Clock
from consent.ledger import note
from consent.witness import book, own_key
from consent.witness.asking import WitnessPlace
from consent.witness.book import Contradiction, Seen
from consent.witness.judge import Witness

NAME = "witness.example/w1"


class _Quiet(WSGIRequestHandler):
    """Says nothing on stderr."""

    @override
    def log_message(self, format: str, *args: object) -> None:
        return


@dataclass
class RunningWitness:
    """A witness that answers at an address; it can be stopped and started again, and keeps what it saw."""

    folder: Path
    clock: Clock
    port: int = 0
    _server: WSGIServer | None = field(default=None, repr=False)
    _thread: threading.Thread | None = field(default=None, repr=False)

    @property
    def place(self) -> WitnessPlace:
        """Where it is asked."""
        key = own_key.open_key(self.folder).verifier
        return WitnessPlace(url=f"http://127.0.0.1:{self.port}", key=key, timeout_seconds=5.0)

    def judge(self) -> Witness:
        """Return the witness itself, without a server."""
        return Witness(own_key.open_key(self.folder), book.open_book(self.folder))

    def start(self) -> None:
        """Answer, at the address it had before."""
        self._server = make_server(
            "127.0.0.1", self.port, create_app(self.judge(), clock=self.clock), handler_class=_Quiet
        )
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Answer no longer."""
        if self._server and self._thread:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None

    def trust(self, vkey: str) -> None:
        """Trust the key of a log."""
        kept = book.open_book(self.folder)
        with kept.writing() as work:
            book.trust(work, note.verifier_of(vkey), at=1)
        kept.close()

    def seen(self) -> list[Seen]:
        """Return what it cosigned last of each log."""
        kept = book.open_book(self.folder)
        with kept.reading() as work:
            found = book.all_seen(work)
        kept.close()
        return found

    def contradictions(self) -> list[Contradiction]:
        """Return what contradicted it."""
        kept = book.open_book(self.folder)
        with kept.reading() as work:
            found = book.contradictions(work)
        kept.close()
        return found


def made(folder: Path, *vkeys: str, clock: Clock) -> RunningWitness:
    """Make a witness that trusts some logs; nobody answers yet."""
    own_key.create(folder, NAME)
    book.create(folder).close()
    witness = RunningWitness(folder, clock)
    for vkey in vkeys:
        witness.trust(vkey)
    return witness


@contextmanager
def running(folder: Path, *vkeys: str, clock: Clock) -> Iterator[RunningWitness]:
    """Run a witness that trusts some logs."""
    witness = made(folder, *vkeys, clock=clock)
    witness.start()
    try:
        yield witness
    finally:
        witness.stop()
