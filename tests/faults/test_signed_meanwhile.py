"""Checkpoints are signed while others sign, append or rotate the key: whoever signs holds the head until he is done."""

import threading
from concurrent.futures import ThreadPoolExecutor

from consent.ledger.verify import verify
from consent.register import proving, rotating
from tests.flows.test_periods import NEWS, key_of, signed

SIGNERS = 8
A_WHILE = 0.5
"""Seconds in which somebody who doesn't wait would be done."""


def rotate(world):
    with world.store.write() as work:
        return rotating.rotate(world.deployment.desk, work, actor="shell", at=world.clock())


def is_waiting(future):
    """Say whether it is not done after a while."""
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    return not done.wait(A_WHILE)


def test_many_who_sign_at_once_sign_one_checkpoint(world):
    world.grant(world.bo, NEWS)
    ready = threading.Barrier(SIGNERS)

    def sign(_):
        ready.wait()
        return signed(world)

    with ThreadPoolExecutor(SIGNERS) as pool:
        notes = set(pool.map(sign, range(SIGNERS)))

    assert world.rows("SELECT size, note FROM ledger_checkpoint") == [(world.size(), notes.pop())]
    assert notes == set()
    world.check_ledger()


def test_no_key_takes_over_while_a_checkpoint_is_signed(world):
    """A new key may sign no size that the old one answers for."""
    size = world.size()
    with ThreadPoolExecutor(1) as pool:
        with world.store.write() as work:
            proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())
            rotating_ = pool.submit(rotate, world)
            waited = is_waiting(rotating_)
        rotated = rotating_.result()

    assert (waited, rotated.position) == (True, size)
    assert world.rows("SELECT size FROM ledger_checkpoint ORDER BY size") == [(size,), (size + 1,)]
    assert verify(world.store, vkey=rotated.new).ok
    world.check_ledger()


def test_who_signs_while_a_key_takes_over_waits_and_finds_what_both_keys_signed(world):
    with ThreadPoolExecutor(1) as pool:
        with world.store.write() as work:
            rotated = rotating.rotate(world.deployment.desk, work, actor="shell", at=world.clock())
            signing = pool.submit(signed, world)
            waited = is_waiting(signing)
        note = signing.result()

    assert (waited, note) == (True, rotated.checkpoint)
    assert world.rows("SELECT size FROM ledger_checkpoint") == [(world.size(),)]
    assert verify(world.store, vkey=key_of(world)).ok
    world.check_ledger()
