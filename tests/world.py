"""A small world: one deployment, its people, and what they can do in a sentence each.

Ann permits everything that she is asked for, Bo has said nothing. Mia is the marketer, Cy the compliance officer; to
the consent side they are names of actors. All of it was founded the day before a test begins.
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from consent import gate
from consent.base import schema
from consent.base.ids import CustomerId, Scope, new_id
from consent.base.store import Store
from consent.catalogue.model import ASKED, Catalogue
from consent.catalogue.reading import DEFAULT, parse_catalogue, read_catalogue
from consent.deployment import Deployment, new_keyring, open_deployment
from consent.permission.statement import Statement
from consent.permission.verdict import Verdict
from consent.register import customers, publishing, recording
from consent.register.recording import Recorded
from consent.uses import Use
from personalise.responses import opt_outs
from tests import reference
from tests.builders import FOUNDED, START, statement
from tests.databases import Databases

NAME: Final = "shop.example"
MIA: Final = "mia"
CY: Final = "cy"
NOBODY: Final = CustomerId("")
FOUNDING: Final = 19
"""Entries that a founded world begins with: the catalogue, its seventeen notices, and what Ann granted."""


class SettableClock:
    """A clock that stands still until it is moved."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **by: float) -> datetime:
        """Move on by days, hours, seconds … and return the new time."""
        self.at += timedelta(**by)
        return self.at

    def set(self, at: datetime) -> None:
        self.at = at


@dataclass(frozen=True, kw_only=True)
class Template:
    """A database that was filled once a session: copy it, never open it."""

    databases: Databases
    url: str
    keyring: Path
    ann: CustomerId = NOBODY
    bo: CustomerId = NOBODY


@dataclass(frozen=True, kw_only=True)
class World:
    """A founded deployment with the shipped catalogue, Ann and Bo."""

    deployment: Deployment
    clock: SettableClock
    url: str
    keyring: Path
    ann: CustomerId
    bo: CustomerId
    mia: str = MIA
    cy: str = CY

    @property
    def store(self) -> Store:
        return self.deployment.store

    @property
    def dialect(self) -> str:
        return self.store.dialect

    # ------------------------------------------------------------------------------------------- what customers say

    def say(self, *statements: Statement, actor: str = "customer", key: str = "") -> list[Recorded]:
        """Record statements in one transaction."""
        with self.store.write() as work:
            return recording.record(
                self.deployment.desk, work, statements, actor=actor, at=self.clock(), idempotency_key=key
            )

    def grant(self, customer: CustomerId, *scopes: str, **said: Any) -> Recorded:
        return self._one(customer, "grant", scopes, said)

    def withdraw(self, customer: CustomerId, *scopes: str, **said: Any) -> Recorded:
        return self._one(customer, "withdraw", scopes, said)

    def refuse(self, customer: CustomerId, *scopes: str, **said: Any) -> Recorded:
        return self._one(customer, "refuse", scopes, said)

    def object(self, customer: CustomerId, *scopes: str, **said: Any) -> Recorded:
        return self._one(customer, "object", scopes, said)

    def _one(self, customer: CustomerId, act: str, scopes: Iterable[str], said: Mapping[str, Any]) -> Recorded:
        [recorded] = self.say(self.statement(customer, act, *scopes, **said))
        return recorded

    def statement(self, customer: CustomerId, act: str, *scopes: str, **said: Any) -> Statement:
        """Return a statement said now, to be recorded with `say`."""
        return statement(customer, act, *scopes, **{"said_at": self.clock(), **said})

    def enrol(self, *references: str) -> list[CustomerId]:
        """Enrol customers by the names they have in the company's own system."""
        with self.store.write() as work:
            named = [{customers.REFERENCE: reference} for reference in references]
            return customers.enrol(self.deployment.desk, work, named, at=self.clock())

    # --------------------------------------------------------------------------------------------- the company's side

    def publish(self, catalogue: Catalogue | str) -> int:
        """Publish a catalogue (or the text of one) and return its number."""
        read = parse_catalogue(catalogue) if isinstance(catalogue, str) else catalogue
        with self.store.write() as work:
            return publishing.publish(self.deployment.desk, work, read, actor=self.mia, at=self.clock())

    def check(self, customer: CustomerId, scope: str, **how: Any) -> Verdict:
        """Judge one scope now; asked among others, it is judged the same."""
        given = {"at": self.clock(), **how}
        one = (customer, scope, bool(given.pop("remembered", False)))
        with self.store.live() as work:
            verdict = gate.check(self.deployment.desk, work, customer, scope, **{"at": self.clock(), **how})
            nobody = (CustomerId(new_id("cus", self.clock())), scope, False)
            several = gate.check_each(self.deployment.desk, work, [nobody, one, one], **given)
        assert several == [None, verdict, verdict]
        return verdict

    def reason(self, customer: CustomerId, scope: str, **how: Any) -> str:
        """Return the name of the reason that `check` gives."""
        return self.check(customer, scope, **how).reason.name

    def remember(self, customer: CustomerId, **facts: Any) -> gate.Kept:
        with self.store.write() as work:
            return gate.remember(self.deployment.desk, work, [(customer, facts)], at=self.clock())

    def recall(
        self, who: Sequence[CustomerId], attributes: Sequence[str], *, purpose: str, scopes: Sequence[str] | None = None
    ) -> list[dict[str, Any]]:
        """Recall attributes for a purpose under what the customers permit: one dict a customer, without his id."""
        desk, at = self.deployment.desk, self.clock()
        with self.store.write() as work:
            known = desk.catalogues.current(work).attributes
            asked = [f"use:{known[name].category}:{purpose}" for name in attributes if name in known]
            permitted = gate.permits(desk, work, who, asked if scopes is None else scopes, at=at)
            use = Use(actor=self.mia, purpose=purpose, reason="a test")
            found = gate.recall(desk, work, permitted, attributes=attributes, use=use)
        assert found.column("customer").to_pylist() == list(who)
        rows: list[dict[str, Any]] = found.drop_columns(["customer"]).to_pylist()
        return rows

    # ------------------------------------------------------------------------------------------------------ the proof

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """Run a query in words on what is committed."""
        with self.store.engines.read.connect() as connection:
            return reference.rows(connection, query, **values)

    def tamper(self, statement: str, **values: Any) -> None:
        """Change the database behind the product's back."""
        with self.store.engines.write.begin() as connection:
            connection.execute(sa.text(statement), values)

    def size(self) -> int:
        """Return how many entries the ledger has."""
        [(size,)] = self.rows("SELECT size FROM ledger_head")
        return int(size)

    def faults(self) -> list[str]:
        """Name all that is wrong with what is stored, found from the bytes alone."""
        with self.store.engines.read.connect() as connection:
            return reference.faults(connection, self.keyring)

    def check_ledger(self) -> None:
        """Verify everything again, the slow way; each flow ends with this."""
        assert self.faults() == []


def asked_scopes(catalogue: Catalogue) -> tuple[Scope, ...]:
    """Return the scopes that a customer is asked for."""
    return tuple(each.scope for each in catalogue.in_order if each.legal_basis in ASKED)


def migrated(databases: Databases, folder: Path, *, name: str = "migrated", revision: str = "head") -> Template:
    """Make a template with all tables (of a revision) and nothing in them."""
    url, keyring = databases.empty(name), folder / f"{name}.keyring"
    new_keyring(keyring)
    with closing(Store(url)) as store:
        schema.upgrade(store, revision)
    return Template(databases=databases, url=url, keyring=keyring)


def founded(empty: Template) -> Template:
    """Make a template with the deployment founded, the shipped catalogue published, Ann and Bo enrolled."""
    url = empty.databases.copied(empty.url)
    shipped = read_catalogue(DEFAULT)
    opened = open_deployment(database_url=url, keyring=empty.keyring, clock=lambda: FOUNDED)
    desk = opened.desk
    with closing(opened.store) as store, store.write() as work:
        publishing.found(desk, work, NAME, at=FOUNDED)
        publishing.publish(desk, work, shipped, actor=MIA, at=FOUNDED)
        ann, bo = customers.enrol(
            desk, work, [{"reference": "ANN", "email": "ann@shop.example"}, {"reference": "BO"}], at=FOUNDED
        )
        said = statement(ann, "grant", *asked_scopes(shipped), said_at=FOUNDED)
        recording.record(desk, work, [said], actor="customer", at=FOUNDED)
    return Template(databases=empty.databases, url=url, keyring=empty.keyring, ann=ann, bo=bo)


def opened(template: Template, clock: SettableClock, folder: Path) -> World:
    """Open a copy of a template."""
    url = template.databases.copied(template.url)
    keyring = folder / "keyring.json"
    shutil.copy(template.keyring, keyring)
    return World(
        deployment=open_deployment(database_url=url, keyring=keyring, clock=clock, hears=opt_outs.hear),
        clock=clock,
        url=url,
        keyring=keyring,
        ann=template.ann,
        bo=template.bo,
    )
