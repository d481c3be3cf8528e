"""`ledger`: whole, broken, and what could not be verified are three different answers."""

import sqlite3
from base64 import b64decode

import pytest

from consent.ledger import checkpoint, note, proof
from tests.faces.cli.conftest import HOME, SOMEBODY, Shell

VERIFIED = ["ok", "size", "root", "checked", "first_bad", "seconds"]


def tamper(shell: Shell, *statements: str) -> None:
    connection = sqlite3.connect(shell.database)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_a_whole_ledger_verifies(shell: Shell):
    ran = shell("ledger", "verify", "--json")
    assert (ran.code, ran.err, list(ran.json)) == (0, "", VERIFIED)
    told = ran.json
    assert (told["ok"], told["size"], told["checked"], told["first_bad"]) == (True, shell.size(), shell.size(), None)
    assert len(b64decode(told["root"], validate=True)) == 32
    people = shell("ledger", "verify").out
    assert people.startswith("The ledger is whole: ")
    assert "is for `byleave audit run --check standing` to say" in people


def test_a_changed_byte_is_found_and_named(shell: Shell):
    tamper(
        shell,
        "DROP TRIGGER ledger_entry__update",
        "UPDATE ledger_entry SET body = replace(body, 'T', 'U') WHERE seq = 7",
    )
    ran = shell("ledger", "verify", "--json")
    assert (ran.code, ran.json["ok"], list(ran.json["first_bad"])) == (1, False, ["seq", "table", "why"])
    assert (ran.json["first_bad"]["seq"], ran.json["first_bad"]["table"]) == (7, "ledger_entry")
    people = shell("ledger", "verify")
    assert (people.code, "entry 7, ledger_entry" in people.out) == (1, True)


def test_a_head_that_is_gone_is_found(shell: Shell):
    tamper(shell, "DELETE FROM ledger_head")
    ran = shell("ledger", "verify", "--json")
    assert (ran.code, ran.json["ok"], ran.json["first_bad"]["seq"]) == (1, False, 0)


def test_without_a_ledger_nothing_was_verified(shell: Shell):
    shell.database.unlink()
    ran = shell("ledger", "verify", "--json")
    assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)


def test_the_key_that_was_kept_elsewhere_verifies_and_another_does_not(shell: Shell, nowhere: Shell, monkeypatch):
    kept = shell("ledger", "vkey").out.strip()
    assert shell("ledger", "verify", "--vkey", kept).code == 0
    monkeypatch.setenv("BYLEAVE_HOME", "other-home")
    nowhere("init", "--name", "other.example")
    other = nowhere("ledger", "vkey").out.strip()
    monkeypatch.setenv("BYLEAVE_HOME", HOME)
    for key in (other, "nonsense"):
        ran = shell("ledger", "verify", "--vkey", key)
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)


def test_a_checkpoint_is_signed_on_demand_and_opens_with_the_key(shell: Shell):
    key = note.verifier_of(shell("ledger", "vkey").out.strip())
    ran = shell("ledger", "checkpoint", "--sign")
    assert (ran.code, checkpoint.open_checkpoint(ran.out, key).size) == (0, shell.size())
    told = shell("ledger", "checkpoint", "--json").json
    assert (list(told), told["checkpoint"]) == (["origin", "size", "root", "checkpoint"], ran.out)


def test_a_proof_is_one_that_others_can_read(shell: Shell):
    shell("ledger", "checkpoint", "--sign")
    ran = shell("ledger", "prove", 5)
    told = shell("ledger", "prove", 5, "--json").json
    assert (ran.code, proof.read(ran.out).index) == (0, 5)
    assert list(told) == ["seq", "size", "leaf_hash", "path", "checkpoint"]
    assert [b64decode(each) for each in told["path"]] == list(proof.read(ran.out).path)


def test_of_an_entry_that_no_checkpoint_covers_yet_one_is_signed(shell: Shell):
    shell("ledger", "checkpoint", "--sign")
    newest = shell.size()
    shell("permission", "record", SOMEBODY, "withdraw", "contact:email:newsletter")
    told = shell("ledger", "prove", newest, "--json").json
    assert (told["seq"], told["size"]) == (newest, newest + 1)
    assert told["checkpoint"] == shell("ledger", "checkpoint", "--json").json["checkpoint"]
    assert shell("ledger", "prove", newest + 1).code == 2
    assert shell.size() == newest + 1


def test_an_entry_is_shown_as_it_is_stored(shell: Shell):
    ran = shell("ledger", "entries", "show", 0, "--json")
    assert (ran.code, list(ran.json)) == (
        0, ["seq", "at", "kind", "catalogue_version", "log", "commitment", "digest", "leaf_hash", "entry"],
    )  # fmt: skip
    assert (ran.json["kind"], ran.json["seq"]) == ("catalogue.published", 0)


@pytest.mark.parametrize(
    "typed",
    [["prove", "999999"], ["prove", "-1"], ["prove", "one"], ["entries", "show", "999999"], ["entries", "show", "1.9"]],
)
def test_an_entry_that_is_not_there_is_unknown(shell: Shell, typed):
    ran = shell("ledger", *typed)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
