"""Fault 13: an erasure is killed at every step of its way. All of it is done or nothing; run again, it is the same."""

import signal

import pytest

from consent.register import customers
from tests.advancing import started
from tests.erasing import check, erase, verify
from tests.faults.stepping import erase as erase_and_die

MOST = 400
EACH = 5


def enrol(world, number):
    """Enrol somebody of whom something is known, kept and said."""
    with world.store.write() as work:
        names = [{"reference": f"C{number}", "email": f"c{number}@shop.example"}]
        [customer] = customers.enrol(world.deployment.desk, work, names, at=world.clock())
    world.grant(customer, "remember:purchases", "use:purchases:recommendations")
    world.remember(customer, spend_past_year=12.5)
    return customer


COUNTED = """
    SELECT (SELECT COUNT(*) FROM data_key WHERE owner = :c), (SELECT COUNT(*) FROM ledger_payload WHERE owner = :c),
           (SELECT COUNT(*) FROM memory WHERE customer = :c), (SELECT COUNT(*) FROM identity WHERE customer = :c),
           (SELECT COUNT(*) FROM erasure WHERE customer = :c), (SELECT states FROM standing WHERE customer = :c)
"""
WHOLE, GONE = (1, 1, 1, 2, 0, 0), (0, 0, 0, 0, 1, 1)


@pytest.mark.timeout(600)
def test_an_erasure_that_is_killed_anywhere_is_whole_or_none_and_can_be_run_again(world):
    ends, states = [], []
    for step in range(0, MOST, EACH):
        customer = enrol(world, step)
        world.store.close()
        process = started(erase_and_die, world.url, world.keyring, customer, step)
        process.join()
        ends.append(process.exitcode)
        [state] = world.rows(COUNTED, c=customer)
        states.append(state)
        entries = world.size()
        check(world)
        again = erase(world, customer, suppress=True)
        assert (again.repeated, world.rows(COUNTED, c=customer)) == (state == GONE, [GONE])
        assert world.size() == entries + (0 if again.repeated else 2)
        if process.exitcode == 0:
            break

    killed = states[:-1]
    first_done = killed.index(GONE)
    # Nothing, nothing, …, and from one step on all of it: never a part.
    assert killed == [WHOLE] * first_done + [GONE] * (len(killed) - first_done)
    assert (set(ends[:-1]), ends[-1]) == ({-signal.SIGKILL}, 0)
    assert (first_done > 10, len(killed) - first_done > 1) == (True, True)
    assert len(world.deployment.erasures.outlasting().erased) == len(states)
    assert len(verify(world).proved) == len(states)
    world.check_ledger()
