"""`ledger receipt` and `verify-receipt`: a file and a key are enough to tell what holds from what doesn't."""

import json
from pathlib import Path

import pytest

from tests.faces.cli.conftest import SOMEBODY, Shell
from tests.receipts import FIRST, FIRST_KEY, VKEY

HELD = {"ok": True, "why": ""}


@pytest.fixture
def kept(shell: Shell) -> tuple[Path, str]:
    """Return the file of a receipt and the log's key, as somebody keeps them."""
    said = shell(
        "permission", "record", SOMEBODY, "grant", "contact:email:newsletter", "--method", "web_form", "--json"
    )
    file = shell.folder / "receipt.jsonld"
    file.write_text(shell("ledger", "receipt", said.json["seq"]).out, encoding="utf-8")
    return file, shell("ledger", "vkey").out.strip()


def test_a_receipt_is_printed_as_it_is_and_verifies(shell: Shell, kept):
    file, key = kept
    ran = shell("ledger", "verify-receipt", file, "--key", key, "--json")
    assert (ran.code, ran.json, ran.err) == (0, HELD, "")
    position = json.loads(file.read_text())["dct:identifier"].rpartition("/")[2]
    assert shell("ledger", "receipt", position, "--json").out == file.read_text()
    people = shell("ledger", "verify-receipt", file, "--key", key)
    assert (people.code, people.out.splitlines()[0]) == (
        0, "The receipt holds: the ledger has recorded just this, and can't take it back unnoticed.",
    )  # fmt: skip
    shell.check_ledger()


def test_verifying_needs_no_deployment_no_database_and_no_network(nowhere: Shell):
    assert list(nowhere.folder.iterdir()) == []
    ran = nowhere("ledger", "verify-receipt", FIRST, "--key", FIRST_KEY, "--json")
    assert (ran.code, ran.json) == (0, HELD)
    assert list(nowhere.folder.iterdir()) == []


def test_a_forged_receipt_is_refused(nowhere: Shell):
    forged = nowhere.folder / "forged.jsonld"
    forged.write_bytes(FIRST.read_bytes().replace(b"dpv:ConsentGiven", b"dpv:ConsentRefused"))
    ran = nowhere("ledger", "verify-receipt", forged, "--key", FIRST_KEY, "--json")
    assert (ran.code, ran.json, ran.err) == (
        1, {"ok": False, "why": "the readable part doesn't say what was recorded"}, "",
    )  # fmt: skip
    people = nowhere("ledger", "verify-receipt", forged, "--key", FIRST_KEY)
    assert (people.code, people.out) == (
        1, "The receipt does not hold: the readable part doesn't say what was recorded.\n",
    )  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[1]", b"{}", b"not json", b" " * (1 << 21)])
def test_what_is_no_receipt_is_refused(nowhere: Shell, content):
    file = nowhere.folder / "file"
    file.write_bytes(content)
    ran = nowhere("ledger", "verify-receipt", file, "--key", FIRST_KEY, "--json")
    assert (ran.code, list(ran.json), ran.json["ok"]) == (1, ["ok", "why"], False)


def test_another_ledgers_key_does_not_verify_and_several_keys_do(nowhere: Shell):
    other = "shop.example/consent/2026h2+1fe55b26+AWO97O0eTGUZCXZDClXPq6tm2frf3s1CgtK1SGE5/D9L"
    refused = nowhere("ledger", "verify-receipt", FIRST, "--key", other, "--json")
    assert (refused.code, refused.json["ok"]) == (1, False)
    held = nowhere("ledger", "verify-receipt", FIRST, "--key", other, "--key", FIRST_KEY, "--json")
    assert (held.code, held.json) == (0, HELD)


def test_a_key_may_lie_in_a_file(nowhere: Shell):
    file = nowhere.folder / "log.vkey"
    file.write_text(f"{VKEY}\n")
    assert nowhere("ledger", "verify-receipt", FIRST, "--key", file, "--json").json == HELD


@pytest.mark.parametrize("key", ["", "abc", FIRST_KEY[:-1], FIRST_KEY.replace("83e5", "83e6"), "no-such-file"])
def test_a_key_that_is_none_is_a_usage_error(nowhere: Shell, key):
    ran = nowhere("ledger", "verify-receipt", FIRST, "--key", key, "--json")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)


def test_a_file_that_cannot_be_read_was_not_checked(nowhere: Shell):
    for path in (nowhere.folder / "nothing.jsonld", nowhere.folder):
        ran = nowhere("ledger", "verify-receipt", path, "--key", FIRST_KEY, "--json")
        assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)


def test_what_is_no_statement_has_no_receipt(shell: Shell):
    ran = shell("ledger", "receipt", "0")
    assert (ran.code, ran.out, ran.err) == (
        2,
        "",
        "byleave: No such entry: there is no statement at position 0 (any more)\n",
    )
