"""Findings, schedules, audits and evidence packs, as the compliance officer sees and handles them."""

import csv
import io
import json
import zipfile

import pytest

from api.jobs import packs as pack_worker
from api.pages import packs as pack_pages
from api.pages import tabular
from api.roles import Role
from consent.audit import run as audits
from consent.audit.findings import Check, Finding, Gap, Judged, Severity, Yielded
from consent.register import proving
from tests.faces.pages.conftest import house_of


@pytest.fixture
def world(sqlite_world):
    with sqlite_world.store.write() as work:
        proving.sign_checkpoint(sqlite_world.deployment.desk, work, at=sqlite_world.clock())
    return sqlite_world


@pytest.fixture
def officer(staff):
    return staff(Role.OFFICER)


def finding(number: int = 1, severity: Severity = Severity.HIGH) -> Finding:
    return Finding(check="stub", severity=severity, subject=f"row {number}", why=f"=wrong {number}")


def run(world, *found: Yielded):
    several: tuple[Yielded, ...] = (Judged(1), *found)
    check = Check(key="stub", title="A check", function=lambda _: iter(several))
    return audits.run(world.deployment, [check], asked_by="staff:cy")


def rows(page):
    return [each.one("a").text for each in page.main.all("li") if each.all("a")]


def the_page(officer, number=1):
    """Open the page of the finding over a row."""
    page = officer.open("/audit/findings?state=all")
    [link] = [each for each in page.main.all("a") if each.text == f"=wrong {number}"]
    return officer.open(link.attrs["href"])


def mark(page):
    state = page.main.all("span", class_="state")[0]
    return state.text, state.attrs["class"].split()[-1]


# ----------------------------------------------------------------------------------------------------------- findings


def test_before_anything_was_found_the_list_says_why_it_is_empty(officer):
    page = officer.open("/audit/findings")
    assert (page.heading, page.main.one("p", class_="lead").text) == ("Findings", "No finding waits for anybody.")
    assert "No audit has found anything yet." in page.main.text


def test_findings_are_chosen_by_the_address_and_exported_as_chosen(world, officer):
    run(world, finding(1), finding(2, Severity.LOW), finding(3, Severity.LOW))
    wrong = officer.open("/audit/findings?check=use")
    assert (wrong.status, "?check: is no check; there are ledger, " in wrong.main.text) == (400, True)
    page = officer.open("/audit/findings?severity=low")
    links = {each.text: each.attrs["href"] for each in page.main.all("a")}
    exported = list(csv.DictReader(io.StringIO(officer.client.get(links["CSV"]).text, newline="")))
    as_json = json.loads(officer.client.get(links["JSON"]).text)["data"]

    assert page.main.one("p", class_="lead").text == "3 findings wait for somebody: 1 high and 2 low."
    assert set(rows(page)) == {"=wrong 2", "=wrong 3"}
    assert {each["why"] for each in exported} == {"'=wrong 2", "'=wrong 3"}
    assert {each["why"] for each in as_json} == {"=wrong 2", "=wrong 3"}
    assert [option.attrs["value"] for option in page.main.all("option") if "selected" in option.attrs] == [
        "",
        "low",
        "",
    ]
    nothing = officer.open("/audit/findings?owner=anna")
    assert "No finding is like that." in nothing.main.text


@pytest.mark.parametrize("query", ["state=gone", "severity=x", "colour=red"])
def test_a_filter_that_is_none_is_refused(officer, query):
    assert officer.open(f"/audit/findings?{query}").status == 400


def test_a_finding_says_what_its_check_proves_and_what_became_of_it(world, officer):
    run(world, finding())
    page = the_page(officer)
    assert (page.heading, mark(page)) == ("High finding of stub", ("Open", "state-findings"))
    assert [each.one("strong").text for each in page.main.one("ol").all("li")] == ["Found for the first time"]


def test_a_finding_is_assigned(world, officer):
    run(world, finding())
    page = officer.press(the_page(officer), "Assign this finding", owner="anna")
    assert mark(page) == ("Assigned to anna", "state-pending")
    assert page.main.one("div", role="status").text == "It was given to its owner, who is to see to it."
    assert page.main.one("ol").all("strong")[-1].text == "Given to anna"


def test_a_finding_is_accepted_until_the_end_of_a_day(world, officer):
    run(world, finding())
    page = officer.press(the_page(officer), "Accept this finding", until="2026-12-24", reason="fixed by then")
    assert mark(page) == ("Accepted until 25 December 2026, 00:00 UTC", "state-paused")
    assert page.main.one("div", role="status").text.startswith("It is accepted until the time below")


def test_what_was_typed_is_kept_where_an_acceptance_is_refused(world, officer):
    run(world, finding())
    page = officer.press(the_page(officer), "Accept this finding", until="2030-01-01", reason="later")
    assert page.status == 422
    assert page.tree.one("title").text == "Error: Finding: Open · Byleave"
    assert page.main.one("div", role="alert").text == "Nothing was changed Until must be a time within a year from now"
    fields = {each.attrs["name"]: each for each in page.main.all("input")}
    assert (fields["until"].attrs["value"], page.main.one("textarea").text) == ("2030-01-01", "later")
    assert fields["until"].attrs["aria-describedby"] == "until-why"
    none = officer.press(the_page(officer), "Accept this finding", until="soon", reason="later")
    assert (none.status, "must be a day" in none.main.text) == (422, True)


def test_running_the_check_again_says_what_came_of_it(world, officer, monkeypatch):
    run(world, finding())
    gap = Gap(check="stub", why="dark")
    said = []
    for found in ((finding(),), (gap,), ()):
        several: tuple[Yielded, ...] = (Judged(1), *found)
        check = Check(key="stub", title="A check", function=lambda _, several=several: iter(several))  # type: ignore[misc]  # bound now
        monkeypatch.setattr("api.pages.findings.CHECKS", (check,))
        page = officer.press(the_page(officer), "Run the check stub again")
        said.append((page.main.one("div", role="status").text, mark(page)))

    assert said == [
        ("The check was run again, and found it again.", ("Open", "state-findings")),
        ("The check was run again and could not judge it: it stays as it is.", ("Open", "state-findings")),
        (
            "The check was run again over everything and no longer finds it: it is resolved.",
            ("Resolved", "state-passed"),
        ),
    ]
    assert the_page(officer).buttons() == []


def test_a_form_of_an_older_page_changes_nothing(world, officer):
    run(world, finding())
    old = the_page(officer)
    officer.press(old, "Assign this finding", owner="anna")
    page = officer.press(old, "Assign this finding", owner="ben")
    assert (page.status, page.heading) == (412, "It has changed since you looked at it")
    assert "Nothing was saved" in page.main.text


# ------------------------------------------------------------------------------------------------------------- audits


def test_audits_are_chosen_by_how_they_ended_and_handed_over(world, officer):
    run(world, finding())
    world.clock.advance(minutes=1)
    run(world)
    page = officer.open("/audit/audits?status=findings")
    links = {each.text: each.attrs["href"] for each in page.main.all("a")}
    report = officer.open(links["21 November 2026, 10:00 UTC"])
    files = {each.text: each.attrs["href"] for each in report.main.all("a") if each.text.startswith("Report as")}

    assert [row["status"] for row in csv.DictReader(io.StringIO(officer.client.get(links["CSV"]).text))] == ["findings"]
    assert list(files) == ["Report as HTML", "Report as PDF", "Report as CSV", "Report as JSON"]
    answers = [officer.client.get(path) for path in files.values()]
    assert [each.mimetype for each in answers] == ["text/html", "application/pdf", "text/csv", "application/json"]
    assert {each.headers["Content-Disposition"].partition(";")[0] for each in answers} == {"attachment"}
    assert (
        officer.open("/audit/audits?status=could_not_check")
        .main.one("p", class_="muted")
        .text.startswith("No audit has")
    )
    assert officer.open("/audit/audits?status=well").status == 400


# ---------------------------------------------------------------------------------------------------------- schedules


def test_schedules_are_shown_with_their_slots_and_changed(officer):
    page = officer.open("/audit/schedules")
    assert [each.attrs["aria-labelledby"] for each in page.main.all("section")] == ["hourly", "nightly"]
    form = officer.open("/audit/schedules/nightly")
    saved = officer.press(form, "Save this schedule", cron="30 1 * * *", zone="Europe/Berlin")
    assert (saved.path, "30 1 * * * in Europe/Berlin" in saved.main.text) == ("/audit/schedules?saved=nightly", True)
    said = "nightly is saved, and runs next on 22 November 2026, 00:30 UTC."
    assert saved.main.one("div", role="status").text == said
    stale = officer.press(form, "Save this schedule", cron="30 3 * * *")
    assert stale.status == 409


def test_a_new_schedule_with_faults_keeps_what_was_typed(officer):
    form = officer.open("/audit/schedules/new")
    page = officer.press(
        form, "Save this schedule", key="Weekly!", cron="61 3 * * sun", zone="Mars", **{"check:uses": "yes"}
    )
    assert (page.status, page.heading) == (422, "New schedule")
    assert {each.attrs["href"] for each in page.main.one("div", role="alert").all("a")} == {"#key", "#cron", "#zone"}
    fields = {each.attrs["name"]: each.attrs for each in page.main.all("input")}
    assert (fields["cron"]["value"], "checked" in fields["check:uses"], "checked" in fields["check:ledger"]) == (
        "61 3 * * sun", True, False,
    )  # fmt: skip
    good = officer.press(page, "Save this schedule", key="weekly", cron="0 3 * * sun", zone="Europe/Berlin")
    assert "weekly" in [each.attrs["aria-labelledby"] for each in good.main.all("section")]


def test_files_of_findings_and_audits_have_every_row(world, officer, monkeypatch):
    monkeypatch.setattr(tabular, "AT_ONCE", 2)
    for number in range(3):
        run(world, *(finding(each) for each in range(5)))
        world.clock.advance(seconds=1 + number)
    found = officer.client.get("/audit/findings.json").get_json()
    ran = officer.client.get("/audit/audits.json?status=findings").get_json()
    assert (len({each["finding"] for each in found["data"]}), found["next_cursor"]) == (5, None)
    assert (len({each["audit"] for each in ran["data"]}), ran["next_cursor"]) == (3, None)
    for name, whole in (("findings", found), ("audits", ran)):
        table = list(csv.DictReader(io.StringIO(officer.client.get(f"/audit/{name}.csv").text)))
        assert [next(iter(row.values())) for row in table] == [next(iter(each.values())) for each in whole["data"]]


# -------------------------------------------------------------------------------------------------------------- packs


def test_a_pack_is_asked_for_and_downloaded(world, officer):
    page = officer.press(officer.open("/audit/packs"), "Make this pack", customer="ANN")
    assert (page.heading, mark(page)) == ("Evidence pack", ("Ready", "state-finished"))
    [link] = [each.attrs["href"] for each in page.main.all("a") if each.text.startswith("Download")]
    answer = officer.client.get(link)
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert {"verify.py", "README.txt", "manifest.json"} <= set(archive.namelist())
    assert answer.mimetype == "application/zip"
    assert [each for each in rows(officer.open("/audit/packs")) if each.startswith("Customer")] == [
        f"Customer {world.ann}"
    ]


def test_opening_what_a_customer_said_needs_a_reason(world, officer):
    page = officer.press(officer.open("/audit/packs"), "Make this pack", customer="ANN", personal="yes")
    assert (page.status, page.main.one("div", role="alert").one("a").attrs["href"]) == (422, "#reason")
    made = officer.press(page, "Make this pack", customer="ANN", personal="yes", reason="court file 12")
    assert "What the customer said is opened in it: court file 12." in made.main.text
    assert world.rows("SELECT purpose, reason FROM data_use") == [("right:evidence", "court file 12")]


@pytest.mark.parametrize(
    ("filled", "field"),
    [
        ({"customer": ""}, "#customer"),
        ({"customer": "NOBODY"}, "#customer"),
        ({"kind": "audit", "audit": ""}, "#audit"),
        ({"kind": "period", "since": "then", "until": "2026-11-21"}, "#since"),
        ({"kind": "period", "since": "2026-11-22", "until": "2026-11-20"}, "#until"),
        ({"kind": "period", "since": "2001-11-20", "until": "2001-11-20"}, "#kind"),
    ],
)
def test_what_no_pack_can_be_about_is_said_at_its_field(officer, filled, field):
    page = officer.press(officer.open("/audit/packs"), "Make this pack", **filled)
    assert (page.status, page.main.one("div", role="alert").one("a").attrs["href"]) == (422, field)


def test_a_large_pack_waits_for_the_worker(world, officer, monkeypatch):
    monkeypatch.setattr(pack_pages, "AT_ONCE", 0)
    page = officer.press(officer.open("/audit/packs"), "Make this pack", customer="ANN")
    assert mark(page) == ("Is being made", "state-running")
    assert "No worker has been seen yet." in page.main.text
    pack_worker.queued(house_of(world), "a worker")
    assert mark(officer.open(page.path)) == ("Ready", "state-finished")
    world.clock.advance(days=30)
    pack_worker.queued(house_of(world), "a worker")
    world.clock.advance(minutes=-30 * 24 * 60 + 1)
    assert mark(officer.open(page.path)) == ("No longer kept", "state-never")


def test_of_many_packs_each_is_made_in_its_turn_and_let_go_of_in_its_time(world, officer, monkeypatch):
    monkeypatch.setattr(pack_pages, "AT_ONCE", 0)
    monkeypatch.setattr(pack_pages, "PAGE", 2)
    monkeypatch.setattr(pack_worker, "MOST", 2)
    [eve] = world.enrol("EVE")
    for each in (world.bo, eve):
        world.grant(each, "contact:email:newsletter")
    asked = []
    for name in ("ANN", "BO", "EVE"):
        asked.append(officer.press(officer.open("/audit/packs"), "Make this pack", customer=name).path)
        world.clock.advance(minutes=1)

    def marks():
        return [mark(officer.open(path))[0] for path in asked]

    pack_worker.queued(house_of(world), "a worker")
    assert marks() == ["Ready", "Ready", "Is being made"]  # the oldest first
    world.clock.advance(minutes=1)
    pack_worker.queued(house_of(world), "a worker")
    assert marks() == ["Ready"] * 3
    page = officer.open("/audit/packs")
    [older] = [each.attrs["href"] for each in page.main.all("a") if each.text == "Show older packs"]
    first, rest = (
        [link.attrs["href"] for each in shown.main.all("li") for link in each.all("a")]
        for shown in (page, officer.open(older))
    )
    assert first + rest == asked[::-1]
    world.clock.advance(minutes=30 * 24 * 60 - 1)
    pack_worker.queued(house_of(world), "a worker")
    world.clock.advance(minutes=-30 * 24 * 60 + 1)
    assert marks() == ["No longer kept", "No longer kept", "Ready"]


@pytest.mark.parametrize(
    "path",
    [
        "/audit/findings/fnd_x", "/audit/schedules/x", "/audit/packs/epk_x", "/audit/packs/epk_x/file",
        "/audit/audits/aud_x/report.pdf", "/audit/audits/aud_x/report.doc",
    ],
)  # fmt: skip
def test_what_is_not_there_is_not_found(officer, path):
    assert officer.open(path).status == 404
