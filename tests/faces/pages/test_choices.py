"""The customer's choices: what stands, what he changes, what the ledger says of it afterwards."""

import tomllib
from datetime import timedelta

import pytest

from consent.base.ids import CustomerId, Scope
from consent.catalogue.reading import DEFAULT
from consent.register import history, links
from tests.builders import START, toml
from tests.world import FOUNDING, asked_scopes

MAIL, NEWS = "contact:email:recommendations", "contact:email:newsletter"
INTERESTS, BROWSING = "remember:interests", "remember:browsing"
GERMAN = (
    "Dürfen wir Ihnen unseren Newsletter per E-Mail schicken? Jede Ausgabe enthält einen Link, der ihn sofort beendet."
)
REPLIES, MEASURING = "remember:responses", "use:responses:measurement"


@pytest.fixture
def world(sqlite_world):
    return sqlite_world


@pytest.fixture
def bo(world, customer):
    return customer(world.bo)


@pytest.fixture
def ann(world, customer):
    return customer(world.ann)


def asked(world):
    with world.store.read() as work:
        return asked_scopes(world.deployment.desk.catalogues.current(work))


def mark(page, scope):
    """What a card says stands: the word, and the class that its shape and border hang on."""
    shown = page.card(scope).one("span", class_="state")
    assert len(shown.all("svg")) == 1
    return shown.text, shown.attrs["class"].split()[-1]


def said(world, customer):
    with world.store.read() as work:
        return [
            (
                one.statement.act.value,
                one.statement.scopes,
                one.statement.method.value,
                one.statement.language,
                one.actor,
            )
            for one in history.of_customer(world.deployment.desk, work, customer)
        ]


def changed(page):
    """The rows of the saved page: name, before, now, where it stands in the ledger."""
    rows = [item for item in page.main.all("li") if item.all("h2")]
    return [
        (
            row.one("h2").text,
            *(each.text for each in row.all("span", class_="state")),
            row.all("p", class_="muted")[0].text,
        )
        for row in rows
    ]


# --------------------------------------------------------------------------------------------------- what is shown


def test_nothing_is_filled_in_for_somebody_who_never_answered(world, bo):
    page = bo.open("/p/choices")
    radios = [one for one in page.main.all("input") if one.attrs.get("type") in ("radio", "checkbox")]
    assert len(radios) == 2 * len(asked(world)) + 2
    assert [one.attrs["name"] for one in radios if "checked" in one.attrs] == []
    assert {mark(page, scope) for scope in asked(world)} == {("Not answered", "state-unasked")}


def test_what_stands_is_filled_in(world, ann):
    page = ann.open("/p/choices")
    filled = [one for one in page.main.all("input", type="radio") if "checked" in one.attrs]
    assert [(one.attrs["name"], one.attrs["value"]) for one in filled] == [
        (f"answer:{scope}", "yes") for scope in asked(world)
    ]


def test_each_state_has_its_own_word_and_its_own_shape(world, bo):
    world.grant(world.bo, MAIL)
    world.refuse(world.bo, NEWS)
    world.object(world.bo, "contact:sms:recommendations")
    world.grant(world.bo, BROWSING, said_at=START - timedelta(days=500), notice_version=1)
    world.object(world.bo, REPLIES)
    page = bo.open("/p/choices")
    marks = {
        scope: mark(page, scope)
        for scope in (
            MAIL,
            NEWS,
            "contact:sms:recommendations",
            BROWSING,
            INTERESTS,
            REPLIES,
            MEASURING,
            "remember:identity",
        )
    }
    assert marks == {
        MAIL: ("Yes", "state-yes"),
        NEWS: ("No", "state-no"),
        "contact:sms:recommendations": ("You objected", "state-objected"),
        BROWSING: ("Has run out", "state-expired"),
        INTERESTS: ("Not answered", "state-unasked"),
        REPLIES: ("You objected", "state-objected"),
        MEASURING: ("In use", "state-runs"),
        "remember:identity": ("Needed for service", "state-needed"),
    }
    shapes = [str(page.card(scope).one("span", class_="state").one("svg").inside) for scope in marks]
    assert len(set(shapes)) == len(set(marks.values()))


def test_what_has_run_out_is_asked_again_and_not_filled_in(world, bo):
    world.grant(world.bo, BROWSING, said_at=START - timedelta(days=500), notice_version=1)
    card = bo.open("/p/choices").card(BROWSING)
    assert [one.attrs["value"] for one in card.all("input", type="radio") if "checked" in one.attrs] == []
    assert "You said yes on 9 July 2025. That ran out on 9 August 2026" in card.text


def test_the_wording_the_benefit_and_the_ground_stand_on_the_card(bo):
    card = bo.open("/p/choices").card(NEWS)
    assert card.one("p", class_="wording").text == (
        "May we send you our newsletter by e-mail? Every issue has a link that stops it at once."
    )
    assert card.one("p", class_="benefit").text == "What you gain: News from the shop, as often as there is some."
    assert dict(zip([each.text for each in card.all("dt")], [each.text for each in card.all("dd")], strict=True)) == {
        "On what ground": "Only your yes. You can take it back at any time, as easily as you gave it.",
        "How long we keep it": "24 months",
        "How long your yes holds": "24 months",
        "This wording": "version 1",
    }


def test_what_serves_an_order_is_told_and_can_not_be_switched_off(bo):
    card = bo.open("/p/choices").card("contact:email:service")
    assert card.all("input") == []
    assert "It can't be switched off here because your order would then fail." in card.text


def test_yes_to_all_and_no_to_all_weigh_the_same(bo):
    pair = bo.open("/p/choices").main.one("div", class_="pair")
    assert [(each.text, each.attrs["class"], each.attrs["value"]) for each in pair.all("button")] == [
        ("Yes to all", "button", "yes"),
        ("No to all", "button", "no"),
    ]


def test_a_pause_is_said_above_what_stands(world, ann):
    world.say(world.statement(world.ann, "pause", until=START + timedelta(days=30)))
    page = ann.open("/p/choices")
    assert page.main.one("div", class_="note-warn").text == (
        "You have paused us. Until 21 December 2026, 10:00 UTC nothing here is used, whatever you allowed."
    )
    assert mark(page, MAIL) == ("Yes", "state-yes")


# ---------------------------------------------------------------------------------------------------- what is saved


def test_answers_are_recorded_and_read_back_from_the_ledger(world, bo):
    page = bo.press(bo.open("/p/choices"), "Save my choices", **{f"answer:{MAIL}": "yes", f"answer:{NEWS}": "no"})
    assert (page.heading, page.path) == ("Saved", f"/p/saved?entries={FOUNDING},{FOUNDING + 1}")
    assert changed(page) == [
        (
            "Contact: E-mail for “Recommendations for you”", "Not answered", "Yes",
            f"Entry {FOUNDING} of the ledger, 21 November 2026, 10:00 UTC",
        ),
        (
            "Contact: E-mail for “Newsletter”", "Not answered", "No",
            f"Entry {FOUNDING + 1} of the ledger, 21 November 2026, 10:00 UTC",
        ),
    ]  # fmt: skip
    assert said(world, world.bo) == [
        ("grant", (MAIL,), "web_form", "en", "customer"),
        ("refuse", (NEWS,), "web_form", "en", "customer"),
    ]
    assert [world.reason(world.bo, scope) for scope in (MAIL, NEWS, INTERESTS)] == ["PERMIT", "REFUSED", "NO_RECORD"]
    world.check_ledger()


def test_a_form_that_nobody_touched_says_nothing(world, ann):
    before = world.size()
    page = ann.press(ann.open("/p/choices"), "Save my choices")
    assert (page.heading, world.size()) == ("Nothing changed", before)


def test_a_no_after_a_yes_is_a_withdrawal_and_is_in_force_at_once(world, ann):
    page = ann.press(ann.open("/p/choices"), "Save my choices", **{f"answer:{MAIL}": "no"})
    assert [row[1:3] for row in changed(page)] == [("Yes", "No")]
    assert world.reason(world.ann, MAIL) == "WITHDRAWN"
    assert said(world, world.ann)[-1][:2] == ("withdraw", (MAIL,))


def test_saving_does_not_take_back_what_was_withdrawn_meanwhile(world, ann):
    page = ann.open("/p/choices")
    world.withdraw(world.ann, NEWS)
    ann.press(page, "Save my choices", **{f"answer:{MAIL}": "no"})
    assert [world.reason(world.ann, scope) for scope in (MAIL, NEWS)] == ["WITHDRAWN", "WITHDRAWN"]


def test_yes_to_all_permits_every_question_and_nothing_else(world, bo):
    bo.press(bo.open("/p/choices"), "Yes to all")
    assert {world.reason(world.bo, scope) for scope in asked(world)} == {"PERMIT"}
    assert [item[:2] for item in said(world, world.bo)] == [("grant", asked(world))]


def test_no_to_all_refuses_withdraws_and_objects(world, bo):
    world.grant(world.bo, MAIL)
    bo.press(bo.open("/p/choices"), "No to all")
    assert {world.reason(world.bo, scope) for scope in asked(world)} == {"REFUSED", "WITHDRAWN"}
    assert [world.reason(world.bo, scope) for scope in (REPLIES, MEASURING)] == ["OBJECTED", "OBJECTED"]
    assert [item[0] for item in said(world, world.bo)] == ["grant", "refuse", "withdraw", "object"]
    world.check_ledger()


def test_no_to_all_counts_whatever_else_is_filled_in(world, bo):
    bo.press(bo.open("/p/choices"), "No to all", **{f"answer:{MAIL}": "yes"})
    assert world.reason(world.bo, MAIL) == "REFUSED"


def test_a_legitimate_interest_ends_with_an_objection(world, bo):
    page = bo.press(bo.open("/p/choices"), "Save my choices", **{f"object:{MEASURING}": "yes"})
    assert [row[1:3] for row in changed(page)] == [("In use", "You objected")]
    assert world.reason(world.bo, MEASURING) == "OBJECTED"
    inputs = bo.open("/p/choices").card(MEASURING).all("input")
    assert [one.attrs["name"].partition(":")[0] for one in inputs] == ["allow", "notice"]


def test_an_objection_is_taken_back_where_it_was_made(world, bo):
    """Rule 7: the customer's own grant lifts his objection."""
    world.object(world.bo, MEASURING)
    world.clock.advance(seconds=1)
    page = bo.press(bo.open("/p/choices"), "Save my choices", **{f"allow:{MEASURING}": "yes"})
    assert [row[1:3] for row in changed(page)] == [("You objected", "In use")]
    assert world.reason(world.bo, MEASURING) == "PERMIT"
    back = bo.press(page, "Undo this change")
    assert [row[1:3] for row in changed(back)] == [("In use", "You objected")]
    assert world.reason(world.bo, MEASURING) == "OBJECTED"
    again = bo.press(back, "Undo this change")
    assert ([row[1:3] for row in changed(again)], world.reason(world.bo, MEASURING)) == (
        [("You objected", "In use")],
        "PERMIT",
    )
    world.check_ledger()


def test_what_rests_on_an_interest_of_ours_is_not_allowed_by_a_form_that_says_nothing_of_it(world, bo):
    world.object(world.bo, MEASURING)
    bo.press(bo.open("/p/choices"), "Save my choices", **{f"answer:{MAIL}": "yes"})
    bo.press(bo.open("/p/choices"), "Yes to all")
    assert world.reason(world.bo, MEASURING) == "OBJECTED"


def test_a_wording_that_changed_while_the_page_was_open_is_asked_again_and_nothing_is_saved(world, bo):
    page = bo.open("/p/choices")
    with world.store.read() as work:
        body = world.deployment.desk.catalogues.current(work).body
    newer = '[[notice]]\nkey = "contact-email-newsletter"\nversion = 2\nmaterial = true\n'
    world.publish(f'{body}\n{newer}[notice.wording]\nen = "May we send you our newsletter every day?"\n')
    before = world.size()
    again = bo.press(page, "Save my choices", **{f"answer:{NEWS}": "yes", f"answer:{MAIL}": "yes"})
    assert (again.status, world.size()) == (409, before)
    assert again.tree.one("title").text == "Error: Your choices · A shop"
    summary = again.main.one("div", role="alert")
    assert [link.attrs["href"] for link in summary.all("a")] == ["#contact-email-newsletter"]
    assert again.card(NEWS).one("p", class_="wording").text == "May we send you our newsletter every day?"
    fields = again.form("Save my choices").fields
    assert (fields.get(f"answer:{MAIL}"), fields.get(f"answer:{NEWS}")) == ("yes", None)
    saved = bo.press(again, "Save my choices", **{f"answer:{NEWS}": "yes"})
    assert [row[1:3] for row in changed(saved)] == [("Not answered", "Yes"), ("Not answered", "Yes")]


# ------------------------------------------------------------------------------------------------------------- undo


def test_undo_takes_back_both_ways(world, ann):
    world.refuse(world.ann, INTERESTS)
    page = ann.press(
        ann.open("/p/choices"), "Save my choices", **{f"answer:{MAIL}": "no", f"answer:{INTERESTS}": "yes"}
    )
    back = ann.press(page, "Undo these 2 changes")
    assert [row[:3] for row in changed(back)] == [
        ("Remember: What you told us you like", "Yes", "No"),
        ("Contact: E-mail for “Recommendations for you”", "No", "Yes"),
    ]
    assert [world.reason(world.ann, scope) for scope in (MAIL, INTERESTS)] == ["PERMIT", "WITHDRAWN"]
    world.check_ledger()


def test_undo_leaves_alone_what_was_said_since(world, ann):
    page = ann.press(ann.open("/p/choices"), "Save my choices", **{f"answer:{MAIL}": "no"})
    world.object(world.ann, MAIL)
    before = world.size()
    assert ann.press(page, "Undo this change").heading == "Nothing changed"
    assert (world.size(), world.reason(world.ann, MAIL)) == (before, "OBJECTED")


def test_an_answer_can_not_become_no_answer_again(world, bo):
    page = bo.press(bo.open("/p/choices"), "Save my choices", **{f"answer:{MAIL}": "no"})
    assert page.buttons() == []
    assert world.reason(world.bo, MAIL) == "REFUSED"


def test_another_customers_entries_show_nothing_and_undo_nothing(world, bo):
    entry = world.withdraw(world.ann, MAIL).seq
    page = bo.open(f"/p/saved?entries={entry}")
    assert page.heading == "Nothing changed"
    fields = bo.open("/p/choices").form("Save my choices").fields
    bo.send("/p/undo", {"csrf_token": fields["csrf_token"], "entries": str(entry)})
    assert (world.reason(world.ann, MAIL), world.reason(world.bo, MAIL)) == ("WITHDRAWN", "NO_RECORD")


# ---------------------------------------------------------------------------------------------------------- history


def test_history_shows_what_was_said_when_how_to_which_wording_and_where_it_stands(world, bo):
    world.grant(world.bo, NEWS, language="de")
    world.clock.advance(minutes=5)
    world.withdraw(world.bo, NEWS)
    page = bo.open("/p/history")
    statements = [item for item in page.main.one("ol").inside if not isinstance(item, str)]
    assert [
        (
            one.one("h2").text,
            [each.text for each in one.all("p", class_="wording")],
            one.all("p", class_="muted")[-1].text,
        )
        for one in statements
    ] == [
        (
            "You took back your yes to",
            ["May we send you our newsletter by e-mail? Every issue has a link that stops it at once."],
            f"Said on 21 November 2026, 10:05 UTC, on a web page. Entry {FOUNDING + 1} of the ledger.",
        ),
        (
            "You said yes to",
            [GERMAN],
            f"Said on 21 November 2026, 10:00 UTC, on a web page. Entry {FOUNDING} of the ledger.",
        ),
    ]


def test_history_keeps_the_wording_of_a_scope_that_left_the_catalogue(world, bo):
    world.grant(world.bo, "contact:sms:recommendations")
    with world.store.read() as work:
        body = world.deployment.desk.catalogues.current(work).body
    start = body.index('[[scope]]\nscope = "contact:sms:recommendations"')
    world.publish(body[:start] + body[body.index("[[scope]]", start + 9) :])
    page = bo.open("/p/history")
    assert [each.text for each in page.main.all("p", class_="wording")] == [
        "May we send you suggestions by text message, at most one in 30 days? Answer STOP and it was the last one."
    ]


def test_an_empty_history_says_so(bo):
    assert bo.open("/p/history").main.one("p", class_="lead").text == (
        "You have not said anything yet. Nothing is allowed but what your orders need."
    )


# ----------------------------------------------------------------------------------------------------- in two languages


def test_the_browsers_language_is_spoken_and_recorded(world, bo):
    page = bo.open("/p/choices", **{"Accept-Language": "de-AT,en;q=0.5"})
    assert (page.heading, page.tree.one("html").attrs["lang"]) == ("Ihre Entscheidungen", "de")
    fields = page.form("Meine Entscheidungen speichern").fields
    saved = bo.send("/p/choices?lang=de", {**fields, f"answer:{NEWS}": "yes"})
    assert (saved.heading, saved.path) == ("Gespeichert", f"/p/saved?entries={FOUNDING}&lang=de")
    assert said(world, world.bo) == [("grant", (NEWS,), "web_form", "de", "customer")]


def test_whoever_speaks_french_anywhere_is_spoken_to_in_french(world, bo):
    page = bo.open("/p/choices", **{"Accept-Language": "fr-CA,en;q=0.5"})
    assert (page.heading, page.tree.one("html").attrs["lang"]) == ("Vos choix", "fr")
    text = page.tree.one("main").text
    french = (
        "Pouvons-nous vous envoyer des suggestions par e-mail, deux au plus en 30 jours ?",
        "« Ce que vous avez acheté » pour « Recommandations pour vous »",
        "Vous n’avez pas à nous redire ce que vous avez déjà de chez nous.",
    )
    assert [words in text for words in french] == [True] * 3
    saved = bo.send("/p/choices?lang=fr", {**page.form("Enregistrer mes choix").fields, f"answer:{NEWS}": "yes"})
    assert (saved.heading, said(world, world.bo)[0][3]) == ("C’est enregistré", "fr")


def test_the_language_chosen_on_the_page_stays(bo):
    page = bo.open("/p/choices?lang=de")
    assert [link.attrs["href"] for link in page.tree.one("nav", aria_label="Seiten").all("a")] == [
        "/p/choices?lang=de", "/p/wishes?lang=de", "/p/why?lang=de", "/p/goodwill?lang=de",
        "/p/remembered?lang=de", "/p/requests?lang=de", "/p/history?lang=de",
    ]  # fmt: skip


def test_what_is_asked_is_named_in_the_language_of_the_page(bo):
    text = bo.open("/p/choices?lang=de").tree.one("main").text
    assert ["Was Sie am liebsten mögen" in text, "main interest" in text.lower()] == [True, False]
    german = (
        "Was Sie gekauft haben",
        "„Was Sie gekauft haben“ für „Empfehlungen für Sie“",
        "SMS für „Empfehlungen für Sie“",
    )

    assert [words in text for words in german] == [True] * 3
    assert "Sie müssen uns nicht noch einmal sagen, was Sie von uns schon haben." in text
    assert [words in text for words in ("What you bought", "Recommendations", "You needn't")] == [False] * 3


# ----------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "wrong",
    [
        {"answer:contact:email:newsletter": "maybe"},
        {"answer:": "yes"},
        {"was:contact:email:newsletter": "perhaps"},
        {"notice:contact:email:newsletter": "-1"},
        {"object:use:responses:measurement": "on"},
        {"allow:use:responses:measurement": "on"},
        {"all": "most"},
        {"age": "0"},
        {"age": "151"},
        {"age": "1.5"},
        {"role": "admin"},
    ],
)
def test_a_form_that_was_tampered_with_is_refused_whole(world, bo, wrong):
    fields = bo.open("/p/choices").form("Save my choices").fields
    before = world.size()
    page = bo.send("/p/choices", {**fields, f"answer:{MAIL}": "yes", **wrong})
    assert (page.status, world.size()) == (400, before)
    assert page.main.all("code")[0].text == next(iter(wrong))


def test_what_a_form_does_not_show_it_can_not_permit(world, bo):
    fields = bo.open("/p/choices").form("Save my choices").fields
    bo.send("/p/choices", {**fields, "answer:use:everything:sale": "yes", "answer:contact:email:service": "no"})
    assert said(world, world.bo) == []


# ------------------------------------------------------------------------------------------------- the link that stops


def link_of(world, who: CustomerId, *scopes: str) -> str:
    return "/w/" + links.sign(world.deployment.desk, who, [Scope(scope) for scope in scopes], at=world.clock())


def test_looking_at_a_link_that_stops_something_stops_nothing(world, anybody):
    page = anybody.open(link_of(world, world.ann, NEWS))
    assert [item.text for item in page.main.all("li")] == ["Contact: E-mail for “Newsletter”"]
    assert (page.buttons(), world.reason(world.ann, NEWS)) == (["Stop this now"], "PERMIT")


def test_one_press_stops_it_without_signing_in(world, anybody):
    path = link_of(world, world.ann, NEWS)
    page = anybody.press(anybody.open(path), "Stop this now")
    assert (page.heading, world.reason(world.ann, NEWS)) == ("Stopped", "WITHDRAWN")
    assert world.reason(world.ann, MAIL) == "PERMIT"
    assert anybody.press(anybody.open(path), "Stop this now").heading == "Already stopped"
    assert [item[0] for item in said(world, world.ann)] == ["grant", "withdraw"]
    world.check_ledger()


def test_a_mail_program_can_press_it_too(world, app):
    # RFC 8058: a POST by the mail provider, without cookies, without a page of ours before it.
    answer = app.test_client().post(link_of(world, world.ann, NEWS), data={"List-Unsubscribe": "One-Click"})
    assert (answer.status_code, answer.mimetype, world.reason(world.ann, NEWS)) == (200, "text/plain", "WITHDRAWN")


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "https://mail.example", "Sec-Fetch-Site": "cross-site"}], ids=["server", "browser"]
)
@pytest.mark.parametrize("form", [{"List-Unsubscribe": "One-Click"}, {}])
def test_a_press_needs_no_cookie_no_page_before_it_and_no_site_of_ours(world, app, headers, form):
    """Rule 6: whoever has the link may press it: it can do nothing but stop."""
    world.clock.advance(days=730)
    path = link_of(world, world.bo, NEWS)
    world.clock.advance(days=730)
    world.grant(world.bo, NEWS)
    client = app.test_client()
    looked = client.get(path, headers=headers)
    before = world.reason(world.bo, NEWS)
    pressed = client.post(path, data=form, headers=headers)

    assert (looked.status_code, before) == (200, "PERMIT")
    assert (pressed.status_code, pressed.headers.getlist("Set-Cookie")) == (200, [])
    assert world.reason(world.bo, NEWS) == "WITHDRAWN"


def test_a_link_stops_what_the_catalogue_has_no_more(world, anybody):
    """It may come back, and with it the yes."""
    path = link_of(world, world.ann, NEWS)
    given = tomllib.loads(DEFAULT.read_text(encoding="utf-8"))
    world.publish(toml({**given, "scope": [each for each in given["scope"] if each["scope"] != NEWS]}))
    world.clock.advance(seconds=1)
    stopped = anybody.press(anybody.open(path), "Stop this now")
    world.publish(DEFAULT.read_text(encoding="utf-8") + "\n# It is back.\n")

    assert (stopped.status, stopped.heading, world.reason(world.ann, NEWS)) == (200, "Stopped", "WITHDRAWN")
    assert NEWS in stopped.main.text


@pytest.mark.parametrize("path", ["/p/choices", "/p/history", "/p/saved", "/api/v1/customers"])
def test_a_link_that_stops_opens_no_other_page(world, anybody, path):
    """Rule 6: it can't read or grant."""
    token = link_of(world, world.ann, NEWS).removeprefix("/w/")
    assert [anybody.open(f"{path}/{token}").status, anybody.open(f"{path}?token={token}").status] in (
        [404, 401], [404, 405], [401, 401],
    )  # fmt: skip
    assert anybody.send(f"/p/confirm/{token}", {}).status == 404


def test_a_link_that_was_changed_stops_nothing_and_says_so(world, anybody):
    path = link_of(world, world.ann, NEWS)
    other = link_of(world, world.bo, NEWS)
    forged = path.partition(".")[0] + "." + other.partition(".")[2]
    assert (anybody.open(forged).status, anybody.send(forged, {}).status) == (404, 404)
    assert world.reason(world.ann, NEWS) == "PERMIT"
