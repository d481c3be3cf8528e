"""The pages of a pause, a stop, a browser that opts out and a link that confirms, in Chromium."""

import pytest

from consent.register import confirmations
from tests.builders import scope_table, tables, toml
from tests.faces.browser.conftest import DESK, PHONE, enter, follow
from tests.faces.browser.test_every_page import good, look_at

MAIL, POST, INTEREST = "contact:email:offers", "contact:post:offers", "use:replies:service"
GPC = {"Sec-GPC": "1"}
BUTTON = "button:has-text({!r})"


@pytest.fixture
def selling(served):
    """Return a world that asks for confirmed addresses and ages, and sells, with a grant that awaits its link."""
    world, given = served.world, tables()
    given["scope"] += [
        scope_table("share:courier:offers", gpc=True),
        scope_table("use:replies:offers", "legitimate_interest", gpc=True),
    ]
    next(each for each in given["scope"] if each["scope"] == POST)["minimum_age"] = 16
    world.publish(toml(given))
    world.object(world.bo, INTEREST)
    world.grant(world.bo, MAIL, POST)
    with world.store.read() as work:
        [waiting] = confirmations.outgoing(world.deployment.desk, work, 10)
    return world, f"/p/confirm/{waiting.token}"


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "dark"), (DESK, "light")], ids=["narrow-dark", "wide-light"])
def test_every_page_is_accessible_and_needs_no_scrolling_sideways(served, selling, visit, size, scheme):
    world, link = selling
    visitor = visit(viewport=size, color_scheme=scheme, extra_http_headers=GPC)
    seen: dict[str, object] = {}
    page = visitor.open(link)
    look_at(visitor, seen)
    follow(page, "button.primary")
    look_at(visitor, seen)
    page = enter(visitor, served.customer_door(world.bo))
    look_at(visitor, seen)
    page.eval_on_selector("#until", "field => { field.removeAttribute('min'); field.value = '2026-11-10' }")
    follow(page, BUTTON.format("Pause everything"))
    assert (page.title(), page.input_value("#until")) == ("Error: Your choices · A small shop", "2026-11-10")
    visitor.complaints.clear()  # that the answer was 422
    look_at(visitor, seen)
    page.fill("#until", "2026-12-24")
    follow(page, BUTTON.format("Pause everything"))
    look_at(visitor, seen)
    for path in ("/p/choices", "/p/choices?lang=de", "/p/history?by=2026-11-21"):
        visitor.open(path)
        look_at(visitor, seen)
    assert (seen, visitor.complaints) == (good(seen), [])


def test_a_customer_stops_everything_and_takes_it_back_without_a_script(served, selling, visit):
    world, link = selling
    visitor = visit(java_script_enabled=False, viewport=PHONE)
    follow(visitor.open(link), "button.primary")
    page = enter(visitor, served.customer_door(world.bo))
    boxes = [
        page.locator(BUTTON.format(name)).bounding_box() for name in ("Yes to all", "No to all", "Stop everything")
    ]
    follow(page, BUTTON.format("Stop everything"))
    stopped = [world.reason(world.bo, scope) for scope in (MAIL, POST, INTEREST)]
    world.clock.advance(seconds=1)
    follow(page, 'button:has-text("Undo")')

    # What stops is no smaller than what allows.
    yes, no, stop = ((round(box["width"]), round(box["height"])) for box in boxes if box)
    assert (yes == no, stop >= yes) == (True, True)
    assert stopped == ["WITHDRAWN", "MINOR", "OBJECTED"]
    assert [world.reason(world.bo, scope) for scope in (MAIL, INTEREST)] == ["PENDING_CONFIRMATION", "OBJECTED"]
