"""Why he got what he got, his goodwill, what he was promised: in his words, his own, and nothing written by looking."""

from datetime import timedelta

import pytest

from api.pages.words import languages
from personalise import engine, goodwill
from personalise.contact_policy.model import Goodwill
from personalise.goodwill import Entry, Posting
from tests.builders import START
from tests.campaigns import TABLES, publish, willing
from tests.flows.test_contact_policy import rule

NO_HOLDOUT = {"holdout": {"share": 0, "salt": "s"}}


@pytest.fixture
def world(sqlite_world):
    return sqlite_world


@pytest.fixture
def who(world):
    """Return a customer who was written to twice, at a price, and promised terms each time."""
    [who] = willing(world, 1)
    rule(world, goodwill={"opening": 100, "floor": 20, "prices": {"email": 1.5}})
    first, guide = TABLES["offer"]
    publish(
        world, cap=[], campaign=NO_HOLDOUT, offer=[{**first, "terms": {"price": "a fifth off"}, "validity": 14}, guide]
    )
    for _ in range(2):
        engine.decide_one(world.deployment, who, campaign="spring", actor="key:k")
        world.clock.advance(days=1)
    return who


def listed(page):
    """Return what a page says of each decision: title, state, sentence, data used."""
    return [
        (
            row.one("h2").all("span")[0].text,
            row.one("span", class_="state").text,
            row.all("p")[0].text,
            row.all("dd")[0].text,
        )
        for row in page.main.one("ul", class_="rows").all("li")
    ]


def test_every_decision_has_its_sentence_and_the_data_it_used(world, who, customer):
    world.withdraw(who, "use:purchases:recommendations")
    engine.decide_one(world.deployment, who, campaign="spring", actor="key:k")
    visitor, size = customer(who), world.size()
    page = visitor.open("/p/why")
    why = "You get this because you allowed the use of “What you bought” and contact by E-mail"
    got = (
        "E-mail, for “Recommendations for you”", "Chosen for you", f"{why}, for “Recommendations for you”.",
        "What you told us you like, What you bought",
    )  # fmt: skip
    assert listed(page) == [
        ("For “Recommendations for you”", "Left alone",
         "You get nothing of this, because you withdrew your permission for the use of “What you bought”.",
         "What you told us you like"),
        got, got,
    ]  # fmt: skip
    assert [each.attrs["href"] for each in page.main.all("a")] == ["/p/choices#contact-email-recommendations"] * 2
    assert world.size() == size


def test_it_is_explained_in_the_language_of_the_page(who, customer):
    [(title, state, why, _), _] = listed(customer(who).open("/p/why?lang=de"))
    assert (title, state) == ("E-Mail, für „Empfehlungen für Sie“", "Für Sie ausgewählt")
    assert why.startswith("Sie bekommen dies, weil Sie die Nutzung von „Was Sie gekauft haben“")


def test_it_is_explained_in_french_too_and_the_account_is_in_french(who, customer):
    visitor = customer(who)
    [(title, state, why, _), _] = listed(visitor.open("/p/why?lang=fr"))
    assert (title, state) == ("E-mail, pour « Recommandations pour vous »", "Choisi pour vous")
    assert why.startswith("Vous recevez ceci parce que vous avez autorisé l’utilisation de « Ce que vous avez acheté")
    figures = visitor.open("/p/goodwill?lang=fr").main.one("dl", class_="figures")
    assert [each.text for each in (*figures.all("dt"), *figures.all("dd"))] == [
        "Points restants", "Points au départ", "Seuil sous lequel personne ne vous écrit", "95,5", "100", "20",
    ]  # fmt: skip


def test_older_decisions_are_a_page_away(who, customer, monkeypatch):
    monkeypatch.setattr("api.pages.dealings.MOST", 1)
    visitor = customer(who)
    first = visitor.open("/p/why")
    [older] = [each.attrs["href"] for each in first.main.all("a", class_="button")]
    second = visitor.open(older)
    assert [len(listed(page)) for page in (first, second)] == [1, 1]
    assert first.main.one("li").attrs["id"] != second.main.one("li").attrs["id"]
    assert [each.text for each in second.main.all("a", class_="button")] == ["Back to the newest"]


def test_of_whom_nothing_was_decided_is_told_so(world, customer):
    page = customer(world.bo).open("/p/why")
    assert page.main.one("h2").text == "Nothing was decided about you yet"


def test_the_account_has_every_line_and_leads_to_the_decision_behind_it(world, who, customer):
    visitor, size = customer(who), world.size()
    page = visitor.open("/p/goodwill")
    assert [each.text for each in page.main.one("dl", class_="figures").all("dd")] == [
        "95.5 points", "100 points", "20 points",
    ]  # fmt: skip
    lines = page.main.one("ul", class_="rows").all("li")
    assert [(line.all("span")[0].text, line.one("strong").text) for line in lines] == [
        ("A message to you", "−3 points"),
        ("A message to you", "−1.5 points"),
        ("The account was opened", "+100 points"),
    ]
    one = visitor.open(lines[0].one("a").attrs["href"])
    assert (len(listed(one)), one.main.all("a")[-1].text) == (1, "Show all decisions")
    assert world.size() == size


def test_every_kind_of_line_has_its_words_in_every_language(world, customer):
    kinds = [kind for kind in Entry if kind is not Entry.OPENING]
    with world.store.write() as work:
        booked = [Posting(world.ann, kind, -1_000, "") for kind in kinds]
        goodwill.book(work, booked, Goodwill(), at=world.clock())
    visitor = customer(world.ann)
    for language in languages():
        page = visitor.open(f"/p/goodwill?lang={language}")
        names = {line.all("span")[0].text for line in page.main.one("ul", class_="rows").all("li")}
        assert len(names) == len(Entry)


def test_offers_that_hold_stand_with_their_terms_and_those_that_ended_do_not(world, who, customer):
    visitor = customer(who)
    [card] = visitor.open("/p/goodwill").main.all("div", class_="card")
    assert [each.text for each in (*card.all("dt"), *card.all("dd"), card.one("strong"))] == [
        "Price", "a fifth off", "Holds until 6 December 2026, 10:00 UTC",
    ]  # fmt: skip
    world.clock.set(START + timedelta(days=15))
    assert customer(who).open("/p/goodwill").main.all("div", class_="card") == []


def test_where_no_message_takes_anything_the_page_says_so(world, customer):
    page = customer(world.ann).open("/p/goodwill")
    assert "At present no message takes anything from it." in page.main.text
    assert [each.text for each in page.main.one("dl", class_="figures").all("dd")] == ["100 points", "100 points"]


def test_a_decision_about_somebody_else_is_not_there(world, who, customer):
    visitor = customer(who)
    link = visitor.open("/p/goodwill").main.one("ul", class_="rows").all("a")[0].attrs["href"]
    assert [customer(each).open(link).status for each in (who, world.bo)] == [200, 404]
    assert visitor.open("/p/why?decision=dec_0.0").status == 404
