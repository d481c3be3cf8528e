"""What a dry run foresees beside its counts: cost and goodwill, and a few customers with why; nobody is kept by it."""

import json

import pytest
import sqlalchemy as sa

from consent.catalogue.reading import DEFAULT, read_catalogue
from consent.register import publishing
from personalise import engine
from personalise.campaigns.model import LEAVE_ALONE
from personalise.runs import comparing, dry_run
from personalise.runs.comparing import Named
from personalise.runs.totals import from_stored
from personalise.tables import CampaignDryRunRow
from tests.campaigns import TABLES, fill, publish, willing
from tests.erasing import erase
from tests.flows.test_comparing import FREE
from tests.flows.test_contact_policy import rule

MANY = 120
PRICES = {"opening": 10, "floor": 5, "prices": {"email": 3}}


def dry(world, **how):
    return dry_run.dry_run(world.deployment, "spring", actor="mia", **how)


@pytest.fixture
def shop(world):
    fill(world, MANY)
    publish(world)
    return world


# ------------------------------------------------------------------------------------------------------------ forecast


def test_a_dry_run_forecasts_contacts_outcomes_value_and_cost(world):
    publish(world, **FREE)
    willing(world, 4)
    told = dry(world).as_json(named=False)

    # A mail to each of four: 5 in a hundred visit, a visit is worth 1, a mail costs 0.01.
    assert (told["customers"], told["chosen"], told["contacts"]) == (6, {"mail": 4}, {"email": 4})
    assert told["expected_outcomes"] == pytest.approx(4 * 0.05)
    assert told["cost"] == pytest.approx(4 * 0.01)
    assert told["expected_value"] == told["worth"] == pytest.approx(4 * (0.05 - 0.01))
    assert (told["goodwill"], told["below_floor"], told["near_floor"]) == (None, None, None)
    world.check_ledger()


@pytest.mark.parametrize(("floor", "near"), [(0, 0), (4, 0), (4.001, 3), (7, 3)])
def test_goodwill_is_forecast_without_a_budget_and_whose_account_is_left_near_the_floor(world, floor, near):
    publish(world, **FREE)
    willing(world, 3)
    rule(world, goodwill={**PRICES, "floor": floor})
    told = dry(world).as_json(named=False)

    assert (told["quotas"], told["goodwill"], told["below_floor"], told["near_floor"]) == ({}, 9, 0, near)


def test_what_is_forecast_does_not_depend_on_chunks_and_is_what_comparing_finds(shop):
    rule(shop, goodwill=PRICES)
    whole, parts = dry(shop).totals, dry(shop, most=7).totals
    found = comparing.compare(shop.deployment, Named(campaign="spring"), Named(campaign="spring"), actor="mia")

    assert whole.counts.chosen.total() > 0
    assert (whole.counts, whole.channels, whole.goodwill, whole.near_floor) == (
        parts.counts, parts.channels, parts.goodwill, parts.near_floor,
    )  # fmt: skip
    assert [parts.outcomes, parts.cost, parts.value, parts.worth] == pytest.approx(
        [whole.outcomes, whole.cost, whole.value, whole.worth]
    )
    assert (found.table.a, found.table.b) == (whole, whole)


def test_of_nobody_nothing_is_forecast(blank):
    desk = blank.deployment.desk
    with blank.store.write() as work:
        publishing.found(desk, work, "shop.example", at=blank.clock())
        publishing.publish(desk, work, read_catalogue(DEFAULT), actor="mia", at=blank.clock())
    publish(blank)
    free = dry(blank, samples=3).as_json(named=True)
    rule(blank, goodwill=PRICES)
    priced = dry(blank, samples=3).as_json(named=True)

    assert (free["customers"], free["contacts"], free["cost"], free["samples"]) == (0, {}, 0, [])
    assert (free["goodwill"], free["below_floor"]) == (None, None)
    assert (priced["goodwill"], priced["below_floor"], priced["near_floor"]) == (0, 0, 0)


def test_service_messages_cost_no_goodwill(world):
    publish(world, **{**FREE, "campaign": {**FREE["campaign"], "class": "service"}})
    willing(world, 2)
    rule(world, goodwill=PRICES)
    told = dry(world, samples=1).as_json(named=False)

    assert (told["goodwill"], told["below_floor"], told["near_floor"]) == (None, None, None)
    assert [(end["name"], end["customers"]) for end in told["samples"] if end["how"] == "addressed"] == [("mail", 2)]


def test_the_forecast_is_kept_beside_the_counts_and_older_rows_are_still_read(shop):
    found = dry(shop)
    [(kept,)] = shop.rows("SELECT counts FROM campaign_dry_run")
    old = {key: value for key, value in json.loads(kept).items() if key != "forecast"}

    assert from_stored(kept) == (found.counts, found.totals)
    assert from_stored(json.dumps(old)) == (found.counts, None)
    with shop.store.write() as work:
        work.connection.execute(sa.insert(CampaignDryRunRow).values(
            campaign="summer", id="dry_old", version=1, catalogue=1, policy=b"", at=shop.clock(), actor="mia",
            counts=json.dumps(old),
        ))  # fmt: skip
    with shop.store.read() as work:
        seen = dry_run.foreseen(work, "summer", 1)
    assert seen is not None
    assert seen.addressed == found.counts.chosen.total()


# ------------------------------------------------------------------------------------------------------------- samples


def shown(found):
    return {(end.how, end.name): [each.customer for each in end.samples] for end in found.ends}


def test_samples_are_the_same_customers_in_whatever_chunks_and_no_more_than_were_asked_for(shop):
    whole, parts, again = dry(shop, samples=3), dry(shop, samples=3, most=7), dry(shop, samples=3, most=1)
    ends = {(end.how, end.name): end.customers for end in whole.ends}

    assert whole.ends == parts.ends == again.ends
    assert {end: min(3, many) for end, many in ends.items()} == {end: len(who) for end, who in shown(whole).items()}
    assert {name: many for (how, name), many in ends.items() if how == "addressed"} == dict(whole.counts.chosen)
    assert ends["held_out", "holdout"] == whole.counts.arm > 0
    lost = {name: many for (how, name), many in ends.items() if how == "lost"}
    frequent = {**dict(whole.counts.reasons), "holdout": whole.counts.reasons["holdout"] - whole.counts.arm}
    assert sorted(lost.values(), reverse=True) == sorted(frequent.values(), reverse=True)[: len(lost)]
    assert len(lost) == 5


def test_samples_are_not_those_of_the_lowest_ids_and_stay_those_of_the_next_version(shop):
    ids = [one for (one,) in shop.rows("SELECT id FROM customer ORDER BY id")]
    first = dry(shop, samples=3)
    publish(shop, campaign={"name": "Another spring"})

    assert [who for each in shown(first).values() for who in each] != ids[: sum(map(len, shown(first).values()))]
    assert shown(dry(shop, samples=3)) == shown(first)


def test_a_sample_is_explained_as_the_decision_would_be(world):
    publish(world, **FREE)
    willing(world, 4)
    end = dry(world, samples=2).ends[0]
    made = [engine.decide_one(world.deployment, each.customer, campaign="spring", actor="mia") for each in end.samples]

    assert (end.how, end.name, end.customers) == ("addressed", "mail", 4)
    assert [(one.verdicts, one.explanation) for one in made] == [
        (each.verdicts, each.explanation) for each in end.samples
    ]
    assert [verdict.candidate for verdict in end.samples[0].verdicts] == ["mail", LEAVE_ALONE]


def test_samples_are_in_the_answer_alone_and_named_only_where_that_is_said(shop):
    found = dry(shop, samples=10)
    who = {each.customer for end in found.ends for each in end.samples}
    rows = str(shop.rows("SELECT * FROM campaign_dry_run")) + str(shop.rows("SELECT reason, customer FROM data_use"))

    assert len(who) > 10
    assert {one in json.dumps(found.as_json(named=True)) for one in who} == {True}
    assert "cus_" not in json.dumps(found.as_json(named=False))
    assert "cus_" not in rows


def test_nobody_is_shown_where_nobody_is_asked_for(shop):
    assert dry(shop).ends == ()


def test_whoever_is_erased_is_counted_and_in_no_sample(world):
    publish(world, **{**FREE, "treatment": TABLES["treatment"][:1]})
    willing(world, 3)
    end = dry(world, samples=3).ends[0]
    erase(world, end.samples[0].customer)

    after = dry(world, samples=3)
    ends = {each.name: (each.customers, each.samples) for each in after.ends}

    assert ends["hard_stop CUSTOMER_ERASED"] == (1, ())
    assert end.samples[0].customer not in json.dumps(after.as_json(named=True))
