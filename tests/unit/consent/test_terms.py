"""Terms: what a customer was told, and the one hash that stands for it."""

import hashlib

import pytest
import rfc8785

from consent.base.errors import CatalogueInvalid, Place
from consent.base.ids import Scope
from consent.catalogue import terms
from consent.catalogue.reading import parse_catalogue
from tests.builders import CATALOGUE, catalogue, published_catalogue, tables, toml

MAIL, HEALTH, COURIER = Scope("contact:email:offers"), Scope("remember:health"), Scope("share:courier:service")


def test_the_terms_of_a_scope_say_all_that_was_asked():
    [mail] = terms.told(published_catalogue(), [MAIL], {MAIL: 1}, "de")["scopes"]
    assert mail == {
        "scope": "contact:email:offers",
        "operation": "contact",
        "legal_basis": "consent",
        "basis": "eu-gdpr:A6-1-a",
        "data": {"origin": "dpv:ProvidedPersonalData", "terms": ["pd:EmailAddress"]},
        "purpose": {
            "title": "Offers", "description": "What we suggest.", "terms": ["dpv:Marketing", "dpv:DirectMarketing"],
        },
        "processing": ["dpv:Use"],
        "channel": {"key": "email", "title": "E-mail"},
        "benefit": "You gain by it.",
        "notice": {"key": "words", "version": 1, "language": "de", "text": "Dürfen wir?"},
    }  # fmt: skip


def test_to_remember_and_to_share_have_terms_of_their_own():
    health, courier = terms.told(published_catalogue(), [HEALTH, COURIER], {HEALTH: 1}, "")["scopes"]
    assert (health["data"]["terms"], health["processing"]) == (
        ["dpv:PersonalData", "dpv:SpecialCategoryPersonalData"], ["dpv:Collect", "dpv:Store"],
    )  # fmt: skip
    assert (health["purpose"], health["basis"]) == ({"terms": ["dpv:RecordManagement"]}, "eu-gdpr:A9-2-a")
    assert (courier["recipient"], courier["processing"]) == ({"key": "courier", "title": "The courier"}, ["dpv:Share"])
    assert ("notice" in health, "notice" in courier) == (True, False)


@pytest.mark.parametrize(("asked", "shown"), [("de", "de"), ("de-AT", "de"), ("en", "en"), ("fr", "en"), ("", "en")])
def test_the_wording_is_in_the_language_shown(asked, shown):
    [mail] = terms.told(published_catalogue(), [MAIL], {MAIL: 1}, asked)["scopes"]
    assert mail["notice"]["language"] == shown


def test_a_scope_that_the_catalogue_no_longer_has_is_named_and_no_more():
    told = terms.told(published_catalogue(), [Scope("use:gone:offers")], {Scope("use:gone:offers"): 3}, "en")
    assert told["scopes"] == [{"scope": "use:gone:offers"}]


def test_the_hash_is_that_of_the_published_bytes():
    shop = published_catalogue()
    told = terms.told(shop, [MAIL, HEALTH], {MAIL: 1, HEALTH: 1}, "en")
    parts = [told["controller"], *told["scopes"]]
    hashed = b"".join(hashlib.sha256(rfc8785.dumps(part)).digest() for part in parts)
    expected = hashlib.sha256(b"byleave/terms/v1\x00" + hashed).digest()
    assert terms.digest(told) == expected
    assert terms.told_digest(shop, [MAIL, HEALTH], {MAIL: 1, HEALTH: 1}, "en") == expected


def test_every_part_of_the_terms_is_in_the_hash():
    told = terms.told(published_catalogue(), [MAIL, HEALTH], {MAIL: 1, HEALTH: 1}, "en")
    others = [
        {**told, "controller": {"name": "Another shop"}},
        {**told, "scopes": told["scopes"][::-1]},
        {**told, "scopes": told["scopes"][:1]},
        *({**told, "scopes": [{**told["scopes"][0], name: "else"}, told["scopes"][1]]} for name in told["scopes"][0]),
    ]
    assert len({terms.digest(each) for each in (told, *others)}) == len(others) + 1


def test_rule_14_the_hash_of_the_same_terms_is_the_same_in_years():
    """Rule 14: the same receipt again. Whoever changes this changes what old statements have committed to."""
    told = terms.told(published_catalogue(), [MAIL], {MAIL: 1}, "en")
    assert terms.digest(told).hex() == "8fd3d713a195340045229800c030731fe3828332b91e24dc4965e527eef6464e"


@pytest.mark.parametrize(
    ("kind", "given", "why"),
    [
        ("purpose", ["dpv:Nonsense"], "dpv:Nonsense is not a term of DPV 2.3 for purposes"),
        ("purpose", ["pd:Purchase"], "pd:Purchase is not a term of DPV 2.3 for purposes"),
        ("category", ["dpv:DirectMarketing"], "dpv:DirectMarketing is not a term of DPV 2.3 for personal data"),
        ("category", ["pd:Purchase", "pd:Purchase"], "names a term twice"),
        ("category", "pd:Purchase", "must be a list of texts"),
    ],
)
def test_a_term_that_is_none_is_refused(kind, given, why):
    changed = tables()
    changed[kind][0]["dpv"] = given
    with pytest.raises(CatalogueInvalid) as refused:
        catalogue(**{kind: changed[kind]})
    assert refused.value.places == (Place(f"{kind}[0].dpv", why),)


def test_a_controller_that_is_wrong_is_refused():
    with pytest.raises(CatalogueInvalid) as refused:
        parse_catalogue(toml(CATALOGUE) + '[controller]\nname = ""\nfax = "1"\n')
    assert refused.value.places == (
        Place("controller.name", "must have 1 to 200 characters"), Place("controller.fax", "is not known here"),
    )  # fmt: skip


def test_a_wording_with_a_control_character_is_refused():
    notice = {"key": "words", "version": 1, "wording": {"en": "May we?\u0000"}}
    with pytest.raises(CatalogueInvalid) as refused:
        catalogue(notice=[notice, *CATALOGUE["notice"][1:]])
    assert refused.value.places == (Place("notice[0].wording.en", "has a control character"),)
