"""The web application of a small world, and somebody to call it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.actors import keys
from api.roles import KeyScope, Role
from api.settings import Settings
from api.wiring import House
from tests.serving import served
from tests.world import World


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A program with a key (or without)."""

    client: FlaskClient
    token: str = ""

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.call("GET", path, **more)

    def post(self, path: str, body: Any = None, *, key: str | None = None, **more: Any) -> TestResponse:
        """Post JSON, under an idempotency key if one is given."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.call("POST", path, headers=headers, **{"json": body, **more})

    def raw(self, path: str, data: bytes, content_type: str = "application/json", **more: Any) -> TestResponse:
        """Post bytes as they are."""
        headers = {"Idempotency-Key": "raw", "Content-Type": content_type, **more.pop("headers", {})}
        return self.call("POST", path, data=data, headers=headers, **more)

    def call(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> TestResponse:
        shown = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return self.client.open(path, method=method, headers={**shown, **(headers or {})}, **more)


def house_of(world: World, **settings: Any) -> House:
    """Return the house around a world that is open."""
    made = Settings(database_url=world.url, keyring=world.keyring, **settings)
    return House(settings=made, deployment=world.deployment)


@pytest.fixture
def house(sqlite_world: World) -> House:
    return house_of(sqlite_world)


@pytest.fixture
def app(house: House) -> Flask:
    return served(house)


@pytest.fixture
def caller(sqlite_world: World, app: Flask) -> Callable[..., Caller]:
    """Return a function that makes a caller with a key for some scopes, in some role."""

    def make(scopes: Iterable[KeyScope] = tuple(KeyScope), role: Role = Role.INTEGRATOR, **more: Any) -> Caller:
        with sqlite_world.store.write() as work:
            made = keys.make(work, "a shop", scopes=scopes, role=role, at=sqlite_world.clock(), **more)
        return Caller(client=app.test_client(), token=made.token)

    return make


@pytest.fixture
def shop(caller: Callable[..., Caller]) -> Caller:
    """Return the company's shop, whose key may everything that a key can."""
    return caller()


@pytest.fixture
def stranger(app: Flask) -> Caller:
    """Return somebody without a key."""
    return Caller(client=app.test_client())


@pytest.fixture
def stored(sqlite_world: World) -> Callable[[], dict[str, int]]:
    """Return a function that counts the rows of every table."""

    def count() -> dict[str, int]:
        tables = [name for (name,) in sqlite_world.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sqlite_world.rows(f'SELECT count(*) FROM "{name}"')[0][0] for name in tables}  # noqa: S608 -- our own tables' names

    return count
