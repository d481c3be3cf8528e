"""Fault 13: somebody is erased while he speaks, and while others write of him. Nothing of it outlives him."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from consent.base.errors import CustomerErased, CustomerUnknown, KeyLost
from tests.erasing import erase, verify

ROUNDS = 12
SCOPES = ("remember:purchases", "use:purchases:recommendations")
LEFT = """
    SELECT (SELECT COUNT(*) FROM data_key WHERE owner = :c) + (SELECT COUNT(*) FROM ledger_payload WHERE owner = :c)
         + (SELECT COUNT(*) FROM identity WHERE customer = :c) + (SELECT COUNT(*) FROM idempotency WHERE owner = :c)
"""


@pytest.mark.timeout(300)
def test_whatever_is_said_or_kept_while_somebody_is_erased_is_gone_with_him(world):
    people = world.enrol(*(f"M{number}" for number in range(ROUNDS)))
    ends = set()
    for customer in people:
        world.grant(customer, *SCOPES)
        at_once = threading.Barrier(3)

        def say(customer=customer, at_once=at_once):
            at_once.wait()
            try:
                world.say(world.statement(customer, "grant", "contact:email:newsletter"), key=f"k{customer}")
            except (CustomerErased, CustomerUnknown, KeyLost) as refused:
                return type(refused).__name__
            return "said"

        def keep(customer=customer, at_once=at_once):
            at_once.wait()
            with suppress(KeyLost):  # his key went between the verdict and the sealing: nothing is kept
                world.remember(customer, spend_past_year=12.5)

        def end(customer=customer, at_once=at_once):
            at_once.wait()
            erase(world, customer)

        with ThreadPoolExecutor(3) as pool:
            spoken, kept, ended = pool.submit(say), pool.submit(keep), pool.submit(end)
        ended.result()
        kept.result()
        ends.add(spoken.result())
        assert world.rows(LEFT, c=customer) == [(0,)]
        assert world.reason(customer, SCOPES[1]) == "CUSTOMER_ERASED"
    done = verify(world)

    assert ends - {"said", "CustomerErased"} == set()
    assert (sorted(done.proved), done.left) == (sorted(people), {})
    world.check_ledger()
