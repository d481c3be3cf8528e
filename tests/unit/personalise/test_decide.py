"""What a decision says: who is chosen, who would have been, how likely, on which data."""

from typing import Any

import numpy as np
import pytest

from consent.permission.verdict import Reason
from personalise.decide import decide
from personalise.steps.invent.response import Arm, Response
from tests.builders import START
from tests.campaigns import INTERESTS, MAIL, PURCHASES, TABLES, columns, decided, rules, same_bits, the_policy

POLICY = the_policy()


def scored(*scores, value=1.0, cost=0.0, **changes):
    """Return a policy of one mail a score."""
    offer = {**TABLES["offer"][1], "value": value, "benefit": 0.0, "cost": cost}
    treatment = [
        {**TABLES["treatment"][0], "key": f"t{number}", "offer": "guide", "score": score}
        for number, score in enumerate(scores)
    ]
    return the_policy(offer=[offer], treatment=treatment, **changes)


def outcome(chosen, **row):
    [found] = decided(chosen, row)
    return found["chosen"], found["ghost"], found["propensity"]


# ------------------------------------------------------------------------------------------------------- whom it fits

FITTING = {
    "eligibility": "spend_past_year > 10", "applicability": "purchases_count > 5",
    "suitability": "main_interest = 'tea'",
}  # fmt: skip
NO_TEA = {"main_interest": "garden"}


@pytest.mark.parametrize(("row", "rule"), [
    ({}, ""),
    ({"spend_past_year": 5.0}, "eligibility"),
    ({"purchases_count": 5}, "applicability"),
    (NO_TEA, "suitability"),
    ({"spend_past_year": 5.0, "purchases_count": 5, **NO_TEA}, "eligibility"),
    ({"purchases_count": 5, **NO_TEA}, "applicability"),
    ({"spend_past_year": None}, "unknown"),
    ({"purchases_count": None}, "unknown"),
    ({"main_interest": None}, "unknown"),
    ({"purchases_count": None, **NO_TEA}, "suitability"),
    ({f"permit:{PURCHASES}": Reason.NO_RECORD}, f"permission:{PURCHASES}"),
    ({f"permit:{PURCHASES}": Reason.NO_RECORD, **NO_TEA}, "suitability"),
])  # fmt: skip
def test_the_first_condition_that_does_not_hold_is_named_and_what_is_unknown_only_after_them(row, rule):
    offer, mail = {**TABLES["offer"][1], **FITTING}, {**TABLES["treatment"][0], "offer": "guide"}
    assert rules(the_policy(offer=[offer], treatment=[mail]), **row) == [rule]


# --------------------------------------------------------------------------------------------------------- arbitration


def test_the_highest_worth_above_leaving_alone_wins():
    assert outcome(scored("0.1", "0.3", "0.2"))[0] == 1


def test_of_equals_the_first_wins():
    assert outcome(scored("0.1", "0.2", "0.2"))[0] == 1
    assert outcome(scored("-0.1", "0.2", "0.2", "0.2"))[0] == 1


@pytest.mark.parametrize(("score", "chosen"), [("0", -1), ("-0.0", -1), ("0.0000001", 0), ("-0.1", -1)])
def test_leaving_alone_is_a_candidate_at_nought(score, chosen):
    assert outcome(scored(score))[0] == chosen


def test_what_it_costs_and_brings_him_counts():
    found = decided(POLICY, {"main_interest": "garden"})[0]

    assert [found[f"worth:{key}"] for key in ("mail", "text", "letter")] == [
        0.05 * 1.0 + (0.0 - 0.01), 0.001 * 7 * 1.0 + (0.0 - 0.01), 0.1 * 2.0 + (0.5 - 0.25),
    ]  # fmt: skip
    assert found["chosen"] == 2


def test_a_score_that_is_not_known_is_worth_its_benefit_less_its_cost():
    found = decided(POLICY, {"main_interest": None, "purchases_count": None})[0]

    assert [(found[f"worth:{key}"], found[f"prior:{key}"]) for key in ("mail", "text", "letter")] == [
        (0.05 * 1.0 - 0.01, False), (-0.01, True), (0.25, True),
    ]  # fmt: skip
    assert found["chosen"] == 2


def test_a_score_too_large_to_calculate_with_is_not_known():
    found = decided(scored("1e300 * purchases_count", value=1e9), {})[0]

    assert (found["chosen"], found["worth:t0"], found["prior:t0"]) == (-1, 0.0, True)


# -------------------------------------------------------------------------------------------------- holdout, propensity


def test_a_control_gets_as_a_ghost_what_he_would_have_got():
    assert (outcome(POLICY, bucket=9_999), outcome(POLICY, bucket=0)) == ((0, -1, 0.9), (-1, 0, 0.1))


def test_what_is_left_alone_anyway_is_certain():
    assert [outcome(POLICY, bucket=bucket, enrolled=False) for bucket in (0, 9_999)] == [(-1, -1, 1.0)] * 2


@pytest.mark.parametrize(("share", "bucket", "held"), [(0.0, 0, False), (0.9, 8_999, True), (0.9, 9_000, False)])
def test_the_holdout_takes_the_buckets_below_its_share(share, bucket, held):
    chosen = the_policy(campaign={"holdout": {"share": share, "salt": "s"}})

    assert outcome(chosen, bucket=bucket) == ((-1, 0, share) if held else (0, -1, 1.0 - share))


# ------------------------------------------------------------------------------------------------------------ data used


def test_a_decision_says_which_categories_were_permitted():
    assert POLICY.categories == ("interests", "purchases")
    used = [
        decided(POLICY, row)[0]["used"]
        for row in ({}, {f"permit:{INTERESTS}": 8}, {f"permit:{PURCHASES}": 8}, {f"permit:{MAIL}": 8})
    ]

    assert used == [0b11, 0b10, 0b01, 0b11]


def test_what_was_observed_stands_in_the_decision():
    found = decided(POLICY, {f"permit:{MAIL}": 13})[0]

    assert {name: found[name] for name in found if name.startswith("permit:")} == {
        f"permit:{scope}": 13 if scope == MAIL else 0 for scope in POLICY.scopes
    }


# ---------------------------------------------------------------------------------------------------------------- model

ARMS = {
    "mail": Arm(intercept=-1.0, weights=(0.25,), rows=500, rate=0.4),
    "text": Arm(intercept=-3.0, weights=(0.0,), rows=500, rate=0.1),
    "letter": Arm(intercept=-1.0, weights=(-0.25,), rows=500, rate=0.2),
    "none": Arm(intercept=-2.0, weights=(0.0,), rows=500, rate=0.15),
}
MODEL = Response(features=("purchases_count",), outcome="visited", arms=ARMS)
RESPONDS = the_policy(MODEL, campaign={"scorer": "uplift", "features": ["purchases_count"]})


def test_a_model_scores_by_how_much_a_treatment_adds():
    found = decided(RESPONDS, {"purchases_count": 4})[0]

    def likely(total):
        return 1 / (1 + np.exp(-total))

    assert found["worth:mail"] == pytest.approx(likely(0.0) - likely(-2.0) - 0.01, abs=1e-9)
    assert found["worth:text"] == pytest.approx(likely(-3.0) - likely(-2.0) - 0.01, abs=1e-9)
    assert (found["chosen"], found["prior:mail"]) == (0, False)


def test_where_a_feature_is_missing_the_plain_rates_stand_in():
    found = decided(RESPONDS, {"purchases_count": None})[0]

    assert [found[f"worth:{key}"] for key in ("mail", "text")] == [(0.4 - 0.15) * 1.0 - 0.01, (0.1 - 0.15) * 1.0 - 0.01]
    assert [found[f"prior:{key}"] for key in ("mail", "text", "letter")] == [True] * 3


def test_a_model_without_features_scores_everybody_alike():
    arms = {key: Arm(intercept=arm.intercept, weights=(), rows=arm.rows, rate=arm.rate) for key, arm in ARMS.items()}
    bare = Response(features=(), outcome="visited", arms=arms)
    chosen = the_policy(
        bare,
        campaign={"scorer": "uplift", "audience": "main_interest = 'tea'"},
        offer=[{**TABLES["offer"][1]}],
        treatment=[{**each, "offer": "guide", "score": "1"} for each in TABLES["treatment"]],
    )

    found = decided(chosen, {}, {}, {"main_interest": "garden"})
    assert chosen.model == bare
    assert len({row["worth:mail"] for row in found}) == 1
    assert [row["chosen"] for row in found] == [0, 0, -1]


# --------------------------------------------------------------------------------------------------------------- purity


def test_the_same_chunk_gives_the_same_bits():
    chunk = columns(POLICY, {}, {"bucket": 3}, {"enrolled": False}, {"main_interest": "garden"})

    assert same_bits(decide(chunk, POLICY, START), decide(chunk, POLICY, START))


def test_a_chunk_in_pieces_is_decided_like_one_in_one_piece():
    chunk = columns(POLICY, *({"purchases_count": number, "bucket": number * 97} for number in range(50)))
    pieces = [chunk.slice(0, 17), chunk.slice(17, 1), chunk.slice(18)]
    joined = pieces[0].from_batches([batch for piece in pieces for batch in piece.to_batches()])

    assert joined["bucket"].num_chunks == 3
    assert same_bits(decide(joined, POLICY, START), decide(chunk, POLICY, START))


def test_more_rules_than_a_byte_can_number_change_nothing():
    caps = [{"key": f"c{number}", "channels": ["email"], "limit": 1, "days": 1} for number in range(300)]
    many = the_policy(cap=[*TABLES["cap"], *caps])
    rows: list[dict[str, Any]] = [
        {},
        {"bucket": 0},
        {"enrolled": False},
        {"main_interest": "garden"},
        {"contacts:mail": 2},
    ]
    alike = ["chosen", "ghost", "rule:mail", "rule:text", "rule:letter", "worth:mail"]

    assert len(many.rules) > 256
    assert [[found[name] for name in alike] for found in decided(many, *rows)] == [
        [found[name] for name in alike] for found in decided(POLICY, *rows)
    ]
    [last] = decided(many, {"contacts:c299": 1, "contacts_free:c299": 7})
    assert last["rule:mail"] == "cap:c299"


def test_a_chunk_of_nobody_gives_nobody():
    chunk = columns(POLICY, {}).slice(0, 0)

    assert decide(chunk, POLICY, START).num_rows == 0
