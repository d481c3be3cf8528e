"""Synthetic permissions: labelled so, fixed by reference and seed, blind to what happened; and their files."""

import csv
import importlib.util
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from consent.catalogue.reading import read_catalogue
from tests.shared import shared

EXAMPLE = Path(__file__).parents[3] / "examples" / "hillstrom"
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
REFERENCES = [f"H{number:06d}" for number in range(20_000)]
Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hillstrom_permissions", EXAMPLE / "permissions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def said(example: ModuleType) -> dict[str, Rows]:
    by_customer: dict[str, Rows] = defaultdict(list)
    for row in example.synthetic_permissions(REFERENCES, seed=7, at=AT):
        by_customer[row["reference"]].append(row)
    return dict(by_customer)


@pytest.fixture
def customers() -> Iterator[Rows]:
    with shared("data", "hillstrom.csv").open(newline="", encoding="utf-8") as file:
        yield list(csv.DictReader(file))


def toml(name: str) -> dict[str, Any]:
    return tomllib.loads((EXAMPLE / name).read_text(encoding="utf-8"))


def share(said: dict[str, Rows], act: str, scope: str) -> float:
    found = sum(any(row["act"] == act and scope in row["scopes"].split() for row in words) for words in said.values())
    return found / len(REFERENCES)


def test_every_statement_is_labelled_synthetic(said: dict[str, Rows]) -> None:
    assert {row["method"] for words in said.values() for row in words} == {"synthetic"}
    assert {row["evidence"] for words in said.values() for row in words} == {
        "synthetic, seed 7: made up from the reference"
    }


def test_every_scope_is_in_the_examples_catalogue(said: dict[str, Rows]) -> None:
    named = {scope for words in said.values() for row in words for scope in row["scopes"].split()}
    assert named == read_catalogue(EXAMPLE / "catalogue.toml").scopes.keys()


def test_the_shares_are_what_the_rule_says(said: dict[str, Rows]) -> None:
    def near(value: float) -> Any:
        return pytest.approx(value, abs=0.015)

    assert 1 - len(said) / len(REFERENCES) == near(0.08)
    assert share(said, "grant", "remember:purchases") == near(0.70)
    assert share(said, "grant", "use:purchases:recommendations") == near(0.70)
    assert share(said, "grant", "contact:email:recommendations") == near(0.65)
    assert share(said, "object", "use:responses:measurement") == near(0.02)
    assert 0.03 < share(said, "withdraw", "contact:email:recommendations") < 0.07


def test_a_few_permissions_have_run_out(said: dict[str, Rows]) -> None:
    oldest = AT - timedelta(days=731)
    old = sum(datetime.fromisoformat(words[-1]["said_at"]) < oldest for words in said.values())
    assert 0.02 < old / len(REFERENCES) < 0.06


def test_nobody_speaks_later_than_asked_for_and_each_in_order(said: dict[str, Rows]) -> None:
    for words in said.values():
        instants = [datetime.fromisoformat(row["said_at"]) for row in words]
        assert instants == sorted(instants)
        assert instants[-1] < AT


def test_only_what_was_granted_is_withdrawn_and_no_scope_gets_two_answers(said: dict[str, Rows]) -> None:
    for words in said.values():
        granted: set[str] = {scope for row in words if row["act"] == "grant" for scope in row["scopes"].split()}
        refused: set[str] = {scope for row in words if row["act"] == "refuse" for scope in row["scopes"].split()}
        assert not granted & refused
        for row in words:
            assert row["scopes"]
            assert row["act"] != "withdraw" or set(row["scopes"].split()) <= granted


def test_a_customers_words_do_not_depend_on_who_else_is_there(example: ModuleType, said: dict[str, Rows]) -> None:
    some = ["H019999", "never-seen", "H000007"]
    again = list(example.synthetic_permissions(some, seed=7, at=AT))
    assert [row for row in again if row["reference"] == "H019999"] == said["H019999"]
    assert [row for row in again if row["reference"] == "H000007"] == said["H000007"]


def test_another_seed_gives_other_words(example: ModuleType, said: dict[str, Rows]) -> None:
    other: dict[str, Rows] = defaultdict(list)
    for row in example.synthetic_permissions(REFERENCES[:500], seed=8, at=AT):
        other[row["reference"]].append(row)
    same = sum(
        [row["scopes"] for row in other.get(reference, [])] == [row["scopes"] for row in said.get(reference, [])]
        for reference in REFERENCES[:500]
    )
    assert same < 200


def test_an_instant_without_a_time_zone_is_refused(example: ModuleType) -> None:
    with pytest.raises(ValueError, match="time zone"):
        list(example.synthetic_permissions(["H000001"], seed=1, at=AT.replace(tzinfo=None)))


def test_the_same_instant_in_another_zone_gives_the_same_rows(example: ModuleType) -> None:
    there = datetime.fromisoformat("2026-11-21T13:00:00+01:00")
    here = list(example.synthetic_permissions(REFERENCES[:50], seed=1, at=AT))
    assert list(example.synthetic_permissions(REFERENCES[:50], seed=1, at=there)) == here


def test_as_a_script_it_writes_what_its_mapping_reads(
    example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "customers.csv"
    file.write_text("customer_id,recency\nH000002,7\nH000003,9\n", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["permissions.py", str(file), "--seed", "7", "--at", "2026-11-21T12:00:00Z"])
    example.main()
    lines = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert lines == list(example.synthetic_permissions(["H000002", "H000003"], seed=7, at=AT))
    mapping = toml("statements_mapping.toml")
    columns = {column["column"] if isinstance(column, dict) else column for column in mapping["statement"].values()}
    assert columns | {mapping["reference"]} == set(example.COLUMNS)


def test_the_mapping_names_every_attribute_and_only_those_of_the_catalogue() -> None:
    mapping = toml("mapping.toml")
    outcomes = {"got"} | mapping["outcomes"].keys() - {"treatment"}
    assert mapping["attributes"].keys() | outcomes == read_catalogue(EXAMPLE / "catalogue.toml").attributes.keys()


def test_the_campaign_treats_by_the_names_of_the_outcomes() -> None:
    campaign, mapping = toml("campaign.toml"), toml("mapping.toml")
    arms = set(mapping["outcomes"]["treatment"]["values"].values())
    assert {treatment["key"] for treatment in campaign["treatment"]} | {"none"} == arms
    assert {treatment["offer"] for treatment in campaign["treatment"]} == {offer["key"] for offer in campaign["offer"]}
    assert campaign["objective"]["measure"] in mapping["outcomes"]


def test_every_column_and_value_of_the_real_file_is_mapped(customers: Rows) -> None:
    mapping = toml("mapping.toml")
    named = [*mapping["attributes"].values(), *mapping["outcomes"].values()]
    tables = [column for column in named if isinstance(column, dict)]
    columns = {column["column"] if isinstance(column, dict) else column for column in named}
    assert columns | {mapping["reference"], *mapping["ignore"]} == customers[0].keys()
    for table in tables:
        assert {row[table["column"]] for row in customers} == table["values"].keys()


def test_real_customers_get_permissions_that_know_nothing_of_their_mail(example: ModuleType, customers: Rows) -> None:
    """Grants of e-mail by arm differ by less than four standard errors of chance."""
    segment = {row["customer_id"]: row["segment"] for row in customers}
    granted = {
        row["reference"]
        for row in example.synthetic_permissions(segment, seed=7, at=AT)
        if row["act"] == "grant" and "contact:email:recommendations" in row["scopes"]
    }
    size = Counter(segment.values())
    rates = [sum(segment[reference] == arm for reference in granted) / n for arm, n in sorted(size.items())]
    assert max(rates) - min(rates) < 4 * (2 * 0.65 * 0.35 / min(size.values())) ** 0.5
