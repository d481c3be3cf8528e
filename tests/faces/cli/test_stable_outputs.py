"""The keys that other programs and teams rely on, in the order in which they were promised."""

import pytest

from tests.faces.cli.conftest import SOMEBODY, Shell
from tests.faces.cli.test_findings import FORGE, tamper

CHECKED = ["permit", "reason", "positions", "scope", "customer", "at"]


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        ("ledger verify", ["ok", "size", "root", "checked", "first_bad", "seconds"]),
        ("ledger prove 20", ["seq", "size", "leaf_hash", "path", "checkpoint"]),
        ("ledger verify-receipt receipt --key vkey", ["ok", "why"]),
        (f"permission check {SOMEBODY} contact:email:recommendations", CHECKED),
        (f"permission check {SOMEBODY} nonsense --as-of 2999-01-01T00:00:00Z", None),
        ("audit run", ["status", "findings", "gaps", "checks", "seconds"]),
        ("finding list", ["data", "next_cursor"]),
    ],
)
def test_the_keys_of_an_answer_are_stable(shell: Shell, typed, keys):
    shell("ledger", "checkpoint", "--sign")
    (shell.folder / "receipt").write_text(shell("ledger", "receipt", 20).out, encoding="utf-8")
    (shell.folder / "vkey").write_text(shell("ledger", "vkey").out, encoding="utf-8")
    ran = shell(*typed.split(), "--json")
    assert (list(ran.json) if ran.out else None) == keys


def test_a_finding_of_an_audit_has_the_keys_that_were_promised(shell: Shell):
    tamper(shell, FORGE)
    [finding] = shell("audit", "run", "--check", "standing", "--json").json["findings"]
    assert list(finding) == ["check", "severity", "subject", "why"]


def test_an_export_of_a_customer_is_one_object(shell: Shell):
    told = shell("customer", "export", SOMEBODY, "--json").json
    assert (told["format"], told["customer"]["id"][:4]) == ("byleave/export/v1", "cus_")
