"""Reports of an audit: the same facts in four formats, gaps first, and what binds them."""

import csv
import json
from datetime import timedelta
from hashlib import sha256
from io import BytesIO, StringIO

import pytest
from pypdf import PdfReader

from consent.audit import handling, life
from consent.audit import run as audits
from consent.audit.findings import Check, Finding, Gap, Judged, Severity
from consent.audit.reports import content, making, written
from consent.audit.reports.content import Explained
from consent.audit.reports.document import Notice
from consent.audit.reports.making import Format
from consent.audit.reports.table import csv_text, harmless
from consent.base.canonical import b64, b64u
from consent.base.clock import rfc3339
from consent.base.errors import NotFound, StateConflict
from consent.register import proving, reopening
from tests.builders import START
from tests.faces.pages.dom import read

EXPLAINED = {"stub": Explained("that it is right.", "that it is good."), "other": Explained("a", "b")}
WRONG = Finding(check="stub", severity=Severity.HIGH, subject="=row <1> 中", why="it is wrong & bad")
DARK = Gap(check="stub", why="the second half can't be read")


def audit(world, *found):
    check = Check(key="stub", title="A check for a test", function=lambda _: iter([Judged(1_200), *found]))
    return audits.run(world.deployment, [check], asked_by="staff:cy")


def sign(world):
    with world.store.write() as work:
        proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())


def gathered(world, report):
    with world.store.read() as work:
        return content.gathered(work, report.audit, explained=EXPLAINED, at=world.clock())


def make(world, report, format_):
    with world.store.read() as work:
        return making.make(work, report.audit, format_, explained=EXPLAINED, at=world.clock())


def text_of(pdf):
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages).split())


def test_a_report_is_bound_to_the_entry_that_commits_to_it_and_to_a_checkpoint(world):
    report = audit(world)
    size = world.size()
    before = gathered(world, report).bound
    sign(world)
    after = gathered(world, report)

    with world.store.read() as work:
        [entry] = reopening.reopened(world.deployment.desk.keys, reopening.sealed_at(work, 1, report.position))
    [(stored,)] = world.rows("SELECT report FROM audit_run")
    assert before is not None
    assert after.bound is not None
    assert (before.position, before.size) == (report.position, None)
    assert (after.bound.size, after.bound.root) == (size, after.bound.checkpoint.split("\n")[2])
    assert after.digest == sha256(stored.encode()).digest()
    assert b64u(after.digest) == entry.payload["report"]


def test_gaps_stand_first_and_big_and_nothing_looks_as_if_it_had_passed(sqlite_world):
    document = written.document(gathered(sqlite_world, audit(sqlite_world, DARK)))

    first, second, *_ = document.blocks
    assert first == Notice(
        "gap", "Could not be checked: 1 thing. Nobody knows whether it is right or wrong.",
        ("stub: the second half can't be read",),
    )  # fmt: skip
    assert second == Notice("gap", "Not passed: not everything could be checked", ())
    assert document.subtitle == (
        "Could not check. Nothing was found broken, but 1 thing could not be checked. It has not passed."
    )


def test_the_html_says_all_of_it_and_loads_nothing(sqlite_world):
    report = audit(sqlite_world, WRONG, DARK)
    sign(sqlite_world)
    page = make(sqlite_world, report, Format.HTML).body.decode()

    tree = read(page.removeprefix("<!doctype html>\n"))
    cells = [[cell.text for cell in row.all("td")] for row in tree.all("tr")]
    assert tree.one("h1").text == "Audit of 2026-11-21 10:00 UTC"
    assert ["high", "stub", "=row <1> 中", "it is wrong & bad", "open"] in cells
    assert ["Findings", "stub", "A check for a test", "1,200", "all", "0.0"] in cells
    assert "It proves: that it is right. It does not prove: that it is good." in tree.one("main").text
    assert [node.tag for node in tree.walk() if {"src", "href"} & set(node.attrs)] == []
    assert "http" not in page.replace("http-equiv", "")


def test_the_text_of_the_pdf_can_be_read_and_is_the_same_each_time(sqlite_world):
    report = audit(sqlite_world, WRONG, DARK)
    sign(sqlite_world)
    gathered_once = gathered(sqlite_world, report)
    first, second = (making.body(gathered_once, Format.PDF) for _ in range(2))
    text = text_of(first)

    assert first == second
    for said in (
        "Audit of 2026-11-21 10:00 UTC",
        "Could not be checked: 1 thing",
        "it is wrong & bad",
        "=row <1> \\u4e2d",
        report.audit,
        b64(gathered_once.digest),
        "Page 1",
    ):
        assert (said, said in text) == (said, True)
    told = PdfReader(BytesIO(first)).metadata
    assert told is not None
    assert str(told["/Title"]) == "Audit of 2026-11-21 10:00 UTC"


def test_a_pdf_of_a_thousand_findings_goes_on_over_pages_with_its_headings(sqlite_world):
    many = [Finding(check="stub", severity=Severity.LOW, subject=f"row {n}", why="x" * 400) for n in range(300)]
    pages = PdfReader(BytesIO(make(sqlite_world, audit(sqlite_world, *many), Format.PDF).body)).pages

    assert len(pages) > 10
    assert {"What is wrong" in page.extract_text() for page in pages[1:10]} == {True}


def test_the_csv_has_a_row_for_each_gap_finding_and_check_and_no_formula(sqlite_world):
    report = audit(sqlite_world, WRONG, DARK)
    rows = list(csv.DictReader(StringIO(make(sqlite_world, report, Format.CSV).body.decode(), newline="")))

    assert [row["kind"] for row in rows] == ["gap", "finding", "check"]
    assert (rows[1]["subject"], rows[1]["state"], rows[2]["judged"]) == ("'=row <1> 中", "open", "1200")


def test_times_in_the_csv_are_those_of_the_ledger(sqlite_world):
    """RFC 3339, as everywhere."""
    report = audit(sqlite_world, WRONG)
    until = START + timedelta(days=1)
    with sqlite_world.store.write() as work:
        [found] = life.listed(work, at=START)
        handling.accept(work, found.id, until=until, reason="known", actor="staff:cy", at=START)
    rows = list(csv.DictReader(StringIO(make(sqlite_world, report, Format.CSV).body.decode(), newline="")))

    assert [row["accepted_until"] for row in rows] == [rfc3339(until), ""]
    assert csv_text(("at",), [(START,)]) == f"at\r\n{rfc3339(START)}\r\n"


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "\tx", "\rx", "\nx"])
def test_no_cell_is_a_formula(cell):
    assert harmless(cell) == f"'{cell}"
    assert [harmless(each) for each in (-1, 2.5, None, "a=1", "")] == [-1, 2.5, "", "a=1", ""]


def test_the_json_is_what_the_other_formats_are_made_of(sqlite_world):
    report = audit(sqlite_world, WRONG, DARK)
    sign(sqlite_world)
    told = json.loads(make(sqlite_world, report, Format.JSON).body)

    assert told["report"] == json.loads(report.text())
    assert (told["audit"], told["status"], told["ledger"]["position"]) == (report.audit, "findings", report.position)
    assert [each["state"] for each in told["findings_now"]] == ["open"]


def test_findings_are_shown_as_they_stand_when_the_report_is_made(sqlite_world):
    report = audit(sqlite_world, WRONG)
    with sqlite_world.store.write() as work:
        [found] = life.listed(work, at=START)
        handling.assign(work, found.id, owner="anna", actor="staff:cy", at=START)

    assert "assigned, anna" in make(sqlite_world, report, Format.HTML).body.decode()


def test_an_audit_without_a_report_has_none_to_hand_over(sqlite_world):
    with sqlite_world.store.read() as work, pytest.raises(NotFound):
        making.make(work, "aud_x", Format.CSV, explained={}, at=START)
    sqlite_world.tamper("INSERT INTO audit_run VALUES ('aud_y', 0, NULL, 'running', 'cy', '', -1)")
    with sqlite_world.store.read() as work, pytest.raises(StateConflict):
        making.make(work, "aud_y", Format.CSV, explained={}, at=START)
