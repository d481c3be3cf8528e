"""What every test may ask for: a clock that stands still, and a world on either database.

`world` runs a test twice, on SQLite and on PostgreSQL; `sqlite_world` once. `blank` is as `world`, but with empty
tables: nothing founded, nobody enrolled.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from consent.base import database
from tests.builders import START
from tests.databases import Databases, PostgresqlDatabases, SqliteDatabases, postgresql_server, unhurried
from tests.world import SettableClock, Template, World, founded, migrated, opened

POSTGRESQL_ADDRESS = "TEST_POSTGRESQL"
"""The address of a server to use instead of starting one; its user must be allowed to make databases."""

BOTH = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql))


# Machines are shared: how long something takes is measured by benchmarks, and fails no test.
settings.register_profile("byleave", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("byleave")

# In the process of the tests alone: where the power is cut, a process of its own sets its connections up as shipped.
database._pragmas = unhurried


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "postgresql: needs a PostgreSQL server, which is started from a wheel")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files of tests that are given more time than others: no worker is left alone with one."""
    long = {item.path for item in items if item.get_closest_marker("timeout")}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of a Chromium; without one, the tests of the pages in it are skipped, in CI they fail."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not path:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up("there is no Chromium here: install one, or set CHROMIUM to its path")
    return path


@pytest.fixture
def clock() -> SettableClock:
    """Return a clock that stands at 2026-11-21 10:00 UTC until it is moved."""
    return SettableClock(START)


@pytest.fixture(scope="session")
def _sqlite(tmp_path_factory: pytest.TempPathFactory) -> Databases:
    return SqliteDatabases(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def _postgresql() -> Iterator[Databases]:
    with ExitStack() as stack:
        url = os.environ.get(POSTGRESQL_ADDRESS) or stack.enter_context(postgresql_server())
        made = PostgresqlDatabases(url)
        stack.callback(made.close)
        yield made


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest) -> Callable[[str], Databases]:
    """Return a function from "sqlite" or "postgresql" to a maker of databases; a server starts when first asked for."""
    return lambda dialect: request.getfixturevalue(f"_{dialect}")


@pytest.fixture(scope="session")
def _templates(
    databases: Callable[[str], Databases], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, bool], Template]:
    made: dict[tuple[str, bool], Template] = {}

    def template(dialect: str, full: bool) -> Template:  # noqa: FBT001 -- the two halves of a key
        if (dialect, full) not in made:
            if full:
                made[dialect, full] = founded(template(dialect, False))  # noqa: FBT003 -- as above
            else:
                made[dialect, full] = migrated(databases(dialect), tmp_path_factory.mktemp(dialect))
        return made[dialect, full]

    return template


@pytest.fixture
def _open(
    _templates: Callable[[str, bool], Template], clock: SettableClock, tmp_path: Path
) -> Iterator[Callable[[str, bool], World]]:
    with ExitStack() as stack:

        def open_world(dialect: str, full: bool) -> World:  # noqa: FBT001 -- the two halves of a key
            template = _templates(dialect, full)
            made = opened(template, clock, tmp_path)
            stack.callback(template.databases.dropped, made.url)
            stack.callback(made.store.close)
            return made

        yield open_world


@pytest.fixture(params=BOTH)
def world(request: pytest.FixtureRequest, _open: Callable[[str, bool], World]) -> World:
    """Return a founded deployment with Ann and Bo, on SQLite and on PostgreSQL."""
    return _open(request.param, True)  # noqa: FBT003 -- a founded one


@pytest.fixture
def sqlite_world(_open: Callable[[str, bool], World]) -> World:
    """Return a founded deployment with Ann and Bo, on SQLite."""
    return _open("sqlite", True)  # noqa: FBT003 -- a founded one


@pytest.fixture
def postgresql_world(_open: Callable[[str, bool], World]) -> World:
    """Return a founded deployment with Ann and Bo, on PostgreSQL; its tests are marked so."""
    return _open("postgresql", True)  # noqa: FBT003 -- a founded one


@pytest.fixture(params=BOTH)
def blank(request: pytest.FixtureRequest, _open: Callable[[str, bool], World]) -> World:
    """Return a deployment that nobody has founded yet, its tables empty, on SQLite and on PostgreSQL."""
    return _open(request.param, False)  # noqa: FBT003 -- one that nobody founded


@pytest.fixture(params=BOTH)
def maker(request: pytest.FixtureRequest, databases: Callable[[str], Databases]) -> Databases:
    """Return a maker of databases, on SQLite and on PostgreSQL; whoever makes one drops it."""
    return databases(request.param)


@pytest.fixture
def sqlite_worlds(_templates: Callable[[str, bool], Template], tmp_path: Path) -> Callable[[], World]:
    """Return a function that opens worlds on SQLite, one after the other, each with a clock of its own."""
    return lambda: opened(_templates("sqlite", True), SettableClock(START), tmp_path)  # noqa: FBT003 -- a founded one


@dataclass(frozen=True, kw_only=True)
class Worlds:
    """Opens worlds on one kind of database, one after the other, each with a clock of its own."""

    dialect: str
    make: Callable[[], World]

    def __call__(self) -> World:
        return self.make()


@pytest.fixture(params=BOTH)
def worlds(
    request: pytest.FixtureRequest, _templates: Callable[[str, bool], Template], tmp_path: Path
) -> Iterator[Worlds]:
    """Return what opens founded worlds, on SQLite and on PostgreSQL."""
    template = _templates(request.param, True)  # noqa: FBT003 -- a founded one
    with ExitStack() as stack:

        def make() -> World:
            made = opened(template, SettableClock(START), tmp_path)
            stack.callback(template.databases.dropped, made.url)
            stack.callback(made.store.close)
            return made

        yield Worlds(dialect=request.param, make=make)


@pytest.fixture
def twins(databases: Callable[[str], Databases], tmp_path: Path) -> Iterator[Callable[[World], World]]:
    """Return a function that copies a world: the same customers, the same keys, the same clock."""
    with ExitStack() as stack:

        def copied(world: World) -> World:
            world.store.close()  # nobody may have it open
            kind = databases(world.dialect)
            template = Template(databases=kind, url=world.url, keyring=world.keyring, ann=world.ann, bo=world.bo)
            folder = tmp_path / f"twin{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            twin = opened(template, world.clock, folder)
            stack.callback(kind.dropped, twin.url)
            stack.callback(twin.store.close)
            return twin

        yield copied
