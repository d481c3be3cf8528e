"""Every command describes itself, and the docs say what it says."""

import re
from pathlib import Path

import click
import pytest

from api.cli import main
from api.cli.docs import written
from api.cli.frame import Command
from api.cli.tree import byleave

ROOT = Path(__file__).resolve().parents[3]


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


MENTIONED = re.compile(r"(?:^ *|`|bin/|  )byleave((?: +-*[a-z][a-z-]*)+)", re.MULTILINE)
PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.md")]


def unknown(mention: str) -> str:
    """Return what of a mention no command knows: a command, or an option of it."""
    here: click.Command = byleave
    words = mention.split()
    while words and isinstance(here, click.Group) and not words[0].startswith("-"):
        name = words.pop(0)
        if name not in here.commands:
            return f"byleave {mention.strip()}: {name}"
        here = here.commands[name]
    known = {"--help", *(each for param in here.params for each in param.opts)}
    return next((each for each in words if each.startswith("--") and each not in known), "")


def test_documents_name_commands_and_options_that_there_are():
    mentions = [found for page in PAGES for found in MENTIONED.findall(page.read_text(encoding="utf-8"))]
    assert len(mentions) > len(COMMANDS)
    assert [wrong for wrong in map(unknown, mentions) if wrong] == []
