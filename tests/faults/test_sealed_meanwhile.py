"""A log is sealed while others append: whoever waited for the head finds the log that goes on, and nothing is lost."""

from collections import Counter

from consent.base.errors import StateConflict
from consent.ledger.position import parts
from consent.ledger.verify import verify
from consent.register import proving, sealing
from consent.register.recording import Recorded
from tests.faults.test_concurrent_appends import together
from tests.flows.test_periods import NEW_YEAR, NEWS, key_of, signed

WRITERS, EACH = 6, 25


def test_who_appends_while_the_log_is_sealed_appends_to_one_log_or_the_other(world):
    people = world.enrol(*(f"C{number}" for number in range(WRITERS)))
    world.clock.set(NEW_YEAR)
    size = world.size()
    recorded: list[Recorded] = []

    def append(customer):
        recorded.extend((world.grant, world.withdraw)[number % 2](customer, NEWS) for number in range(EACH))

    def seal():
        with world.store.write() as work:
            sealing.seal(world.deployment.desk, work, at=NEW_YEAR)

    wrong = together(*(lambda customer=customer: append(customer) for customer in people), seal)

    assert wrong == []
    places = sorted(each.seq for each in recorded)
    assert len(set(places)) == WRITERS * EACH
    [(sealed_at,)] = world.rows("SELECT MAX(seq) FROM ledger_entry WHERE log = 1")
    by_log = Counter(parts(place).log for place in places)
    assert by_log[1] == sealed_at - size
    assert world.rows("SELECT log, size FROM ledger_head") == [(2, 1 + by_log[2])]
    signed(world)
    assert verify(world.store, vkey=key_of(world)).ok
    world.check_ledger()


def test_a_log_is_sealed_once_however_many_try(world):
    world.clock.set(NEW_YEAR)

    def seal():
        with world.store.write() as work:
            sealing.seal(world.deployment.desk, work, at=NEW_YEAR)

    wrong = together(*[seal] * 4)

    assert [type(each) for each in wrong] == [StateConflict] * 3
    assert [log for (log,) in world.rows("SELECT id FROM ledger_log ORDER BY id")] == [1, 2]
    world.check_ledger()


def test_checkpoints_are_signed_while_others_append_and_a_log_is_sealed(world):
    world.clock.set(NEW_YEAR)

    def sign():
        for _ in range(10):
            with world.store.write() as work:
                proving.sign_checkpoint(world.deployment.desk, work, at=NEW_YEAR)

    def append():
        for _ in range(20):
            world.grant(world.bo, NEWS)

    def seal():
        with world.store.write() as work:
            sealing.seal(world.deployment.desk, work, at=NEW_YEAR)

    assert together(sign, sign, append, seal) == []
    signed(world)
    assert verify(world.store, vkey=key_of(world)).ok
    world.check_ledger()
