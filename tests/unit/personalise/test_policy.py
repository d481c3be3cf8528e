"""A policy: what its hash covers, in which order its rules stand, and whose permission it needs for what."""

from dataclasses import replace

import pytest

from consent.catalogue.model import published
from consent.catalogue.reading import parse_catalogue
from personalise.campaigns.reading import parse_campaign
from personalise.steps.personalise.policy import policy, stage_of
from personalise.steps.personalise.stages import LEAVING, Stage
from tests.campaigns import (
    INTERESTS,
    LETTER,
    MAIL,
    PURCHASES,
    SHOP,
    TABLES,
    TEXT,
    campaign,
    keys,
    model,
    tables,
    the_policy,
)

FEATURES = ("months_since_purchase", "purchases_count", "spend_past_year")


RESPONDS = {"campaign": {"scorer": "uplift"}}
FITTING = model(*FEATURES)


# ----------------------------------------------------------------------------------------------------------------- hash


def test_the_same_parts_have_the_same_hash():
    assert the_policy().digest == the_policy().digest
    assert len(the_policy().digest) == 32


def with_one(kind, spot, **change):
    made = tables()[kind]
    made[spot] |= change
    return {kind: made}


@pytest.mark.parametrize(
    "changes",
    [
        {"campaign": {"audience": "months_since_purchase <= 11"}},
        {"campaign": {"holdout": {"share": 0.2, "salt": "s"}}},
        {"campaign": {"holdout": {"share": 0.1, "salt": "t"}}},
        {"campaign": {"purpose": "newsletter"}},
        with_one("cap", 0, limit=3),
        with_one("cap", 0, days=31),
        with_one("cap", 0, channels=["email", "sms"]),
        with_one("offer", 0, eligibility="spend_past_year > 11"),
        with_one("offer", 0, value=1.5),
        with_one("offer", 0, cost=0.02),
        with_one("offer", 1, benefit=0.6),
        with_one("treatment", 0, score="0.06"),
        with_one("treatment", 0, channel="phone"),
        with_one("treatment", 0, content="Other words."),
        {"treatment": TABLES["treatment"][:2]},
        {"treatment": [*TABLES["treatment"][1:], TABLES["treatment"][0]]},
    ],
)
def test_whatever_decides_is_in_the_hash(changes):
    assert the_policy(None, **changes).digest != the_policy().digest


def test_version_catalogue_and_model_are_in_the_hash():
    read = campaign(**RESPONDS)
    bits: dict[str, int] = {each.scope: each.bit for each in SHOP.in_order}
    other = published(parse_catalogue(SHOP.body + "\n# more\n"), 2, bits)
    made = [
        policy(read, 1, SHOP, FITTING),
        policy(read, 2, SHOP, FITTING),
        policy(read, 1, other, FITTING),
        policy(read, 1, SHOP, model(*FEATURES, intercept=0.2)),
        policy(read, 1, SHOP),
    ]

    assert len({each.digest for each in made}) == len(made)


def test_a_policy_of_some_of_the_candidates_has_a_hash_of_its_own():
    whole = the_policy()
    part = replace(whole, candidates=whole.candidates[:1])

    assert part.digest != whole.digest


def test_what_does_not_decide_is_not_in_the_hash():
    for unused in (model(*FEATURES, outcome="converted"), model(*FEATURES, arms=("mail", "none"))):
        assert the_policy(unused, **RESPONDS).digest == the_policy(None, **RESPONDS).digest
    assert the_policy(FITTING).digest == the_policy().digest  # its rules score


def test_the_number_that_a_catalogue_was_given_is_not_in_the_hash():
    bits: dict[str, int] = {each.scope: each.bit for each in SHOP.in_order}

    assert policy(campaign(), 1, published(SHOP, 9, bits)).digest == the_policy().digest


# ---------------------------------------------------------------------------------------------------------------- rules


def test_rules_are_numbered_in_the_order_of_their_stages():
    chosen = the_policy()

    assert chosen.rules == (
        "", "not_enrolled", "hard_stop", "audience", "eligibility", "unknown",
        f"permission:{MAIL}", f"permission:{PURCHASES}", f"permission:{TEXT}", f"permission:{LETTER}",
        f"permission:{INTERESTS}", "holdout", "cap:mail", "wish:email", "wish:sms", "wish:post", "hours:own_hours",
        "worth_nothing", "outranked", "commitment:spring",
    )  # fmt: skip
    assert chosen.stage_of.tolist() == sorted(chosen.stage_of.tolist())
    assert chosen.stage_of.tolist() == [stage_of(rule) for rule in chosen.rules]


def test_a_cap_or_scope_called_like_a_rule_is_still_told_from_it():
    chosen = the_policy(cap=[{**TABLES["cap"][0], "key": "holdout"}])

    assert stage_of("cap:holdout") is Stage.CONTACT_POLICY
    assert len(set(chosen.rules)) == len(chosen.rules)


def test_stages_stand_in_the_order_of_the_funnel():
    assert [stage.name.lower() for stage in LEAVING] == [
        "identity", "hard_stops", "eligibility", "permission", "holdout", "contact_policy", "goodwill", "arbitration",
        "commitments",
    ]  # fmt: skip


# -------------------------------------------------------------------------------- what a candidate needs permission for


def test_a_candidate_needs_what_its_expressions_touch_and_its_channel():
    by_key = {one.key: one for one in the_policy().candidates}

    assert {key: (one.contact, one.uses) for key, one in by_key.items()} == {
        "mail": (MAIL, (PURCHASES,)),
        "text": (TEXT, (PURCHASES,)),
        "letter": (LETTER, (INTERESTS, PURCHASES)),
    }
    assert {key: keys(one.windows) for key, one in by_key.items()} == {"mail": ["mail"], "text": [], "letter": []}


def test_a_policy_reads_what_its_expressions_read_and_nothing_else():
    chosen = the_policy()

    assert chosen.attributes == ("main_interest", "months_since_purchase", "purchases_count", "spend_past_year")
    assert chosen.categories == ("interests", "purchases")
    assert chosen.scopes == (MAIL, PURCHASES, TEXT, LETTER, INTERESTS)


def test_a_campaign_that_reads_nothing_needs_only_the_channel():
    chosen = the_policy(
        campaign={"audience": "TRUE"},
        offer=[{**TABLES["offer"][1]}],
        treatment=[{**TABLES["treatment"][0], "offer": "guide"}],
    )

    assert (chosen.scopes, chosen.categories, chosen.attributes) == ((MAIL,), (), ())


def test_a_model_that_scores_is_read_in_place_of_the_rules():
    chosen = the_policy(model("visits_past_month"), campaign={"scorer": "uplift", "features": ["visits_past_month"]})

    assert chosen.model == model("visits_past_month")
    assert chosen.attributes == ("months_since_purchase", "spend_past_year", "visits_past_month")
    assert chosen.categories == ("browsing", "purchases")
    assert {one.uses for one in chosen.candidates} == {("use:browsing:recommendations", PURCHASES)}


# --------------------------------------------------------------------------------------------------------- which scores


def test_a_model_scores_only_where_the_campaign_asks_for_one():
    assert the_policy(FITTING).model is None
    assert the_policy(FITTING, **RESPONDS).model == FITTING


@pytest.mark.parametrize(
    "other",
    [
        model(*FEATURES, arms=("mail", "text", "none")),
        model(*FEATURES, arms=("mail", "text", "letter")),
        model(*FEATURES, outcome="converted"),
        model(*FEATURES[1:]),
        model(*FEATURES, "tenure"),
    ],
)
def test_a_model_of_another_campaign_or_an_older_version_does_not_score(other):
    assert the_policy(other, **RESPONDS).model is None


def test_a_campaign_is_compiled_alike_from_toml_and_from_its_stored_text():
    read = campaign()

    assert policy(parse_campaign(read.body, "toml", SHOP), 1, SHOP) == the_policy()
