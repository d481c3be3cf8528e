"""Price parity: terms don't depend on what the catalogue says they never may."""

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from consent.catalogue.reading import read_catalogue
from personalise.campaigns.parity import carrying, dependences, unpriced
from personalise.campaigns.reading import parse_campaign
from tests.campaigns import SHOP, TABLES, campaign

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples" / "hillstrom"
DEMO = ROOT / "personalise" / "shop" / "files" / "campaign.toml"
FILES = (ROOT / "docs" / "campaign-files.md").read_text(encoding="utf-8")
DOCUMENTED = FILES.partition("```toml\n")[2].partition("```")[0]


def fair(*names):
    """Return the shipped catalogue, in which no terms may depend on these attributes."""
    kept = {
        key: replace(each, unpriced=tuple(one.name for one in each.attributes if one.name in names))
        for key, each in SHOP.categories.items()
    }
    return replace(SHOP, categories=MappingProxyType(kept))


SCORED = [{**each, "score": "0.01 * purchases_count"} for each in TABLES["treatment"]]
GOOD_FOR = [{**TABLES["offer"][0], "suitability": "main_interest <> 'garden'"}, TABLES["offer"][1]]
ONE = [TABLES["offer"][0], {**TABLES["offer"][1], "terms": TABLES["offer"][0]["terms"]}]
PLAIN = [{**each, "terms": {}} for each in TABLES["offer"]]
LEFT = {**TABLES["treatment"][0], "score": "CASE WHEN purchases_count > 5 THEN 0 ELSE 0.5 END"}
WORDED = {**TABLES["treatment"][0], "general": "By mail."}
PRICES = "{% if purchases_count > 5 %}10 %{% else %}Nothing{% endif %} off."
PAGE = "<mjml><mj-body><mj-section><mj-column><mj-text>%s</mj-text></mj-column></mj-section></mj-body></mjml>"


@pytest.mark.parametrize(
    ("names", "changes", "found"),
    [
        (["interests"], {}, []),
        (["months_since_purchase"], {}, [("campaign.audience", "months_since_purchase")]),
        (["spend_past_year"], {}, [("offer[0].eligibility", "spend_past_year")]),
        (["main_interest"], {"offer": GOOD_FOR, "treatment": SCORED}, [("offer[0].suitability", "main_interest")]),
        (["purchases_count"], {}, [("treatment[1].score", "purchases_count")]),
        (["purchases_count"], {"treatment": SCORED},
         [(f"treatment[{spot}].score", "purchases_count") for spot in range(3)]),
        (["purchases_count"], {"treatment": SCORED, "offer": ONE},
         [(f"treatment[{spot}].score", "purchases_count") for spot in range(3)]),
        (["purchases_count"], {"treatment": [LEFT], "offer": [TABLES["offer"][0]]},
         [("treatment[0].score", "purchases_count")]),
        (["purchases_count"], {"treatment": SCORED, "offer": PLAIN}, []),
        (["purchases_count"], {"treatment": [SCORED[2]], "offer": TABLES["offer"]}, []),
        (["spend_past_year"], {"treatment": SCORED, "offer": PLAIN}, [("offer[0].eligibility", "spend_past_year")]),
        (["purchases_count"], {"campaign": {"scorer": "response", "features": ["purchases_count"]}},
         [("treatment[1].score", "purchases_count"), ("campaign.features", "purchases_count")]),
        (["purchases_count"],
         {"campaign": {"scorer": "uplift", "features": ["purchases_count"]}, "offer": [TABLES["offer"][0]],
          "treatment": [TABLES["treatment"][0]]}, [("campaign.features", "purchases_count")]),
        (["purchases_count"], {"campaign": {"scorer": "uplift", "features": ["purchases_count"]}, "offer": PLAIN}, []),
    ],
)  # fmt: skip
def test_what_terms_depend_on_and_may_not_is_named_by_its_place(names, changes, found):
    assert list(dependences(campaign(**changes), fair(*names))) == found


@pytest.mark.parametrize("rule", ["eligibility", "applicability", "suitability"])
def test_what_new_customers_get_may_not_be_kept_from_those_who_have_been_there_longer(rule):
    shop = read_catalogue(EXAMPLES / "catalogue.toml")
    text = (EXAMPLES / "campaign.toml").read_text(encoding="utf-8")
    closed = text.replace('eligibility = "bought_mens = 1 OR bought_womens = 0"', f'{rule} = "new_customer"')
    assert closed != text

    assert list(dependences(parse_campaign(text, "toml", shop), shop)) == []
    assert list(dependences(parse_campaign(closed, "toml", shop), shop)) == [
        (f"offer[0].{rule}", "new_customer"), ("campaign.features", "new_customer"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"content": PRICES}, ["content"]),
        ({"subject": PRICES, "general_subject": "Tea"}, ["subject"]),
        ({"mjml": PAGE % PRICES, "general_mjml": PAGE % "Tea"}, ["mjml"]),
        ({"content": PRICES, "subject": "{{ purchases_count }}", "general_subject": "Tea"}, ["subject", "content"]),
        ({"content": "As you like {{ main_interest }}."}, []),
        ({"content": PRICES, "offer": "guide"}, []),
    ],
)
def test_a_wording_of_an_offer_with_terms_reads_nothing_that_no_terms_may_depend_on(said, found):
    read = campaign(treatment=[{**WORDED, **said}])
    assert list(dependences(read, fair("purchases_count"))) == [
        (f"treatment[0].{key}", "purchases_count") for key in found
    ]


def test_the_shipped_catalogue_marks_how_much_somebody_looks_around_and_what_came_of_messages():
    assert unpriced(SHOP) == {"visits_past_month", "got", "visited", "converted", "spent"}
    assert carrying(SHOP) == unpriced(SHOP)


@pytest.mark.parametrize(
    ("text", "catalogue"),
    [
        (DEMO.read_text(encoding="utf-8"), SHOP),
        (DOCUMENTED, SHOP),
        ((EXAMPLES / "campaign.toml").read_text(encoding="utf-8"), read_catalogue(EXAMPLES / "catalogue.toml")),
    ],
    ids=["demo", "documentation", "hillstrom"],
)
def test_the_campaigns_that_are_shown_have_terms_that_depend_on_nothing_they_may_not(text, catalogue):
    assert list(dependences(parse_campaign(text, "toml", catalogue), catalogue)) == []


def test_a_discount_for_who_looks_around_a_lot_is_refused_by_the_shipped_catalogue():
    scored = [{**LEFT, "score": "0.01 * visits_past_month"}]
    read = campaign(treatment=scored, offer=[TABLES["offer"][0]], campaign={"audience": "visits_past_month > 9"})
    assert list(dependences(read, SHOP)) == [
        ("campaign.audience", "visits_past_month"), ("treatment[0].score", "visits_past_month"),
    ]  # fmt: skip
