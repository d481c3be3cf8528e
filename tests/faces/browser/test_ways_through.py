"""Ways through the pages: without a script, with the keyboard alone, and with a page that keeps itself up to date."""

from playwright.sync_api import expect

from api.jobs.worker import _heartbeat
from api.roles import Role
from personalise.runs import run as runs
from tests.campaigns import fill, open_run, publish
from tests.faces.browser.conftest import PHONE, enter, follow, run_of

MAIL, NEWS = "contact:email:recommendations", "contact:email:newsletter"
FOCUS = """() => {
  const at = document.activeElement;
  const style = getComputedStyle(at.closest('.answer') || at);
  const box = at.getBoundingClientRect();
  const stands_out = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  return [at.name || at.textContent.trim(), stands_out, box.bottom > 0 && box.top < innerHeight];
}"""
"""What has the focus, whether it stands out, whether it can be seen."""


def test_a_customer_needs_no_script(served, visit):
    world = served.world
    visitor = visit(java_script_enabled=False, viewport=PHONE)
    page = enter(visitor, served.customer_door(world.bo))
    page.check(f'input[name="answer:{MAIL}"][value=yes]')
    page.check(f'input[name="answer:{NEWS}"][value=no]')
    follow(page, "text=Save my choices")
    expect(page.locator("h1")).to_have_text("Saved")
    assert [world.reason(world.bo, scope) for scope in (MAIL, NEWS)] == ["PERMIT", "REFUSED"]
    follow(page, "text=Undo this change")
    assert world.reason(world.bo, MAIL) == "WITHDRAWN"
    follow(page, "text=Show my history")
    expect(page.locator("ol.rows > li")).to_have_count(3)
    follow(page, "text=Sign out")
    assert (page.url, visitor.open("/p/choices").locator("h1").text_content()) == (
        f"{served.base}/", "Please identify yourself",
    )  # fmt: skip


def test_a_marketer_needs_no_script(served, visit):
    world = served.world
    fill(world, 30)
    publish(world)
    page = enter(visit(java_script_enabled=False), served.staff_door(Role.APPROVER))
    follow(page, "text=Spring")
    follow(page, "text=Dry run for 32 customers (changes nothing)")
    expect(page.locator("h1")).to_have_text("Dry run: Spring")
    follow(page, "text=Start the run for 32 customers")
    follow(page, "text=Pause the run")
    expect(page.locator(".state").first).to_have_text("Paused")
    follow(page, "text=Resume the run")
    runs.advance(served.house.deployment, run_of(page))
    follow(page, "text=Reload")
    expect(page.locator(".state").first).to_have_text("Finished")


def test_a_customer_needs_no_mouse(served, visit):
    world = served.world
    visitor = visit(viewport=PHONE)
    page = enter(visitor, served.customer_door(world.bo))
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUS) == ["Skip to the content", True, True]
    page.keyboard.press("Enter")
    walked = []
    while page.evaluate(FOCUS)[0] != f"answer:{NEWS}":
        page.keyboard.press("Tab")
        walked.append(page.evaluate(FOCUS))
    # The skip link leads past the navigation; every stop can be seen, and what has the focus stands out.
    first = ["all", "all", "Or take a break.", "answer:remember:purchases"]
    assert [name for name, _, _ in walked[:4]] == first
    assert [stop for stop in walked if not (stop[1] and stop[2])] == []
    page.keyboard.press("Space")
    assert page.is_checked(f'input[name="answer:{NEWS}"][value=yes]')
    page.keyboard.press("ArrowRight")
    assert page.is_checked(f'input[name="answer:{NEWS}"][value=no]')
    while page.evaluate(FOCUS)[0] != "Save my choices":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Saved")
    assert world.reason(world.bo, NEWS) == "REFUSED"


def test_a_runs_page_keeps_itself_up_to_date(served, visit):
    world = served.world
    fill(world, 30)
    publish(world)
    visitor = visit()
    page = enter(visitor, served.staff_door(Role.APPROVER))
    follow(page, "text=Spring")
    follow(page, "text=Start the run for 32 customers")
    expect(page.locator(".note-warn")).to_contain_text("No worker has been seen yet.")
    _heartbeat(served.house, "a worker")
    expect(page.locator(".note-warn")).to_have_count(0)
    page.focus("#pause")
    page.evaluate("window.sameDocument = true")
    runs.advance(served.house.deployment, run_of(page))
    expect(page.locator(".state").first).to_have_text("Finished")
    expect(page.locator("tfoot td").first).to_have_text("32")
    assert page.evaluate("window.sameDocument") is True
    assert visitor.complaints == []


def test_a_refused_form_says_where_and_keeps_what_was_typed(served, visit):
    world = served.world
    fill(world, 5)
    key = publish(world)
    run = open_run(world.deployment, key, actor="staff:pat")
    visitor = visit(java_script_enabled=False)
    enter(visitor, served.staff_door(Role.APPROVER))
    page = visitor.open(f"/console/runs/{run}")
    page.click("text=Stop the run for good")
    page.fill("#stop-key", "sprung")
    follow(page, "text=Stop the run of spring")
    assert (page.title(), page.input_value("#stop-key")) == ("Error: Run of spring: Running · Byleave", "sprung")
    page.click("text=That is not spring: nothing was stopped. >> nth=0")
    assert page.url.endswith("#stop-key")


def test_a_page_prints_without_its_controls(served, visit):
    visitor = visit()
    page = enter(visitor, served.customer_door(served.world.ann))
    page.emulate_media(media="print")
    visitor.open("/p/history")
    assert [page.locator(part).first.is_visible() for part in (".nav", ".who", "main ol")] == [False, False, True]
