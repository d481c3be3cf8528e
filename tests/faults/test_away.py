"""Fault 10: the database is down, or the key management system is. Nothing is recorded, nothing opens without keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from api.actors import keys
from api.app import create_app
from api.roles import KeyScope, Role
from api.settings import Settings
from api.wiring import House
from consent import gate
from consent.base.errors import KmsDown
from consent.catalogue.reading import DEFAULT, read_catalogue
from consent.deployment import open_deployment
from consent.register import customers, publishing
from consent.uses import Use
from consent.vault.transit import create_sealed_keyring
from tests import reference
from tests.vaults import FakeVault, place, serving

MAIL = "contact:email:recommendations"


def client_of(house, at):
    """Return a client of the API, and the headers that it sends."""
    with house.deployment.store.write() as work:
        made = keys.make(work, "a shop", scopes=tuple(KeyScope), role=Role.INTEGRATOR, at=at)
    return create_app(house).test_client(), {"Authorization": f"Bearer {made.token}"}


def said(customer, act, *scopes):
    return {"customer": customer, "act": act, "scopes": list(scopes), "method": "web_form"}


def post(client, headers, path, body, key=""):
    return client.post(f"/api/v1/{path}", json=body, headers={**headers, **({"Idempotency-Key": key} if key else {})})


@contextmanager
def away(world) -> Iterator[None]:
    """Take a database away for a while."""
    world.store.close()
    address = sa.make_url(world.url)
    if world.dialect == "sqlite":
        file = Path(address.database or "")
        hidden = file.rename(file.with_suffix(".hidden"))
        file.mkdir()
        yield
        world.store.close()
        file.rmdir()
        hidden.rename(file)
        return
    name = address.database
    server = address.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        yield
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())


def test_while_the_database_is_down_a_withdrawal_is_answered_as_not_recorded_and_nothing_is_permitted(world):
    house = House(settings=Settings(database_url=world.url, keyring=world.keyring), deployment=world.deployment)
    client, headers = client_of(house, world.clock())
    withdrawal = said(world.ann, "withdraw", MAIL)
    size = world.size()
    with away(world):
        refused = post(client, headers, "statements", withdrawal, "w")
        asked = post(client, headers, "permissions:check", {"checks": [{"customer": world.ann, "scope": MAIL}]})
        decided = post(client, headers, "decisions", {"customer": world.ann, "campaign": "spring"}, "d")
    back = post(client, headers, "statements", withdrawal, "w")

    answers = [(each.status_code, each.json["code"], each.headers["Retry-After"]) for each in (refused, asked, decided)]
    assert answers == [(503, "database_down", "5")] * 3
    assert refused.json["title"] == "Not recorded: the database does not answer"
    assert (back.status_code, back.json["repeated"], world.size()) == (201, False, size + 1)
    assert world.reason(world.ann, MAIL) == "WITHDRAWN"
    world.check_ledger()


@pytest.fixture
def vaulted(blank, tmp_path):
    """Return a Vault, and a deployment that is founded with its keys in it, with one customer who permits all."""
    with serving(FakeVault()) as vault:
        here, path = place(vault, tmp_path), tmp_path / "sealed.json"
        create_sealed_keyring(path, here).close()
        deployment = open_deployment(database_url=blank.url, keyring=path, clock=blank.clock, vault=here)
        desk, at = deployment.desk, blank.clock()
        with deployment.store.write() as work:
            publishing.found(desk, work, "shop.example", at=at)
            publishing.publish(desk, work, read_catalogue(DEFAULT), actor="mia", at=at)
            [customer] = customers.enrol(desk, work, [{"reference": "ANN"}], at=at)
        try:
            yield vault, House(settings=Settings(database_url=blank.url, keyring=path), deployment=deployment), customer
        finally:
            deployment.close()


def stored(house):
    """Return every row that a statement, an enrolment or a memory would change."""
    with house.deployment.store.engines.read.connect() as connection:
        return [
            sorted(reference.rows(connection, f"SELECT * FROM {table}"), key=repr)  # noqa: S608 -- our own tables
            for table in ("ledger_entry", "ledger_payload", "data_key", "memory", "identity", "standing")
        ]


def recall(deployment, customer):
    """Recall what is remembered of a customer."""
    desk, at = deployment.desk, deployment.clock()
    with deployment.store.write() as work:
        permitted = gate.permits(desk, work, [customer], ["use:purchases:recommendations"], at=at)
        use = Use(actor="mia", purpose="recommendations", reason="a test")
        return gate.recall(desk, work, permitted, attributes=["spend_past_year"], use=use)


def test_while_the_key_management_system_is_down_nothing_is_recorded_and_nothing_opened(vaulted):
    vault, house, customer = vaulted
    deployment = house.deployment
    client, headers = client_of(house, deployment.clock())
    granted = post(
        client, headers, "statements",
        said(customer, "grant", "remember:purchases", "use:purchases:recommendations", MAIL), "g",
    )  # fmt: skip
    with deployment.store.write() as work:
        gate.remember(deployment.desk, work, [(customer, {"spend_past_year": 12.5})], at=deployment.clock())
    before = stored(house)
    vault.sealed = True
    refused = [
        post(client, headers, "statements", said(customer, "withdraw", MAIL), "w"),
        post(client, headers, "customers", {"reference": "NEW"}),
        post(client, headers, "statements:batch", {"statements": [said(customer, "withdraw", MAIL)]}, "b"),
    ]
    with pytest.raises(KmsDown):
        recall(deployment, customer)
    meanwhile = stored(house)
    asked = post(client, headers, "permissions:check", {"checks": [{"customer": customer, "scope": MAIL}]})
    vault.sealed = False
    back = post(client, headers, "statements", said(customer, "withdraw", MAIL), "w")

    assert granted.status_code == 201
    assert [(each.status_code, each.json["code"]) for each in refused] == [(503, "kms_down")] * 3
    assert refused[0].json["title"] == "Not recorded: the key management system does not answer"
    assert meanwhile == before
    assert asked.status_code == 200  # what stands is no secret: no key opens it
    assert (back.status_code, back.json["repeated"]) == (201, False)


def test_what_is_wrong_with_the_key_management_system_says_nothing_of_token_or_keys(vaulted):
    vault, house, customer = vaulted
    client, headers = client_of(house, house.deployment.clock())
    vault.token = "hvs.other"
    refused = post(client, headers, "statements", said(customer, "withdraw", MAIL), "w")
    assert (refused.status_code, refused.json["code"]) == (503, "kms_down")
    assert "hvs" not in refused.text
