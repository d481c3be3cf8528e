"""Would your mother approve: each heading has a rule, each rule finds what it is for, and nothing where all is well."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from consent.catalogue.model import Catalogue
from personalise.campaigns import approval
from personalise.campaigns.judging import Case, Foreseen, Heading, Weight
from personalise.campaigns.model import Campaign
from personalise.campaigns.reading import parse_campaign
from personalise.contact_policy.model import NONE, Cap, Goodwill
from tests.builders import START, toml
from tests.campaigns import PURPOSE, SHOP, campaign, ready

ROOT = Path(__file__).parents[3]
PRICED = replace(NONE, goodwill=Goodwill(prices=MappingProxyType({"email": 2.0, "sms": 5.0, "post": 1.0})))
SEEN = Foreseen(version=1, catalogue=1, at=START, addressed=30_000, held_out=8_000)


def case(*, catalogue: Catalogue = SHOP, foreseen=SEEN, version=1, **changes) -> Case:
    read = parse_campaign(toml(ready(**changes)), "toml", catalogue)
    return Case(
        campaign=read, catalogue=catalogue, at=START, version=version, foreseen=foreseen, contact_policy=PRICED
    )  # fmt: skip


def advised(judged: Case, *, four_eyes: bool = True) -> list[tuple[str, bool]]:
    return [(each.rule, each.must) for each in approval.advise(judged, four_eyes=four_eyes)]


def treatment(**changes) -> list[dict[str, object]]:
    first, *rest = ready()["treatment"]
    return [{**first, **changes}, *rest]


def offer(**changes) -> list[dict[str, object]]:
    first, *rest = ready()["offer"]
    return [{**first, **changes}, *rest]


def mailed(inner: str, head: str = "") -> list[dict[str, object]]:
    """Return the treatments, the first with an HTML mail that says all that it has to, and more."""
    said = "Tea. You allowed us to suggest things. Questions: desk@shop.example. STOP ends this."
    page = f"<mj-section><mj-column><mj-text>{said}</mj-text>{inner}</mj-column></mj-section>"
    return treatment(mjml=f"<mjml>{head}<mj-body>{page}</mj-body></mjml>")


def test_an_html_mail_that_says_all_is_well():
    picture = "<mj-image src='https://shop.example/a.png' alt='A pot of tea' width='300px'/>"
    assert advised(case(treatment=mailed(picture))) == []


def test_what_only_the_text_says_the_html_mail_does_not():
    mail = "<mjml><mj-body><mj-section><mj-column><mj-text>Tea!!!</mj-text></mj-column></mj-section></mj-body></mjml>"
    judged = case(treatment=treatment(mjml=mail))
    found = {(each.rule, each.where) for each in approval.advise(judged, four_eyes=True)}
    rules = ("message_reason", "message_way_out", "message_person", "message_readable")
    assert found == {(rule, "treatment[0].mjml") for rule in rules}


def test_every_expectation_has_a_rule():
    assert {rule.heading for rule in approval.RULES} == set(Heading)


def test_every_rule_has_a_key_of_its_own():
    keys = [rule.key for rule in approval.RULES]
    assert len(keys) == len(set(keys))


def test_where_all_is_well_there_is_nothing_to_advise():
    assert (advised(case()), advised(case(), four_eyes=False)) == ([], [])


FLAWS: dict[str, dict[str, Any]] = {
    "benefit": {"campaign": {"benefit": "TBD"}},
    "benefit_for_customer": {"campaign": {"benefit": "It lifts our sales."}},
    "message_reason": {"treatment": treatment(content="Tea. desk@shop.example. STOP ends this.")},
    "message_honest": {"treatment": treatment(content="Last chance! You asked; desk@shop.example; STOP ends this.")},
    "message_short": {"treatment": treatment(content=ready()["treatment"][0]["content"] + " Tea is good." * 200)},
    "way_out": {"campaign": {"way_out": "none"}},
    "message_way_out": {"treatment": treatment(content="Tea, because you asked. desk@shop.example")},
    "way_out_easy": {"campaign": {"way_out": "Log in and choose a box"}},
    "message_finished": {"treatment": treatment(content=ready()["treatment"][0]["content"] + " TODO")},
    "message_plain": {"treatment": treatment(content="You asked desk@shop.example, stop" + ", and tea" * 20)},
    "person_to_reach": {"campaign": {"person_to_reach": "-"}},
    "message_person": {"treatment": treatment(content="Tea, because you asked. STOP ends this.")},
    "message_readable": {"treatment": treatment(content=ready()["treatment"][0]["content"] + " TEA FOR ALL NOW!!!")},
    "mail_whole": {"treatment": mailed("<mj-divider padding='1px'/>" * 300)},
    "mail_described": {"treatment": mailed("<mj-image src='https://shop.example/a.png'/>")},
    "mail_unwatched": {"treatment": mailed("<mj-image src='https://shop.example/a.png' alt='' width='1px'/>")},
    "terms_alike": {"offer": offer(terms={"prices": "half"})},
    "contacts_capped": {"cap": [{"key": "some", "channels": ["email", "post"], "limit": 2, "days": 30}]},
    "caps_bind": {
        "cap": [*ready()["cap"], {"key": "gone", "channels": ["email"], "offers": ["lamp"], "limit": 1, "days": 9}]
    },
    "score_is_chance": {"treatment": treatment(score="7")},
    "offers_used": {"offer": [*ready()["offer"], {**ready()["offer"][0], "key": "spare"}]},
    "conditions_tell": {"campaign": {"audience": "months_since_purchase <= 6 AND months_since_purchase > 6"}},
    "terms_written": {"offer": [{**each, "terms": {}} for each in ready()["offer"]]},
    "goodwill_budget": {"campaign": {"goodwill_budget": 0}},
    "contact_cost": {"offer": offer(cost=0)},
    "target": {"objective": {"target": 0, "minimum_effect": 0.02}},
    "target_day": {"objective": {"by": "2026-11-20"}},
    "window": {"objective": {**ready()["objective"]}},
    "minimum_effect": {"objective": {"minimum_effect": 0}},
    "effect_below_target": {"objective": {"minimum_effect": 0.03}},
    "holdout": {"campaign": {"holdout": {"share": 0, "salt": "s"}}},
}
del FLAWS["window"]["objective"]["window_days"]
ALONG = {"target": {"effect_below_target"}, "message_readable": set(), "terms_written": set()}
"""Other rules that the same flaw breaks."""


@pytest.mark.parametrize("rule", FLAWS)
def test_a_rule_finds_what_it_is_for_and_no_other_does(rule):
    table = FLAWS[rule]
    judged = case(**table) if rule != "window" else _without_window()
    [weight] = [each.weight for each in approval.RULES if each.key == rule]
    found = dict(advised(judged))
    assert found.keys() - ALONG.get(rule, set()) == {rule}
    assert found[rule] == (weight >= Weight.GATE)
    assert dict(advised(judged, four_eyes=False))[rule] == (weight == Weight.MUST)


def test_a_picture_that_differs_from_mail_to_mail_tells_who_opens_it():
    picture = "<mj-image src='https://shop.example/{{ spend_past_year }}.png' alt=''/>"
    mail = str(mailed(picture)[0]["mjml"])
    own = treatment(
        mjml=mail, general_mjml=mail.replace("{{ spend_past_year }}", "a"), general=ready()["treatment"][0]["content"]
    )
    found = [(each.rule, each.where) for each in approval.advise(case(treatment=own), four_eyes=True)]
    assert found == [("mail_unwatched", "treatment[0].mjml")]


def _without_window() -> Case:
    tables = ready()
    del tables["objective"]["window_days"]
    read = parse_campaign(toml(tables), "toml", SHOP)
    return Case(campaign=read, catalogue=SHOP, at=START, version=1, foreseen=SEEN, contact_policy=PRICED)


def test_a_waiver_stands_in_for_a_holdout():
    waived = {"holdout": {"share": 0, "salt": "s", "waiver": "All forty guests hear of the fire drill: the owner."}}
    assert advised(case(campaign=waived)) == []


def test_a_service_message_needs_no_holdout_no_way_out_and_no_cap():
    plain = [{**each, "content": "Your order has come, as you asked."} for each in ready()["treatment"]]
    service = {"class": "service", "goodwill_budget": 0, "holdout": {"share": 0, "salt": "s"}}
    purpose = replace(SHOP.purposes[PURPOSE], marketing=False)
    served = replace(SHOP, purposes=MappingProxyType({**SHOP.purposes, PURPOSE: purpose}))
    changes = {"campaign": service, "treatment": plain, "cap": [], "objective": {"minimum_effect": 0}}
    assert advised(case(catalogue=served, **changes)) == []


@pytest.mark.parametrize(
    ("foreseen", "version", "why"),
    [
        (None, 1, "Nobody has looked at whom this version reaches."),
        (SEEN, 2, "Nobody has looked at whom this version reaches."),
        (replace(SEEN, catalogue=2), 1, "The catalogue has changed since the last dry run."),
        (replace(SEEN, at=START - timedelta(days=7, seconds=1)), 1, "The last dry run is more than 7 days old."),
    ],
)
def test_a_dry_run_has_to_be_of_this_version_under_this_catalogue_and_fresh(foreseen, version, why):
    judged = case(foreseen=foreseen, version=version)
    [found] = [each for each in approval.advise(judged, four_eyes=True) if each.rule == "dry_run"]
    assert (found.what, found.must, found.where) == (why, True, "")
    assert advised(case(foreseen=replace(SEEN, at=START - timedelta(days=7)))) == []


def test_what_a_campaign_promises_is_held_against_what_its_groups_can_show():
    few = replace(SEEN, addressed=900, held_out=100)
    [found] = approval.advise(case(foreseen=few), four_eyes=True)
    assert (found.rule, found.heading, found.must, found.where) == (
        "power", Heading.GOALS, False, "campaign.holdout.share",
    )  # fmt: skip
    assert found.what.startswith("It promises 2.0 points. With 900 addressed and 100 held out, only effects from ")
    assert found.what.endswith(" points on would be found 80 % of the time (level 5 %, base rate 10.0 %).")


def test_without_a_base_rate_the_worst_is_assumed():
    few = replace(SEEN, addressed=3_000, held_out=800)
    [found] = approval.advise(case(foreseen=few, objective={"baseline": 0}), four_eyes=True)
    assert "base rate 50.0 %, assumed as none is stated)" in found.what


@pytest.mark.parametrize(("target", "found"), [(5, [("target", True)]), (-1.5, [("target", True)]), (1, []), (-1, [])])
def test_of_a_flag_the_target_is_a_share(target, found):
    assert advised(case(objective={"target": target})) == found
    assert advised(case(objective={"target": target, "measure": "spent"})) == []


@pytest.mark.parametrize(("score", "found"), [("1", []), ("-1.5", ["score_is_chance"]), ("2 * purchases_count", [])])
def test_of_a_flag_a_score_is_a_chance_or_a_change_of_one(score, found):
    """What a formula comes to is told by a dry run; a number alone says at once that it is none."""
    assert [rule for rule, _ in advised(case(treatment=treatment(score=score)))] == found
    model = {"scorer": "response", "features": ["purchases_count"]}
    assert advised(case(treatment=treatment(score="7"), campaign=model)) == []


def test_a_scope_that_nobody_is_asked_for_is_named():
    kept = {scope: rule for scope, rule in SHOP.scopes.items() if scope != "contact:sms:recommendations"}
    narrowed = replace(SHOP, scopes=MappingProxyType(kept))
    [found] = approval.advise(case(catalogue=narrowed), four_eyes=True)
    assert (found.rule, found.where, found.must) == ("scopes_asked", "treatment[1].channel", True)


def test_a_wording_that_reads_what_nobody_is_asked_for_is_advised_on_and_does_not_bind():
    plain = ready()["treatment"][0]["content"]
    own = treatment(content=plain + " {{ country }}", general=plain)
    assert SHOP.attributes["country"].category == "identity"
    [found] = approval.advise(case(treatment=own), four_eyes=True)
    assert (found.rule, found.where, found.must, found.what) == (
        "wordings_asked", "treatment[0].general", False,
        "No customer is ever asked for use:identity:recommendations, so everybody gets the general wording of mail.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "where", "what"),
    [
        ({"campaign": {"audience": "1 = 2"}}, "campaign.audience", "No customer can meet it: `1 = 2` never holds."),
        (
            {"campaign": {"audience": "main_interest = 'a' AND main_interest = 'b'"}}, "campaign.audience",
            "No customer can meet it: `main_interest = 'a' AND main_interest = 'b'` never holds.",
        ),
        (
            {"offer": offer(eligibility="visited = TRUE OR visited = FALSE")}, "offer[0].eligibility",
            "It tells nobody apart: `visited = TRUE OR visited = FALSE` holds of everybody of whom it is known.",
        ),
    ],
)  # fmt: skip
def test_a_condition_that_tells_nobody_apart_is_named_where_it_stands(changes, where, what):
    found = [each for each in approval.advise(case(**changes), four_eyes=True) if each.rule == "conditions_tell"]
    assert [(each.where, each.must, each.what) for each in found] == [(where, False, what)]


def test_whoever_means_everybody_says_so():
    assert "conditions_tell" not in dict(advised(case(campaign={"audience": "TRUE"})))


def test_a_cap_of_none_shuts_what_it_counts():
    none = {"key": "none", "channels": ["email"], "limit": 0, "days": 9}
    [found] = approval.advise(case(cap=[*ready()["cap"], none]), four_eyes=True)
    assert (found.rule, found.must, found.what) == (
        "caps_bind", False, "The cap none lets no contact through that it counts, not even the first.",
    )  # fmt: skip


def test_a_budget_of_goodwill_wants_a_price_for_every_channel():
    cheap = replace(PRICED, goodwill=Goodwill(prices=MappingProxyType({"email": 2.0})))
    [found] = approval.advise(replace(case(), contact_policy=cheap), four_eyes=True)
    assert (found.rule, found.where, found.must, found.what) == (
        "goodwill_priced", "campaign.goodwill_budget", False,
        "Its budget of goodwill limits no contact by post, sms, which costs none.",
    )  # fmt: skip
    assert advised(replace(case(campaign={"goodwill_budget": 0}), contact_policy=cheap)) == [("goodwill_budget", True)]


def test_a_cap_by_household_wants_households():
    own = {**ready()["cap"][0], "per": "household"}
    judged = case(cap=[own])
    assert advised(judged) == []
    [found] = approval.advise(replace(judged, households=False), four_eyes=True)
    assert (found.rule, found.where, found.must) == ("households_known", "cap", False)
    assert found.what == f"The cap {own['key']} counts by household, and of nobody is it known who lives with him."

    everywhere = replace(PRICED, caps=(Cap(key="home", limit=3, days=30, source="company", per="household"),))
    [found] = approval.advise(replace(case(), households=False, contact_policy=everywhere), four_eyes=True)
    assert (found.rule, found.where) == ("households_known", "")
    assert advised(replace(case(), households=False)) == []


def test_a_purpose_of_service_is_not_for_advertising():
    purposes = {key: replace(each, marketing=False) for key, each in SHOP.purposes.items()}
    narrowed = replace(SHOP, purposes=MappingProxyType(purposes))
    assert advised(case(catalogue=narrowed)) == [("purpose", True)]


def test_a_special_category_is_pointed_out():
    categories = {key: replace(each, special=key == "interests") for key, each in SHOP.categories.items()}
    narrowed = replace(SHOP, categories=MappingProxyType(categories))
    [found] = approval.advise(case(catalogue=narrowed), four_eyes=True)
    assert (found.rule, found.where) == ("special_categories", "treatment[2].score")


def test_advice_comes_by_heading_and_what_binds_comes_first():
    judged = case(campaign={"benefit": "TBD", "goodwill_budget": 0}, treatment=treatment(content="Last chance"))
    found = approval.advise(judged, four_eyes=True)
    order = list(Heading)
    assert [each.heading for each in found] == sorted((each.heading for each in found), key=order.index)
    assert [each.must for each in found if each.heading == Heading.FAIR] == [True, False, False]


def test_the_documentation_has_every_rule_under_its_expectation_and_says_which_bind():
    marks = {Weight.MUST: "**`{}`**", Weight.GATE: "*`{}`*", Weight.SHOULD: "`{}`"}
    text = (ROOT / "docs" / "campaigns.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ") and "`" in line]
    told = {row[0]: set(row[1].split(", ")) for row in rows if row[0] in set(Heading)}
    assert told == {
        str(heading): {marks[rule.weight].format(rule.key) for rule in approval.RULES if rule.heading == heading}
        for heading in Heading
    }


def test_what_binds_without_a_second_person_follows_from_the_campaign_and_the_catalogue_alone():
    """What is broken is known of both together for as long as the process lives."""

    class Only(NamedTuple):
        campaign: Campaign
        catalogue: Catalogue

    rules = approval.kept(approval.binding(four_eyes=False))
    assert len(rules) > 4
    only: Any = Only(campaign(), SHOP)
    assert [flaw for rule in rules for flaw in rule.judge(only)] == []
    assert approval.broken(campaign(), SHOP) == ()
    assert [each.rule for each in approval.broken(campaign(campaign={"benefit": "tbd"}), SHOP)] == ["benefit"]
