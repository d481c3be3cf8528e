"""The audit pages in Chromium: findings, schedules, reports and packs, accessible wide and narrow, light and dark."""

from datetime import timedelta

import pytest

from api.checks import CHECKS
from api.jobs import audits as worker
from api.roles import Role
from consent.audit import handling, life
from consent.audit import run as audits
from consent.audit.findings import Check, Finding, Gap, Judged, Severity, Yielded
from consent.audit.packs import making, shelf
from consent.audit.packs.about import About, Subject
from consent.register import proving
from tests.faces.browser.conftest import DESK, PHONE, enter, follow
from tests.faces.browser.test_every_page import good, look_at

BOTH = pytest.mark.parametrize(
    ("size", "scheme"), [(PHONE, "dark"), (DESK, "light")], ids=["narrow-dark", "wide-light"]
)
WRONG: tuple[Yielded, ...] = (
    Judged(3),
    Finding(check="standing", severity=Severity.CRITICAL, subject="cus_01a1f8660d0075a1811c9d55f2e8ab90",
            why="the row is not what was said: counter is 3, should be 2"),
    Finding(check="standing", severity=Severity.HIGH, subject="cus_01a1f8660d0075a1811c9d55f2e8ab91", why="another"),
    Finding(check="standing", severity=Severity.LOW, subject="cus_01a1f8660d0075a1811c9d55f2e8ab92", why="a third"),
    Gap(check="standing", why="of 3 customers, what they said can't be read"),
)  # fmt: skip


def prepared(served):
    """Run audits that find and miss things, handle some findings, make a pack, miss some slots."""
    world = served.world
    with world.store.write() as work:
        proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())
    worker.scheduled(served.house, "a worker")  # it makes up for slots that nobody ran, and finds nothing
    check = Check(key="standing", title="What stands for each customer is what he said", function=lambda _: iter(WRONG))
    others = [each for each in CHECKS if each.key != "standing"]
    report = audits.run(world.deployment, [check, *others], asked_by="staff:cy")
    at = world.clock()
    with world.store.write() as work:
        third, second, first = life.listed(work, at=at)
        handling.assign(work, second.id, owner="anna", actor="staff:cy", at=at)
        handling.accept(work, third.id, until=at + timedelta(days=30), reason="a known fault", actor="staff:cy", at=at)
        pack = shelf.ask(work, About(kind=Subject.AUDIT, audit=report.audit), actor="staff:cy", at=at)
        shelf.ask(
            work, About(kind=Subject.CUSTOMER, customer=world.ann), actor="staff:cy", at=at + timedelta(seconds=1)
        )
    making.make(world.deployment, pack, explained={})
    return report.audit, first.id, second.id, pack


@BOTH
def test_findings_schedules_reports_and_packs(served, visit, size, scheme):
    visitor = visit(viewport=size, color_scheme=scheme)
    seen: dict[str, object] = {}
    enter(visitor, served.staff_door(Role.OFFICER))
    for path in ("/audit/findings", "/audit/audits", "/audit/packs"):
        visitor.open(path)
        look_at(visitor, seen)  # nothing there yet
    audit, first, second, pack = prepared(served)
    for path in (
        "/audit", f"/audit/audits/{audit}", "/audit/audits", "/audit/findings", "/audit/findings?state=resolved",
        f"/audit/findings/{first}", f"/audit/findings/{second}", "/audit/schedules", "/audit/schedules/new",
        "/audit/schedules/nightly", "/audit/packs", f"/audit/packs/{pack}",
    ):  # fmt: skip
        visitor.open(path)
        look_at(visitor, seen)
    follow(visitor.open(f"/audit/findings/{first}"), "text=Accept this finding")
    look_at(visitor, seen)
    follow(visitor.open("/audit/packs"), "text=Make this pack")
    look_at(visitor, seen)
    assert seen == good(seen)
    assert [each for each in visitor.complaints if "422" not in each] == []


def test_a_finding_is_handled_without_a_script(served, visit):
    _, first, *_ = prepared(served)
    page = enter(visit(java_script_enabled=False, viewport=PHONE), served.staff_door(Role.OFFICER))
    page.goto(f"{served.base}/audit/findings")
    page.select_option("#state", "accepted")
    follow(page, "text=Show these findings")
    assert page.locator("ul.rows > li").count() == 1
    page.goto(f"{served.base}/audit/findings/{first}")
    page.fill("#owner", "anna")
    follow(page, "text=Assign this finding")
    assert page.locator(".state").first.inner_text() == "Assigned to anna"
    follow(page, "text=Run the check standing again")
    assert "no longer finds it" in page.locator("[role=status]").inner_text()


def test_a_report_opens_from_its_file_and_prints(served, visit, tmp_path):
    audit, *_ = prepared(served)
    page = enter(visit(), served.staff_door(Role.OFFICER))
    page.goto(f"{served.base}/audit/audits/{audit}")
    with page.expect_download() as download:
        page.click("text=Report as HTML")
    file = tmp_path / "report.html"
    download.value.save_as(file)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(file.as_uri())
    assert page.locator("h1").text_content() == "Audit of 2026-11-21 10:00 UTC"
    assert page.locator(".notice").first.inner_text().startswith("Could not be checked: 1 thing")
    assert complaints == []
