"""`import`: a dry run stores nothing, a wrong row neither, and what comes in is counted."""

import json
import re
import stat
from pathlib import Path

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
        "silent",
        "left_out",
        "acts",
        "changes",
        "seconds",
        "dry_run",
        "seq",
    },
    "customers": {
        "customers",
        "rows",
        "new",
        "stored",
        "refused",
        "households",
        "left_out",
        "seconds",
        "dry_run",
        "seq",
    },
    "outcomes": {"customers", "rows", "unknown", "stored", "refused", "left_out", "seconds", "dry_run", "seq"},
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
    first, *counts = ran.out.splitlines()
    assert (ran.code, first, counts[0].split()) == (0, "customers.csv: it is in.", ["customers", str(CUSTOMERS)])
    assert [line.split("  ")[0] for line in counts] == [
        "customers", "rows", "new customers", "facts kept", "facts that may not be kept", "rows left out", "seconds",
        "ledger entry",
    ]  # fmt: skip


def test_where_the_mapping_names_a_household_it_is_said_how_many_came_into_one(shell: Shell):
    mapping, file = shell.folder / "mapping.toml", shell.folder / "customers.csv"
    mapping.write_text(mapping.read_text().replace("reference = ", 'household = "home"\nreference = ', 1))
    header, *rows = file.read_text().splitlines()
    homes = [f"Elm Street {spot // 2}" if spot < 10 else "" for spot in range(len(rows))]
    file.write_text("\n".join(f"{row},{home}" for row, home in zip([header, *rows], ["home", *homes], strict=True)))
    ran = shell("import", "customers", "customers.csv", "--mapping", "mapping.toml")
    told = dict(re.split(" {2,}", line, maxsplit=1) for line in ran.out.splitlines()[1:])
    assert (ran.code, told["came into a household"]) == (0, "10")


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


EXAMPLES = Path(__file__).parents[3] / "examples" / "imports"


def test_a_dry_run_prints_the_first_rows_and_writes_all_of_them(shell: Shell):
    size = shell.size()
    mapping = EXAMPLES / "mailchimp_subscribed.toml"
    ran = shell(
        "import", "statements", EXAMPLES / "mailchimp_subscribed.csv", "--mapping", mapping, "--dry-run", "--rows",
        "rows.jsonl",
    )  # fmt: skip
    assert (ran.code, ran.err) == (0, "")
    table = [line.split() for line in ran.out.splitlines()[-4:]]
    assert table[0] == ["row", "customer", "what", "outcome"]
    assert [line[:3] for line in table[1:]] == [["2", "new", "grant"], ["3", "new", "grant"], ["4", "new", "grant"]]
    lines = [json.loads(line) for line in (shell.folder / "rows.jsonl").read_text().splitlines()]
    assert [line["outcome"] for line in lines] == ["recorded", "recorded", "unknown"]
    assert (shell.size(), stat.S_IMODE((shell.folder / "rows.jsonl").stat().st_mode)) == (size, 0o600)
    again = shell(
        "import", "statements", EXAMPLES / "mailchimp_subscribed.csv", "--mapping", mapping, "--rows", "rows.jsonl"
    )
    assert (again.code, again.err.count("\n"), shell.size()) == (2, 1, size)


def test_good_rows_come_in_when_asked_and_the_others_are_kept_apart(shell: Shell):
    file = shell.folder / "customers.csv"
    file.write_text(file.read_text() + "S999999\n")
    typed = ["import", "customers", "customers.csv", "--mapping", "mapping.toml"]
    assert shell(*typed).code == 2
    assert shell(*typed, "--refused", "refused.csv").code == 2
    ran = shell(*typed, "--partly", "--refused", "refused.csv", "--json")
    assert (ran.code, ran.json["left_out"], ran.json["rows"]) == (0, 1, CUSTOMERS)
    header, *rest = (shell.folder / "refused.csv").read_text().splitlines()
    assert (header, rest) == (file.read_text().splitlines()[0], ["S999999"])
    shell.check_ledger()


def test_a_format_is_looked_for_only_when_asked(shell: Shell):
    typed = ["import", "statements", EXAMPLES / "onetrust.json", "--mapping", EXAMPLES / "onetrust.toml", "--dry-run"]
    assert [shell(*typed, *more).code for more in ([], ["--format", "auto"], ["--format", "onetrust"])] == [0, 0, 0]
    ran = shell(*typed, "--format", "listmonk")
    assert (ran.code, "is onetrust, but the file is of the format listmonk" in ran.err) == (2, True)


@pytest.mark.parametrize("name", ["listmonk", "mailchimp_subscribed", "mailchimp_unsubscribed", "signals"])
def test_the_examples_of_the_guide_come_in(shell: Shell, name):
    ran = shell("import", "statements", EXAMPLES / f"{name}.csv", "--mapping", EXAMPLES / f"{name}.toml", "--json")
    assert (ran.code, ran.json["left_out"]) == (0, 0)
    assert shell("audit", "run", "--json").json["status"] == "passed"
    shell.check_ledger()
