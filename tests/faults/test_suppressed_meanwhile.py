"""Somebody is enrolled or joined while his address is being suppressed: whoever comes second knows of the first."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from consent.base.errors import DatabaseDown
from consent.permission.standing import SUPPRESSED
from consent.register import customers, merging, suppressing
from consent.register.suppressing import Why
from personalise.goodwill import Entry
from personalise.responses import reported
from tests.erasing import suppress
from tests.faults.test_parallel_caps import at_once

ROUNDS = 15
MAIL = "contact:email:recommendations"
WAITING = """
    SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE NOT granted AND datname = current_database()
"""


def enrolled(world, reference, *addresses):
    """Enrol somebody, or give somebody who is enrolled more addresses."""
    with world.store.write() as work:
        for address in addresses:
            names = [{"reference": reference, "email": address}]
            [customer] = customers.enrol(world.deployment.desk, work, names, at=world.clock())
    return customer


def until_somebody_waits(world):
    """Return once a transaction waits for a lock of another; on SQLite the second one can't even begin."""
    while world.store.dialect == "postgresql" and world.rows(WAITING) == [(0,)]:
        time.sleep(0.01)


@pytest.mark.timeout(240)
def test_a_complaint_that_meets_a_merger_is_of_whoever_goes_on_and_leaves_all_his_addresses_alone(world):
    """It comes while the merger is under way: it waits for that, and then speaks of both records' addresses."""
    other, main = enrolled(world, "OTHER", "other@shop.example"), enrolled(world, "MAIN", "main@shop.example")
    with ThreadPoolExecutor(1) as pool:
        with world.store.write() as work:
            merging.merge(world.deployment.desk, work, other, main, actor="cy", at=world.clock())
            complaint = pool.submit(
                reported.report, world.deployment, other, Entry.COMPLAINT, actor="mia", reference="call 1"
            )
            until_somebody_waits(world)
        done = complaint.result()

    assert (done.customer, done.suppressed, done.balance) == (main, 2, 0)
    assert world.rows("SELECT count(*) FROM suppression") == [(2,)]
    assert dict(world.rows("SELECT customer, states FROM standing"))[main] == SUPPRESSED
    world.check_ledger()


@pytest.mark.timeout(240)
def test_of_a_complaint_and_a_merger_at_once_either_comes_first_and_nobody_is_missed(world):
    found = []
    for number in range(ROUNDS):
        other = enrolled(world, f"O{number}", f"o{number}@shop.example")
        main = enrolled(world, f"M{number}", f"m{number}@shop.example")

        def complain(other=other, number=number):
            return reported.report(
                world.deployment, other, Entry.COMPLAINT, actor="mia", reference=f"call {number}"
            ).customer

        def join(other=other, main=main):
            with world.store.write() as work:
                merging.merge(world.deployment.desk, work, other, main, actor="cy", at=world.clock())

        whose, _ = at_once(2, lambda which, does=(complain, join): does[which]())
        [(alone,)] = world.rows(
            "SELECT count(*) FROM suppression s JOIN identity i ON i.kind = s.kind AND i.blind = s.blind "
            "WHERE i.customer = :main",
            main=main,
        )
        [(states,)] = world.rows("SELECT states FROM standing WHERE customer = :c", c=main)
        found.append((states, alone) == (SUPPRESSED, 2 if whose == main else 1))
    assert found == [True] * ROUNDS
    world.check_ledger()


@pytest.mark.timeout(240)
def test_many_addresses_are_left_alone_at_once_beside_statements_and_nobody_waits_in_a_ring(world):
    """Customers are locked before the ledger's head, all at once: what they say meanwhile comes before or after."""
    who = [
        enrolled(world, f"C{number}", *(f"c{number}.{each}@shop.example" for each in range(4))) for number in range(3)
    ]
    desk = world.deployment.desk

    def alone(customer):
        with world.store.write() as work:
            return len(
                suppressing.suppress_customer(desk, work, customer, actor="mia", why=Why.ASKED, at=world.clock())
            )

    def says(customer):
        for act in ("grant", "withdraw") * 4:
            world.say(world.statement(customer, act, MAIL))
        return 0

    tasks = [(does, one) for one in who for does in (alone, alone, says)]
    done = at_once(len(tasks), lambda which: tasks[which][0](tasks[which][1]))

    assert done == [4, 4, 0] * 3
    assert world.rows("SELECT count(*) FROM suppression") == [(12,)]
    assert {dict(world.rows("SELECT customer, states FROM standing"))[one] for one in who} == {SUPPRESSED}
    world.check_ledger()


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
