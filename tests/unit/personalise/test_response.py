"""The response model: what it learns, what it says where it knows too little, and that its numbers never differ."""

import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from personalise.campaigns.model import NOTHING
from personalise.steps.invent.fitting import FEWEST_OF_EACH, FEWEST_ROWS, TooFew, fit
from personalise.steps.invent.response import Arm, Response, extra, from_body, numeric


def drawn(rows=1_200, seed=3):
    """Return customers whose visits depend on `gain` where they got the mail, and on `habit` where they got nothing."""
    by = np.random.default_rng(seed)
    features = {"gain": by.normal(5.0, 2.0, rows), "habit": by.normal(-1.0, 0.5, rows)}
    received = by.choice(["mail", NOTHING], rows)
    likely = np.where(received == "mail", features["gain"] - 5.0, 2.0 * (features["habit"] + 1.0))
    return features, received, by.random(rows) < 1 / (1 + np.exp(-2.0 * likely))


def learned(features: Any, received: Any, outcome: Any) -> Response:
    """Fit the mail and nothing, where there is enough to fit on."""
    model = fit(features, received, outcome, named="visited", treatments=["mail"])
    assert isinstance(model, Response)
    return model


def fitted():
    return learned(*drawn())


def known(**columns):
    return {name: (np.asarray(values, dtype=float), np.ones(len(values), bool)) for name, values in columns.items()}


# ------------------------------------------------------------------------------------------------------------- learning


def test_a_model_puts_customers_in_the_order_of_what_a_treatment_adds():
    model = fitted()
    gain = np.linspace(3.0, 7.0, 21)
    more = extra(model, "mail", known(gain=gain, habit=np.full(21, -1.0)), rows=21)[0]
    habit = np.linspace(-2.0, 0.0, 21)
    less = extra(model, "mail", known(gain=np.full(21, 5.0), habit=habit), rows=21)[0]

    assert (np.diff(more) > 0).all()
    assert (np.diff(less) < 0).all()
    assert (more[0] < 0 < more[-1], less[0] > 0 > less[-1]) == (True, True)


def test_separable_outcomes_are_told_apart():
    side = np.tile(np.array([-1.0, 1.0]), 300)
    received = np.repeat(np.array(["mail", NOTHING]), 300)
    outcome = np.where(received == "mail", side > 0, np.arange(600) % 4 < 2)
    model = learned({"side": side}, received, outcome)
    more, sure = extra(model, "mail", known(side=[-1.0, 1.0]), rows=2)

    assert (more.round(1).tolist(), sure.tolist()) == ([-0.5, 0.5], [True, True])


def test_an_arm_remembers_how_many_it_was_fitted_on_and_how_many_came():
    features, received, outcome = drawn()
    model = fitted()

    assert {key: (arm.rows, arm.rate) for key, arm in model.arms.items()} == {
        key: (int((received == key).sum()), float(outcome[received == key].mean())) for key in ("mail", NOTHING)
    }
    assert (model.features, model.outcome) == (tuple(features), "visited")


def test_customers_of_other_arms_change_nothing():
    features, received, outcome = drawn()
    other = {name: np.append(values, [1e6] * 9) for name, values in features.items()}

    assert learned(other, np.append(received, ["letter"] * 9), np.append(outcome, [True] * 9)) == fitted()


def test_a_feature_that_is_the_same_for_all_says_nothing():
    features, received, outcome = drawn()
    model = learned({**features, "one": np.ones(len(outcome))}, received, outcome)

    assert [arm.weights[2] for arm in model.arms.values()] == [0.0, 0.0]


def test_without_features_an_arm_is_its_rate():
    _, received, outcome = drawn()
    model = learned({}, received, outcome)
    rates = {key: arm.rate for key, arm in model.arms.items()}

    assert {key: arm.intercept for key, arm in model.arms.items()} == {
        key: math.log(rate / (1 - rate)) for key, rate in rates.items()
    }
    more, sure = extra(model, "mail", {}, rows=3)
    assert more == pytest.approx([rates["mail"] - rates[NOTHING]] * 3, abs=1e-3)
    assert sure.tolist() == [True] * 3


# -------------------------------------------------------------------------------------------------------------- too few


def counted(rows, hits):
    """Fit on that many rows of the mail, with that many outcomes, beside enough of nothing."""
    received = np.array(["mail"] * rows + [NOTHING] * 400)
    outcome = np.arange(rows + 400) < hits
    outcome[rows:] = np.arange(400) % 2 == 0
    return fit({"x": np.arange(rows + 400.0)}, received, outcome, named="visited", treatments=["mail"])


def test_an_arm_of_too_few_rows_is_not_fitted():
    assert counted(FEWEST_ROWS - 1, 100) == TooFew("mail", FEWEST_ROWS - 1)
    assert isinstance(counted(FEWEST_ROWS, 100), Response)


@pytest.mark.parametrize("hits", [FEWEST_OF_EACH, 300 - FEWEST_OF_EACH])
def test_an_arm_of_too_few_outcomes_either_way_is_not_fitted(hits):
    short = hits - 1 if hits == FEWEST_OF_EACH else hits + 1

    assert counted(300, short) == TooFew("mail", 300)
    assert isinstance(counted(300, hits), Response)


def test_nobody_at_all_is_too_few():
    assert fit({"x": np.zeros(0)}, np.array([], dtype=np.str_), np.zeros(0, bool), named="v", treatments=["mail"]) == (
        TooFew("mail", 0)
    )


def test_without_customers_who_got_nothing_there_is_nothing_to_compare_with():
    features, received, outcome = drawn()
    rows = received == "mail"
    part = {name: values[rows] for name, values in features.items()}

    assert fit(part, received[rows], outcome[rows], named="v", treatments=["mail"]) == TooFew(NOTHING, 0)


# ------------------------------------------------------------------------------------------------------------ its bytes


def test_a_model_is_read_back_to_the_same_bits():
    model = fitted()
    again = from_body(model.body())

    assert (again, again.body(), again.digest) == (model, model.body(), model.digest)
    assert [
        float(number).hex() for arm in again.arms.values() for number in (arm.intercept, *arm.weights, arm.rate)
    ] == [float(number).hex() for arm in model.arms.values() for number in (arm.intercept, *arm.weights, arm.rate)]


def test_a_change_of_anything_changes_the_hash():
    table = json.loads(fitted().body())
    digests = {fitted().digest}
    for path in (("outcome",), ("arms", "mail", "intercept"), ("arms", "none", "rate"), ("arms", "mail", "rows")):
        changed = json.loads(json.dumps(table))
        spot = changed
        for key in path[:-1]:
            spot = spot[key]
        spot[path[-1]] = "x" if path == ("outcome",) else spot[path[-1]] + 1
        digests.add(from_body(json.dumps(changed)).digest)

    assert len(digests) == 5


# ---------------------------------------------------------------------------------------------------------- its numbers


def test_a_row_alone_has_the_bits_that_it_has_in_a_batch():
    model = fitted()
    features, _, _ = drawn(rows=300, seed=9)
    batch, _ = extra(model, "mail", known(**features), rows=300)
    alone = [
        extra(model, "mail", known(**{name: values[[row]] for name, values in features.items()}), rows=1)[0][0]
        for row in range(300)
    ]

    assert np.array(alone).tobytes() == batch.tobytes()


def test_where_a_feature_is_unknown_the_prior_stands_in():
    model = fitted()
    values = np.array([6.0, np.nan, 1e300])
    columns = {"gain": (values, np.array([True, False, False])), **known(habit=[-1.0] * 3)}
    more, sure = extra(model, "mail", columns, rows=3)

    assert sure.tolist() == [True, False, False]
    assert more[1:].tolist() == [model.arms["mail"].rate - model.arms[NOTHING].rate] * 2


@pytest.mark.parametrize(("value", "likely"), [(1e300, 1.0), (-1e300, 0.0), (1e308, 1.0)])
def test_a_value_out_of_all_proportion_is_certain_and_nothing_breaks(value, likely):
    arms = {
        "mail": Arm(intercept=0.0, weights=(10.0,), rows=1, rate=0.5),
        NOTHING: Arm(intercept=0.0, weights=(0.0,), rows=1, rate=0.5),
    }
    model = Response(features=("x",), outcome="v", arms=arms)

    assert extra(model, "mail", known(x=[value]), rows=1)[0] == pytest.approx([likely - 0.5], abs=1e-6)


def test_two_infinities_against_each_other_are_unknown():
    arms = {
        "mail": Arm(intercept=0.0, weights=(1e10, -1e10), rows=1, rate=0.75),
        NOTHING: Arm(intercept=0.0, weights=(0.0, 0.0), rows=1, rate=0.5),
    }
    model = Response(features=("x", "y"), outcome="v", arms=arms)
    more, sure = extra(model, "mail", known(x=[1e300, 1.0], y=[1e300, 1.0]), rows=2)

    assert (more.tolist(), sure.tolist()) == ([0.25, 0.0], [False, True])


def test_a_column_is_read_as_numbers_and_where_they_are_known():
    for column, values, sure in (
        (pa.array([1.5, None, math.nan, math.inf]), [1.5, 0, 0, 0], [True, False, False, False]),
        (pa.array([3, None, 2**53, 2**53 + 1, -(2**53)]), [3, 0, 2**53, 0, -(2**53)], [True, False, True, False, True]),
        (pa.array([True, False, None]), [1, 0, 0], [True, True, False]),
        (pa.chunked_array([[1], [None, 2]]), [1, 0, 2], [True, False, True]),
    ):
        found = numeric(column)
        assert (found[0].tolist(), found[1].tolist()) == (values, sure)
