"""Every page in Chromium: accessible, quiet, and without sideways scrolling, wide and narrow, light and dark."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from api.checks import CHECKS
from api.roles import Role
from consent.audit import run as audits
from consent.base.ids import Scope
from consent.register import links
from personalise import engine
from personalise.runs import run as runs
from tests.campaigns import TABLES, fill, publish, willing
from tests.faces.browser.conftest import DESK, PHONE, enter, follow, run_of
from tests.flows.test_contact_policy import rule

BOTH = pytest.mark.parametrize(
    ("size", "scheme"), [(PHONE, "dark"), (DESK, "light")], ids=["narrow-dark", "wide-light"]
)
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "iframes": False}
"""No script runs in a mail that is shown in a frame, nor does axe, which would complain of that."""


MAIL = "<mjml><mj-body><mj-section><mj-column><mj-text>Spring</mj-text></mj-column></mj-section></mj-body></mjml>"


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
    own = ["/p/wishes", "/p/why", "/p/goodwill", "/p/wishes?lang=de", "/p/goodwill?lang=de"]
    own += ("/p/choices?lang=fr", "/p/wishes?lang=fr", "/p/goodwill?lang=fr")
    own += [f"/p/{name}?lang=zh" for name in ("choices", "wishes", "goodwill", "requests", "history", "erase")]
    for path in ("/p/choices", f"/p/saved?entries={entry}", "/p/history", "/p/choices?lang=de", *own):
        page = visitor.open(path)
        # What is folded away is a part of the page too.
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        look_at(visitor, seen)
    follow(visitor.open(stop), "button.primary")
    look_at(visitor, seen)
    assert (seen, visitor.complaints) == (good(seen), [])


@BOTH
def test_a_customers_dealings_and_wishes_with_content(served, visit, size, scheme):
    world = served.world
    [who] = willing(world, 1)
    rule(world, goodwill={"floor": 20, "prices": {"email": 1}})
    first, guide = TABLES["offer"]
    publish(world, campaign={"holdout": {"share": 0, "salt": "s"}}, offer=[{**first, "validity": 14}, guide])
    engine.decide_one(world.deployment, who, campaign="spring", actor="key:k")
    visitor = visit(viewport=size, color_scheme=scheme)
    seen: dict[str, object] = {}
    enter(visitor, served.customer_door(who))
    for path in ("/p/why", "/p/goodwill"):
        visitor.open(path)
        look_at(visitor, seen)
    page = visitor.open("/p/wishes")
    for until, note in (("07:30", ".note-good"), ("", ".note-bad")):
        for field, value in (("#most-all", "3"), ("#from", "22:00"), ("#until", until), ("#zone", "Europe/Paris")):
            page.fill(field, value)
        follow(page, "text=Save my limits")
        page.wait_for_selector(note)
        look_at(visitor, seen)
    # The status of the answer stands in the console: what was typed can't be kept.
    assert (seen, len(visitor.complaints)) == (good(seen), 1)


@BOTH
def test_the_staffs_pages(served, visit, size, scheme):
    world = served.world
    fill(world, 30)
    first, *rest = TABLES["treatment"]
    key = publish(world, treatment=[{**first, "channel": "email", "mjml": MAIL}, *rest])
    visitor = visit(viewport=size, color_scheme=scheme)
    seen: dict[str, object] = {}
    visitor.open(served.staff_door(Role.APPROVER))
    look_at(visitor, seen)
    enter(visitor, served.staff_door(Role.APPROVER))
    for path in ("/console", f"/console/campaigns/{key}"):
        visitor.open(path)
        look_at(visitor, seen)
    for button in ("Dry run", "Measure what came"):
        follow(visitor.open(f"/console/campaigns/{key}"), f"text={button}")
        visitor.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        look_at(visitor, seen)
    follow(visitor.open(f"/console/campaigns/{key}"), "text=Start the run")
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
