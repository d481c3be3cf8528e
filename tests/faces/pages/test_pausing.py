"""A pause, its end, one press that stops everything, an age, a browser that opts out: on the customer's own page."""

import pytest

from consent.register import history, merging
from tests.builders import CATALOGUE, scope_table, tables, toml
from tests.faces.pages.conftest import OWN
from tests.faces.pages.test_choices import changed, mark

MAIL, INTEREST = "contact:email:recommendations", "use:responses:measurement"
SHARE, PROFILE, POST = "share:courier:offers", "use:replies:offers", "contact:post:offers"
GPC = {"Sec-GPC": "1"}


@pytest.fixture
def world(sqlite_world):
    return sqlite_world


@pytest.fixture
def bo(world, customer):
    return customer(world.bo)


@pytest.fixture
def ann(world, customer):
    return customer(world.ann)


@pytest.fixture
def selling(world):
    """Return a world whose catalogue sells, and asks some of people of sixteen and over."""
    given = tables()
    given["scope"] += [
        scope_table(SHARE, gpc=True),
        scope_table(PROFILE, "legitimate_interest", gpc=True),
    ]
    next(each for each in given["scope"] if each["scope"] == POST)["minimum_age"] = 16
    world.publish(toml(given))
    return world


def fields(page, button="Save my choices"):
    return page.form(button).fields


def statements(world, customer):
    with world.store.read() as work:
        said = history.of_customer(world.deployment.desk, work, customer)
    return [(one.statement.act.value, one.statement.method.value, len(one.statement.scopes)) for one in said]


# ------------------------------------------------------------------------------------------------ pause, resume, stop


def test_everything_is_paused_until_a_day_and_goes_on_then(world, ann):
    page = ann.press(ann.open("/p/choices"), "Pause everything", until="2026-12-24")
    assert changed(page)[0][:3] == ("Everything", "Not paused", "Paused")
    assert "You have paused us until 24 December 2026, 00:00 UTC." in page.main.text
    assert [world.reason(world.ann, scope) for scope in (MAIL, INTEREST)] == ["PAUSED", "PAUSED"]
    world.clock.advance(days=33)
    assert world.reason(world.ann, MAIL) == "PERMIT"
    world.check_ledger()


def test_a_pause_without_a_day_lasts_until_it_is_ended_and_is_said_on_the_page(world, ann):
    ann.press(ann.open("/p/choices"), "Pause everything")
    page = ann.open("/p/choices")
    paused = world.reason(world.ann, MAIL), page.main.one("div", class_="note-warn").text
    world.clock.advance(seconds=1)
    ended = ann.press(page, "End the pause")

    assert paused == (
        "PAUSED",
        "You have paused us. Nothing here is used, whatever you allowed, until you resume.",
    )
    assert (changed(ended)[0][:3], world.reason(world.ann, MAIL)) == (("Everything", "Paused", "Not paused"), "PERMIT")
    assert statements(world, world.ann)[1:] == [("pause", "web_form", 0), ("resume", "web_form", 0)]


def test_a_pause_is_undone_by_ending_it(world, ann):
    page = ann.press(ann.open("/p/choices"), "Pause everything")
    world.clock.advance(seconds=1)
    back = ann.press(page, "Undo this change")
    assert (changed(back)[0][:3], world.reason(world.ann, MAIL)) == (("Everything", "Paused", "Not paused"), "PERMIT")


@pytest.mark.parametrize("day", ["2026-11-20", "2026-11-21", "tomorrow", "2026-02-30", "20261224"])
def test_a_day_that_is_none_pauses_nothing_and_is_shown_again(world, ann, day):
    size = world.size()
    page = ann.press(ann.open("/p/choices"), "Pause everything", until=day)
    again = page.form("Pause everything")

    assert (page.status, page.tree.one("title").text) == (422, "Error: Your choices · A shop")
    assert [link.attrs["href"] for link in page.main.one("div", role="alert").all("a")] == ["#until"]
    assert (again.one("input", id="until").attrs["value"], world.size()) == (day, size)


def test_one_press_stops_everything(world, ann):
    """Rule 13, from the page: as large as the button that allows everything, and one step."""
    page = ann.press(ann.open("/p/choices"), "Stop everything")
    assert {row[1:3] for row in changed(page)} == {("Yes", "No"), ("In use", "You objected")}
    assert [world.reason(world.ann, scope) for scope in (MAIL, INTEREST)] == ["WITHDRAWN", "OBJECTED"]
    world.clock.advance(seconds=1)
    undone = ann.press(page, f"Undo these {len(changed(page))} changes")
    assert [world.reason(world.ann, scope) for scope in (MAIL, INTEREST)] == ["PERMIT", "PERMIT"]
    assert len(changed(undone)) == len(changed(page))
    world.check_ledger()


def test_stopping_again_changes_nothing_and_says_so(ann):
    ann.press(ann.open("/p/choices"), "Stop everything")
    assert ann.press(ann.open("/p/choices"), "Stop everything").heading == "Nothing changed"


@pytest.mark.parametrize("path", ["/p/pause", "/p/resume", "/p/stop"])
def test_none_of_it_is_done_without_the_pages_own_token_or_with_fields_of_others(world, ann, path):
    token = fields(ann.open("/p/choices"))["csrf_token"]
    size = world.size()
    assert [ann.send(path, {}).status, ann.send(path, {"csrf_token": token, "customer": world.bo}).status] == [403, 400]
    assert (ann.open(path).status, world.size()) == (405, size)


# --------------------------------------------------------------------------------------------------------- opting out


def test_a_browser_that_opts_out_is_honoured_and_told_so_and_looking_records_nothing(selling, bo):
    """Rule 8: it is shown to the customer as honoured."""
    size = selling.size()
    plain = bo.open("/p/choices")
    page = bo.open("/p/choices", **GPC)
    note = page.main.one("div", id="gpc")

    assert [node for node in plain.main.walk() if node.attrs.get("id") == "gpc"] == []
    assert "We honour that, on this device and for you." in note.text
    assert "It stops: Share: The courier, for “Offers”, Use: “Replies” for “Offers”." in note.text
    assert (mark(plain, PROFILE), mark(page, PROFILE)) == (
        ("In use", "state-runs"),
        ("Your browser objects", "state-gpc"),
    )
    assert selling.size() == size


def test_saving_records_the_wish_once_for_the_profile(selling, bo):
    """Rule 8: it is recorded for the known profile when his browser sends it with his form."""
    page = bo.open("/p/choices", **GPC)
    sent = {**fields(page), f"answer:{POST}": "no"}
    saved = bo.send("/p/choices", sent, headers={**OWN, **GPC})
    bo.send("/p/choices", {**fields(bo.open("/p/choices")), f"answer:{POST}": "yes"}, headers={**OWN, **GPC})

    assert "Global Privacy Control" in saved.main.one("div", class_="note-good").text
    assert statements(selling, selling.bo) == [
        ("refuse", "signal", 0), ("refuse", "web_form", 1), ("grant", "web_form", 1),
    ]  # fmt: skip
    assert selling.reason(selling.bo, PROFILE) == "GPC"
    # From now on the page says so to any browser.
    assert mark(bo.open("/p/choices"), PROFILE) == ("Your browser objects", "state-gpc")
    selling.check_ledger()


def test_his_own_yes_to_one_of_them_counts_and_yes_to_all_leaves_them_out(selling, bo):
    """Rule 8: the last word is his; a button for everything isn't."""
    page = bo.open("/p/choices", **GPC)
    bo.send("/p/choices", {**fields(page), "all": "yes"}, headers={**OWN, **GPC})
    to_all = selling.reason(selling.bo, SHARE), selling.reason(selling.bo, "use:purchases:offers")
    page = bo.open("/p/choices", **GPC)
    bo.send("/p/choices", {**fields(page), f"answer:{SHARE}": "yes", f"allow:{PROFILE}": "yes"}, headers={**OWN, **GPC})

    assert to_all == ("GPC", "PERMIT")
    assert [selling.reason(selling.bo, scope, gpc=True) for scope in (SHARE, PROFILE)] == ["PERMIT", "PERMIT"]
    assert [mark(bo.open("/p/choices", **GPC), scope)[0] for scope in (SHARE, PROFILE)] == ["Yes", "In use"]
    selling.check_ledger()


@pytest.mark.parametrize("value", ["0", "true", "", "1, 0"])
@pytest.mark.usefixtures("selling")
def test_any_other_value_says_nothing(bo, value):
    page = bo.open("/p/choices", **{"Sec-GPC": value})
    assert mark(page, PROFILE) == ("In use", "state-runs")


def test_where_nothing_is_sold_it_says_so(world, bo):
    world.publish(toml(CATALOGUE))
    assert "it changes nothing below" in bo.open("/p/choices", **GPC).main.one("div", id="gpc").text


# --------------------------------------------------------------------------------------------------------------- ages


def test_a_question_for_grown_ups_counts_once_the_age_is_told(selling, bo):
    """Rule 9: an unknown age denies; on the page it can be told."""
    page = bo.open("/p/choices")
    first = bo.press(page, "Save my choices", **{f"answer:{POST}": "yes"})
    waiting = [row[1:3] for row in changed(first)], selling.reason(selling.bo, POST)
    selling.clock.advance(seconds=1)
    bo.press(bo.open("/p/choices"), "Save my choices", **{f"answer:{SHARE}": "no", "age": "16"})
    after = bo.open("/p/choices")

    assert page.main.one("input", id="age").attrs["max"] == "150"
    assert waiting == ([("Not answered", "Waiting for your age")], "MINOR")
    assert (mark(after, POST), selling.reason(selling.bo, POST)) == (("Yes", "state-yes"), "PERMIT")
    assert [node for node in after.main.walk() if node.attrs.get("id") == "age"] == []


def test_where_no_question_is_for_grown_ups_nobody_is_asked_for_his_age(bo):
    assert [node for node in bo.open("/p/choices").main.walk() if node.attrs.get("id") == "age"] == []


# ------------------------------------------------------------------------------------------------------------ history


def test_the_history_can_be_asked_for_a_past_day(world, customer):
    """Rule 16: and shows what had been said by then, and what stood."""
    world.grant(world.bo, MAIL)
    world.clock.advance(days=3)
    world.withdraw(world.bo, MAIL)
    page = customer(world.bo).open("/p/history?by=2026-11-22")
    [stood] = [one.text for one in page.main.all("li", class_="card-head") if "E-mail for “Recomm" in one.text]

    assert len([item for item in page.main.one("ol").inside if not isinstance(item, str)]) == 1
    assert (page.main.one("p", role="status").text, stood) == (
        "As it stood on 22 November 2026, 23:59 UTC, by what had been recorded then.",
        "Contact: E-mail for “Recommendations for you” Yes",
    )
    assert page.main.one("input", id="by").attrs["value"] == "2026-11-22"
    assert [link.text for link in page.main.all("a", class_="button")] == ["Show everything"]


@pytest.mark.parametrize("by", ["", "yesterday", "2026-02-30", "1999"])
def test_a_day_that_is_none_shows_everything(world, bo, by):
    world.grant(world.bo, MAIL)
    assert len(bo.open(f"/p/history?by={by}").main.all("ol")) == 1


def test_of_a_day_before_the_first_catalogue_nothing_stood(bo):
    page = bo.open("/p/history?by=2020-01-01")
    assert "Nothing was asked yet, so nothing was allowed." in page.main.text


def test_a_page_follows_a_customer_whose_record_was_joined_with_another(world, bo):
    """Rule 12: his session goes on as who he goes on as."""
    world.grant(world.ann, MAIL)
    with world.store.write() as work:
        merging.merge(world.deployment.desk, work, world.bo, world.ann, actor=world.cy, at=world.clock())
    world.clock.advance(seconds=1)
    page = bo.press(bo.open("/p/choices"), "Save my choices", **{f"answer:{MAIL}": "yes"})
    assert (page.heading, world.reason(world.ann, MAIL)) == ("Saved", "PERMIT")
