"""The made-up shop: the same from the same seed, of the shipped catalogue's words, with effects to find."""

import csv
import hashlib
import tomllib
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from consent.catalogue.reading import DEFAULT, read_catalogue
from personalise.measure.effects import Effect, effects, sample_ratio
from personalise.shop.generator import Shop, rows, shop, write
from personalise.shop.outcomes import TREATMENTS, outcomes_of

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
EXAMPLES = Path(__file__).parents[3] / "personalise" / "shop" / "files"
Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def made() -> Shop:
    return shop(20_000, seed=7, at=AT)


@pytest.fixture(scope="module")
def said(made: Shop) -> dict[str, Rows]:
    by_customer: dict[str, Rows] = defaultdict(list)
    for row in rows(made.statements):
        by_customer[row["reference"]].append(row)
    return dict(by_customer)


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(tmp_path: Path) -> None:
    write(shop(500, seed=1, at=AT), tmp_path / "one")
    write(shop(500, seed=1, at=AT), tmp_path / "again")
    write(shop(500, seed=2, at=AT), tmp_path / "other")
    assert digests(tmp_path / "one") == digests(tmp_path / "again")
    one, other = digests(tmp_path / "one"), digests(tmp_path / "other")
    assert [name for name in one if one[name] == other[name]] == []


def test_rows_are_what_reading_the_files_gives(tmp_path: Path) -> None:
    small = shop(300, seed=1, at=AT)
    paths = write(small, tmp_path)
    for path, table in zip(paths, (small.customers, small.statements, small.outcomes), strict=True):
        with path.open(newline="", encoding="utf-8") as file:
            assert list(csv.DictReader(file)) == list(rows(table))


def test_every_file_says_that_it_is_made_up(tmp_path: Path) -> None:
    small = shop(200, seed=1, at=AT)
    write(small, tmp_path)
    assert (tmp_path / "README.txt").read_text(encoding="utf-8").startswith("A made-up shop, seed 1, 200 customers")
    assert {row["email"].rpartition("@")[2] for row in rows(small.customers)} == {"shop.example"}
    assert {row["evidence"].partition(" ")[0] for row in rows(small.statements)} == {"made-up"}
    assert {row["origin"] for row in rows(small.outcomes)} == {"simulated"}


def test_references_are_distinct_and_in_order(made: Shop) -> None:
    references = made.customers["reference"].to_pylist()
    assert references == [f"S{number:06d}" for number in range(1, 20_001)]


def test_customers_are_plausible(made: Shop) -> None:
    for row in made.customers.slice(0, 2_000).to_pylist():
        assert 0 <= row["spend_past_year"] < 20_000
        assert (row["purchases_count"] == 0) == (row["months_since_purchase"] is None)
        assert (row["purchases_count"] == 0) == (row["last_purchase_category"] is None)
        assert (row["visits_past_month"] == 0) == (row["last_viewed_category"] is None)
        assert (row["spend_past_year"] > 0) == (row["purchases_count"] > 0 and row["months_since_purchase"] < 12)
        assert row["interests"].split(";")[0] == row["main_interest"]
        assert len(set(row["interests"].split(";"))) == len(row["interests"].split(";"))
        assert ZoneInfo(row["time_zone"]).key == row["time_zone"]


def test_every_column_is_mapped_to_an_attribute_of_the_shipped_catalogue(made: Shop) -> None:
    catalogue = read_catalogue(DEFAULT)
    mapping = tomllib.loads((EXAMPLES / "mapping.toml").read_text(encoding="utf-8"))
    columns = {mapping["reference"], *mapping["attributes"].values(), *mapping["identities"].values()}
    assert columns == set(made.customers.column_names)
    outcomes = tomllib.loads((EXAMPLES / "outcomes_mapping.toml").read_text(encoding="utf-8"))
    answers = {"got"} | outcomes["outcomes"].keys() - {"treatment"}
    assert mapping["attributes"].keys() | answers == catalogue.attributes.keys()


def test_statements_name_scopes_of_the_shipped_catalogue_only(made: Shop) -> None:
    catalogue = read_catalogue(DEFAULT)
    named = {scope for row in rows(made.statements) for scope in row["scopes"].split()}
    assert named <= catalogue.scopes.keys()
    asked = {scope for scope, rule in catalogue.scopes.items() if rule.legal_basis == "consent"}
    assert asked <= named


def test_everybody_was_asked_in_his_own_language_where_the_words_are_in_it(made: Shop) -> None:
    [worded] = {frozenset(notice.wording) for notice in read_catalogue(DEFAULT).notices.values()}
    own = {row["reference"]: row["language"] for row in rows(made.customers)}
    shown = {(own[row["reference"]], row["language"]) for row in rows(made.statements)}
    assert shown == {(code, code if code in worded else "en") for code in own.values()}
    assert ("fr", "fr") in shown


def test_the_campaign_sends_what_the_simulation_knows() -> None:
    campaign = tomllib.loads((EXAMPLES / "campaign.toml").read_text(encoding="utf-8"))
    assert ["none", *(treatment["key"] for treatment in campaign["treatment"])] == list(TREATMENTS)
    assert {treatment["offer"] for treatment in campaign["treatment"]} == {offer["key"] for offer in campaign["offer"]}


def test_every_kind_of_word_was_said(made: Shop, said: dict[str, Rows]) -> None:
    acts = Counter(row["act"] for row in rows(made.statements))
    assert sorted(acts) == ["grant", "object", "refuse", "renew", "withdraw"]
    assert min(acts.values()) > 100
    assert 0.07 < 1 - len(said) / 20_000 < 0.09


def test_nobody_speaks_after_the_instant_asked_for_and_few_before_two_years(made: Shop) -> None:
    instants = made.statements["said_at"].to_pylist()
    assert max(instants) < AT
    early = sum(instant < AT - timedelta(days=730) for instant in instants) / len(instants)
    assert 0.02 < early < 0.06
    assert min(instants) > AT - timedelta(days=913)


def test_nothing_is_withdrawn_or_renewed_that_was_not_granted_before(said: dict[str, Rows]) -> None:
    for words in said.values():
        standing: set[str] = set()
        for row in words:
            scopes = set(row["scopes"].split())
            assert row["act"] not in {"withdraw", "renew"} or scopes <= standing
            assert row["act"] != "refuse" or not scopes & standing
            standing = standing | scopes if row["act"] in {"grant", "renew"} else standing - scopes


def test_each_customers_words_stand_in_the_order_they_were_said(made: Shop) -> None:
    keys = [(row["reference"], row["said_at"]) for row in rows(made.statements)]
    assert keys == sorted(keys)


def test_a_renewal_comes_before_the_shortest_validity_is_over(said: dict[str, Rows]) -> None:
    for words in said.values():
        if words[-1]["act"] == "renew":
            first, renewed = (datetime.fromisoformat(row["said_at"]) for row in (words[0], words[-1]))
            assert timedelta(days=300) <= renewed - first < timedelta(days=391)


def test_the_simulated_experiment_has_effects_to_find(made: Shop) -> None:
    outcomes = made.outcomes
    interested = np.isin(made.customers["main_interest"].to_numpy(), ("running", "hiking", "cycling"))
    found = effects(
        outcomes["treatment"].filter(pa.array(interested)),
        {"visited": outcomes["visited"].filter(pa.array(interested))},
        control="none",
    )
    effect = {one.arm: one.effect for one in found}["outdoor-mail"]
    assert isinstance(effect, Effect)
    assert 0.04 < effect.lower < effect.upper < 0.14


def test_the_simulated_experiment_drew_its_arms_fairly(made: Shop) -> None:
    counts = Counter(made.outcomes["treatment"].to_pylist())
    ratio = sample_ratio(counts, dict.fromkeys(TREATMENTS, 0.25))
    assert getattr(ratio, "ok", False)


def test_only_a_visitor_buys_and_only_a_buyer_spends(made: Shop) -> None:
    visited, converted, spent = (made.outcomes[name].to_numpy() for name in ("visited", "converted", "spent"))
    assert not (converted & ~visited).any()
    assert ((spent > 0) == converted).all()


def test_what_follows_a_treatment_is_the_same_whoever_else_is_asked_about(made: Shop) -> None:
    whole = outcomes_of(made.told, made.outcomes["reference"], made.outcomes["treatment"].to_numpy())
    chosen = pa.array([12_345, 3, 700])
    part = made.outcomes.take(chosen)
    again = outcomes_of(made.told, part["reference"], part["treatment"].to_numpy())
    assert whole == made.outcomes
    assert again == whole.take(chosen)


def test_a_better_chance_never_loses_a_visit(made: Shop) -> None:
    some = made.told.slice(0, 1_000)
    alone, mailed = (
        outcomes_of(made.told, some["reference"], np.full(1_000, name))["visited"].to_numpy()
        for name in ("none", "home-mail")
    )
    assert not (alone & ~mailed).any()


@pytest.mark.parametrize(
    ("references", "treatments"),
    [(["S000001"], ["no-such-mail"]), (["S999999"], ["none"]), (["S000001"], ["none", "none"])],
)
def test_an_unknown_customer_or_treatment_has_no_outcome(
    made: Shop, references: list[str], treatments: list[str]
) -> None:
    with pytest.raises(ValueError, match="both be known"):
        outcomes_of(made.told, pa.array(references), treatments)


@pytest.mark.parametrize("n", [0, 1_000_000])
def test_a_shop_of_impossible_size_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 999,999"):
        shop(n, seed=1, at=AT)


def test_a_shop_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        shop(1, seed=1, at=AT.replace(tzinfo=None))


@pytest.mark.parametrize("seed", range(5))
def test_a_shop_of_one_customer_stands(seed: int) -> None:
    one = shop(1, seed=seed, at=AT)
    assert (one.customers.num_rows, one.outcomes.num_rows) == (1, 1)
    assert replace(one) == one
