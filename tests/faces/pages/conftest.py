"""Somebody with a browser: opens pages, fills in the forms that stand on them, presses the buttons."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.actors import links
from api.roles import Role
from api.settings import Settings
from api.wiring import House
from consent.base.ids import CustomerId
from tests.faces.pages.dom import Node, read
from tests.serving import served
from tests.world import World

OWN = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page as it came: its status, its address, its tree."""

    status: int
    path: str
    tree: Node
    response: TestResponse

    @property
    def heading(self) -> str:
        return self.tree.one("h1").text

    @property
    def main(self) -> Node:
        return self.tree.one("main")

    def form(self, button: str) -> Node:
        """Return the form with a button of these words."""
        found = [form for form in self.tree.all("form") if button in [each.text for each in form.all("button")]]
        assert len(found) == 1, f"{len(found)} forms with a button {button!r}"
        return found[0]

    def buttons(self) -> list[str]:
        return [button.text for button in self.main.all("button")]

    def card(self, scope: str) -> Node:
        """Return the card of a scope on the page of the choices."""
        return next(node for node in self.tree.walk() if node.attrs.get("id") == scope.replace(":", "-"))


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Somebody with a browser."""

    client: FlaskClient

    def open(self, path: str, **headers: str) -> Page:
        return self._page(self.client.get(path, headers=headers))

    def press(self, page: Page, button: str, **changes: str | None) -> Page:
        """Press a button of a page, with its form filled in as it stands but for `changes`; None empties a field."""
        form = page.form(button)
        pressed = next(each for each in form.all("button") if each.text == button)
        sent = {**form.fields, **({pressed.attrs["name"]: pressed.attrs["value"]} if "name" in pressed.attrs else {})}
        sent.update({name: value for name, value in changes.items() if value is not None})
        for name in [name for name, value in changes.items() if value is None]:
            del sent[name]
        return self.send(pressed.attrs.get("formaction", form.attrs.get("action", page.path)), sent)

    def send(self, path: str, sent: dict[str, str], headers: dict[str, str] | None = None) -> Page:
        """Post a form and follow where it leads."""
        response = self.client.post(path, data=sent, headers=OWN if headers is None else headers)
        if response.status_code == 303:
            return self.open(response.headers["Location"])
        return self._page(response)

    def _page(self, response: TestResponse) -> Page:
        if response.status_code in (302, 303):
            return self.open(response.headers["Location"])
        tree = read(response.text)
        return Page(
            status=response.status_code, path=response.request.full_path.rstrip("?"), tree=tree, response=response
        )


def house_of(world: World, **settings: Any) -> House:
    """Return the house around a world that is open."""
    made = Settings(database_url=world.url, keyring=world.keyring, **settings)
    return House(settings=made, deployment=world.deployment)


@pytest.fixture
def app(sqlite_world: World) -> Flask:
    return served(house_of(sqlite_world))


@pytest.fixture
def anybody(app: Flask) -> Visitor:
    """Return somebody who isn't signed in."""
    return Visitor(client=app.test_client())


@pytest.fixture
def customer(sqlite_world: World, app: Flask) -> Callable[[CustomerId], Visitor]:
    """Return a function that signs a customer in, by the link that he was sent."""

    def enter(who: CustomerId) -> Visitor:
        with sqlite_world.store.write() as work:
            token = links.for_customer(work, who, at=sqlite_world.clock())
        visitor = Visitor(client=app.test_client())
        page = visitor.press(visitor.open(f"/p/l/{token}"), "Continue to my choices")
        assert page.heading == "Your choices"
        return visitor

    return enter


@pytest.fixture
def staff(sqlite_world: World, app: Flask) -> Callable[[Role], Visitor]:
    """Return a function that signs a member of staff in, by an invitation."""

    def enter(role: Role) -> Visitor:
        with sqlite_world.store.write() as work:
            token = links.for_staff(work, "pat", role, at=sqlite_world.clock())
        visitor = Visitor(client=app.test_client())
        visitor.press(visitor.open(f"/s/{token}"), "Continue as pat")
        return visitor

    return enter
