"""A chunk of customers in order: on SQLite its rows are found between its ends, elsewhere one by one."""

import pytest

from consent import standings
from consent.base.database import Bounds
from consent.base.errors import Invalid
from consent.base.ids import CustomerId
from consent.gate import permits
from consent.register import customers

SCOPES = ("use:purchases:recommendations", "contact:email:newsletter")


@pytest.fixture
def people(world):
    """Enrol five customers of whom two permit something; return all that are enrolled, in order."""
    one, two, *_ = world.enrol("S1", "S2", "S3", "S4", "S5")
    world.grant(one, "remember:purchases", *SCOPES)
    world.grant(two, SCOPES[1])
    with world.store.read() as work:
        return customers.after(work, "", 100)


def test_a_span_is_judged_as_its_customers_one_by_one(world, people):
    with world.store.read() as work:
        inside = customers.between(work, people[0], people[-2])
        assert list(inside) == list(people[1:-1])
        whole = permits(world.deployment.desk, work, inside, SCOPES, at=world.clock())
        alone = [permits(world.deployment.desk, work, [each], SCOPES, at=world.clock()) for each in inside]

    assert whole.reasons.tolist() == [each.reasons[0].tolist() for each in alone]
    assert whole.masks == tuple(each.masks[0] for each in alone)
    assert whole.enrolled.all()


def test_only_the_transaction_that_read_a_span_takes_it_for_one(world, people):
    """Somebody may have been enrolled in between since."""
    with world.store.read() as work:
        assert not isinstance(work.listed(people), Bounds)
        own = customers.after(work, "", 100)
        assert isinstance(work.listed(own), Bounds) == (work.dialect == "sqlite")
        assert standings.read(work, own) == standings.read(work, list(own))
        assert not isinstance(work.listed(own[1:3]), Bounds)  # a part of it is a plain tuple


def test_of_who_is_not_enrolled_nothing_stands(world, people):
    with world.store.read() as work:
        asked, known = standings.asked(work, [people[0], CustomerId("cus_nobody"), people[1]])
        nothing, nobody = standings.asked(work, [])

    assert known == [True, False, True]
    assert asked.scopes[1] == b""
    assert (nobody, nothing.states) == ([], ())


def test_half_of_a_surrogate_pair_is_refused_and_not_quoted(sqlite_world):
    with sqlite_world.store.read() as work, pytest.raises(Invalid, match="can't be stored") as refused:
        standings.read(work, [CustomerId("cus_\ud800")])
    assert "ud800" not in str(refused.value)
