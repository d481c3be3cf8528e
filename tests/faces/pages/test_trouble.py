"""Error pages: a customer reads them in his language, whatever went wrong; staff, and whoever else, in English."""

import re

import pytest

from api.pages import trouble
from api.pages.words import languages, words
from api.problems import Problem, meanings
from api.roles import Role
from api.security import HEADERS
from consent.base.errors import Place
from tests.faces.pages.conftest import OWN

SAID = {
    code: {key: " ".join(text.split()) for key, text in words(code).texts["problem"].items()} for code in languages()
}
"""What is said, with the spaces that a page is read with."""

CODES = [key.removesuffix("_title") for key in SAID["en"] if key.endswith("_title")]
WRONG = (
    ("GET", "/p/choices", 401, "not_signed_in"),
    ("GET", "/p/nothing/here", 404, "not_found"),
    ("GET", "/p/l/nobody-made-it", 401, "link_spent"),
    ("GET", "/p/confirm/nobody-made-it", 404, "confirmation_unknown"),
    ("GET", "/w/nobody-made-it", 404, "link_unknown"),
    ("POST", "/p/l/nobody-made-it", 403, "form_refused"),
    ("PUT", "/p/choices", 405, "method_not_allowed"),
    ("POST", "/verify", 405, "method_not_allowed"),
)


@pytest.mark.parametrize("code", languages())
@pytest.mark.parametrize(("method", "path", "status", "problem"), WRONG)
def test_what_went_wrong_is_told_in_the_customers_language(anybody, code, method, path, status, problem):
    for asked, headers in ((f"{path}?lang={code}", {}), (path, {"Accept-Language": f"{code}-XX,it;q=0.5"})):
        foreign = {"Origin": "https://elsewhere.example"}
        answer = anybody.client.open(asked, method=method, headers={**headers, **(OWN if method == "GET" else foreign)})
        page = anybody._page(answer)
        assert (page.status, page.heading) == (status, SAID[code][f"{problem}_title"])
        assert page.main.one("p", class_="lead").text == SAID[code][problem]
        assert page.tree.one("html").attrs["lang"] == words(code).texts["tag"]
        assert page.main.one("code").text == answer.headers["X-Request-Id"]
        assert {name: answer.headers[name] for name in HEADERS} == dict(HEADERS)
        kept = SAID[code]["kept"] in page.main.text
        assert kept == (method != "GET")


def test_a_form_that_is_wrong_is_told_in_german_without_english_in_it(sqlite_world, customer):
    ann = customer(sqlite_world.ann)
    fields = ann.open("/p/choices").form("Save my choices").fields
    english, german = (ann.send(f"/p/choices?lang={code}", {**fields, "made-up": "x"}) for code in ("en", "de"))

    assert (english.status, english.heading) == (400, "The request is not valid")
    assert "made-up: is not a field of this form" in english.main.text
    assert (german.status, german.heading) == (400, "Die Anfrage ist nicht gültig")
    assert (german.main.one("p", class_="lead").text, "made-up" in german.main.text) == (
        "Die Form der Anfrage stimmt nicht.", False,
    )  # fmt: skip
    assert "Nichts wurde gespeichert" in german.main.text


def test_other_languages_are_a_link_away(anybody):
    page = anybody.open("/p/choices?lang=de")
    links = {each.attrs.get("hreflang"): each.attrs["href"] for each in page.tree.one("footer").all("a")}
    assert anybody.open(links["fr"]).heading == SAID["fr"]["not_signed_in_title"]


def test_staff_and_whoever_is_no_customer_read_english(anybody, staff):
    german = {"Accept-Language": "de"}
    assert anybody.open("/nothing", **german).heading == "There is nothing here"
    assert anybody.open("/audit", **german).heading == "Please identify yourself"
    assert staff(Role.OFFICER).open("/audit/nothing", **german).heading == "There is nothing here"


def test_english_texts_are_those_that_problems_have():
    told = {code: (SAID["en"][f"{code}_title"], SAID["en"][code]) for code in CODES}
    differ = {code for code in CODES if told[code] != meanings()[code]}
    assert differ == {"not_signed_in", "commit_unknown"}  # a customer has no key to send again, and is told the way in
    assert {code for code in differ if told[code][0] != meanings()[code][0]} == set()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 412, 413, 422, 428, 429, 500, 503])
def test_a_problem_without_a_text_of_its_own_is_told_as_one_of_its_kind(status):
    problem = Problem(status=status, code="unheard_of", title="", detail="", places=(Place("a", "b"),))
    assert {trouble.known(problem, words(code)) in CODES for code in languages()} == {True}


def test_no_text_has_another_language_in_it():
    assert [text for text in SAID["zh"].values() if re.search("[A-Za-z]", text.replace("HTTP", ""))] == []
