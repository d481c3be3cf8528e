"""One customer, one decision, now: the answer, what stands behind it, and what it leaves behind."""

from datetime import timedelta

import pytest

from consent.base.errors import CampaignUnknown, CustomerUnknown, IdempotencyConflict, Place, RequestUnfit
from consent.base.ids import CustomerId
from consent.register import publishing
from personalise import engine, shelf
from personalise.runs import dry_run, run
from tests.builders import START
from tests.campaigns import MAIL, PURCHASES, TABLES, chunks, contacts, model, open_run, publish, willing

EVERYBODY = {"holdout": {"share": 0, "salt": "s"}}
ONE_MAIL = {
    "treatment": TABLES["treatment"][:1],
    "cap": [{"key": "mail", "channels": ["email"], "limit": 1, "days": 30}],
    "campaign": EVERYBODY,
}
NOBODY = CustomerId("cus_01a1fb67180070008000000000000000")


def decide(world, who, key="spring", **how):
    return engine.decide_one(world.deployment, who, campaign=key, actor="mia", **how)


@pytest.fixture
def vera(world):
    """Return a customer who allows everything and fits everything; the campaign holds nobody back."""
    publish(world, campaign=EVERYBODY)
    return willing(world, 1)[0]


# ----------------------------------------------------------------------------------------------------------- the answer


def test_a_decision_says_what_was_chosen_and_why(world, vera):
    made = decide(world, vera)

    assert (made.chosen, made.content, made.propensity, made.customer) == ("mail", "By mail.", 1.0, vera)
    assert [(each.candidate, each.stage, each.rule) for each in made.verdicts] == [
        ("mail", "chosen", None),
        ("text", "arbitration", "worth_nothing"),
        ("letter", "arbitration", "worth_nothing"),
        ("leave_alone", "arbitration", "outranked"),
    ]
    assert made.categories_used == ("interests", "purchases")
    assert made.position == world.size() - 1
    world.check_ledger()


def test_a_denial_is_an_answer(world, vera):
    before = decide(world, vera)
    world.withdraw(vera, PURCHASES)
    after = decide(world, vera)

    assert (before.chosen, after.chosen, after.content) == ("mail", None, None)
    assert [(each.stage, each.rule, each.observed) for each in after.verdicts[:3]] == [
        ("permission", f"permission:{PURCHASES}", "WITHDRAWN")
    ] * 3
    assert after.explanation == (
        "You get nothing of this, because you withdrew your permission for the use of “What you bought”."
    )
    assert after.categories_used == ("interests",)
    world.check_ledger()


@pytest.mark.usefixtures("vera")
def test_a_customer_who_allows_nothing_is_left_alone(world):
    made = decide(world, world.bo)

    assert (made.chosen, made.propensity, made.categories_used) == (None, 1.0, ())
    assert contacts(world) == []
    world.check_ledger()


@pytest.mark.usefixtures("vera")
def test_who_is_not_enrolled_is_unknown_and_nothing_is_written(world):
    with pytest.raises(CustomerUnknown):
        decide(world, NOBODY)

    assert (chunks(world), contacts(world), world.rows("SELECT id FROM data_use")) == ([], [], [])


def test_an_unknown_campaign_is_refused(world, vera):
    with pytest.raises(CampaignUnknown):
        decide(world, vera, "summer")

    assert chunks(world) == []


def test_a_channel_that_no_treatment_goes_by_is_refused(world, vera):
    with pytest.raises(RequestUnfit) as refused:
        decide(world, vera, channel="phone")

    why = "no treatment of spring goes by 'phone': they go by email, post, sms"
    assert refused.value.places == (Place("/channel", why),)
    assert chunks(world) == []


def test_a_channel_leaves_only_its_treatments(world, vera):
    made = decide(world, vera, channel="sms")

    assert [each.candidate for each in made.verdicts] == ["text", "leave_alone"]
    assert (made.chosen, chunks(world)[0].about["candidates"]) == (None, ["text"])
    world.check_ledger()


def test_a_live_decision_is_the_one_that_a_dry_run_foresees(world, vera):
    foreseen = dry_run.dry_run(world.deployment, "spring", actor="mia").counts

    assert foreseen.chosen == {"mail": 1}
    assert decide(world, vera).chosen == "mail"


# ------------------------------------------------------------------------------------------------------ what it leaves


def test_a_contact_is_reserved(world, vera):
    decide(world, vera)

    assert contacts(world) == [
        (vera, "spring", "mail", "range", "email", "recommendations", "reserved", 1_795_255_200_000)
    ]
    world.check_ledger()


def test_a_control_gets_a_ghost_and_no_contact(world):
    publish(world, campaign={"holdout": {"share": 0.4, "salt": "s"}})
    made = [decide(world, who) for who in willing(world, 30)]
    held = [each.customer for each in made if each.verdicts[0].stage == "holdout"]

    assert {each.propensity for each in made} == {0.4, 0.6}
    assert [row[0] for row in contacts(world, "ghost")] == held
    assert [row[0] for row in contacts(world)] == [each.customer for each in made if each.chosen]
    assert [each.customer for each in made if each.propensity == 0.4] == held
    world.check_ledger()


def test_the_use_of_data_is_recorded_with_the_decision(world, vera):
    made = decide(world, vera)

    assert world.rows("SELECT actor, purpose, categories, customers, customer, position, decision FROM data_use") == [
        ("mia", "recommendations", "interests,purchases", 1, vera, made.position, made.id)
    ]
    world.check_ledger()


def test_the_ledger_commits_to_a_live_decision(world, vera):
    made = decide(world, vera)
    [chunk] = chunks(world)
    with world.store.read() as work:
        committed = publishing.noted(world.deployment.desk, work, chunk.log, chunk.seq)

    assert (committed["chunk"], committed["count"], committed["run"]) == (made.id.removesuffix(".0"), 1, "")
    assert committed["position"] == made.position == chunk.seq
    world.check_ledger()


# ---------------------------------------------------------------------------------------------------------------- caps


def test_a_cap_that_live_decisions_reached_holds(world):
    publish(world, **ONE_MAIL)
    [who] = willing(world, 1)
    first = decide(world, who)
    world.clock.advance(days=30, milliseconds=-1)
    second = decide(world, who)
    world.clock.advance(milliseconds=1)
    third = decide(world, who)

    assert [each.chosen for each in (first, second, third)] == ["mail", None, "mail"]
    capped = second.verdicts[0]
    assert (capped.stage, capped.rule, capped.observed, capped.limit, capped.allowed_from) == (
        "contact_policy", "cap:mail", 1, 1, "2026-12-21T10:00:00.000Z",
    )  # fmt: skip
    world.check_ledger()


def test_a_decision_that_was_asked_for_earlier_and_gets_its_turn_later_counts_the_newer_contact(world):
    publish(world, **ONE_MAIL)
    [who] = willing(world, 1)
    world.clock.advance(milliseconds=5)
    first = decide(world, who)
    world.clock.set(START)
    second = decide(world, who)

    assert (first.chosen, second.chosen) == ("mail", None)
    assert second.verdicts[0].allowed_from == "2026-12-21T10:00:00.005Z"
    world.check_ledger()


def test_live_decisions_and_runs_count_each_others_contacts(world):
    publish(world, **ONE_MAIL)
    first, second = willing(world, 2)
    made = decide(world, first)
    ran = run.advance(world.deployment, open_run(world.deployment, "spring", actor="mia"))
    after = decide(world, second)

    assert (made.chosen, ran.counts.chosen, after.chosen) == ("mail", {"mail": 1}, None)
    assert [row[0] for row in contacts(world)] == [first, second]
    world.check_ledger()


# ------------------------------------------------------------------------------------------------------ once with a key


def test_the_same_key_gives_the_same_decision_and_one_contact(world):
    publish(world, **ONE_MAIL)
    [who] = willing(world, 1)
    first = decide(world, who, idempotency_key="k")
    world.clock.advance(hours=1)
    again = decide(world, who, idempotency_key="k")
    other = decide(world, who, idempotency_key="l")

    assert again == first
    assert (other.chosen, len(contacts(world)), len(chunks(world))) == (None, 1, 2)
    world.check_ledger()


def test_a_key_that_stood_for_something_else_is_refused(world, vera):
    publish(world, campaign={"key": "other", **EVERYBODY})
    [other] = world.enrol("OTHER")
    decide(world, vera, idempotency_key="k")
    for who, key, how in (
        (other, "spring", {}),
        (vera, "other", {}),
        (vera, "spring", {"channel": "sms"}),
        (vera, "spring", {"carried": True}),
    ):
        with pytest.raises(IdempotencyConflict):
            decide(world, who, key, idempotency_key="k", **how)

    assert len(chunks(world)) == 1
    world.check_ledger()


def test_a_decision_is_told_again_as_it_was_whatever_was_published_since(world):
    wanting = {"scorer": "uplift", "features": ["purchases_count", "visits_past_month"], **EVERYBODY}
    free = [{**each, "terms": {}} for each in TABLES["offer"]]  # so that anything may rank them
    publish(world, campaign=wanting, offer=free)
    [who] = willing(world, 1)
    first = decide(world, who, idempotency_key="k")
    with world.store.write() as work:
        learned = model("purchases_count", "visits_past_month")
        shelf.save_model(work, "spring", learned, rows=9, at=world.clock())
        body = world.deployment.desk.catalogues.current(work).body
    modelled = decide(world, who, idempotency_key="l")
    publish(world, campaign={**wanting, "audience": "FALSE"}, offer=free)
    world.publish(body.replace('name = "A shop"', 'name = "Another shop"'))

    assert [decide(world, who, idempotency_key=key) for key in "kl"] == [first, modelled]
    assert (first.chosen, first.categories_used) == ("mail", ("interests", "purchases"))
    assert modelled.verdicts[0].rule == "permission:use:browsing:recommendations"
    assert decide(world, who).verdicts[0].rule == "audience"
    world.check_ledger()


def test_a_withdrawal_holds_from_the_next_decision_on(world, vera):
    made = []
    for act in (lambda: None, lambda: world.withdraw(vera, MAIL), lambda: world.grant(vera, MAIL)):
        world.clock.advance(seconds=1)
        act()
        made.append(decide(world, vera).chosen)

    assert made == ["mail", None, "mail"]
    assert timedelta(seconds=3) == world.clock() - START
    world.check_ledger()
