"""A slot of a job is one worker's at a time, and one that was paused past its lease can't write any more."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from consent import jobs
from consent.base.errors import StateConflict
from tests.builders import START

JOB = "audit"
LEASE = 60.0


def claim(world, holder="one", slot=START, job=JOB):
    with world.store.write() as work:
        return jobs.claim(work, job, slot, holder, at=world.clock(), lease_seconds=LEASE)


def finish(world, claimed, state="passed"):
    with world.store.write() as work:
        jobs.finish(work, claimed, state=state, detail="", at=world.clock())


def slots(world, job=JOB):
    with world.store.read() as work:
        return [(slot.scheduled_for, slot.state, slot.holder) for slot in jobs.newest(work, job)]


def test_a_slot_is_claimed_once(blank):
    claimed = claim(blank)

    assert (claimed.holder, claimed.token, claim(blank, "two"), claim(blank)) == ("one", 1, None, None)
    assert slots(blank) == [(START, "running", "one")]


def test_other_slots_and_other_jobs_are_claimed_on_their_own(blank):
    later = START + timedelta(hours=1)

    assert [one.token for one in (claim(blank), claim(blank, slot=later), claim(blank, job="checkpoint"))] == [1, 1, 1]
    assert slots(blank) == [(later, "running", "one"), (START, "running", "one")]


def test_a_finished_slot_is_never_run_again(blank):
    finish(blank, claim(blank))
    blank.clock.advance(days=1)

    assert (claim(blank, "two"), slots(blank)) == (None, [(START, "passed", "one")])


def test_a_slot_whose_lease_has_run_out_is_taken_over_with_a_higher_token_and_the_first_holder_is_fenced(blank):
    paused = claim(blank)
    blank.clock.advance(seconds=LEASE - 1)
    early = claim(blank, "two")
    blank.clock.advance(seconds=1)
    second = claim(blank, "two")

    assert (early, second.token, second.holder) == (None, 2, "two")
    for write in (
        lambda: finish(blank, paused),
        lambda: heartbeat(blank, paused),
        lambda: release(blank, paused),
    ):
        with pytest.raises(StateConflict, match="fenced"):
            write()
    finish(blank, second)
    assert slots(blank) == [(START, "passed", "two")]


def heartbeat(world, claimed):
    with world.store.write() as work:
        jobs.heartbeat(work, claimed, at=world.clock(), lease_seconds=LEASE)


def release(world, claimed):
    with world.store.write() as work:
        jobs.release(work, claimed, at=world.clock())


def test_a_heartbeat_prolongs_the_lease(blank):
    claimed = claim(blank)
    for _ in range(3):
        blank.clock.advance(seconds=LEASE - 1)
        heartbeat(blank, claimed)

    assert claim(blank, "two") is None
    finish(blank, claimed)


def test_a_holder_that_comes_late_but_first_may_go_on(blank):
    claimed = claim(blank)
    blank.clock.advance(hours=1)
    heartbeat(blank, claimed)

    assert claim(blank, "two") is None


def test_whatever_a_fenced_holder_wrote_in_the_same_transaction_is_gone(blank):
    paused = claim(blank)
    blank.clock.advance(seconds=LEASE)
    claim(blank, "two")

    def write_late():
        with blank.store.write() as work:
            jobs.beat(work, "result", "one", at=blank.clock())
            jobs.heartbeat(work, paused, at=blank.clock(), lease_seconds=LEASE)

    with pytest.raises(StateConflict):
        write_late()
    assert slots(blank, "result") == []


def test_a_finished_slot_is_finished_once(blank):
    claimed = claim(blank)
    finish(blank, claimed)

    with pytest.raises(StateConflict, match="fenced"):
        finish(blank, claimed)


def test_a_released_slot_is_anybodys_at_once(blank):
    release(blank, claim(blank))
    second = claim(blank, "two")

    assert (second.token, slots(blank)) == (2, [(START, "running", "two")])


def test_missed_slots_are_shown_and_not_run_late(blank):
    hours = [START + timedelta(hours=number) for number in range(4)]
    finish(blank, claim(blank, slot=hours[0]))
    blank.clock.set(hours[3])
    with blank.store.write() as work:
        marked = jobs.missed(work, JOB, hours[:3])
        again = jobs.missed(work, JOB, hours[:3])
    catch_up = claim(blank, slot=hours[3])

    assert (marked, again, catch_up.token, claim(blank, slot=hours[1])) == (hours[1:3], [], 1, None)
    assert [state for _, state, _ in slots(blank)] == ["running", "missed", "missed", "passed"]


def test_of_many_that_claim_a_slot_at_once_one_gets_it(blank):
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda number: claim(blank, f"worker {number}"), range(24)))

    assert len([one for one in claims if one]) == 1


def test_of_many_that_take_a_dead_holders_slot_over_one_gets_it(blank):
    claim(blank, "dead")
    blank.clock.advance(hours=1)
    with ThreadPoolExecutor(8) as pool:
        claims = [one for one in pool.map(lambda number: claim(blank, f"worker {number}"), range(24)) if one]

    assert [one.token for one in claims] == [2]


def test_the_last_sign_of_life_is_told(blank):
    with blank.store.read() as work:
        before = jobs.last_beat(work, "worker")
    for seconds in (0, 15):
        blank.clock.advance(seconds=seconds)
        with blank.store.write() as work:
            jobs.beat(work, "worker", "one", at=blank.clock())

    with blank.store.read() as work:
        assert (before, jobs.last_beat(work, "worker")) == (None, START + timedelta(seconds=15))
