"""Volumes and goodwill budgets at work: a run fills them by descending worth, live decisions as they come."""

from datetime import timedelta

import pytest

from consent import gate
from consent.base.clock import to_ms
from consent.base.errors import CampaignInvalid
from personalise import engine
from personalise.history import Counting, last
from personalise.runs import run
from personalise.runs.comparing import Named, compare
from personalise.runs.dry_run import dry_run
from tests.builders import START
from tests.campaigns import TABLES, contacts, decisions, fill, open_run, publish, willing
from tests.flows.test_contact_policy import campaign, rule

MAIL, TEXT, LETTER = TABLES["treatment"]
BY_TEXT = {**TEXT, "score": "0.001 * purchases_count"}
BY_MAIL = {**MAIL, "score": "0.002 * purchases_count"}
HELD = {"share": 0, "salt": "s"}


def known(world, facts):
    """Remember how often each customer bought: what he is worth follows."""
    with world.store.write() as work:
        told = [(who, {"purchases_count": count}) for who, count in facts.items()]
        gate.remember(world.deployment.desk, work, told, at=world.clock())


def ranked(world, count):
    """Return willing customers, the one who is worth most first; he isn't the first by his id."""
    who = willing(world, count)
    order = who[1::2] + who[::2]
    known(world, {one: 40 - spot for spot, one in enumerate(order)})
    return order


def went(world, key="spring", most=2):
    """Run a campaign over everybody, and return how it stands."""
    identity = open_run(world.deployment, key, actor="mia")
    return run.advance(world.deployment, identity, most=most)


def left_by(world, identity, treatment="mail"):
    """Return by which rule a treatment left, by customer; "" where it was chosen."""
    rules = {}
    for customer, row in decisions(world, identity).items():
        rules[customer] = dict(row)[f"rule:{treatment}"]
    return rules


def who_got(world, treatment="mail"):
    return sorted(row[0] for row in contacts(world) if row[2] == treatment)


def taken(world):
    return world.rows("SELECT campaign, version, key, taken FROM quota ORDER BY 1, 2, 3")


# ---------------------------------------------------------------------------------------------------------- a run


@pytest.mark.parametrize("most", [1, 3, 50])
def test_a_run_fills_a_volume_by_descending_worth_whatever_the_chunks(world, most):
    order = ranked(world, 9)
    campaign(world, treatment=[BY_MAIL], volume=[{"key": "desk", "channels": ["email"], "limit": 4}])
    ended = went(world, most=most)

    assert who_got(world) == sorted(order[:4])
    assert taken(world) == [("spring", 1, "volume:desk", 4)]
    assert ended.counts.reasons["volume:desk"] == 5
    assert ended.counts.stages["contact_policy"] == 5
    world.check_ledger()


def test_ties_go_to_whoever_waited_longer_and_then_to_the_lower_id(world):
    who = willing(world, 6)
    campaign(world, "before")
    engine.decide_one(world.deployment, who[1], campaign="before", actor="mia")
    world.clock.advance(days=1)
    for one in (who[0], who[2]):
        engine.decide_one(world.deployment, one, campaign="before", actor="mia")
    world.clock.advance(days=1)
    limit = [{"key": "desk", "treatments": ["mail"], "limit": 5}]
    campaign(world, volume=limit)
    went(world)

    # Three were never contacted, then one two days ago; of the two of yesterday the lower id.
    assert sorted({row[0] for row in contacts(world) if row[1] == "spring"}) == sorted([*who[3:], who[1], who[0]][:5])


def test_who_is_cut_from_one_treatment_gets_the_next_best(world):
    order = ranked(world, 6)
    campaign(
        world, treatment=[BY_MAIL, BY_TEXT], volume=[
            {"key": "desk", "treatments": ["mail"], "limit": 2}, {"key": "texts", "channels": ["sms"], "limit": 3},
        ],
    )  # fmt: skip
    ended = went(world)

    assert (who_got(world), who_got(world, "text")) == (sorted(order[:2]), sorted(order[2:5]))
    last = decisions(world, ended.id)[order[5]]
    made = engine.decided(world.deployment, _decision(world, order[5]))
    assert [(each.stage, each.rule, each.observed, each.limit) for each in made.verdicts] == [
        ("contact_policy", "volume:desk", 2, 2), ("contact_policy", "volume:texts", 3, 3),
        ("chosen", None, 0.0, None),
    ]  # fmt: skip
    assert made.explanation == "You get nothing of this, because there was not enough of it for everybody."
    german = engine.decided(world.deployment, made.id, language="de").explanation
    assert german == "Sie bekommen hiervon nichts, weil es nicht für alle gereicht hat."
    assert dict(last)["chosen"] == -1


def _decision(world, customer):
    with world.store.read() as work:
        from personalise.runs import log  # noqa: PLC0415 -- here alone

        for identity in log.chunk_ids(work):
            customers = log.read(work, identity).customers
            if customer in customers:
                return f"{identity}.{customers.index(customer)}"
    raise AssertionError


def test_a_contact_that_lapsed_was_none_where_equals_go_by_who_waited_longer(world):
    """One had a contact that left; the other one's, reserved later, lapsed: he has waited for ever."""
    first, second = willing(world, 2)
    for key, ttl in (("early", 90), ("late", 2)):
        campaign(world, key=key, treatment=[BY_MAIL], campaign={"ttl_days": ttl})
    engine.decide_one(world.deployment, first, campaign="early", actor="mia")
    world.clock.advance(days=1)
    engine.decide_one(world.deployment, second, campaign="late", actor="mia", carried=True)
    world.clock.advance(days=2, milliseconds=-1)
    with world.store.read() as work:
        before = last(work, [first, second], world.clock(), counting=Counting("spring"))["last_contact"].to_pylist()
    world.clock.advance(milliseconds=1)
    with world.store.read() as work:
        after = last(work, [first, second], world.clock(), counting=Counting("spring"))["last_contact"].to_pylist()
    campaign(world, treatment=[BY_MAIL], volume=[{"key": "desk", "channels": ["email"], "limit": 1}])
    went(world)

    start = to_ms(START)
    assert (before, after) == ([start, start + 86_400_000], [start, 0])
    assert [row[0] for row in contacts(world) if row[1] == "spring"] == [second]


def test_several_volumes_over_one_treatment_all_hold(world):
    order = ranked(world, 8)
    campaign(
        world, treatment=[BY_MAIL, BY_TEXT], volume=[
            {"key": "all", "channels": ["email", "sms"], "limit": 4},
            {"key": "desk", "treatments": ["mail"], "limit": 1},
        ],
    )  # fmt: skip
    went(world)
    assert (who_got(world), who_got(world, "text")) == (order[:1], sorted(order[1:4]))
    assert taken(world) == [("spring", 1, "volume:all", 4), ("spring", 1, "volume:desk", 1)]


def test_a_volume_of_nothing_lets_nobody_through_and_gives_no_ghosts(world):
    willing(world, 12)
    volume = [{"key": "desk", "treatments": ["mail"], "limit": 0}]
    campaign(world, volume=volume, campaign={"holdout": {"share": 0.5, "salt": "s"}})
    went(world)
    assert contacts(world) == contacts(world, "ghost") == []


def test_controls_are_cut_where_the_others_are_and_take_no_place(world):
    who = ranked(world, 40)
    volume = [{"key": "desk", "treatments": ["mail"], "limit": 5}]
    campaign(world, treatment=[BY_MAIL], volume=volume, campaign={"holdout": {"share": 0.4, "salt": "s"}})
    went(world, most=7)
    got, ghosts = who_got(world), sorted(row[0] for row in contacts(world, "ghost"))
    assert len(got) == 5
    last = max(who.index(one) for one in got)
    treated = [one for one in who if one in got or one not in ghosts]
    following = next(spot for spot, one in enumerate(who) if spot > last and one not in ghosts)
    assert sorted(who.index(one) for one in ghosts) == [
        spot for spot in range(following) if who[spot] not in got
    ]  # fmt: skip
    assert len(treated) + len(ghosts) == 40


def test_what_a_run_has_set_aside_is_kept_from_others_until_it_is_stopped(world):
    order = ranked(world, 6)
    campaign(world, treatment=[BY_MAIL], volume=[{"key": "desk", "treatments": ["mail"], "limit": 3}])
    identity = open_run(world.deployment, "spring", actor="mia")

    class Stopped(Exception):
        pass

    def progress(_done, _total):
        raise Stopped

    with pytest.raises(Stopped):
        run.advance(world.deployment, identity, most=1, progress=progress)
    [(_, _, _, first)] = taken(world)
    late = engine.decide_one(world.deployment, order[5], campaign="spring", actor="mia")
    assert (first, late.verdicts[0].rule, late.verdicts[0].observed) == (3, "volume:desk", 3)
    run.change(world.deployment, identity, run.STOPPED)
    used = len(contacts(world))
    assert taken(world) == [("spring", 1, "volume:desk", used)]
    assert used < 3
    late = engine.decide_one(world.deployment, order[5], campaign="spring", actor="mia")
    assert late.chosen == "mail"
    assert taken(world) == [("spring", 1, "volume:desk", used + 1)]


def test_who_permits_only_once_everybody_is_ranked_never_makes_it_more(world):
    order = ranked(world, 5)
    late = order[0]
    scope = "contact:email:recommendations"
    world.withdraw(late, scope)
    campaign(world, treatment=[BY_MAIL], volume=[{"key": "desk", "treatments": ["mail"], "limit": 2}])
    identity = open_run(world.deployment, "spring", actor="mia")

    class Stopped(Exception):
        pass

    def progress(_done, _total):
        raise Stopped

    with pytest.raises(Stopped):
        run.advance(world.deployment, identity, most=1, progress=progress)
    world.say(world.statement(late, "grant", scope))
    run.advance(world.deployment, identity, most=1)
    assert len(contacts(world)) == 2
    assert taken(world) == [("spring", 1, "volume:desk", 2)]


def test_another_version_begins_anew(world):
    who = willing(world, 3)
    volume = [{"key": "desk", "treatments": ["mail"], "limit": 1}]
    campaign(world, volume=volume)
    assert [_live(world, one) for one in who] == ["mail", "volume:desk", "volume:desk"]
    campaign(world, volume=volume, campaign={"name": "Spring again"})
    assert [_live(world, one) for one in who[1:]] == ["mail", "volume:desk"]
    assert taken(world) == [("spring", 1, "volume:desk", 1), ("spring", 2, "volume:desk", 1)]


def _live(world, customer, key="spring", **more):
    made = engine.decide_one(world.deployment, customer, campaign=key, actor="mia", **more)
    return made.chosen or made.verdicts[0].rule


def test_live_the_first_to_come_get_what_there_is_and_an_answer_asked_again_takes_nothing(world):
    who = willing(world, 4)
    campaign(world, volume=[{"key": "desk", "treatments": ["mail"], "limit": 2}])
    found = [_live(world, one, idempotency_key=f"k{spot}") for spot, one in enumerate([who[3], who[3], *who[:3]])]
    again = [_live(world, one, idempotency_key=f"k{spot}") for spot, one in enumerate([who[3], who[3], *who[:3]])]
    assert found == again == ["mail", "mail", "volume:desk", "volume:desk", "volume:desk"]
    assert taken(world) == [("spring", 1, "volume:desk", 2)]


def test_who_would_get_nothing_anyway_takes_nothing_and_waits_for_nobody(world):
    campaign(world, volume=[{"key": "desk", "treatments": ["mail"], "limit": 2}])
    assert _live(world, world.bo) == "permission:contact:email:recommendations"
    assert taken(world) == []


def test_a_decision_of_one_channel_counts_in_the_same_volume(world):
    who = willing(world, 2)
    volume = [{"key": "both", "channels": ["email", "sms"], "limit": 1}]
    campaign(world, treatment=[BY_MAIL, {**TEXT, "score": "0.9"}], volume=volume)
    assert [_live(world, one, channel=each) for one, each in zip(who, ["sms", "email"], strict=True)] == [
        "text", "volume:both",
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------------ the budget


def priced(world, **goodwill):
    rule(world, goodwill={"opening": 100, "prices": {"email": 2}, **goodwill})


def test_a_campaign_spends_its_goodwill_budget_on_the_best_and_not_a_thousandth_more(world):
    order = ranked(world, 6)
    priced(world)
    campaign(world, treatment=[BY_MAIL], campaign={"goodwill_budget": 7.5, "holdout": HELD})
    ended = went(world)
    assert who_got(world) == sorted(order[:3])
    assert taken(world) == [("spring", 0, "goodwill_budget", 6_000)]
    assert (ended.counts.stages["goodwill"], ended.counts.reasons["goodwill_budget"]) == (3, 3)
    made = engine.decide_one(world.deployment, order[5], campaign="spring", actor="mia")
    first = made.verdicts[0]
    assert (first.stage, first.rule, first.observed, first.limit) == ("goodwill", "goodwill_budget", 6.0, 7.5)


def test_pressure_counts_in_the_budget(world):
    order = ranked(world, 3)
    priced(world)
    campaign(world, "before")
    _live(world, order[0], "before")
    campaign(world, treatment=[BY_MAIL], campaign={"goodwill_budget": 5, "holdout": HELD})
    went(world)
    assert [row[0] for row in contacts(world) if row[1] == "spring"] == [
        order[0]
    ]  # his costs 4, and 2 more is too much
    assert taken(world) == [("spring", 0, "goodwill_budget", 4_000)]


def test_the_budget_is_of_all_versions_together_and_a_higher_one_goes_on(world):
    who = willing(world, 4)
    priced(world)
    campaign(world, campaign={"goodwill_budget": 4, "holdout": HELD})
    assert [_live(world, one) for one in who] == ["mail", "mail", "goodwill_budget", "goodwill_budget"]
    campaign(world, campaign={"goodwill_budget": 4, "name": "Again", "holdout": HELD})
    assert _live(world, who[2]) == "goodwill_budget"
    campaign(world, campaign={"goodwill_budget": 6, "holdout": HELD})
    assert [_live(world, one) for one in who[2:]] == ["mail", "goodwill_budget"]
    assert taken(world) == [("spring", 0, "goodwill_budget", 6_000)]


def test_without_prices_or_without_a_budget_nothing_is_limited(world):
    who = willing(world, 3)
    campaign(world, campaign={"goodwill_budget": 1, "holdout": HELD})
    assert [_live(world, one) for one in who] == ["mail"] * 3
    priced(world)
    campaign(world, campaign={"goodwill_budget": 0, "holdout": HELD})
    assert [_live(world, one) for one in who] == ["mail"] * 3
    assert taken(world) == []


def test_volume_and_budget_hold_together_and_the_run_says_by_which_each_left(world):
    order = ranked(world, 6)
    priced(world)
    campaign(
        world, treatment=[BY_MAIL, BY_TEXT], volume=[{"key": "all", "channels": ["email", "sms"], "limit": 4}],
        campaign={"goodwill_budget": 4, "holdout": HELD},
    )  # fmt: skip
    ended = went(world)
    assert (who_got(world), who_got(world, "text")) == (sorted(order[:2]), sorted(order[2:4]))
    # A mail was worth more than what the volume ended with; only goodwill was short of it.
    assert (ended.counts.reasons["goodwill_budget"], ended.counts.reasons["volume:all"]) == (2, 0)


# -------------------------------------------------------------------------------------------------- looking ahead


def test_a_dry_run_foresees_what_the_run_then_does_and_takes_nothing(world):
    fill(world, 40)
    priced(world)
    publish(
        world, treatment=[BY_MAIL, {**BY_TEXT, "score": "0.03"}], cap=[],
        volume=[{"key": "desk", "treatments": ["mail"], "limit": 6}, {"key": "texts", "channels": ["sms"], "limit": 3}],
        campaign={"goodwill_budget": 9, "holdout": HELD},
    )  # fmt: skip
    foreseen = dry_run(world.deployment, "spring", actor="mia", most=11).counts
    assert (contacts(world), taken(world)) == ([], [])
    ended = went(world, most=7)
    assert foreseen.as_json() == ended.counts.as_json()
    assert foreseen.reasons["goodwill_budget"] > 0
    assert foreseen.quotas == {"volume:desk": 4, "volume:texts": 3, "goodwill_budget": 8_000}
    assert [row[2:] for row in taken(world)] == [
        ("goodwill_budget", 8_000), ("volume:desk", 4), ("volume:texts", 3),
    ]  # fmt: skip


def test_two_versions_that_differ_in_a_volume_are_compared_under_it(world):
    ranked(world, 5)
    campaign(world, treatment=[BY_MAIL])
    campaign(world, treatment=[BY_MAIL], volume=[{"key": "desk", "treatments": ["mail"], "limit": 2}])
    found = compare(
        world.deployment, Named(campaign="spring", version=1), Named(campaign="spring"), actor="mia", most=2
    )
    assert (found.table.a.counts.chosen["mail"], found.table.b.counts.chosen["mail"]) == (5, 2)
    assert found.table.lose.reasons == {"volume:desk": 3}
    assert (contacts(world), taken(world)) == ([], [])


def test_every_decision_under_quotas_replays_bit_for_bit(world):
    fill(world, 25)
    priced(world)
    publish(
        world, treatment=[BY_MAIL, BY_TEXT], cap=[], volume=[{"key": "desk", "treatments": ["mail"], "limit": 4}],
        campaign={"goodwill_budget": 5, "holdout": {"share": 0.2, "salt": "s"}},
    )  # fmt: skip
    ended = went(world, most=6)
    [live] = willing(world, 1)
    made = [engine.decide_one(world.deployment, live, campaign="spring", actor="mia").id]
    made += [_decision(world, one) for one in decisions(world, ended.id)]
    world.clock.set(START + timedelta(days=3))
    assert {engine.replay(world.deployment, each, actor="mia").outcome for each in made} == {"same"}


# ----------------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("volume", "more", "where"),
    [
        ({}, {}, "volume[0].treatments"),
        ({"treatments": ["call"]}, {}, "volume[0].treatments"),
        ({"channels": ["post"]}, {}, "volume[0].channels"),
        ({"treatments": ["mail"], "channels": ["sms"]}, {}, "volume[0].treatments"),
        ({"treatments": ["mail"], "limit": -1}, {}, "volume[0].limit"),
        ({"treatments": ["mail"], "days": 3}, {}, "volume[0].days"),
        ({"treatments": ["mail"]}, {"class": "service", "purpose": "service"}, "volume"),
    ],
)
def test_a_volume_that_would_limit_nothing_is_refused_with_its_place(sqlite_world, volume, more, where):
    with pytest.raises(CampaignInvalid) as refused:
        campaign(
            sqlite_world, treatment=[BY_MAIL, BY_TEXT], volume=[{"key": "desk", "limit": 3, **volume}], campaign=more
        )  # fmt: skip
    assert [place.where for place in refused.value.places] == [where]
