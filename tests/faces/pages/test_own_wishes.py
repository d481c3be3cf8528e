"""How often and when: set, read back from the ledger, undone, removed; in force at the next decision."""

import pytest

from consent.register import merging
from personalise import engine, wishes
from personalise.wishes import Limit, Quiet, Wishes
from tests.campaigns import publish, willing
from tests.flows.test_contact_policy import rule

SAVE, CLEAR, UNDO = "Save my limits and hours", "Remove all of them", "Undo this change"
NO_HOLDOUT = {"holdout": {"share": 0, "salt": "s"}}


@pytest.fixture
def world(sqlite_world):
    return sqlite_world


@pytest.fixture
def ann(world, customer):
    return customer(world.ann)


def stands(world, who):
    with world.store.read() as work:
        return wishes.of(wishes.read(work, [who]), who)


def told(page):
    """Return what a page says has changed: name, before, now."""
    note = page.main.one("div", class_="note")
    names = [each.text for each in note.all("h3")]
    spans = [[each.text for each in change.all("span")] for change in note.all("p", class_="change")]
    return [(name, each[1], each[4]) for name, each in zip(names, spans, strict=True)]


def fields(page):
    return page.form(SAVE).fields


def test_it_begins_with_no_limit_of_his_and_fetching_it_writes_nothing(world, ann):
    size = world.size()
    page = ann.open("/p/wishes")
    assert (page.status, page.heading) == (200, "How often and when you hear from us")
    assert {name: value for name, value in fields(page).items() if name != "csrf_token" and value} == {
        "days:*": "30", "days:email": "30", "days:sms": "30", "days:phone": "30", "days:post": "30",
    }  # fmt: skip
    assert (page.buttons(), world.size()) == ([SAVE], size)


def test_what_is_saved_stands_and_is_read_back_from_the_ledger(world, ann):
    size = world.size()
    sent = {"most:*": "3", "most:sms": "0", "days:sms": "7", "from": "22:00", "until": "00:00", "zone": "Europe/Paris"}
    page = ann.press(ann.open("/p/wishes"), SAVE, **sent)
    assert stands(world, world.ann) == Wishes(
        limits={"*": Limit(3, 30), "sms": Limit(0, 7)}, quiet=Quiet(1_320, 1_440, "Europe/Paris")
    )
    assert (page.path, page.status) == (f"/p/wishes?entries={size}", 200)
    assert told(page) == [
        ("All messages together", "no limit of yours", "at most 3 messages in 30 days"),
        ("Text message", "no limit of yours", "never"),
        ("When to leave you alone", "no such time", "left alone from 22:00 until 24:00, by the clock of Europe/Paris"),
    ]
    assert fields(page).items() >= sent.items()
    world.check_ledger()


def test_it_holds_at_the_very_next_decision(world, customer):
    [who] = willing(world, 1)
    publish(world, campaign=NO_HOLDOUT)
    visitor = customer(who)
    visitor.press(visitor.open("/p/wishes"), SAVE, **{"most:*": "0"})
    made = engine.decide_one(world.deployment, who, campaign="spring", actor="mia")
    assert (made.chosen, {each.rule for each in made.verdicts[:-1]}) == (None, {"wish:email", "wish:sms", "wish:post"})


def test_a_change_is_undone_in_one_step_and_the_undoing_too(world, ann):
    ann.press(ann.open("/p/wishes"), SAVE, **{"most:email": "2"})
    second = ann.press(
        ann.open("/p/wishes"), SAVE, **{"most:email": "1", "from": "20:00", "until": "07:30", "zone": "Asia/Tokyo"}
    )
    undone = ann.press(second, UNDO)
    assert stands(world, world.ann) == Wishes(limits={"email": Limit(2, 30)})
    assert told(undone) == [
        ("E-mail", "at most 1 message in 30 days", "at most 2 messages in 30 days"),
        ("When to leave you alone", "left alone from 20:00 until 07:30, by the clock of Asia/Tokyo", "no such time"),
    ]
    ann.press(undone, UNDO)
    assert stands(world, world.ann) == Wishes(limits={"email": Limit(1, 30)}, quiet=Quiet(1_200, 450, "Asia/Tokyo"))
    world.check_ledger()


def test_what_was_changed_since_is_not_undone(world, ann):
    first = ann.press(ann.open("/p/wishes"), SAVE, **{"most:email": "2"})
    ann.press(ann.open("/p/wishes"), SAVE, **{"most:email": "1"})
    late = ann.press(first, UNDO)
    assert (late.status, stands(world, world.ann)) == (409, Wishes(limits={"email": Limit(1, 30)}))
    assert UNDO not in ann.open(first.path).buttons()


def test_all_of_it_is_removed_with_one_press(world, ann):
    page = ann.press(
        ann.open("/p/wishes"), SAVE, **{"most:email": "2", "from": "20:00", "until": "07:30", "zone": "Asia/Tokyo"}
    )
    page = ann.press(page, CLEAR)
    assert (stands(world, world.ann), page.buttons()) == (wishes.NONE, [UNDO, SAVE])


def test_the_same_again_writes_nothing(world, ann):
    page = ann.press(ann.open("/p/wishes"), SAVE, **{"most:email": "2"})
    size = world.size()
    again = ann.press(page, SAVE)
    assert (again.main.one("div", class_="note").one("h2").text, world.size()) == ("Nothing changed", size)


def test_what_cannot_be_is_said_at_its_field_and_nothing_typed_is_lost(world, ann):
    size = world.size()
    sent = {"most:email": "two", "most:sms": "4", "from": "22:00", "until": "22:00"}
    page = ann.press(ann.open("/p/wishes"), SAVE, **sent)
    assert (page.status, world.size(), stands(world, world.ann)) == (422, size, wishes.NONE)
    assert [(each.text, each.attrs["href"]) for each in page.main.one("div", class_="note-bad").all("a")] == [
        ("E-mail: write a whole number from 0 to 100, or leave it empty.", "#most-email"),
        ("Write both times, such as 22:00 and 08:00, and two that differ; or leave both empty.", "#from"),
    ]
    assert fields(page).items() >= sent.items()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("most:email", "101"),
        ("most:email", "-1"),
        ("most:email", "²"),
        ("from", "24:00"),
        ("until", "8:00"),
        ("zone", ""),
        ("zone", "Paris"),
    ],
)
def test_a_value_out_of_range_is_refused(world, ann, field, value):
    hours = {"from": "22:00", "until": "08:00", "zone": "Europe/Paris"}
    page = ann.press(ann.open("/p/wishes"), SAVE, **{**hours, field: value})
    assert (page.status, stands(world, world.ann)) == (422, wishes.NONE)


def test_a_length_that_the_form_does_not_offer_is_refused(world, ann):
    page = ann.press(ann.open("/p/wishes"), SAVE, **{"most:email": "1", "days:email": "366"})
    assert (page.status, stands(world, world.ann)) == (422, wishes.NONE)


def test_it_is_read_in_german_too(ann):
    page = ann.press(ann.open("/p/wishes?lang=de"), "Meine Grenzen und Zeiten speichern", **{"most:email": "1"})
    assert page.heading == "Wie oft und wann Sie von uns hören"
    assert told(page) == [("E-Mail", "keine Grenze von Ihnen", "höchstens 1 Nachricht in 30 Tagen")]
    assert page.path.endswith("&lang=de")


def test_nobody_reads_the_change_of_somebody_else(world, ann, customer):
    entry = world.size()
    ann.press(ann.open("/p/wishes"), SAVE, **{"most:email": "2"})
    bo = customer(world.bo)
    assert bo.open(f"/p/wishes?entries={entry}").buttons() == [SAVE]
    token = fields(bo.open("/p/wishes"))["csrf_token"]
    refused = bo.send("/p/wishes/undo", {"csrf_token": token, "entries": str(entry)})
    assert (refused.status, stands(world, world.ann)) == (404, Wishes(limits={"email": Limit(2, 30)}))


def test_a_statement_is_no_change_of_wishes(world, ann):
    said = world.grant(world.ann, "contact:email:newsletter")
    assert ann.open(f"/p/wishes?entries={said.seq}").buttons() == [SAVE]


def test_whoever_goes_on_under_another_id_wishes_under_that_one(world, ann):
    [other] = world.enrol("ANNE")
    with world.store.write() as work:
        merging.merge(world.deployment.desk, work, world.ann, other, actor="staff:cy", at=world.clock())
    ann.press(ann.open("/p/wishes"), SAVE, **{"most:email": "2"})
    assert (stands(world, other), stands(world, world.ann)) == (Wishes(limits={"email": Limit(2, 30)}), wishes.NONE)


def test_who_has_named_no_zone_is_offered_the_one_that_the_company_takes_him_to_be_in(world, ann):
    assert fields(ann.open("/p/wishes"))["zone"] == ""
    for zones, offered in ((["Europe/Paris"], "Europe/Paris"), (["Europe/Paris", "Europe/Berlin"], "")):
        rule(world, fallback_zones=zones)
        assert fields(ann.open("/p/wishes"))["zone"] == offered
    page = ann.press(ann.open("/p/wishes"), SAVE, **{"most:email": "1"})
    assert (page.status, stands(world, world.ann).quiet) == (200, None), "without hours it says nothing"
    page = ann.press(ann.open("/p/wishes"), SAVE, **{"from": "22:00", "until": "08:00"})
    [link] = page.main.one("div", class_="note-bad").all("a")
    assert (link.text.partition(":")[0], link.attrs["href"]) == (
        "Choose a time zone from the list, such as Europe/Paris", "#zone",
    )  # fmt: skip
