"""Two who join customers, or join and do something else, at the same moment: nobody's no is lost on the way.

On PostgreSQL, where others go on while one transaction waits; on SQLite one writes at a time.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from consent.base.errors import LedgerBroken, StateConflict
from consent.register import customers, mergers, merging
from tests.erasing import erase, suppress
from tests.world import World

USE, MAIL = "use:purchases:recommendations", "contact:email:newsletter"
AHEAD_S = 0.5
"""How long a merger is under way while the other waits for it."""


def merged(world, one, into, begun: threading.Event | None = None):
    with world.store.write() as work:
        merging.merge(world.deployment.desk, work, one, into, actor="cy", at=world.clock())
        if begun:
            begun.set()
            time.sleep(AHEAD_S)


def race(world: World, one: Any, into: Any, second: Callable[[], Any]) -> Any:
    """Join two, and have something else asked for while that is under way; return what came of it."""
    begun = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(merged, world, one, into, begun)
        assert begun.wait(5)
        other = pool.submit(second)
        first.result()
        return other.exception() or other.result()


@pytest.fixture
def world(postgresql_world):
    return postgresql_world


def three(world):
    found = world.enrol("A", "B", "C")
    for each in found:
        world.grant(each, USE, MAIL)
    world.clock.advance(seconds=1)
    return found


def test_two_are_not_joined_both_ways(world):
    a, b, _ = three(world)
    came = race(world, a, b, lambda: merged(world, b, a))

    assert isinstance(came, StateConflict)
    assert world.rows("SELECT merged, customer FROM merger") == [(a, b)]
    assert (world.reason(a, USE), world.reason(b, USE)) == ("PERMIT", "PERMIT")


def test_who_is_joined_to_somebody_just_given_up_goes_on_as_the_last_of_them(world):
    """Rules 11 and 12: his address is left alone, whoever has it then."""
    a, b, c = three(world)
    with world.store.write() as work:
        customers.enrol(world.deployment.desk, work, [{"reference": "A", "email": "a@x.example"}], at=world.clock())
    suppress(world, "a@x.example")
    race(world, b, c, lambda: merged(world, a, b))

    assert [world.reason(each, MAIL) for each in (a, b, c)] == ["SUPPRESSED"] * 3
    assert (
        world.rows("SELECT DISTINCT customer FROM identity WHERE kind = 'email' AND customer IN (:a, :b)", a=a, b=b)
        == []
    )


def test_a_no_under_an_old_id_reaches_whoever_goes_on_meanwhile(world):
    """Rule 2: the next decision after the answer is a denial."""
    a, b, c = three(world)
    merged(world, a, b)
    world.clock.advance(seconds=1)
    race(world, b, c, lambda: world.say(world.statement(a, "withdraw", USE)))

    assert [world.reason(each, USE) for each in (a, b, c)] == ["WITHDRAWN"] * 3


def test_who_is_erased_while_he_is_joined_is_erased_as_whom_he_goes_on(world):
    a, b, _ = three(world)
    race(world, a, b, lambda: erase(world, a))

    assert (world.reason(a, USE), world.reason(b, USE)) == ("CUSTOMER_ERASED", "CUSTOMER_ERASED")


def test_an_address_that_comes_in_meanwhile_is_that_of_whoever_goes_on(world):
    a, b, _ = three(world)

    def enrolled():
        with world.store.write() as work:
            new = {"reference": "A", "email": "new@x.example"}
            return customers.enrol(world.deployment.desk, work, [new], at=world.clock())

    came = race(world, a, b, enrolled)
    suppress(world, "new@x.example")

    assert (came, world.reason(b, MAIL)) == ([b], "SUPPRESSED")


def test_rows_that_lead_in_a_ring_are_no_endless_way(world):
    a, b, _ = three(world)
    merged(world, a, b)
    world.tamper("INSERT INTO merger (merged, customer, merged_at, position) VALUES (:b, :a, 0, 3)", a=a, b=b)

    with world.store.read() as work, pytest.raises(LedgerBroken, match="back to him"):
        mergers.surviving(work, a)
