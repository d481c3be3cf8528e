"""Price parity: terms don't depend on what the catalogue says they never may."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from personalise.campaigns.parity import dependences
from tests.campaigns import SHOP, TABLES, campaign


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
        (["purchases_count"], {"treatment": SCORED, "offer": ONE}, []),
        (["purchases_count"], {"campaign": {"scorer": "response", "features": ["purchases_count"]}},
         [("treatment[1].score", "purchases_count"), ("campaign.features", "purchases_count")]),
    ],
)  # fmt: skip
def test_what_terms_depend_on_and_may_not_is_named_by_its_place(names, changes, found):
    assert list(dependences(campaign(**changes), fair(*names))) == found
