"""Every command describes itself, its example works, and the docs say what it says."""

import shlex
from pathlib import Path

import click
import pytest

from api.cli import main
from api.cli.docs import written
from api.cli.frame import Command, caller
from api.cli.tree import byleave
from personalise.runs import run as runs
from tests.faces.cli.conftest import Shell

ROOT = Path(__file__).resolve().parents[3]
RUN_UNTIL_STOPPED = {"serve", "worker"}


def commands(group: click.Group, path: str = "") -> dict[str, Command]:
    found: dict[str, Command] = {}
    for name, command in group.commands.items():
        here = f"{path} {name}".strip()
        if isinstance(command, click.Group):
            found |= commands(command, here)
        else:
            assert isinstance(command, Command)
            found[here] = command
    return found


COMMANDS = commands(byleave.complete())


@pytest.mark.parametrize("path", list(COMMANDS))
def test_help_describes_a_command_and_shows_its_example(path, capsys):
    assert main([*path.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[0].split()[:2] == ["Usage:", "byleave"]
    assert shown.splitlines()[-2:] == ["Example:", f"  {COMMANDS[path].example}"]
    assert COMMANDS[path].example.startswith(f"byleave {path}")


def test_the_page_of_commands_is_current():
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert page == written(), "python -m api.cli.docs > docs/cli.md"
    assert [path for path in COMMANDS if f"## byleave {path}\n" not in page] == []


def ready(shell: Shell, path: str) -> None:
    """Bring about what an example is about."""
    if path in ("campaign pause", "campaign stop"):
        with shell.house() as house:
            runs.start(house.deployment, "spring", actor=caller().name)
    if path == "campaign resume":
        ready(shell, "campaign pause")
        shell("campaign", "pause", "spring")
    if path == "campaign publish":
        with (shell.folder / "campaign.toml").open("a") as file:
            file.write("# another version\n")
    if path == "catalogue publish":
        with (shell.folder / "catalogue.toml").open("a") as file:
            file.write("# another version\n")
    if path == "key revoke":
        shell("key", "create", "webshop", "--scope", "ledger:read")
    if path == "audit show":
        shell("audit", "run")


@pytest.mark.parametrize("path", [path for path in COMMANDS if path not in {"init", *RUN_UNTIL_STOPPED}])
def test_an_example_works(path, shell: Shell):
    ready(shell, path)
    ran = shell(*shlex.split(COMMANDS[path].example)[1:])
    # 1 is an answer as well: a denial, too few to learn from, a worker that isn't there.
    refusing = {"permission check", "campaign learn", "doctor"}
    assert (ran.code in ({0, 1} if path in refusing else {0}), bool(ran.out)) == (True, True), ran.err


def test_the_example_of_init_works(nowhere: Shell):
    assert nowhere(*shlex.split(COMMANDS["init"].example)[1:]).code == 0
