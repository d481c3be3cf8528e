"""Audits of contacts: whatever broke the contact policy, a holdout, a price or a promise is named by its decision."""

from datetime import timedelta

import pytest

from consent.audit.findings import Evidence
from consent.audit.judging import judged
from personalise import audit_checks, engine
from personalise.reach.dispatch import Message
from personalise.runs import run
from tests.builders import START
from tests.campaigns import claim, open_run, willing
from tests.erasing import erase
from tests.flows.test_contact_policy import campaign, offers, rule

TWO = [check for check in audit_checks.CHECKS if check.key in {"contacts", "goodwill"}]
GOODWILL = {"opening": 100, "floor": 0, "prices": {"email": 2}}


def audited(world):
    """Return what the two checks came upon: findings by check, gaps, and how much was judged."""
    evidence = Evidence(store=world.store, desk=world.deployment.desk, at=world.clock())
    went = judged(TWO, evidence, world.clock)
    findings = [(one.check, one.subject, one.why) for each in went for one in each.findings]
    gaps = [one.why for each in went for one in each.gaps]
    return findings, gaps, [each.checked for each in went]


def decided(world, customer, key="spring"):
    return engine.decide_one(world.deployment, customer, campaign=key, actor="mia")


@pytest.fixture
def busy(world):
    """Return a world in which three customers had contacts under every kind of rule, and nothing is wrong."""
    rule(
        world,
        cap=[{"key": "any", "limit": 2, "days": 7}],
        exclusion=[{"key": "x", "days": 5, "one": {"tags": ["a"]}, "other": {"tags": ["b"]}}],
        rest=[{"key": "r", "days": 60}],
        goodwill=GOODWILL,
    )
    campaign(world, "first", campaign={"tags": ["a"]}, offer=offers(9.5))
    campaign(world, "second", campaign={"tags": ["b"]}, offer=offers(8.0))
    who = willing(world, 3)
    for days in (0, 3, 15):
        world.clock.set(START + timedelta(days=days))
        for customer in who:
            decided(world, customer, "first")
    assert audited(world) == ([], [], [9, 3])
    return world


def of(world, number=0):
    """Return the decisions behind the contacts of one customer, the first first."""
    whose = sorted({one for (one,) in world.rows("SELECT customer FROM contact")})[number]
    return whose, [
        one
        for (one,) in world.rows("SELECT decision FROM contact WHERE customer = :who ORDER BY reserved_at", who=whose)
    ]


def test_a_contact_without_its_decision_is_found(busy):
    (_, [_, _, first]), (_, [other, _, second]), (_, [_, _, third]) = of(busy), of(busy, 1), of(busy, 2)
    busy.tamper("UPDATE contact SET decision = 'dec_gone.0' WHERE decision = :it", it=second)
    busy.tamper("UPDATE contact SET treatment = 'letter' WHERE decision = :it", it=first)
    busy.tamper("UPDATE contact SET decision = :other WHERE decision = :it", it=third, other=other)

    found = [(subject, why) for check, subject, why in audited(busy)[0] if check == "contacts"]
    assert sorted(found) == sorted([
        ("dec_gone.0", "no decision is behind it"), (first, "the decision behind it did not choose letter"),
        (other, "the decision behind it is another customer's"),
        (second, "it chose mail, and its contact is not there"), (third, "it chose mail, and its contact is not there"),
    ])  # fmt: skip


def test_a_cap_that_was_broken_is_found_by_who_broke_it(busy):
    _, [_, second, third] = of(busy)
    moved = int((START + timedelta(days=4)).timestamp() * 1000)
    busy.tamper("UPDATE contact SET reserved_at = :at WHERE decision = :it", at=moved, it=third)
    busy.tamper("UPDATE contact SET tags = 'b' WHERE decision = :it", it=second)

    found = [(subject, why) for check, subject, why in audited(busy)[0] if check == "contacts"]
    decided_at = int((START + timedelta(days=15)).timestamp() * 1000)
    assert found == [
        (second, "tags is b, and by the decision behind it a"),
        (third, f"reserved_at is {moved}, and it was decided at {decided_at}"),
        (third, "company:any asks for at most 1 before it in 7 days, and there were 2"),
        (third, "exclusion:x:one asks for at most 0 before it in 5 days, and there were 1"),
        (third, "it was charged 2000 thousandths of goodwill, and costs 6000"),
    ]


def test_a_rest_that_was_not_kept_is_found(busy):
    _, [first, _, third] = of(busy)
    turned = int((START + timedelta(days=14)).timestamp() * 1000)
    busy.tamper("UPDATE contact SET rejected_at = :at WHERE decision = :it", at=turned, it=first)
    assert audited(busy)[0] == [
        ("contacts", third, "rest:r:spring asks for at most 0 before it in 60 days, and there were 1")
    ]


def test_a_promise_that_was_broken_is_found(busy):
    [customer, *_] = sorted({one for (one,) in busy.rows("SELECT customer FROM contact")})
    busy.tamper("DELETE FROM commitment")
    busy.clock.set(START + timedelta(days=22))
    made = decided(busy, customer, "second")
    promised = of(busy)[1][2]
    assert audited(busy)[0] == [("contacts", made.id, f"the terms of range, promised by {promised}, still held")]


def test_a_control_who_was_reached_is_found(world):
    campaign(world, campaign={"holdout": {"share": 0.9, "salt": "s"}})
    who = willing(world, 8)
    for customer in who:
        decided(world, customer)
    statuses = dict(world.rows("SELECT decision, status FROM contact"))
    assert audited(world)[0] == []
    ghost = next(decision for decision, status in statuses.items() if status == "ghost")
    world.tamper("UPDATE contact SET status = 'reserved' WHERE decision = :it", it=ghost)
    assert audited(world)[0] == [("contacts", ghost, "the decision behind it did not choose mail")]


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE goodwill SET balance = 99", "the account says 99 in 4 entries, and its entries are 4, 92000 in all"),
        ("DELETE FROM goodwill", "the account says 0 in 0 entries, and its entries are 4, 92000 in all"),
        ("UPDATE goodwill_entry SET number = 9 WHERE number = 3", "entries are missing, or stand twice"),
    ],
)
def test_an_account_that_does_not_add_up_is_found(busy, statement, why):
    whose, _ = of(busy)
    busy.tamper(f"{statement}{' AND' if 'WHERE' in statement else ' WHERE'} customer = :who", who=whose)
    assert audited(busy)[0] == [("goodwill", whose, why)]


def test_what_was_taken_for_no_contact_and_what_was_not_taken_are_found(busy):
    whose, [first, second, _] = of(busy)
    busy.tamper("UPDATE goodwill_entry SET reference = 'dec_none.0' WHERE reference = :it", it=first)
    busy.tamper("UPDATE goodwill_entry SET kind = 'purchase', amount = 4000 WHERE reference = :it", it=second)
    busy.tamper("UPDATE goodwill SET balance = 100000 WHERE customer = :who", who=whose)

    found = [why for check, subject, why in audited(busy)[0] if (check, subject) == ("goodwill", whose)]
    assert found[0] == "entry 2 lifted it to 102000, above the 100000 it opened with"
    assert sorted(found[1:]) == sorted([
        f"{first} cost 2000, and 0 was taken for it",
        f"{second} cost 4000, and 0 was taken for it",
        "dec_none.0 cost 0, and 2000 was taken for it",
    ])  # fmt: skip


# ------------------------------------------------------------------------------------------ what the decision had made


@pytest.fixture
def carried(world):
    """Return a world in which a run reserved mails for four customers, and one was handed out."""
    campaign(world, campaign={"tags": ["a"]}, offer=offers(9.5))
    willing(world, 4)
    run.advance(world.deployment, open_run(world.deployment, "spring", actor="mia"))
    [first, *_] = reserved_of(world)
    assert isinstance(claim(world, first), Message)
    assert audited(world)[:2] == ([], [])
    return world


def reserved_of(world):
    return world.rows("SELECT customer, decision FROM contact ORDER BY customer")


@pytest.mark.parametrize(
    ("column", "value", "by"),
    [("channel", "sms", "email"), ("kind", "service", "marketing"), ("purpose", "service", "recommendations"),
     ("tags", "b", "a"), ("family", "guides", "spring"), ("offer", "guide", "range"), ("campaign", "autumn", "spring")],
)  # fmt: skip
def test_a_contact_that_says_otherwise_than_its_decision_is_found(carried, column, value, by):
    [*_, (_, decision)] = reserved_of(carried)
    carried.tamper(f"UPDATE contact SET {column} = :value WHERE decision = :it", value=value, it=decision)  # noqa: S608 -- a column from above

    why = f"{column} is {value}, and by the decision behind it {by}"
    assert audited(carried)[:2] == ([("contacts", decision, why)], [])


def test_a_contact_that_lives_longer_than_its_decision_said_is_found(carried):
    [*_, (_, decision)] = reserved_of(carried)
    [(ends,)] = carried.rows("SELECT expires_at FROM contact WHERE decision = :it", it=decision)
    for until in (ends + 100 * 86_400_000, None):
        carried.tamper("UPDATE contact SET expires_at = :at WHERE decision = :it", at=until, it=decision)
        why = f"expires_at is {until}, and by the decision behind it {ends}"
        assert audited(carried)[:2] == ([("contacts", decision, why)], [])


@pytest.mark.parametrize(
    ("number", "change", "why"),
    [
        (1, "status = 'nonsense'", "status is nonsense, which no contact ever is"),
        (0, "status = 'reserved'", "it is reserved, and claimed_until says that it is held"),
        (0, "claims = 0", "claimed_at and claims contradict each other"),
        (0, "claimed_at = NULL", "claimed_at and claims, claimed_position contradict each other"),
        (0, "claimed_until = NULL", "it is claimed, and claimed_until is not there"),
        (1, "ended_at = 7", "it is reserved, and ended_at is there"),
        (1, "status = 'released', ended_position = 7", "it is released, and ended_at is not there"),
    ],
)
def test_a_contact_that_contradicts_itself_is_found(carried, number, change, why):
    _, decision = reserved_of(carried)[number]
    carried.tamper(f"UPDATE contact SET {change} WHERE decision = :it", it=decision)  # noqa: S608 -- a change from above

    assert ("contacts", decision, why) in audited(carried)[0]


def test_a_decision_that_chose_somebody_and_left_no_contact_is_found(busy):
    _, [_, second, _] = of(busy)
    busy.tamper("DELETE FROM contact WHERE decision = :it", it=second)

    found = [each for each in audited(busy)[0] if each[1] == second]
    assert found == [("contacts", second, "it chose mail, and its contact is not there")]


def test_a_ghost_that_was_removed_is_found_and_what_went_with_an_erasure_is_not(world):
    campaign(world, campaign={"holdout": {"share": 0.9, "salt": "s"}})
    who = willing(world, 8)
    for customer in who:
        decided(world, customer)
    ghosts = world.rows("SELECT customer, decision FROM contact WHERE status = 'ghost' ORDER BY customer")
    erase(world, ghosts[0][0])
    assert world.rows("SELECT 1 FROM contact WHERE decision = :it", it=ghosts[0][1]) == []
    assert audited(world)[:2] == ([], [])

    world.tamper("DELETE FROM contact WHERE decision = :it", it=ghosts[1][1])
    why = "it gave a ghost of mail, and its contact is not there"
    assert audited(world)[:2] == ([("contacts", ghosts[1][1], why)], [])
