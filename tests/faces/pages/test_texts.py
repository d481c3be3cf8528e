"""The texts of the customers' pages: every language says the same."""

import re
import string
from dataclasses import asdict
from pathlib import Path

import pytest

from api.jobs import outbox
from api.pages.words import FIRST, languages, words
from consent.catalogue.reading import DEFAULT, read_catalogue
from personalise.steps.personalise.sentences import LANGUAGES
from tests.printed import leaves

HILLSTROM = Path(__file__).parents[3] / "examples" / "hillstrom" / "catalogue.toml"


def places(texts, path=()):
    """Walk all texts of a language: where each stands, and which places are filled in."""
    for key, value in texts.items():
        if isinstance(value, dict) and "other" in value:  # it counts something: the languages have other forms of it
            yield (*path, key), {name for _, name, _, _ in string.Formatter().parse(value["other"]) if name}
        elif isinstance(value, dict):
            yield from places(value, (*path, key))
        elif isinstance(value, list):
            yield (*path, key), len(value)
        else:
            yield (*path, key), {name for _, name, _, _ in string.Formatter().parse(value) if name}


@pytest.mark.parametrize("code", languages())
def test_what_is_counted_has_the_forms_that_its_language_has(code):
    forms = {"one": {"one", "other"}, "below two": {"one", "other"}, "never": {"other"}}[words(code).texts["singular"]]
    sections = [each for each in words(code).texts.values() if isinstance(each, dict)]
    counted = [set(text) for section in sections for text in section.values() if isinstance(text, dict)]
    assert counted == [forms] * 7


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("en", ["0 days", "1 day", "2 days", "at most 1 message in a day", "at most 1,000 messages in 7 days"]),
        ("de", ["0 Tage", "1 Tag", "2 Tage", "höchstens 1 Nachricht an einem Tag",
                "höchstens 1.000 Nachrichten in 7 Tagen"]),
        ("fr", ["0 jour", "1 jour", "2 jours", "au plus 1 message par jour", "au plus 1\u202f000 messages en 7 jours"]),
        ("zh", ["0天", "1天", "2天", "1天内最多1条消息", "7天内最多1,000条消息"]),
    ],
)  # fmt: skip
def test_what_is_counted_is_said_as_its_language_says_it(code, told):
    said = words(code)
    days = [said.count("choices", "days", count) for count in (0, 1, 2)]
    limits = [
        said.count("wishes", "limit", most, period=said.count("wishes", "period", within))
        for most, within in ((1, 1), (1_000, 7))
    ]
    assert [each.replace("\u00a0", " ") for each in (*days, *limits)] == told


@pytest.mark.parametrize("code", [code for code in languages() if code != FIRST])
def test_a_language_has_every_text_with_the_same_places(code):
    assert dict(places(words(code).texts)) == dict(places(words(FIRST).texts))


@pytest.mark.parametrize("code", [code for code in languages() if code != FIRST])
def test_the_shipped_catalogue_speaks_every_language_of_the_pages(code):
    shipped = read_catalogue(DEFAULT)
    kinds = (shipped.purposes, shipped.categories, shipped.channels, shipped.recipients)
    silent = [each.key for kind in kinds for each in kind.values() if code not in each.titles]
    silent += [rule.scope for rule in shipped.in_order if rule.benefit and code not in rule.benefits]
    assert silent == []


def test_a_notice_of_a_shipped_catalogue_speaks_every_language_of_the_pages():
    shipped = [notice for file in (DEFAULT, HILLSTROM) for notice in read_catalogue(file).notices.values()]
    assert [(each.key, code) for each in shipped for code in languages() if code not in each.wording] == []


def test_decisions_are_explained_in_every_language_of_the_pages():
    assert set(LANGUAGES) == set(languages())


# ------------------------------------------------------------------------------------------- what is printed in French


def french():
    """Return everything that a customer reads in French, but what is written into the access log."""
    texts = dict(words("fr").texts)
    texts["remembered"] = {key: text for key, text in texts["remembered"].items() if not key.endswith("_reason")}
    sentences = asdict(LANGUAGES["fr"])
    spoken = {key: sentences[key] for key in ("given", "grounds", "unknown", "left", "because", "stages", "asked")}
    found = [*leaves(texts), *leaves(spoken), *leaves(list(outbox.WORDS["fr"]))]
    for file in (DEFAULT, HILLSTROM):
        shipped = read_catalogue(file)
        kinds = (shipped.purposes, shipped.categories, shipped.channels, shipped.recipients)
        found += [each.titles["fr"] for kind in kinds for each in kind.values() if "fr" in each.titles]
        found += [rule.benefits["fr"] for rule in shipped.in_order if "fr" in rule.benefits]
        found += [notice.wording["fr"] for notice in shipped.notices.values()]
    return found


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ("'", "an apostrophe is curved"),
        ("[“”„]", "quotation marks are guillemets"),
        ("«(?!\u00a0)|(?<!\u00a0)»", "a no-break space inside guillemets"),
        ("(?<![\u00a00-9]):(?!//)", "a no-break space before a colon"),
        ("(?<!\u202f)[;!?]", "a narrow no-break space before ; ! ?"),
        ("  |\\.\\.\\.", "one space, and no three points"),
        ("[0-9][ ][0-9]{3}", "thousands are set apart by a narrow no-break space"),
    ],
)
def test_french_is_set_as_french_is(wrong, what):
    assert [text for text in french() if re.search(wrong, text)] == [], what
