"""Counts that add up: everybody is chosen for, or leaves at exactly one stage."""

import json
import random
from typing import Any

import pytest

from consent.permission.verdict import Reason
from personalise.decide import decide
from personalise.runs.counts import Counts, from_stored
from personalise.steps.personalise.stages import LEAVING
from tests.builders import START
from tests.campaigns import INTERESTS, LETTER, MAIL, PURCHASES, TABLES, TEXT, columns, the_policy

POLICY = the_policy()


def counted(chosen, *rows):
    counts = Counts()
    counts.add(decide(columns(chosen, *rows), chosen, START), chosen)
    return counts


def ended(**row: Any) -> tuple[str, str]:
    """Return where one customer ended: his stage (or "chosen"), and the reason or treatment."""
    told: Any = counted(POLICY, row).as_json()
    stages = [name for name, count in told["stages"].items() if count] or ["chosen"]
    whys = [*told["reasons"], *told["chosen"]]
    assert (len(stages), len(whys)) == (1, 1)
    return stages[0], whys[0]


ALL = (MAIL, TEXT, LETTER)


@pytest.mark.parametrize(
    ("row", "stage", "why"),
    [
        ({}, "chosen", "mail"),
        ({"main_interest": "garden"}, "chosen", "letter"),
        ({"enrolled": False}, "identity", "not_enrolled"),
        ({f"permit:{scope}": Reason.PAUSED for scope in ALL}, "hard_stops", "hard_stop PAUSED"),
        ({"months_since_purchase": 13}, "eligibility", "audience"),
        ({"months_since_purchase": None}, "eligibility", "unknown"),
        ({f"permit:{PURCHASES}": 12}, "permission", f"permission:{PURCHASES} EXPIRED"),
        ({f"permit:{scope}": 15 for scope in ALL}, "permission", f"permission:{MAIL} NO_RECORD"),
        ({"bucket": 0}, "holdout", "holdout"),
        ({"bucket": 0, f"permit:{MAIL}": 15}, "holdout", "holdout"),
        ({f"permit:{MAIL}": 15}, "arbitration", "worth_nothing"),
        ({"contacts:mail": 2, f"permit:{TEXT}": 8, f"permit:{INTERESTS}": 9}, "contact_policy", "cap:mail"),
    ],
)
def test_a_customer_is_counted_once_at_the_furthest_stage_one_of_his_candidates_reached(row, stage, why):
    assert ended(**row) == (stage, why)


def test_a_hard_stop_names_the_state_on_the_channel_that_it_stopped():
    row = {f"permit:{MAIL}": Reason.RESTRICTED, f"permit:{TEXT}": Reason.PAUSED, f"permit:{LETTER}": Reason.SUPPRESSED}

    assert ended(**row) == ("hard_stops", "hard_stop RESTRICTED")


def some(drawn, number):
    row = {
        "enrolled": drawn.random() < 0.9, "bucket": drawn.randrange(10_000), "contacts:mail": drawn.randrange(4),
        "months_since_purchase": drawn.choice([3, 13, None]), "main_interest": drawn.choice(["garden", "tea", None]),
        "spend_past_year": drawn.choice([5.0, 50.0]), "purchases_count": number % 30, "ghosts:mail": drawn.randrange(3),
    }  # fmt: skip
    return row | {f"permit:{scope}": drawn.choice([0, 0, 0, drawn.randrange(17)]) for scope in POLICY.scopes}


def test_stages_and_chosen_add_up_to_the_customers():
    drawn = random.Random(5)  # noqa: S311 -- made-up customers
    rows = [some(drawn, number) for number in range(3_000)]
    whole = counted(POLICY, *rows).as_json()
    one_by_one = Counts()
    for row in rows[:300]:
        one_by_one.add(decide(columns(POLICY, row), POLICY, START), POLICY)

    assert sum(whole["stages"].values()) + sum(whole["chosen"].values()) == whole["customers"] == 3_000
    assert sum(whole["reasons"].values()) == sum(whole["stages"].values())
    assert {name for name, count in whole["stages"].items() if count} == {
        "identity", "hard_stops", "eligibility", "permission", "holdout", "contact_policy", "arbitration",
    }  # fmt: skip
    assert one_by_one.as_json() == counted(POLICY, *rows[:300]).as_json()


def test_left_alone_and_holdout_repeat_the_counts_of_their_stages():
    told = counted(POLICY, {}, {"bucket": 0}, {f"permit:{MAIL}": 15}, {f"permit:{MAIL}": 15}).as_json()

    assert (told["left_alone"], told["stages"]["arbitration"]) == (2, 2)
    assert (told["holdout"], told["stages"]["holdout"]) == (1, 1)


def test_of_those_held_out_it_is_counted_who_would_otherwise_have_been_addressed():
    rows = [{"bucket": 0}, {"bucket": 0, "ghosts:mail": 9, "contacts:mail": 9}, {"bucket": 0, f"permit:{MAIL}": 15}]
    counts = counted(POLICY, *rows)
    assert counts.as_json()["holdout"] > counts.as_json()["ghosts"] == counts.arm == 1
    assert from_stored(counts.stored()).as_json() == counts.as_json()


def test_a_stage_that_nobody_left_at_stands_with_nought():
    told = Counts().as_json()

    assert told["stages"] == dict.fromkeys((stage.name.lower() for stage in LEAVING), 0)
    assert (told["customers"], told["chosen"], told["reasons"]) == (0, {}, {})


def test_a_chunk_in_which_everybody_is_chosen_and_one_of_nobody_are_counted():
    everybody = counted(POLICY, {}, {}, {}).as_json()
    nobody = Counts()
    nobody.add(decide(columns(POLICY, {}).slice(0, 0), POLICY, START), POLICY)

    assert (everybody["chosen"], sum(everybody["stages"].values())) == ({"mail": 3}, 0)
    assert nobody.as_json() == Counts().as_json()


def test_counts_are_kept_as_text_and_go_on_from_it():
    first = counted(POLICY, {}, {"bucket": 0})
    again = from_stored(first.stored())
    again.add(decide(columns(POLICY, {}, {"enrolled": False}), POLICY, START), POLICY)

    assert from_stored(first.stored()).as_json() == first.as_json()
    assert again.as_json() == counted(POLICY, {}, {"bucket": 0}, {}, {"enrolled": False}).as_json()
    assert json.loads(json.dumps(again.as_json())) == again.as_json()


def test_of_reasons_with_as_many_customers_each_the_order_is_the_same_whichever_chunk_was_counted_first():
    parts = [counted(POLICY, {"enrolled": False}), counted(POLICY, {"bucket": 0})]
    told = []
    for order in (parts, parts[::-1]):
        whole = Counts()
        for part in order:
            whole.include(part)
        told.append(json.dumps(whole.as_json()["reasons"]))

    assert told == [json.dumps({"holdout": 1, "not_enrolled": 1})] * 2


def test_a_policy_of_one_candidate_is_counted():
    chosen = the_policy(treatment=TABLES["treatment"][:1])

    assert counted(chosen, {}, {"bucket": 0}).as_json()["chosen"] == {"mail": 1}
