"""The pages of rights in Chromium: accessible, quiet, no sideways scrolling, and usable without a script."""

import json
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from api.roles import Role
from consent.rights import requests
from consent.rights.asked import How, Right
from consent.rights.requests import Asking
from tests.faces.browser.conftest import PHONE, enter, follow
from tests.faces.browser.test_every_page import BOTH, good, look_at

OPEN_ALL = "document.querySelectorAll('details').forEach(each => each.open = true)"


@pytest.fixture
def asked(served):
    """Make a world that remembers something of Ann, where four requests wait: one is overdue, one was extended."""
    world = served.world
    at = world.clock()
    world.remember(world.ann, main_interest="garden", spend_past_year=1234.5, country="Germany", visited=True)
    made = []
    for kind, who, since in (
        (Right.ACCESS, world.ann, 40), (Right.RECTIFICATION, world.ann, 26), (Right.ERASURE, world.bo, 0),
        (Right.OBJECTION, world.bo, 0),
    ):  # fmt: skip
        asking = Asking(kind=kind, how=How.LETTER, wish="As I wrote.", received_at=at - timedelta(days=since))
        with world.store.write() as work:
            made.append(requests.take_in(world.deployment.desk, work, who, asking, actor="staff:mia", at=at))
    with world.store.write() as work:
        requests.extend(world.deployment.desk, work, made[1].id, "You wrote forty letters.", actor="staff:mia", at=at)
    return made


@BOTH
@pytest.mark.usefixtures("asked")
def test_a_customers_pages(served, visit, size, scheme):
    visitor = visit(viewport=size, color_scheme=scheme)
    seen: dict[str, object] = {}
    enter(visitor, served.customer_door(served.world.ann))
    for path in ("/p/remembered", "/p/requests", "/p/requests?lang=de", "/p/erase"):
        visitor.open(path)
        look_at(visitor, seen)
    follow(visitor.open("/p/remembered"), "text=Show what it is")
    visitor.page.wait_for_url("**look=use_*")
    visitor.page.evaluate(OPEN_ALL)
    look_at(visitor, seen)
    # What was refused is a page too: the summary has its links, the field says why.
    visitor.page.fill("#value-spend_past_year", "much")
    form = visitor.page.locator("form", has=visitor.page.locator("#value-spend_past_year"))
    follow(visitor.page, form.locator("button"))
    look_at(visitor, seen)
    follow(visitor.open("/p/erase"), "text=Erase me for good")
    look_at(visitor, seen)
    assert seen == good(seen)
    assert [each for each in visitor.complaints if "422" not in each] == []


@BOTH
def test_the_staffs_pages(served, visit, asked, size, scheme):
    visitor = visit(viewport=size, color_scheme=scheme)
    seen: dict[str, object] = {}
    enter(visitor, served.staff_door(Role.OFFICER))
    paths = [f"/audit/requests/{one.id}" for one in asked]
    for path in ("/audit/requests", *paths, "/audit/file", "/audit/processing", "/audit/uses"):
        visitor.open(path)
        look_at(visitor, seen)
    page = visitor.open("/audit/file")
    page.fill("#customer", "ANN")
    page.fill("#reason", "a complaint")
    follow(page, "text=Open 1 customer file")
    page.wait_for_url("**/audit/file/use_*")
    look_at(visitor, seen)
    assert (seen, visitor.complaints) == (good(seen), [])


@pytest.mark.usefixtures("asked")
def test_a_customer_corrects_takes_and_erases_without_a_script(served, visit):
    world = served.world
    page = enter(visit(java_script_enabled=False, viewport=PHONE), served.customer_door(world.ann))
    follow(page, "text=Remembered")
    follow(page, "text=Show what it is")
    item = page.locator("li", has_text="What you like most")
    item.locator("summary", has_text="Correct").click()
    item.locator("input[name=value]").fill("roses")
    follow(page, item.locator("button", has_text="Save the correction"))
    expect(page.locator(".note-good")).to_have_text("Corrected. This is what we remember now.")
    expect(page.locator("li", has_text="What you like most").locator(".fact strong")).to_have_text("roses")
    with page.expect_download() as download:
        page.click("text=Download as JSON >> nth=0")
    with download.value.path().open() as taken:
        assert json.load(taken)["customer"]["id"] == world.ann
    follow(page, "text=Requests")
    follow(page, "text=Go to erasing")
    page.fill("#word", "Erase")
    follow(page, "text=Erase me for good")
    expect(page.locator("h1")).to_have_text("You are erased")
    assert world.reason(world.ann, "contact:email:service") == "CUSTOMER_ERASED"
