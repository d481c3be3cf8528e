"""Requests that come at the same time share a transaction, and none of them notices the others."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from consent.base.errors import CustomerUnknown, DatabaseDown, IdempotencyConflict, NothingToRenew, StatementInvalid
from consent.base.ids import CustomerId
from consent.register import recording
from consent.register.gathering import Gathering
from consent.register.recording import Request

USE, REMEMBER, EMAIL = "use:purchases:recommendations", "remember:purchases", "contact:email:recommendations"


def asked(world, customer, act, *scopes, key="", **said):
    statements = [world.statement(customer, act, *scopes, **said)]
    return Request(statements=statements, actor="customer", idempotency_key=key)


def answers(world, *requests):
    """Record requests in one transaction: what each was answered, a refusal by its class."""
    with world.store.write() as work:
        found = recording.record_each(world.deployment.desk, work, requests, at=world.clock())
    return [[one.seq for one in each] if isinstance(each, list) else type(each) for each in found]


def test_one_refused_request_leaves_nothing_and_the_others_stand(world):
    size = world.size()
    nobody = CustomerId("cus_019aa0b7e1a8700080000000000000ff")
    unknown = asked(world, nobody, "grant", USE)
    invalid = asked(world, world.ann, "grant", "use:nothing:recommendations")

    assert answers(
        world, asked(world, world.bo, "grant", USE), unknown, invalid, asked(world, world.ann, "withdraw", USE)
    ) == [[size], CustomerUnknown, StatementInvalid, [size + 1]]
    assert (world.reason(world.bo, USE), world.reason(world.ann, USE), world.size()) == (
        "PERMIT",
        "WITHDRAWN",
        size + 2,
    )
    world.check_ledger()


def test_a_request_refused_half_way_is_taken_back_whole(world):
    size = world.size()
    said = [world.statement(world.bo, "grant", USE), world.statement(world.bo, "renew", EMAIL)]
    remembered = world.statement(world.ann, "withdraw", REMEMBER)
    half = Request(statements=[remembered, *said], actor="customer")
    world.remember(world.ann, purchases_count=3)

    assert answers(world, half, asked(world, world.bo, "refuse", EMAIL)) == [NothingToRenew, [size]]
    assert [world.reason(world.bo, scope) for scope in (USE, EMAIL)] == ["NO_RECORD", "REFUSED"]
    assert world.recall([world.ann], ["purchases_count"], purpose="recommendations") == [{"purchases_count": 3}]
    world.check_ledger()


def test_statements_of_one_customer_in_several_requests_follow_each_other(world):
    size = world.size()
    late = asked(world, world.bo, "refuse", USE, said_at=world.clock() - timedelta(hours=1))
    chain = [asked(world, world.bo, "grant", USE), late, asked(world, world.bo, "renew", USE)]

    assert answers(world, *chain) == [[size], [size + 1], [size + 2]]
    assert world.reason(world.bo, USE) == "PERMIT"
    world.check_ledger()


def test_one_key_in_two_requests_at_once_is_recorded_once(world):
    size = world.size()
    twice = [asked(world, world.bo, "grant", USE, key="k") for _ in range(2)]
    other = asked(world, world.bo, "grant", EMAIL, key="k")

    assert answers(world, *twice, other) == [[size], [size], IdempotencyConflict]
    assert answers(world, twice[0]) == [[size]]
    assert world.size() == size + 1
    world.check_ledger()


def test_many_at_once_all_stand_and_each_is_told_where(world):
    who = world.enrol(*(f"C{number}" for number in range(8)))
    size = world.size()
    gathering = Gathering(world.store, world.deployment.desk)

    def one(number):
        act = "withdraw" if number // len(who) % 2 else "grant"
        [recorded] = gathering.record(asked(world, who[number % len(who)], act, USE), at=world.clock())
        return recorded.seq

    with ThreadPoolExecutor(8) as threads:
        seqs = list(threads.map(one, range(48)))

    assert sorted(seqs) == list(range(size, size + 48))
    world.check_ledger()


def test_what_is_wrong_with_one_is_told_to_him_alone(world):
    gathering = Gathering(world.store, world.deployment.desk)
    requests = [asked(world, world.bo, "grant" if number % 3 else "renew", USE) for number in range(9)]
    requests += [asked(world, world.bo, "grant", "use:nothing:recommendations") for _ in range(9)]

    def one(request):
        try:
            gathering.record(request, at=world.clock())
        except (StatementInvalid, NothingToRenew) as refused:
            return type(refused).__name__
        return ""

    world.grant(world.bo, USE)
    with ThreadPoolExecutor(6) as threads:
        told = Counter(threads.map(one, requests))

    assert told == {"": 9, "StatementInvalid": 9}
    world.check_ledger()


def test_when_the_database_is_away_everybody_is_told_and_the_next_one_is_served(sqlite_world):
    world = sqlite_world
    gathering = Gathering(world.store, world.deployment.desk)
    world.tamper("ALTER TABLE ledger_head RENAME TO away")
    with pytest.raises(DatabaseDown):
        gathering.record(asked(world, world.bo, "grant", USE), at=world.clock())
    world.tamper("ALTER TABLE away RENAME TO ledger_head")

    [recorded] = gathering.record(asked(world, world.bo, "grant", USE), at=world.clock())

    assert recorded.seq == world.size() - 1
    world.check_ledger()
