"""What a run or a decision went by that it had not to is found: an older contact policy, or another than the run's."""

import pytest

from consent.audit.findings import Evidence
from consent.audit.judging import judged
from personalise import audit_checks, engine
from personalise.life import approving, running
from personalise.runs import dry_run
from tests.attacker import Attacker
from tests.campaigns import willing
from tests.flows.test_campaign_life import SECOND, put, tried
from tests.flows.test_contact_policy import rule

WEEK = {"cap": [{"key": "week", "limit": 1, "days": 7}]}
WENT_BY = "it went by version 1 of the contact policy, and version 2 of the contact policy was in force"


def audited(world, *keys):
    """Return what some checks come upon, as (subject, why); they leave no gap."""
    evidence = Evidence(store=world.store, desk=world.deployment.desk, at=world.clock())
    went = judged([one for one in audit_checks.CHECKS if one.key in keys], evidence, world.clock)
    assert not [gap for each in went for gap in each.gaps]
    return [(one.subject, one.why) for each in went for one in each.findings]


@pytest.fixture
def shop(world):
    """Return a world with customers, an approved campaign, and a contact policy that became stricter."""
    willing(world, 20)
    put(world)
    tried(world)
    approving.approve(world.deployment, "spring", **SECOND)
    rule(world, weight_of_benefit=0.5)
    world.clock.advance(hours=1)
    rule(world, **WEEK)
    return world


def by_the_first(world):
    """Return the hash of what would decide under the first contact policy."""
    with world.store.read() as work:
        return dry_run.load_policy(world.deployment, work, "spring", contact_policy=1)[0].digest


@pytest.mark.parametrize("moment", ["before it decides", "behind it"])
def test_a_run_that_was_made_to_go_by_an_older_contact_policy_is_found(shop, moment):
    shop.clock.advance(minutes=2)
    run = running.start(shop.deployment, "spring", **SECOND)
    attacker = Attacker(shop)
    if moment == "behind it":
        running.advance(shop.deployment, run)
        assert audited(shop, "approvals", "decision_log") == []
    attacker.do("UPDATE run SET contact_policy = 1, policy = :policy", policy=by_the_first(shop))
    if moment == "before it decides":
        running.advance(shop.deployment, run)
    others = [] if moment == "before it decides" else ["contact_policy 2 for 1"]
    found = audited(shop, "approvals", "decision_log")

    assert found[-1] == (run, WENT_BY)
    assert [why.partition(" says: ")[2] for _, why in found[:-1]] == others


def test_decisions_of_a_run_whose_row_was_set_right_again_are_found(shop):
    run = running.start(shop.deployment, "spring", **SECOND)
    attacker = Attacker(shop)
    [(right,)] = shop.rows("SELECT policy FROM run")
    attacker.do("UPDATE run SET contact_policy = 1, policy = :policy", policy=by_the_first(shop))
    running.advance(shop.deployment, run)
    attacker.do("UPDATE run SET contact_policy = 2, policy = :policy", policy=bytes(right))

    [(_, why)] = audited(shop, "approvals", "decision_log")
    assert why == f"it went by other versions than run {run} says: contact_policy 1 for 2"


def test_a_live_decision_goes_by_the_contact_policy_in_force(shop):
    """Whoever takes a stricter contact policy away, and puts it back, has it decide by none of its rules meanwhile."""
    who = shop.bo
    shop.clock.advance(minutes=2)
    engine.decide_one(shop.deployment, who, campaign="spring", actor="mia")
    before = audited(shop, "versions", "decision_log")
    attacker = Attacker(shop)
    attacker.do("CREATE TABLE aside AS SELECT * FROM contact_policy_version WHERE version = 2")
    attacker.do("DELETE FROM contact_policy_version WHERE version = 2")
    decision = engine.decide_one(shop.deployment, who, campaign="spring", actor="mia").id
    attacker.do("INSERT INTO contact_policy_version SELECT * FROM aside")

    assert before == []
    assert audited(shop, "versions", "decision_log") == [(decision.partition(".")[0], WENT_BY)]


def test_who_had_read_the_contact_policy_a_moment_before_another_was_published_went_by_his(shop):
    """Decisions are committed one after another: one that was read for before is none that went by the wrong one."""
    running.start(shop.deployment, "spring", **SECOND)
    Attacker(shop).do("UPDATE run SET contact_policy = 1")
    before = audited(shop, "approvals")
    shop.clock.advance(hours=1)
    running.stop(shop.deployment, "spring", actor="cy")
    assert (before, audited(shop, "approvals")) == ([], [])
