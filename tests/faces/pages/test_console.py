"""The marketer's pages: campaigns in words, dry runs that add up, runs that can be paused, what came of it."""

import pytest

from api.actors import links
from api.jobs import contacts as jobs_of_contacts
from api.jobs.worker import _heartbeat, _runs
from api.pages.reasons import reason_in_words
from api.roles import Role
from api.security import CONTENT_SECURITY, ENCLOSED, FRAMING
from consent import gate
from consent.base.ids import RunId
from personalise.campaigns.reading import parse_campaign
from personalise.life import approving
from personalise.runs import dry_run
from personalise.runs import run as runs
from tests.builders import toml
from tests.campaigns import SHOP, TABLES, campaign, fill, open_run, publish, ready, sent, willing
from tests.faces.pages.conftest import Visitor, house_of
from tests.serving import served

DECIDED = ("run", "decision_chunk", "contact", "ledger_entry")


@pytest.fixture
def world(sqlite_world):
    return sqlite_world


@pytest.fixture
def marketer(staff):
    return staff(Role.MARKETER)


@pytest.fixture
def approver(staff):
    return staff(Role.APPROVER)


@pytest.fixture
def key(world):
    fill(world, 60)
    return publish(world)


def counts(page):
    """The table of counts: words → customers, in its order."""
    rows = [row for row in page.main.all("table")[0].all("tr") if row.all("td")]
    return {row.one("th").text: int(row.all("td")[0].text.replace(",", "")) for row in rows}


def sums_up(found, *, chosen, lost):
    """Say whether both parts of the table, and the two together, add up."""
    words = list(found)
    first = [found[word] for word in words[words.index(chosen) + 1 : words.index(lost)]]
    second = [found[word] for word in words[words.index(lost) + 1 : -1]]
    return (sum(first), sum(second), found[chosen] + found[lost]) == (
        found[chosen],
        found[lost],
        found["all customers"],
    )


def rows(world):
    return {table: len(world.rows(f"SELECT * FROM {table}")) for table in DECIDED}  # noqa: S608 -- our own names


def worker(world, *jobs):
    """Let a worker do its jobs once."""
    for job in jobs:
        job(house_of(world), "a worker")


# ---------------------------------------------------------------------------------------------------------- campaigns


def test_an_empty_console_says_what_to_do(marketer):
    page = marketer.open("/console")
    assert [each.text for each in page.main.all("p", class_="muted")] == [
        "No run is under way. Open a campaign to try one out and to start one.",
        "No campaign is published yet. Publish one from a file: byleave campaign publish FILE",
    ]


def test_a_campaign_is_told_in_words(marketer, key):
    page = marketer.open(f"/console/campaigns/{key}")
    text = page.main.text
    assert page.heading == "Spring"
    assert [each.text for each in page.main.all("p", class_="lead")] == ["You hear of what suits you."]
    assert "Customers of whom this holds: months_since_purchase <= 12" in text
    assert "At most 2 contacts by E-mail in 30 days, over all campaigns." in text
    assert "10 % of the customers are held out by chance, to measure against." in text
    assert "Use: “What you bought” for “Recommendations for you”" in text
    assert "A person to reach The desk" in text


def test_what_there_is_only_so_much_of_is_told_in_words(world, marketer):
    limits = {"goodwill_budget": 5_000, "holdout": {"share": 0.1, "salt": "s"}}
    volume = [{"key": "desk", "channels": ["email"], "limit": 40}, {"key": "few", "treatments": ["letter"], "limit": 1}]
    key = publish(world, volume=volume, campaign=limits)
    text = marketer.open(f"/console/campaigns/{key}").main.text
    assert "At most 40 contacts by E-mail in all, to whom it is worth most." in text
    assert "At most 1 contact by letter in all, to whom it is worth most." in text
    assert "At most 5,000 points of goodwill, over all versions." in text
    words = [reason_in_words(rule, campaign(), SHOP) for rule in ("volume:desk", "goodwill_budget")]
    assert words == [
        "came behind those for whom there was enough of it (“desk”)",
        "came behind those on whom the campaign's goodwill budget was spent",
    ]


PAGE = "<mjml><mj-body><mj-section><mj-column><mj-text>%s</mj-text></mj-column></mj-section></mj-body></mjml>"


def mailed(world):
    """Publish a campaign whose first treatment has an HTML mail that reads something."""
    first, *rest = TABLES["treatment"]
    mail = {
        "mjml": PAGE % "For {{ main_interest }}",
        "general_mjml": PAGE % "For all",
        "general": "x",
        "channel": "email",
    }
    return publish(world, treatment=[{**first, **mail}, *rest])


def test_an_html_mail_is_shown_in_a_frame_in_which_nothing_runs_or_is_fetched(world, marketer):
    key = mailed(world)
    page = marketer.open(f"/console/campaigns/{key}")
    frames = page.main.all("iframe")
    paths = [f"/console/campaigns/{key}/mails/mail/{which}" for which in ("own", "general")]
    assert [(each.attrs["src"], each.attrs["sandbox"]) for each in frames] == [(path, "") for path in paths]
    assert page.response.headers["Content-Security-Policy"] == FRAMING
    own, general = (marketer.open(path) for path in paths)
    assert ["For …" in own.response.text, "For all" in general.response.text] == [True, True]
    assert {each.response.headers["Content-Security-Policy"] for each in (own, general)} == {ENCLOSED}
    assert ENCLOSED.startswith("sandbox; default-src 'none'")


def test_a_page_without_mails_frames_nothing_and_there_is_no_mail_of_what_has_none(world, marketer):
    key = publish(world)
    assert marketer.open(f"/console/campaigns/{key}").response.headers["Content-Security-Policy"] == CONTENT_SECURITY
    for path in ("mail/own", "mail/general", "nothing/own", "mail/other"):
        assert marketer.open(f"/console/campaigns/{key}/mails/{path}").status == 404


def test_an_unknown_campaign_is_not_found(marketer):
    assert marketer.open("/console/campaigns/nothing").status == 404


@pytest.mark.usefixtures("key")
def test_a_campaign_that_the_catalogue_has_left_behind_is_marked(world, marketer):
    with world.store.read() as work:
        body = world.deployment.desk.catalogues.current(work).body
    world.publish(body.replace("months_since_purchase", "months_since_buying"))
    page = marketer.open("/console")
    assert page.main.one("span", class_="state-stale").text == "Doesn't fit the catalogue"
    assert page.main.all("a") == []


def test_only_an_approver_is_offered_the_start(marketer, approver, staff, key):
    path = f"/console/campaigns/{key}"
    assert {role: who.open(path).buttons() for role, who in (("marketer", marketer), ("approver", approver))} == {
        "marketer": ["Dry run for 62 customers (changes nothing)", "Measure what came of it", "Check version 1"],
        "approver": [
            "Dry run for 62 customers (changes nothing)",
            "Start the run for 62 customers",
            "Measure what came of it",
            "Check version 1",
            "Approve version 1",
            "Pause spring",
            "Stop spring",
            "Schedule version 1",
        ],
    }
    assert staff(Role.OFFICER).open(path).buttons() == ["Measure what came of it"]


# ------------------------------------------------------------------------------------------------------------ dry runs


def test_a_dry_run_says_who_is_lost_and_why_and_adds_up(marketer, key):
    page = marketer.press(marketer.open(f"/console/campaigns/{key}"), "Dry run for 62 customers (changes nothing)")
    found = counts(page)
    assert sums_up(found, chosen="would be addressed", lost="would not be addressed")
    assert found["all customers"] == 62
    assert found["would get mail, by E-mail"] > 0
    assert found["have not answered (Contact: E-mail for “Recommendations for you”)"] > 0
    assert page.main.one("p", class_="lead").text.startswith(f"{found['would be addressed']} of 62 customers (")


def test_a_dry_run_tells_what_it_would_cost_and_shows_some_customers_whom_it_does_not_name(world, marketer, key):
    page = marketer.press(marketer.open(f"/console/campaigns/{key}"), "Dry run for 62 customers (changes nothing)")
    [forecast] = [each for each in page.main.all("table") if each.one("caption").text.startswith("Contacts, outcomes")]
    told = {row.one("th").text: row.one("td").text for row in forecast.all("tr") if row.all("td")}
    groups = [each.text for each in page.main.all("summary")]
    addressed = counts(page)["would get mail, by E-mail"]

    assert told["Contacts by E-mail"] == str(addressed)
    assert float(told["Cost of the offers to the company"]) > 0
    assert told["Goodwill that the contacts cost, in points"] == "–"
    assert f"{min(3, addressed)} of the {addressed} who would get mail, by E-mail" in groups
    assert [customer for (customer,) in world.rows("SELECT id FROM customer") if customer in page.main.text] == []


def test_a_campaigns_page_tells_what_its_last_dry_run_foresaw(marketer, approver, key):
    before = approver.open(f"/console/campaigns/{key}")
    page = marketer.press(marketer.open(f"/console/campaigns/{key}"), "Dry run for 62 customers (changes nothing)")
    [foreseen] = [each for each in page.main.all("table") if each.one("caption").text.startswith("Contacts, outcomes")]
    after = approver.open(f"/console/campaigns/{key}")
    addressed = counts(page)["would be addressed"]

    assert [each.text for each in before.main.all("h2")].count("What its last dry run foresaw") == 0
    section = after.main.one("section", aria_labelledby="seen")
    assert section.one("table").text == foreseen.text
    assert f"staff:pat looked: {addressed} of 62 customers would be addressed" in section.all("p")[0].text


def test_the_chart_says_what_the_table_says(marketer, key):
    page = marketer.press(marketer.open(f"/console/campaigns/{key}"), "Dry run for 62 customers (changes nothing)")
    bars = page.main.one("ol", class_="bars").all("li")
    left = [int(bar.one("span", class_="number").inside[0]) for bar in bars]
    assert (left[0], left[-1], sorted(left, reverse=True)) == (62, counts(page)["would be addressed"], left)
    solid = [int(bar.one("rect", class_="bar").attrs["width"]) for bar in bars]
    assert solid == [round(1000 * each / 62) for each in left]


def test_a_dry_run_changes_nothing_but_the_record_of_having_looked(world, marketer, key):
    before, uses = rows(world), len(world.rows("SELECT * FROM data_use"))
    marketer.press(marketer.open(f"/console/campaigns/{key}"), "Dry run for 62 customers (changes nothing)")
    assert rows(world) == before
    looked = world.rows("SELECT actor, reason FROM data_use")[uses:]
    assert set(looked) == {("staff:pat", "dry run of spring")}


# ---------------------------------------------------------------------------------------------------------------- runs


def test_a_run_is_started_carried_on_by_the_worker_and_told(world, approver, key):
    page = approver.press(approver.open(f"/console/campaigns/{key}"), "Start the run for 62 customers")
    assert (page.heading, page.main.one("span", class_="state").text) == ("Run of spring", "Running")
    worker(world, _heartbeat, _runs)
    page = approver.open(page.path)
    assert page.main.one("span", class_="state").text == "Finished"
    assert sums_up(counts(page), chosen="addressed", lost="not addressed")
    assert page.main.one("progress").attrs["value"] == "62"
    assert approver.open("/console").main.one("h2", id="ended").text == "Ended"
    world.check_ledger()


def test_a_run_tells_how_many_are_decided_about_again_and_the_worker_does_it(world, approver):
    cap = [{"key": "mail", "channels": ["email"], "limit": 1, "days": 2}]
    for key in ("first", "spring"):
        everybody = {"key": key, "holdout": {"share": 0, "salt": "s"}}
        publish(world, treatment=TABLES["treatment"][:1], cap=cap, campaign=everybody)
    willing(world, 3)
    for key in ("first", "spring"):
        page = approver.open(f"/console/campaigns/{key}")
        page = approver.press(page, "Start the run for 5 customers")
        worker(world, _heartbeat, _runs)
        sent(world)
    page = approver.open(page.path)
    assert "Held back for now, decided again later 3 customers" in page.main.text
    world.clock.advance(days=2)
    worker(world, jobs_of_contacts.sweep, jobs_of_contacts.again)
    assert world.rows("SELECT state, count(*) FROM deferral GROUP BY state") == [("decided", 3)]
    world.clock.advance(days=7)
    worker(world, jobs_of_contacts.sweep)
    stand = world.rows("SELECT status, count(*) FROM contact GROUP BY status ORDER BY 1")
    assert stand == [("expired", 3), ("sent", 3)]


def test_a_run_that_waits_says_what_for(world, approver, key):
    page = approver.press(approver.open(f"/console/campaigns/{key}"), "Start the run for 62 customers")
    assert page.main.one("div", class_="note-warn").text == (
        "Why it waits No worker has been seen yet. Runs and audits wait until one is started: byleave worker"
    )
    worker(world, _heartbeat)
    world.clock.advance(seconds=12)
    page = approver.open(page.path)
    assert page.main.all("div", class_="note-warn") == []
    assert "The worker was last seen 12 seconds ago." in page.main.text
    world.clock.advance(minutes=7)
    assert "The worker was last seen 7 minutes ago. Runs and audits wait" in approver.open(page.path).main.text


def test_a_run_is_paused_and_resumed(world, approver, key):
    page = approver.press(approver.open(f"/console/campaigns/{key}"), "Start the run for 62 customers")
    page = approver.press(page, "Pause the run")
    worker(world, _heartbeat, _runs)
    page = approver.open(page.path)
    assert (page.main.one("span", class_="state").text, page.main.one("progress").attrs["value"]) == ("Paused", "0")
    page = approver.press(page, "Resume the run")
    worker(world, _runs)
    assert approver.open(page.path).main.one("span", class_="state").text == "Finished"


def test_a_run_is_stopped_by_typing_its_campaign(world, approver, key):
    page = approver.press(approver.open(f"/console/campaigns/{key}"), "Start the run for 62 customers")
    number = RunId(page.path.rpartition("/")[2])
    wrong = approver.press(page, "Stop the run of spring", campaign="sprung")
    assert (wrong.status, runs.read(world.deployment, number).state) == (422, "running")
    assert wrong.tree.one("title").text == "Error: Run of spring: Running · Byleave"
    assert wrong.main.one("div", role="alert").one("a").attrs["href"] == "#stop-key"
    assert wrong.main.one("input", id="stop-key").attrs["value"] == "sprung"
    page = approver.press(wrong, "Stop the run of spring", campaign="spring")
    assert page.main.one("span", class_="state").text == "Stopped"
    assert page.buttons() == ["Measure what came of spring"]


def test_what_a_finished_run_reserved_is_paused_resumed_and_stopped(world, approver, key):
    approver.press(approver.open(f"/console/campaigns/{key}"), "Start the run for 62 customers")
    worker(world, _runs)
    page = approver.open(f"/console/campaigns/{key}")
    assert "A run of version 1 has finished; what it reserved is sent" in page.main.text
    page = approver.press(page, "Pause spring")
    assert "It waits: nobody is decided about" in page.main.text
    page = approver.press(page, "Resume spring")
    wrong = approver.press(page, "Stop spring", campaign="sprung")
    assert (wrong.status, wrong.main.one("input", id="stop-key").attrs["value"]) == (422, "sprung")
    page = approver.press(wrong, "Stop spring", campaign="spring")
    assert "Version 1: Stopped" in page.main.text
    assert not {"Pause spring", "Resume spring", "Stop spring"} & set(page.buttons())


def test_a_version_that_was_stopped_starts_again_only_by_a_button_that_says_so(world, approver, key):
    seen = approver.open(f"/console/campaigns/{key}")
    page = approver.press(seen, "Stop spring", campaign="spring")
    late = approver.press(seen, "Start the run for 62 customers")  # its page is from before
    assert (late.status, world.rows("SELECT id FROM run")) == (409, [])
    assert "version 1 of spring was stopped on" in late.main.text
    assert "Start the run for 62 customers" not in page.buttons()
    assert "Schedule version 1 again, though it was stopped" in page.buttons()
    page = approver.press(page, "Start version 1 again, though it was stopped, for 62 customers")
    assert page.main.one("span", class_="state").text == "Running"


def test_live_decisions_are_paused_resumed_and_stopped(approver, key):
    page = approver.open(f"/console/campaigns/{key}")
    assert "No run is under way. Programs that ask for a decision get one." in page.main.text
    page = approver.press(page, "Pause spring")
    assert "It waits: nobody is decided about, and nothing that it has reserved is sent." in page.main.text
    assert not {"Start the run for 62 customers", "Pause spring"} & set(page.buttons())
    page = approver.press(page, "Resume spring")
    assert "Version 1: Draft" in page.main.text
    page = approver.press(page, "Stop spring", campaign="spring")
    assert "Version 1: Stopped" in page.main.text
    assert "Programs that ask" not in page.main.text
    assert not {"Pause spring", "Resume spring", "Stop spring"} & set(page.buttons())


def test_a_second_run_can_not_start_beside_the_first(world, approver, key):
    page = approver.open(f"/console/campaigns/{key}")
    approver.press(page, "Start the run for 62 customers")
    again = approver.press(page, "Start the run for 62 customers")
    assert (again.status, len(world.rows("SELECT id FROM run"))) == (409, 1)
    assert "Start the run for 62 customers" not in approver.open(page.path).buttons()


def test_a_finished_run_can_not_be_resumed(world, approver, key):
    page = approver.press(approver.open(f"/console/campaigns/{key}"), "Start the run for 62 customers")
    worker(world, _runs)
    token = approver.open("/console").form("Sign out").fields["csrf_token"]
    assert approver.send(f"{page.path}/resume", {"csrf_token": token}).status == 409


def test_an_unknown_run_is_not_found(approver):
    assert approver.open("/console/runs/run_x").status == 404


def test_who_may_not_steer_a_run_is_shown_no_button_for_it(world, marketer, key):
    run = open_run(world.deployment, key, actor="staff:pat")
    assert marketer.open(f"/console/runs/{run}").buttons() == ["Measure what came of spring"]


# ------------------------------------------------------------------------------------------------------------- results


def arms(page):
    return [
        tuple(each.text for each in row.inside if not isinstance(each, str)) for row in page.main.one("tbody").all("tr")
    ]


def tell(world, who, got, visited):
    with world.store.write() as work:
        facts = [(each, {"got": got, "visited": spot < visited}) for spot, each in enumerate(who)]
        gate.remember(world.deployment.desk, work, facts, at=world.clock())


def test_without_outcomes_there_is_nothing_to_judge(marketer, key):
    page = marketer.press(marketer.open(f"/console/campaigns/{key}"), "Measure what came of it")
    assert page.main.all("p")[2].text == (
        "No outcomes have come in yet of customers who permit measuring, so there is nothing to judge."
    )
    assert page.main.all("table") == []


def test_effects_are_told_with_their_intervals(world, marketer, key):
    who = willing(world, 400)
    tell(world, who[:200], "mail", 60)
    tell(world, who[200:], "none", 20)
    page = marketer.press(marketer.open(f"/console/campaigns/{key}"), "Measure what came of it")
    assert arms(page) == [
        ("mail", "200", "30 %", "24.1 % to 36.7 %", "+20.0", "+12.3 to +27.5"),
        ("no message", "200", "10 %", "6.6 % to 14.9 %", "compared against", ""),
    ]
    assert page.main.one("figcaption").text.startswith(
        "Difference in “visited” against no message, in percentage points “mail” brought +20"
    )


def test_of_a_number_the_means_are_told(world, marketer):
    key = publish(world, objective={"measure": "spent"})
    who = willing(world, 80)
    with world.store.write() as work:
        facts = [
            (each, {"got": "mail" if spot < 40 else "none", "spent": float(spot % 40 + (spot < 40))})
            for spot, each in enumerate(who)
        ]
        gate.remember(world.deployment.desk, work, facts, at=world.clock())
    page = marketer.press(marketer.open(f"/console/campaigns/{key}"), "Measure what came of it")
    assert arms(page) == [
        ("mail", "40", "20.5", "16.76 to 24.24", "+1", "−4.204 to +6.204"),
        ("no message", "40", "19.5", "15.76 to 23.24", "compared against", ""),
    ]
    assert page.main.one("figcaption").text.startswith(
        "Difference in “spent” against no message, on average No treatment can be told from no message"
    )
    assert page.main.one("thead").all("th")[4].text == "Against no message"


def test_an_arm_that_is_too_small_says_so(world, marketer, key):
    who = willing(world, 3)
    tell(world, who, "mail", 1)
    page = marketer.press(marketer.open(f"/console/campaigns/{key}"), "Measure what came of it")
    assert "too few to judge" in arms(page)[0][4]


def test_the_holdout_is_told_beside_with_what_it_cost(world, marketer, key):
    willing(world, 200)  # so many that some are held out by whatever ids they have
    runs.advance(world.deployment, open_run(world.deployment, key, actor="staff:pat"))
    [(addressed,)] = world.rows("SELECT count(*) FROM contact WHERE status <> 'ghost'")
    [(held_out,)] = world.rows("SELECT count(*) FROM contact WHERE status = 'ghost'")
    page = marketer.press(marketer.open(f"/console/campaigns/{key}"), "Measure what came of it")
    assert arms(page) == [
        ("Addressed", str(addressed), "0", "–", "0", "0"),
        ("Held out", str(held_out), "0", "–", "0", "0"),
    ]
    told = [item.text for item in page.main.one("section").all("li")]
    assert told[0] == "Goodwill spent: 0 points; given back: 0."
    assert "too few to judge (expected customers in an arm: 0 of 5)" in told[1]


def test_measuring_is_written_down(world, marketer, key):
    marketer.press(marketer.open(f"/console/campaigns/{key}"), "Measure what came of it")
    assert ("staff:pat", "measuring the effects of spring") in world.rows("SELECT actor, reason FROM data_use")


def test_for_whom_each_offer_is_stands_on_the_page(world, marketer):
    first, second = TABLES["offer"]
    fitting = {"applicability": "visits_past_month > 1", "suitability": "main_interest = 'tea'"}
    key = publish(world, offer=[{**first, **fitting}, {**second, "applicability": "purchases_count > 5"}])
    page = marketer.open(f"/console/campaigns/{key}")
    cards = page.main.one("section", aria_labelledby="offers").all("li", class_="card")
    told = [
        {name.text: value.text for name, value in zip(card.all("dt"), card.all("dd"), strict=True)} for card in cards
    ]
    asked = ("For whom", "Who can use it", "For whom it is good")
    assert [[facts.get(name) for name in asked] for facts in told] == [
        ["spend_past_year > 10", "visits_past_month > 1", "main_interest = 'tea'"],
        ["everybody in the audience", "purchases_count > 5", None],
    ]


# ----------------------------------------------------------------------------------------------------------- its life


@pytest.fixture
def strict(world):
    """Return a function that signs somebody in where a second person is demanded."""
    app = served(house_of(world, four_eyes=True))

    def enter(role, name):
        with world.store.write() as work:
            token = links.for_staff(work, name, role, at=world.clock())
        visitor = Visitor(client=app.test_client())
        visitor.press(visitor.open(f"/s/{token}"), f"Continue as {name}")
        return visitor

    return enter


@pytest.fixture
def waiting(world):
    """Publish a version in Mia's name, with nothing to advise but a dry run; return its page's address."""
    fill(world, 60)
    with world.store.write() as work:
        desk = world.deployment.desk
        read = parse_campaign(toml(ready()), "toml", desk.catalogues.current(work))
        approving.publish(desk, work, read, actor="staff:mia", four_eyes=True, at=world.clock())
    return "/console/campaigns/spring"


def life(page):
    """How a campaign stands, and the steps of its history, the newest first."""
    state = page.main.one("section", **{"aria-labelledby": "life"}).one("span", class_="state").text
    history = page.main.one("section", **{"aria-labelledby": "history"})
    return state, [each.text for each in history.all("p", class_="card-head")]


def test_a_campaign_page_shows_what_stands_in_the_way_of_an_approval(strict, waiting):
    page = strict(Role.APPROVER, "cy").open(waiting)
    advice = page.main.one("section", **{"aria-labelledby": "advice"})
    assert [each.text for each in advice.all("h3")] == ["Give value for money", "Make me feel secure"]
    do = "Run byleave campaign dry-run spring and look at who is lost and why."
    found = [each.text for each in advice.all("li")]
    assert found == [
        (
            "Should: Its budget of goodwill limits no contact by email, post, sms, which costs none. Write the price "
            "into the contact policy: goodwill.prices. campaign.goodwill_budget"
        ),
        f"Must: Nobody has looked at whom this version reaches. {do}",
    ]
    assert [each.text for each in advice.all("code")] == [
        "goodwill.prices", "campaign.goodwill_budget", "byleave campaign dry-run spring",
    ]  # fmt: skip
    assert life(page) == ("Version 1: Draft", ["Version 1 published"])
    assert page.buttons() == [
        "Dry run for 62 customers (changes nothing)",
        "Measure what came of it",
        "Check version 1",
    ]
    assert "It can start once it is approved." in page.main.text


def test_a_second_person_approves_and_then_it_can_start(world, strict, waiting):
    mia, cy = strict(Role.MARKETER, "mia"), strict(Role.APPROVER, "cy")
    mia.press(mia.open(waiting), "Dry run for 62 customers (changes nothing)")
    assert life(mia.press(mia.open(waiting), "Check version 1"))[0] == "Version 1: Checked, not approved"
    assert "Approve version 1" not in mia.open(waiting).buttons()
    page = cy.press(cy.open(waiting), "Approve version 1")
    assert life(page)[0] == "Version 1: Approved"
    assert "Start the run for 62 customers" in page.buttons()
    cy.press(page, "Start the run for 62 customers")
    assert life(cy.open(waiting)) == (
        "Version 1: Running",
        [
            "Version 1 started", "Version 1 approved", "Version 1 checked: nothing stands against an approval",
            "Version 1 published",
        ],
    )  # fmt: skip
    world.check_ledger()


def test_who_published_a_version_is_told_that_somebody_else_approves_it(strict, waiting):
    mia = strict(Role.APPROVER, "mia")
    mia.press(mia.open(waiting), "Dry run for 62 customers (changes nothing)")
    page = mia.open(waiting)
    assert "You published this version, so somebody else approves it." in page.main.text
    assert "Approve version 1" not in page.buttons()
    tag = page.form("Check version 1").fields["tag"]
    token = page.form("Check version 1").fields["csrf_token"]
    assert mia.send(f"{waiting}/approve", {"tag": tag, "csrf_token": token}).status == 403


def test_a_start_is_scheduled_for_later_and_cancelled(approver, waiting):
    page = approver.open(waiting)
    wrong = approver.press(page, "Schedule version 1", at="2020-01-01T10:00")
    assert (wrong.status, wrong.main.one("input", id="start-at").attrs["value"]) == (422, "2020-01-01T10:00")
    page = approver.press(wrong, "Schedule version 1", at="2026-11-22T10:00")
    assert life(page)[0] == "Version 1: Scheduled"
    assert "Version 1 is scheduled for 22 November 2026, 10:00 UTC." in page.main.text
    page = approver.press(page, "Cancel the scheduled start")
    assert life(page)[0] == "Version 1: Stopped"


def test_an_approval_on_a_page_of_yesterday_is_refused(world, strict, waiting):
    cy = strict(Role.APPROVER, "cy")
    dry_run.dry_run(world.deployment, "spring", actor="mia")
    page = cy.open(waiting)
    publish(world, campaign={"name": "Spring again"})
    assert cy.press(page, "Approve version 1").status == 412


def test_looking_at_a_campaign_writes_nothing(world, marketer, waiting):
    size = world.size()
    marketer.open(waiting)
    assert (world.size(), world.rows("SELECT COUNT(*) FROM campaign_event")) == (size, [(1,)])
