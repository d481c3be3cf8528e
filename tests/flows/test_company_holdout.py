"""The company's own holdout: whom no campaign reaches, how all campaigns are judged by them, and how one isn't."""

import json

import pytest

from consent.base.errors import ContactPolicyInvalid, Place, RequestUnfit
from personalise import engine, shelf
from personalise.contact_policy.reading import parse_contact_policy
from personalise.contact_policy.words import rules
from personalise.life import ruling, running
from personalise.measure.effects import SampleRatio, two_proportions
from personalise.measure.holdout import Withheld
from personalise.runs import run
from personalise.steps.personalise.holdout import COMPANY, buckets
from tests.campaigns import TABLES, contacts, open_run, publish, willing
from tests.flows.test_campaign_life import put
from tests.flows.test_contact_audit import audited
from tests.flows.test_contact_policy import rule
from tests.flows.test_results import MANY, arms, measured, ran, tell

HELD = {"share": 0.25, "salt": "c"}
NOBODY = {"campaign": {"holdout": {"share": 0, "salt": "s"}}, "treatment": TABLES["treatment"][:1], "cap": []}


def left_out(who):
    """Return those whom the company holds out."""
    drawn = buckets(who, salt="c", scope=COMPANY).tolist()
    return {customer for customer, bucket in zip(who, drawn, strict=True) if bucket < 2_500}


def put_in_force(world, **tables):
    with world.store.write() as work:
        read = parse_contact_policy(json.dumps(tables), "json", world.deployment.desk.catalogues.current(work))
        return ruling.publish(world.deployment.desk, work, read, actor="mia", at=world.clock())


def test_no_campaign_reaches_them_and_each_would_be_contact_is_a_ghost(world):
    who = willing(world, 60)
    rule(world, holdout=HELD)
    ran(world, **NOBODY)
    out = left_out(who)

    assert 0 < len(out) < 60
    assert {row[0] for row in contacts(world, "ghost")} == out
    assert {row[0] for row in contacts(world)} == set(who) - out
    assert audited(world)[:2] == ([], [])


def test_a_live_decision_names_the_rule_and_how_likely_it_was(world):
    who = willing(world, 60)
    rule(world, holdout=HELD)
    publish(world, campaign={"holdout": {"share": 0.2, "salt": "s"}}, treatment=TABLES["treatment"][:1], cap=[])
    own = dict(zip(who, (buckets(who, salt="s", scope="spring") < 2_000).tolist(), strict=True))
    out = left_out(who)
    for one in (next(iter(out)), next(each for each in who if own[each] and each not in out)):
        made = engine.decide_one(world.deployment, one, campaign="spring", actor="mia")
        by = "company_holdout" if one in out else "holdout"
        assert (made.chosen, made.verdicts[0].stage, made.verdicts[0].rule) == (None, "holdout", by)
        assert made.propensity == pytest.approx(0.2 + 0.25 * 0.8)


def test_service_messages_reach_them(world):
    who = willing(world, 20)
    rule(world, holdout={"share": 0.9, "salt": "c"})
    ran(world, **NOBODY | {"campaign": {"class": "service", "holdout": {"share": 0, "salt": "s"}}})
    assert {row[0] for row in contacts(world)} == set(who)


def test_a_contact_with_one_of_them_is_a_finding(world):
    who = willing(world, 40)
    rule(world, holdout=HELD)
    ran(world, **NOBODY)
    one = min(left_out(who))
    world.tamper("UPDATE contact SET status = 'sent' WHERE customer = :who", who=one)
    assert [why for _, _, why in audited(world)[0]] == ["the decision behind it did not choose mail"]


def test_they_are_in_neither_arm_of_a_campaign(world):
    who = willing(world, MANY)
    rule(world, holdout=HELD)
    ran(world)
    out = left_out(who)
    addressed, held_out = (set(arm) - out for arm in arms(world))
    found = measured(world)

    assert (found.addressed.customers, found.held_out.customers) == (len(addressed), len(held_out))
    assert (found.misplaced, found.together) == (0, False)
    assert isinstance(found.sample_ratio, SampleRatio)
    assert (found.sample_ratio.ok, found.share) == (True, 0.5)


def test_all_campaigns_together_are_judged_by_them(world):
    who = willing(world, MANY)
    ran(world)  # before the company held anybody out: that isn't judged
    world.clock.advance(days=40)
    put = world.deployment
    rule(world, holdout=HELD)
    for key in ("spring", "autumn"):
        publish(world, campaign={"key": key, "holdout": {"share": 0.5, "salt": "s"}}, cap=[])
        run.advance(put, open_run(put, key, actor="mia"))
    world.clock.advance(seconds=60)
    out = left_out(who)
    tell(world, {one: {"visited": spot % 4 == 0 or one not in out} for spot, one in enumerate(who)})
    found = measured(world, together=True)
    came = sum(spot % 4 == 0 for spot, one in enumerate(who) if one in out)

    assert (found.addressed.customers, found.held_out.customers) == (MANY - len(out), len(out))
    assert (found.misplaced, found.withheld, found.share, found.together) == (0, (), 0.25, True)
    assert found.judgement.effect == two_proportions(MANY - len(out), MANY - len(out), successes_b=came, n_b=len(out))
    assert (found.judgement.reached, found.goodwill.budget) == (None, None)
    spent = "SELECT COALESCE(SUM(charge), 0) FROM contact WHERE reserved_at > 0"
    assert found.goodwill.contacts == world.rows(spent)[0][0] / 1_000


def test_whoever_was_reached_though_the_company_holds_him_out_counts_in_neither_arm(world):
    who = willing(world, MANY)
    rule(world, holdout=HELD)
    ran(world, **NOBODY)
    for one in sorted(left_out(who))[:40]:
        world.tamper("UPDATE contact SET status = 'sent' WHERE customer = :who", who=one)
    found = measured(world, together=True)
    assert (found.misplaced, Withheld.MISPLACED in found.withheld) == (40, True)


def test_together_needs_somebody_who_is_held_out(world):
    publish(world)
    with pytest.raises(RequestUnfit, match="holds nobody out of all campaigns"):
        measured(world, together=True)


def test_runs_under_other_holdouts_of_the_company_are_not_judged_as_one(world):
    willing(world, MANY)
    rule(world, holdout=HELD)
    ran(world)
    world.clock.advance(days=40)
    rule(world, holdout={**HELD, "salt": "another"})
    run.advance(world.deployment, open_run(world.deployment, "spring", actor="mia"))
    assert Withheld.HOLDOUT_CHANGED in measured(world).withheld


@pytest.mark.parametrize("before", ["a", "b", "d", "e", "f"])
def test_where_the_company_held_out_others_before_the_arms_are_counted_by_whom_it_did_last(sqlite_world, before):
    """They are shown though nothing is concluded from them, and are the same in every process."""
    world = sqlite_world
    who = willing(world, 60)
    rule(world, holdout={**HELD, "salt": before})
    ran(world, **NOBODY)
    addressed = {row[0] for row in contacts(world)}
    world.clock.advance(days=40)
    rule(world, holdout=HELD)
    run.advance(world.deployment, open_run(world.deployment, "spring", actor="mia"))
    found = measured(world)

    assert Withheld.HOLDOUT_CHANGED in found.withheld
    assert found.addressed.customers == len(addressed - left_out(who))


def test_it_stays_while_a_campaign_is_live(world):
    willing(world, 3)
    put_in_force(world, holdout=HELD)
    put(world, four_eyes=False)
    started = running.start(world.deployment, "spring", actor="mia", four_eyes=False)
    with pytest.raises(ContactPolicyInvalid) as refused:
        put_in_force(world, holdout={"share": 0.1, "salt": "d"})
    why = "can't change while version 1 of spring is running: end or stop it first"
    assert [*refused.value.places] == [Place(f"holdout.{name}", why) for name in ("share", "salt")]
    assert put_in_force(world, holdout=HELD, cap=[{"key": "any", "limit": 1, "days": 7}]) == 2
    running.advance(world.deployment, started)
    assert put_in_force(world, holdout={"share": 0.1, "salt": "d"}) == 3

    [who] = willing(world, 1)
    engine.decide_one(world.deployment, who, campaign="spring", actor="mia")
    with pytest.raises(ContactPolicyInvalid) as refused:
        put_in_force(world, holdout=HELD)
    why = "can't change while version 1 of spring decides about whoever asks: stop it first"
    assert [*refused.value.places] == [Place(f"holdout.{name}", why) for name in ("share", "salt")]
    running.stop(world.deployment, "spring", actor="mia")
    assert put_in_force(world, holdout=HELD) == 4


@pytest.mark.parametrize(
    ("table", "where", "why"),
    [
        ({"share": 0.1}, "holdout.salt", "is missing: it says by which draw customers are held out"),
        ({"share": 0.12345, "salt": "c"}, "holdout.share", "must be a multiple of 0.0001"),
        ({"share": 2, "salt": "c"}, "holdout.share", "must be"),
        ({"share": 0.1, "salt": "c", "waiver": "no"}, "holdout.waiver", "is not known here"),
    ],
)
def test_a_file_that_is_wrong_names_the_place(world, table, where, why):
    with pytest.raises(ContactPolicyInvalid) as refused:
        rule(world, holdout=table)
    [place] = refused.value.places
    assert place.where == where
    assert why in place.why


def test_it_is_told_with_the_other_rules(world):
    rule(world, holdout=HELD)
    with world.store.read() as work:
        read = shelf.load_contact_policy(work, world.deployment.desk.catalogues.current(work))
        assert shelf.company_holdout_since(work) == world.clock()
    assert rules(read) == [
        ("holdout", "25 % of the customers are held out of all campaigns by chance, to measure against")
    ]
