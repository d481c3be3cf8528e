"""What a customer sees of what is remembered of him: sealed until he opens it, recorded before it is shown."""

import json
from datetime import timedelta

import pytest

from consent.rights.asked import Right

FACTS = {"main_interest": "garden", "spend_past_year": 1234.5, "purchases_count": 7}


@pytest.fixture
def world(sqlite_world):
    sqlite_world.remember(sqlite_world.ann, **FACTS)
    return sqlite_world


@pytest.fixture
def ann(world, customer):
    return customer(world.ann)


def opened(ann):
    return ann.press(ann.open("/p/remembered"), "Show what it is")


def told(page):
    """Return what the page shows of each fact: label → value."""
    found = [node.all("span")[0].text for node in page.main.all("p", class_="fact")]
    return dict(zip(found, [node.one("strong").text for node in page.main.all("p", class_="fact")], strict=True))


def uses(world):
    return world.rows("SELECT actor, purpose, reason FROM data_use ORDER BY at, id")


def form_of(page, fact, button):
    """Return the form of a fact, and the name that its button has for who can't see."""
    item = next(each for each in page.main.all("li") if each.all("p", class_="fact") and fact in each.text)
    return next(each for each in item.all("form") if any(button in one.text for one in each.all("button")))


def send(ann, form, **changes):
    return ann.send(form.attrs["action"], {**form.fields, **changes})


def test_the_page_is_sealed_until_its_customer_opens_it(world, ann):
    page = ann.open("/p/remembered")
    assert (page.heading, told(page), uses(world)) == ("What we remember about you", {}, [])
    assert [each.text for each in page.main.all("h2", class_="card-head")] == [
        "What you bought Sealed", "What you told us you like Sealed",
    ]  # fmt: skip
    assert [value for value in ("garden", "1,234.5") if value in page.main.text] == []
    page = opened(ann)
    assert told(page) == {
        "How often you bought": "7", "What you spent in the past year": "1,234.5", "What you like most": "garden",
    }  # fmt: skip
    assert uses(world) == [("customer", "right:access", "on his own page")]
    world.check_ledger()


def test_looking_again_opens_nothing_new_and_ends_after_a_quarter_of_an_hour(world, ann):
    page = opened(ann)
    assert told(ann.open(page.path)) == told(page)
    assert len(uses(world)) == 1
    world.clock.advance(minutes=15)
    page = ann.open(page.path)
    assert (told(page), page.main.one("div", class_="note-warn").text) == (
        {}, "The page was open for 15 minutes and has been closed again. Nothing was changed.",
    )  # fmt: skip


def test_nobody_opens_by_somebody_elses_look(world, ann, customer):
    path = opened(ann).path
    assert told(customer(world.bo).open(path)) == {}


def test_it_says_where_it_is_from_what_it_may_be_used_for_and_how_long(ann):
    purchases = ann.open("/p/remembered").main.all("section", class_="card")[0].text
    for said in (
        "We noticed it when you used our shop.", "Recommendations for you · Serving you", "24 months",
        "Last changed on 21 November 2026, 10:00 UTC",
    ):  # fmt: skip
        assert said in purchases


def test_a_fact_is_corrected(world, ann):
    page = send(ann, form_of(opened(ann), "What you like most", "Save the correction"), value=" roses ")
    assert page.main.one("div", class_="note-good").text == "Corrected. This is what we remember now."
    assert told(page)["What you like most"] == "roses"
    assert sorted(purpose for _, purpose, _ in uses(world)) == ["right:access", "right:rectification"]
    assert world.rows("SELECT kind, state, outcome FROM rights_request") == [("rectification", "closed", "fulfilled")]
    page = send(ann, form_of(page, "What you like most", "Save the correction"))
    assert page.main.one("div", class_="note-good").text == "Nothing had to change: it said so already."
    assert world.rows("SELECT count(*) FROM rights_request") == [(1,)]
    world.check_ledger()


def test_what_is_wrong_is_said_where_it_is_and_what_was_typed_is_kept(world, ann):
    page = send(ann, form_of(opened(ann), "How often you bought", "Save the correction"), value="seven")
    assert (page.status, page.tree.one("title").text) == (
        422, "That could not be saved: What we remember about you · A shop",
    )  # fmt: skip
    [link] = page.main.one("div", class_="note-bad").all("a")
    assert (link.text, link.attrs["href"]) == (
        "“How often you bought” must be a whole number, like 12.", "#value-purchases_count",
    )  # fmt: skip
    field = next(each for each in page.main.all("input") if each.attrs.get("id") == "value-purchases_count")
    assert (field.attrs["value"], field.attrs["aria-invalid"]) == ("seven", "true")
    assert told(page)["How often you bought"] == "7"
    assert world.rows("SELECT count(*) FROM rights_request") == [(0,)]


def test_a_fact_is_removed_and_a_whole_category(world, ann):
    page = send(ann, form_of(opened(ann), "How often you bought", "Remove “How often you bought”"))
    assert (page.main.one("div", class_="note-good").text, "How often you bought" in told(page)) == (
        "Removed. It can't be brought back.", False,
    )  # fmt: skip
    page = ann.press(page, "Remove all of “What you bought”")
    assert told(page) == {"What you like most": "garden"}
    again = ann.send("/p/remembered/remove", {**page.form("Sign out").fields, "category": "purchases"})
    assert (again.status, again.main.one("div", class_="note-bad").one("li").text) == (
        422, "“Purchases” is not kept any more.",
    )  # fmt: skip
    world.check_ledger()


def test_who_opened_it_is_told_without_names(world, ann):
    assert "Nobody has opened it yet." in ann.open("/p/remembered").main.text
    world.recall([world.ann], ["main_interest"], purpose="recommendations")  # of many at once: told with decisions
    opened(ann)
    openings = ann.open("/p/remembered").main.one("section", aria_labelledby="openings")
    assert [each.text for each in openings.all("li")] == ["You to look at it 21 November 2026, 10:00 UTC"]


def test_nothing_is_remembered_of_somebody_who_was_never_asked(world, customer):
    page = customer(world.bo).open("/p/remembered")
    assert page.main.one("div", class_="note").one("h2").text == "We remember nothing about you"
    assert page.buttons() == ["Download as JSON", "Download as JSON-LD"]


def test_the_page_speaks_german(ann):
    page = ann.press(ann.open("/p/remembered?lang=de"), "Zeigen, was es ist")
    assert told(page) == {
        "Wie oft Sie gekauft haben": "7", "Was Sie im letzten Jahr ausgegeben haben": "1.234,5",
        "Was Sie am liebsten mögen": "garden",
    }  # fmt: skip
    text = page.tree.one("main").text
    assert [words in text for words in ("Was Sie gekauft haben", "Empfehlungen für Sie")] == [True, True]
    assert [words in text for words in ("What you bought", "Recommendations")] == [False, False]


@pytest.mark.parametrize(
    ("button", "media", "key"),
    [("Download as JSON", "application/json", "export"), ("Download as JSON-LD", "application/ld+json", "@id")],
)
def test_a_customer_takes_his_data_with_him(world, ann, button, media, key):
    page = ann.open("/p/remembered")
    form = page.form(button)
    pressed = next(each for each in form.all("button") if each.text == button)
    answer = ann.client.post(
        form.attrs["action"], data={**form.fields, "format": pressed.attrs["value"]},
        headers={"Sec-Fetch-Site": "same-origin"},
    )  # fmt: skip
    assert (answer.status_code, answer.mimetype, key in json.loads(answer.data)) == (200, media, True)
    assert answer.headers["Content-Disposition"].startswith(f'attachment; filename="{world.ann}.')
    assert uses(world) == [("customer", "right:export", "his own download")]
    assert world.rows("SELECT kind, state, outcome FROM rights_request") == [(Right.ACCESS, "closed", "fulfilled")]
    world.check_ledger()


def test_taking_data_out_takes_a_fresh_sign_in(world, ann):
    world.clock.advance(minutes=14, seconds=59)
    page = ann.open("/p/remembered")
    world.clock.advance(seconds=1)
    refused = ann.press(page, "Download as JSON")
    assert (refused.status, refused.heading, uses(world)) == (401, "Please sign in again", [])


def test_a_session_that_is_not_a_customers_sees_nothing(anybody):
    assert anybody.open("/p/remembered").status == 401


def test_getting_a_page_writes_nothing(world, ann):
    before = world.rows("SELECT (SELECT count(*) FROM data_use), (SELECT size FROM ledger_head)")
    for path in ("/p/remembered", "/p/requests", "/p/erase", "/p/remembered?look=use_x&done=corrected"):
        assert ann.open(path).status == 200
    assert world.rows("SELECT (SELECT count(*) FROM data_use), (SELECT size FROM ledger_head)") == before


def test_what_is_remembered_of_others_is_never_on_the_page(world, ann):
    world.grant(world.bo, "remember:interests", "use:interests:recommendations")
    world.remember(world.bo, main_interest="zeppelins")
    world.clock.advance(seconds=timedelta(minutes=1).total_seconds())
    assert "zeppelins" not in opened(ann).main.text
