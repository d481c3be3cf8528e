"""The contact policy in the console: told, checked, published, kept as versions; nothing that was typed is lost."""

import json

import pytest

from api.pages.contact_policy import LONGEST
from api.roles import Role
from personalise import shelf
from personalise.contact_policy.reading import DEFAULT
from personalise.life import running
from tests.campaigns import publish
from tests.flows.test_contact_policy import rule

PATH = "/console/contact-policy"
CHECK, NEW = "Check this policy", f"{PATH}/new"
DRAFT = DEFAULT.read_text(encoding="utf-8")
WEEK = {"key": "week", "limit": 1, "days": 7}
TOML = '\n# Ours.\n[[cap]]\nkey = "week"\nlimit = 2\ndays = 7\n\n[goodwill]\nfloor = 20\nprices = { email = 1.5 }\n'


@pytest.fixture
def world(sqlite_world):
    return sqlite_world


@pytest.fixture
def approver(staff):
    return staff(Role.APPROVER)


@pytest.fixture
def marketer(staff):
    return staff(Role.MARKETER)


def table(page, number=0):
    rows = page.main.all("table")[number].one("tbody").all("tr")
    return [tuple(each.text for each in row.inside if not isinstance(each, str)) for row in rows]


def summary(page):
    """What the summary says is wrong, and where each of its links leads."""
    links = page.main.one("div", id="errors").one("ul").all("a")
    return [(each.attrs["href"], each.text) for each in links]


def typed(page):
    return {name: value for name, value in page.form(CHECK).fields.items() if name != "csrf_token"}


def stored(world):
    return world.size(), world.rows("SELECT version, body, format, published_by FROM contact_policy_version")


# --------------------------------------------------------------------------------------------------------- what holds


def test_where_none_is_published_the_page_says_what_that_means_and_leads_on(marketer, approver):
    page = approver.open(PATH)
    assert page.main.one("span", class_="state").text == "None is published"
    assert "So no limits, quiet hours or goodwill hold across campaigns" in page.main.text
    assert [each.text for each in page.main.all("a", class_="button")] == ["Write version 1"]
    assert [each.text for each in marketer.open(PATH).main.all("a", class_="button")] == ["Look at the draft"]
    assert page.main.all("table") == []


def test_what_holds_is_told_in_words(world, marketer):
    credits_, prices = {"purchase": 5, "answer": 2}, {"email": 1, "phone": 2.5}
    terms = {"floor": 20, "prices": prices, "credits": credits_, "opt_out": 10, "price_of_one": 0.002}
    rule(world, cap=[WEEK], rest=[{"key": "no", "days": 60}], goodwill=terms, weight_of_benefit=0.5,
         packs=["fr-telephone"], fallback_zones=["Europe/Paris"])  # fmt: skip
    page = marketer.open(PATH)
    assert page.main.all("span", class_="state-runs")[0].text == "Version 1 is in force"
    rules = table(page)
    assert [name for name, _ in rules] == [
        "Limit by law fr-calls-30d", "Limit of the company week", "Rest after a no fr-refused",
        "Rest after a no no", "Quiet hours fr-calls",
    ]  # fmt: skip
    assert [asks for _, asks in rules[:4]] == [
        "At most 4 contacts (channels phone) in 30 days.", "At most 1 contact in 7 days.",
        "61 days after a no, for every offer family (channels phone).", "60 days after a no, for every offer family.",
    ]  # fmt: skip
    assert rules[4][1].startswith("Quiet Monday to Friday 00:00 to 10:00, 13:00 to 14:00 and 20:00 to 24:00,")
    assert table(page, 1) == [("E-mail", "1 point"), ("Telephone", "2.5 points")]
    facts = dict(
        zip([each.text for each in page.main.all("dt")], [each.text for each in page.main.all("dd")], strict=True)
    )
    assert facts == {
        "Each customer starts with": "100 points",
        "Floor": "no contact that would leave fewer than 20 points",
        "Contacts close together": "each one in 7 days makes the next dearer, by its own price",
        "Nothing came of a contact": "takes nothing more",
        "A channel is ended": "takes 10 points",
        "A complaint": "takes all there is",
        "Given back by": "a purchase 5 and an answer 2; never beyond the start",
        "One point is worth": "0.002 beside the offers' values; twice that where the account is spent",
    }
    assert "A customer's benefit counts 0.5 times the company's value." in page.main.text
    assert "Over all campaigns 5 rules hold contacts back, and contacts on 2 channels cost goodwill." in page.main.text


def test_every_version_has_its_page_its_file_and_who_published_it(world, marketer):
    rule(world, cap=[WEEK])
    rule(world, weight_of_benefit=1)
    page = marketer.open(PATH)
    listed = page.main.one("ul", class_="rows").all("li")
    assert [each.one("a").attrs["href"] for each in listed] == [f"{PATH}/versions/2", f"{PATH}/versions/1"]
    assert [each.one("p", class_="muted").text.partition(", entry")[0] for each in listed] == [
        "21 November 2026, 10:00 UTC, by mia"
    ] * 2
    assert "It holds nothing back: campaigns keep to their own limits alone." in page.main.text
    old, new = (marketer.open(f"{PATH}/versions/{number}") for number in (1, 2))
    assert [each.main.one("span", class_="state").text for each in (old, new)] == ["Replaced since", "In force"]
    assert table(old) == [("Limit of the company week", "At most 1 contact in 7 days.")]
    assert old.main.one("pre").text == json.dumps({"cap": [WEEK]})
    file = marketer.open(f"{PATH}/versions/1/file").response
    assert (file.data, file.mimetype, file.headers["Content-Disposition"]) == (
        json.dumps({"cap": [WEEK]}).encode(), "application/json", 'attachment; filename="contact-policy-1.json"',
    )  # fmt: skip


def test_a_version_tells_what_it_changed_in_the_one_before(world, marketer):
    rule(world, cap=[WEEK, {"key": "day", "limit": 1, "days": 1}])
    rule(world, cap=[{**WEEK, "limit": 2}, {"key": "month", "limit": 5, "days": 30}])
    first, second = (marketer.open(f"{PATH}/versions/{number}") for number in (1, 2))
    assert "What it changed" not in first.main.text
    assert second.main.one("h2", id="changes").text == "What it changed in version 1"
    assert "Rules and terms: 1 new, 1 changed, 1 gone." in second.main.text
    assert table(second) == [
        ("Limit of the company week", "At most 1 contact in 7 days", "At most 2 contacts in 7 days"),
        ("Limit of the company month", "Not there", "At most 5 contacts in 30 days"),
        ("Limit of the company day", "At most 1 contact in 1 day", "Gone"),
    ]


def test_a_check_tells_what_would_change_in_the_version_in_force(world, marketer):
    rule(world, cap=[WEEK])
    fewer = marketer.press(marketer.open(NEW), CHECK, body=json.dumps({"cap": [{**WEEK, "days": 14}]}), format="json")
    assert fewer.main.one("h2", id="changes").text == "What it would change in version 1, which is in force"
    assert table(fewer) == [
        ("Limit of the company week", "At most 1 contact in 7 days", "At most 1 contact in 14 days")
    ]
    same = marketer.press(marketer.open(NEW), CHECK, body=json.dumps({"cap": [WEEK]}, indent=1), format="json")
    assert "Nothing: it asks the same, in whatever words it is written." in same.main.text


def test_the_list_of_versions_is_exported(world, marketer):
    rule(world, cap=[WEEK])
    [entry] = world.rows("SELECT position FROM contact_policy_version")
    row = {
        "version": 1,
        "published_at": "2026-11-21T10:00:00.000Z",
        "published_by": "mia",
        "position": entry[0],
        "format": "json",
    }
    assert json.loads(marketer.open(f"{PATH}/versions.json").response.data) == {"data": [row], "next_cursor": None}
    written = marketer.open(f"{PATH}/versions.csv").response.text.splitlines()
    assert written == [",".join(row), ",".join(str(value) for value in row.values())]


@pytest.mark.parametrize("number", ["2", "0", "two", "01", "9999999", "%EF%BC%91"])
def test_a_version_that_is_not_there_is_not_found(world, marketer, number):
    rule(world, cap=[WEEK])
    paths = (f"{PATH}/versions/{number}", f"{PATH}/versions/{number}/file", f"{NEW}?from={number}")
    assert [marketer.open(path).status for path in paths] == [404, 404, 404]
    assert marketer.open(f"{PATH}/versions/1").status == 200


def test_a_policy_that_the_catalogue_has_left_behind_is_shown_with_why(world, approver):
    rule(world, zones={"country": "main_interest"})
    assert approver.open(PATH).main.all("span", class_="state-stale") == []
    with world.store.read() as work:
        body = world.deployment.desk.catalogues.current(work).body
    world.publish(body.replace("main_interest", "interest"))
    for path in (PATH, f"{PATH}/versions/1"):
        page = approver.open(path)
        assert (page.status, page.main.one("div", class_="note-bad").one("li").text) == (
            200, "zones.country 'main_interest' is no attribute of the catalogue",
        )  # fmt: skip
    assert "Write version 2" in [each.text for each in approver.open(PATH).main.all("a", class_="button")]
    assert typed(approver.open(NEW))["body"] == json.dumps({"zones": {"country": "main_interest"}})


# ----------------------------------------------------------------------------------------------------------- the form


def test_the_form_starts_from_the_draft_or_from_a_version(world, approver):
    assert typed(approver.open(NEW)) == {"base": "0", "format": "toml", "body": DRAFT}
    rule(world, cap=[WEEK])
    rule(world, weight_of_benefit=2)
    first, second = (
        {"base": "2", "format": "json", "body": json.dumps(body)}
        for body in ({"cap": [WEEK]}, {"weight_of_benefit": 2})
    )
    found = {path: typed(approver.open(NEW + path)) for path in ("", "?from=1", "?from=2", "?from=draft")}
    assert found == {
        "": second, "?from=1": first, "?from=2": second, "?from=draft": {"base": "2", "format": "toml", "body": DRAFT},
    }  # fmt: skip


def test_a_check_tells_the_rules_and_keeps_nothing_but_what_was_typed(world, marketer):
    before = stored(world)
    page = marketer.press(marketer.open(NEW), CHECK, body=TOML)
    assert (page.status, page.main.one("div", id="checked").one("h2").text) == (200, "It holds")
    assert table(page) == [("Limit of the company week", "At most 2 contacts in 7 days.")]
    assert typed(page) == {"base": "0", "format": "toml", "body": TOML}
    assert stored(world) == before


def test_a_check_names_every_place_and_loses_nothing(world, marketer):
    before = stored(world)
    wrong = '[[cap]]\nkey = "week"\nlimit = 2\ndays = 0\nchannels = ["fax"]\n'
    page = marketer.press(marketer.open(NEW), CHECK, body=wrong)
    assert (page.status, page.tree.one("title").text) == (422, "Error: Version 1 of the contact policy · Byleave")
    assert page.main.one("div", id="errors").one("h2").text == "Nothing was published: 2 things have to be put right"
    assert sorted(summary(page)) == [
        ("#body", "cap[0].channels: 'fax' is no channel of the catalogue"),
        ("#body", "cap[0].days: must be from 1 to 3,650"),
    ]
    field = page.main.one("textarea")
    assert (field.attrs["aria-invalid"], field.attrs["aria-describedby"]) == ("true", "body-why")
    assert len(page.main.one("ul", id="body-why").all("li")) == 2
    assert (typed(page)["body"], stored(world)) == (wrong, before)


@pytest.mark.parametrize(
    ("form", "body", "why"),
    [
        ("toml", "[[cap]\nkey = 1", ["line 1, column 6: Expected ']]' at the end of an array declaration"]),
        ("toml", "a = 1\na = 2\n", ["line 2, column 6: a key stands twice"]),
        ("json", '{"cap": [1}', None),
        ("json", "[]", ["The contact policy must hold one object"]),
        (
            "toml",
            "# nothing\n",
            ["The contact policy is empty: a policy that holds nothing back says so by weight_of_benefit = 1"],
        ),
        ("toml", " \n ", ["Write the policy here: there is nothing in it"]),
        ("yaml", "cap: 1", ["Choose TOML or JSON"]),
        ("", TOML, ["Choose TOML or JSON"]),
        ("toml", "#" * (LONGEST + 1), ["It has 100,001 characters, and may have 100,000"]),
    ],
)
def test_what_can_not_be_read_is_refused_in_place_by_check_and_publish(world, approver, form, body, why):
    before = stored(world)
    for button in (CHECK, "Publish version 1"):
        page = approver.press(approver.open(NEW), button, format=form, body=body)
        said = [text for _, text in summary(page)]
        assert (page.status, said) == (422, why or said)
        assert (len(said), typed(page)["body"]) == (1, body)
    assert stored(world) == before


def test_the_line_that_is_meant_is_shown(approver):
    page = approver.press(approver.open(NEW), CHECK, body="a = 1\n  b = = 2\n")
    [told] = page.main.one("ul", id="body-why").all("li")
    assert [each.text for each in told.all("code")] == ["line 2, column 7", "b = = 2"]


def test_just_as_many_characters_as_it_may_have_are_read(approver):
    body = TOML + "#" * (LONGEST - len(TOML))
    assert approver.press(approver.open(NEW), CHECK, body=body).status == 200


@pytest.mark.parametrize("changes", [{"base": "x"}, {"base": "-1"}, {"base": ""}, {"other": "1"}])
def test_a_form_that_is_not_ours_is_refused(world, approver, changes):
    before, page = stored(world), approver.open(NEW)
    for button in (CHECK, "Publish version 1"):
        assert approver.press(page, button, body=TOML, **changes).status == 400
    assert stored(world) == before


# --------------------------------------------------------------------------------------------------------- publishing


def test_what_is_published_holds_byte_by_byte_and_the_step_back_is_offered(world, approver):
    first = approver.press(approver.open(NEW), "Publish version 1", body=TOML.replace("\n", "\r\n"))
    assert first.main.one("div", role="status").text == (
        "Version 1 is published. It holds from the next decision on; runs under way go on under theirs."
    )
    page = approver.press(approver.open(NEW), "Publish version 2", body=TOML.replace("2", "3"))
    assert page.main.all("span", class_="state-runs")[0].text == "Version 2 is in force"
    undo = page.main.one("div", role="status").one("a")
    assert (undo.text, undo.attrs["href"]) == ("publish version 1 again", f"{NEW}?from=1")
    page = approver.press(approver.open(undo.attrs["href"]), "Publish version 3")
    bodies = (TOML, TOML.replace("2", "3"), TOML)
    assert stored(world)[1] == [(number, body, "toml", "staff:pat") for number, body in enumerate(bodies, 1)]
    assert approver.open(f"{PATH}?published=2").main.all("div", role="status") == []
    world.check_ledger()


def test_what_somebody_published_meanwhile_is_not_published_over(world, approver):
    page = approver.open(NEW)
    rule(world, cap=[WEEK])
    before = stored(world)
    page = approver.press(page, "Publish version 1", body=TOML)
    assert page.status == 412
    told = page.main.one("div", id="errors")
    assert told.one("h2").text == "Nothing was published: somebody was first"
    assert "mia published version 1 on 21 November 2026, 10:00 UTC, after you had begun." in told.text
    assert (typed(page), stored(world)) == ({"base": "1", "format": "toml", "body": TOML}, before)
    approver.press(page, "Publish version 2")
    assert [version for version, *_ in stored(world)[1]] == [1, 2]


def test_a_form_that_names_a_version_nobody_published_is_refused(world, approver):
    assert approver.press(approver.open(NEW), "Publish version 1", body=TOML, base="7").status == 412
    assert stored(world)[1] == []


def test_the_version_in_force_is_not_published_again(world, approver):
    rule(world, cap=[WEEK])
    before = stored(world)
    page = approver.press(approver.open(NEW), "Publish version 2")
    assert (page.status, summary(page)) == (
        409, [("#body", "This is version 1 exactly: there is nothing to publish")],
    )  # fmt: skip
    assert stored(world) == before


def test_whom_the_company_holds_out_is_not_changed_while_a_campaign_is_live(world, approver):
    running.start(world.deployment, publish(world), actor="mia", four_eyes=False)
    body = '[holdout]\nshare = 0.1\nsalt = "s"\n'
    for button in (CHECK, "Publish version 1"):
        page = approver.press(approver.open(NEW), button, body=body)
        found = [text.partition(": ")[0] for _, text in summary(page)]
        assert (page.status, found, typed(page)["body"]) == (422, ["holdout.share", "holdout.salt"], body)
    with world.store.read() as work:
        assert shelf.newest_contact_policy(work) == 0


# -------------------------------------------------------------------------------------------------------------- who may


def test_who_may_not_publish_checks_and_is_told_who_does(world, marketer, staff):
    for who in (marketer, staff(Role.OFFICER)):
        page = who.open(NEW)
        assert (page.buttons(), "An approver publishes a policy." in page.main.text) == ([CHECK], True)
        token = page.form(CHECK).fields["csrf_token"]
        sent = {"csrf_token": token, "base": "0", "format": "toml", "body": TOML}
        assert who.send(f"{PATH}/publish", sent).status == 403
    assert stored(world)[1] == []


@pytest.mark.parametrize("role", [Role.AGENT, Role.ADMIN])
def test_other_staff_see_nothing_of_it(world, staff, role):
    rule(world, cap=[WEEK])
    who = staff(role)
    token = who.open("/console").form("Sign out").fields["csrf_token"]
    paths = ("", "/new", "/versions/1", "/versions/1/file", "/versions.csv", "/versions.json")
    assert {who.open(PATH + path).status for path in paths} == {403}
    assert {who.send(f"{PATH}/{what}", {"csrf_token": token}).status for what in ("check", "publish")} == {403}
    assert "Contact policy" not in who.open("/console").tree.text


def test_a_form_without_its_token_is_refused(world, approver):
    before = stored(world)
    sent = {"base": "0", "format": "toml", "body": TOML}
    for what in ("check", "publish"):
        assert approver.send(f"{PATH}/{what}", sent).status == 403
        assert approver.send(f"{PATH}/{what}", {**sent, "csrf_token": "x"}).status == 403
    assert stored(world) == before


def test_the_console_leads_to_it(marketer):
    inside = marketer.open("/console").tree.one("nav", aria_label="Within")
    assert ("Contact policy", PATH) in [(each.text, each.attrs["href"]) for each in inside.all("a")]
