"""Logs come in periods: each is sealed and chained to the next, and positions go on behind it."""

from datetime import UTC, datetime

import pytest

from consent import gate
from consent.base.canonical import encode
from consent.base.errors import EntryUnknown, StateConflict
from consent.ledger import checkpoint, log, merkle, note, opening, stored
from consent.ledger.entry import Kind
from consent.ledger.position import position
from consent.ledger.verify import CHUNK, verify
from consent.register import history, proving, publishing, sealing
from tests.builders import catalogue

NEWS = "contact:email:newsletter"
FIRST, SECOND, THIRD = (f"shop.example/consent/{period}" for period in ("2026h2", "2027h1", "2027h2"))
NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
BEHIND = 1 << 40
"""The position of the second log's first entry."""


def sealed(world, at=NEW_YEAR):
    """Seal the newest log once its half-year is over."""
    world.clock.set(at)
    with world.store.write() as work:
        return sealing.seal(world.deployment.desk, work, at=at)


def signed(world):
    with world.store.write() as work:
        return proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())


def key_of(world):
    with world.store.read() as work:
        return proving.verifier_key(world.deployment.desk, work)


def verified(world, **how):
    return verify(world.store, vkey=key_of(world), **how)


def heads(world):
    return world.rows("SELECT log, size FROM ledger_head")


def test_a_log_is_sealed_and_the_next_goes_on_from_it(world):
    size = world.size()

    turned = sealed(world)

    assert (turned.ended, turned.size, turned.opened) == (FIRST, size + 1, SECOND)
    assert heads(world) == [(2, 1)]
    with world.store.read() as work:
        logs = stored.logs(work)
        said = {(number, seq): opening.payload(plain) for number, seq, plain in stored.openings(work)}
    assert [(one.origin, one.size) for one in logs] == [(FIRST, size + 1), (SECOND, 1)]
    assert said[1, size] == {"log": FIRST, "next": SECOND}
    assert logs[0].ended == opening.ended(bytes(32) + encode(said[2, 0]))
    assert (said[2, 0]["sealed"], said[2, 0]["size"], said[2, 0]["cause"]) == (FIRST, size + 1, "period")
    world.check_ledger()


def test_the_final_checkpoint_covers_all_of_a_sealed_log(world):
    turned = sealed(world)

    verifier = note.verifier_of(key_of(world))
    [(signed_note,)] = world.rows("SELECT note FROM ledger_checkpoint WHERE log = 1 AND size = :n", n=turned.size)
    known = checkpoint.open_checkpoint(signed_note, note.Verifier(name=FIRST, public_key=verifier.public_key))
    assert (known.size, known.root) == (turned.size, turned.root)
    assert checkpoint.open_checkpoint(turned.checkpoint, verifier).size == 1


@pytest.mark.parametrize("at", [datetime(2026, 11, 21, 10, tzinfo=UTC), datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)])
def test_a_log_is_not_sealed_before_its_half_year_is_over(world, at):
    before = world.rows("SELECT * FROM ledger_head")

    with pytest.raises(StateConflict, match="is not over yet"):
        sealed(world, at)

    assert world.rows("SELECT * FROM ledger_head") == before


def test_a_log_that_nobody_sealed_in_time_is_followed_by_the_log_of_today(world):
    assert sealed(world, datetime(2028, 2, 1, tzinfo=UTC)).opened == "shop.example/consent/2028h1"
    world.check_ledger()


def test_positions_go_on_behind_the_sealed_log(world):
    before = world.grant(world.bo, NEWS)
    sealed(world)
    after = world.withdraw(world.bo, NEWS)

    assert (before.seq < BEHIND, after.seq) == (True, position(2, 1))
    assert world.check(world.bo, NEWS).positions == (after.seq,)
    assert world.check(world.bo, NEWS).position == position(2, 2)
    with world.store.read() as work:
        desk = world.deployment.desk
        assert [one.seq for one in history.of_customer(desk, work, world.bo)] == [before.seq, after.seq]
        assert history.one(desk, work, after.seq).statement == after.statement
        assert gate.permits(desk, work, [world.bo], [NEWS], at=world.clock()).position == position(2, 2)
    world.check_ledger()


def test_what_is_said_in_one_log_and_the_next_is_folded_in_order(world):
    world.grant(world.bo, NEWS)
    sealed(world)
    late = world.withdraw(world.bo, NEWS, said_at=datetime(2026, 11, 20, tzinfo=UTC))  # before the grant

    assert (late.seq, world.reason(world.bo, NEWS)) == (position(2, 1), "PERMIT")
    world.check_ledger()


def test_an_idempotency_key_of_the_log_before_still_answers(world):
    said = world.statement(world.bo, "grant", NEWS)
    [first] = world.say(said, key="one")
    sealed(world)
    [again] = world.say(said, key="one")

    assert (again.seq, again.repeated, heads(world)) == (first.seq, True, [(2, 1)])


def test_the_past_is_judged_in_the_log_of_then(world):
    world.grant(world.bo, NEWS)
    then, size = world.clock(), world.size()
    sealed(world)
    world.withdraw(world.bo, NEWS)
    with world.store.read() as work:
        places = [history.ledger_at(work, at) for at in (then, NEW_YEAR, datetime(2026, 1, 1, tzinfo=UTC))]
        verdict = gate.check_as_of(world.deployment.desk, work, world.bo, NEWS, at=then)

    assert places == [(size, 1), (position(2, 2), 1), (0, 0)]
    assert (verdict.reason.name, verdict.position) == ("PERMIT", size)


def test_entries_of_every_log_are_proven(world):
    world.grant(world.bo, NEWS)
    turned = sealed(world)
    world.withdraw(world.bo, NEWS)
    signed(world)
    key = note.verifier_of(key_of(world)).public_key
    with world.store.read() as work:
        proofs = [proving.inclusion(work, place) for place in [*range(turned.size), BEHIND, BEHIND + 1]]
        kept = proving.consistency(work, 1, turned.size, number=1)

    for proof in proofs:
        origin = FIRST if proof.position < BEHIND else SECOND
        known = checkpoint.open_checkpoint(proof.checkpoint, note.Verifier(name=origin, public_key=key))
        merkle.verify_inclusion(proof.leaf_hash, index=proof.seq, size=known.size, proof=proof.path, root=known.root)
    merkle.verify_consistency(
        1, turned.size, proof=kept, old_root=proofs[0].leaf_hash, new_root=turned.root
    )  # fmt: skip


@pytest.mark.parametrize("place", [BEHIND + 1, BEHIND - 1, 2 * BEHIND, 2**53])
def test_a_position_between_logs_is_unknown(world, place):
    sealed(world)
    with world.store.read() as work, pytest.raises(EntryUnknown):
        proving.inclusion(work, place)


@pytest.mark.parametrize("chunk", [4, CHUNK])
def test_all_logs_and_the_chain_are_verified(world, chunk):
    world.say(*(world.statement(world.bo, "grant", NEWS) for _ in range(9)))
    first = sealed(world)
    world.publish(catalogue())
    second = sealed(world, datetime(2027, 7, 1, tzinfo=UTC))
    signed(world)

    found = verified(world, chunk=chunk)

    assert (found.ok, found.bad, found.size, found.checked) == (True, (), 1, first.size + second.size + 1)
    assert [(one.origin, one.size, one.anchored) for one in found.logs] == [
        (FIRST, first.size, first.size), (SECOND, second.size, second.size), (THIRD, 1, 1),
    ]  # fmt: skip
    world.check_ledger()


def test_the_verifier_key_of_an_older_log_verifies_all_of_them(world):
    kept = key_of(world)
    sealed(world)

    assert (kept.startswith(FIRST), key_of(world).startswith(SECOND)) == (True, True)
    assert verify(world.store, vkey=kept).ok


def test_a_catalogue_published_in_the_next_log_is_the_one_after(world):
    sealed(world)
    version = world.publish(catalogue())
    with world.store.read() as work:
        newest = log.head(work).catalogue_version

    assert (version, newest, verified(world).ok) == (2, 2, True)


def test_a_customer_erased_in_a_later_log_explains_what_is_missing_in_an_earlier_one(world):
    world.grant(world.bo, NEWS)
    sealed(world)
    world.tamper("DELETE FROM ledger_payload WHERE owner = :bo", bo=world.bo)
    missing = verified(world)
    with world.store.write() as work:
        publishing.note(world.deployment.desk, work, Kind.CUSTOMER_ERASED, {}, at=world.clock())

    found = verified(world)
    assert [(bad.table, bad.why) for bad in missing.bad] == [
        ("ledger_payload", "its payload is missing, and no customer was erased since")
    ]
    assert (found.ok, found.erased) == (True, 1)


def test_verification_goes_on_from_a_checkpoint_that_was_verified_before(world):
    world.say(*(world.statement(world.bo, "grant", NEWS) for _ in range(20)))
    mark = signed(world)
    size = world.size()
    world.say(*(world.statement(world.bo, "grant", NEWS) for _ in range(7)))

    found = verified(world, since=mark, chunk=4)

    assert (found.ok, found.bad, found.size) == (True, (), size + 7)
    assert found.checked == found.size - size // 4 * 4
    assert found.root == verified(world).root
    world.check_ledger()


def test_a_checkpoint_of_the_log_before_lets_the_next_be_verified_whole(world):
    mark = signed(world)
    turned = sealed(world)
    world.grant(world.bo, NEWS)

    found = verified(world, since=mark, chunk=1)

    assert (found.ok, found.bad, found.checked) == (True, (), turned.size - (turned.size - 1) + 2)
