"""When two records turn out to be one customer's, what he had under either counts: caps, rests, limits, pressure."""

from datetime import timedelta

import pytest

from consent.register import mergers, merging
from personalise import contacts, engine
from personalise.history import Counting, last
from tests.builders import START
from tests.campaigns import willing
from tests.flows.test_contact_audit import GOODWILL, audited
from tests.flows.test_contact_policy import campaign, offers, rule
from tests.flows.test_households import home

DAY = timedelta(days=1)
WEEKLY = [{"key": "any", "limit": 2, "days": 7}]


def decided(world, customer, key="spring"):
    return engine.decide_one(world.deployment, customer, campaign=key, actor="mia")


def join(world, merged, into):
    with world.store.write() as work:
        merging.merge(world.deployment.desk, work, merged, into, actor="cy", at=world.clock())


def refusals(made):
    return [each.rule for each in made.verdicts if each.rule]


def test_a_cap_counts_what_came_under_the_id_that_was_given_up(world):
    rule(world, cap=WEEKLY)
    campaign(world)
    ann, bo, cy = willing(world, 3)
    for who in (ann, bo):
        assert decided(world, who).chosen == "mail"
    join(world, ann, bo)
    refused = decided(world, bo)

    assert (refused.chosen, refusals(refused)[0]) == (None, "company:any")
    assert decided(world, cy).chosen == "mail"
    world.clock.set(START + 8 * DAY)
    assert decided(world, bo).chosen == "mail"
    assert audited(world) == ([], [], [4, 0])


def test_who_was_joined_twice_has_all_of_it(world):
    rule(world, cap=[{"key": "any", "limit": 3, "days": 7}])
    campaign(world)
    ann, bo, cy = willing(world, 3)
    for who in (ann, bo, cy):
        decided(world, who)
    join(world, ann, bo)
    join(world, bo, cy)
    with world.store.read() as work:
        assert [(each.merged, each.into) for each in mergers.given_up(work, [cy])] == [(bo, cy), (ann, bo)]
        assert mergers.given_up(work, [ann]) == []
    assert refusals(decided(world, cy))[0] == "company:any"


def test_what_was_turned_down_under_either_id_rests(world):
    rule(world, rest=[{"key": "r", "days": 60}])
    campaign(world, offer=offers(9.5))
    ann, bo = willing(world, 2)
    made = decided(world, ann)
    with world.store.write() as work:
        assert contacts.turn_down(work, ann, made.id, at=world.clock())
    join(world, ann, bo)

    assert refusals(decided(world, bo))[0] == "rest:r:spring"


def test_pressure_of_either_makes_the_next_contact_dearer_and_the_audit_counts_alike(world):
    rule(world, goodwill=GOODWILL)
    campaign(world)
    ann, bo = willing(world, 2)
    decided(world, ann)
    join(world, ann, bo)
    decided(world, bo)

    assert world.rows("SELECT charge FROM contact ORDER BY reserved_at, charge") == [(2_000,), (4_000,)]
    assert audited(world) == ([], [], [2, 2])


def test_what_came_before_the_two_were_joined_is_judged_by_itself(world):
    rule(world, cap=[{"key": "any", "limit": 1, "days": 7}])
    campaign(world)
    ann, bo = willing(world, 2)
    decided(world, ann)
    decided(world, bo)
    join(world, ann, bo)

    assert audited(world) == ([], [], [2, 0])


def test_the_audit_finds_a_contact_that_did_not_count_the_other_id(world):
    rule(world, cap=[{"key": "any", "limit": 1, "days": 7}])
    campaign(world)
    ann, bo = willing(world, 2)
    decided(world, ann)
    missed = decided(world, bo)
    join(world, ann, bo)
    with world.store.write() as work:
        work.connection.exec_driver_sql("UPDATE merger SET position = 0")

    assert audited(world)[0] == [
        ("contacts", missed.id, "company:any asks for at most 0 before it in 7 days, and there were 1"),
    ]


@pytest.mark.parametrize("whose", [0, 1])
def test_a_household_has_what_came_under_the_id_that_was_given_up(world, whose):
    rule(world, cap=[{"key": "home", "limit": 1, "days": 7, "per": "household"}])
    campaign(world)
    ann, bo, cy = willing(world, 3)
    home(world, bo, cy)
    decided(world, ann)
    join(world, ann, bo)

    assert refusals(decided(world, (bo, cy)[whose]))[0] == "company:home"
    assert audited(world)[0] == []


def test_the_last_contact_is_that_of_either(world):
    campaign(world)
    ann, bo = willing(world, 2)
    decided(world, ann)
    join(world, ann, bo)
    with world.store.read() as work:
        assert (
            last(work, [ann, bo], world.clock(), counting=Counting("spring"))["last_contact"].to_pylist()
            == [1_795_255_200_000] * 2
        )
