"""Before a catalogue is published it is known how many customers would have to be asked again."""

import random

import pytest

from consent import gate, standings
from consent.base.errors import CatalogueInvalid
from consent.catalogue.reading import parse_catalogue
from consent.permission.verdict import MAY_BE_ASKED, Reason
from consent.register import impact
from tests.builders import CATALOGUE, CONSENTS, tables, toml
from tests.flows.test_notices import newer

USE, MAIL = "use:purchases:recommendations", "contact:email:recommendations"


def weighed(world, text):
    desk = world.deployment.desk
    return impact.impact(desk, world.store, parse_catalogue(text), at=world.clock())


def crowd(world, count=25):
    """Enrol people of whom every second grants, and every tenth withdraws again."""
    people = world.enrol(*(f"P{number}" for number in range(count)))
    world.say(*(world.statement(who, "grant", USE, MAIL) for who in people[::2]))
    world.say(*(world.statement(who, "withdraw", USE) for who in people[::10]))
    return people


def test_a_material_wording_asks_everybody_again_who_permits_it_now(world):
    crowd(world)
    found = weighed(world, newer(version=2, material=True))
    size = world.size()

    # Thirteen of the crowd granted, three of them took it back; and Ann.
    assert (found.customers, found.asked_again, found.lost, found.by_scope) == (27, 11, 0, {USE: 11})
    assert found.changes["asks_again"] == [USE]
    assert world.size() == size
    before = world.reason(world.ann, USE)
    world.publish(newer(version=2, material=True))
    assert (before, world.reason(world.ann, USE)) == ("PERMIT", "NOTICE_STALE")


def test_a_minor_wording_asks_nobody(world):
    crowd(world)
    found = weighed(world, newer(version=2, material=False))
    assert (found.asked_again, found.lost, found.by_scope) == (0, 0, {})


def test_what_is_dropped_is_lost_and_what_is_new_is_asked_of_nobody_again(world):
    crowd(world)
    found = weighed(world, toml(CATALOGUE))
    assert (found.asked_again, found.lost) == (0, 14)
    assert found.by_scope[USE] == 11
    assert "contact:post:offers" in found.changes["added"]


def test_what_needed_no_consent_and_takes_one_now_asks_everybody(world):
    world.publish(toml(CATALOGUE))
    world.object(world.bo, "use:replies:service")
    stricter = tables()
    next(each for each in stricter["scope"] if each["scope"] == "use:replies:service")["legal_basis"] = "consent"
    with pytest.raises(CatalogueInvalid):  # a yes to the old words would count for more than was asked
        weighed(world, toml(stricter))
    stricter["notice"].append({"key": "words", "version": 2, "material": True, "wording": {"en": "May we, now?"}})
    found = weighed(world, toml(stricter))
    assert (found.customers, found.asked_again, found.by_scope) == (2, 1, {"use:replies:service": 1})


def test_a_minimum_age_is_lost_to_all_of_whom_no_age_is_known(world):
    world.publish(toml(CATALOGUE))
    world.grant(world.ann, "contact:post:offers")
    world.grant(world.bo, "contact:post:offers", age=30)
    adults = tables()
    next(each for each in adults["scope"] if each["scope"] == "contact:post:offers")["minimum_age"] = 18
    found = weighed(world, toml(adults))
    assert (found.asked_again, found.lost, found.by_scope) == (0, 1, {"contact:post:offers": 1})


def test_customers_are_counted_over_many_chunks(sqlite_world):
    people = sqlite_world.enrol(*(f"P{number}" for number in range(2 * standings.CHUNK + 23)))
    some = people[:: standings.CHUNK // 2]
    sqlite_world.say(*(sqlite_world.statement(who, "grant", USE) for who in some))
    found = weighed(sqlite_world, newer(version=2, material=True))
    assert (found.customers, found.asked_again) == (len(people) + 2, len(some) + 1)


def verdicts(world):
    """Judge every customer on every scope, one by one."""
    with world.store.read() as work:
        everybody = [who for who, _ in standings.chunk(work, "")[0]]
        return {
            who: {one.scope: one.reason for one in gate.check_all(world.deployment.desk, work, who, at=world.clock())}
            for who in everybody
        }


def test_the_counts_are_those_of_asking_everybody_before_and_after(world):
    """Rule 4: every customer is judged on every scope under the catalogue in force, and under the new one."""
    world.publish(toml(CATALOGUE))
    chance = random.Random(4)  # noqa: S311 -- no secret: the same crowd in every run
    for who in world.enrol(*(f"P{number}" for number in range(40))):
        for scope in chance.sample(CONSENTS, 5):
            act = chance.choice(("grant", "grant", "grant", "refuse"))
            world.say(world.statement(who, act, scope, age=chance.choice((0, 15, 40))))
        for act in chance.choice(((), (), (), ("pause",), ("restrict",))):
            world.say(world.statement(who, act))
    changed = tables()
    changed["notice"].append({"key": "words", "version": 2, "material": True, "wording": {"en": "May we, again?"}})
    by_scope = {each["scope"]: each for each in changed["scope"]}
    by_scope["remember:purchases"]["minimum_age"] = 18
    by_scope["use:replies:service"]["legal_basis"] = "consent"
    changed["scope"].remove(by_scope["contact:email:offers"])
    found = weighed(world, toml(changed))
    before = verdicts(world)
    world.publish(toml(changed))
    after = verdicts(world)

    gone = {
        who: [after[who].get(scope, Reason.UNKNOWN_SCOPE) for scope, was in scopes.items() if was is Reason.PERMIT]
        for who, scopes in before.items()
    }
    again = sum(any(reason in MAY_BE_ASKED for reason in reasons) for reasons in gone.values())
    lost = sum(any(reason not in {*MAY_BE_ASKED, Reason.PERMIT} for reason in each) for each in gone.values())
    assert (found.customers, found.asked_again, found.lost) == (len(before), again, lost)
    assert found.by_scope == {
        scope: count
        for scope in before[world.ann]
        if (count := sum(
            before[who][scope] is Reason.PERMIT and after[who].get(scope) is not Reason.PERMIT for who in before
        ))
    }  # fmt: skip
    assert min(again, lost) > 0
