"""Every command describes itself, and the docs say what it says."""

import os
import re
import subprocess
import sys
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


LIGHT = """
import sys
from api.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as ended:  # the shell was answered
    code = ended.code
heavy = {"flask", "marshmallow", "numpy", "orjson", "pyarrow", "rich", "sqlalchemy", "sqlglot"} & sys.modules.keys()
ours = sorted(name for name in sys.modules if name.split(".")[0] in ("api", "consent", "personalise"))
print(code, sorted(heavy), ours, file=sys.stderr)
"""
OURS = ["api", "api.cli", "api.cli.root", "api.cli.tree", "consent", "consent.base", "consent.base.errors"]


@pytest.mark.parametrize(
    ("typed", "told", "code"),
    [
        (["--help"], "Usage: byleave [OPTIONS] COMMAND [ARGS]...", 0),
        (["--version"], "byleave ", 0),
        ([], "", 2),
        (["nonsense"], "", 2),
    ],
)
def test_listing_the_commands_loads_none_of_them(typed, told, code):
    ran = subprocess.run(
        [sys.executable, "-c", LIGHT, *typed], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60
    )
    assert ran.stdout.startswith(told)
    assert ran.stderr.splitlines()[-1] == f"{code} [] {OURS}"


def test_the_shell_completes_commands_and_options_without_loading_them():
    def completed(words):
        asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" ")), "_BYLEAVE_COMPLETE": "zsh_complete"}
        ran = subprocess.run(
            [sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60,
            env={**os.environ, **asked},  # noqa: TID251 -- what the shell hands over
        )  # fmt: skip
        loaded = ran.stderr.splitlines()[-1]
        return ran.stdout.splitlines(), loaded

    assert completed("byleave sup") == (
        ["plain", "suppression", "Addresses that are left alone, whoever has them."], f"0 [] {OURS}"
    )  # fmt: skip
    assert completed("byleave --v")[0][:2] == ["plain", "--version"]
    assert completed("byleave suppression li")[0][1::3] == ["lift", "list"]
