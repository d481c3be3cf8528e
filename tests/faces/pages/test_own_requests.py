"""A customer's requests: what he asks for, by when he is answered, what he does himself at once; and being erased."""

from datetime import timedelta

import pytest

from consent.rights import requests
from consent.rights.asked import Outcome, Right
from consent.rights.requests import Asking

OFFICER = "staff:dagobert"


@pytest.fixture
def world(sqlite_world):
    return sqlite_world


@pytest.fixture
def ann(world, customer):
    return customer(world.ann)


def taken_in(world, kind=Right.ACCESS, **asking):
    with world.store.write() as work:
        return requests.take_in(
            world.deployment.desk, work, world.ann, Asking(kind=kind, **asking), actor=OFFICER, at=world.clock()
        )


def listed(page):
    """Return each request on the page: its name, and how it stands."""
    return [tuple(span.text for span in row.one("h2").all("span")[:2]) for row in page.main.all("ul")[0].all("li")]


def good(page):
    return page.main.one("div", class_="note-good").text


def rows(world):
    return world.rows("SELECT kind, how, state, outcome FROM rights_request ORDER BY received_at")


def test_who_asked_for_nothing_is_told_so_and_what_he_can_ask_for(ann):
    page = ann.open("/p/requests")
    assert "You have not asked us for anything yet." in page.main.text
    assert page.buttons() == ["Stop using my data", "Object to all of it", "Send my request"]


def test_a_request_is_sent_and_shown_with_its_deadline(world, ann):
    page = ann.press(ann.open("/p/requests"), "Send my request", kind="rectification", wish="I never bought an anvil.")
    assert good(page) == "We have received your request."
    assert listed(page) == [("To correct my data", "Received")]
    assert "We have to answer by 21 December 2026." in page.main.text
    assert page.main.one("blockquote").text == "I never bought an anvil."
    assert rows(world) == [("rectification", "page", "received", "")]
    assert "anvil" not in str(world.rows("SELECT * FROM rights_request"))
    world.check_ledger()


def test_what_is_missing_is_said_and_what_was_typed_is_kept(world, ann):
    page = ann.press(ann.open("/p/requests"), "Send my request", wish="Something")
    [link] = page.main.one("div", class_="note-bad").all("a")
    assert (page.status, link.text, link.attrs["href"]) == (422, "Please choose what it is about.", "#kind-access")
    assert page.main.one("textarea").text == "Something"
    page = ann.press(page, "Send my request", kind="access", wish="")
    assert [each.attrs["href"] for each in page.main.one("div", class_="note-bad").all("a")] == ["#wish"]
    assert rows(world) == []


def test_kinds_that_the_page_does_itself_are_not_sent(world, ann):
    assert ann.press(ann.open("/p/requests"), "Send my request", kind="erasure", wish="x").status == 422
    assert rows(world) == []


def test_an_extension_and_an_answer_are_read_on_the_page(world, ann):
    desk = world.deployment.desk
    first, second = taken_in(world), taken_in(world, Right.OBJECTION)
    with world.store.write() as work:
        requests.assign(desk, work, first.id, OFFICER, actor=OFFICER, at=world.clock())
        requests.extend(desk, work, first.id, "You wrote forty letters.", actor=OFFICER, at=world.clock())
        requests.close(
            desk, work, second.id, Outcome.REFUSED, actor=OFFICER, at=world.clock(), answer="We do nothing of it."
        )
    page = ann.open("/p/requests")
    assert listed(page) == [("To see my data", "In hand"), ("To object", "Refused")]
    for said in (
        "We have to answer by 21 February 2027.", "It takes longer than a month, because: You wrote forty letters.",
        "Our answer: We do nothing of it.", "complain to the supervisory authority",
    ):  # fmt: skip
        assert said in page.main.text
    assert "dagobert" not in page.main.text


def test_a_deadline_that_has_passed_is_said_in_words(world, ann):
    taken_in(world, received_at=world.clock() - timedelta(days=60))
    page = ann.open("/p/requests")
    assert listed(page) == [("To see my data", "Overdue")]
    assert page.main.one("p", class_="late").text == (
        "We had to answer by 22 October 2026 and have not. "
        "You can complain to the supervisory authority for data protection."
    )


def test_the_use_of_data_is_restricted_and_the_restriction_lifted(world, ann):
    page = ann.press(ann.open("/p/requests"), "Stop using my data")
    assert good(page) == "We have stopped using your data."
    assert world.reason(world.ann, "contact:email:service") == "RESTRICTED"
    assert rows(world) == [("restriction", "page", "closed", "fulfilled")]
    page = ann.press(page, "Use my data again, as I allowed")
    assert (good(page), world.reason(world.ann, "contact:email:service")) == (
        "We may use your data again, as you allowed.", "PERMIT",
    )  # fmt: skip
    world.check_ledger()


def test_a_customer_objects_to_all_of_it_once(world, ann):
    page = ann.open("/p/requests")
    assert [each.text for each in page.main.one("section", aria_labelledby="object").all("li")] == [
        "Remember: What came of our messages", "Use: “What came of our messages” for “Finding out what helps”",
    ]  # fmt: skip
    page = ann.press(page, "Object to all of it")
    assert good(page) == "We have stopped. Your objection stands."
    assert world.reason(world.ann, "use:responses:measurement") == "OBJECTED"
    assert "There is nothing left that you could object to here." in page.main.text
    size = world.size()
    ann.send("/p/requests/object", page.form("Sign out").fields)
    assert world.size() == size
    world.check_ledger()


def test_nobody_sees_the_requests_of_others(world, customer):
    taken_in(world, wish="my secret")
    page = customer(world.bo).open("/p/requests")
    assert "my secret" not in page.main.text
    assert "You have not asked us for anything yet." in page.main.text


# ---------------------------------------------------------------------------------------------------------- erasing


@pytest.mark.parametrize("word", ["Effacer", "erase"])
def test_the_word_is_typed_in_the_language_of_the_page(ann, word):
    page = ann.press(ann.open("/p/erase?lang=fr"), "Effacer mes données pour toujours", word=word)
    assert (page.status, page.heading) == (200, "Vos données sont effacées")


def test_erasing_says_what_goes_and_what_stays_and_takes_a_word(world, ann):
    page = ann.open("/p/erase")
    for said in (
        "Everything we remember about you, with the key that opens it.",
        "The proof without the content", "after 14 days, by 5 December 2026 at the latest.",
    ):  # fmt: skip
        assert said in page.main.text
    page = ann.press(page, "Erase me for good", word="yes")
    [link] = page.main.one("div", class_="note-bad").all("a")
    assert (page.status, link.text, link.attrs["href"]) == (422, "The word “erase” was not typed.", "#word")
    assert next(each for each in page.main.all("input") if each.attrs.get("id") == "word").attrs["value"] == "yes"
    assert (rows(world), world.reason(world.ann, "contact:email:service")) == ([], "PERMIT")


@pytest.mark.parametrize(("word", "language"), [("ERASE", ""), (" löschen ", "?lang=de"), ("erase", "?lang=de")])
def test_a_customer_is_erased_and_signed_out(world, ann, word, language):
    world.remember(world.ann, main_interest="garden")
    german = bool(language)
    page = ann.press(
        ann.open(f"/p/erase{language}"), "Mich für immer löschen" if german else "Erase me for good", word=word
    )
    assert (page.status, page.heading) == (200, "Sie sind gelöscht" if german else "You are erased")
    assert world.reason(world.ann, "contact:email:service") == "CUSTOMER_ERASED"
    assert world.rows("SELECT count(*) FROM memory") == [(0,)]
    assert rows(world) == [("erasure", "page", "closed", "fulfilled")]
    assert ann.open("/p/choices").status == 401
    assert world.rows("SELECT count(*) FROM suppression") == [(0,)]


def test_addresses_are_left_alone_where_that_was_asked(world, ann):
    page = ann.press(ann.open("/p/erase"), "Erase me for good", word="erase", suppress="yes")
    assert "Your addresses are left alone from now on" in page.main.text
    assert world.rows("SELECT kind FROM suppression") == [("email",)]


def test_erasing_takes_a_fresh_sign_in(world, ann):
    page = ann.open("/p/erase")
    world.clock.advance(minutes=15)
    refused = ann.press(page, "Erase me for good", word="erase")
    assert (refused.status, refused.heading) == (401, "Please sign in again")
    assert world.reason(world.ann, "contact:email:service") == "PERMIT"
