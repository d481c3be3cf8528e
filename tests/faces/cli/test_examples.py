"""Every command's example works as its help shows it, in a folder where what it is about is there."""

import shlex
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import pytest

from api.cli.frame import caller
from api.wiring import open_house
from consent.base.clock import rfc3339, system_clock
from consent.ledger import cosignature
from personalise.life import running as life
from tests import witnesses
from tests.faces.cli.conftest import HOME, SOMEBODY, Shell
from tests.faces.cli.test_findings import FORGE, UNFORGE, tamper
from tests.faces.cli.test_help import COMMANDS

NOT_HERE: Final = {
    "serve": "runs until it is stopped: test_serving.py",
    "worker": "runs until it is stopped: test_serving.py",
    "witness serve": "runs until it is stopped: test_serving.py",
    "db roles": "is PostgreSQL's alone: test_database.py",
}
"""Which examples aren't tried here, why not, and where they are."""

REFUSING: Final = {"permission check", "campaign learn", "doctor", "db reopen"}
"""Where 1 is an answer as well: a denial, too few to learn from, a worker that isn't there, a log that is left."""

NOBODYS: Final = "fnd_01a1fb67180070008000000000000000"
SOMETIME: Final = "2026-12-24T00:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A shop's folder, and what an example says in place of what is called otherwise there."""

    shell: Shell
    monkeypatch: pytest.MonkeyPatch
    stack: ExitStack
    called: dict[str, str] = field(default_factory=dict)


def typed(*commands: str) -> Callable[[Scene], None]:
    """Type these before."""

    def type_them(scene: Scene) -> None:
        for each in commands:
            ran = scene.shell(*shlex.split(each))
            assert ran.code == 0, f"{each}: {ran.err}"

    return type_them


def in_file(name: str, *command: str) -> Callable[[Scene], None]:
    """Keep in a file what a command prints."""

    def keep(scene: Scene) -> None:
        (scene.shell.folder / name).write_text(scene.shell(*command).out, encoding="utf-8")

    return keep


def all_of(*steps: Callable[[Scene], None]) -> Callable[[Scene], None]:
    """Do one after the other."""

    def do_all(scene: Scene) -> None:
        for each in steps:
            each(scene)

    return do_all


def changed(name: str) -> Callable[[Scene], None]:
    """Make another version of a file."""

    def change(scene: Scene) -> None:
        with (scene.shell.folder / name).open("a", encoding="utf-8") as file:
            file.write("# another version\n")

    return change


def found(scene: Scene) -> None:
    """Have an audit find something."""
    tamper(scene.shell, FORGE)
    assert scene.shell("audit", "run", "--check", "standing").code == 1
    [one] = scene.shell("finding", "list", "--json").json["data"]
    scene.called[NOBODYS] = one["finding"]
    scene.called[SOMETIME] = rfc3339(system_clock() + timedelta(days=30))


def mended(scene: Scene) -> None:
    """Take away what was found."""
    tamper(scene.shell, UNFORGE)


def running(scene: Scene) -> None:
    """Have a run under way."""
    with scene.shell.house() as house:
        life.start(house.deployment, "spring", actor=caller().name, four_eyes=False)


def decided(scene: Scene) -> None:
    """Have a decision that can be asked for."""
    made = scene.shell("decide", SOMEBODY, "--campaign", "spring", "--json").json
    scene.called["dec_9f2c….0"] = made["decision"]


def came(scene: Scene) -> None:
    """Have a decision, and an outcome of it that came in just now."""
    decided(scene)
    scene.called["2026-11-21T17:00:00Z"] = rfc3339(system_clock())


def offered(scene: Scene) -> None:
    """Have a decision that offers something."""
    asked = (scene.shell("decide", f"S{number:06d}", "--campaign", "spring", "--json").json for number in range(1, 40))
    scene.called["dec_9f2c….0"] = next(each["decision"] for each in asked if each["chosen"])


def later(scene: Scene) -> None:
    """Let the half-year be over."""
    clock = lambda: system_clock() + timedelta(days=184)  # noqa: E731 -- a clock is a function without arguments
    scene.monkeypatch.setattr("api.cli.frame.open_house", lambda settings: open_house(settings, clock=clock))


def watched(scene: Scene) -> None:
    """Have a witness run, and be asked."""
    key = scene.shell("ledger", "vkey").out.strip()
    witness = scene.stack.enter_context(witnesses.running(scene.shell.folder / "away", key, clock=system_clock))
    scene.monkeypatch.setenv("BYLEAVE_WITNESS_URL", witness.place.url)
    scene.monkeypatch.setenv("BYLEAVE_WITNESS_KEY", cosignature.vkey(witness.place.key))


def rolled_back(scene: Scene) -> None:
    """Put a copy of the database in its place that lost what the witness has cosigned."""
    watched(scene)
    shutil.copy(scene.shell.database, "older.db")
    said = f"permission record {SOMEBODY} withdraw use:purchases:recommendations"
    typed(said, "ledger checkpoint --sign", "ledger cosign")(scene)
    for each in (scene.shell.folder / HOME).glob("byleave.db-*"):
        each.unlink()
    shutil.copy("older.db", scene.shell.database)


KEY: Final = in_file("log.vkey", "ledger", "vkey")
RULES: Final = in_file("contact-policy.toml", "contact-policy", "draft")
ASKED: Final = typed(f"request open {SOMEBODY} access")
WITNESS: Final = all_of(KEY, typed("witness init --name witness.example/w1"))

READY: Final[Mapping[str, Callable[[Scene], None]]] = {
    "audit pack verify": all_of(KEY, typed(f"audit pack make --customer {SOMEBODY} --out pack.zip")),
    "audit show": typed("audit run"),
    "campaign approve": all_of(changed("campaign.toml"), typed("campaign publish campaign.toml")),
    "campaign compare": all_of(changed("campaign.toml"), typed("campaign publish campaign.toml")),
    "campaign pause": running,
    "campaign publish": changed("campaign.toml"),
    "campaign resume": all_of(running, typed("campaign pause spring")),
    "campaign stop": running,
    "catalogue publish": changed("catalogue.toml"),
    "contact-policy check": RULES,
    "contact-policy diff": RULES,
    "contact-policy publish": RULES,
    "db restore": typed("db backup byleave-2026-11-21.db"),
    "decision outcome": came,
    "decision replay": decided,
    "decision show": decided,
    "decision turn-down": offered,
    "finding accept": found,
    "finding assign": found,
    "finding resolve": all_of(found, mended),
    "finding show": found,
    "key revoke": typed("key create webshop --scope ledger:read"),
    "ledger cosign": watched,
    "ledger seal": later,
    "ledger settle": rolled_back,
    "ledger snapshot": typed("ledger snapshot"),
    "ledger verify-receipt": all_of(KEY, in_file("receipt-20.jsonld", "ledger", "receipt", "20")),
    "report make": typed("audit run"),
    "suppression lift": typed("suppression add ann@shop.example"),
    "vault destroy": typed("vault rotate"),
    "witness init": KEY,
    "witness show": WITNESS,
    "witness trust": WITNESS,
    **{path: ASKED for path in COMMANDS if path.startswith("request ")},
}
"""What has to be so before an example works."""


def test_what_is_not_tried_or_has_to_be_made_ready_is_a_command():
    assert [path for path in (*NOT_HERE, *REFUSING, *READY) if path not in COMMANDS] == []


@pytest.mark.parametrize("path", [path for path in COMMANDS if path not in {"init", *NOT_HERE}])
def test_an_example_works(path, shell: Shell, monkeypatch: pytest.MonkeyPatch):
    with ExitStack() as stack:
        scene = Scene(shell=shell, monkeypatch=monkeypatch, stack=stack)
        READY.get(path, lambda _scene: None)(scene)
        ran = shell(*(scene.called.get(word, word) for word in shlex.split(COMMANDS[path].example)[1:]))
    assert (ran.code in ({0, 1} if path in REFUSING else {0}), bool(ran.out)) == (True, True), ran.err


def test_the_example_of_init_works(nowhere: Shell):
    assert nowhere(*shlex.split(COMMANDS["init"].example)[1:]).code == 0
