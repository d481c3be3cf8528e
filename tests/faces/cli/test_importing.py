"""`import`: a dry run stores nothing, a wrong row neither, and what comes in is counted."""

import pytest

from tests.faces.cli.conftest import CUSTOMERS, Shell

KEYS = {
    "statements": {
        "customers",
        "rows",
        "new",
        "recorded",
        "repeated",
        "unknown",
        "acts",
        "changes",
        "seconds",
        "dry_run",
        "seq",
    },
    "customers": {"customers", "rows", "new", "stored", "refused", "seconds", "dry_run", "seq"},
    "outcomes": {"customers", "rows", "unknown", "stored", "refused", "seconds", "dry_run", "seq"},
}
MAPPINGS = {"statements": "statements_mapping.toml", "customers": "mapping.toml", "outcomes": "outcomes_mapping.toml"}


@pytest.mark.parametrize("what", list(KEYS))
def test_a_dry_run_counts_and_stores_nothing(shell: Shell, what):
    size = shell.size()
    ran = shell("import", what, f"{what}.csv", "--mapping", MAPPINGS[what], "--dry-run", "--json")
    assert (ran.code, ran.err, set(ran.json), ran.json["seq"]) == (0, "", KEYS[what], None)
    assert shell.size() == size


@pytest.mark.parametrize("what", list(KEYS))
def test_a_file_comes_in_and_leaves_its_entry(shell: Shell, what):
    size = shell.size()
    ran = shell("import", what, f"{what}.csv", "--mapping", MAPPINGS[what], "--json")
    assert (ran.code, ran.err, set(ran.json), ran.json["seq"]) == (0, "", KEYS[what], size)
    shell.check_ledger()


def test_the_same_statements_come_in_once(shell: Shell):
    ran = shell("import", "statements", "statements.csv", "--mapping", "statements_mapping.toml", "--json")
    assert (ran.json["recorded"], ran.json["repeated"] + ran.json["unknown"]) == (0, ran.json["rows"])


def test_an_import_for_people_is_a_line_a_count(shell: Shell):
    ran = shell("import", "customers", "customers.csv", "--mapping", "mapping.toml")
    assert (ran.code, ran.out.splitlines()[:2]) == (0, ["customers.csv: it is in.", f"customers  {CUSTOMERS}"])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda raw: raw.replace(b",running,", b",run\x00ning,", 1), "NUL"),
        (lambda raw: raw + b'S999999,"broken\n', "quote"),
        (lambda raw: raw.replace(b"reference", b"who", 1), "column"),
        (lambda raw: raw + b"S999999\n", "has 1 cell"),
        (lambda raw: raw.decode().encode("utf-16"), "UTF-16"),
        (lambda raw: raw + b"S999999,\xff" + b"," * 12 + b"\n", "UTF-8"),
        (lambda raw: raw + raw.splitlines(keepends=True)[1], "line"),
        (lambda raw: raw.splitlines(keepends=True)[0], "no row"),
        (lambda _: b"", "customers.csv"),
    ],
)
def test_a_wrong_file_is_named_by_its_place_and_nothing_is_stored(shell: Shell, change, named):
    file = shell.folder / "customers.csv"
    file.write_bytes(change(file.read_bytes()))
    size = shell.size()
    ran = shell("import", "customers", "customers.csv", "--mapping", "mapping.toml")
    assert (ran.code, ran.out, ran.err.count("\n"), named in ran.err) == (2, "", 1, True), ran.err
    assert shell.size() == size


def test_a_number_that_is_none_is_named_by_line_and_column(shell: Shell):
    file = shell.folder / "customers.csv"
    header, *rows = file.read_text().splitlines()
    spot = header.split(",").index("purchases_count")
    cells = rows[0].split(",")
    cells[spot] = "1.9"
    file.write_text("\n".join([header, ",".join(cells), *rows[1:]]) + "\n")
    ran = shell("import", "customers", "customers.csv", "--mapping", "mapping.toml")
    assert (ran.code, ran.out) == (2, "")
    assert "line 2, column purchases_count: '1.9' is not a whole number" in ran.err


@pytest.mark.parametrize(
    "typed",
    [
        ["customers", "absent.csv", "--mapping", "mapping.toml"],
        ["customers", "customers.csv", "--mapping", "absent.toml"],
        ["customers", "customers.csv"],
        ["statements", "statements.csv", "--mapping", "mapping.toml"],
        ["customers", ".", "--mapping", "mapping.toml"],
    ],
)
def test_an_import_without_its_files_is_refused(shell: Shell, typed):
    size = shell.size()
    ran = shell("import", *typed)
    assert (ran.code, ran.out, ran.err.count("\n"), shell.size()) == (2, "", 1, size)
