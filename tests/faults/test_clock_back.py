"""Fault 5: the clock goes back. By seconds, the ledger's own time holds; by minutes, nothing is recorded.

What is permitted is judged all the same, and what is signed names no time that could contradict the entries.
"""

from datetime import timedelta

import pytest

from consent.base.clock import from_ms
from consent.base.errors import ClockBehind, StateConflict
from consent.ledger import entry
from consent.ledger.entry import Kind
from consent.ledger.verify import verify
from consent.register import proving, publishing, recording, rotating, sealing, snapshots
from consent.register.gathering import Gathering
from tests.flows.test_periods import NEW_YEAR, NEWS, key_of
from tests.flows.test_periods import sealed as seal_at

TEN_MINUTES = {"minutes": -10}


def times(world):
    """Return when each entry says that it was written, in the order of the ledger."""
    bodies = world.rows("SELECT body FROM ledger_entry ORDER BY log, seq")
    return [read.at if (read := entry.read(bytes(body))) else None for (body,) in bodies]


def noted(world):
    with world.store.write() as work:
        publishing.note(world.deployment.desk, work, Kind.AUDIT_COMPLETED, {}, at=world.clock())


def sealed(world):
    with world.store.write() as work:
        sealing.seal(world.deployment.desk, work, at=world.clock())


def rotated(world):
    with world.store.write() as work:
        rotating.rotate(world.deployment.desk, work, actor="shell:cy", at=world.clock())


def snapshot(world):
    snapshots.take(
        world.store, world.deployment.desk, actor="worker", clock=world.clock, fence=lambda _: None
    )  # fmt: skip


WRITES = {
    "grant": lambda world: world.grant(world.bo, NEWS),
    "withdraw": lambda world: world.withdraw(world.ann, NEWS),
    "note": noted,
    "seal": sealed,
    "rotate-key": rotated,
    "snapshot": snapshot,
}


@pytest.mark.parametrize("what", WRITES)
def test_ten_minutes_back_nothing_is_recorded_and_nothing_is_half_written(world, what):
    world.clock.set(NEW_YEAR)  # so that a seal would be due
    world.grant(world.bo, NEWS)
    before = {name: world.rows(f"SELECT * FROM {name}") for name in ("ledger_head", "ledger_log", "ledger_checkpoint")}  # noqa: S608 -- of this list
    world.clock.advance(**TEN_MINUTES)

    with pytest.raises(ClockBehind, match=r"by 600\.0 s"):
        WRITES[what](world)

    assert {name: world.rows(f"SELECT * FROM {name}") for name in before} == before  # noqa: S608 -- as above
    world.check_ledger()


def test_ten_minutes_back_everybody_is_judged_and_what_stands_is_signed_and_verified(world):
    world.grant(world.bo, NEWS)
    world.clock.advance(**TEN_MINUTES)
    with world.store.write() as work:
        proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())

    assert world.reason(world.bo, NEWS) == "PERMIT"
    assert verify(world.store, vkey=key_of(world)).ok
    world.check_ledger()


def test_when_the_clock_has_caught_up_it_goes_on(world):
    world.grant(world.bo, NEWS)
    world.clock.advance(**TEN_MINUTES)
    with pytest.raises(ClockBehind):
        world.withdraw(world.bo, NEWS)
    world.clock.advance(minutes=9, seconds=56)
    world.withdraw(world.bo, NEWS)

    assert world.reason(world.bo, NEWS) == "WITHDRAWN"
    world.check_ledger()


def test_seconds_back_and_forth_time_in_the_ledger_never_goes_back(world):
    for lag in (0, 4, 1, 5, 2, 0, 5, 3):
        [(last_at,)] = world.rows("SELECT last_at FROM ledger_head")
        world.clock.set(from_ms(last_at) - timedelta(seconds=lag - 1) if lag else from_ms(last_at))
        world.grant(world.bo, NEWS)
        noted(world)

    written = times(world)
    assert written == sorted(written)
    world.check_ledger()


def test_what_is_said_last_holds_though_the_clock_says_that_it_was_said_before(world):
    """Two hosts whose clocks differ by seconds, or one that was set right: a withdrawal is never sorted away."""
    world.grant(world.bo, NEWS)
    world.clock.advance(seconds=-4)
    done = world.withdraw(world.bo, NEWS)

    assert (world.reason(world.bo, NEWS), done.statement.said_at) == ("WITHDRAWN", done.at)
    world.clock.advance(seconds=-1)
    Gathering(world.store, world.deployment.desk).record(
        recording.Request(statements=[world.statement(world.bo, "grant", NEWS)], actor="shop"), at=world.clock()
    )
    assert world.reason(world.bo, NEWS) == "PERMIT"
    world.check_ledger()


def test_what_a_caller_says_was_said_before_stays_before(world):
    world.grant(world.bo, NEWS)
    late = world.withdraw(world.bo, NEWS, said_at=world.clock() - timedelta(seconds=4))

    assert (world.reason(world.bo, NEWS), late.statement.said_at < late.at) == ("PERMIT", True)


def test_a_clock_that_goes_back_over_the_turn_of_the_year_leaves_the_log_where_it_is(world):
    seal_at(world)
    world.grant(world.bo, NEWS)
    world.clock.advance(seconds=-3)  # last year, by the clock

    world.withdraw(world.bo, NEWS)
    with pytest.raises(StateConflict, match="is not over yet"):
        sealed(world)

    [(last_at, log)] = world.rows("SELECT last_at, log FROM ledger_head")
    assert (from_ms(last_at), log) == (NEW_YEAR, 2)
    assert times(world) == sorted(times(world))
    world.check_ledger()


def test_a_log_is_sealed_at_the_ledger_s_own_time_though_the_clock_says_it_is_last_year(world):
    world.clock.set(NEW_YEAR)
    world.grant(world.bo, NEWS)
    world.clock.advance(seconds=-2)

    sealed(world)

    assert world.rows("SELECT log FROM ledger_head") == [(2,)]
    assert times(world) == sorted(times(world))
    assert verify(world.store, vkey=key_of(world)).ok
    world.check_ledger()
