"""Contacts count from when they are handed out: reserved early and sent late, they hold back what comes after."""

from datetime import timedelta

import pytest

from consent.base.clock import to_ms
from personalise.reach.dispatch import Message, Refusal
from personalise.responses import ignored
from personalise.runs import run
from personalise.steps.interact.states import Did
from tests.builders import START
from tests.campaigns import TABLES, claim, open_run, publish, sent, told, willing
from tests.flows.test_contact_audit import audited
from tests.flows.test_contact_policy import HELD, rule

MAIL, TEXT = TABLES["treatment"][:1], [{**TABLES["treatment"][1], "score": "0.5"}]
PATIENT = {**HELD, "ttl_days": 60}
ONCE = [{"key": "month", "limit": 1, "days": 30, "channels": ["email"]}]


def ran(world, key="spring"):
    """Return how many were chosen for, and how many were held back by which cap."""
    counts = run.advance(world.deployment, open_run(world.deployment, key, actor="mia")).counts
    capped = {rule: count for rule, count in counts.reasons.items() if rule.startswith(("cap:", "company:"))}
    return sum(counts.chosen.values()), capped


def passed(world, days):
    world.clock.set(START + timedelta(days=days))


@pytest.mark.parametrize("by", ["campaign", "company"])
def test_a_message_sent_late_holds_the_next_one_back_from_then_on(world, by):
    """Counted from its reservation, the second would leave half a day after the first."""
    if by == "company":
        rule(world, cap=ONCE)
    publish(world, treatment=MAIL, campaign=PATIENT, cap=ONCE if by == "campaign" else [])
    willing(world, 2)
    assert ran(world) == (2, {})
    passed(world, 29.75)
    assert sent(world) == 2

    passed(world, 30.25)
    named = "cap:month" if by == "campaign" else "company:month"
    assert ran(world) == (0, {named: 2})
    passed(world, 59.75)
    assert ran(world) == (2, {})
    assert audited(world) == ([], [], [4, 0])


def test_what_must_never_come_with_another_goes_by_when_that_left(world):
    rule(world, exclusion=[{"key": "x", "days": 3, "one": {"channels": ["email"]}, "other": {"channels": ["sms"]}}])
    publish(world, treatment=MAIL, cap=[], campaign={**PATIENT, "key": "first"})
    publish(world, treatment=TEXT, cap=[], campaign={**PATIENT, "key": "second"})
    willing(world, 1)
    ran(world, "first")
    passed(world, 2.9)
    assert sent(world) == 1

    passed(world, 3)
    assert ran(world, "second")[0] == 0
    passed(world, 5.9)
    assert ran(world, "second")[0] == 1
    assert audited(world) == ([], [], [2, 0])


def test_what_has_to_come_first_did_when_it_left(world):
    order = {"key": "o", "days": 3, "first": {"channels": ["email"]}, "then": {"channels": ["sms"]}}
    rule(world, order=[order])
    publish(world, treatment=MAIL, cap=[], campaign={**PATIENT, "key": "first"})
    publish(world, treatment=TEXT, cap=[], campaign={**PATIENT, "key": "second"})
    willing(world, 1)
    ran(world, "first")
    passed(world, 10)
    assert ran(world, "second")[0] == 0
    assert sent(world) == 1
    assert ran(world, "second")[0] == 1
    assert audited(world) == ([], [], [2, 0])


def test_pressure_goes_by_when_contacts_left_and_the_audit_prices_them_alike(world):
    rule(world, goodwill={"opening": 100, "floor": 0, "pressure_days": 7, "prices": {"email": 2}})
    publish(world, treatment=MAIL, cap=[], campaign=PATIENT)
    willing(world, 1)
    ran(world)
    passed(world, 20)
    assert sent(world) == 1
    passed(world, 21)
    ran(world)

    assert [charge for (charge,) in world.rows("SELECT charge FROM contact ORDER BY reserved_at")] == [2_000, 4_000]
    assert audited(world) == ([], [], [2, 1])
    world.tamper("UPDATE contact SET claimed_at = :then WHERE claimed_at IS NOT NULL", then=to_ms(START))
    [(check, _, why)] = audited(world)[0]
    assert (check, why) == ("contacts", "it was charged 4000 thousandths of goodwill, and costs 2000")


def test_a_second_one_within_the_window_of_what_had_left_is_found(world):
    publish(world, treatment=MAIL, campaign=PATIENT, cap=ONCE)
    willing(world, 1)
    ran(world)
    assert sent(world) == 1
    passed(world, 31)
    assert ran(world)[0] == 1
    assert audited(world) == ([], [], [2, 0])

    first, second = (one for (one,) in world.rows("SELECT decision FROM contact ORDER BY reserved_at"))
    late = to_ms(START + timedelta(days=10))
    world.tamper("UPDATE contact SET claimed_at = :late WHERE decision = :it", late=late, it=first)
    why = "cap:month asks for at most 0 before it in 30 days, and there were 1"
    assert audited(world)[0] == [("contacts", second, why)]


def test_what_is_tried_again_counts_from_the_last_time(world):
    publish(world, treatment=MAIL, campaign=PATIENT, cap=ONCE)
    publish(world, treatment=TEXT, campaign={**PATIENT, "key": "other"}, cap=[])
    [who] = willing(world, 1)
    ran(world)
    [(decision,)] = world.rows("SELECT decision FROM contact")
    for days in (5, 20):
        passed(world, days)
        message = claim(world, (who, decision))
        assert isinstance(message, Message)
        told(world, (who, decision), Did.FAIL_SOFTLY, token=message.token)
        assert ran(world, "other")[0] == 1  # what was decided in between can't be held against what came later
    passed(world, 49.9)
    assert ran(world)[1] == {"cap:month": 1}
    passed(world, 50)
    assert ran(world)[0] == 1
    assert audited(world) == ([], [], [4, 0])


def test_at_the_gate_what_left_late_counts_from_then_as_well(world):
    publish(world, treatment=MAIL, campaign={**PATIENT, "key": "first"}, cap=[])
    publish(world, treatment=MAIL, campaign={**PATIENT, "key": "second"}, cap=[])
    [who] = willing(world, 1)
    ran(world, "first")
    passed(world, 1)
    ran(world, "second")
    rule(world, cap=[{"key": "week", "limit": 1, "days": 7}])
    first, second = (one for (one,) in world.rows("SELECT decision FROM contact ORDER BY reserved_at"))
    passed(world, 8)
    assert isinstance(claim(world, (who, first)), Message)
    passed(world, 14)
    refused = claim(world, (who, second))
    assert isinstance(refused, Refusal)
    assert (refused.rule, refused.observed, refused.allowed_from) == ("company:week", 1, "2026-12-06T10:00:00.000Z")


def test_whether_a_message_was_ignored_goes_by_when_it_left(world):
    """One that was sent when its campaign's window was over since it was reserved had its whole window before it."""
    rule(world, goodwill={"opening": 100, "floor": 0, "prices": {"email": 2}, "ignored": 1})
    objective = {**TABLES["objective"], "window_days": 14, "silence": "no"}
    publish(world, treatment=MAIL, cap=[], campaign=PATIENT, objective=objective)
    willing(world, 1)
    ran(world)
    passed(world, 19)
    assert sent(world) == 1
    assert ignored.settle(world.deployment, actor="worker").contacts == 0
    passed(world, 33)
    assert ignored.settle(world.deployment, actor="worker").contacts == 1
