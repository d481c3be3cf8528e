"""A chunk of customers in order: on SQLite its rows are found between its ends, elsewhere one by one."""

import pytest

from consent import standings
from consent.base.clock import to_ms
from consent.base.database import Bounds
from consent.base.errors import Invalid
from consent.base.ids import CustomerId
from consent.gate import permits
from consent.register import customers
from personalise import commitments, contacts
from personalise.commitments import Commitment
from personalise.contact_policy.model import Matching
from personalise.contact_policy.windows import Window
from personalise.contacts import Contact
from personalise.history import Counting

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


def test_what_belongs_to_nobody_who_is_enrolled_is_passed_over(world, people):
    """Such rows stand between the ends of a span; they are nobody's contacts, and nobody's promises."""
    at = to_ms(world.clock())
    nobody = CustomerId(f"{people[0]}0")
    assert people[0] < nobody < people[1]
    rest = Window(rule="rest:r", key="r", counts=Matching(), limit=1, days=30, of="rejections")
    with world.store.write() as work:
        for who in (nobody, people[1]):
            decision = f"dec_{who}.0"
            contacts.reserve(work, [Contact(
                customer=who, decision=decision, campaign="spring", treatment="t", offer="o", channel="email",
                purpose="p", status="reserved", reserved_at=at - 10, family="f", tags="", kind="marketing",
                charge=5, expires_at=None, quotas="",
            )])  # fmt: skip
            assert contacts.turn_down(work, who, decision, at=world.clock())
            commitments.promise(work, [Commitment(who, "f", "o", "terms", None, "spring", decision, at, at + 9)])
    with world.store.read() as work:
        inside = customers.after(work, "", 100)
        found = contacts.counted(work, inside, [rest], world.clock(), counting=Counting("spring"), pressure_days=7)
        promised = commitments.columns(work, inside, ["f"], world.clock())

    second = [spot == 1 for spot in range(len(people))]
    assert [count == 1 for count in found["pressure"].to_pylist()] == second
    assert [count == 1 for count in found["contacts:r"].to_pylist()] == second
    assert [terms == "terms" for terms in promised["committed:f"].to_pylist()] == second


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
