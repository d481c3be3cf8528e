"""The funnel's stages, each alone and in their order: a candidate leaves at the first stage that refuses it."""

from typing import Any

import pytest

from consent.base.clock import to_ms
from consent.permission.verdict import Reason
from personalise.steps.personalise.policy import stage_of
from tests.builders import START
from tests.campaigns import INTERESTS, LETTER, MAIL, PURCHASES, TABLES, TEXT, decided, rules, the_policy

POLICY = the_policy()
HARD = (Reason.CUSTOMER_ERASED, Reason.SUPPRESSED, Reason.RESTRICTED, Reason.PAUSED, Reason.MINOR)
SOFT = [reason for reason in Reason if reason not in (*HARD, Reason.PERMIT)]
NOW = to_ms(START)
DAY = 86_400_000


def mail(chosen=POLICY, **row):
    """Return by which rule the mail left."""
    return rules(chosen, **row)[0]


def every(rule):
    return [rule] * 3


# ----------------------------------------------------------------------------------------------------------- each alone


def test_with_nothing_in_the_way_the_best_candidate_is_chosen():
    assert rules(POLICY) == ["", "worth_nothing", "worth_nothing"]
    assert rules(POLICY, main_interest="garden") == ["outranked", "worth_nothing", ""]


def test_whom_nobody_enrolled_is_left_at_identity():
    assert rules(POLICY, enrolled=False) == every("not_enrolled")


@pytest.mark.parametrize("reason", HARD)
def test_a_state_of_the_customer_is_a_hard_stop(reason):
    row = {f"permit:{scope}": reason for scope in (MAIL, TEXT, LETTER)}

    assert rules(POLICY, **row) == every("hard_stop")


def test_a_hard_stop_of_one_channel_stops_what_goes_by_it():
    assert rules(POLICY, **{f"permit:{MAIL}": Reason.PAUSED}, purchases_count=20) == ["hard_stop", "", "worth_nothing"]


def test_an_audience_that_is_false_refuses_every_candidate():
    assert rules(POLICY, months_since_purchase=13) == every("audience")


def test_an_offer_that_is_not_for_him_refuses_its_treatments():
    assert rules(POLICY, spend_past_year=10.0, main_interest="garden") == ["eligibility", "eligibility", ""]


def test_a_fact_that_is_not_known_though_permitted_satisfies_neither_a_condition_nor_its_negation():
    negated = the_policy(campaign={"audience": "NOT months_since_purchase <= 12"})
    either = the_policy(campaign={"audience": "months_since_purchase <= 12 OR NOT months_since_purchase <= 12"})

    assert [mail(chosen, months_since_purchase=3) for chosen in (POLICY, negated, either)] == ["", "audience", ""]
    assert [mail(chosen, months_since_purchase=13) for chosen in (POLICY, negated, either)] == ["audience", "", ""]
    assert [mail(chosen, months_since_purchase=None) for chosen in (POLICY, negated, either)] == ["unknown"] * 3
    assert mail(spend_past_year=None) == "unknown"


@pytest.mark.parametrize("audience", ["months_since_purchase <= 12", "NOT months_since_purchase <= 12"])
@pytest.mark.parametrize("reason", SOFT)
def test_a_use_that_is_not_permitted_satisfies_neither_and_is_said_to_be_not_permitted(audience, reason):
    chosen = the_policy(campaign={"audience": audience})

    assert rules(chosen, **{f"permit:{PURCHASES}": reason}) == every(f"permission:{PURCHASES}")


@pytest.mark.parametrize("reason", SOFT)
def test_a_contact_that_is_not_permitted_refuses_what_goes_by_that_channel(reason):
    assert rules(POLICY, **{f"permit:{MAIL}": reason}) == [f"permission:{MAIL}", "worth_nothing", "worth_nothing"]


def test_a_use_that_only_the_score_needs_is_asked_for_too():
    assert rules(POLICY, **{f"permit:{INTERESTS}": 15}) == ["", "worth_nothing", f"permission:{INTERESTS}"]


def test_a_use_that_would_not_change_the_answer_is_asked_for_all_the_same():
    chosen = the_policy(campaign={"audience": "main_interest = 'tea' OR months_since_purchase <= 12"})

    assert (mail(chosen), mail(chosen, **{f"permit:{INTERESTS}": 15})) == ("", f"permission:{INTERESTS}")


def test_the_contact_is_named_before_the_uses():
    assert mail(**{f"permit:{MAIL}": 9, f"permit:{PURCHASES}": 15}) == f"permission:{MAIL}"


def test_a_control_leaves_at_the_holdout_with_all_that_came_past_the_permissions():
    assert rules(POLICY, bucket=999, main_interest="garden") == every("holdout")
    assert rules(POLICY, bucket=999, spend_past_year=1.0) == ["eligibility", "eligibility", "holdout"]
    assert rules(POLICY, bucket=1_000) == ["", "worth_nothing", "worth_nothing"]


def test_a_cap_that_is_reached_refuses_what_goes_by_its_channels():
    assert rules(POLICY, **{"contacts:mail": 2, "contacts_free:mail": NOW + DAY}) == [
        "cap:mail", "worth_nothing", "worth_nothing",
    ]  # fmt: skip
    assert mail(**{"contacts:mail": 1}) == ""


# -------------------------------------------------------------------------------------------------------- their order

# What refuses the mail at each stage, in the order of the stages.
REFUSED: dict[str, dict[str, Any]] = {
    "not_enrolled": {"enrolled": False},
    "hard_stop": {f"permit:{MAIL}": Reason.PAUSED},
    "audience": {"months_since_purchase": 13},
    "eligibility": {"spend_past_year": 1.0},
    f"permission:{MAIL}": {f"permit:{MAIL}": Reason.NO_RECORD},
    "holdout": {"bucket": 0},
    "cap:mail": {"contacts:mail": 9, "contacts_free:mail": NOW + DAY, "ghosts:mail": 9, "ghosts_free:mail": NOW + DAY},
    "worth_nothing": {},
}
WORTHLESS = the_policy(treatment=[{**TABLES["treatment"][0], "score": "0.01"}])


@pytest.mark.parametrize("first", list(REFUSED))
def test_the_first_stage_that_refuses_is_the_one_that_is_named(first):
    order = list(REFUSED)
    row: dict[str, Any] = {}
    for rule in reversed(order[order.index(first) :]):
        row |= REFUSED[rule]

    assert rules(WORTHLESS, **row) == [first]
    assert [stage_of(rule) for rule in order] == sorted(stage_of(rule) for rule in order)


def test_what_is_false_on_the_permitted_part_is_said_to_be_false():
    chosen = the_policy(campaign={"audience": "months_since_purchase <= 12 AND main_interest = 'tea'"})

    assert mail(chosen, **{f"permit:{INTERESTS}": 15}) == f"permission:{INTERESTS}"
    assert mail(chosen, **{f"permit:{INTERESTS}": 15}, months_since_purchase=13) == "audience"


def test_an_offer_that_is_false_beats_an_audience_that_lacks_permission():
    chosen = the_policy(campaign={"audience": "main_interest = 'tea'"})

    assert mail(chosen, **{f"permit:{INTERESTS}": 15}, spend_past_year=1.0) == "eligibility"


# ---------------------------------------------------------------------------------------------------------------- caps

CAPS = [
    {"key": "week", "channels": ["email"], "limit": 1, "days": 7},
    {"key": "month", "channels": ["email", "sms"], "limit": 3, "days": 30},
    {"key": "never", "channels": ["post"], "limit": 0, "days": 1},
]
CAPPED = the_policy(cap=CAPS)


def capped(**counted):
    """Return which rule refused the mail, with contacts (count, ms from now until one more is free) per cap."""
    row: dict[str, Any] = {}
    for key, (count, frees) in counted.items():
        row |= {f"contacts:{key}": count, f"contacts_free:{key}": NOW + frees}
    return mail(CAPPED, **row)


def test_all_caps_must_hold_and_the_one_that_frees_last_is_named():
    assert capped(week=(0, 0), month=(2, 0)) == ""
    assert capped(week=(1, DAY), month=(2, 0)) == "cap:week"
    assert capped(week=(0, 0), month=(3, DAY)) == "cap:month"
    assert capped(week=(1, DAY), month=(3, 2 * DAY)) == "cap:month"
    assert capped(week=(1, 2 * DAY), month=(3, DAY)) == "cap:week"
    assert capped(week=(1, DAY), month=(3, DAY)) == "cap:week"


def test_a_cap_that_is_not_reached_is_not_named_however_late_it_would_free():
    assert capped(week=(1, DAY), month=(2, 9 * DAY)) == "cap:week"


def test_a_cap_of_nothing_refuses_always():
    frees = {"contacts_free:never": 2**63 - 1}

    assert rules(CAPPED, main_interest="garden", **frees) == ["", "worth_nothing", "cap:never"]


def test_a_treatment_is_held_by_the_caps_of_its_channel_only():
    row = {"contacts:week": 9, "contacts_free:week": NOW + DAY}

    assert rules(CAPPED, purchases_count=20, **row) == ["cap:week", "", "cap:never"]


def test_what_was_observed_against_each_cap_stands_in_the_decision():
    row = {"contacts:month": 2, "contacts_free:month": 0, "contacts:week": 1, "contacts_free:week": NOW + DAY}
    [found] = decided(CAPPED, row)

    observed = {name: found[name] for name in found if name.startswith(("contacts:", "free:")) and "never" not in name}
    assert observed == {"contacts:week": 1, "free:week": NOW + DAY, "contacts:month": 2, "free:month": 0}


GHOSTS = {"ghosts:mail": 2, "ghosts_free:mail": NOW + DAY}
CONTACTS = {"contacts:mail": 2, "contacts_free:mail": NOW + DAY}


def test_contacts_count_for_who_is_addressed_and_ghosts_for_the_control():
    addressed = [decided(POLICY, row)[0]["chosen"] for row in ({}, CONTACTS, GHOSTS)]
    control = [decided(POLICY, {"bucket": 0, **row})[0]["ghost"] for row in ({}, CONTACTS, GHOSTS)]

    assert (addressed, control) == ([0, -1, 0], [0, 0, -1])
    assert [decided(POLICY, {"bucket": bucket, **CONTACTS})[0]["contacts:mail"] for bucket in (0, 9_999)] == [0, 2]
