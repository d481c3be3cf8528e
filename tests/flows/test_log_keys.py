"""The log's key is rotated: the old one hands over, and whoever trusts either knows the other by it."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.base.errors import Invalid
from consent.ledger import checkpoint, log, note, opening, stored, trust
from consent.ledger.note import NoteRefused, Signer, Verifier
from consent.ledger.verify import verify
from consent.register import proving, rotating, sealing
from tests.flows.test_periods import FIRST, NEW_YEAR, NEWS, SECOND, key_of, signed


def rotated(world):
    with world.store.write() as work:
        return rotating.rotate(world.deployment.desk, work, actor="shell", at=world.clock())


def notes(world):
    return dict(world.rows("SELECT size, note FROM ledger_checkpoint WHERE log = 1 ORDER BY size"))


def signers_of(signed_note):
    return [line.key_id for line in note.split(signed_note)[1]]


def test_an_entry_tells_of_the_rotation_and_both_keys_sign_the_checkpoint_over_it(world):
    before = key_of(world)
    size = world.size()

    done = rotated(world)

    assert (done.old, done.new, done.position) == (before, key_of(world), size)
    old, new = note.verifier_of(done.old), note.verifier_of(done.new)
    assert signers_of(done.checkpoint) == [old.key_id, new.key_id]
    assert checkpoint.open_checkpoint(done.checkpoint, old) == checkpoint.open_checkpoint(done.checkpoint, new)
    with world.store.read() as work:
        [(_, seq, plain)] = stored.openings(work)
    assert (seq, opening.payload(plain)) == (size, {"actor": "shell", "note": done.note})
    world.check_ledger()


def test_the_new_key_signs_from_there_on(world):
    signed(world)
    old = note.verifier_of(key_of(world))
    rotated(world)
    world.grant(world.bo, NEWS)
    new = note.verifier_of(key_of(world))

    assert signers_of(signed(world)) == [new.key_id]
    assert checkpoint.open_checkpoint(next(iter(notes(world).values())), old).size == world.size() - 2
    world.check_ledger()


@pytest.mark.parametrize("kept", ["old", "between", "new"])
def test_whoever_trusts_any_of_the_keys_verifies_all_that_was_signed(world, kept):
    signed(world)
    first, second = rotated(world), None
    world.grant(world.bo, NEWS)
    signed(world)
    second = rotated(world)
    world.grant(world.bo, NEWS)
    signed(world)
    key = {"old": first.old, "between": first.new, "new": second.new}[kept]

    found = verify(world.store, vkey=key)

    assert (found.ok, found.bad, found.checkpoints, found.anchored) == (True, (), 5, world.size())
    world.check_ledger()


def test_a_rotation_holds_for_the_logs_that_follow(world):
    kept = key_of(world)
    rotated(world)
    world.clock.set(NEW_YEAR)
    with world.store.write() as work:
        sealing.seal(world.deployment.desk, work, at=NEW_YEAR)
    rotated(world)

    found = [verify(world.store, vkey=each) for each in (kept, key_of(world))]

    assert [(one.ok, one.bad) for one in found] == [(True, ())] * 2
    assert (kept.split("+")[0], key_of(world).split("+")[0]) == (FIRST, SECOND)
    world.check_ledger()


def test_what_the_old_key_signs_after_it_handed_over_does_not_hold(world):
    old = proving.signer(world.deployment.desk, FIRST)
    rotated(world)
    world.grant(world.bo, NEWS)
    with world.store.write() as work:
        proving.sign(work, log.head(work), [old], at=world.clock())

    found = verify(world.store, vkey=key_of(world))

    size = world.size()
    assert [(bad.seq, bad.table, bad.why) for bad in found.bad] == [
        (size, "ledger_checkpoint", f"the checkpoint at size {size} does not hold: no known key has signed")
    ]


def test_what_the_new_key_signed_before_it_took_over_does_not_hold(world):
    world.grant(world.bo, NEWS)
    size = world.size()
    rotated(world)
    with world.store.read() as work:
        new = proving.in_force(world.deployment.desk, work, FIRST)
        known = trust.trusted([new.verifier.public_key], [])
        assert known.verifiers(FIRST, 1, size)
        real = proving.trust(world.deployment.desk, work)

    assert [each.public_key for each in real.verifiers(FIRST, 1, size)] != [new.verifier.public_key]
    assert len(real.verifiers(FIRST, 1, size + 1)) == 2
    assert real.verifiers(FIRST, 1, size + 2) == [new.verifier]


def test_a_key_that_only_one_of_them_vouches_for_is_not_trusted(world):
    evil = Signer(name=FIRST, key=Ed25519PrivateKey.generate())
    mine = proving.signer(world.deployment.desk, FIRST)
    good = trust.rotation_note(FIRST, 5, old=mine, new=evil)
    text, lines = note.split(good)

    for kept in lines:
        with pytest.raises(NoteRefused):
            trust.read_rotation(f"{text}\n{kept.line}")
    with pytest.raises(NoteRefused):
        trust.read_rotation(good.replace("\n5\n", "\n6\n"))
    assert trust.read_rotation(good).new == evil.verifier.public_key


def test_a_rotation_between_strangers_adds_no_trust():
    ours, one, other = (Signer(name=FIRST, key=Ed25519PrivateKey.generate()) for _ in range(3))
    told = trust.read_rotation(trust.rotation_note(FIRST, 5, old=one, new=other))

    assert trust.trusted([ours.verifier.public_key], [(1, told)]).verifiers(FIRST, 1, 7) == [ours.verifier]


def test_a_key_of_another_ledger_verifies_nothing(world):
    elsewhere = Verifier(name="elsewhere.example/consent/2026h2", public_key=bytes(32))
    with pytest.raises(Invalid, match="elsewhere"):
        verify(world.store, vkey=note.vkey(elsewhere.name, elsewhere.public_key))


def test_a_rotation_whose_opening_is_gone_or_changed_is_named(world):
    rotated(world)
    place = world.size() - 1
    for trigger in (
        ("DROP TRIGGER ledger_opening__update", "DROP TRIGGER ledger_opening__delete")
        if world.dialect == "sqlite"
        else ("ALTER TABLE ledger_opening DISABLE TRIGGER ALL",)
    ):
        world.tamper(trigger)
    key = key_of(world)
    world.tamper("UPDATE ledger_opening SET plain = :plain", plain=bytes(32) + b'{"actor":"shell"}')
    changed = verify(world.store, vkey=key)
    world.tamper("DELETE FROM ledger_opening")
    gone = verify(world.store, vkey=key)

    assert [(bad.seq, bad.table) for bad in changed.bad] == [(place, "ledger_entry"), (place, "ledger_opening")]
    assert [(bad.seq, bad.table) for bad in gone.bad] == [(place, "ledger_entry"), (place, "ledger_opening")]
