"""What a customer is told: his own wording where he permits all that it reads, else the general one; visitors too."""

from typing import Any

import pytest

from consent.audit.findings import Evidence
from consent.audit.judging import judged
from consent.base.errors import CampaignInvalid, CustomerUnknown, RequestUnfit, StateConflict
from consent.base.ids import CustomerId
from personalise import audit_checks, engine
from personalise.audit_checks import stood
from personalise.life import running
from personalise.runs import dry_run, run
from personalise.steps.personalise.holdout import buckets
from tests.campaigns import NEEDED, TABLES, chunks, contacts, open_run, publish, willing
from tests.erasing import erase

BROWSING = ("use:browsing:recommendations", "remember:browsing")
OWN = "You looked at {{ last_viewed_category }}, {{ visits_past_month }} times."
MAIL = {**TABLES["treatment"][0], "content": OWN, "general": "By mail.", "subject": "New", "channel": "email"}
FREE = [{**each, "terms": {}} for each in TABLES["offer"]]
"""Offers that promise nothing: of their wordings no price can follow from what they read."""

EVERYBODY = {"holdout": {"share": 0, "salt": "s"}}
NOBODY = CustomerId("cus_01a1fb67180070008000000000000000")


def decide(world, who, key="spring", **how):
    return engine.decide_one(world.deployment, who, campaign=key, actor="mia", **how)


def uses(world):
    return sorted(row[0] for row in world.rows("SELECT categories FROM data_use"))


def audited(world, *keys):
    """Return what the checks of these keys came upon."""
    checks = [check for check in audit_checks.CHECKS if check.key in keys]
    evidence = Evidence(store=world.store, desk=world.deployment.desk, at=world.clock(), audit="aud_1")
    return [([one.why for one in each.findings], each.checked) for each in judged(checks, evidence, world.clock)]


@pytest.fixture
def vera(world):
    """Return a customer whom the mail suits; what she looked at is known, and she lets us use it."""
    publish(world, campaign=EVERYBODY, offer=FREE, treatment=[MAIL])
    [who] = willing(world, 1)
    world.grant(who, *BROWSING)
    world.remember(who, last_viewed_category="<tents>", visits_past_month=3)
    return who


# ------------------------------------------------------------------------------------------------------- which wording


def test_who_permits_it_gets_his_own_wording_and_that_is_on_record(world, vera):
    made = decide(world, vera)

    assert (made.chosen, made.content, made.subject, made.wording) == (
        "mail", "You looked at &lt;tents&gt;, 3 times.", "New", "personal",
    )  # fmt: skip
    assert made.categories_used == ("browsing", "purchases")
    assert uses(world) == ["browsing", "purchases"]
    assert world.rows("SELECT DISTINCT decision, customer, customers FROM data_use") == [(made.id, vera, 1)]
    assert made.explanation == (
        "You get this because you allowed the use of “What you bought”, the use of “What you looked at on our site” "
        "and contact by E-mail, for “Recommendations for you”."
    )
    assert audited(world, "decisions", "replay") == [([], 1), ([], 1)]
    world.check_ledger()


def test_who_does_not_permit_it_gets_the_general_wording_and_nothing_is_opened(world, vera):
    world.withdraw(vera, BROWSING[0])
    made = decide(world, vera)

    assert (made.chosen, made.content, made.wording) == ("mail", "By mail.", "general")
    assert (made.categories_used, uses(world)) == (("purchases",), ["purchases"])
    assert "looked at" not in made.explanation
    assert audited(world, "decisions", "replay") == [([], 1), ([], 1)]
    world.check_ledger()


def test_where_a_value_is_not_known_the_general_wording_stands(world):
    publish(world, campaign=EVERYBODY, offer=FREE, treatment=[MAIL])
    [who] = willing(world, 1)
    world.grant(who, *BROWSING)
    world.remember(who, last_viewed_category="tents")
    made = decide(world, who)

    assert (made.content, made.wording, made.categories_used) == ("By mail.", "general", ("browsing", "purchases"))
    assert audited(world, "decisions", "replay") == [([], 1), ([], 1)]
    world.check_ledger()


def test_one_of_two_categories_is_not_enough_and_then_neither_is_opened(world, vera):
    both = {**MAIL, "content": OWN + "{% if country == 'DE' %}!{% endif %}"}
    publish(world, campaign=EVERYBODY, offer=FREE, treatment=[both])
    made = decide(world, vera)

    assert (made.wording, made.categories_used, uses(world)) == ("general", ("purchases",), ["purchases"])
    world.check_ledger()


def test_the_funnel_refuses_nobody_for_his_wording(world, vera):
    [other] = willing_too(world)
    counts = dry_run.dry_run(world.deployment, "spring", actor="mia").counts

    assert counts.chosen == {"mail": 2}
    assert (decide(world, vera).wording, decide(world, other).wording) == ("personal", "general")


def willing_too(world):
    [who] = world.enrol("OTHER")
    world.grant(who, *NEEDED)
    world.remember(who, months_since_purchase=3, spend_past_year=50.0, purchases_count=7)
    return [who]


def test_a_run_opens_nothing_for_wordings(world, vera):
    ran = run.advance(world.deployment, open_run(world.deployment, "spring", actor="mia"))
    [chunk] = chunks(world)
    spot = chunk.customers.index(vera)
    shown = engine.decided(world.deployment, f"{chunk.id}.{spot}")

    assert (ran.counts.chosen, uses(world)) == ({"mail": 1}, ["purchases"])
    assert (shown.chosen, shown.content, shown.wording, shown.categories_used) == ("mail", None, None, ("purchases",))
    assert audited(world, "decisions", "replay") == [([], 3), ([], 3)]
    world.check_ledger()


def test_a_control_and_who_is_left_alone_are_told_nothing(world, vera):
    publish(world, campaign={"holdout": {"share": 0.9, "salt": "s"}}, offer=FREE, treatment=[MAIL])
    made = [decide(world, who) for who in (vera, *willing_on(world, 20))]
    held = [one for one in made if one.chosen is None]

    assert {(one.content, one.subject, one.wording) for one in held} == {(None, None, None)}
    assert len(held) > 0


def willing_on(world, count):
    who = world.enrol(*(f"V{number:05d}" for number in range(count)))
    world.say(*(world.statement(each, "grant", *NEEDED) for each in who))
    for each in who:
        world.remember(each, months_since_purchase=3, spend_past_year=50.0, purchases_count=7)
    return who


# ------------------------------------------------------------------------------------------------------- told again


def test_the_same_key_gives_the_same_words(world, vera):
    first, again = (decide(world, vera, idempotency_key="k") for _ in range(2))

    assert (again, again.wording) == (first, "personal")
    assert uses(world) == ["browsing", "browsing", "purchases"]
    assert len(contacts(world)) == len(chunks(world)) == 1


def test_told_again_after_a_withdrawal_it_is_told_in_general(world, vera):
    decide(world, vera, idempotency_key="k")
    world.clock.advance(seconds=1)
    world.withdraw(vera, BROWSING[0])
    again = decide(world, vera, idempotency_key="k")

    assert (again.content, again.wording) == ("By mail.", "general")
    assert len(contacts(world)) == len(chunks(world)) == 1
    world.check_ledger()


def test_a_general_wording_stays_general_when_it_is_told_again(world, vera):
    world.withdraw(vera, BROWSING[0])
    first = decide(world, vera, idempotency_key="k")
    world.clock.advance(seconds=1)
    world.grant(vera, BROWSING[0])

    assert decide(world, vera, idempotency_key="k") == first
    assert first.wording == "general"


def test_whoever_looks_a_decision_up_does_not_get_to_read_what_was_made_of_data(world, vera):
    own = decide(world, vera)
    world.withdraw(vera, BROWSING[0])
    general = decide(world, vera)
    shown, too = (engine.decided(world.deployment, made.id) for made in (own, general))

    assert (shown.content, shown.subject, shown.wording) == (None, None, "personal")
    assert (too.content, too.subject, too.wording) == ("By mail.", "New", "general")
    assert shown.categories_used == own.categories_used


# ------------------------------------------------------------------------------------------------- what lies behind it


def catalogue(world):
    with world.store.read() as work:
        return world.deployment.desk.catalogues.current(work)


def test_an_attribute_that_the_catalogue_drops_is_not_known_any_more(world, vera):
    before = decide(world, vera, idempotency_key="k")
    dropped = catalogue(world).body.replace('visits_past_month = "integer"\n', "")
    world.publish(dropped.replace('unpriced = ["visits_past_month"]\n', ""))
    again = decide(world, vera, idempotency_key="k")
    with pytest.raises(CampaignInvalid) as refused:
        decide(world, vera)

    assert (before.wording, again.content, again.wording) == ("personal", "By mail.", "general")
    assert [place.where for place in refused.value.places] == ["treatment[0].content, line 1, column 46"]
    assert engine.replay(world.deployment, before.id, actor="cy").outcome == "same"


def test_an_erased_customers_words_are_gone(world, vera):
    made = decide(world, vera)
    assert engine.replay(world.deployment, made.id, actor="cy").outcome == "same"
    world.clock.advance(days=1)
    erase(world, vera)

    assert engine.replay(world.deployment, made.id, actor="cy").outcome == "gone"


def test_a_wording_that_was_not_permitted_would_be_found_by_the_audit(world, vera):
    decide(world, vera)
    [chunk] = chunks(world)
    found = [why for _, why in stood.unpermitted(chunk, catalogue(world), {})]

    assert found[0] == "used use:browsing:recommendations, which stood as NO_RECORD at ledger position " + str(
        chunk.position
    )


# ------------------------------------------------------------------------------------------------------------- visitors

WEB = {**MAIL, "key": "banner", "channel": "web", "general": "New in the shop."}
PRICED = {"value": 1.0, "family": "spring", "terms": {}, "key": "range"}


@pytest.fixture
def shop(world):
    """Return a world whose campaign has a banner on the web site for everybody, and a mail."""
    world.publish(catalogue(world).body + '\n[[channel]]\nkey = "web"\ntitle = "Our site"\n')
    publish(world, campaign={**EVERYBODY, "audience": "TRUE"}, offer=[PRICED], treatment=[WEB, MAIL])
    return world


def test_a_visitor_whom_nobody_knows_is_told_in_general_and_nothing_is_kept(shop):
    size = shop.size()
    for who in (None, NOBODY):
        made = decide(shop, who, channel="web", idempotency_key="k")
        assert (made.id, made.customer, made.chosen, made.content, made.wording) == (
            "", "", "banner", "New in the shop.", "general",
        )  # fmt: skip
        assert (made.as_json()["decision"], made.as_json()["customer"]) == (None, None)
        assert (made.categories_used, made.propensity, made.position) == ((), 1.0, size)
        assert made.explanation == "We don't know you, so nothing here is chosen for you in person."
        assert [(one.candidate, one.stage) for one in made.verdicts] == [
            ("banner", "chosen"), ("leave_alone", "arbitration"),
        ]  # fmt: skip

    assert (chunks(shop), contacts(shop), uses(shop), shop.size()) == ([], [], [], size)


def test_what_is_for_some_customers_only_is_not_for_a_visitor(shop):
    for audience in ("months_since_purchase <= 12", "NOT months_since_purchase <= 12"):
        publish(shop, campaign={**EVERYBODY, "audience": audience}, offer=[PRICED], treatment=[WEB])
        made = decide(shop, None, channel="web")
        assert (made.chosen, made.content, made.verdicts[0].rule) == (None, None, "unknown")


def test_who_did_not_come_himself_has_to_be_known(shop):
    with pytest.raises(CustomerUnknown):
        decide(shop, NOBODY, channel="email")
    for channel in ("email", ""):
        with pytest.raises(RequestUnfit) as refused:
            decide(shop, None, channel=channel)
        assert [place.where for place in refused.value.places] == ["/channel"]


def test_a_visitor_is_told_nothing_while_the_campaign_is_paused(shop):
    running.advance(shop.deployment, running.start(shop.deployment, "spring", actor="mia", four_eyes=False))
    running.pause(shop.deployment, "spring", actor="mia")
    with pytest.raises(StateConflict, match="spring is paused"):
        decide(shop, None, channel="web")


# -------------------------------------------------------- who came himself, and does not permit to be chosen for

SHOWN = {"treatment": "banner", "content": "New in the shop.", "subject": "New", "html": None}


def test_who_came_himself_and_permits_nothing_is_shown_what_everybody_is_and_told_why(shop):
    [who] = willing(shop, 1)
    made = decide(shop, who, channel="web", idempotency_key="k")

    assert (made.chosen, made.content, made.verdicts[0].stage) == (None, None, "permission")
    assert made.as_json()["instead"] == SHOWN
    assert (len(chunks(shop)), contacts(shop)) == (1, [])
    assert decide(shop, who, channel="web", idempotency_key="k").instead == made.instead
    assert engine.decided(shop.deployment, made.id).instead == made.instead
    assert decide(shop, who, channel="email", key="spring").instead is None
    assert decide(shop, who).instead is None, "of several channels it is known of none that he came by it"
    shop.check_ledger()


def test_who_is_paused_is_shown_what_everybody_is_where_he_comes_himself(shop):
    [who] = willing(shop, 1)
    shop.say(shop.statement(who, "pause"))
    made = decide(shop, who, channel="web")
    assert (made.verdicts[0].stage, made.as_json()["instead"]) == ("hard_stops", SHOWN)


def test_whom_something_else_holds_back_is_shown_nothing_instead(world):
    """Held out, worth nothing, not for him: there leaving alone is what was decided."""
    body = catalogue(world).body
    scope = '\n[[scope]]\nscope = "contact:web:recommendations"\nlegal_basis = "consent"\n'
    scope += 'notice = "contact-email-recommendations"\nbenefit = "You see what is new."\n'
    world.publish(body + '\n[[channel]]\nkey = "web"\ntitle = "Our site"\n' + scope)
    [who] = willing(world, 1)
    world.grant(who, "contact:web:recommendations")
    salt = next(each for each in "abcdefgh" if buckets([who], salt=each, scope="held")[0] < 9_000)
    told = {}
    cases: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
        ("shown", {}, {}), ("held", {"holdout": {"share": 0.9, "salt": salt}}, {}),
        ("dear", {}, {"offer": [{**PRICED, "cost": 99}]}), ("other", {"audience": "months_since_purchase > 99"}, {}),
    )  # fmt: skip
    for key, campaign, more in cases:
        made: dict[str, Any] = {
            "campaign": {**EVERYBODY, "audience": "TRUE", "key": key, **campaign},
            "offer": [PRICED],
            **more,
        }
        publish(world, **made, treatment=[WEB])
        decision = decide(world, who, key)
        told[key] = (decision.chosen, decision.verdicts[0].stage, decision.instead)
    assert told == {
        "shown": ("banner", "chosen", None), "held": (None, "holdout", None), "dear": (None, "arbitration", None),
        "other": (None, "eligibility", None),
    }  # fmt: skip


def test_what_would_come_of_a_run_is_shown_to_nobody_instead(shop):
    willing(shop, 1)
    publish(shop, campaign={**EVERYBODY, "audience": "TRUE"}, offer=[PRICED], treatment=[WEB])
    run.advance(shop.deployment, open_run(shop.deployment, "spring", actor="mia"))
    [chunk] = chunks(shop)
    assert engine.decided(shop.deployment, f"{chunk.id}.0").instead is None
