"""Learning and measuring: only what customers permit is learned from, and who objects to measuring is not counted."""

import random
from collections import Counter
from typing import Any

import pytest

from consent import gate
from consent.base.errors import CampaignUnknown, LedgerBroken
from consent.base.ids import CustomerId
from consent.catalogue.reading import DEFAULT, read_catalogue
from consent.register import publishing
from personalise import engine, learning, shelf
from personalise.learning import Learned
from personalise.measure.effects import Effect
from personalise.runs import comparing, dry_run, replaying, run
from personalise.runs.comparing import Named
from personalise.steps.invent.fitting import TooFew
from tests.attacker import Attacker
from tests.campaigns import PURCHASES, TABLES, chunks, open_run, publish

MEASURED = "use:responses:measurement"
RESPONDS: dict[str, Any] = {
    "campaign": {"scorer": "uplift", "audience": "months_since_purchase <= 12"},
    "offer": [{**TABLES["offer"][1], "eligibility": "purchases_count >= 0"}],
    "treatment": [{**TABLES["treatment"][0], "offer": "guide", "score": "0.1"}],
}
FEATURES = ("months_since_purchase", "purchases_count")


def outcomes(world, count, *, seed=3):
    """Enrol customers who allow the use of what they bought, half of whom got the mail, and tell what came of it."""
    drawn = random.Random(seed)  # noqa: S311 -- made-up customers
    who = sorted(world.enrol(*(f"L{number:05d}" for number in range(count))))
    world.say(*(world.statement(customer, "grant", PURCHASES, "remember:purchases") for customer in who))
    facts: list[tuple[CustomerId, dict[str, Any]]] = []
    for spot, customer in enumerate(who):
        got = "mail" if spot % 2 else "none"
        months = drawn.randrange(1, 13)
        visited = drawn.random() < (0.8 - months / 20 if got == "mail" else 0.3)
        known = {
            "months_since_purchase": months,
            "purchases_count": drawn.randrange(30),
            "got": got,
            "visited": visited,
        }
        facts.append((customer, known))
    with world.store.write() as work:
        kept = gate.remember(world.deployment.desk, work, facts, at=world.clock())
    assert (kept.stored, kept.refused) == (4 * count, 0)
    return who


def learn(world, **how):
    return learning.learn(world.deployment, "spring", actor="mia", **how)


def effects(world, **how):
    found = learning.effects(world.deployment, "spring", actor="mia", **how)
    return {rate.arm: rate.n for rate in found.rates}


@pytest.fixture
def shop(world):
    publish(world, **RESPONDS)
    return world


def test_a_model_is_learned_kept_and_decides_from_then_on(shop):
    outcomes(shop, 900)
    learned = learn(shop)
    with shop.store.read() as work:
        kept, number = shelf.load_model(work, "spring")
        chosen, pinned = dry_run.load_policy(shop.deployment, work, "spring")

    assert (learned.rows, learned.version, learned.model.features) == (900, 1, FEATURES)
    assert (kept, number, chosen.model, pinned) == (learned.model, 1, learned.model, 1)
    assert {key: arm.rows for key, arm in learned.model.arms.items()} == {"mail": 450, "none": 450}
    assert learned.model.arms["mail"].weights[0] < 0 < abs(learned.model.arms["mail"].weights[0])
    shop.check_ledger()


def test_a_model_that_was_changed_since_it_was_learned_decides_nothing(shop):
    outcomes(shop, 900)
    learn(shop)
    Attacker(shop).do("UPDATE model_version SET body = body || ' '")

    with shop.store.read() as work, pytest.raises(LedgerBroken, match="model 1 of campaign spring was changed"):
        dry_run.load_policy(shop.deployment, work, "spring")


def test_the_same_rows_give_the_same_model_and_another_version(shop):
    outcomes(shop, 900)
    first, second = learn(shop), learn(shop)

    assert (first.model, first.version, second.version) == (second.model, 1, 2)


def test_only_rows_whose_use_is_permitted_are_learned_from(shop):
    who = outcomes(shop, 900)
    before = learn(shop)
    shop.clock.advance(seconds=1)
    shop.say(*(shop.statement(customer, "withdraw", PURCHASES) for customer in who[:30]))
    withdrawn = learn(shop)
    shop.say(*(shop.statement(customer, "object", MEASURED) for customer in who[20:60]))
    objected = learn(shop)

    assert [each.rows for each in (before, withdrawn, objected)] == [900, 870, 840]
    shop.check_ledger()


def test_a_row_in_which_a_fact_is_missing_is_left_out(shop):
    outcomes(shop, 900)
    told = {"got": "mail", "visited": True, "months_since_purchase": 3, "purchases_count": 7}
    for who, name in zip(shop.enrol("A", "B", "C", "D", "E"), (*told, None), strict=True):
        shop.grant(who, PURCHASES, "remember:purchases")
        shop.remember(who, **{known: value for known, value in told.items() if known != name})

    assert learn(shop).rows == 901
    shop.check_ledger()


def test_too_few_rows_say_so_and_nothing_is_kept(shop):
    outcomes(shop, 100)

    assert learn(shop) == TooFew("mail", 50)
    assert shop.rows("SELECT * FROM model_version") == []


def test_with_nobody_to_learn_from_there_is_too_little(blank):
    with blank.store.write() as work:
        publishing.found(blank.deployment.desk, work, "shop.example", at=blank.clock())
    blank.publish(read_catalogue(DEFAULT))
    publish(blank, **RESPONDS)

    assert learn(blank) == TooFew("mail", 0)
    assert effects(blank) == {}


def test_features_and_outcomes_are_two_uses_each_under_its_purpose(shop):
    outcomes(shop, 450)
    assert isinstance(learn(shop), Learned)

    reason = "learning the response model of spring"
    assert sorted(shop.rows("SELECT purpose, categories, customers, reason FROM data_use")) == [
        ("measurement", "responses", 452, reason),
        ("recommendations", "purchases", 451, reason),
    ]
    shop.check_ledger()


def test_who_objects_to_measuring_is_not_counted(shop):
    who = outcomes(shop, 450)
    before = effects(shop)
    shop.say(*(shop.statement(customer, "object", MEASURED) for customer in who[:50]))

    assert (before, effects(shop)) == ({"mail": 225, "none": 225}, {"mail": 200, "none": 200})
    shop.check_ledger()


def test_effects_need_no_permission_for_what_customers_bought(shop):
    who = outcomes(shop, 450)
    shop.clock.advance(seconds=1)
    shop.say(*(shop.statement(customer, "withdraw", PURCHASES) for customer in who))

    assert (learn(shop), effects(shop)) == (TooFew("mail", 0), {"mail": 225, "none": 225})
    shop.check_ledger()


def test_effects_are_the_rates_and_the_differences_to_nothing(shop):
    outcomes(shop, 900)
    found = learning.effects(shop.deployment, "spring", actor="mia")
    rates = {rate.arm: rate.rate or 0.0 for rate in found.rates}
    [(arm, effect)] = [(each.arm, each.effect) for each in found.effects]

    assert (found.outcome, arm) == ("visited", "mail")
    assert isinstance(effect, Effect)
    assert effect.difference == pytest.approx(rates["mail"] - rates["none"])
    assert 0.05 < effect.lower < effect.difference < effect.upper


def test_what_other_campaigns_gave_is_no_treatment_of_this_one(shop):
    who = outcomes(shop, 450)
    with shop.store.write() as work:
        gate.remember(shop.deployment.desk, work, [(one, {"got": "letter"}) for one in who[:20]], at=shop.clock())
    assert effects(shop) == {"mail": 215, "none": 215}


def test_of_a_number_means_are_told(shop):
    spent = [(who, {"spent": float(spot % 7)}) for spot, who in enumerate(outcomes(shop, 450))]
    with shop.store.write() as work:
        gate.remember(shop.deployment.desk, work, spent, at=shop.clock())
    publish(shop, **{**RESPONDS, "campaign": {}}, objective={"measure": "spent"})
    found = learning.effects(shop.deployment, "spring", actor="mia")
    [each] = found.effects
    mail, none = sorted(found.means, key=lambda mean: mean.arm)

    assert (found.flag, found.rates, mail.arm, none.arm, mail.n, none.n) == (False, (), "mail", "none", 225, 225)
    assert isinstance(each.effect, Effect)
    assert None not in (mail.mean, none.mean, mail.lower, mail.upper)
    assert each.effect.difference == pytest.approx((mail.mean or 0) - (none.mean or 0))
    assert (mail.lower or 0) < (mail.mean or 0) < (mail.upper or 0)


def test_customers_of_more_than_one_chunk_are_all_learned_from(shop):
    outcomes(shop, 450)

    assert learn(shop, most=100).model == learn(shop).model
    assert effects(shop, most=100) == effects(shop) == {"mail": 225, "none": 225}


def test_an_unknown_campaign_can_be_neither_learned_from_nor_measured(world):
    for use in (learning.learn, learning.effects):
        with pytest.raises(CampaignUnknown):
            use(world.deployment, "summer", actor="mia")


def test_outcomes_by_arm_are_all_that_sampling_learns_from_and_it_replays(shop):
    publish(shop, **{**RESPONDS, "campaign": {**RESPONDS["campaign"], "scorer": "thompson"}})
    outcomes(shop, 60)
    learned = learn(shop)
    ran = run.advance(shop.deployment, open_run(shop.deployment, "spring", actor="mia"), most=25)
    rows = [row for chunk in chunks(shop, ran.id) for row in chunk.table.to_pylist()]
    found = engine.decided(shop.deployment, f"{chunks(shop, ran.id)[0].id}.0")

    assert (learned.rows, learned.model.features) == (60, ())
    assert {key: arm.rows for key, arm in learned.model.arms.items()} == {"mail": 30, "none": 30}
    assert (found.scorer, found.scored_on) == ("thompson", ())
    assert {row["prior:mail"] for row in rows} == {False}
    with shop.store.write() as work:
        again = [
            replaying.replayed(shop.deployment, work, chunk, actor="cy", at=shop.clock())
            for chunk in chunks(shop, ran.id)
        ]
    assert sum(len(one.same) for one in again) == len(rows) == 62
    shop.check_ledger()


def test_where_a_fact_is_missing_a_model_on_the_others_scores_and_the_decision_says_so(shop):
    outcomes(shop, 900)
    who = shop.enrol(*(f"M{number:05d}" for number in range(240)))
    shop.say(*(shop.statement(one, "grant", PURCHASES, "remember:purchases") for one in who))
    told: list[tuple[CustomerId, dict[str, Any]]] = [
        (one, {"purchases_count": spot % 30, "got": "none", "visited": spot % 3 == 0}) for spot, one in enumerate(who)
    ]
    with shop.store.write() as work:
        gate.remember(shop.deployment.desk, work, told, at=shop.clock())
    learned = learn(shop)
    ran = run.advance(shop.deployment, open_run(shop.deployment, "spring", actor="mia"))
    [chunk] = chunks(shop, ran.id)

    [part] = learned.model.subsets
    assert (part.features, {key: arm.rows for key, arm in part.arms.items()}) == (
        ("purchases_count",), {"mail": 450, "none": 690},
    )  # fmt: skip
    spots = {customer: spot for spot, customer in enumerate(chunk.customers)}
    made = [engine.decided(shop.deployment, f"{chunk.id}.{spots[one]}") for one in (who[0], shop.bo)]
    assert [(one.scorer, one.scored_on) for one in made] == [("uplift", ("purchases_count",)), ("uplift", ())]
    assert Counter(chunk.table["scored_by"].to_pylist()) == {0: 900, 1: 240, 255: 2}


def test_two_scorers_are_compared(shop):
    outcomes(shop, 400)
    publish(shop, **{**RESPONDS, "campaign": {**RESPONDS["campaign"], "scorer": "rule"}})
    learn(shop)
    compared = comparing.compare(shop.deployment, Named(campaign="spring", version=1),
                                 Named(campaign="spring", version=2), actor="mia")  # fmt: skip

    assert (compared.a.model is not None, compared.b.model) == (True, None)
    assert sum(compared.table.moves.values()) == 402
