"""The nightly snapshot: whoever lost his last word since then is found, whatever else was made to agree."""

import pytest
import sqlalchemy as sa

from consent import standings
from consent.base.errors import Fenced
from consent.base.ids import CustomerId
from consent.ledger.entry import Kind
from consent.ledger.verify import verify
from consent.register import publishing, sealing, snapshots
from tests.flows.test_periods import NEW_YEAR, NEWS, key_of

PLACES = "use:purchases:recommendations"


def taken(world, fence=lambda _work: None, **how):
    return snapshots.take(world.store, world.deployment.desk, actor="worker", clock=world.clock, fence=fence, **how)


def compared(world):
    return snapshots.compare(world.store, world.deployment.desk)


def silenced(world, customer):
    """Take a customer's last statement away: its payload, and from his standing row; and let an erasure explain it."""
    [(log, seq)] = world.rows(
        "SELECT log, seq FROM ledger_payload WHERE owner = :who ORDER BY log DESC, seq DESC LIMIT 1", who=customer
    )
    world.tamper("DELETE FROM ledger_payload WHERE log = :log AND seq = :seq", log=log, seq=seq)
    with world.store.write() as work:
        publishing.note(world.deployment.desk, work, Kind.CUSTOMER_ERASED, {"erased": "cus_x"}, at=world.clock())


def test_everybody_stands_where_the_snapshot_says(world):
    world.grant(world.bo, NEWS)
    size = world.size()

    made = taken(world)
    found = compared(world)

    assert (made.position, made.entry, made.customers) == (size, size, 2)
    assert (found.ok, found.wrong, found.customers, found.erased, found.snapshot) == (True, (), 2, 0, made)
    world.check_ledger()


def test_without_a_snapshot_nothing_is_said(world):
    found = compared(world)
    assert (found.snapshot, found.ok, found.wrong) == (None, False, ())


@pytest.mark.parametrize("turn", [False, True])
def test_what_is_said_later_changes_nothing(world, turn):
    world.grant(world.bo, NEWS)
    taken(world)
    if turn:
        world.clock.set(NEW_YEAR)
        with world.store.write() as work:
            sealing.seal(world.deployment.desk, work, at=NEW_YEAR)
    world.withdraw(world.bo, NEWS)
    world.enrol("CARL", "DORA")
    world.withdraw(world.ann, NEWS)

    assert (compared(world).ok, compared(world).customers) == (True, 2)


def test_a_last_word_that_vanished_is_found_though_everything_else_agrees(world):
    world.grant(world.bo, NEWS)
    world.withdraw(world.bo, NEWS)
    made = taken(world)
    silenced(world, world.bo)

    assert (verify(world.store, vkey=key_of(world)).ok, compared(world).ok) == (True, False)
    [wrong] = compared(world).wrong
    assert wrong == (
        world.bo,
        f"his statements up to entry {made.position} are not those that entry {made.entry} counted",
    )


def test_an_only_word_that_vanished_is_found(world):
    world.grant(world.bo, NEWS)
    taken(world)
    silenced(world, world.bo)

    assert [one.subject for one in compared(world).wrong] == [world.bo]


def test_a_customer_who_vanished_is_missed(world):
    world.grant(world.bo, NEWS)
    made = taken(world)
    silenced(world, world.bo)
    for table, column in (("standing", "customer"), ("identity", "customer"), ("customer", "id")):
        world.tamper(f"DELETE FROM {table} WHERE {column} = :bo", bo=world.bo)  # noqa: S608 -- of the list above

    [wrong] = compared(world).wrong
    assert wrong.why == f"gone without an erasure: 1 customer that entry {made.entry} counted"


def test_who_was_erased_since_is_counted_and_not_missed(world):
    world.grant(world.bo, NEWS)
    taken(world)
    with world.store.write() as work:
        noted = publishing.note(
            world.deployment.desk, work, Kind.CUSTOMER_ERASED, {"erased": world.bo}, at=world.clock()
        )
    world.tamper("DELETE FROM ledger_payload WHERE owner = :bo", bo=world.bo)
    before = compared(world)
    bury = (
        "INSERT INTO erasure (customer, erased_at, position, verified_at, verified_position) "
        "VALUES (:bo, 0, :position, NULL, 0)"
    )
    world.tamper(bury, bo=world.bo, position=noted.position)
    after = compared(world)

    assert ([one.subject for one in before.wrong], after.wrong, after.erased) == ([world.bo], (), 1)


def test_a_tombstone_without_an_entry_that_says_so_excuses_nothing(world):
    world.grant(world.bo, NEWS)
    made = taken(world)
    silenced(world, world.bo)
    bury = (
        "INSERT INTO erasure (customer, erased_at, position, verified_at, verified_position) "
        "VALUES (:bo, 0, :position, NULL, 0)"
    )
    world.tamper(bury, bo=world.bo, position=made.entry + 1)  # the erasure of somebody else

    assert [one.subject for one in compared(world).wrong] == [world.bo]


def test_leaves_that_were_changed_are_not_believed(world):
    made = taken(world)
    world.tamper("UPDATE snapshot_page SET leaves = :leaves", leaves=bytes(64))

    [wrong] = compared(world).wrong
    assert wrong.subject == f"snapshot {made.position}"


def test_customers_are_taken_a_page_at_a_time(world):
    world.enrol(*(f"C{number}" for number in range(5)))
    world.grant(world.bo, NEWS)

    made = taken(world, each_page=2)

    assert (made.customers, made.pages) == (7, 4)
    assert world.rows("SELECT page, length(leaves) FROM snapshot_page ORDER BY page") == [
        (0, 64), (1, 64), (2, 64), (3, 32),
    ]  # fmt: skip
    assert (compared(world).ok, compared(world).customers) == (True, 7)


def test_who_is_enrolled_while_it_is_taken_is_neither_missed_nor_wrong(world):
    made = taken(world)
    early = CustomerId("cus_00000000000070008000000000000000")  # an id that sorts into the page that was read
    world.tamper("INSERT INTO customer (id, enrolled_at) VALUES (:id, 0)", id=early)
    before = compared(world)
    with world.store.write() as work:
        wrapped = world.deployment.desk.keys.wrap(early, bytes(32))
        work.connection.execute(
            sa.text("INSERT INTO data_key (owner, kek, wrapped) VALUES (:id, :kek, :key)"),
            {"id": early, "kek": wrapped.kek, "key": wrapped.key},
        )
        standings.save_empty(work, [early])
    world.grant(early, NEWS)

    assert (made.customers, before.ok, compared(world).ok, compared(world).customers) == (2, True, True, 3)


def test_the_leaves_of_the_two_newest_are_kept(world):
    places = []
    for _ in range(4):
        world.grant(world.bo, NEWS)
        places.append(taken(world).position)

    assert world.rows("SELECT DISTINCT position FROM snapshot_page ORDER BY position") == [
        (place,) for place in places[-2:]
    ]
    assert compared(world).snapshot.position == places[-1]


def test_one_that_was_cut_off_is_taken_again(world):
    world.grant(world.bo, NEWS)
    calls: list[None] = []

    def fence(_work):
        calls.append(None)
        if len(calls) == 3:
            raise Fenced("taken over")

    with pytest.raises(Fenced):
        taken(world, fence)
    assert (compared(world).snapshot, world.rows("SELECT count(*) FROM snapshot_page")) == (None, [(1,)])
    taken(world)

    assert compared(world).ok


def test_pseudonyms_of_two_nights_cannot_be_linked(world):
    taken(world)
    taken(world)
    [(first,), (second,)] = world.rows("SELECT leaves FROM snapshot_page ORDER BY position")

    assert not {first[:32], first[32:]} & {second[:32], second[32:]}
