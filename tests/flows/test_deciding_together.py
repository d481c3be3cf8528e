"""Decisions that are asked for at the same time share a chunk, and none of them notices the others."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier

import pytest
import sqlalchemy as sa

from consent.audit.findings import Evidence
from consent.audit.judging import judged
from consent.base import schema
from consent.base.errors import CustomerUnknown, DatabaseDown, IdempotencyConflict, RequestUnfit, StateConflict
from consent.base.ids import CustomerId
from consent.base.store import Store
from personalise import audit_checks, engine, telling
from personalise.life import running
from personalise.runs import log
from tests.campaigns import TABLES, chunks, contacts, open_run, publish, willing

NOBODY = CustomerId("cus_019aa0b7e1a8700080000000000000ff")
COLUMNS = 'id, run, chunk, campaign, at, "first", "last", customers, position, root, log, seq, columns'
UNHELD = {"holdout": {"share": 0, "salt": "s"}}


class Crowd:
    """Callers who all ask while somebody else writes: whoever can, shares the next transaction."""

    def __init__(self, world):
        self.world = world
        self.deciding = engine.Deciding(world.deployment)

    def ask(self, *asked):
        """Ask all of it at the same time: what each was answered, an error by itself."""
        barrier = Barrier(len(asked))

        def one(about):
            barrier.wait()
            try:
                return self.deciding.decide(**{"campaign": "spring", "actor": "mia", **about})
            except (CustomerUnknown, IdempotencyConflict, RequestUnfit, StateConflict, DatabaseDown) as refused:
                return refused

        with ThreadPoolExecutor(len(asked)) as threads:
            return list(threads.map(one, asked))


@pytest.fixture
def crowd(world):
    once = [{"key": "mail", "channels": ["email"], "limit": 1, "days": 30}]
    publish(world, treatment=TABLES["treatment"][:1], cap=once, campaign=UNHELD)
    return Crowd(world)


def plain(made):
    """Return a decision without what no two have in common."""
    return {**made.as_json(), "decision": "", "position": 0}


def test_many_at_once_are_decided_in_few_chunks_and_each_as_if_alone(crowd):
    world = crowd.world
    who = willing(world, 12)
    alone = [plain(engine.decide_one(world.deployment, one, campaign="spring", actor="mia")) for one in who[:2]]
    before = len(chunks(world))

    made = crowd.ask(*({"customer": one} for one in who[2:]))

    assert [one.customer for one in made] == who[2:]
    assert len({one.id for one in made}) == 10
    assert [plain(one) | {"customer": who[0]} for one in made] == [alone[0]] * 10
    assert len(chunks(world)) - before < 10, "some share a chunk"
    assert [row[0] for row in contacts(world)] == who
    for one in made:
        assert engine.decided(world.deployment, one.id).as_json()["customer"] == one.customer
        assert engine.replay(world.deployment, one.id, actor="mia").outcome == "same"
    world.check_ledger()


def test_one_customer_many_times_is_decided_about_again_and_again(crowd):
    [who] = willing(crowd.world, 1)

    made = crowd.ask(*[{"customer": who}] * 6)

    assert Counter(one.chosen for one in made) == {"mail": 1, None: 5}
    assert len(chunks(crowd.world)) == 6
    crowd.world.check_ledger()


def test_one_key_many_times_is_one_decision(crowd):
    world = crowd.world
    first, second = willing(world, 2)

    made = crowd.ask(*[{"customer": first, "idempotency_key": "k"}] * 5)
    assert [one.as_json() for one in made] == [made[0].as_json()] * 5
    assert len(contacts(world)) == 1

    [again] = crowd.ask({"customer": first, "idempotency_key": "k"})
    [other] = crowd.ask({"customer": second, "idempotency_key": "k"})
    [elsewhere] = crowd.ask({"customer": first, "idempotency_key": "k", "channel": "letter"})
    [hers] = crowd.ask({"customer": second, "idempotency_key": "k", "actor": "cy"})
    assert again == made[0]
    assert [type(each) for each in (other, elsewhere, hers)] == [
        IdempotencyConflict, IdempotencyConflict, telling.Decision,
    ]  # fmt: skip
    assert len(contacts(world)) == 2


def test_one_key_for_two_customers_at_once_stands_for_one_of_them(crowd):
    first, second = willing(crowd.world, 2)

    made = crowd.ask({"customer": first, "idempotency_key": "k"}, {"customer": second, "idempotency_key": "k"})

    assert len(contacts(crowd.world)) == 1
    [told] = [one for one in made if isinstance(one, telling.Decision)]
    [refused] = [one for one in made if one is not told]
    assert isinstance(refused, (IdempotencyConflict, StateConflict))
    assert told.chosen == "mail"


def test_who_is_refused_or_unknown_is_told_so_alone(crowd):
    world = crowd.world
    publish(world, campaign={"key": "autumn", "name": "Autumn", **UNHELD})
    open_run(world.deployment, "autumn", actor="mia")
    running.pause(world.deployment, "autumn", actor="cy")
    first, second = willing(world, 2)

    made = crowd.ask(
        {"customer": first}, {"customer": NOBODY}, {"customer": second, "campaign": "autumn"},
        {"customer": second, "channel": "pigeon"}, {"customer": None, "channel": "pigeon"}, {"customer": second},
    )  # fmt: skip

    decision = telling.Decision
    expected = [decision, CustomerUnknown, StateConflict, RequestUnfit, RequestUnfit, decision]
    assert [type(each) for each in made] == expected
    assert [row[0] for row in contacts(world)] == [first, second]
    world.check_ledger()


def test_a_volume_lets_through_what_is_left_of_it(crowd):
    world = crowd.world
    publish(
        world, treatment=TABLES["treatment"][:1], campaign=UNHELD,
        volume=[{"key": "desk", "channels": ["email"], "limit": 3}],
    )  # fmt: skip

    made = crowd.ask(*({"customer": one} for one in willing(world, 8)))

    assert Counter(one.chosen for one in made) == {"mail": 3, None: 5}
    assert world.rows("SELECT taken FROM quota") == [(3,)]
    evidence = Evidence(store=world.store, desk=world.deployment.desk, at=world.clock())
    went = judged(audit_checks.CHECKS, evidence, world.clock)
    assert [(each.findings, each.gaps) for each in went] == [((), ())] * len(audit_checks.CHECKS)


def test_what_breaks_one_chunk_is_his_alone(crowd, monkeypatch):
    """A decision whose chunk can't be read is asked for again among others: they are decided about all the same."""
    world = crowd.world
    first, *others = willing(world, 5)
    crowd.ask({"customer": first, "idempotency_key": "k"})
    place = log.place

    def broken(*_):
        raise StateConflict("broken for the test")

    monkeypatch.setattr(log, "place", broken)
    made = crowd.ask({"customer": first, "idempotency_key": "k"}, *({"customer": one} for one in others))
    monkeypatch.setattr(log, "place", place)

    assert [type(each) for each in made] == [StateConflict, *[telling.Decision] * 4]
    assert sorted(row[0] for row in contacts(world)) == sorted([first, *others])
    world.check_ledger()


def test_when_the_database_is_away_everybody_is_told_and_the_next_one_is_served(sqlite_world):
    world = sqlite_world
    publish(world, treatment=TABLES["treatment"][:1], campaign=UNHELD)
    crowd, who = Crowd(world), willing(world, 3)
    world.tamper("ALTER TABLE decision_key RENAME TO away")
    asked = [{"customer": one, "idempotency_key": f"k{one}"} for one in who]
    assert [type(each) for each in crowd.ask(*asked)] == [DatabaseDown] * 3
    assert contacts(world) == []
    world.tamper("ALTER TABLE away RENAME TO decision_key")

    assert [each.chosen for each in crowd.ask(*asked)] == ["mail"] * 3
    world.check_ledger()


def test_who_used_what_of_whom_is_written_down_for_each(crowd):
    world = crowd.world
    who = willing(world, 6)

    made = crowd.ask(*({"customer": one} for one in who))

    uses = world.rows("SELECT decision, customer, customers FROM data_use WHERE actor = 'mia' AND decision <> ''")
    for one in made:
        chunk = one.id.partition(".")[0]
        [(decision, customer, count)] = [each for each in uses if each[0].partition(".")[0] == chunk]
        assert (decision, customer) == ((one.id, one.customer) if count == 1 else (chunk, ""))
    assert sum(each[2] for each in uses) == 6


def test_keys_from_before_decisions_shared_chunks_are_known(maker):
    """Migration 0020: a key used to be the id of its decision's chunk."""
    with closing(Store(maker.empty("keyed"))) as store:
        schema.upgrade(store, "0019")
        with store.write() as work:
            for key, run, customers in (("dec_live", "", 1), ("dec_again", "", 2), ("dec_run", "run_1", 1)):
                values = f"'{key}', '{run}', 0, 'spring', 0, 'a', 'b', {customers}, 0, :bytes, 1, 1, :bytes"
                row = sa.text(f"INSERT INTO decision_chunk ({COLUMNS}) VALUES ({values})")  # noqa: S608 -- from above
                work.connection.execute(row, {"bytes": b""})
        schema.upgrade(store)

        with store.read() as work:
            assert log.keyed(work, ["dec_live", "dec_again", "dec_run"]) == {"dec_live": "dec_live.0"}
