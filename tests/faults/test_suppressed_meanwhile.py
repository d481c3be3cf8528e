"""Somebody is enrolled while his address is being suppressed: whoever comes second knows of the first."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from consent.base.errors import DatabaseDown
from consent.permission.standing import SUPPRESSED
from consent.register import customers
from tests.erasing import suppress

ROUNDS = 15


@pytest.mark.timeout(240)
def test_an_address_that_is_suppressed_while_it_is_enrolled_is_never_missed(world):
    """Rule 11: in whatever order the two commit, the customer stands as suppressed."""
    missed = []
    for number in range(ROUNDS):
        address, at_once = f"n{number}@shop.example", threading.Barrier(2)

        def enrol(address=address, at_once=at_once):
            at_once.wait()
            with world.store.write() as work:
                names = [{"reference": address, "email": address}]
                [customer] = customers.enrol(world.deployment.desk, work, names, at=world.clock())
            return customer

        def leave_alone(address=address, at_once=at_once):
            at_once.wait()
            return suppress(world, address)

        with ThreadPoolExecutor(2) as pool:
            customer, done = pool.submit(enrol), pool.submit(leave_alone)
        [(states,)] = world.rows("SELECT states FROM standing WHERE customer = :c", c=customer.result())
        if not (states == SUPPRESSED and done.result().changed):
            missed.append(number)
    assert missed == []
    world.check_ledger()


def test_a_journal_that_others_keep_busy_is_named_and_can_be_dropped_later(sqlite_world, monkeypatch):
    world = sqlite_world
    world.grant(world.bo, "contact:email:recommendations")
    monkeypatch.setattr("consent.base.database._TRIES", (0.001, 0.001))
    journal = world.store.file.with_name(world.store.file.name + "-journal")
    if not journal.exists():
        return  # this SQLite has a write-ahead log that is safe
    pooled = world.store.engines.write.raw_connection()
    pooled.driver_connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseDown, match="others kept its journal busy"):
        world.store.drop_journal()
    pooled.driver_connection.execute("ROLLBACK")
    pooled.close()
    world.store.drop_journal()
    assert journal.exists() is False
