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


NONE: Final = "0" * 32


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        (
            "customer show nobody",
            "No such customer: nobody enrolled has this reference: `byleave import customers` enrols",
        ),
        (f"permission show cus_{NONE}", f"No such customer: nobody enrolled has the id cus_{NONE}"),
        (f"customer merge S000001 cus_{NONE} --reason x", f"No such customer: nobody enrolled has the id cus_{NONE}"),
        (
            "permission record S000001 withdraw nosuch",
            "The statement is not valid: SCOPE: 'nosuch' is not in the catal",
        ),
        ("request show req_x", "No such request: 'req_x': `byleave request list` names those there are"),
        (f"request assign req_{NONE} anna", f"No such request: 'req_{NONE}': `byleave request list` names"),
        ("finding show fnd_x", "Not found: there is no finding 'fnd_x': `byleave finding list` names those there are"),
        ("audit show aud_x", "Not found: there is no audit 'aud_x': `byleave audit list` names the last ones"),
        ("report make aud_x --out r.html", "Not found: there is no audit 'aud_x': `byleave audit list` names"),
        ("audit pack make --audit aud_x --out p.zip", "Not found: there is no audit 'aud_x': `byleave audit list`"),
        ("audit schedule off x", "Not found: there is no schedule 'x': `byleave audit schedule list` names those"),
        ("decision show dec_bad", "No such decision: 'dec_bad': its id, like dec_9f2c….0, stands in the answer"),
        ("decision replay dec_bad", "No such decision: 'dec_bad': its id, like"),
        ("goodwill report S000001 --kind thanks --decision dec_bad", "No such decision: 'dec_bad': its id, like"),
        ("key revoke x", "Not found: no key in use is called 'x': `byleave key list` names those there are"),
        ("campaign run x", "No such campaign: 'x': publish it first with `byleave campaign publish FILE`"),
        ("campaign compare spring@9", "No such campaign: 'spring' has no version 9: its newest is 1"),
        (
            "campaign compare spring --contact-policy 9",
            "No such contact policy: it has no version 9: none was published",
        ),
        (f"campaign pause run_{NONE}", f"No such run: 'run_{NONE}'"),
        ("ledger receipt 1", "No such entry: there is no statement at position 1 (any more)"),
    ],
)
def test_who_asks_for_what_is_not_there_is_told_what_he_asked_for_and_what_to_do(shell: Shell, typed, line):
    ran = shell(*shlex.split(typed))
    assert (ran.code, ran.out, ran.err.removeprefix("byleave: ")[: len(line)]) == (2, "", line)


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
        (
            ["suppression", "add", "ann@shop.example", "--kind", "emial"],
            "That can't be asked: --kind: no addresses of this kind are known here; there are email, ",
        ),
        (["audit", "pack", "make", "--out", "x.zip"], "say what it is about: --customer, or --audit, or --from"),
    ],
)
def test_a_line_says_what_is_wrong(shell: Shell, typed, line):
    ran = shell(*typed)
    assert (ran.code, ran.out, ran.err.removeprefix("byleave: ")[: len(line)]) == (2, "", line)
