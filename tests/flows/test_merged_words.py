"""What is typed in late, or brought in once more, after two were joined: the more restrictive answer stands."""

from datetime import timedelta

import pytest

from consent.permission.statement import Method
from consent.register import merging
from tests.builders import CATALOGUE, toml
from tests.flows.test_imports import SAID_HEADER, bring, said

POST, USE = "contact:post:offers", "use:purchases:offers"


@pytest.fixture
def shop(world):
    given = [{**each, "minimum_age": 16} if each["scope"] == POST else each for each in CATALOGUE["scope"]]
    world.publish(toml({**CATALOGUE, "scope": given}))
    world.clock.advance(seconds=1)
    return world


def join(world, merged, into):
    world.clock.advance(days=1)
    with world.store.write() as work:
        merging.merge(world.deployment.desk, work, merged, into, actor="cy", at=world.clock())
    world.clock.advance(days=1)


def test_rule_12_a_yes_between_two_noes_undoes_neither_in_whichever_order_they_were_typed_in(shop):
    a, b = shop.enrol("A", "B")
    began = shop.clock()
    shop.clock.advance(days=60)
    shop.refuse(b, USE)
    shop.clock.advance(days=1)
    shop.refuse(a, USE, said_at=began, method=Method.PAPER)
    join(shop, b, a)
    shop.grant(a, USE, said_at=began + timedelta(days=30), method=Method.PAPER)

    assert shop.reason(a, USE) == "REFUSED"
    shop.check_ledger()


@pytest.mark.parametrize(
    ("act", "undone", "stands"), [("pause", "resume", "PAUSED"), ("restrict", "lift", "RESTRICTED")]
)
def test_rule_12_what_ended_one_pause_or_restriction_does_not_end_the_others(shop, act, undone, stands):
    a, b = shop.enrol("A", "B")
    for each in (a, b):
        shop.grant(each, USE)
    shop.clock.advance(days=1)
    shop.say(shop.statement(a, act))
    between = shop.clock.advance(days=30)
    shop.clock.advance(days=30)
    shop.say(shop.statement(b, act))
    join(shop, b, a)
    shop.say(shop.statement(a, undone, said_at=between, method=Method.PAPER))

    assert shop.reason(a, USE) == stands
    shop.check_ledger()


def test_rules_9_and_12_a_minors_yes_without_a_guardian_does_not_count_beside_one_with(shop):
    a, b = shop.enrol("A", "B")
    shop.grant(a, POST, age=12, guardian=True)
    shop.grant(b, POST, age=12)
    before = [shop.reason(each, POST) for each in (a, b)]
    join(shop, b, a)

    assert before == ["PERMIT", "MINOR"]
    assert shop.reason(a, POST) != "PERMIT"
    shop.check_ledger()


def test_rules_10_and_12_the_same_file_once_more_brings_back_nothing_that_a_merger_took(shop, tmp_path):
    a, b = shop.enrol("A", "B")
    text = SAID_HEADER + said("A", scopes=USE)
    bring(shop, tmp_path, "statements", text)
    before = [shop.reason(each, USE) for each in (a, b)]
    join(shop, a, b)
    dry, again = (bring(shop, tmp_path, "statements", text, dry_run=dry_run) for dry_run in (True, False))

    assert (before, shop.reason(b, USE)) == (["PERMIT", "NO_RECORD"], "NO_RECORD")
    assert [(each.recorded, each.repeated) for each in (dry, again)] == [(0, 1)] * 2
    shop.check_ledger()
