"""Audits of what was handed out, and of what ended: no message without a permit, nothing expired counts or costs."""

from datetime import timedelta

import pytest

from consent.audit.findings import Evidence
from consent.audit.judging import judged
from consent.base.clock import to_ms
from consent.register import customers, merging
from personalise import audit_checks, engine, reservations
from personalise.steps.interact.states import Did
from tests.builders import START
from tests.campaigns import MAIL, TABLES, again, claim, publish, sent, told, willing
from tests.erasing import erase, suppress
from tests.flows.test_contact_policy import HELD, rule
from tests.flows.test_dispatch import ran

THREE = [check for check in audit_checks.CHECKS if check.key in {"contacts", "dispatch", "goodwill"}]
RULES = {
    "cap": [{"key": "any", "limit": 3, "days": 30}],
    "goodwill": {"opening": 100, "floor": 0, "pressure_days": 30, "prices": {"email": 2}},
    "order": [{"key": "o", "days": 30, "first": {"campaigns": ["first"]}, "then": {"campaigns": ["then"]}}],
}


def audited(world):
    """Return the findings of the three checks, the gaps, and how much was judged."""
    evidence = Evidence(store=world.store, desk=world.deployment.desk, at=world.clock())
    went = judged(THREE, evidence, world.clock)
    findings = [(one.check, one.subject, one.why) for each in went for one in each.findings]
    return findings, [one.why for each in went for one in each.gaps], [each.checked for each in went]


@pytest.fixture
def busy(world):
    """Return a world in which contacts were sent, expired, failed and were decided again, and nothing is wrong."""
    rule(world, **RULES)
    for key in ("first", "then"):
        publish(world, treatment=TABLES["treatment"][:1], cap=[], campaign={**HELD, "key": key})
    who = willing(world, 4)
    ran(world, "first")
    ran(world, "then")  # each contact of it counts on one of the first's, which half of them never had
    for one, key, did in ((0, "first", Did.SEND), (0, "then", Did.DELIVER), (1, "then", Did.FAIL_HARD)):
        contact = of(world, who[one], key)
        told(world, contact, did, token=claim(world, contact).token)
    world.withdraw(who[2], MAIL)
    claim(world, of(world, who[2], "then"))
    world.clock.advance(days=7)
    with world.store.write() as work:
        reservations.sweep(work, world.clock(), 100)
    engine.decide_one(world.deployment, who[1], campaign="first", actor="mia")
    assert audited(world) == ([], [], [9, 3, 4])
    return world


def of(world, customer, key):
    [decision] = world.rows(
        "SELECT decision FROM contact WHERE customer = :who AND campaign = :key AND reserved_at = :at",
        who=customer, key=key, at=to_ms(START),
    )  # fmt: skip
    return customer, decision[0]


def people(world):
    return [one for (one,) in world.rows("SELECT DISTINCT customer FROM contact ORDER BY customer")]


def test_what_was_handed_out_after_the_customer_had_withdrawn_is_found(busy):
    who = people(busy)[0]
    busy.clock.advance(days=1)
    busy.withdraw(who, MAIL)
    contact = of(busy, who, "then")
    busy.tamper(
        "UPDATE contact SET claimed_position = :p, claimed_at = :at, expires_at = NULL WHERE decision = :it",
        p=busy.size(), at=to_ms(busy.clock()), it=contact[1],
    )  # fmt: skip
    lives = to_ms(START + timedelta(days=7))
    assert audited(busy)[0] == [
        ("contacts", contact[1], f"expires_at is None, and by the decision behind it {lives}"),
        ("dispatch", contact[1], f"it was handed out, and {MAIL} stood as WITHDRAWN at ledger position {busy.size()}"),
    ]


def known(world, name, **identities):
    """Enrol somebody, or give somebody who is enrolled one more address."""
    desk, at = world.deployment.desk, world.clock()
    with world.store.write() as work:
        [customer] = customers.enrol(desk, work, [{"reference": name, **identities}], at=at)
    return customer


def merge(world, merged, into):
    world.clock.advance(minutes=1)
    with world.store.write() as work:
        merging.merge(world.deployment.desk, work, merged, into, actor="cy", at=world.clock())


def handed_out(world, count=1):
    """Have contacts handed out to customers with addresses of their own; return them."""
    publish(world, treatment=TABLES["treatment"][:1], cap=[], campaign=HELD)
    who = sorted(willing(world, count))
    for number in range(count):
        known(world, f"W{number:05d}", email=f"w{number}@shop.example")
    ran(world, "spring")
    world.clock.advance(minutes=1)
    assert sent(world) == count
    return who


def dispatched(world):
    return [each for each in audited(world)[0] if each[0] == "dispatch"]


def test_an_address_that_came_later_counts_only_from_then_on(world):
    """It was on the list already when he, who didn't have it, was sent something."""
    suppress(world, "new@shop.example")
    [who] = handed_out(world)
    world.clock.advance(minutes=1)
    assert known(world, "W00000", email="new@shop.example") == who
    assert dispatched(world) == []
    world.check_ledger()


def test_addresses_of_two_records_count_for_each_until_they_are_joined(world):
    """Of two that are joined twice over one was left alone: nothing was sent to it, and to the others rightly so."""
    put = suppress(world, "other@shop.example")
    other = known(world, "O", email="other@shop.example")
    who = handed_out(world, 2)
    merge(world, other, who[0])
    merge(world, *who)
    assert dispatched(world) == []
    world.check_ledger()

    world.tamper("UPDATE contact SET claimed_position = :p WHERE customer = :who", p=world.size(), who=who[1])
    assert any(f"entry {put.position} says to leave him alone" in why for _, _, why in dispatched(world))


def test_what_was_sent_to_an_id_before_it_was_given_up_is_judged_by_its_own_addresses(world):
    handed_out(world, 2)
    merged, into = (known(world, name) for name in ("W00000", "W00001"))
    put = suppress(world, "w0@shop.example")
    position = world.size()
    world.tamper("UPDATE contact SET claimed_position = :p WHERE customer = :who", p=position, who=merged)
    before = dispatched(world)
    merge(world, merged, into)

    [(decision,)] = world.rows("SELECT decision FROM contact WHERE customer = :who", who=merged)
    why = f"it was handed out at ledger position {position}, and entry {put.position} says to leave him alone"
    assert before == [("dispatch", decision, why)]
    assert dispatched(world) == before


def test_what_was_sent_though_nobody_claimed_it_is_found(busy):
    who = people(busy)[1]
    [(newest,)] = busy.rows("SELECT decision FROM contact WHERE customer = :who AND status = 'reserved'", who=who)
    busy.tamper("UPDATE contact SET status = 'sent' WHERE decision = :it", it=newest)
    assert audited(busy)[0] == [("dispatch", newest, "it is sent, and nobody had claimed it")]


def test_what_was_handed_out_after_its_time_is_found(busy):
    contact = of(busy, people(busy)[0], "first")
    busy.tamper("UPDATE contact SET claimed_at = expires_at WHERE decision = :it", it=contact[1])
    [early, late] = audited(busy)[0]
    assert late == ("dispatch", contact[1], "it was handed out after its time to live was over")
    assert early[2].endswith(", and the entry behind is of 2026-11-21T10:00:00.000Z")


def test_what_says_that_it_was_handed_out_at_another_time_than_the_ledger_had_is_found(busy):
    """ADR 59: from then on it counts, so whoever sets it back lifts a cap."""
    contact = of(busy, people(busy)[0], "then")
    [(place,)] = busy.rows("SELECT claimed_position FROM contact WHERE decision = :it", it=contact[1])
    busy.tamper("UPDATE contact SET claimed_at = claimed_at - 61000 WHERE decision = :it", it=contact[1])
    why = f"at ledger position {place} it was said to be handed out at 2026-11-21T09:58:59.000Z, and the entry before"
    assert audited(busy)[0] == [("dispatch", contact[1], f"{why} is of 2026-11-21T10:00:00.000Z")]


def test_what_was_handed_out_before_it_was_decided_is_found(busy):
    contact = of(busy, people(busy)[0], "then")
    busy.tamper("UPDATE contact SET claimed_position = 3 WHERE decision = :it", it=contact[1])
    why = "it was handed out at ledger position 3, before the ledger committed to the decision"
    assert ("dispatch", contact[1], why) in audited(busy)[0]


def test_what_had_expired_and_counted_all_the_same_is_found(busy):
    """Under pressure the second contact cost twice as much: had the first one ended before, it should not have."""
    who = people(busy)[0]
    first, second = of(busy, who, "first")[1], of(busy, who, "then")[1]
    busy.tamper(
        "UPDATE contact SET status = 'expired', ended_at = :at, ended_position = 1, claimed_position = NULL, "
        "claimed_at = NULL, claims = 0 WHERE decision = :it",
        at=to_ms(START), it=first,
    )  # fmt: skip
    assert audited(busy)[0] == [
        ("contacts", second, "order:o asks for at least 1 in 30 days, and there were 0"),
        ("contacts", second, "it was charged 4000 thousandths of goodwill, and costs 2000"),
        ("goodwill", who, f"2000 is owed back for {first}, and 0 was given back for it"),
    ]


def test_what_ended_without_saying_when_and_what_says_when_without_having_ended_are_found(busy):
    who = people(busy)[0]
    first = of(busy, who, "first")[1]
    busy.tamper("UPDATE contact SET ended_position = 900 WHERE decision = :it", it=first)
    assert audited(busy)[0] == [("contacts", first, "it is sent, and when it ended is not what that says")]


def test_what_was_given_back_for_a_contact_that_counts_is_found(busy):
    who = people(busy)[1]
    failed = of(busy, who, "then")[1]
    busy.tamper("UPDATE contact SET status = 'delivered', ended_position = NULL WHERE decision = :it", it=failed)
    found = [each for each in audited(busy)[0] if each[0] == "goodwill"]
    assert found == [("goodwill", who, f"0 is owed back for {failed}, and 4000 was given back for it")]


def test_what_can_not_be_read_any_more_is_a_gap_and_who_was_erased_is_neither(busy):
    erase(busy, people(busy)[0])
    contact = of(busy, people(busy)[0], "then")
    findings, gaps, checked = audited(busy)
    assert (findings, gaps, checked) == ([], [], [7, 1, 3])
    busy.tamper("UPDATE contact SET treatment = 'letter' WHERE decision = :it", it=contact[1])
    assert audited(busy)[1] == [f"{contact[1]}: the decision knows no letter"]


def test_a_deferred_customer_leaves_no_trace_that_an_audit_would_stumble_over(world):
    rule(world, cap=[{"key": "any", "limit": 1, "days": 3}], goodwill=RULES["goodwill"])
    for key in ("first", "spring"):
        publish(world, treatment=TABLES["treatment"][:1], cap=[], campaign={**HELD, "key": key})
    willing(world, 3)
    ran(world, "first")
    sent(world)
    ran(world)
    world.clock.set(START + timedelta(days=3))
    again(world)
    assert (sent(world), audited(world)) == (3, ([], [], [6, 6, 3]))
    world.check_ledger()
