"""A wire between a client and a PostgreSQL server that can be cut while a transaction is committed."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

import psycopg
import sqlalchemy as sa

_COMMIT = b"COMMIT\x00"
_ENOUGH = 65_536


class Cut(Enum):
    """Where the wire is cut, once."""

    NEVER = "never"
    BEFORE = "before the server was told to commit"
    AFTER = "after the server committed, before it could say so"


@dataclass(slots=True)
class _Line:
    """What the two directions of one connection know of each other."""

    answered: threading.Event = field(default_factory=threading.Event)
    withheld: bool = False
    """The client hears nothing any more."""


class Wire:
    """Listens on a port and hands everything on to a server, both ways."""

    def __init__(self, server: psycopg.ConnectionInfo) -> None:
        """Listen in front of the server that a connection has."""
        self.cut = Cut.NEVER
        self.cuts = 0
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server, line = self._connected(), _Line()
                threading.Thread(target=self._up, args=(client, server, line), daemon=True).start()
                threading.Thread(target=_down, args=(server, client, line), daemon=True).start()

    def _connected(self) -> socket.socket:
        host, port = self._server.host, self._server.port
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    def _up(self, client: socket.socket, server: socket.socket, line: _Line) -> None:
        """Hand on what the client says, and cut the wire when it says COMMIT."""
        with client, server, contextlib.suppress(OSError):
            while said := client.recv(_ENOUGH):
                if said.endswith(_COMMIT) and self.cut is not Cut.NEVER:
                    how, self.cut = self.cut, Cut.NEVER
                    self.cuts += 1
                    if how is Cut.AFTER:
                        line.withheld = True
                        line.answered.clear()
                        server.sendall(said)
                        line.answered.wait()
                    client.shutdown(socket.SHUT_RDWR)
                    server.shutdown(socket.SHUT_RDWR)  # closing it would wait for the other thread to leave it
                    return
                server.sendall(said)


def _down(server: socket.socket, client: socket.socket, line: _Line) -> None:
    """Hand on what the server says, but for an answer that is withheld."""
    with contextlib.suppress(OSError):
        while said := server.recv(_ENOUGH):
            line.answered.set()
            if not line.withheld:
                client.sendall(said)
    line.answered.set()


@contextlib.contextmanager
def wired(url: str) -> Iterator[tuple[Wire, str]]:
    """Put a wire in front of a database; gives it and the address behind it."""
    address = sa.make_url(url)
    plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection:
        wire = Wire(connection.info)
        behind = address.set(host="127.0.0.1", port=wire.port, query={}).render_as_string(hide_password=False)
        try:
            yield wire, behind
        finally:
            wire.close()
