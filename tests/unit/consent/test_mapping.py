"""Mapping files: what each column is, every wrong spot named."""

import hashlib

import pytest

from consent.base.errors import ImportInvalid, Place
from consent.imports.mapping import Column, parse_mapping, read_mapping, wrong_header
from consent.permission.statement import Act
from tests.builders import CATALOGUE, catalogue

SHOP = catalogue()
WITH_GOT = catalogue(
    category=[
        *CATALOGUE["category"],
        {"key": "responses", "title": "R", "origin": "observed", "special": False,
         "attributes": {"got": "text", "visited": "boolean"}},
    ]
)  # fmt: skip
TOP = 'format = "csv"\nreference = "id"\n'
WHOLE = (
    TOP
    + """
ignore = ["note"]
[identities]
email = "mail"
[attributes]
spent = "spend"
bought = { column = "count" }
last = { column = "item", values = { "A-1" = "lamp", "B-2" = "chair" } }
allergy = "allergy"
[outcomes]
treatment = { column = "arm", values = { "M" = "mail", "N" = "none" } }
visited = { column = "visit", values = { "0" = false, "1" = true } }
[statement]
act = { column = "answer", values = { "yes" = "grant", "no" = "refuse" } }
scopes = { column = "scopes", separator = ";" }
said_at = "when"
evidence = "paper"
"""
)


def places(text, of=SHOP):
    with pytest.raises(ImportInvalid) as refused:
        parse_mapping(text, of)
    return [tuple(place) for place in refused.value.places]


def test_a_mapping_says_what_each_column_is():
    mapping = parse_mapping(WHOLE, WITH_GOT)
    assert (mapping.reference, dict(mapping.identities), set(mapping.ignore)) == ("id", {"email": "mail"}, {"note"})
    assert [(fact.attribute.name, fact.column.name, fact.quiet) for fact in mapping.attributes] == [
        ("spent", "spend", False),
        ("bought", "count", False),
        ("last", "item", False),
        ("allergy", "allergy", True),
    ]
    assert [(fact.attribute.name, fact.column) for fact in mapping.outcomes] == [
        ("got", Column(name="arm", values={"M": "mail", "N": "none"})),
        ("visited", Column(name="visit", values={"0": False, "1": True})),
    ]
    [template] = mapping.statements
    assert (template.when, dict(template.parts)) == (
        (),
        {
            "act": Column(name="answer", values={"yes": "grant", "no": "refuse"}),
            "scopes": Column(name="scopes", separator=";"),
            "said_at": Column(name="when"),
            "evidence": Column(name="paper"),
        },
    )
    assert mapping.digest == hashlib.sha256(WHOLE.encode()).digest()


def test_the_columns_that_name_a_customer_are_known_as_such():
    assert parse_mapping(WHOLE, WITH_GOT).naming == {"id", "mail"}


def test_a_mapping_is_read_from_its_file(tmp_path):
    path = tmp_path / "mapping.toml"
    path.write_text(WHOLE, encoding="utf-8")
    assert read_mapping(path, WITH_GOT) == parse_mapping(WHOLE, WITH_GOT)


def test_an_unknown_attribute_is_named_with_the_nearest_one():
    assert places(TOP + '[attributes]\nspend = "spend"\nxyzzy = "x"\n') == [
        ("attributes.spend", "spend is not an attribute of the catalogue; did you mean spent?"),
        ("attributes.xyzzy", "xyzzy is not an attribute of the catalogue"),
    ]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (
            "",
            [
                ("format", "is missing: give one of csv, json, listmonk, mailchimp, onetrust"),
                ("reference", "is missing: give text"),
            ],
        ),
        ('format = "xml"\nreference = "id"', [("format", "must be one of csv, json, listmonk, mailchimp, onetrust")]),
        ('format = "csv"\nreference = 7', [("reference", "must be text")]),
        (TOP + "refrence = 1", [("refrence", "is not known here")]),
        (TOP + "ignore = [1]", [("ignore", "must hold texts only")]),
        (TOP + 'ignore = ["id"]', [("ignore", "id is mapped as well")]),
        (
            TOP + '[identities]\nreference = "ref"',
            [("identities.reference", "stands at the top of the file: reference = …")],
        ),
        (
            TOP + '[identities]\n"E mail" = "mail"',
            [("identities.E mail", "must be a short name: a-z, then a-z, 0-9, - or _")],
        ),
        (TOP + "[attributes]\nspent = 7", [("attributes.spent", "must be text")]),
        (TOP + "[attributes]\nspent = {}", [("attributes.spent.column", "is missing: give text")]),
        (
            TOP + '[attributes]\nspent = { column = "c", separator = ";" }',
            [("attributes.spent.separator", "is not known here")],
        ),
        (
            TOP + '[attributes]\nseen = { column = "c", values = { a = "b" } }',
            [("attributes.seen.values", "is not known here")],
        ),
        (TOP + '[attributes]\nspent = { column = "c", values = {} }', [("attributes.spent.values", "is empty")]),
        (
            TOP + '[outcomes]\nvisited = "v"',
            [("outcomes.treatment", "is missing: which column says what the customer got?")],
        ),
        (
            TOP + '[statement]\nact = "a"',
            [
                ("statement.scopes", "is missing: name its column"),
                ("statement.said_at", "is missing: name its column"),
            ],
        ),
        (
            TOP + '[statement]\nact = { column = "a", values = { y = "yes" } }\nscopes = "s"\nsaid_at = "t"\nwho = "w"',
            [
                (
                    "statement.act.values",
                    "'yes' is none of " + ", ".join(Act),
                ),
                ("statement.who", "is not known here"),
            ],
        ),
        (
            TOP + '[statement]\nact = "a"\nscopes = { column = "s", separator = "-" }\nsaid_at = "t"',
            [("statement.scopes.separator", "must be one of  , ;, |, ,")],
        ),
    ],
)
def test_every_wrong_spot_is_named(text, wrong):
    assert places(text, WITH_GOT) == wrong


@pytest.mark.parametrize(
    ("attribute", "value", "wanted"),
    [
        ("spent", '"1.5"', "a number"),
        ("spent", "true", "a number"),
        ("spent", "inf", "a number"),
        ("bought", "1.0", "a whole number"),
        ("bought", "true", "a whole number"),
        ("bought", "9007199254740992", "a whole number"),
        ("returned", "1", "true or false"),
        ("returned", '"true"', "true or false"),
        ("last", "7", "text"),
        ("last", '" "', "text"),
        ("last", '"a\\u0000"', "text"),
        ("last", "2026-11-21", "text"),
    ],
)
def test_a_value_of_another_type_than_the_attributes_is_named(attribute, value, wanted):
    text = TOP + f'[attributes]\n{attribute} = {{ column = "c", values = {{ cell = {value} }} }}'
    assert places(text) == [(f"attributes.{attribute}.values.cell", f"must be {wanted}")]


def test_a_file_that_is_no_toml_is_named(tmp_path):
    path = tmp_path / "mapping.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(ImportInvalid) as refused:
        read_mapping(path, SHOP)
    assert str(refused.value) == ("The import is not valid: mapping.toml is not UTF-8: line 1: byte that is not UTF-8")


HEADER = ("id", "mail", "spend", "count", "item", "allergy", "arm", "visit", "answer", "scopes", "when", "paper")


def test_a_header_with_all_mapped_and_ignored_columns_fits():
    mapping = parse_mapping(WHOLE, WITH_GOT)
    assert wrong_header(mapping, HEADER) == []
    assert wrong_header(mapping, ("note", *reversed(HEADER))) == []


def test_a_column_that_is_neither_mapped_nor_ignored_is_named():
    assert wrong_header(parse_mapping(WHOLE, WITH_GOT), (*HEADER, "shoe_size")) == [
        Place("column shoe_size", "is neither mapped nor ignored")
    ]


def test_a_missing_column_is_named_with_the_nearest_one_there_is():
    misspelt = {"spend": "Spend"}
    assert wrong_header(parse_mapping(WHOLE, WITH_GOT), tuple(map(misspelt.get, HEADER, HEADER))) == [
        Place("column spend", "is missing; did you mean Spend?"),
        Place("column Spend", "is neither mapped nor ignored"),
    ]


def test_without_the_reference_no_column_is_named_since_it_may_be_a_customers():
    found = wrong_header(parse_mapping(WHOLE, WITH_GOT), ("ann@shop.example", "Ann Miller", "12"))
    assert found == [Place("column id", "is missing: it names the customer. Is the first line a header?")]
