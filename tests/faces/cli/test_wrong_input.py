"""Whatever is put in place of a word of an example, what comes of it is one line and a code; never a traceback."""

import os
import shlex
from typing import Final

import pytest

from tests.faces.cli.conftest import Shell
from tests.faces.cli.test_examples import NOT_HERE
from tests.faces.cli.test_help import COMMANDS

TAKES_LONG: Final = {"init", "demo"}
WRONG: Final = ("nonsense", "", "folder", "empty", "binary", "2026-13-99T00:00:00Z", os.fsdecode(b"S00\xff"))


def spots(path: str) -> list[tuple[list[str], int]]:
    """Return an example's words, and where one of them can be replaced: not the command, nor names of options."""
    words = shlex.split(COMMANDS[path].example)[1:]
    given = range(len(path.split()), len(words))
    return [(words, spot) for spot in given if not words[spot].startswith("--")]


@pytest.mark.parametrize("path", [path for path in COMMANDS if path not in {*NOT_HERE, *TAKES_LONG} and spots(path)])
def test_wrong_words_are_answered_by_a_line_and_a_code(path, shell: Shell):
    (shell.folder / "folder").mkdir()
    (shell.folder / "empty").touch()
    (shell.folder / "binary").write_bytes(bytes(range(256)))
    odd = []
    for words, spot in spots(path):
        for wrong in WRONG:
            ran = shell(*words[:spot], wrong, *words[spot + 1 :])
            answered = ran.code in {0, 1} and bool(ran.out)
            refused = ran.code in {1, 2, 3} and (ran.out, ran.err.count("\n")) == ("", 1)
            if not (answered or refused):
                odd.append((words[spot], wrong, ran))
    assert odd == []


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        (["db", "backup", ""], "Invalid value for 'FILE': names no file."),
        (["vault", "destroy", "one"], "Invalid value for 'VERSION': 'one' is not a valid integer."),
        (["permission", "record", "S000001"], "Missing argument 'ACT'. Choose from: request, grant, refuse,"),
        (
            ["decide", "S000001", "--campaign", "spring", "--channel", "fax"],
            "That can't be asked: --channel: no treatment of spring goes by 'fax': they go by email, sms",
        ),
        (
            ["campaign", "schedule", "spring", "--at", "2020-01-01T00:00:00Z"],
            "That can't be asked: --at: must be after",
        ),
        (["suppression", "add", "nosuch"], "That can't be asked: ADDRESS: is not an e-mail address"),
        (["audit", "pack", "make", "--out", "x.zip"], "say what it is about: --customer, or --audit, or --from"),
    ],
)
def test_a_line_says_what_is_wrong(shell: Shell, typed, line):
    ran = shell(*typed)
    assert (ran.code, ran.out, ran.err.removeprefix("byleave: ")[: len(line)]) == (2, "", line)
