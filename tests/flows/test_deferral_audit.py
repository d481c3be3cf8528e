"""Audits of deferrals: whoever waits by another rule, version or time than his decision said is named."""

from datetime import timedelta

import pytest

from consent.audit.findings import Evidence
from consent.audit.judging import judged
from consent.register import merging
from personalise import audit_checks, engine
from personalise.runs import run
from tests.builders import START
from tests.campaigns import TABLES, again, claim, deferred, open_run, publish, sent, willing
from tests.flows.test_contact_policy import HELD, NIGHT, rule

ONE = [check for check in audit_checks.CHECKS if check.key == "deferrals"]
ONE_MAIL = {"treatment": TABLES["treatment"][:1], "cap": [], "campaign": HELD}
DAY_MS = 86_400_000


def audited(world):
    """Return what the check came upon: findings, gaps, and how many deferrals were judged."""
    evidence = Evidence(store=world.store, desk=world.deployment.desk, at=world.clock())
    [went] = judged(ONE, evidence, world.clock)
    return [(one.subject, one.why) for one in went.findings], [one.why for one in went.gaps], went.checked


def ran(world, key="spring"):
    return run.advance(world.deployment, open_run(world.deployment, key, actor="mia"))


def rows(world):
    return world.rows("SELECT customer, decision FROM deferral ORDER BY customer, made_at")


@pytest.fixture
def held(world):
    """Return a world in which four customers wait, by a cap, and of whom nothing is wrong."""
    rule(world, cap=[{"key": "any", "limit": 1, "days": 3}])
    for key in ("first", "spring"):
        publish(world, **{**ONE_MAIL, "campaign": {**HELD, "key": key}})
    willing(world, 4)
    ran(world, "first")
    assert (sent(world), ran(world).counts.deferred) == (4, 4)
    assert audited(world) == ([], [], 4)
    return world


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("rule = 'company:other'", "rule is company:other, and the decision behind it names company:any"),
        ("campaign = 'first'", "campaign is first, and by the decision behind it spring"),
        ("version = 9", "version is 9, and by the decision behind it 1"),
        ("model = 9", "model is 9, and by the decision behind it 0"),
        ("run = 'run_1'", None),
        ("made_at = made_at + 1", None),
        ("due_at = due_at + 1", None),
        ("due_at = due_at - 1", None),
        ("expires_at = expires_at + 1", None),
        ("state = 'nonsense'", "state is nonsense, which no deferral ever is"),
        ("state = 'expired'", "it is expired, and ended_at is not there"),
        ("ended_at = 7", "it is waiting, and ended_at is there"),
        ("state = 'decided', ended_at = 7", "it is decided, and no decision came of it"),
        ("state = 'decided', ended_at = 7, again = 'dec_none.0'", "dec_none.0, which came of it, is not there"),
    ],
)
def test_who_waits_otherwise_than_his_decision_said_is_found(held, change, why):
    _, decision = rows(held)[2]
    held.tamper(f"UPDATE deferral SET {change} WHERE decision = :it", it=decision)  # noqa: S608 -- a change from above

    [(subject, found)], gaps, count = audited(held)
    assert (subject, gaps, count) == (f"deferral {decision}", [], 4)
    assert found.startswith(f"{change.partition(' ')[0]} is ") if why is None else found == why


def test_a_deferral_of_no_decision_or_of_anothers_is_found(held):
    (_, first), (_, second), *_ = rows(held)
    held.tamper("UPDATE deferral SET decision = 'dec_none.0' WHERE decision = :it", it=first)
    held.tamper("UPDATE deferral SET customer = 'cus_0' WHERE decision = :it", it=second)

    assert sorted(audited(held)[0]) == sorted([
        ("deferral dec_none.0", "no decision is behind it"),
        (f"deferral {second}", "the decision behind it is another customer's"),
    ])  # fmt: skip


def test_what_came_of_another_customers_is_found(held):
    held.clock.set(START + timedelta(days=3))
    assert again(held) == 4
    assert audited(held) == ([], [], 4)
    (_, first), (_, second), *_ = rows(held)
    [(other,)] = held.rows("SELECT again FROM deferral WHERE decision = :it", it=second)
    held.tamper("UPDATE deferral SET again = :other WHERE decision = :it", it=first, other=other)

    assert audited(held)[0] == [(f"deferral {first}", f"{other}, which came of it, is about another customer")]


def test_a_deferral_of_a_decision_that_held_nobody_back_is_found(held):
    held.clock.set(START + timedelta(days=3))
    again(held)
    [(customer, reached), *_] = held.rows(
        "SELECT customer, decision FROM contact WHERE campaign = 'spring' ORDER BY customer"
    )
    _, waited = rows(held)[0]
    held.tamper("UPDATE deferral SET decision = :other WHERE decision = :it", it=waited, other=reached)

    why = "the decision behind it held nobody back, and no contact of it was released for it"
    assert (f"deferral {reached}", why) in audited(held)[0]
    assert customer == rows(held)[0][0]


def test_who_is_held_back_again_and_by_the_dispatch_gate_and_under_another_id_is_right(world):
    rule(world, cap=[{"key": "any", "limit": 1, "days": 3}])
    for key in ("first", "spring"):
        publish(world, **{**ONE_MAIL, "campaign": {"key": key, "holdout": {"share": 0.3, "salt": "s"}}})
    publish(world, **{**ONE_MAIL, "campaign": {**HELD, "key": "bill", "class": "service"}})
    who = willing(world, 24)  # whose ids, and so who of them is held out, are others each time
    ran(world, "first")
    sent(world)
    ran(world)
    world.clock.set(START + timedelta(days=2))
    for customer in who[::3]:
        engine.decide_one(world.deployment, customer, campaign="bill", actor="mia")
    with world.store.write() as work:
        merging.merge(world.deployment.desk, work, who[1], who[2], actor="cy", at=world.clock())
    world.clock.set(START + timedelta(days=3))
    again(world)
    rule(world, hours=[NIGHT], fallback_zones=["Europe/Berlin"])
    world.clock.set(START + timedelta(days=3, hours=13))
    for contact in world.rows("SELECT customer, decision FROM contact WHERE status = 'reserved' ORDER BY customer"):
        claim(world, contact)
    world.clock.set(START + timedelta(days=5))
    again(world)

    states = {row[3] for row in deferred(world)}
    assert {"decided"} <= states
    findings, gaps, count = audited(world)
    assert (findings, gaps, count) == ([], [], len(rows(world)))
    released = world.rows(
        "SELECT count(*) FROM contact c JOIN deferral d ON c.customer = d.customer AND c.decision = d.decision"
    )
    waited_twice = count - len({customer for customer, _ in rows(world)})
    assert (waited_twice > 0, released[0][0] > 0) == (True, True)
    world.check_ledger()
