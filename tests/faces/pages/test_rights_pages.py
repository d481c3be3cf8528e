"""The pages of who answers requests and accounts for uses: what is shown is recorded first, what is late is said."""

import csv
import io
import json
from datetime import timedelta

import pytest

from api.pages import present, tabular
from api.roles import Role
from consent import uses
from consent.ledger import log
from consent.rights import requests
from consent.rights.asked import How, Right
from consent.rights.requests import Asking
from consent.uses import Use

DAY = timedelta(days=1)


@pytest.fixture
def world(sqlite_world):
    return sqlite_world


@pytest.fixture
def officer(staff):
    return staff(Role.OFFICER)


@pytest.fixture
def agent(staff):
    return staff(Role.AGENT)


def taken_in(world, kind=Right.ACCESS, who=None, **asking):
    with world.store.write() as work:
        return requests.take_in(
            world.deployment.desk, work, who or world.ann, Asking(kind=kind, **asking), actor="staff:mia",
            at=world.clock(),
        )  # fmt: skip


def page_of(visitor, request):
    return visitor.open(f"/audit/requests/{request.id}")


def stands(page):
    """Return how each request in the list stands: its words and its shape."""
    states = [row.one("span", class_="state") for row in page.main.one("tbody").all("tr")]
    return [(each.text, each.attrs["class"].split()[-1]) for each in states]


def good(page):
    return page.main.one("div", class_="note-good").text


def wrong(page):
    return [(each.text, each.attrs["href"]) for each in page.main.one("div", class_="note-bad").all("a")]


# ---------------------------------------------------------------------------------------------------------- requests


def test_a_list_says_what_is_overdue_in_words_and_shape(world, officer):
    assert "There is none of these." in officer.open("/audit/requests").main.text
    at = world.clock()
    taken_in(world, received_at=at - 40 * DAY)
    taken_in(world, received_at=at - 26 * DAY)
    taken_in(world)
    page = officer.open("/audit/requests")
    assert stands(page) == [
        ("Overdue by 9 days", "state-overdue"), ("5 days left", "state-pending"), ("30 days left", "state-waiting"),
    ]  # fmt: skip
    assert page.main.one("p", class_="lead").text.startswith("3 requests to be answered, 1 request overdue.")
    assert stands(officer.open("/audit/requests?show=overdue")) == [("Overdue by 9 days", "state-overdue")]


def test_a_list_is_filtered_paged_and_given_as_a_file(world, officer, monkeypatch):
    monkeypatch.setattr("api.pages.requests.MOST", 1)
    first = taken_in(world, Right.OBJECTION, received_at=world.clock() - DAY)
    second = taken_in(world)
    page = officer.open("/audit/requests")
    assert len(stands(page)) == 1
    following = next(each for each in page.main.all("a") if each.text == "The next ones")
    assert len(stands(officer.open(following.attrs["href"]))) == 1
    assert len(stands(officer.open("/audit/requests?show=all&kind=objection"))) == 1
    table = list(csv.DictReader(io.StringIO(officer.client.get("/audit/requests.csv?show=all").text)))
    assert [row["request"] for row in table] == [first.id, second.id]
    assert [row["kind"] for row in officer.client.get("/audit/requests.json?kind=access").get_json()["data"]] == [
        "access"
    ]


def test_a_request_is_taken_in_by_an_agent(world, agent):
    page = agent.open("/audit/requests")
    page = agent.press(
        page, "Take the request in", customer="ANN", kind="rectification", how="letter", received="2026-11-20T09:30",
        wish="I moved.",
    )  # fmt: skip
    assert (page.heading, good(page)) == (
        "Rectification", "The request was taken in. Its deadline runs from its receipt.",
    )  # fmt: skip
    assert "20 December 2026, 09:30 UTC" in page.main.text
    assert world.rows("SELECT customer, kind, how FROM rights_request") == [(world.ann, "rectification", "letter")]
    assert "I moved." not in page.main.text
    world.check_ledger()


def test_what_is_wrong_with_a_request_is_said_beside_its_field(world, agent):
    page = agent.press(
        agent.open("/audit/requests"), "Take the request in", customer="NOBODY", kind="access", how="phone", wish="x"
    )
    assert (page.status, wrong(page)) == (422, [("Nobody who is enrolled is called that.", "#customer")])
    assert page.main.one("textarea").text == "x"
    page = agent.press(page, "Take the request in", customer="ANN", received="2027-01-01T00:00")
    assert wrong(page) == [("This lies in the future.", "#received")]
    assert world.rows("SELECT count(*) FROM rights_request") == [(0,)]


def test_what_the_customer_wrote_is_read_for_the_request_and_that_is_recorded(world, officer):
    request = taken_in(world, Right.RECTIFICATION, how=How.LETTER, wish="I never bought an anvil.")
    page = page_of(officer, request)
    assert ("anvil" in page.main.text, world.rows("SELECT count(*) FROM data_use")) == (False, [(0,)])
    page = officer.press(page, "Read it to answer this request")
    assert page.main.one("blockquote").text == "I never bought an anvil."
    assert world.rows("SELECT actor, purpose, customer, reason FROM data_use") == [
        ("staff:pat", "right:request", world.ann, f"to answer request {request.id}")
    ]
    world.clock.advance(minutes=15)
    assert "anvil" not in officer.open(page.path).main.text


def test_a_request_is_given_away_extended_and_answered(world, officer):
    request = taken_in(world)
    page = officer.press(page_of(officer, request), "Give 1 request to this owner", owner="staff:anna")
    assert good(page) == "The request has a new owner."
    page = officer.press(page, "Extend the deadline of 1 request", reason="Forty letters.")
    assert good(page) == "The deadline was extended. The customer reads the reason on his page."
    assert "Extend the deadline of 1 request" not in page.buttons()
    page = officer.press(page, "Close 1 request", outcome="fulfilled")
    assert (page.status, wrong(page)) == (
        422, [("Nothing was exported for the customer since it came in: export it first.", "#outcome")],
    )  # fmt: skip
    page = officer.press(page, "Close 1 request", outcome="refused", answer="")
    assert wrong(page) == [("Must not be empty.", "#answer")]
    page = officer.press(page, "Close 1 request", outcome="refused", answer="We hold nothing of you.")
    assert (good(page), page.buttons()) == ("The request is closed.", [])
    assert [each.one("strong").text for each in page.main.one("ol").all("li")] == [
        "Came in by his own page", "Given to staff:anna", "Extended to 21 February 2027, 10:00 UTC",
        "Closed as refused",
    ]  # fmt: skip
    world.check_ledger()


def test_an_agent_opens_and_exports_and_an_officer_answers(world, agent, officer):
    request = taken_in(world)
    assert agent.open("/console").tree.one("nav", aria_label="Pages").text == "Console Audit"
    assert page_of(agent, request).buttons() == ["Export 1 customer as JSON", "Export 1 customer as JSON-LD"]
    assert page_of(officer, request).buttons() == [
        "Export 1 customer as JSON", "Export 1 customer as JSON-LD", "Close 1 request", "Give 1 request to this owner",
        "Extend the deadline of 1 request",
    ]  # fmt: skip


def exported(visitor, page):
    form = page.form("Export 1 customer as JSON")
    return visitor.client.post(
        form.attrs["action"], data={**form.fields, "format": "json"}, headers={"Sec-Fetch-Site": "same-origin"}
    )


def test_an_export_is_made_for_the_request_right_after_signing_in(world, agent):
    world.remember(world.ann, main_interest="garden")
    request = taken_in(world)
    page = page_of(agent, request)
    answer = exported(agent, page)
    assert json.loads(answer.data)["remembered"][0]["facts"] == [{"name": "main_interest", "value": "garden"}]
    [(actor, purpose, reason)] = world.rows("SELECT actor, purpose, reason FROM data_use")
    assert (actor, purpose, reason) == ("staff:pat", "right:export", f"to answer request {request.id}")
    world.clock.advance(minutes=15)
    assert (exported(agent, page).status_code, world.rows("SELECT count(*) FROM data_use")) == (401, [(1,)])


def test_a_fact_is_corrected_for_the_request(world, agent):
    world.remember(world.ann, purchases_count=7)
    page = page_of(agent, taken_in(world, Right.RECTIFICATION, how=How.PHONE))
    page = agent.press(page, "Correct 1 fact", attribute="purchases_count", value="eight")
    assert wrong(page) == [("Must be a whole number.", "#value")]
    page = agent.press(page, "Correct 1 fact", attribute="purchases_count", value="8")
    assert good(page) == "The fact was corrected."
    [(kind,)] = world.rows("SELECT purpose FROM data_use")
    assert kind == "right:rectification"
    assert "8" not in [each.text for each in page.main.all("dd")]


def test_a_restriction_and_an_objection_are_recorded_with_the_request_as_evidence(world, officer):
    restriction = taken_in(world, Right.RESTRICTION, how=How.LETTER)
    page = officer.press(page_of(officer, restriction), "Restrict the data of 1 customer")
    assert good(page) == "The restriction was recorded: nothing of the customer's is used now."
    assert world.reason(world.ann, "contact:email:service") == "RESTRICTED"
    objection = taken_in(world, Right.OBJECTION, world.bo, how=How.PHONE)
    page = officer.press(page_of(officer, objection), "Object in the name of 1 customer")
    assert world.reason(world.bo, "use:responses:measurement") == "OBJECTED"
    assert world.rows("SELECT DISTINCT state, outcome FROM rights_request") == [("closed", "fulfilled")]
    world.check_ledger()


def test_a_customer_is_erased_by_typing_a_word(world, officer):
    request = taken_in(world, Right.ERASURE, how=How.LETTER, wish="forget me")
    page = officer.press(page_of(officer, request), "Erase 1 customer for good", word="yes", ground="objected")
    assert wrong(page) == [("Type erase to erase this customer.", "#word")]
    page = officer.press(page, "Erase 1 customer for good", word="erase", ground="objected")
    assert (good(page), page.buttons()) == ("The customer is erased, and the request is closed.", [])
    assert world.reason(world.ann, "contact:email:service") == "CUSTOMER_ERASED"


def test_an_unknown_request_is_not_found(officer):
    assert officer.open("/audit/requests/rgt_x").status == 404


# -------------------------------------------------------------------------------------------------------------- file


def opened(officer, **given):
    form = {"customer": "ANN", "reason": "a complaint", **given}
    return officer.press(officer.open("/audit/file"), "Open 1 customer file", **form)


def table(page, key):
    return [
        [cell.text for cell in row.all("td")]
        for row in page.main.one("section", aria_labelledby=key).one("tbody").all("tr")
    ]


def test_a_file_is_opened_for_a_reason_and_tells_each_claim_with_its_entry(world, officer):
    world.clock.advance(minutes=1)
    done = world.withdraw(world.ann, "contact:email:newsletter")
    page = opened(officer, as_of="")
    assert page.heading == "Customer file"
    assert world.rows("SELECT actor, purpose, customer, reason FROM data_use") == [
        ("staff:pat", "right:file", world.ann, "a complaint")
    ]
    assert ["contact:email:newsletter", "Withdrawn", "Consent", f"{done.seq}"] in table(page, "permissions")
    assert [row[1] for row in table(page, "statements")] == ["Grant", "Withdraw"]
    assert table(page, "uses")[0][1:4] == ["staff:pat", "right:file", "nothing"]
    world.check_ledger()


def test_a_file_of_a_past_time_knows_nothing_of_what_came_later(world, officer):
    world.remember(world.ann, main_interest="garden")
    before = world.clock()
    world.clock.advance(minutes=20)
    world.withdraw(world.ann, "contact:email:newsletter")
    page = opened(officer, as_of=f"{before + timedelta(minutes=10):%Y-%m-%dT%H:%M}")
    assert ["contact:email:newsletter", "Permitted", "Consent"] in [row[:3] for row in table(page, "permissions")]
    assert [row[1] for row in table(page, "statements")] == ["Grant"]
    assert [row[0] for row in table(page, "kept")] == ["interests"]
    assert "garden" not in page.main.text
    whole = officer.client.get(
        next(each for each in page.main.all("a") if each.text == "All of it as JSON").attrs["href"]
    )
    assert (len(whole.get_json()["statements"]), "garden" in whole.text) == (1, False)


def test_a_file_is_opened_by_nobody_without_a_reason_and_of_nobody_unknown(world, officer):
    page = opened(officer, reason="", as_of="2126-01-01T00:00")
    assert (page.status, sorted(where for _, where in wrong(page))) == (422, ["#as_of", "#reason"])
    assert wrong(opened(officer, customer="NOBODY")) == [("Nobody who was enrolled then is called that.", "#customer")]
    assert opened(officer, customer="ANN", as_of="2020-01-01T00:00").status == 422
    assert world.rows("SELECT count(*) FROM data_use") == [(0,)]


def test_a_file_closes_after_a_quarter_of_an_hour_and_is_no_other_has_it(world, officer):
    page = opened(officer, as_of="")
    world.clock.advance(minutes=15)
    closed = officer.open(page.path)
    assert "has been closed again" in closed.main.one("div", class_="note-warn").text
    assert officer.open("/audit/file/use_x").heading == "Customer file"
    assert (
        officer.open("/audit/file/use_x/json").main.one("div", class_="note-warn").text.startswith("The file was open")
    )


# -------------------------------------------------------------------------------------------------- processing, uses


def used(world, purpose, *categories, **more):
    use = Use(actor="staff:mia", purpose=purpose, reason=more.pop("reason", "a test"), **more)
    with world.store.write() as work:
        uses.record(work, use, categories=categories, customers=1, position=log.head(work).position, at=world.clock())


def test_the_record_of_processing_shows_what_is_declared_and_what_was_done(world, officer):
    used(world, "recommendations", "purchases")
    page = officer.open("/audit/processing")
    assert [each.text for each in page.main.all("h2")] == [
        "Serving you", "Recommendations for you", "Newsletter", "Finding out what helps",
        "Answering to customers for their data", "Measures of security",
    ]  # fmt: skip
    assert "No difference" in page.main.one("div", class_="note-good").text
    recommended = page.main.one("section", aria_labelledby="activity-recommendations")
    assert "Done: 1 use of purchases (1 customer in all); last on 21 November 2026." in recommended.text
    assert ["What you bought", "Observed", "Consent (Art. 6(1)(a))", "24 months"] in [
        [cell.text for cell in row.all("td")] for row in recommended.one("tbody").all("tr")
    ]
    service = page.main.one("section", aria_labelledby="activity-service").text
    assert "The courier who delivers your order (kept for 3 months)" in service


def test_what_is_done_and_not_declared_is_named(world, officer):
    used(world, "profiling", "purchases")
    note = officer.open("/audit/processing").main.one("section", class_="note-bad")
    assert note.one("li").text.startswith("profiling: data were used for 'profiling', which isn't declared")


def test_the_record_is_given_as_files(world, officer):
    used(world, "service", "identity", recipient="broker")
    table = list(csv.DictReader(io.StringIO(officer.client.get("/audit/processing.csv").text)))
    assert {(row["activity"], row["what"], row["key"]) for row in table} >= {
        ("service", "category", "identity"), ("service", "recipient", "courier"), ("newsletter", "channel", "email"),
    }  # fmt: skip
    whole = officer.client.get("/audit/processing.json").get_json()
    assert [each["subject"] for each in whole["differences"]] == ["share:broker:service"]
    assert whole["activities"][0]["done"]["recipients"] == ["broker"]


def test_the_access_log_is_filtered_and_given_as_files(world, officer):
    assert "No use of these is recorded." in officer.open("/audit/uses").main.text
    used(world, "recommendations", "purchases", customer=world.ann, reason="=cmd()")
    used(world, "service", "identity", customer=world.bo)

    def shown(query):
        return [
            [cell.text for cell in row.all("td")][1:6]
            for row in officer.open(f"/audit/uses?{query}").main.one("tbody").all("tr")
        ]

    ann = ["staff:mia", "Recommendations for you", present.short(world.ann), "purchases", "=cmd()"]
    assert (len(shown("")), shown(f"customer={world.ann}"), shown("purpose=recommendations&reasoned=yes")) == (
        2, [ann], [ann],
    )  # fmt: skip
    table = list(csv.DictReader(io.StringIO(officer.client.get(f"/audit/uses.csv?customer={world.ann}").text)))
    assert [(row["purpose"], row["reason"]) for row in table] == [("recommendations", "'=cmd()")]
    assert [row["customer"] for row in officer.client.get("/audit/uses.json?purpose=service").get_json()["data"]] == [
        world.bo
    ]


def test_files_have_every_row_however_many_are_read_at_once(world, officer, monkeypatch):
    monkeypatch.setattr(tabular, "AT_ONCE", 2)
    purposes = ["service", "recommendations", "newsletter", "service", "service"]
    for purpose in purposes:
        used(world, purpose, "identity", customer=world.ann)
        taken_in(world, wish=purpose)
    table = list(csv.DictReader(io.StringIO(officer.client.get("/audit/uses.csv").text)))
    assert sorted(row["purpose"] for row in table) == sorted(purposes)
    assert len({row["use"] for row in table}) == len(purposes)
    given = officer.client.get("/audit/uses.json").get_json()["data"]
    assert [each["use"] for each in given] == [row["use"] for row in table]
    asked = officer.client.get("/audit/requests.json?show=open").get_json()["data"]
    assert len({each["request"] for each in asked}) == len(asked) == len(purposes)
    assert officer.client.get("/audit/uses.json?customer=" + world.bo).get_json() == {
        "data": [], "next_cursor": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "place", "why"),
    [
        ("uses?customer=C17", "?customer", "is no customer's id, which begins with cus_"),
        ("uses?reasoned=no", "?reasoned", "is not yes"),
        ("uses?who=mia", "?who", "is not known here"),
        ("uses?cursor=1", "?cursor", "is none that was given out"),
        ("requests?show=late", "?show", "is none of open, overdue, closed, all"),
        ("requests?kind=forgetting", "?kind", "is no right"),
        ("requests?state=open", "?state", "is not known here"),
    ],
)
@pytest.mark.parametrize("form", ["", ".csv", ".json"])
def test_a_filter_that_means_nothing_is_refused_instead_of_showing_everything(officer, asked, place, why, form):
    path, _, query = asked.partition("?")
    answer = officer.client.get(f"/audit/{path}{form}?{query}")
    why = "is not known here" if place == "?cursor" and form else why  # a file has all there is
    assert answer.status_code == 400
    assert (place in answer.text, why.replace("'", "&#39;") in answer.text) == (True, True)


def test_getting_a_page_writes_nothing(world, officer):
    request = taken_in(world, wish="x")
    before = world.rows("SELECT (SELECT count(*) FROM data_use), (SELECT size FROM ledger_head)")
    for path in (
        "/audit/requests", "/audit/requests.csv", "/audit/requests.json", f"/audit/requests/{request.id}",
        "/audit/file", "/audit/processing", "/audit/processing.csv", "/audit/processing.json", "/audit/uses",
        "/audit/uses.csv", "/audit/uses.json",
    ):  # fmt: skip
        assert officer.client.get(path).status_code == 200
    assert world.rows("SELECT (SELECT count(*) FROM data_use), (SELECT size FROM ledger_head)") == before
