"""The texts of the customers' pages: every language says the same."""

import string

import pytest

from api.pages.words import FIRST, languages, words
from consent.catalogue.reading import DEFAULT, read_catalogue


def places(texts, path=()):
    """Walk all texts of a language: where each stands, and which places are filled in."""
    for key, value in texts.items():
        if isinstance(value, dict):
            yield from places(value, (*path, key))
        elif isinstance(value, list):
            yield (*path, key), len(value)
        else:
            yield (*path, key), {name for _, name, _, _ in string.Formatter().parse(value) if name}


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
