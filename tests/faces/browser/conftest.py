"""A served world and Chromium: what no parser sees, people do."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, sync_playwright
from werkzeug.serving import make_server

from api.actors import links
from api.app import create_app
from api.roles import Role
from api.settings import Settings
from api.wiring import House
from consent.base.ids import CustomerId, RunId
from tests.world import World

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
)  # fmt: skip
PHONE, DESK = {"width": 320, "height": 640}, {"width": 1280, "height": 800}


@dataclass(kw_only=True)
class Visitor:
    """Somebody with Chromium; everything that its console complained about is kept."""

    context: BrowserContext
    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(self.base + path)
        return self.page

    def heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@dataclass(frozen=True, kw_only=True)
class Served:
    """A world with its pages on an address."""

    world: World
    house: House
    base: str

    def customer_door(self, who: CustomerId) -> str:
        with self.world.store.write() as work:
            return "/p/l/" + links.for_customer(work, who, at=self.world.clock())

    def staff_door(self, role: Role) -> str:
        with self.world.store.write() as work:
            return "/s/" + links.for_staff(work, "pat", role, at=self.world.clock())


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture
def served(sqlite_world: World) -> Iterator[Served]:
    made = Settings(database_url=sqlite_world.url, keyring=sqlite_world.keyring)
    house = House(settings=made, deployment=sqlite_world.deployment)
    server = make_server("127.0.0.1", 0, create_app(house), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Served(world=sqlite_world, house=house, base=f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def visit(browser: Browser, served: Served) -> Iterator[Callable[..., Visitor]]:
    """Return a function that opens a browser of its own: for a size, a colour scheme, with or without scripts."""
    opened: list[BrowserContext] = []

    def start(**how: Any) -> Visitor:
        context = browser.new_context(**{"viewport": DESK, **how})
        context.set_default_timeout(15_000)
        opened.append(context)
        visitor = Visitor(context=context, page=context.new_page(), base=served.base)
        visitor.page.on("console", visitor.heard)
        return visitor

    yield start
    for context in opened:
        context.close()


def follow(page: Page, target: str | Locator) -> Page:
    """Click on what leads to a page, and wait until that is loaded.

    A click by itself waits for nothing: what is looked at next may be the page before, or one that is half gone,
    and an address may be the same before and after.
    """
    with page.expect_event("load"):
        (page.locator(target).first if isinstance(target, str) else target).click()
    return page


def enter(visitor: Visitor, door: str) -> Page:
    """Sign in through a door."""
    return follow(visitor.open(door), "button.primary")


def run_of(page: Page) -> RunId:
    """Return the run whose page is open."""
    return RunId(page.url.rpartition("/")[2])
