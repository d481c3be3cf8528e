"""What would be decided about one customer, by any version: told as a decision is, and nothing of it is kept."""

import pytest

from consent.base.errors import CampaignUnknown, ContactPolicyUnknown, CustomerUnknown, RequestUnfit
from personalise import engine
from tests.campaigns import MAIL, publish, willing
from tests.erasing import erase
from tests.flows.test_comparing import FREE
from tests.flows.test_contact_policy import rule
from tests.flows.test_engine import EVERYBODY, NOBODY
from tests.flows.test_runs import everything


def simulate(world, who, **how):
    return engine.simulate(world.deployment, who, campaign="spring", actor="mia", reason="he asked why", **how)


@pytest.fixture
def vera(world):
    """Return a customer who allows everything and fits everything; the campaign has little of everything to give."""
    publish(
        world,
        campaign={**EVERYBODY, "goodwill_budget": 100},
        volume=[{"key": "mails", "channels": ["email"], "limit": 5}],
        cap=[{"key": "home", "channels": ["email"], "limit": 1, "days": 30, "per": "household"}],
    )
    rule(world, goodwill={"opening": 10, "floor": 5, "prices": {"email": 3}})
    return willing(world, 1)[0]


def test_a_simulation_is_what_the_decision_will_be(world, vera):
    told = simulate(world, vera)
    made = engine.decide_one(world.deployment, vera, campaign="spring", actor="mia")
    after = simulate(world, vera)

    alike = ("customer", "chosen", "content", "propensity", "scorer", "verdicts", "explanation", "categories_used")
    assert [getattr(told.decision, name) for name in alike] == [getattr(made, name) for name in alike]
    assert (told.decision.chosen, told.decision.as_json()["decision"]) == ("mail", None)
    assert (told.version, told.contact_policy) == (1, 1)
    assert [(each.rule, each.observed, each.limit) for each in after.decision.verdicts[:1]] == [("cap:home", 1, 1)]
    world.check_ledger()


def test_a_simulation_keeps_nothing_but_that_his_data_were_read_and_why(world, vera):
    before = everything(world, but=("data_use",))
    simulate(world, vera)

    assert everything(world, but=("data_use",)) == before
    assert world.rows("SELECT actor, customer, purpose, reason FROM data_use") == [
        ("mia", vera, "recommendations", "simulating spring@1: he asked why")
    ]
    world.check_ledger()


def test_any_version_is_simulated_under_any_contact_policy_on_a_channel(world, vera):
    publish(world, **{**FREE, "campaign": {**EVERYBODY, "audience": "months_since_purchase > 12"}})
    newest, first = simulate(world, vera), simulate(world, vera, version=1, contact_policy=0)

    assert (newest.version, newest.decision.chosen, newest.decision.verdicts[0].rule) == (2, None, "audience")
    assert (first.version, first.contact_policy, first.decision.chosen) == (1, 0, "mail")
    assert {each.candidate for each in simulate(world, vera, version=1, channel="sms").decision.verdicts} == {
        "text", "leave_alone",
    }  # fmt: skip


def test_who_has_withdrawn_or_was_erased_would_get_nothing(world, vera):
    world.withdraw(vera, MAIL)
    withdrawn = simulate(world, vera).decision
    erase(world, vera)
    erased = simulate(world, vera).decision

    assert [(one.chosen, one.verdicts[0].observed) for one in (withdrawn, erased)] == [
        (None, "WITHDRAWN"), (None, "CUSTOMER_ERASED"),
    ]  # fmt: skip


def test_what_is_worded_by_his_data_is_not_opened_for_it(world):
    treatment = {"key": "mail", "offer": "range", "channel": "email", "score": "0.05",
                 "content": "You like {{ main_interest }}.", "general": "New things."}  # fmt: skip
    publish(world, **{**FREE, "treatment": [treatment]})
    [who] = willing(world, 1)
    told = simulate(world, who).decision

    assert (told.chosen, told.content, told.wording) == ("mail", None, None)


def test_what_is_not_there_is_not_simulated_and_nothing_is_written(world, vera):
    for wrong, how in (
        (CampaignUnknown, {"version": 7}), (ContactPolicyUnknown, {"contact_policy": 7}),
        (RequestUnfit, {"channel": "telephone"}),
    ):  # fmt: skip
        with pytest.raises(wrong):
            simulate(world, vera, **how)
    with pytest.raises(CustomerUnknown):
        simulate(world, NOBODY)

    assert world.rows("SELECT * FROM data_use") == []
