"""The contact policy and the comparison in Chromium: accessible, wide and narrow, light and dark; without scripts."""

import pytest
from playwright.sync_api import expect

from api.roles import Role
from personalise.contact_policy.reading import DEFAULT
from tests.campaigns import TABLES, fill, publish
from tests.faces.browser.conftest import DESK, PHONE, enter, follow
from tests.faces.browser.test_every_page import good, look_at
from tests.flows.test_contact_policy import rule

BOTH = pytest.mark.parametrize(
    ("size", "scheme"), [(PHONE, "dark"), (DESK, "light")], ids=["narrow-dark", "wide-light"]
)
LONG = "a-name-that-is-as-long-as-a-short-name-may-be-and-has-no-room-xx"[:63]
RULES = {
    "cap": [{"key": LONG, "limit": 1, "days": 7, "channels": ["email", "sms"], "purposes": ["recommendations"]}],
    "rest": [{"key": "no", "days": 60}],
    "packs": ["fr-telephone"],
    "fallback_zones": ["Europe/Paris"],
    "goodwill": {"floor": 20, "prices": {"email": 1, "post": 2}, "credits": {"purchase": 5}, "price_of_one": 0.002},
}
FOCUSED = "document.activeElement.id"
POLICY = "/console/contact-policy"


def two(world):
    """Publish two versions of a campaign, with customers to decide for."""
    fill(world, 30)
    publish(world)
    publish(world, treatment=TABLES["treatment"][:1], cap=[], campaign={"holdout": {"share": 0, "salt": "s"}})


@BOTH
def test_the_contact_policys_pages(served, visit, size, scheme):
    visitor = visit(viewport=size, color_scheme=scheme)
    seen: dict[str, object] = {}
    page = enter(visitor, served.staff_door(Role.APPROVER))
    for path in (POLICY, f"{POLICY}/new"):
        visitor.open(path)
        look_at(visitor, seen)  # nothing published yet
    follow(page, "text=Check this policy")
    look_at(visitor, seen)
    assert page.evaluate(FOCUSED) == "checked"
    page.fill("#body", "limit = 2\n" * 3 + f'[[cap]]\nkey = "{LONG}{LONG}"\n')
    follow(page, "text=Check this policy")
    look_at(visitor, seen)
    page.fill("#body", f'[[cap]]\nkey = "{LONG}{LONG}"\n')
    follow(page, "text=Publish version 1")
    look_at(visitor, seen)
    assert page.evaluate(FOCUSED) == "errors"
    rule(served.world, **RULES)
    follow(page, "text=Publish version 1")
    look_at(visitor, seen)
    follow(visitor.open(f"{POLICY}/new?from=draft"), "text=Publish version 2")
    look_at(visitor, seen)
    follow(visitor.open(f"{POLICY}/new?from=1"), "text=Check this policy")
    look_at(visitor, seen)  # what would change
    for path in (f"{POLICY}/versions/1", f"{POLICY}/versions/2", POLICY):
        visitor.open(path)
        look_at(visitor, seen)
    assert seen == good(seen)
    # The statuses of the answers stand in the console: two that could not be read, one that came too late.
    assert [each for each in visitor.complaints if "422" not in each and "412" not in each] == []
    assert len(visitor.complaints) == 3


@BOTH
def test_the_comparisons_pages(served, visit, size, scheme):
    visitor = visit(viewport=size, color_scheme=scheme)
    seen: dict[str, object] = {}
    page = enter(visitor, served.staff_door(Role.MARKETER))
    visitor.open("/console/compare")
    look_at(visitor, seen)  # nothing to compare yet
    two(served.world)
    rule(served.world, **RULES)
    follow(visitor.open("/console/campaigns/spring"), "text=Compare version 1 with version 2")
    look_at(visitor, seen)
    follow(page, "text=Compare 2 policies for 32 customers")
    look_at(visitor, seen)
    page.fill("#a_version", "seven")
    follow(page, "text=Compare 2 policies for 32 customers")
    look_at(visitor, seen)
    assert page.evaluate(FOCUSED) == "errors"
    assert (seen, len(visitor.complaints)) == (good(seen), 1)


def test_an_approver_publishes_a_contact_policy_without_a_script(served, visit):
    page = enter(visit(java_script_enabled=False, viewport=PHONE), served.staff_door(Role.APPROVER))
    follow(page, "text=Contact policy")
    follow(page, "text=Write version 1")
    draft = DEFAULT.read_text(encoding="utf-8")
    expect(page.locator("#body")).to_have_value(draft)
    page.fill("#body", draft.replace("days = 7", "days = 0", 1))
    follow(page, "text=Check this policy")
    expect(page.locator("#errors li")).to_have_text("cap[0].days: must be from 1 to 3,650")
    page.fill("#body", draft.replace("limit = 2", "limit = 1", 1))
    follow(page, "text=Check this policy")
    expect(page.locator("#checked h2")).to_have_text("It holds")
    follow(page, "text=Publish version 1")
    expect(page.locator("[role=status]")).to_contain_text("Version 1 is published.")
    rows = served.world.rows("SELECT version, body FROM contact_policy_version")
    assert rows == [(1, draft.replace("limit = 2", "limit = 1", 1))]
    follow(page, "text=Show version 1 as it was written")
    with page.expect_download() as download:
        page.click("text=Download the file of version 1")
    assert download.value.suggested_filename == "contact-policy-1.toml"


def test_a_marketer_compares_without_a_script(served, visit):
    two(served.world)
    page = enter(visit(java_script_enabled=False, viewport=PHONE), served.staff_door(Role.MARKETER))
    follow(page, "text=Spring")
    follow(page, "text=Compare version 1 with version 2")
    follow(page, "text=Compare 2 policies for 32 customers")
    expect(page.locator("h1")).to_have_text("Policies compared")
    expect(page.locator(".lead")).to_contain_text("of 32 customers")
    page.fill("#b_version", "9")
    follow(page, "text=Compare 2 policies for 32 customers")
    expect(page.locator("#errors li")).to_have_text("B: spring has no version 9: its newest is 2")
    expect(page.locator("#b_version")).to_have_value("9")
