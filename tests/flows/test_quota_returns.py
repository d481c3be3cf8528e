"""What never left gives its place back: expired, released, deferred, erased; and what a hard failure had cost."""

from datetime import timedelta

import pytest

from personalise import engine, reservations
from personalise.reach.dispatch import Message, Refusal
from personalise.runs import run
from personalise.runs.dry_run import dry_run
from personalise.steps.interact.states import Did
from tests.builders import START
from tests.campaigns import TABLES, again, claim, open_run, publish, sent, told, willing
from tests.erasing import erase
from tests.flows.test_contact_audit import audited as contacts_audited
from tests.flows.test_contact_policy import HELD, NIGHT, rule
from tests.flows.test_quota_audit import audited

MAIL = TABLES["treatment"][:1]
DESK = [{"key": "desk", "channels": ["email"], "limit": 2}]


def ran(world):
    """Return how many were chosen for, and how many found no room."""
    counts = run.advance(world.deployment, open_run(world.deployment, "spring", actor="mia")).counts
    full = {rule: count for rule, count in counts.reasons.items() if rule.startswith(("volume:", "goodwill_"))}
    return sum(counts.chosen.values()), full


def reserved(world):
    """Return the contacts (customer, decision) that wait, by customer."""
    return world.rows("SELECT customer, decision FROM contact WHERE status = 'reserved' ORDER BY customer")


def taken(world):
    return world.rows("SELECT key, taken FROM quota ORDER BY key")


def handed_out(world, contact):
    message = claim(world, contact)
    assert isinstance(message, Message)
    return message.token


def held(world):
    """Say that every check about contacts and quotas is content."""
    return audited(world)[:2] == ([], []) and contacts_audited(world)[:2] == ([], [])


@pytest.fixture
def desk(world):
    """Return a world in which two of six found room in a volume, and in the budget."""
    rule(world, goodwill={"opening": 100, "floor": 10, "prices": {"email": 1}})
    campaign = {**HELD, "ttl_days": 7, "goodwill_budget": 10}
    publish(world, treatment=MAIL, cap=[], volume=DESK, campaign=campaign)
    willing(world, 6)
    assert ran(world) == (2, {"volume:desk": 4})
    assert taken(world) == [("goodwill_budget", 2000), ("volume:desk", 2)]
    assert held(world)
    return world


@pytest.mark.parametrize("by", ["the worker", "the run"])
def test_what_nobody_sent_in_time_gives_its_place_to_others(desk, by):
    desk.clock.set(START + timedelta(days=8))
    foreseen = dry_run(desk.deployment, "spring", actor="mia").counts
    assert (sum(foreseen.chosen.values()), taken(desk)) == (2, [("goodwill_budget", 2000), ("volume:desk", 2)])
    if by == "the worker":
        with desk.store.write() as work:
            assert reservations.sweep(work, desk.clock(), 100) == 2
        assert held(desk)
        assert sum(dry_run(desk.deployment, "spring", actor="mia").counts.chosen.values()) == 2

    assert ran(desk) == (2, {"volume:desk": 4})
    assert taken(desk) == [("goodwill_budget", 2000), ("volume:desk", 2)]
    assert held(desk)


def test_who_decides_lets_expire_and_finds_the_place_free_at_once(desk):
    [(who, _), _] = reserved(desk)
    desk.clock.set(START + timedelta(days=8))
    made = engine.decide_one(desk.deployment, who, campaign="spring", actor="mia")
    assert made.chosen == "mail"
    assert taken(desk) == [("goodwill_budget", 2000), ("volume:desk", 2)]
    assert held(desk)


def test_whoever_is_deferred_at_the_gate_finds_room_again(world):
    rule(world, fallback_zones=["Etc/UTC"], hours=[NIGHT])
    publish(world, treatment=MAIL, cap=[], volume=DESK, campaign={**HELD, "ttl_days": 7})
    willing(world, 2)
    assert ran(world) == (2, {})
    world.clock.set(START.replace(hour=22))
    assert sent(world) == 0

    world.clock.set(START.replace(hour=8) + timedelta(days=1, minutes=1))
    assert (again(world), sent(world)) == (2, 2)
    assert taken(world) == [("volume:desk", 2)]
    assert held(world)


def test_what_stands_against_a_message_gives_its_place_back(desk):
    [(who, decision), _] = reserved(desk)
    desk.withdraw(who, "contact:email:recommendations")
    assert isinstance(claim(desk, (who, decision)), Refusal)
    assert ran(desk) == (1, {"volume:desk": 4})
    assert held(desk)


def test_a_hard_failure_gives_back_its_goodwill_and_not_the_work(desk):
    [first, _] = reserved(desk)
    told(desk, first, Did.FAIL_HARD, token=handed_out(desk, first))
    engine.decide_one(desk.deployment, first[0], campaign="spring", actor="mia")
    assert taken(desk) == [("goodwill_budget", 1000), ("volume:desk", 2)]
    assert held(desk)


def test_what_was_tried_and_then_expired_was_somebodys_work(desk):
    [first, _] = reserved(desk)
    told(desk, first, Did.FAIL_SOFTLY, token=handed_out(desk, first))
    desk.clock.set(START + timedelta(days=8))
    assert ran(desk) == (1, {"volume:desk": 5})
    assert taken(desk) == [("goodwill_budget", 1000), ("volume:desk", 2)]
    assert held(desk)


def test_what_waited_for_somebody_who_is_erased_comes_back_and_what_he_had_does_not(desk):
    first, second = reserved(desk)
    told(desk, second, Did.SEND, token=handed_out(desk, second))
    for who, _ in (first, second):
        erase(desk, who)
    assert ran(desk) == (1, {"volume:desk": 3})
    assert taken(desk) == [("goodwill_budget", 2000), ("volume:desk", 2)]
    assert held(desk)


def test_a_ghost_takes_nothing_and_gives_nothing_back(world):
    volume = [{**DESK[0], "limit": 15}]
    publish(world, treatment=MAIL, cap=[], volume=volume, campaign={"holdout": {"share": 0.5, "salt": "s"}})
    willing(world, 20)
    ran(world)
    ghosts = world.rows("SELECT DISTINCT quotas FROM contact WHERE status = 'ghost'")
    assert (ghosts, world.rows("SELECT DISTINCT quotas FROM contact WHERE status = 'reserved'")) == (
        [("",)],
        [("volume:desk@1",)],
    )
    assert held(world)


@pytest.fixture
def expired(desk):
    """Return the same, once both contacts have expired, and another run has filled it anew; and what had expired."""
    gone = [decision for _, decision in reserved(desk)]
    desk.clock.set(START + timedelta(days=8))
    assert ran(desk) == (2, {"volume:desk": 4})
    assert held(desk)
    return desk, gone


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DELETE FROM quota_return WHERE key = 'volume:desk' AND decision = :it",
         "it ended unsent, and did not give back what it took of volume:desk"),
        ("UPDATE quota_return SET amount = 3 WHERE key = 'volume:desk' AND decision = :it",
         "it gave back 3 of volume:desk, and had taken 1"),
        ("UPDATE contact SET status = 'sent', ended_at = NULL, ended_position = NULL WHERE decision = :it",
         "it gave back what it took of volume:desk, and is sent"),
    ],
)  # fmt: skip
def test_what_came_back_and_had_not_to_is_found(expired, statement, why):
    world, [it, _] = expired
    world.tamper(statement, it=it)
    assert (it, why) in audited(world)[0]


def test_what_came_back_of_no_decision_is_found_with_all_that_was_given_out_for_it(expired):
    world, _ = expired
    world.tamper("UPDATE quota SET taken = taken - 1 WHERE key = 'volume:desk'")
    world.tamper(
        "INSERT INTO quota_return (campaign, version, key, decision, amount, position, counted) "
        "VALUES ('spring', 1, 'volume:desk', 'dec_none.0', 1, 0, true)"
    )
    assert audited(world)[0] == [("dec_none.0", "it gave something back, and there is no such decision")]


def test_what_came_back_only_later_does_not_excuse_what_went_beyond(expired):
    world, gone = expired
    [(place,)] = world.rows("SELECT DISTINCT position FROM quota_return WHERE key = 'volume:desk'")
    world.tamper("UPDATE quota_return SET position = 1000000 WHERE key = 'volume:desk'")
    *moved, (chunk, why) = audited(world)[0]
    assert why == "volume:desk allows 2, and with it 4 was given"
    assert chunk not in gone
    other = f"it gave back what it took of volume:desk at position 1000000, and ended at {place}"
    assert moved == [(it, other) for it in sorted(gone)]


def test_what_is_said_to_have_come_back_earlier_than_it_did_is_found(expired):
    """Otherwise it would excuse what had gone beyond before it came back."""
    world, gone = expired
    world.tamper("UPDATE quota_return SET position = 0 WHERE key = 'volume:desk'")
    found = audited(world)[0]
    assert [subject for subject, _ in found] == sorted(gone)
    assert all(
        why.startswith("it gave back what it took of volume:desk at position 0, and ended at ") for _, why in found
    )


def test_a_contact_that_says_it_took_of_something_else_is_found(expired):
    world, _ = expired
    [(_, it), _] = reserved(world)
    world.tamper("UPDATE contact SET quotas = 'volume:desk@1' WHERE decision = :it", it=it)
    why = "it took of goodwill_budget@0 volume:desk@1 by the decision behind it, and says: volume:desk@1"
    assert ("contacts", it, why) in contacts_audited(world)[0]
