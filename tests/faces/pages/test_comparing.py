"""Two policies compared in the console: chosen in a form, decided by for everybody, told with numbers that add up."""

from itertools import pairwise

import pytest

from api.roles import Role
from personalise.runs import comparing
from personalise.runs.comparing import Named
from tests.campaigns import TABLES, fill, publish, willing
from tests.flows.test_contact_policy import rule

PATH = "/console/compare"
BUTTON = "Compare 2 policies for 62 customers"
MAIL_ONLY = {"treatment": TABLES["treatment"][:1], "cap": [], "campaign": {"holdout": {"share": 0, "salt": "s"}}}
NUMBER = "Write a version's number, such as 2, or leave it empty for the newest"


@pytest.fixture
def world(sqlite_world):
    return sqlite_world


@pytest.fixture
def marketer(staff):
    return staff(Role.MARKETER)


@pytest.fixture
def two(world):
    """Publish two versions, with customers to decide for."""
    fill(world, 60)
    publish(world)
    publish(world, **MAIL_ONLY)


def number(text):
    return float(text.replace(",", "").replace("−", "-").replace("+", ""))


def table(page, caption):
    """The rows of the table with a caption: its cells as texts."""
    found = next(each for each in page.main.all("table") if each.one("caption").text.startswith(caption))
    rows = [row for row in found.all("tr") if row.all("td")]
    return [tuple(each.text for each in row.inside if not isinstance(each, str)) for row in rows]


def moves(page):
    """The cross table as (before, after) → customers, and its three sums."""
    rows = table(page, "What is done with customers")
    sums = {row[0]: int(row[1]) for row in rows if len(row) == 3}
    return {(row[0], row[1]): int(row[2]) for row in rows if len(row) == 4}, sums


def wrong(page):
    """What is wrong, by field: in the summary and at the field."""
    links = page.main.one("div", id="errors").all("a")
    found = {each.attrs["href"].removeprefix("#"): each.text for each in links}
    told = {name: page.main.one("span", id=f"{name}-why").text for name in found}
    assert found == {name: f"{'A' if name in ('a', 'a_version') else 'B'}: {why}" for name, why in told.items()}
    fields = [node.attrs["name"] for node in page.main.walk() if node.attrs.get("aria-invalid")]
    assert fields == list(found)
    return told


def compare(who, button=BUTTON, **typed):
    return who.press(who.open(PATH), button, **typed)


# ----------------------------------------------------------------------------------------------------- what is found


@pytest.mark.usefixtures("two")
def test_a_comparison_tells_what_the_use_case_finds_and_adds_up(world, marketer):
    rule(world, goodwill={"floor": 20, "prices": {"email": 1, "post": 2}})
    found = comparing.compare(
        world.deployment, Named(campaign="spring", version=1), Named(campaign="spring"), actor="mia"
    ).as_json()
    page = compare(marketer, a_version="1", b_version="2")
    assert page.heading == "Policies compared"
    gain, lose = found["gain"]["customers"], found["lose"]["customers"]
    finding = page.main.one("p", class_="lead").text
    assert finding.startswith(f"{found['changed']} of 62 customers (")
    assert (f"B addresses {gain} whom A doesn't" in finding) == (gain > 0)
    assert (f"A addresses {lose} whom B doesn't" in finding) == (lose > 0)
    assert (found["changed"] > 0, gain + lose > 0) == (True, True)
    cells, sums = moves(page)
    assert sums == {"change": found["changed"], "stay as they are": 62 - found["changed"], "all customers": 62}
    assert sum(cells.values()) == 62
    assert sum(count for (before, after), count in cells.items() if before != after) == found["changed"]
    assert cells["mail, by E-mail", "mail, by E-mail"] == next(
        each["customers"] for each in found["moves"] if (each["from"], each["to"]) == ("mail", "mail")
    )
    for title, told in (("Whom B addresses", found["gain"]), ("Whom A addresses", found["lose"])):
        if told["customers"]:
            *lines, (_, whole) = table(page, title)
            assert (sum(int(count) for _, count in lines), int(whole)) == (told["customers"],) * 2


@pytest.mark.usefixtures("two")
def test_both_sides_stand_side_by_side_with_what_they_come_to(world, marketer):
    rule(world, goodwill={"floor": 20, "prices": {"email": 1, "post": 2}})
    found = comparing.compare(
        world.deployment, Named(campaign="spring", version=1), Named(campaign="spring"), actor="mia"
    ).as_json()
    page = compare(marketer, a_version="1")
    stages = table(page, "Customers left after each stage")
    a, b = ([number(row[side]) for row in stages] for side in (1, 2))
    assert [number(row[3]) for row in stages] == [after - before for before, after in zip(a, b, strict=True)]
    for left, told in ((a, found["a"]), (b, found["b"])):
        assert (left[0], left[-1], sorted(left, reverse=True)) == (62, sum(told["chosen"].values()), left)
        lost = [before - after for before, after in pairwise(left)]
        assert lost == list(told["stages"].values())
    totals = {row[0]: row[1:] for row in table(page, "Contacts, outcomes")}
    assert totals["Would be addressed"][:2] == tuple(str(sum(found[side]["chosen"].values())) for side in "ab")
    assert [number(each) for each in totals["Goodwill that the contacts cost, in points"][:2]] == [
        found[side]["goodwill"] for side in "ab"
    ]
    assert list(totals) == [
        "Would be addressed", "of these by E-mail", "of these by Letter", "Held out by chance, to measure against",
        "Left alone, because nothing is worth it to them", "Held back for now, and decided about again later",
        "Outcomes to be expected (“visited”)", "Cost of the offers to the company",
        "Value to the company to be expected",
        "Worth, with the customers' benefit and the price of goodwill", "Goodwill that the contacts cost, in points",
        "Accounts that they would push below the floor",
        "Accounts above the floor that couldn't bear as much once more",
    ]  # fmt: skip


@pytest.mark.usefixtures("two")
def test_a_policy_against_itself_changes_nobody(marketer):
    page = compare(marketer)
    assert page.main.one("p", class_="lead").text == "Nothing changes for any of 62 customers: both do the same."
    assert [each.one("caption").text.startswith("Whom") for each in page.main.all("table")] == [False] * 3
    totals = {row[0]: row[1:] for row in table(page, "Contacts, outcomes")}
    assert totals["Goodwill that the contacts cost, in points"] == ("–", "–", "–")
    assert {row[3] for row in table(page, "Customers left")} == {"0"}


def test_what_there_is_only_so_much_of_is_told_of_both(world, marketer):
    willing(world, 10)
    volume = [{"key": "few", "channels": ["email"], "limit": 3}]
    publish(world, **MAIL_ONLY, volume=volume)
    publish(world, **{**MAIL_ONLY, "volume": [{**volume[0], "limit": 5}]})
    page = compare(marketer, "Compare 2 policies for 12 customers", a_version="1")
    totals = {row[0]: row[1:] for row in table(page, "Contacts, outcomes")}
    assert totals["Taken of the contacts that there are (“few”)"] == ("3", "5", "+2")
    assert page.main.one("p", class_="lead").text == (
        "2 of 12 customers (16.7 %) change: B addresses 2 whom A doesn't."
    )
    assert table(page, "Whom B addresses") == [
        ("came behind those for whom there was enough of it (“few”)", "2"), ("in all", "2"),
    ]  # fmt: skip


def test_the_second_is_put_under_another_contact_policy_or_none(world, marketer):
    willing(world, 10)
    publish(world, **MAIL_ONLY)
    rule(world, weight_of_benefit=1)
    rule(world, cap=[{"key": "nobody", "limit": 0, "days": 1}])
    button = "Compare 2 policies for 12 customers"
    told = {}
    for which in ("", "1", "0"):
        page = compare(marketer, button, rules=which)
        facts = [each.text for each in page.main.all("dd")]
        told[which] = (facts[1], table(page, "Contacts, outcomes")[0][1:])
    assert told == {
        "": ("Spring, version 1, under version 2 of the contact policy", ("0", "0", "0")),
        "1": ("Spring, version 1, under version 1 of the contact policy", ("0", "10", "+10")),
        "0": ("Spring, version 1, under no contact policy", ("0", "10", "+10")),
    }
    options = [each.text for each in marketer.open(PATH).main.one("select", id="rules").all("option")]
    assert options == [
        "Newest (version 2)", "None at all", "Version 2, 21 November 2026", "Version 1, 21 November 2026",
    ]  # fmt: skip


def test_two_campaigns_are_compared_with_a_word_on_names(world, marketer):
    willing(world, 4)
    publish(world, **MAIL_ONLY)
    autumn = {"key": "autumn", "name": "Autumn", "holdout": {"share": 0, "salt": "s"}}
    publish(world, **{**MAIL_ONLY, "campaign": autumn})
    button = "Compare 2 policies for 6 customers"
    page = compare(marketer, button, a="spring", b="autumn")
    assert "treatments of the same name count as the same" in page.main.text
    assert [each.text.partition(",")[0] for each in page.main.all("dd")] == ["Spring", "Autumn"]
    assert "treatments of the same name" not in compare(marketer, button, a="spring", b="spring").main.text


@pytest.mark.usefixtures("two")
def test_comparing_keeps_nothing_but_the_record_of_the_uses(world, marketer):
    def rows():
        tables = ("run", "decision_chunk", "contact", "ledger_entry", "campaign_dry_run")
        return {each: len(world.rows(f"SELECT * FROM {each}")) for each in tables}  # noqa: S608 -- our own names

    before, uses = rows(), len(world.rows("SELECT * FROM data_use"))
    marketer.open(PATH)
    assert (rows(), len(world.rows("SELECT * FROM data_use"))) == (before, uses)
    compare(marketer, a_version="1")
    assert rows() == before
    assert set(world.rows("SELECT actor, reason FROM data_use")[uses:]) == {
        ("staff:pat", f"comparing spring@{version} under contact policy 0") for version in (1, 2)
    }


# ----------------------------------------------------------------------------------------------------------- the form


@pytest.mark.usefixtures("two")
def test_the_campaigns_page_leads_to_its_version_against_the_one_before(marketer):
    link = next(
        each for each in marketer.open("/console/campaigns/spring").main.all("a") if each.text.startswith("Compare")
    )
    assert link.text == "Compare version 1 with version 2"
    page = marketer.open(link.attrs["href"])
    fields = {name: value for name, value in page.form(BUTTON).fields.items() if name != "csrf_token"}
    assert fields == {"a": "spring", "a_version": "1", "b": "spring", "b_version": "2", "rules": ""}
    told = marketer.press(page, BUTTON)
    assert told.form(BUTTON).fields == page.form(BUTTON).fields


def test_a_first_version_is_compared_with_another_policy(world, marketer):
    fill(world, 3)
    publish(world)
    page = marketer.open("/console/campaigns/spring")
    link = next(each for each in page.main.all("a") if each.text == "Compare it with another policy")
    assert marketer.open(link.attrs["href"]).status == 200


def test_where_there_is_nothing_to_compare_the_page_says_what_to_do(world, marketer):
    assert "No campaign is published yet" in marketer.open(PATH).main.text
    publish(world)
    assert marketer.open(PATH).buttons() == ["Compare 2 policies for 2 customers"]


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ({"a_version": "two"}, {"a_version": NUMBER}),
        ({"a_version": "0"}, {"a_version": NUMBER}),
        ({"b_version": "-1"}, {"b_version": NUMBER}),
        ({"a_version": "1" * 100_001}, {"a_version": NUMBER}),
        ({"a_version": "7"}, {"a_version": "spring has no version 7: its newest is 2"}),
        ({"b_version": "3"}, {"b_version": "spring has no version 3: its newest is 2"}),
        ({"a": "autumn"}, {"a": "There is no campaign autumn"}),
        ({"b": "x" * 100_001}, {"b": "There is no campaign " + "x" * 80}),
        ({"a": ""}, {"a": "Choose a campaign"}),
        ({"b": "autumn", "b_version": "2"}, {"b": "There is no campaign autumn"}),
        ({"rules": "four"}, {"rules": "Choose a version of the contact policy, or none"}),
        ({"rules": "4"}, {"rules": "There is no such version of the contact policy"}),
        ({"a_version": "x", "b": "autumn"}, {"a_version": NUMBER, "b": "There is no campaign autumn"}),
    ],
)  # fmt: skip
def test_what_can_not_be_compared_is_said_at_its_field(world, marketer, typed, expected):
    uses = len(world.rows("SELECT * FROM data_use"))
    page = compare(marketer, **typed)
    assert (page.status, page.heading, wrong(page)) == (422, "Compare policies", expected)
    kept = page.form(BUTTON).fields
    assert {name: kept[name] for name in typed if "version" in name} == {
        name: value for name, value in typed.items() if "version" in name
    }
    assert len(world.rows("SELECT * FROM data_use")) == uses


@pytest.mark.usefixtures("two")
def test_a_campaign_that_the_catalogue_has_left_behind_is_named_at_its_field(world, marketer):
    with world.store.read() as work:
        body = world.deployment.desk.catalogues.current(work).body
    world.publish(body.replace("months_since_purchase", "months_since_buying"))
    found = wrong(compare(marketer, a_version="1"))
    assert list(found) == ["a_version", "b"]
    assert found["b"].startswith("The campaign doesn't fit the catalogue: campaign.audience")


@pytest.mark.usefixtures("two")
def test_a_contact_policy_that_the_catalogue_has_left_behind_is_named_too(world, marketer):
    rule(world, zones={"country": "country"})
    rule(world, weight_of_benefit=2)
    with world.store.read() as work:
        body = world.deployment.desk.catalogues.current(work).body
    world.publish(body.replace("country = ", "land = "))
    why = "The contact policy doesn't fit the catalogue: zones.country: 'country' is no attribute of the catalogue"
    assert wrong(compare(marketer, rules="1")) == {"rules": why}
    rule_again = compare(marketer, rules="2")
    assert rule_again.status == 200


@pytest.mark.usefixtures("two")
def test_a_form_that_is_not_ours_is_refused(marketer):
    assert compare(marketer, other="1").status == 400


# ------------------------------------------------------------------------------------------------------------- who may


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("role", [Role.OFFICER, Role.AGENT, Role.ADMIN])
def test_who_may_not_try_out_compares_nothing(world, staff, role):
    who, uses = staff(role), len(world.rows("SELECT * FROM data_use"))
    token = who.open("/console").form("Sign out").fields["csrf_token"]
    sent = {"csrf_token": token, "a": "spring", "a_version": "", "b": "spring", "b_version": "", "rules": ""}
    assert (who.open(PATH).status, who.send(PATH, sent).status) == (403, 403)
    assert "Compare" not in who.open("/console").tree.text
    assert len(world.rows("SELECT * FROM data_use")) == uses


@pytest.mark.usefixtures("two")
def test_a_form_without_its_token_is_refused(marketer):
    sent = {"a": "spring", "a_version": "", "b": "spring", "b_version": "", "rules": ""}
    assert (marketer.send(PATH, sent).status, marketer.send(PATH, {**sent, "csrf_token": "x"}).status) == (403, 403)
