"""The table from our words to those of the Data Privacy Vocabulary: complete, published, and never quietly changed."""

import pytest

from consent.catalogue import dpv
from consent.catalogue.model import Category, LegalBasis, Purpose
from consent.catalogue.reading import DEFAULT, parse_catalogue, read_catalogue
from tests.builders import CATALOGUE, catalogue, tables, toml
from tests.vectors.terms import broader, terms


def named(kind: str) -> frozenset[str]:
    """Return what the published vocabulary has of a kind, the kind itself among it."""
    return frozenset(term for term in terms() if term == kind or kind in broader(term))


def test_a_catalogue_may_name_every_published_purpose_and_kind_of_data_and_no_other():
    data = named("dpv:PersonalData") | {term for term in terms() if term.startswith("pd:")}
    assert (dpv.vocabulary(dpv.PURPOSES), dpv.vocabulary(dpv.DATA)) == (named("dpv:Purpose"), data)


@pytest.mark.parametrize("shop", [read_catalogue(DEFAULT), catalogue()], ids=["shipped", "small"])
def test_every_term_of_the_table_is_published(shop):
    used = {
        *(term for each in shop.purposes.values() for term in (*dpv.purpose_terms(each), *dpv.reaching_terms(each))),
        *(term for each in shop.categories.values() for term in dpv.data_terms(each)),
        *(term for each in shop.channels for term in dpv.address_terms(each)),
        *(dpv.basis_term(each) for each in LegalBasis),
        *(dpv.origin_term(each) for each in ("provided", "observed", "derived", "inferred")),
        *(
            term
            for operation in ("remember", "use", "contact", "share")
            for origin in ("provided", "observed", "derived", "inferred")
            for marketing in (True, False)
            for term in dpv.operation_terms(operation, origin=origin, marketing=marketing)
        ),
        dpv.KEEPING,
        dpv.UNNAMED,
    }  # fmt: skip
    assert used - set(terms()) == set()
    assert {term.partition(":")[0] for term in used} <= dpv.CONTEXT.keys()


def test_the_shipped_catalogue_is_mapped_word_for_word():
    shop = read_catalogue(DEFAULT)
    # Receipts of the past are made by these lines: whoever changes one reads the module's docstring first.
    assert {key: dpv.purpose_terms(each) for key, each in shop.purposes.items()} == {
        "service": ("dpv:RequestedServiceProvision", "dpv:CustomerCare"),
        "recommendations": ("dpv:ServicePersonalisation", "dpv:ProvideProductRecommendations"),
        "newsletter": ("dpv:DirectMarketing",),
        "measurement": ("dpv:ServiceOptimisation",),
    }
    assert {key: dpv.data_terms(each) for key, each in shop.categories.items()} == {
        "identity": ("pd:Country",),
        "purchases": ("pd:Purchase", "pd:PurchasesAndSpendingHabit"),
        "interests": ("pd:Interest",),
        "browsing": ("pd:BrowsingBehaviour",),
        "preferences": ("pd:Preference", "pd:Language"),
        "responses": ("pd:Interaction", "pd:LinkClicked"),
    }
    assert {key: dpv.address_terms(key) for key in shop.channels} == {
        "email": ("pd:EmailAddress",),
        "sms": ("pd:TelephoneNumber",),
        "phone": ("pd:TelephoneNumber",),
        "post": ("pd:PhysicalAddress",),
    }


def test_what_the_table_does_not_know_gets_the_broadest_true_term():
    raffle = Purpose(key="raffle", title="", description="", marketing=False)
    diary = Category(key="diary", title="", origin="provided", special=True, attributes=())
    assert dpv.purpose_terms(raffle) == ("dpv:Purpose",)
    assert dpv.data_terms(diary) == ("dpv:PersonalData", "dpv:SpecialCategoryPersonalData")
    assert dpv.operation_terms("remember", origin="derived") == ("dpv:Derive", "dpv:Store")


def test_a_catalogue_names_its_own_terms_and_its_controller():
    changed = tables()
    changed["purpose"][0]["dpv"] = ["dpv:PersonalisedBenefits", "dpv:Marketing"]
    changed["category"][1]["dpv"] = ["pd:MedicalHealth"]
    text = (
        toml(changed)
        + '[controller]\nname = "Northwind"\naddress = "1 Quay, Dublin"\nemail = "dpo@northwind.example"\n'
    )
    read = parse_catalogue(text)
    assert dpv.purpose_terms(read.purposes["offers"]) == ("dpv:PersonalisedBenefits", "dpv:Marketing")
    assert dpv.reaching_terms(read.purposes["offers"])[-1] == "dpv:DirectMarketing"
    assert dpv.data_terms(read.categories["health"]) == ("pd:MedicalHealth", "dpv:SpecialCategoryPersonalData")
    assert (read.controller.name, read.controller.address) == ("Northwind", "1 Quay, Dublin")
    assert read.controller.email == "dpo@northwind.example"


def test_without_a_controller_the_catalogues_name_is_who_asks():
    assert (catalogue().controller.name, catalogue().controller.address) == (CATALOGUE["name"], "")
