"""`ledger` where it is kept: exported, verified from where it was exported to, sealed, its key rotated, its states."""

import base64
import shutil
import sqlite3

import pytest

from consent.ledger import checkpoint, note, proof
from tests.faces.cli.conftest import HOME, SOMEBODY, Shell
from tests.faces.cli.test_ledger import VERIFIED, tamper

PURCHASES = "use:purchases:recommendations"


def vkey(shell: Shell) -> str:
    return shell("ledger", "vkey").out.strip()


def say_something(shell: Shell) -> None:
    assert shell("permission", "record", SOMEBODY, "withdraw", PURCHASES, "--method", "paper").code == 0


# -------------------------------------------------------------------------------------------------------------- export


def test_an_export_is_verified_without_the_deployment(shell: Shell):
    key = vkey(shell)
    ran = shell("ledger", "export", "--tiles", "files", "--json")
    assert (ran.code, list(ran.json)) == (0, ["folder", "log", "size", "logs", "written"])
    assert (ran.json["size"], ran.json["logs"]) == (shell.size(), 1)
    shutil.move(HOME, "elsewhere")

    for given in (key, "kept.vkey"):
        (shell.folder / "kept.vkey").write_text(f"{key}\n")
        verified = shell("ledger", "verify", "--from", "files", "--key", given, "--json")
        assert (verified.code, verified.err, list(verified.json)) == (0, "", VERIFIED)
        assert (verified.json["ok"], verified.json["size"]) == (True, ran.json["size"])


def test_an_export_is_of_the_layout_that_the_specification_names(shell: Shell):
    size = shell("ledger", "export", "--tiles", "files", "--json").json["size"]
    folder = shell.folder / "files"
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    whole, rest = divmod(size, 256)
    assert {"checkpoint", "vkey", "openings.json"} <= found
    assert f"tile/0/{whole:03}.p/{rest}" in found
    assert f"tile/entries/{whole:03}.p/{rest}" in found
    opened = checkpoint.open_checkpoint((shell.folder / "files/checkpoint").read_text(), note.verifier_of(vkey(shell)))
    assert opened.size == size


def test_a_second_export_writes_only_what_is_new(shell: Shell):
    first = shell("ledger", "export", "--tiles", "files", "--json").json
    again = shell("ledger", "export", "--tiles", "files", "--json").json
    say_something(shell)
    more = shell("ledger", "export", "--tiles", "files", "--json").json

    assert (again["written"], more["size"]) == (0, first["size"] + 1)
    assert 0 < more["written"] < first["written"]
    assert shell("ledger", "verify", "--from", "files", "--key", vkey(shell)).code == 0


def test_a_changed_file_of_an_export_is_found(shell: Shell):
    shell("ledger", "export", "--tiles", "files")
    [bundle] = [path for path in (shell.folder / "files/tile/entries").rglob("*") if path.is_file()][:1]
    body = bytearray(bundle.read_bytes())
    body[100] ^= 1
    bundle.write_bytes(bytes(body))

    ran = shell("ledger", "verify", "--from", "files", "--key", vkey(shell), "--json")
    assert (ran.code, ran.json["ok"], list(ran.json["first_bad"])) == (1, False, ["seq", "table", "why"])


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        (["--from", "files"], 2),
        (["--from", "files", "--key", "nonsense"], 2),
        (["--from", "files", "--key", "{key}", "--mark", "mark"], 2),
        (["--from", "nowhere", "--key", "{key}"], 3),
    ],
)
def test_an_export_that_cannot_be_verified_is_not_called_broken(shell: Shell, typed, code):
    key = vkey(shell)
    shell("ledger", "export", "--tiles", "files")
    ran = shell("ledger", "verify", *(each.format(key=key) for each in typed), "--json")
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)


# ---------------------------------------------------------------------------------------------------------------- mark


def test_with_a_mark_only_what_came_since_is_verified(shell: Shell):
    shell("ledger", "checkpoint", "--sign")
    size = shell.size()
    first = shell("ledger", "verify", "--mark", "mark", "--json").json
    kept = (shell.folder / "mark").read_text()
    say_something(shell)
    shell("ledger", "checkpoint", "--sign")
    second = shell("ledger", "verify", "--mark", "mark", "--json").json

    assert (first["checked"], checkpoint.parse(note.split(kept)[0]).size) == (size, size)
    assert (second["ok"], second["size"]) == (True, size + 1)
    assert checkpoint.parse(note.split((shell.folder / "mark").read_text())[0]).size == size + 1


def test_a_mark_that_nobody_signed_is_refused(shell: Shell):
    shell("ledger", "checkpoint", "--sign")
    shell("ledger", "verify", "--mark", "mark")
    origin, size, rest = (shell.folder / "mark").read_text().split("\n", 2)
    forged = f"{origin}\n{int(size) - 1}\n{rest}".encode()
    for kept, why in (
        (forged, "does not fit the text"),
        (b"", "is empty"),
        (b"nonsense", "mark: "),
        (b"\xff", "mark "),
    ):
        (shell.folder / "mark").write_bytes(kept)
        ran = shell("ledger", "verify", "--mark", "mark", "--json")
        assert (ran.code, ran.out, ran.err.count("\n"), why in ran.err) == (2, "", 1, True)


def test_a_broken_ledger_leaves_the_mark_where_it_was(shell: Shell):
    shell("ledger", "checkpoint", "--sign")
    shell("ledger", "verify", "--mark", "mark")
    before = (shell.folder / "mark").read_text()
    say_something(shell)
    shell("ledger", "checkpoint", "--sign")
    last = shell.size() - 1
    tamper(
        shell,
        "DROP TRIGGER ledger_entry__update",
        f"UPDATE ledger_entry SET body = replace(body, 'T', 'U') WHERE seq = {last}",  # noqa: S608 -- a number
    )
    ran = shell("ledger", "verify", "--mark", "mark", "--json")

    assert (ran.code, ran.json["first_bad"]["seq"]) == (1, last)
    assert (shell.folder / "mark").read_text() == before


# --------------------------------------------------------------------------------------------------- seal, key, states


def test_a_log_whose_half_year_lasts_is_not_sealed(shell: Shell):
    ran = shell("ledger", "seal")
    assert (ran.code, ran.out, "is not over yet" in ran.err) == (1, "", True)


def test_a_new_key_takes_over_and_the_old_one_still_verifies(shell: Shell):
    old = vkey(shell)
    shell("ledger", "checkpoint", "--sign")
    ran = shell("ledger", "rotate-key", "--json")
    new = vkey(shell)

    assert (ran.code, list(ran.json)) == (0, ["old", "vkey", "entry", "checkpoint"])
    assert (ran.json["old"], ran.json["vkey"], old != new) == (old, new, True)
    assert checkpoint.open_checkpoint(shell("ledger", "checkpoint", "--sign").out, note.verifier_of(new)).size
    for key in (old, new):
        assert shell("ledger", "verify", "--key", key).code == 0
    for seq, key in ((3, old), (ran.json["entry"], new)):
        text, told = shell("ledger", "prove", seq).out, shell("ledger", "prove", seq, "--json").json
        known = proof.verify(text, leaf=base64.b64decode(told["leaf_hash"]), verifiers=[note.verifier_of(key)])
        assert known.size == told["size"]


def test_a_snapshot_is_taken_and_compared(shell: Shell):
    nothing = shell("ledger", "snapshot", "--compare", "--json")
    taken = shell("ledger", "snapshot", "--json")
    same = shell("ledger", "snapshot", "--compare", "--json")

    assert (nothing.code, nothing.json["ok"], nothing.json["entry"]) == (1, False, None)
    assert (taken.code, list(taken.json)) == (0, ["entry", "position", "customers", "root"])
    assert (same.code, same.json["ok"], same.json["customers"]) == (0, True, taken.json["customers"])
    assert shell("ledger", "snapshot", "--compare").out.count("\n") >= 3
    shell.check_ledger()


def test_a_last_word_that_vanished_is_named(shell: Shell):
    say_something(shell)
    shell("ledger", "snapshot")
    connection = sqlite3.connect(shell.database)
    [(owner,)] = connection.execute(
        "SELECT owner FROM ledger_payload WHERE owner LIKE 'cus_%' ORDER BY seq DESC LIMIT 1"
    ).fetchall()
    connection.close()
    tamper(shell, f"DELETE FROM ledger_payload WHERE owner = '{owner}'")  # noqa: S608 -- an identifier of ours
    ran = shell("ledger", "snapshot", "--compare", "--json")

    assert (ran.code, ran.json["ok"], [each["subject"] for each in ran.json["wrong"]]) == (1, False, [owner])
    assert owner in shell("ledger", "snapshot", "--compare").out
