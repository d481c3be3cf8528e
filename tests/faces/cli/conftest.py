"""A shell to type commands into, in a folder with a deployment: a made-up shop of 300 customers on SQLite."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from api.cli import main
from api.settings import Settings
from api.wiring import House, open_house
from consent.base.clock import system_clock
from consent.catalogue.reading import DEFAULT
from personalise.shop import generator
from tests import reference

HOME: Final = "byleave-home"
SOMEBODY: Final = "S000001"
CUSTOMERS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        read: dict[str, Any] = json.loads(self.out)
        return read


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """Somebody at the shell, in a folder with a deployment in `byleave-home`."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *typed: object) -> Ran:
        self.capsys.readouterr()
        code = main([str(each) for each in typed])
        said = self.capsys.readouterr()
        assert "Traceback" not in said.err, said.err[-3000:]
        return Ran(code=code, out=said.out, err=said.err)

    @property
    def database(self) -> Path:
        return self.folder / HOME / "byleave.db"

    @contextmanager
    def house(self) -> Iterator[House]:
        """Open what the commands open."""
        house = open_house(Settings(home=self.folder / HOME))
        yield house
        house.close()

    def size(self) -> int:
        """Return how many entries the ledger has."""
        with self.house() as house, house.deployment.store.engines.read.connect() as connection:
            [(size,)] = reference.rows(connection, "SELECT size FROM ledger_head")
        return int(size)

    def check_ledger(self) -> None:
        """Verify everything again, the slow way."""
        with self.house() as house, house.deployment.store.engines.read.connect() as connection:
            assert reference.faults(connection, self.folder / HOME / "keyring.json") == []


@pytest.fixture(autouse=True)
def _outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of one's own, without settings of the machine."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("BYLEAVE_")]:  # noqa: TID251 -- to take them away
        monkeypatch.delenv(name)


@pytest.fixture
def nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Return a shell in an empty folder."""
    return Shell(folder=tmp_path, capsys=capsys)


@pytest.fixture(scope="session")
def _shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with files of a shop, and a deployment that has read some of them."""
    return make_shop(tmp_path_factory.mktemp("shop"))


def make_shop(folder: Path) -> Path:
    """Make a shop and its deployment in a folder, on the database that the settings name."""
    made = generator.shop(CUSTOMERS, seed=1, at=system_clock() - timedelta(days=1))
    generator.write(made, folder)
    for file in (*generator.FILES.iterdir(), DEFAULT):
        shutil.copy(file, folder / ("catalogue.toml" if file == DEFAULT else file.name))
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        assert main(["init", "--name", "shop.example"]) == 0
        for what, mapping in (("statements", "statements_mapping.toml"), ("customers", "mapping.toml")):
            assert main(["import", what, f"{what}.csv", "--mapping", mapping]) == 0
        assert main(["campaign", "publish", "campaign.toml"]) == 0
    return folder


@pytest.fixture
def shell(_shop: Path, nowhere: Shell) -> Shell:
    """Return a shell in a folder with the files of a shop, and its deployment: nothing was run yet."""
    shutil.copytree(_shop, nowhere.folder, dirs_exist_ok=True)
    return nowhere


Typed = Callable[..., Ran]
