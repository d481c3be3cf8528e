"""Thompson sampling: tables of equally likely chances, a hash that points in, and propensities that are exact."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalise.campaigns.model import NOTHING
from personalise.contact_policy.model import ContactPolicy, Goodwill
from personalise.decide import decide
from personalise.steps.invent import bandit, response
from personalise.steps.invent.bandit import DRAWS, UNIT
from personalise.steps.invent.fitting import counted, fit_subsets
from personalise.steps.invent.response import PRIOR, Arm, Response, from_body
from tests.builders import START
from tests.campaigns import columns, decided, same_bits, the_policy


def arms(**told):
    """Return a model of arms by (outcomes, rows)."""
    received = np.array([key for key, (_, rows) in told.items() for _ in range(rows)], dtype=np.str_)
    outcome = np.array([spot < hits for hits, rows in told.values() for spot in range(rows)], dtype=np.bool_)
    return counted(received, outcome, named="visited", treatments=[key for key in told if key != NOTHING])


MODEL = arms(mail=(12, 40), text=(9, 30), letter=(3, 20), none=(10, 50))


def sampling(model=MODEL, **changes):
    changes["campaign"] = {"scorer": "thompson", "holdout": {"share": 0, "salt": "s"}, **changes.get("campaign", {})}
    offers = [
        {"key": "range", "family": "spring", "terms": {}, "value": 1.0, "cost": 0.01},
        {"key": "guide", "family": "spring", "terms": {}, "value": 2.0, "cost": 0.05},
    ]
    return the_policy(model, offer=offers, **changes)


# ---------------------------------------------------------------------------------------------------------- posteriors


@pytest.mark.parametrize(("outcomes", "rows"), [(0, 0), (0, 10), (3, 7), (120, 1_000), (5, 5)])
def test_a_table_has_the_mean_and_the_spread_of_its_posterior(outcomes, rows):
    table = np.array(bandit.posterior(outcomes, rows)) / UNIT
    a, b = 1 + outcomes, 1 + rows - outcomes

    assert (np.diff(table) >= 0).all()
    assert table.mean() == pytest.approx(bandit.expected(outcomes, rows), abs=1e-4)
    assert table.std() == pytest.approx(math.sqrt(a * b / ((a + b) ** 2 * (a + b + 1))), rel=0.02)


def test_a_model_of_arms_reads_back_to_the_same():
    assert from_body(MODEL.body()) == MODEL
    assert MODEL.samples
    assert {key: (arm.rows, arm.rate) for key, arm in MODEL.arms.items()} == {
        "mail": (40, 0.3), "text": (30, 0.3), "letter": (20, 0.15), "none": (50, 0.2),
    }  # fmt: skip


def test_what_is_pointed_at_depends_on_all_that_it_should_and_on_nothing_else():
    who = [f"cus_{number}" for number in range(4_096)]
    first = bandit.pointed(who, salt="s|c", at_ms=1, arm="mail")

    assert first.tolist() == [bandit.pointed([one], salt="s|c", at_ms=1, arm="mail")[0] for one in who]
    for salt, at_ms, arm in (("t|c", 1, "mail"), ("s|c", 2, "mail"), ("s|c", 1, "text")):
        other = bandit.pointed(who, salt=salt, at_ms=at_ms, arm=arm)
        assert np.corrcoef(np.stack([first, other]).astype(float))[0, 1] == pytest.approx(0, abs=0.05)
    assert (first.min() >= 0, first.max() < DRAWS) == (True, True)
    assert np.bincount(first // 32, minlength=16) == pytest.approx(256, abs=5 * 16)


# ---------------------------------------------------------------------------------------------------------- propensity

worths = st.builds(
    lambda start, steps: np.repeat(np.cumsum([start, *steps]), DRAWS // (len(steps) + 1)),
    st.sampled_from([-2.0, -1.0, 0.0, 1.0]),
    st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=15, max_size=15),
)


@given(first=worths, second=worths)
def test_propensities_are_those_of_all_draws_gone_through(first, second):
    a, b = np.meshgrid(first, second, indexing="ij")
    wins = [(a > 0) & (a >= b), (b > 0) & (b > a), (a <= 0) & (b <= 0)]

    assert bandit.winning([first, second]) == pytest.approx([won.mean() for won in wins], abs=1e-15)


@given(drawn=st.lists(worths, max_size=6))
def test_propensities_come_to_one(drawn):
    assert math.fsum(bandit.winning(drawn)) == pytest.approx(1, abs=1e-12)


def test_how_often_each_action_comes_is_how_likely_it_was_said_to_be():
    chosen = sampling()
    rows = [{"customer": f"cus_{number:032x}"} for number in range(20_000)]
    table = decide(columns(chosen, *rows), chosen, START)
    action, likely = np.asarray(table["chosen"]), np.asarray(table["propensity"])
    told = {int(one): set(likely[action == one].tolist()) for one in np.unique(action)}

    assert {one: len(values) for one, values in told.items()} == {-1: 1, 0: 1, 1: 1, 2: 1}
    said = {one: values.pop() for one, values in told.items()}
    assert math.fsum(said.values()) == pytest.approx(1, abs=1e-12)
    for one, share in said.items():
        assert (action == one).mean() == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 20_000))


def test_only_candidates_that_are_open_to_the_customer_count():
    chosen = sampling()
    shut = {"permit:contact:email:recommendations": 12, "permit:contact:sms:recommendations": 12}
    found = decided(chosen, *({"customer": f"cus_{number}", **shut} for number in range(200)))
    by_action = {row["chosen"]: row["propensity"] for row in found}

    draws = np.array(MODEL.arms["letter"].draws) / UNIT - bandit.expected(10, 50)
    assert by_action.keys() == {2, -1}
    assert by_action[2] == pytest.approx(((draws * 2.0 - 0.05) > 0).mean(), abs=1e-15)
    assert by_action[2] + by_action[-1] == 1.0


def test_the_holdout_is_part_of_it():
    chosen = sampling(campaign={"holdout": {"share": 0.4, "salt": "s"}})
    rows = [{"customer": f"cus_{spot // 2}", "bucket": 9_999 * (spot % 2)} for spot in range(200)]
    found = decided(chosen, *rows)
    free = {row["chosen"]: row["propensity"] for row in found[1::2]}

    for held, own in zip(found[::2], found[1::2], strict=True):
        assert (held["chosen"], held["ghost"]) == (-1, own["chosen"])
        if own["chosen"] >= 0:
            assert held["propensity"] == pytest.approx(free[own["chosen"]] / 0.6 * 0.4)
    shares = sum(value if one == -1 else value / 0.6 for one, value in free.items())
    assert shares == pytest.approx(1, abs=1e-12)


def test_alone_and_in_a_batch_it_is_the_same_to_the_bit():
    chosen = sampling()
    rows = [{"customer": f"cus_{number}", "permit:contact:email:recommendations": 12 * (number % 2)}
            for number in range(40)]  # fmt: skip
    chunk = columns(chosen, *rows)
    alone = pa.concat_tables([decide(chunk.slice(spot, 1), chosen, START) for spot in range(40)])

    assert same_bits(decide(chunk, chosen, START).combine_chunks(), alone.combine_chunks())


def test_no_fact_of_the_customer_is_read_but_what_the_rules_about_whom_to_address_read():
    assert sampling().attributes == ("months_since_purchase",)
    assert sampling().candidates[0].categories == ("purchases",)


def test_a_model_of_another_kind_does_not_score():
    flat = Response(features=(), outcome="visited", arms=dict.fromkeys(
        ("mail", "text", "letter", "none"), Arm(intercept=0.0, weights=(), rows=9, rate=0.5)))  # fmt: skip

    assert sampling(flat).model is None
    assert the_policy(MODEL, campaign={"scorer": "uplift"}).model is None


# ----------------------------------------------------------------------------------------------- response and uplift


def test_response_is_the_chance_and_uplift_what_it_adds():
    told = {"mail": (0.5, 0.4), "text": (0.0, 0.3), "letter": (0.0, 0.3), "none": (-0.5, 0.2)}
    model = Response(features=("purchases_count",), outcome="visited", arms={
        key: Arm(intercept=intercept, weights=(0.0,), rows=500, rate=rate) for key, (intercept, rate) in told.items()
    })  # fmt: skip
    known = {"campaign": {"features": ["purchases_count"]}}

    def worth(scorer, **row):
        chosen = the_policy(model, campaign={**known["campaign"], "scorer": scorer})
        [found] = decided(chosen, row)
        return found["worth:mail"] + 0.01, found["prior:mail"]

    with_it, without = (1 / (1 + math.exp(-intercept)) for intercept in (0.5, -0.5))
    assert worth("response") == (pytest.approx(with_it, abs=1e-9), False)
    assert worth("uplift") == (pytest.approx(with_it - without, abs=1e-9), False)
    assert worth("response", purchases_count=None) == (pytest.approx(0.4), True)
    assert worth("uplift", purchases_count=None) == (pytest.approx(0.2), True)


def subset(*features, intercept):
    arm = Arm(intercept=intercept, weights=(0.0,) * len(features), rows=500, rate=0.25)
    return Response(features=features, outcome="visited", arms={"mail": arm, NOTHING: arm})


def test_where_features_are_unknown_the_model_on_what_is_known_scores():
    parts = (subset("a", "b", intercept=1.0), subset("b", "c", intercept=2.0), subset("b", intercept=3.0))
    whole = subset("a", "b", "c", intercept=0.0)
    model = Response(features=whole.features, outcome="visited", arms=whole.arms, subsets=parts)
    known = np.array([[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 1, 0], [1, 0, 1], [0, 0, 0]], dtype=np.bool_)
    told = {name: (np.ones(6), known[:, spot]) for spot, name in enumerate("abc")}

    likely, by_model = response.chance(model, "mail", told, rows=6, more=False)
    assert response.scored_by(model, told, rows=6).tolist() == [0, 1, 2, 3, PRIOR, PRIOR]
    assert by_model.tolist() == [True] * 4 + [False] * 2
    logits = [0.0, 1.0, 2.0, 3.0]
    assert likely.tolist() == pytest.approx([*(1 / (1 + math.exp(-it)) for it in logits), 0.25, 0.25])
    assert from_body(model.body()) == model


def test_models_on_fewer_features_are_learned_where_enough_is_known():
    by = np.random.default_rng(5)
    rows = 3_000
    features = {name: (by.normal(size=rows), np.ones(rows, dtype=np.bool_)) for name in "abc"}
    features["a"][1][:800] = False
    features["b"][1][600:800] = False
    features["c"][1][800:900] = False
    received = by.choice(["mail", NOTHING], rows)
    outcome = by.random(rows) < 1 / (1 + np.exp(-features["b"][0]))

    found = fit_subsets(features, received, outcome, named="visited", treatments=["mail"])
    assert [each.features for each in found] == [("b", "c"), ("c",)]  # of a and b alone only 100 were known
    assert [sum(arm.rows for arm in each.arms.values()) for each in found] == [rows - 300, rows - 100]
    assert found[0].arms["mail"].weights[0] == pytest.approx(1.0, abs=0.2)


def test_what_goodwill_costs_each_customer_is_part_of_it():
    prices = ContactPolicy(goodwill=Goodwill(opening=10, floor=2, prices={"email": 1.0, "sms": 1.5}, price_of_one=0.05))
    chosen = sampling(rules=prices)
    rows = [{"customer": f"cus_{number}", "goodwill": 1_000 * (number % 10 + 1), "pressure": number % 3}
            for number in range(60)]  # fmt: skip
    chunk = columns(chosen, *rows)
    whole = decide(chunk, chosen, START)
    alone = pa.concat_tables([decide(chunk.slice(spot, 1), chosen, START) for spot in range(60)])

    assert same_bits(whole.combine_chunks(), alone.combine_chunks())
    told = {(row["goodwill"], row["chosen"]): row["propensity"] for row in whole.to_pylist()}
    draws = np.array(MODEL.arms["letter"].draws) / UNIT - bandit.expected(10, 50)
    letter = ((draws * 2.0 - 0.05) > 0).mean()
    assert {told[key] for key in told if key[0] == 1_000} == {1.0}  # nothing is open to who is below the floor
    assert {key[1]: told[key] for key in told if key[0] == 2_000} == {
        2: letter,
        -1: 1 - letter,
    }  # the letter costs none
    assert len(set(whole["propensity"].to_pylist())) > 10


def test_who_finds_no_room_for_what_he_would_have_got_has_the_chance_of_what_he_gets_instead():
    policy = sampling(volume=[{"key": "v", "treatments": ["mail"], "limit": 1}])
    ids = [f"cus_{number:032x}" for number in range(4_000)]
    room = {"taken:volume:v": 1, "cut_worth:volume:v": 0.15, "cut_last:volume:v": 0, "cut_customer:volume:v": "",
            "cut_treatment:volume:v": 0, "last_contact": 0, "last_ghost": 0}  # fmt: skip
    rows = decided(policy, *({"customer": each, **room} for each in ids))
    by_choice: dict[int, list[float]] = {}
    for row in rows:
        by_choice.setdefault(row["chosen"], []).append(row["propensity"])

    assert len(by_choice) == 4
    for chosen, likely in by_choice.items():
        assert len(set(likely)) == 1, chosen
        assert len(likely) / len(rows) == pytest.approx(likely[0], abs=0.03)
    assert sum(likely[0] for likely in by_choice.values()) == pytest.approx(1)


def test_a_decision_that_is_judged_again_goes_by_what_was_drawn_then():
    policy = sampling()
    chunk = columns(policy, *({"customer": f"cus_{number:032x}"} for number in range(300)))
    later = START.replace(year=START.year + 1)

    first, then, anew = decide(chunk, policy, START), decide(chunk, policy, later, START), decide(chunk, policy, later)
    assert then["chosen"].to_pylist() == first["chosen"].to_pylist() != anew["chosen"].to_pylist()
