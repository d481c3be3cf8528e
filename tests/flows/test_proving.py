"""What leaves the house verifies with the verifier key alone."""

import pytest

from consent.base.errors import EntryUnknown
from consent.ledger import note
from consent.ledger.checkpoint import open_checkpoint
from consent.ledger.merkle import ProofRefused, leaf_hash, verify_consistency, verify_inclusion
from consent.ledger.note import NoteRefused
from consent.register import proving
from tests.world import FOUNDING

SCOPE = "use:purchases:recommendations"
GROWTH = (1, 1, 2, 3, 1, 8, 5)


def signed(world):
    with world.store.write() as work:
        return proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())


def grown(world):
    """Let the log grow in steps, with a checkpoint after each; return verifier and checkpoints."""
    notes = [signed(world)]
    for entries in GROWTH:
        world.clock.advance(seconds=1)
        world.say(*(world.statement(world.bo, "grant", SCOPE) for _ in range(entries)))
        notes.append(signed(world))
    with world.store.read() as work:
        verifier = note.verifier_of(proving.verifier_key(world.deployment.desk, work))
    return verifier, notes


def test_the_inclusion_of_every_entry_verifies_offline(world):
    verifier, _ = grown(world)
    with world.store.read() as work:
        proofs = [proving.inclusion(work, seq) for seq in range(world.size())]

    for seq, proof in enumerate(proofs):
        known = open_checkpoint(proof.checkpoint, verifier)
        assert (proof.seq, proof.leaf_hash, known.size) == (seq, leaf_hash(proof.body), proof.size)
        verify_inclusion(leaf_hash(proof.body), index=seq, size=known.size, proof=proof.path, root=known.root)
    world.check_ledger()


def test_an_entry_is_proven_under_the_oldest_checkpoint_that_covers_it(world):
    _, notes = grown(world)
    sizes = [int(each.split("\n")[1]) for each in notes]
    with world.store.read() as work:
        found = [proving.inclusion(work, seq).size for seq in range(world.size())]

    assert found == [min(size for size in sizes if size > seq) for seq in range(world.size())]


def test_all_checkpoints_are_consistent_with_each_other(world):
    verifier, notes = grown(world)
    known = [open_checkpoint(each, verifier) for each in notes]
    pairs = [(old, new) for old in known for new in known if old.size <= new.size]
    with world.store.read() as work:
        proofs = [proving.consistency(work, old.size, new.size) for old, new in pairs]

    assert len(pairs) == len(known) * (len(known) + 1) // 2
    for (old, new), proof in zip(pairs, proofs, strict=True):
        verify_consistency(old.size, new.size, proof=proof, old_root=old.root, new_root=new.root)
    world.check_ledger()


def test_a_proof_of_one_entry_proves_no_other(world):
    verifier, _ = grown(world)
    with world.store.read() as work:
        proof, other = proving.inclusion(work, 3), proving.inclusion(work, 4)
    root = open_checkpoint(proof.checkpoint, verifier).root

    with pytest.raises(ProofRefused):
        verify_inclusion(other.leaf_hash, index=3, size=proof.size, proof=proof.path, root=root)


def test_a_checkpoint_is_signed_by_this_deployment_only(world):
    checkpoint = signed(world)
    other = note.verifier_of(note.vkey("shop.example/consent/2026h2", bytes(range(32))))

    with pytest.raises(NoteRefused, match="no known key has signed"):
        open_checkpoint(checkpoint, other)


def test_a_size_is_signed_once(world):
    first = signed(world)
    world.clock.advance(hours=1)
    again = signed(world)

    assert (again, world.rows("SELECT size FROM ledger_checkpoint")) == (first, [(world.size(),)])
    world.check_ledger()


def test_the_newest_checkpoint_is_read_without_writing(world):
    with world.store.read() as work:
        before = proving.newest_checkpoint(work)
    checkpoint = signed(world)
    world.clock.advance(seconds=1)
    world.grant(world.bo, SCOPE)
    with world.store.read() as work:
        assert (before, proving.newest_checkpoint(work)) == (None, checkpoint)


def test_an_entry_that_no_checkpoint_covers_yet_is_not_proven(world):
    signed(world)
    recorded = world.grant(world.bo, SCOPE)
    with world.store.read() as work, pytest.raises(EntryUnknown, match="no checkpoint covers entry"):
        proving.inclusion(work, recorded.seq)


@pytest.mark.parametrize("seq", [-1, 100, 2**62])
def test_an_entry_that_is_not_there_is_not_proven(world, seq):
    signed(world)
    with world.store.read() as work, pytest.raises(EntryUnknown, match=f"has no entry {seq}"):
        proving.inclusion(work, seq)


@pytest.mark.parametrize(("old", "new"), [(0, 1), (2, 1), (1, 100), (-1, 1), (100, 100)])
def test_what_is_longer_than_the_log_or_empty_is_not_proven_consistent(world, old, new):
    with world.store.read() as work, pytest.raises(EntryUnknown, match=f"give 0 < old <= new <= {FOUNDING}"):
        proving.consistency(work, old, new)


def test_a_forged_node_gives_a_proof_that_nobody_believes(world):
    verifier, _ = grown(world)
    with world.store.read() as work:
        good = proving.inclusion(work, 0)
    for trigger in ("DROP TRIGGER ledger_node__update", "DROP TRIGGER ledger_node__change ON ledger_node"):
        if trigger.endswith("ledger_node") == (world.dialect == "postgresql"):
            world.tamper(trigger)
    world.tamper("UPDATE ledger_node SET hash = :hash", hash=bytes(32))
    with world.store.read() as work:
        forged = proving.inclusion(work, 2)
    known = open_checkpoint(forged.checkpoint, verifier)

    verify_inclusion(
        good.leaf_hash, index=0, size=good.size, proof=good.path, root=open_checkpoint(good.checkpoint, verifier).root
    )
    with pytest.raises(ProofRefused):
        verify_inclusion(forged.leaf_hash, index=2, size=known.size, proof=forged.path, root=known.root)
    assert world.faults() == ["shop.example/consent/2026h2: the nodes are not the perfect subtrees of the entries"]


def test_the_verifier_key_names_the_log(world):
    with world.store.read() as work:
        line = proving.verifier_key(world.deployment.desk, work)
    assert line.split("+")[0] == "shop.example/consent/2026h2"
