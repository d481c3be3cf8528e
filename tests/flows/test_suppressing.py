"""Suppression: an address that is left alone, whoever has it now, gets it later, or had it and was erased."""

from datetime import timedelta

import pytest

from consent import gate
from consent.base.errors import Invalid
from consent.permission.standing import SUPPRESSED
from consent.register import customers, merging, publishing, suppressing
from consent.register.suppressing import NotSuppressed, Why
from tests.erasing import erase, lift, suppress

MAIL = "contact:email:recommendations"
USE = "use:purchases:recommendations"
ANNS = "ann@shop.example"


def enrol(world, **names):
    with world.store.write() as work:
        [customer] = customers.enrol(world.deployment.desk, work, [names], at=world.clock())
    return customer


def states(world, customer):
    [(found,)] = world.rows("SELECT states FROM standing WHERE customer = :c", c=customer)
    return found


def test_whoever_has_the_address_can_not_be_contacted_from_then_on(world):
    """Rule 11."""
    before = [world.reason(world.ann, scope) for scope in (MAIL, USE)]
    done = suppress(world, f"  {ANNS.upper()} ")
    after = [world.reason(world.ann, scope) for scope in (MAIL, USE)]

    assert (before, after) == (["PERMIT", "PERMIT"], ["SUPPRESSED", "PERMIT"])
    assert (done.changed, done.customers, world.reason(world.bo, MAIL)) == (True, 1, "NO_RECORD")
    world.check_ledger()


def test_whoever_comes_with_the_address_later_can_not_be_contacted_whatever_he_grants(world):
    """Rule 11."""
    suppress(world, "new@shop.example")
    new = enrol(world, reference="NEW", email="new@shop.example")
    world.grant(new, MAIL)
    assert world.reason(new, MAIL) == "SUPPRESSED"
    world.check_ledger()


def test_whoever_is_known_already_and_takes_the_address_on_can_not_either(world):
    suppress(world, "second@shop.example")
    same = enrol(world, reference="ANN", email="second@shop.example")
    assert (same, world.reason(world.ann, MAIL)) == (world.ann, "SUPPRESSED")


def test_the_ledger_says_that_an_address_is_left_alone_and_not_which(world):
    done = suppress(world, ANNS)
    with world.store.read() as work:
        said = publishing.noted(world.deployment.desk, work, 1, done.position)
    assert {key: said[key] for key in ("act", "actor", "address", "why")} == {
        "act": "suppress", "actor": world.cy, "address": "email", "why": "asked",
    }  # fmt: skip
    assert ANNS not in str(said)


def test_once_more_changes_nothing(world):
    first = suppress(world, ANNS)
    size = world.size()
    world.clock.advance(days=1)
    again = suppress(world, ANNS)
    assert (again.changed, again.suppression, world.size()) == (False, first.suppression, size)


def test_what_is_lifted_can_be_contacted_again(world):
    suppress(world, ANNS)
    done = lift(world, ANNS)
    assert (done.customers, world.reason(world.ann, MAIL)) == (1, "PERMIT")
    with world.store.read() as work:
        assert suppressing.find(world.deployment.desk, work, "email", ANNS) is None
    world.check_ledger()


def test_a_customer_stays_suppressed_while_another_address_of_his_is(world):
    enrol(world, reference="ANN", email="second@shop.example")
    suppress(world, ANNS)
    suppress(world, "second@shop.example")
    lift(world, ANNS)
    still = states(world, world.ann)
    lift(world, "second@shop.example")
    assert (still, states(world, world.ann)) == (SUPPRESSED, 0)


def test_what_was_not_suppressed_can_not_be_lifted(world):
    with pytest.raises(NotSuppressed):
        lift(world, ANNS)


@pytest.mark.parametrize(
    ("left_alone", "brought"),
    [
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("Ann@XN--BCHER-KVA.example", "ann@BÜCHER.example"),
        ("ann@bu\u0308cher.example", "ann@bücher\u3002example"),
    ],
)
def test_a_domain_is_known_in_whichever_letters_it_is_written(world, left_alone, brought):
    """Rule 11."""
    suppress(world, left_alone)
    new = enrol(world, reference="NEW", email=brought)
    world.grant(new, MAIL)
    assert world.reason(new, MAIL) == "SUPPRESSED"


def test_a_telephone_number_is_known_however_it_is_written(world):
    """What only makes a number readable is no part of it."""
    customer = enrol(world, phone="+493012345678")
    suppress(world, "+49 (30) 1234-5678", kind="phone")
    assert states(world, customer) == SUPPRESSED


def test_a_statement_that_is_told_late_does_not_lift_it(world):
    """A fold of the whole history knows nothing of addresses: what it gives must not undo the suppression."""
    suppress(world, ANNS)
    world.clock.advance(days=2)
    world.grant(world.ann, MAIL)
    early = world.statement(world.ann, "withdraw", USE, said_at=world.clock.at.replace(hour=1))
    world.say(early)
    assert (states(world, world.ann), world.reason(world.ann, MAIL)) == (SUPPRESSED, "SUPPRESSED")
    world.check_ledger()


def test_what_was_put_on_the_list_before_addresses_were_looked_at_can_be_lifted(world):
    with world.store.write() as work:
        desk = world.deployment.desk
        blind = ("email", desk.blinded("email", "nonsense"))
        suppressing.suppress_blind(desk, work, blind, actor=world.cy, why=Why.ASKED, at=world.clock())
    assert lift(world, "nonsense").changed


@pytest.mark.parametrize(
    ("kind", "address", "where"),
    [
        ("reference", "ANN", "/kind"),
        ("E Mail", ANNS, "/kind"),
        ("email", "  ", "/address"),
        ("email", "x" * 321, "/address"),
        ("email", "nonsense", "/address"),
        ("email", "two@at@shop.example", "/address"),
        ("phone", "030 12345678", "/address"),
        ("phone", ANNS, "/address"),
    ],
)
def test_what_is_no_address_is_refused(kind, address, where, sqlite_world):
    with pytest.raises(Invalid) as refused:
        suppress(sqlite_world, address, kind=kind)
    assert [place.where for place in refused.value.places] == [where]


def test_the_list_goes_from_the_newest_back(world):
    for number in range(3):
        world.clock.advance(seconds=1)
        suppress(world, f"n{number}@shop.example")
    with world.store.read() as work:
        first = suppressing.newest(work, 2)
        rest = suppressing.newest(work, 2, before=first[-1].position)
        assert suppressing.count(work) == 3
    assert [each.position for each in (*first, *rest)] == sorted(
        (each.position for each in (*first, *rest)), reverse=True
    )
    assert (len(first), len(rest)) == (2, 1)


def test_of_many_addresses_those_that_are_left_alone_are_found(world):
    desk = world.deployment.desk
    suppress(world, "n7@shop.example")
    suppress(world, "n1200@shop.example")
    blinds = [("email", desk.blinded("email", f"n{number}@shop.example")) for number in range(1_300)]
    with world.store.read() as work:
        found = suppressing.suppressed(work, blinds)
    assert found == {blinds[7], blinds[1200]}


# ------------------------------------------------------------------------------------------------- as of a past time


def as_of(world, customer, at, scope=MAIL):
    with world.store.read() as work:
        verdict = gate.check_as_of(world.deployment.desk, work, customer, scope, at=at)
    return verdict.reason.name, getattr(verdict, "positions", ())


def later(world):
    world.clock.advance(hours=1)
    return world.clock()


def test_as_of_between_a_suppression_and_its_lift_a_customer_was_left_alone(world):
    """Rule 16."""
    before = world.clock()
    later(world)
    put = suppress(world, ANNS)
    during = later(world)
    denied = as_of(world, world.ann, during)
    last = later(world) - timedelta(milliseconds=1)
    lift(world, ANNS)
    lifted = world.clock()
    after = later(world)

    assert denied == ("SUPPRESSED", (put.position,))
    assert [as_of(world, world.ann, at) for at in (during, last)] == [denied, denied]
    assert [as_of(world, world.ann, at)[0] for at in (before, lifted, after)] == ["PERMIT"] * 3
    assert as_of(world, world.ann, during, USE)[0] == "PERMIT"
    world.check_ledger()


def test_each_time_that_an_address_was_left_alone_is_known(world):
    """Rule 16."""
    permitted = as_of(world, world.ann, world.clock())
    told = []
    for number in range(3):
        later(world)
        put = suppress(world, ANNS)
        told.append((later(world), ("SUPPRESSED", (put.position,))))
        if number < 2:
            later(world)
            lift(world, ANNS)
            told.append((later(world), permitted))

    assert permitted[0] == "PERMIT"
    assert [(at, as_of(world, world.ann, at)) for at, _ in told] == told
    world.check_ledger()


def test_as_of_then_a_strangers_address_was_left_alone_and_nobody_who_came_with_it_later(world):
    """Rule 16."""
    address = "new@shop.example"
    put = suppress(world, address)
    during = later(world)
    later(world)
    lift(world, address)
    after = later(world)
    new = enrol(world, reference="NEW", email=address)
    with world.store.read() as work:
        found = [
            suppressing.find(world.deployment.desk, work, "email", address, as_of=at)
            for at in (put.suppression.since - timedelta(milliseconds=1), during, after)
        ]

    assert found == [None, put.suppression, None]
    assert [as_of(world, new, at)[0] for at in (during, after)] == ["NO_RECORD", "NO_RECORD"]
    world.check_ledger()


def test_as_of_before_an_address_came_to_a_customer_it_does_not_count_as_his(world):
    """Rule 16."""
    put = suppress(world, "new@shop.example")
    before = later(world)
    later(world)
    assert enrol(world, reference="ANN", email="new@shop.example") == world.ann
    came = world.clock()
    last = came - timedelta(milliseconds=1)

    assert [as_of(world, world.ann, at)[0] for at in (before, last)] == ["PERMIT", "PERMIT"]
    assert as_of(world, world.ann, came) == ("SUPPRESSED", (put.position,))


def test_as_of_before_two_records_were_joined_each_has_its_own_addresses(world):
    """Rule 16: also of the id that was given up."""
    other, third = enrol(world, reference="O", email="other@shop.example"), enrol(world, reference="T")
    world.say(*(world.statement(each, "grant", MAIL) for each in (other, third)))
    put = suppress(world, "other@shop.example")
    before = later(world)
    later(world)
    for merged, into in ((other, third), (third, world.ann)):
        with world.store.write() as work:
            merging.merge(world.deployment.desk, work, merged, into, actor="cy", at=world.clock())
        later(world)
    after = world.clock()

    found = [[as_of(world, each, at) for each in (other, third, world.ann)] for at in (before, after)]
    assert found[0][0] == ("SUPPRESSED", (put.position,))
    assert [name for name, _ in found[0][1:]] == ["PERMIT", "PERMIT"]
    assert found[1] == [("SUPPRESSED", (put.position,))] * 3
    world.check_ledger()


def test_what_was_lifted_names_nobody_any_more_once_its_customer_is_erased(world):
    suppress(world, ANNS)
    suppress(world, "other@shop.example")
    lift(world, ANNS)
    lift(world, "other@shop.example")
    done = erase(world, world.ann)
    names = [len(bytes(blind)) for (blind,) in world.rows("SELECT blind FROM lifted_suppression ORDER BY position")]

    assert (done.deleted["lifted_suppression"], names) == (1, [0, 32])
    world.check_ledger()
