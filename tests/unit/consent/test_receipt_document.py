"""The readable part of a receipt: published terms only, lists as lists, and nothing that the proof doesn't say."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from consent.base.ids import Scope
from consent.catalogue.model import Controller
from consent.ledger.note import verifier_of
from consent.permission.statement import WHOLE_CUSTOMER, Act, Method
from consent.receipts import checking, document
from consent.receipts.checking import Holds
from tests.builders import ANN, CATALOGUE, START, published_catalogue, statement
from tests.receipts import FIRST, FIRST_KEY, ORIGIN, proof_of
from tests.vectors.terms import terms

SHOP = published_catalogue()
SCOPES = tuple(Scope(table["scope"]) for table in CATALOGUE["scope"])
MAIL, HEALTH, COURIER, REPLIES = map(
    Scope, ("contact:email:offers", "remember:health", "share:courier:service", "use:replies:service")
)


def written(act: str, *scopes: str, **said: Any) -> dict[str, Any]:
    named = [Scope(scope) for scope in scopes]
    more = {"notices": dict.fromkeys(named, 1) or None, **said}
    return document.receipt(proof_of(statement(ANN, act, *named, **more), SHOP))


def record(act: str, *scopes: str, **said: Any) -> dict[str, Any]:
    [found] = written(act, *scopes, **said)["dpv:hasRecordOfActivity"]
    return dict(found)


def processes(act: str, *scopes: str, **said: Any) -> list[dict[str, Any]]:
    return list(record(act, *scopes, **said)["dpv:hasProcess"])


def every() -> Iterator[dict[str, Any]]:
    """Yield a receipt of every act, method and scope."""
    for act, method in product(Act, Method):
        scopes = () if act in WHOLE_CUSTOMER else SCOPES
        yield written(act, *scopes, method=method, guardian=True, age=12, language="de")
    yield written("refuse", method=Method.SIGNAL, notices=None)
    yield written("pause", until=START.replace(year=2027))
    yield written("grant", MAIL, awaiting=frozenset({MAIL}), valid_until={MAIL: START.replace(year=2027)})


def names_in(value: Any) -> Iterator[str]:
    """Yield every compact name that a JSON-LD reader resolves: keys, types and references."""
    if isinstance(value, list):
        for each in value:
            yield from names_in(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key in ("@id", "@type"):
                yield from each if isinstance(each, list) else [each]
            elif not key.startswith("@"):
                yield key
                # What the proof quotes is JSON of our own, not JSON-LD.
                yield from () if key in ("byleave:payload", "byleave:terms") else names_in(each)


def test_every_term_of_every_receipt_is_published():
    vocabularies = ("dpv:", "pd:", "eu-gdpr:")
    used = {name for each in every() for name in names_in(each)}
    assert {name for name in used if name.startswith(vocabularies)} - set(terms()) == set()
    assert {name for name in used if name.startswith("legal-eu:")} == {"legal-eu:law-GDPR"}
    assert len([name for name in used if name.startswith(vocabularies)]) > 60


def test_every_name_has_a_prefix_that_the_context_explains():
    contexts = [each["@context"] for each in every()]
    assert contexts == [contexts[0]] * len(contexts)
    prefixes = {name.partition(":")[0] for each in every() for name in names_in(each)}
    assert prefixes - contexts[0].keys() == {"urn", "https"}


def test_a_receipt_has_no_null_no_float_and_nothing_empty():
    def values(value: Any) -> Iterator[Any]:
        yield value
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        for each in inner:
            yield from values(each)

    for each in every():
        found = list(values({name: value for name, value in each.items() if name != "byleave:proof"}))
        assert [value for value in found if value is None or value == "" or isinstance(value, float)] == []
        assert [value for value in found if value in ([], {})] == []


def test_a_receipt_says_who_asked_for_what_in_which_words():
    told = record("grant", MAIL, language="de", valid_until={MAIL: START.replace(year=2027)})
    [process], [notice], [controller] = told["dpv:hasProcess"], told["dpv:hasNotice"], told["dpv:hasEntity"]
    assert notice == {
        "@id": f"urn:byleave:{ORIGIN}/2#notice-words-1-de",
        "@type": "dpv:ConsentNotice",
        "dct:identifier": "words",
        "byleave:version": 1,
        "dct:language": "de",
        "dct:description": {"@value": "Dürfen wir?", "@language": "de"},
        "byleave:sha256": hashlib.sha256("Dürfen wir?".encode()).hexdigest(),
    }
    assert controller == {
        "@id": "urn:byleave:shop.example", "@type": "dpv:DataController", "dpv:hasName": "A small shop",
    }  # fmt: skip
    assert process["dpv:hasPurpose"][0]["skos:broader"] == [{"@id": "dpv:Marketing"}, {"@id": "dpv:DirectMarketing"}]
    assert process["dpv:hasPersonalData"] == [
        {"@type": "dpv:ProvidedPersonalData", "skos:broader": [{"@id": "pd:EmailAddress"}]}
    ]
    assert process["dpv:hasLegalBasis"] == {"@id": "eu-gdpr:A6-1-a"}
    [status] = process["dpv:hasConsentStatus"]
    assert status == {
        "@type": ["dpv:ConsentGiven", "dpv:ExpressedConsent"],
        "dpv:isIndicatedAtTime": {"@value": "2026-11-21T10:00:00.000Z", "@type": "xsd:dateTime"},
        "dpv:isIndicatedBy": {"@id": f"urn:byleave:shop.example/{ANN}"},
        "dpv:hasIndicationMethod": "web form",
        "dpv:hasDuration": {
            "@type": "dpv:UntilTimeDuration",
            "rdf:value": {"@value": "2027-11-21T10:00:00.000Z", "@type": "xsd:dateTime"},
        },
    }
    assert (told["dct:language"], told["dpv:hasApplicableLaw"]) == ("de", {"@id": "legal-eu:law-GDPR"})


def test_a_recipient_is_named_once_however_often_he_is_shared_with():
    told = record("object", COURIER, REPLIES)
    assert [each["@type"] for each in told["dpv:hasEntity"]] == ["dpv:DataController", "dpv:Recipient"]
    courier = {"@id": "urn:byleave:shop.example/recipient/courier"}
    assert told["dpv:hasProcess"][0]["dpv:hasRecipient"] == [{"@id": "urn:byleave:shop.example"}, courier]
    assert told["@type"] == ["dpv:ConsentRecord", "dpv:RightExerciseRecord"]


def test_only_what_awaits_its_confirmation_is_said_to():
    mail, health = processes("grant", MAIL, HEALTH, awaiting=frozenset({MAIL}))
    assert mail["dpv:hasConsentStatus"][0]["@type"] == ["dpv:ConsentRequested"]
    assert health["dpv:hasConsentStatus"][0]["@type"] == ["dpv:ConsentGiven", "dpv:ExplicitlyExpressedConsent"]


@pytest.mark.parametrize(
    ("act", "said", "speaker"),
    [
        ("grant", {}, {"@id": f"urn:byleave:shop.example/{ANN}"}),
        ("invalidate", {}, {"@id": "urn:byleave:shop.example"}),
        ("withdraw", {"method": Method.MERGED}, {"@id": "urn:byleave:shop.example"}),
        (
            "grant",
            {"guardian": True},
            {"@id": f"urn:byleave:{ORIGIN}/2#guardian", "@type": "dpv:GuardianOfDataSubject"},
        ),
    ],
)
def test_a_receipt_says_whose_word_it_was(act, said, speaker):
    [process] = processes(act, HEALTH, **said)
    assert process["dpv:hasConsentStatus"][0]["dpv:isIndicatedBy"] == speaker


def test_a_browsers_opt_out_is_about_selling_and_targeting():
    [process] = processes("refuse", method=Method.SIGNAL, notices=None, evidence="Sec-GPC: 1")
    assert [each["skos:broader"] for each in process["dpv:hasPurpose"]] == [
        [{"@id": "dpv:SellDataToThirdParties"}], [{"@id": "dpv:TargetedAdvertising"}],
    ]  # fmt: skip
    assert process["dpv:hasConsentStatus"][0]["@type"] == ["dpv:ConsentRefused"]


def test_a_pause_has_its_end():
    [process] = processes("pause", until=START.replace(year=2027))
    [status] = process["dpv:hasActivityStatus"]
    assert status["dpv:hasDuration"]["rdf:value"]["@value"] == "2027-11-21T10:00:00.000Z"


def test_a_controller_is_named_as_the_catalogue_names_him():
    who = Controller(name="Northwind", address="1 Quay, Dublin", email="dpo@northwind.example")
    shop = replace(SHOP, controller=who)
    [told] = document.receipt(proof_of(statement(ANN, "pause"), shop))["dpv:hasRecordOfActivity"]
    assert told["dpv:hasEntity"][0] == {
        "@id": "urn:byleave:shop.example", "@type": "dpv:DataController", "dpv:hasName": "Northwind",
        "dpv:hasAddress": "1 Quay, Dublin", "dpv:hasContact": "dpo@northwind.example",
    }  # fmt: skip


def test_a_receipt_of_the_first_version_holds_for_ever():
    """Made on the day the form was settled. If this fails, every receipt in customers' hands fails."""
    raw = FIRST.read_bytes()
    held = checking.verdict(raw, [verifier_of(FIRST_KEY)])
    assert isinstance(held, Holds), held
    assert document.receipt(held.proof) == json.loads(raw)
