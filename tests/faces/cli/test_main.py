"""Errors become one line and an exit code; stdout holds the answer and nothing else."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from api.cli import exit_code
from consent.base import errors
from tests.faces.cli.conftest import HOME, SOMEBODY, Shell

ROOT = Path(__file__).resolve().parents[3]
STARTED = [sys.executable, "-c", "import sys; from api.cli import main; sys.exit(main())"]


def kinds() -> list[type[errors.ByleaveError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ByleaveError)]


def test_every_kind_of_error_has_the_exit_code_of_its_meaning():
    codes = {kind.__name__: exit_code(kind()) for kind in kinds()}
    assert {name: code for name, code in codes.items() if code == 1} == dict.fromkeys(
        [
            "CampaignUnready",
            "Conflict",
            "CustomerErased",
            "Fenced",
            "HeadMoved",
            "IdempotencyConflict",
            "IdentityTaken",
            "NothingToRenew",
            "StateConflict",
            "VersionMoved",
            "NotSignedIn",
            "NotAllowed",
        ],
        1,
    )
    assert {name for name, code in codes.items() if code == 3} == {
        "ByleaveError", "Unavailable", "ClockBehind", "CommitUnknown", "DatabaseDown", "EngineDown", "KmsDown",
        "LedgerForked", "RolledBack", "KeyLost", "LedgerBroken",
    }  # fmt: skip
    assert {codes[kind.__name__] for kind in kinds() if issubclass(kind, errors.Invalid | errors.NotFound)} == {2}


def test_where_nothing_was_founded_it_says_so_and_what_to_do(nowhere: Shell):
    ran = nowhere("ledger", "verify", "--json")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == f"byleave: there is no deployment at {HOME}: run `byleave init`, or set BYLEAVE_HOME\n"
    assert list(nowhere.folder.iterdir()) == []


def test_all_bad_settings_are_named_at_once(nowhere: Shell, monkeypatch):
    monkeypatch.setenv("BYLEAVE_BASE_URL", "shop")
    monkeypatch.setenv("BYLEAVE_AUDIT_EVERY_HOURS", "never")
    ran = nowhere("init")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert [name for name in ("BYLEAVE_BASE_URL", "BYLEAVE_AUDIT_EVERY_HOURS") if name not in ran.err] == []
    assert list(nowhere.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        (["nothing"], "byleave: No such command 'nothing'. See `byleave --help`\n"),
        (["ledger", "prove"], "byleave: Missing argument 'SEQ'. See `byleave ledger prove --help`\n"),
        (["ledger", "verify", "--loud"], "byleave: No such option '--loud'. See `byleave ledger verify --help`\n"),
    ],
)
def test_what_is_typed_wrong_is_one_line_on_stderr(nowhere: Shell, typed, line):
    ran = nowhere(*typed)
    assert (ran.code, ran.out, ran.err.replace(": --loud", " '--loud'")) == (2, "", line)


def test_a_group_without_a_command_shows_its_help(nowhere: Shell):
    ran = nowhere("ledger")
    assert (ran.code, ran.out, ran.err.splitlines()[0]) == (2, "", "Usage: byleave ledger [OPTIONS] COMMAND [ARGS]...")


def test_an_argument_that_is_not_utf8_is_refused(shell: Shell):
    ran = shell("permission", "check", os.fsdecode(b"S00\xff"), "remember:purchases")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)


def test_control_characters_of_an_argument_are_not_sent_to_the_terminal(shell: Shell):
    ran = shell("audit", "explain", "\x1b[2J")
    assert (ran.code, "\x1b" in ran.err) == (2, False)


def test_a_database_without_tables_is_not_a_traceback(shell: Shell):
    shell.database.unlink()
    ran = shell("permission", "check", SOMEBODY, "remember:purchases")
    assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)
    assert "byleave db upgrade" in ran.err


def test_a_database_that_is_none_is_not_a_traceback(shell: Shell):
    shell.database.write_bytes(b"this is no database at all" * 100)
    ran = shell("permission", "check", SOMEBODY, "remember:purchases")
    assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)


def test_a_keyring_that_others_can_read_is_refused(shell: Shell):
    (shell.folder / HOME / "keyring.json").chmod(0o644)
    ran = shell("ledger", "verify")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)


def test_a_locked_database_could_not_be_asked(shell: Shell, monkeypatch):
    monkeypatch.setattr("consent.base.database.BUSY_MS", 50)
    other = sqlite3.connect(shell.database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    ran = shell("permission", "record", SOMEBODY, "withdraw", "remember:purchases")
    other.execute("ROLLBACK")
    other.close()
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == "byleave: Not recorded: the database does not answer: it stayed locked by another writer\n"


def test_what_goes_into_a_pipe_has_no_colour(shell: Shell):
    assert "\x1b" not in shell("doctor").out + shell("catalogue", "show").out


def test_whoever_stops_listening_is_not_told_of_it(shell: Shell):
    asked = subprocess.Popen(
        [*STARTED, "catalogue", "show", "--json"], cwd=shell.folder, env={"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert asked.stdout is not None
    asked.stdout.close()
    _, err = asked.communicate(timeout=60)
    assert (asked.returncode, err) == (141, b"")


def test_an_interrupt_is_one_line_and_130(shell: Shell):
    asked = subprocess.Popen(
        [*STARTED, "demo", "--customers", "20000"], cwd=shell.folder, env={"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # Whoever runs the tests in the background has interrupts ignored, and so would what they start.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 -- no thread runs here
    )  # fmt: skip
    for _ in range(600):
        if (shell.folder / "byleave-demo" / "keyring.json").exists():
            break
        time.sleep(0.05)
    for _ in range(60):  # as people do: Python drops an interrupt that comes while a destructor runs
        asked.send_signal(signal.SIGINT)
        try:
            out, err = asked.communicate(timeout=5)
            break
        except subprocess.TimeoutExpired:
            continue
    # Of an interrupt that a destructor swallowed Python itself has complained before.
    assert (asked.returncode, out, err.splitlines()[-1:]) == (130, b"", [b"byleave: interrupted"])
    assert b"a fault of Byleave" not in err
