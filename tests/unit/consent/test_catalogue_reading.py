"""A catalogue file is read whole or refused with every spot that is wrong."""

import hashlib
import json
from datetime import UTC, datetime

import pytest

from consent.base.errors import CatalogueInvalid
from consent.catalogue.changes import difference, redeclared
from consent.catalogue.duration import Duration, parse_duration
from consent.catalogue.model import NO_BIT, UNPUBLISHED, Attribute, LegalBasis, published
from consent.catalogue.reading import DEFAULT, parse_catalogue, read_catalogue
from tests.builders import CATALOGUE, catalogue, published_catalogue, scope_table, tables, toml


def places(text):
    """Return where and why a text is refused; nothing if it isn't."""
    try:
        parse_catalogue(text)
    except CatalogueInvalid as refused:
        return [tuple(place) for place in refused.places]
    return []


def changed(change):
    """Return the places of the small catalogue once `change` was made to its tables."""
    made = tables()
    change(made)
    return places(toml(made))


def test_the_shipped_catalogue_reads_and_is_not_published():
    shipped = read_catalogue(DEFAULT)

    assert (shipped.name, shipped.version, shipped.body) == ("A shop", UNPUBLISHED, DEFAULT.read_text(encoding="utf-8"))
    assert {rule.bit for rule in shipped.scopes.values()} == {NO_BIT}
    assert shipped.digest == hashlib.sha256(DEFAULT.read_bytes()).digest()


def test_the_shipped_catalogue_asks_before_anything_that_is_marketing():
    shipped = read_catalogue(DEFAULT)
    marketing = [rule for rule in shipped.scopes.values() if rule.purpose and shipped.purposes[rule.purpose].marketing]

    assert {rule.legal_basis for rule in marketing} == {LegalBasis.CONSENT}
    assert [rule.scope for rule in marketing if not (rule.benefit and rule.notice and rule.validity)] == []


def test_a_notice_of_the_shipped_catalogue_has_every_language():
    shipped = read_catalogue(DEFAULT)
    [spoken] = {frozenset(notice.wording) for notice in shipped.notices.values()}
    assert spoken >= {"en", "de", "fr", "zh"}


def test_a_catalogue_says_what_its_file_says():
    read = catalogue()
    rule = read.scopes["contact:email:offers"]

    assert (rule.operation, rule.target, rule.purpose, rule.legal_basis) == ("contact", "email", "offers", "consent")
    assert (rule.validity, rule.double_opt_in, rule.notice) == (Duration(months=6, days=0), True, "words")
    assert (rule.material_since, rule.minimum_age, rule.order, rule.gpc) == (1, 0, 1_000, False)
    assert read.attributes["spent"] == Attribute(name="spent", category="purchases", type="number")
    assert read.notices["words", 1].wording == {"en": "May we?", "de": "Dürfen wir?"}
    assert read.notices["words", 1].digest("en") == hashlib.sha256(b"May we?").hexdigest()


def test_titles_and_benefits_may_be_said_in_more_languages():
    made = tables()
    for kind in ("purpose", "category", "channel", "recipient"):
        made[kind][0]["titles"] = {"de": "Auf Deutsch", "de-AT": "Auf Österreichisch"}
    made["scope"][0]["benefits"] = {"de": "Sie gewinnen."}
    plain, read = catalogue(), parse_catalogue(toml(made))
    kinds = [next(iter(each.values())) for each in (read.purposes, read.categories, read.channels, read.recipients)]
    rule = read.scopes["remember:purchases"]

    assert [[each.title_in(code) for code in ("de-AT", "de-CH", "fr")] for each in kinds] == [
        ["Auf Österreichisch", "Auf Deutsch", each.title] for each in kinds
    ]
    assert [rule.benefit_in(code) for code in ("de-AT", "fr")] == ["Sie gewinnen.", rule.benefit]
    assert {each.title_in("de") for each in plain.purposes.values()} == {each.title for each in plain.purposes.values()}


def test_a_catalogue_reads_from_json_as_from_toml(tmp_path):
    path = tmp_path / "catalogue.json"
    path.write_text(json.dumps(dict(CATALOGUE)), encoding="utf-8")

    assert read_catalogue(path).scopes == catalogue().scopes


BROKEN = {
    "a title in no language": (
        lambda t: t["purpose"][0].update(titles={"German": "x", "de": " ", "fr": 1, "it": "a\tb"}),
        [
            ("purpose[0].titles.German", "must be a language like de or de-AT, and its words"),
            ("purpose[0].titles.de", "must be a language like de or de-AT, and its words"),
            ("purpose[0].titles.fr", "must be a language like de or de-AT, and its words"),
            ("purpose[0].titles.it", "has a control character"),
        ],
    ),
    "a benefit in no language": (
        lambda t: t["scope"][0].update(benefits={"DE": "x"}),
        [("scope[0].benefits.DE", "must be a language like de or de-AT, and its words")],
    ),
    "no name": (lambda t: t.pop("name"), [("name", "is missing: give text")]),
    "unknown key at the top": (lambda t: t.update(nam="x"), [("nam", "is not known here")]),
    "unknown key in a purpose": (
        lambda t: t["purpose"][1].update(market=True),
        [("purpose[1].market", "is not known here")],
    ),
    "unknown key in a scope": (
        lambda t: t["scope"][0].update(valid="P1M"),
        [("scope[0].valid", "is not known here")],
    ),
    "unknown key in a notice": (lambda t: t["notice"][0].update(text="x"), [("notice[0].text", "is not known here")]),
    "no scope": (lambda t: t.update(scope=[]), [("scope", "needs at least 1")]),
    "a purpose twice": (
        lambda t: t["purpose"].append(t["purpose"][0]),
        [("purpose[2].key", "purpose offers is declared twice")],
    ),
    "a category twice": (
        lambda t: t["category"].append({**t["category"][2], "attributes": {}}),
        [("category[4].key", "category place is declared twice")],
    ),
    "a scope twice": (
        lambda t: t["scope"].append(t["scope"][0]),
        [("scope[13].scope", "remember:purchases is declared twice")],
    ),
    "a notice version twice": (
        lambda t: t["notice"].append(t["notice"][0]),
        [("notice[2].version", "notice words has version 1 already")],
    ),
    "an attribute in two categories": (
        lambda t: t["category"][2]["attributes"].update(spent="number"),
        [("category place, attributes.spent", "belongs to category purchases already")],
    ),
    "an attribute of no type": (
        lambda t: t["category"][2]["attributes"].update(street="string"),
        [("category[2].attributes.street", "must be one of number, integer, boolean, text, time")],
    ),
    "an attribute's name": (
        lambda t: t["category"][2]["attributes"].update({"Street 1": "text"}),
        [("category[2].attributes.Street 1", "must be named a-z, then a-z, 0-9 or _")],
    ),
    "an origin": (
        lambda t: t["category"][2].update(origin="bought"),
        [("category[2].origin", "must be one of provided, observed, derived, inferred")],
    ),
    "a flag that is a word": (
        lambda t: t["purpose"][0].update(marketing="no"),
        [("purpose[0].marketing", "must be true or false")],
    ),
    "a key with a space": (
        lambda t: t["channel"][0].update(key="e mail"),
        [
            ("channel[0].key", "must be a short name: a-z, then a-z, 0-9, - or _, at most 63 signs"),
            ("scope[9].scope", "'email' is not declared as a channel"),
            ("scope[11].scope", "'email' is not declared as a channel"),
        ],
    ),
    "an unknown operation": (
        lambda t: t["scope"].append(scope_table("sell:purchases:offers")),
        [
            (
                "scope[13].scope",
                "must be remember:CATEGORY, use:CATEGORY:PURPOSE, contact:CHANNEL:PURPOSE or share:RECIPIENT:PURPOSE",
            )
        ],
    ),
    "an unknown category": (
        lambda t: t["scope"].append(scope_table("remember:dreams")),
        [("scope[13].scope", "'dreams' is not declared as a category")],
    ),
    "an unknown channel": (
        lambda t: t["scope"].append(scope_table("contact:fax:offers")),
        [("scope[13].scope", "'fax' is not declared as a channel")],
    ),
    "an unknown recipient": (
        lambda t: t["scope"].append(scope_table("share:broker:offers")),
        [("scope[13].scope", "'broker' is not declared as a recipient")],
    ),
    "an unknown purpose": (
        lambda t: t["scope"].append(scope_table("use:purchases:resale")),
        [("scope[13].scope", "'resale' is not declared as a purpose")],
    ),
    "an unknown notice": (
        lambda t: t["scope"][0].update(notice="small-print"),
        [("scope[0].notice", "'small-print' is not declared as a notice")],
    ),
    "an unknown legal basis": (
        lambda t: t["scope"][2].update(legal_basis="habit"),
        [
            (
                "scope[2].legal_basis",
                "must be one of consent, explicit_consent, contract, legal_obligation, legitimate_interest",
            )
        ],
    ),
    "consent without a notice": (
        lambda t: t["scope"][0].pop("notice"),
        [("scope[0].notice", "is missing: a permission that is asked for needs the wording shown")],
    ),
    "consent without a benefit": (
        lambda t: t["scope"][0].pop("benefit"),
        [("scope[0].benefit", "is missing: say what the customer gains by allowing it")],
    ),
    "plain consent to a special category": (
        lambda t: t["scope"][3].update(legal_basis="consent"),
        [("scope[3].legal_basis", "must be explicit_consent: the category is a special one (GDPR Art. 9(2)(a))")],
    ),
    "legitimate interest in a special category": (
        lambda t: t["scope"][3].update(legal_basis="legitimate_interest"),
        [("scope[3].legal_basis", "must be explicit_consent: the category is a special one (GDPR Art. 9(2)(a))")],
    ),
    "contract for marketing": (
        lambda t: t["scope"][1].update(legal_basis="contract"),
        [("scope[1].legal_basis", "contract is for service purposes only, and offers is marketing")],
    ),
    "legal obligation for marketing": (
        lambda t: t["scope"][1].update(legal_basis="legal_obligation"),
        [("scope[1].legal_basis", "legal_obligation is for service purposes only, and offers is marketing")],
    ),
    "a validity in words": (
        lambda t: t["scope"][0].update(validity="two years"),
        [("scope[0].validity", "must be an ISO 8601 duration of years, months, weeks, days, like P24M")],
    ),
    "a validity of nothing": (
        lambda t: t["scope"][0].update(validity="P0D"),
        [("scope[0].validity", "must be an ISO 8601 duration of years, months, weeks, days, like P24M")],
    ),
    "a minimum age below nothing": (
        lambda t: t["scope"][0].update(minimum_age=-1),
        [("scope[0].minimum_age", "must be from 0 to 120")],
    ),
    "a notice of version 0": (
        lambda t: t["notice"][0].update(version=0),
        [("notice[0].version", "must be from 1 to 65,535")],
    ),
    "a notice without English": (
        lambda t: t["notice"][0]["wording"].pop("en"),
        [("notice[0].wording.en", "is missing: English is what every other language falls back to")],
    ),
    "a notice in no language": (
        lambda t: t["notice"][0]["wording"].update(German="Dürfen wir?"),
        [("notice[0].wording.German", "must be a language like en or de-AT, and its words")],
    ),
    "a notice without words": (
        lambda t: t["notice"][0]["wording"].update(de=" "),
        [("notice[0].wording.de", "must be a language like en or de-AT, and its words")],
    ),
    "a list that is a text": (
        lambda t: t.update(channel="email"),
        [
            ("channel", "must be a list of tables"),
            ("scope[9].scope", "'email' is not declared as a channel"),
            ("scope[10].scope", "'post' is not declared as a channel"),
            ("scope[11].scope", "'email' is not declared as a channel"),
        ],
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_refused_at_its_place_and_nowhere_else(name):
    change, expected = BROKEN[name]

    assert (places(toml(tables())), changed(change)) == ([], expected)


def test_all_places_are_named_at_once():
    def three(made):
        made["scope"][0].pop("notice")
        made["purpose"][0]["title"] = ""
        made["color"] = "red"

    assert changed(three) == [
        ("purpose[0].title", "must have 1 to 2,000 characters"),
        ("scope[0].notice", "is missing: a permission that is asked for needs the wording shown"),
        ("color", "is not known here"),
    ]


def test_toml_that_cannot_be_read_names_line_and_column(tmp_path):
    path = tmp_path / "shop.toml"
    path.write_text('name = "A shop"\npurpose = [\n  "x" "y"\n]\n', encoding="utf-8")

    with pytest.raises(CatalogueInvalid) as refused:
        read_catalogue(path)

    [place] = refused.value.places
    assert (refused.value.detail, tuple(place)) == (
        "shop.toml is not valid TOML",
        ("line 3, column 7", "Unclosed array"),
    )


def test_a_key_twice_in_toml_is_refused():
    assert places('name = "a"\nname = "b"\n') == [("line 2, column 11", "a key stands twice")]


def test_bytes_that_are_not_utf_8_name_their_line(tmp_path):
    path = tmp_path / "shop.toml"
    path.write_bytes(b'name = "A shop"\n# caf\xe9\n')

    with pytest.raises(CatalogueInvalid) as refused:
        read_catalogue(path)

    assert refused.value.places == (("line 2", "byte that is not UTF-8"),)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path):
    with pytest.raises(CatalogueInvalid, match=r"none\.toml can't be read: No such file or directory"):
        read_catalogue(tmp_path / "none.toml")


def test_a_file_without_end_is_refused(tmp_path):
    path = tmp_path / "shop.toml"
    path.write_bytes(b"#" * (4 * 1024 * 1024 + 1))

    with pytest.raises(CatalogueInvalid, match="is larger than 4 MiB"):
        read_catalogue(path)


def test_toml_nested_without_end_is_refused():
    with pytest.raises(CatalogueInvalid, match="is nested too deeply"):
        parse_catalogue("a = " + "[" * 50_000)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("P24M", Duration(months=24, days=0)),
        ("P1Y6M", Duration(months=18, days=0)),
        ("P2W3D", Duration(months=0, days=17)),
        ("P", None),
        ("P0M", None),
        ("p1m", None),
        ("P1M ", None),
        ("-P1M", None),
        ("PT1H", None),
        ("P1.5M", None),
        ("P1000Y", None),
        ("P1M1Y", None),
        ("P\uff11M", None),
        ("", None),
    ],
)
def test_a_duration_is_of_whole_calendar_units(text, length):
    assert parse_duration(text) == length


@pytest.mark.parametrize(
    ("begin", "months", "end"),
    [
        (datetime(2026, 1, 31, tzinfo=UTC), 1, datetime(2026, 2, 28, tzinfo=UTC)),
        (datetime(2028, 1, 31, tzinfo=UTC), 1, datetime(2028, 2, 29, tzinfo=UTC)),
        (datetime(2026, 12, 15, tzinfo=UTC), 12, datetime(2027, 12, 15, tzinfo=UTC)),
        (datetime(2028, 2, 29, tzinfo=UTC), 12, datetime(2029, 2, 28, tzinfo=UTC)),
    ],
)
def test_a_month_ends_where_the_calendar_ends_it(begin, months, end):
    assert Duration(months=months, days=0).after(begin) == end


def test_a_published_catalogue_has_a_number_and_a_bit_for_each_scope():
    draft = catalogue()
    bits = {scope: 7 * spot for spot, scope in enumerate(draft.scopes)}
    made = published(draft, 4, bits)

    assert (made.version, {scope: rule.bit for scope, rule in made.scopes.items()}) == (4, bits)
    assert (made.digest, made.purposes) == (draft.digest, draft.purposes)


def test_the_newest_version_of_a_notice_is_the_current_one():
    notice = CATALOGUE["notice"][0]
    made = catalogue(
        notice=[*CATALOGUE["notice"][1:], {**notice, "version": 3, "material": False}, notice, {**notice, "version": 2}]
    )

    current = made.current_notice("words")
    assert (current.version if current else 0, made.current_notice("none")) == (3, None)
    assert made.scopes["use:purchases:offers"].material_since == 2


def test_the_difference_says_what_is_added_removed_changed_and_asked_again():
    before = published_catalogue()
    notice = CATALOGUE["notice"][0]
    scopes = [
        {**table, "validity": "P3M"} if table["scope"] == "use:purchases:offers" else table
        for table in CATALOGUE["scope"]
        if table["scope"] != "share:courier:service"
    ]
    more = [*scopes, scope_table("contact:post:service", "contract")]

    assert difference(before, catalogue(scope=more)) == {
        "added": ["contact:post:service"],
        "removed": ["share:courier:service"],
        "changed": ["use:purchases:offers"],
        "asks_again": [],
    }
    others = CATALOGUE["notice"][1:]
    assert difference(before, catalogue(notice=[*others, notice, {**notice, "version": 2}]))["asks_again"] == sorted(
        before.scopes.keys() - {"remember:purchases"}
    )
    assert difference(before, catalogue(notice=[*others, notice, {**notice, "version": 2, "material": False}])) == {
        "added": [],
        "removed": [],
        "changed": [],
        "asks_again": [],
    }
    assert difference(None, before)["added"] == sorted(before.scopes)


def test_what_else_is_declared_differently_is_told_by_its_table_key_and_part():
    before = published_catalogue()
    first, *others = CATALOGUE["category"]
    marked = {**first, "unpriced": [next(iter(first["attributes"]))]}
    channels = [*CATALOGUE["channel"][1:], {"key": "pigeon", "title": "Pigeon"}]
    gone = CATALOGUE["channel"][0]["key"]
    scopes = [each for each in CATALOGUE["scope"] if f":{gone}:" not in each["scope"]]

    assert redeclared(before, before) == []
    assert redeclared(before, catalogue(category=[marked, *others])) == [
        ("category", first["key"], "unpriced", "", marked["unpriced"][0])
    ]
    assert redeclared(before, catalogue(channel=channels, scope=scopes)) == [
        ("channel", gone, "", "declared", ""),
        ("channel", "pigeon", "", "", "declared"),
    ]
    retitled = redeclared(before, catalogue(category=[{**first, "title": "Other", "origin": "provided"}, *others]))
    assert [(each.part, each.new) for each in retitled] == [("title", "Other"), ("origin", "provided")]
