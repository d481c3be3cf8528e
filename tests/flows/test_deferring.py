"""Whoever is held back for now is decided about again, with everything as it stands then; never sent stale."""

from collections import Counter
from datetime import timedelta

import pytest

from consent.register import merging
from personalise import deferrals, engine
from personalise.life import approving, running
from personalise.runs import dry_run, run
from tests.builders import START
from tests.campaigns import (
    MAIL,
    TABLES,
    again,
    chunks,
    contacts,
    deferred,
    fill,
    open_run,
    publish,
    sent,
    willing,
)  # fmt: skip
from tests.erasing import erase, suppress
from tests.flows.test_contact_policy import HELD, NIGHT, rule

ONE_MAIL = {"treatment": TABLES["treatment"][:1], "cap": [], "campaign": HELD}
ONCE_IN_3 = {"cap": [{"key": "any", "limit": 1, "days": 3}]}


def ran(world, key="spring"):
    return run.advance(world.deployment, open_run(world.deployment, key, actor="mia"))


def at(world, **later):
    world.clock.set(START + timedelta(**later))


def started(world):
    """Have a run start and finish, with the events of both."""
    return running.advance(world.deployment, running.start(world.deployment, "spring", actor="mia", four_eyes=False))


def held_back(world, count=4, runs=ran):
    """Have customers reached by one campaign, and held back by the cap in another; return them."""
    rule(world, **ONCE_IN_3)
    for key in ("first", "spring"):
        publish(world, **{**ONE_MAIL, "campaign": {**HELD, "key": key}})
    who = willing(world, count)
    ran(world, "first")
    assert sent(world) == count
    assert runs(world).counts.deferred == count
    return who


def states(world):
    return Counter(row[3] for row in deferred(world))


# -------------------------------------------------------------------------------------------------------- who is kept


def test_who_is_held_back_by_a_cap_is_decided_about_again_once_it_lets_him_through(world):
    who = held_back(world)
    assert deferred(world) == [(one, "spring", "company:any", "waiting", 3.0, 7.0) for one in who]
    at(world, days=3, milliseconds=-1)
    early = again(world)
    at(world, days=3)

    assert (early, again(world), again(world)) == (0, 4, 0)
    made = [row[:4] for row in contacts(world) if row[1] == "spring"]
    assert [(row[0], row[7]) for row in contacts(world)] == [(one, 1_795_514_400_000) for one in who]
    assert made == [(one, "spring", "mail", "range") for one in who]
    newest = chunks(world)[-1]
    assert world.rows("SELECT customer, state, again FROM deferral ORDER BY customer") == [
        (one, "decided", f"{newest.id}.{spot}") for spot, one in enumerate(who)
    ]
    assert (newest.run, newest.at) == ("", world.clock())
    world.check_ledger()


def test_a_dry_run_foresees_how_many_wait(world):
    held_back(world)
    foreseen = dry_run.dry_run(world.deployment, "spring", actor="mia").counts
    assert (foreseen.deferred, foreseen.stages["contact_policy"]) == (4, 4)


def test_nothing_of_the_first_decision_is_sent_stale(world):
    """Between the two decisions one withdraws, one is no longer of the audience, one has another contact; one waits."""
    who = held_back(world)
    at(world, days=2)
    world.withdraw(who[0], MAIL)
    world.remember(who[1], months_since_purchase=40)
    publish(world, **{**ONE_MAIL, "campaign": {**HELD, "key": "bill", "class": "service"}})
    engine.decide_one(world.deployment, who[2], campaign="bill", actor="mia")
    at(world, days=3)

    assert again(world) == 4
    assert [row[0] for row in contacts(world) if row[1] == "spring"] == [who[3]]
    waits = [row for row in deferred(world) if row[3] == "waiting"]
    assert waits == [(who[2], "spring", "company:any", "waiting", 5.0, 7.0)]  # its end stays what it was
    rules = [chunks(world)[-1].about["rules"][row["rule:mail"]] for row in chunks(world)[-1].table.to_pylist()]
    assert rules == [f"permission:{MAIL}", "audience", "company:any", ""]
    world.check_ledger()


def test_who_would_have_to_wait_beyond_the_time_to_live_is_not_kept(world):
    rule(world, cap=[{"key": "any", "limit": 1, "days": 7}])
    for key, days in (("first", 7), ("spring", 7), ("longer", 8)):
        publish(world, **{**ONE_MAIL, "campaign": {**HELD, "key": key, "ttl_days": days}})
    [who] = willing(world, 1)
    for key in ("first", "spring", "longer"):
        ran(world, key)
    assert deferred(world) == [(who, "longer", "company:any", "waiting", 7.0, 8.0)]


def test_what_names_no_time_or_is_no_rule_about_contacts_keeps_nobody(world):
    rule(world, order=[{"key": "o", "days": 5, "first": {"campaigns": ["x"]}, "then": {"tags": ["later"]}}],
         goodwill={"opening": 1, "floor": 1, "prices": {"sms": 1}})  # fmt: skip
    publish(world, **{**ONE_MAIL, "campaign": {**HELD, "key": "ordered", "tags": ["later"]}})
    text = [{**TABLES["treatment"][1], "score": "0.9"}]
    publish(world, treatment=text, cap=[], campaign={**HELD, "key": "poor"})
    worthless = [{**TABLES["treatment"][0], "score": "0.0"}]
    publish(world, treatment=worthless, cap=[], campaign={**HELD, "key": "worthless"})
    willing(world, 1)
    found = [ran(world, key).counts for key in ("ordered", "poor", "worthless")]

    assert [each.stages[stage] for each, stage in zip(found, ("contact_policy", "goodwill", "arbitration"),
                                                      strict=True)] == [1, 1, 1]  # fmt: skip
    assert ([each.deferred for each in found], deferred(world)) == ([0, 0, 0], [])


def test_who_would_not_have_it_anyway_does_not_wait(world):
    """The cap lets him through in three days, and goodwill would not, nor a promise of other terms."""
    rule(world, **ONCE_IN_3, goodwill={"opening": 3, "floor": 1, "pressure_days": 1, "prices": {"email": 1.5}})
    for key in ("first", "spring"):
        publish(world, **{**ONE_MAIL, "campaign": {**HELD, "key": key}})
    [who] = willing(world, 1)
    assert [ran(world, key).counts.deferred for key in ("first", "spring")] == [0, 0]
    assert [row[0] for row in contacts(world)] == [who]


def test_the_best_of_those_that_may_come_names_the_time(world):
    rule(world, cap=[{"key": "mails", "limit": 0, "days": 1, "channels": ["email"]},
                     {"key": "texts", "limit": 1, "days": 2, "channels": ["sms"]},
                     {"key": "letters", "limit": 1, "days": 5, "channels": ["post"]}])  # fmt: skip
    mail, text, letter = TABLES["treatment"]
    every = [{**mail, "score": "0.9"}, {**text, "score": "0.3"}, {**letter, "score": "0.9"}]
    for key, kind in (("first", "service"), ("spring", "marketing")):
        publish(world, treatment=every, cap=[], campaign={**HELD, "key": key, "class": kind})
    [who] = willing(world, 1)
    for channel in ("sms", "post"):
        engine.decide_one(world.deployment, who, campaign="first", channel=channel, actor="mia")
    ran(world)
    assert deferred(world) == [(who, "spring", "company:letters", "waiting", 5.0, 7.0)]


def test_controls_wait_by_their_ghosts_as_long_as_the_others(world):
    """Else whoever is decided about again were in one arm only."""
    rule(world, **ONCE_IN_3)
    for key in ("first", "spring"):
        publish(world, **{**ONE_MAIL, "campaign": {"key": key, "holdout": {"share": 0.5, "salt": "s"}}})
    who = willing(world, 24)
    ran(world, "first")
    sent(world)
    held = ran(world)
    waiting = {row[0] for row in deferred(world)}
    at(world, days=3)
    again(world)

    assert held.counts.deferred == len(waiting)
    reached = [{row[0] for row in contacts(world, status) if row[1] == "spring"} for status in ("ghost", "reserved")]
    assert reached[0] | reached[1] == set(who)
    assert 0 < len(waiting & reached[0]) < len(waiting)
    world.check_ledger()


def test_hours_hold_service_messages_back_until_morning_too(world):
    rule(world, hours=[{**NIGHT, "classes": ["marketing", "service"]}], fallback_zones=["Europe/Berlin"])
    publish(world, **{**ONE_MAIL, "campaign": {**HELD, "class": "service"}})
    willing(world, 2)
    at(world, hours=12)
    assert ran(world).counts.deferred == 2
    at(world, hours=21)
    assert (again(world), len(contacts(world))) == (2, 2)


def test_a_live_decision_waits_only_where_it_is_asked_to_and_on_its_channel(world):
    rule(world, **ONCE_IN_3)
    publish(world, **{**ONE_MAIL, "campaign": {**HELD, "key": "first"}})
    both = [{**TABLES["treatment"][1], "score": "0.9"}, TABLES["treatment"][0]]
    publish(world, treatment=both, cap=[], campaign=HELD)
    who = willing(world, 2)
    ran(world, "first")
    sent(world)
    asked = [
        engine.decide_one(world.deployment, one, campaign="spring", channel="email", actor="mia", carried=carried)
        for one, carried in zip(who, (True, False), strict=True)
    ]
    at(world, days=3)

    assert ([each.chosen for each in asked], again(world)) == ([None, None], 1)
    assert [row[:3] for row in contacts(world)] == [(who[0], "spring", "mail")]
    assert [each.about["candidates"] for each in chunks(world)[1:]] == [["mail"]] * 3


# ---------------------------------------------------------------------------------------------------- what ends it


def test_what_was_decided_meanwhile_takes_its_place(world):
    [who] = held_back(world, 1)
    rule(world, cap=[{"key": "any", "limit": 2, "days": 3}])
    engine.decide_one(world.deployment, who, campaign="spring", actor="mia")
    at(world, days=3)
    assert (again(world), states(world), len(contacts(world))) == (0, {"superseded": 1}, 1)


def test_a_second_run_that_holds_him_back_again_keeps_one_of_the_two(world):
    [who] = held_back(world, 1)
    at(world, days=1)
    ran(world)
    assert sorted(deferred(world), key=lambda row: row[3]) == [
        (who, "spring", "company:any", "superseded", 3.0, 7.0), (who, "spring", "company:any", "waiting", 3.0, 8.0),
    ]  # fmt: skip
    at(world, days=3)
    assert (again(world), len(chunks(world)[-1].customers), states(world)) == (1, 1, {"superseded": 1, "decided": 1})


def test_what_nobody_decided_in_time_expires(world):
    held_back(world)
    at(world, days=7)
    before = len(chunks(world))
    assert (again(world), states(world), len(chunks(world))) == (4, {"expired": 4}, before)


def test_a_paused_campaign_decides_about_nobody_and_a_stopped_one_never_again(world):
    held_back(world)
    at(world, hours=1)
    identity = running.start(world.deployment, "spring", actor="mia", four_eyes=False)
    running.pause(world.deployment, "spring", actor="mia")
    at(world, days=3)
    paused = again(world)
    running.stop(world.deployment, "spring", actor="mia")

    assert (paused, run.read(world.deployment, identity).state) == (0, "stopped")
    assert (again(world), states(world)) == (4, {"stopped": 4})
    assert [row for row in contacts(world) if row[1] == "spring"] == []


def test_who_waits_for_a_finished_run_waits_on_while_it_is_paused_and_no_longer_once_it_is_stopped(world):
    held_back(world, runs=started)
    running.pause(world.deployment, "spring", actor="mia")
    at(world, days=3)
    paused = again(world)
    running.stop(world.deployment, "spring", actor="mia")

    assert (paused, again(world), states(world)) == (0, 4, {"stopped": 4})


def test_what_expires_while_its_campaign_is_paused_ends_as_that(world):
    held_back(world)
    running.start(world.deployment, "spring", actor="mia", four_eyes=False)
    running.pause(world.deployment, "spring", actor="mia")
    at(world, days=8)
    assert (again(world), states(world)) == (4, {"expired": 4})


def test_what_waits_can_be_dropped(world):
    held_back(world)
    with world.store.write() as work:
        assert deferrals.drop(work, "spring", at=world.clock()) == 4
        assert deferrals.counted(work, "spring") == {
            "waiting": 0, "decided": 0, "superseded": 0, "expired": 0, "stopped": 4, "lapsed": 0,
        }  # fmt: skip
    at(world, days=3)
    assert again(world) == 0


def test_where_four_eyes_are_demanded_a_version_that_is_not_approved_any_more_decides_nothing(world):
    held_back(world)
    at(world, days=3)
    assert (again(world, four_eyes=True), states(world)) == (4, {"lapsed": 4})


def test_the_version_that_was_approved_decides_and_not_a_newer_one(world):
    held_back(world)
    with world.store.write() as work:
        assert approving.in_force(world.deployment.desk, work, "spring", four_eyes=False) == 1
    publish(world, **{**ONE_MAIL, "campaign": {**HELD, "audience": "months_since_purchase > 99"}})
    at(world, days=3)
    again(world)
    assert [(each.about["version"], len(each.customers)) for each in chunks(world)[-1:]] == [(1, 4)]
    assert len([row for row in contacts(world) if row[1] == "spring"]) == 4


def test_a_version_that_no_longer_holds_under_the_catalogue_ends_what_waited(world):
    held_back(world)
    world.tamper("UPDATE deferral SET version = 9")
    at(world, days=3)
    assert (again(world), states(world)) == (4, {"lapsed": 4})


# ------------------------------------------------------------------------------------------------- what becomes of him


def test_erasure_takes_what_waits_along_and_a_suppressed_customer_gets_nothing(world):
    rule(world, **ONCE_IN_3)
    for key in ("first", "spring"):
        publish(world, **{**ONE_MAIL, "campaign": {**HELD, "key": key}})
    [who] = willing(world, 1)
    world.remember(world.ann, months_since_purchase=3, spend_past_year=50.0)
    for key in ("first", "spring"):
        ran(world, key)
        sent(world)
    erase(world, who)
    suppress(world, "ann@shop.example")
    at(world, days=3)

    assert [row[0] for row in deferred(world)] == [world.ann]
    assert (again(world), states(world), contacts(world)) == (1, {"decided": 1}, [])


def test_who_is_joined_with_another_is_decided_about_as_the_one_he_goes_on_as_and_once(world):
    who = held_back(world, 3)
    at(world, days=1)
    with world.store.write() as work:
        merging.merge(world.deployment.desk, work, who[0], who[1], actor="cy", at=world.clock())
    at(world, days=3)
    again(world)

    newest = chunks(world)[-1]
    assert newest.customers == who[1:]
    assert [row[0] for row in contacts(world) if row[1] == "spring"] == who[1:]
    assert world.rows("SELECT customer, again FROM deferral ORDER BY customer") == [
        (who[0], f"{newest.id}.0"), (who[1], f"{newest.id}.0"), (who[2], f"{newest.id}.1"),
    ]  # fmt: skip
    world.check_ledger()


@pytest.mark.parametrize("order", [("autumn", "spring"), ("spring", "autumn")])
def test_of_two_campaigns_that_wait_for_a_customer_the_one_that_waited_first_has_him(world, order):
    """Both are due since the same moment, and the cap lets one of them through: neither names nor ids decide which."""
    rule(world, **ONCE_IN_3)
    for key in ("first", *order):
        publish(world, **{**ONE_MAIL, "campaign": {**HELD, "key": key}})
    who = willing(world, 6)
    ran(world, "first")
    sent(world)
    for hour, key in enumerate(order):
        at(world, hours=hour)
        ran(world, key)
    at(world, days=3)

    assert again(world, most=2) == 12
    assert {row[:2] for row in contacts(world) if row[1] != "first"} == {(one, order[0]) for one in who}


def test_batches_of_any_size_decide_the_same(sqlite_world, twins):
    world = sqlite_world
    rule(world, cap=[{"key": "any", "limit": 1, "days": 2}])
    for key in ("first", "spring"):
        publish(world, **{**ONE_MAIL, "campaign": {"key": key, "holdout": {"share": 0.3, "salt": "s"}}})
    fill(world, 60)
    for key in ("first", "spring"):
        ran(world, key)
        sent(world)
    at(world, days=2)
    twin = twins(world)
    taken = [again(world, most=7), again(twin)]

    assert taken[0] == taken[1] > 0
    assert [contacts(world, each) for each in ("reserved", "ghost")] == [
        contacts(twin, each) for each in ("reserved", "ghost")
    ]
    assert len(chunks(world)) > len(chunks(twin))
