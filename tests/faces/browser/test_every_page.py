"""Every page in Chromium: accessible, quiet, and without sideways scrolling, wide and narrow, light and dark."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from api.checks import CHECKS
from api.roles import Role
from consent.audit import run as audits
from consent.base.ids import Scope
from consent.register import links
from personalise.runs import run as runs
from tests.campaigns import fill, publish
from tests.faces.browser.conftest import DESK, PHONE, enter, run_of

BOTH = pytest.mark.parametrize(
    ("size", "scheme"), [(PHONE, "dark"), (DESK, "light")], ids=["narrow-dark", "wide-light"]
)
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


def look_at(visitor, seen):
    """Check the page that is open; keep what is wrong with it."""
    page = visitor.page
    address = f"{page.url.removeprefix(visitor.base)} {page.title()}"
    found = Axe().run(page, options=RULES)
    wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    seen[address] = ([each["id"] for each in found.response["violations"]], wide, page.locator("h1").count())


def good(seen):
    return dict.fromkeys(seen, ([], False, 1))


@BOTH
def test_a_customers_pages(served, visit, size, scheme):
    world = served.world
    world.refuse(world.bo, "contact:email:newsletter")
    world.object(world.bo, "contact:sms:recommendations")
    entry = world.grant(world.bo, "contact:email:recommendations").seq
    stop = "/w/" + links.sign(
        world.deployment.desk, world.bo, [Scope("contact:email:recommendations")], at=world.clock()
    )
    visitor = visit(viewport=size, color_scheme=scheme)
    seen: dict[str, object] = {}
    for path in ("/", served.customer_door(world.bo), stop):
        visitor.open(path)
        look_at(visitor, seen)
    enter(visitor, served.customer_door(world.bo))
    for path in ("/p/choices", f"/p/saved?entries={entry}", "/p/history", "/p/choices?lang=de"):
        page = visitor.open(path)
        # What is folded away is a part of the page too.
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        look_at(visitor, seen)
    visitor.open(stop).click("button.primary")
    look_at(visitor, seen)
    assert (seen, visitor.complaints) == (good(seen), [])


@BOTH
def test_the_staffs_pages(served, visit, size, scheme):
    world = served.world
    fill(world, 30)
    key = publish(world)
    visitor = visit(viewport=size, color_scheme=scheme)
    seen: dict[str, object] = {}
    visitor.open(served.staff_door(Role.APPROVER))
    look_at(visitor, seen)
    enter(visitor, served.staff_door(Role.APPROVER))
    for path in ("/console", f"/console/campaigns/{key}"):
        visitor.open(path)
        look_at(visitor, seen)
    for button in ("Dry run", "Measure what came"):
        visitor.open(f"/console/campaigns/{key}").click(f"text={button}")
        look_at(visitor, seen)
    visitor.open(f"/console/campaigns/{key}").click("text=Start the run")
    visitor.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    look_at(visitor, seen)
    runs.advance(served.house.deployment, run_of(visitor.page))
    visitor.page.reload()
    look_at(visitor, seen)
    assert (seen, visitor.complaints) == (good(seen), [])


@BOTH
def test_the_officers_pages(served, visit, size, scheme):
    visitor = visit(viewport=size, color_scheme=scheme)
    seen: dict[str, object] = {}
    enter(visitor, served.staff_door(Role.OFFICER))
    look_at(visitor, seen)  # nothing run yet
    report = audits.run(served.house.deployment, CHECKS, asked_by="worker")
    for path in ("/audit", f"/audit/audits/{report.audit}"):
        visitor.open(path)
        look_at(visitor, seen)
    assert (seen, visitor.complaints) == (good(seen), [])


def test_error_pages(visit):
    for scheme in ("light", "dark"):
        visitor = visit(viewport=PHONE, color_scheme=scheme)
        seen: dict[str, object] = {}
        for path in ("/nothing", "/p/choices", "/audit"):
            visitor.open(path)
            look_at(visitor, seen)
        assert seen == good(seen)
