"""Fault 11: whatever comes between a decision and its dispatch, nothing leaves that the customer no longer allows."""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from consent.audit.findings import Evidence
from consent.audit.judging import judged
from personalise import audit_checks
from personalise.reach.dispatch import Message
from personalise.steps.interact.states import Did
from tests.campaigns import MAIL, PURCHASES, TABLES, claim, publish, told, willing
from tests.faults.test_parallel_caps import at_once
from tests.flows.test_contact_policy import HELD, rule
from tests.flows.test_dispatch import ran, reserved, statuses

DISPATCH = [check for check in audit_checks.CHECKS if check.key == "dispatch"]


def findings(world):
    evidence = Evidence(store=world.store, desk=world.deployment.desk, at=world.clock())
    return [one.why for each in judged(DISPATCH, evidence, world.clock) for one in each.findings]


@pytest.fixture
def shop(world):
    publish(world, treatment=TABLES["treatment"][:1], cap=[], campaign=HELD)
    return world


@pytest.mark.timeout(240)
def test_in_whatever_order_nothing_leaves_after_the_withdrawal(shop):
    """Withdrawals and claims, one after the other, in an order that is drawn."""
    drawn = random.Random(11)  # noqa: S311 -- an order of events
    willing(shop, 40)
    ran(shop)
    contacts = reserved(shop)
    happening = [(kind, contact) for contact in contacts for kind in ("claim", "withdraw")]
    drawn.shuffle(happening)
    withdrawn, wrong, left = set(), [], 0
    for kind, contact in happening:
        if kind == "withdraw":
            shop.withdraw(contact[0], drawn.choice([MAIL, PURCHASES]))
            withdrawn.add(contact)
        else:
            handed_out = isinstance(claim(shop, contact), Message)
            left += handed_out
            wrong += [contact] if handed_out == (contact in withdrawn) else []

    assert (wrong, 0 < left < 40) == ([], True)
    assert Counter(statuses(shop)) == {"claimed": left, "released": 40 - left}
    assert findings(shop) == []


@pytest.mark.timeout(240)
def test_of_a_withdrawal_and_a_claim_at_the_same_moment_one_is_first_for_both(shop):
    """Each claim was judged at a ledger position before the withdrawal's, or was refused."""
    willing(shop, 20)
    ran(shop)
    contacts = reserved(shop)
    found = []
    for contact in contacts:
        together = threading.Barrier(2)

        def hand_out(contact=contact, together=together):
            together.wait()
            return claim(shop, contact)

        def withdraw(contact=contact, together=together):
            together.wait()
            return shop.withdraw(contact[0], MAIL)

        with ThreadPoolExecutor(2) as pool:
            handed, said = pool.submit(hand_out), pool.submit(withdraw)
        answer, position = handed.result(), said.result().seq
        found.append(answer.position <= position if isinstance(answer, Message) else answer.observed == "WITHDRAWN")

    assert found == [True] * 20
    assert findings(shop) == []
    shop.check_ledger()


def test_of_eight_that_claim_one_message_at_once_one_has_it(shop):
    who = willing(shop, 4)
    ran(shop)
    for contact in reserved(shop):
        answers = at_once(8, lambda _, contact=contact: claim(shop, contact))
        assert Counter(type(each).__name__ for each in answers) == {"Message": 1, "Refusal": 7}
    assert statuses(shop) == ["claimed"] * len(who)


def test_a_failure_that_is_told_by_many_at_once_gives_back_the_charge_once(shop):
    rule(shop, goodwill={"opening": 10, "floor": 0, "prices": {"email": 2}})
    willing(shop, 6)
    ran(shop)
    for contact in reserved(shop):
        claim(shop, contact)
        assert at_once(4, lambda _, contact=contact: told(shop, contact, Did.FAIL_HARD)) == ["failed"] * 4
    assert shop.rows("SELECT balance, entries FROM goodwill") == [(10_000, 3)] * 6
