"""`byleave serve`, `byleave worker`, `byleave openapi`: what runs until it is stopped, and what it offers.

The one module that names other faces: starting them is a command's work.
"""

import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import Final

import click
from granian import Granian
from granian.constants import Interfaces

from api import app, erasing
from api.cli.frame import Command, Number, Unready, at_home
from api.cli.output import print_verbatim, say
from api.jobs.worker import work
from api.roles import action
from api.settings import name_port, read_settings
from consent.base import schema

_TARGET: Final = "api.wsgi:app"
_PATIENCE_S: Final = 30
"""How long who answers may take to finish what is under way. Who is stopped while he starts does not hear of it."""

_LOG: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"


@click.command(cls=Command, example="byleave serve --with-worker --port 8000")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=Number(1, 65_535), default=8000, show_default=True, help="The port to listen at.")
@click.option("--workers", type=Number(1, 64), default=2, show_default=True, help="Processes that answer.")
@click.option("--threads", type=Number(1, 256), default=16, show_default=True, help="Requests each answers at once.")
@click.option("--with-worker", is_flag=True, help="Run the worker as well.")
@action("house.serve")
def serve(host: str, port: int, workers: int, threads: int, *, with_worker: bool) -> None:
    """Serve pages and API. Links lead to this port, unless BYLEAVE_BASE_URL or `base_url` says where people come."""
    _require_ready()
    name_port(port)
    settings = read_settings()
    server = Granian(
        _TARGET, host, port, interface=Interfaces.WSGI, workers=workers, blocking_threads=threads, factory=True,
        websockets=False, respawn_failed_workers=True, workers_kill_timeout=_PATIENCE_S,
    )  # fmt: skip
    say(f"serving {settings.home} at http://{host}:{port}; people reach it at {settings.base_url}")
    with _working() if with_worker else nullcontext():
        server.serve()


@click.command(cls=Command, example="byleave worker")
@action("house.serve")
def worker() -> None:
    """Run what is due: audits, checkpoints, runs. Two workers are harmless."""
    _require_ready()
    stop = threading.Event()

    def stopped(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, stopped)
    logging.basicConfig(level=logging.INFO, format=_LOG)
    logging.getLogger("apscheduler").setLevel(logging.WARNING)  # it tells of every tick
    say("working; stop with Ctrl-C: what is under way is finished first")
    with at_home() as house:
        work(house, stop)


@click.command(cls=Command, example="byleave openapi")
@action("openapi.show")
def openapi() -> None:
    """Print the API's description (OpenAPI 3.1)."""
    with at_home() as house:
        answer = app.create_app(house).test_client().get("/openapi.json", base_url=house.settings.base_url)
    print_verbatim(answer.get_data(as_text=True))


def _require_ready() -> None:
    """Stop here, with a reason, rather than in each process of the server.

    Raises:
        Unready: the schema is not that of this version.
        RolledBack: a backup was restored, and nobody has settled it.
    """
    with at_home(checked=False) as house:
        current, newest = schema.current(house.deployment.store), schema.newest()
        if current != newest:
            raise Unready(f"the schema is at {current or 'nothing'}, and has to be at {newest}: byleave db upgrade")
        erasing.check(house)


@contextmanager
def _working() -> Iterator[None]:
    """Run the worker in a process of its own while the server answers in others; leaving ends it.

    Not in a thread: the server forks, and a process forked while a thread holds a SQLite lock believes for ever that
    the lock is held.
    """
    process = subprocess.Popen([sys.executable, "-m", "api.cli", "worker"])
    try:
        yield
    finally:
        process.terminate()
        process.wait()
