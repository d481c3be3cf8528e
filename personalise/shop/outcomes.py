"""The simulated truth: what each made-up customer does after each message, and after none.

A customer's luck is drawn once. Whichever treatment he gets, the same luck meets the chance that treatment gives him:
the difference between two treatments is theirs and not the dice's.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from personalise.shop.population import HOME, OUTDOOR

NONE: Final = "none"
TREATMENTS: Final = (NONE, "outdoor-mail", "home-mail", "outdoor-text")
"""What a customer may get, and the first: nothing."""

SIMULATED: Final = "simulated"

ENOUGH_VISITS: Final = 8
"""Visits in the past month from which a message brings nothing that wouldn't have come anyway."""

Chances = npt.NDArray[np.float64]


def truth(customers: pa.Table, generator: np.random.Generator) -> pa.Table:
    """What would happen to each customer: the chance of a visit by treatment, and his luck.

    Columns: reference; one a treatment (probability of a visit in the two weeks after, in [0, 1]); visit_luck, buy_luck
    (a visit, a purchase happens where the luck is below the chance); buy_chance (of a purchase, given a visit);
    basket (euros, if he buys).
    """
    n = len(customers)
    chances = _visit_chances(customers)
    count = customers["purchases_count"].to_numpy()
    return pa.table(
        {
            "reference": customers["reference"],
            **{name: pa.array(chances[:, spot]) for spot, name in enumerate(TREATMENTS)},
            "visit_luck": pa.array(generator.random(n)),
            "buy_chance": pa.array(0.12 + 0.02 * np.minimum(count, 5)),
            "buy_luck": pa.array(generator.random(n)),
            "basket": pa.array(np.round(generator.lognormal(3.4, 0.6, size=n), 2)),
        }
    )


def outcomes_of(told: pa.Table, references: pa.Array | pa.ChunkedArray, treatments: npt.ArrayLike) -> pa.Table:
    """What happened to these customers, given what each got: pure, and the same whenever asked.

    Args:
        told: the simulated truth.
        references: `(n,)`, the customers.
        treatments: `(n,)`, a name in `TREATMENTS` each.

    Returns:
        Columns reference, treatment, visited, converted (boolean), spent (euros), origin ("simulated" in every row).

    Raises:
        ValueError: the lengths differ, or a customer or treatment is not known.
    """
    got = np.asarray(treatments, dtype=np.str_)
    row = pc.index_in(references, told["reference"])
    if len(references) != len(got) or row.null_count or not np.isin(got, TREATMENTS).all():
        raise ValueError("references and treatments must pair, and both be known")
    here = told.take(row)
    column = {name: here[name].to_numpy() for name in here.column_names[1:]}
    chance = np.select([got == name for name in TREATMENTS], [column[name] for name in TREATMENTS])
    visited = column["visit_luck"] < chance
    converted = visited & (column["buy_luck"] < column["buy_chance"])
    return pa.table(
        {
            "reference": here["reference"],
            "treatment": pa.array(got),
            "visited": pa.array(visited),
            "converted": pa.array(converted),
            "spent": pa.array(np.where(converted, column["basket"], 0.0)),
            "origin": pa.array(np.full(len(got), SIMULATED)),
        }
    )


def experiment(told: pa.Table, generator: np.random.Generator) -> pa.Table:
    """Outcomes of a past experiment in which every customer got one treatment at random, in equal shares."""
    drawn = np.array(TREATMENTS)[generator.integers(len(TREATMENTS), size=len(told))]
    return outcomes_of(told, told["reference"], drawn)


def _visit_chances(customers: pa.Table) -> Chances:
    """Probability of a visit, `(n_customers, treatments)` in the order of `TREATMENTS`."""
    main = customers["main_interest"].to_numpy()
    outdoor, home = np.isin(main, OUTDOOR), np.isin(main, HOME)
    texting = customers["usual_channel"].to_numpy() == "sms"
    visits = customers["visits_past_month"].to_numpy()
    months = pc.fill_null(customers["months_since_purchase"], 36).to_numpy()
    alone = 0.05 + 0.10 * np.exp(-months / 6) + 0.015 * np.minimum(visits, 10)
    lifts = np.column_stack(
        (
            np.zeros(len(main)),
            np.where(outdoor, 0.10, 0.01),
            np.where(home, 0.07, 0.005),
            np.where(outdoor, np.where(texting, 0.12, 0.03), -0.02),
        )
    )
    lifts[visits >= ENOUGH_VISITS] = 0.0
    chances: Chances = np.clip(alone[:, None] + lifts, 0.01, 0.9)
    return chances
