"""An old backup is restored, or copied and gone on with: the witness remembers, appends stop, both notes are kept."""

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.base.errors import LedgerForked, RolledBack, StateConflict
from consent.ledger import checkpoint, cosignature, log, merkle, note
from consent.ledger.checkpoint import Checkpoint
from consent.ledger.entry import Kind
from consent.ledger.verify import verify
from consent.register import alarms, proving, publishing, recovering, rotating, sealing
from consent.register.alarms import AlarmKind
from consent.witness import asking, book, own_key
from tests.attacker import Attacker, other_commitment
from tests.flows.test_cosigning import standing, watched, witnessing_of
from tests.flows.test_periods import FIRST, NEW_YEAR, NEWS, key_of, signed

AGAIN = "shop.example/consent/2026h2-2"


def talk(world, times):
    world.say(*(world.statement(world.bo, ("grant", "withdraw")[n % 2], NEWS) for n in range(times)))


def cosigned(world, witness):
    signed(world)
    return witnessing_of(world, witness).cosign()


@pytest.fixture
def witness(world, tmp_path):
    with watched(world, tmp_path / "witness") as (running, _):
        yield running


def settled(world, reason="the disk died"):
    with world.store.write() as work:
        return recovering.settle(world.deployment.desk, work, actor="shell:cy", reason=reason, at=world.clock())


def test_an_old_backup_is_noticed_and_takes_nothing_any_more(world, twins, witness):
    backup = twins(world)
    talk(world, 5)
    cosigned(world, witness)
    then, now = backup.size(), world.size()

    found = witnessing_of(backup, witness).look()

    why = f"rolled back from {now} to {then}: the witness cosigned entries that are not here any more"
    assert (found.held, found.trouble) == (True, why)
    with pytest.raises(RolledBack, match=f"rolled back from {now} to {then}"):
        talk(backup, 1)
    with pytest.raises(RolledBack), backup.store.write() as work:
        publishing.note(backup.deployment.desk, work, Kind.AUDIT_COMPLETED, {}, at=backup.clock())
    with pytest.raises(RolledBack):
        signed(backup)
    assert (backup.size(), backup.reason(backup.ann, NEWS)) == (then, "PERMIT")  # what is there can be read
    backup.check_ledger()


def test_both_notes_are_kept_and_each_is_signed_by_the_log(world, twins, witness):
    mine = signed(world)
    backup = twins(world)
    talk(world, 5)
    cosigned(world, witness)
    witnessing_of(backup, witness).look()

    [alarm] = standing(backup).alarms
    assert (alarm.kind, alarm.log, alarm.size, alarm.witness_size) == (
        AlarmKind.ROLLED_BACK, 1, backup.size(), world.size(),
    )  # fmt: skip
    assert (alarm.note, alarm.witness_note) == (mine, witness.seen()[0].note)
    key = note.verifier_of(key_of(world))
    old, new = (checkpoint.open_checkpoint(each, key) for each in (alarm.note, alarm.witness_note))
    assert (old.size, new.size) == (backup.size(), world.size())


def test_the_same_alarm_is_raised_once(world, twins, witness):
    backup = twins(world)
    talk(world, 5)
    cosigned(world, witness)
    for _ in range(3):
        witnessing_of(backup, witness).look()
        witnessing_of(backup, witness).cosign()

    assert [each.kind for each in standing(backup).alarms] == [AlarmKind.ROLLED_BACK]


def test_an_officer_lets_it_go_on_under_another_name_and_nothing_is_signed_twice(world, twins, witness):
    signed(world)
    backup = twins(world)
    talk(world, 5)
    cosigned(world, witness)
    witnessing_of(backup, witness).look()
    signed_before = backup.rows("SELECT size FROM ledger_checkpoint WHERE log = 1")

    turned = settled(backup)

    assert (turned.ended, turned.size, turned.opened) == (FIRST, backup_size(backup), AGAIN)
    assert backup.rows("SELECT size FROM ledger_checkpoint WHERE log = 1") == signed_before
    said = backup.grant(backup.bo, NEWS)
    assert (said.seq, backup.reason(backup.bo, NEWS)) == ((1 << 40) + 1, "PERMIT")
    assert cosigned(backup, witness).trouble == ""
    found = verify(backup.store, vkey=key_of(backup))
    assert (found.ok, found.bad, [one.origin for one in found.logs]) == (True, (), [FIRST, AGAIN])
    with backup.store.read() as work:
        [alarm] = alarms.newest(work)
    assert (alarm.settled_by, alarm.settlement) == ("shell:cy", f"the disk died (goes on as {AGAIN})")
    backup.check_ledger()


def backup_size(world):
    [(size,)] = world.rows("SELECT count(*) FROM ledger_entry WHERE log = 1")
    return size


def test_positions_of_what_was_lost_are_never_used_again(world, twins, witness):
    backup = twins(world)
    lost = [world.grant(world.bo, NEWS).seq for _ in range(5)]
    cosigned(world, witness)
    witnessing_of(backup, witness).look()
    settled(backup)

    assert not {backup.grant(backup.bo, NEWS).seq for _ in range(9)} & set(lost)


def test_where_nothing_stops_the_ledger_there_is_nothing_to_settle(world):
    with pytest.raises(StateConflict, match="nothing stops the ledger"):
        settled(world)


def test_what_was_lost_can_be_restored_after_all_and_then_all_is_as_it_was(world, twins, witness):
    backup = twins(world)
    talk(world, 5)
    cosigned(world, witness)
    witnessing_of(backup, witness).look()

    assert witnessing_of(world, witness).look().held is False
    talk(world, 3)
    assert cosigned(world, witness).trouble == ""


def test_a_copy_that_went_on_by_itself_is_a_fork(world, twins, witness):
    cosigned(world, witness)
    copy = twins(world)
    talk(world, 5)
    cosigned(world, witness)
    copy.say(*(copy.statement(copy.ann, "withdraw", NEWS) for _ in range(5)))
    theirs = signed(copy)

    found = witnessing_of(copy, witness).cosign()

    assert (found.held, copy.size()) == (True, world.size())
    with pytest.raises(LedgerForked, match="with another root than it has"):
        talk(copy, 1)
    [alarm] = standing(copy).alarms
    assert (alarm.kind, alarm.note, alarm.witness_note) == (AlarmKind.FORKED, theirs, witness.seen()[0].note)
    key = note.verifier_of(key_of(world))
    one, other = (checkpoint.open_checkpoint(each, key) for each in (alarm.note, alarm.witness_note))
    assert (one.size, one.root == other.root) == (other.size, False)  # the log's own key signed both: that is the proof
    assert cosigned(world, witness).trouble == ""
    copy.check_ledger()


@pytest.mark.parametrize(("ours", "theirs"), [(5, 9), (9, 5)])
def test_a_fork_shows_whichever_of_the_two_is_longer(world, twins, witness, ours, theirs):
    cosigned(world, witness)
    copy = twins(world)
    talk(world, ours)
    cosigned(world, witness)
    copy.say(*(copy.statement(copy.ann, "withdraw", NEWS) for _ in range(theirs)))
    signed(copy)

    witnessing_of(copy, witness).cosign()

    kind = AlarmKind.FORKED if theirs > ours else AlarmKind.ROLLED_BACK
    assert [each.kind for each in standing(copy).alarms] == [kind]


def test_the_witness_itself_refuses_a_fork_and_keeps_both_notes(world, twins, witness):
    cosigned(world, witness)
    copy = twins(world)
    talk(world, 5)
    cosigned(world, witness)
    copy.say(*(copy.statement(copy.ann, "withdraw", NEWS) for _ in range(9)))
    theirs = signed(copy)
    old = witness.seen()[0]
    with copy.store.read() as work:
        proof = proving.consistency(work, old.size, copy.size())
    answers = [asking.submit(witness.place, size, proof, checkpoint=theirs) for size in (0, old.size)]

    assert (answers[0], type(answers[1])) == (asking.Elsewhere(old.size), asking.Refused)
    assert getattr(answers[1], "status", None) == 422
    [kept] = witness.contradictions()
    assert (kept.mine, kept.theirs) == (old.note, theirs)


def test_a_tree_recomputed_and_signed_again_with_the_log_s_own_key_is_caught_by_the_witness(world, witness):
    talk(world, 5)
    cosigned(world, witness)
    attacker = Attacker(world)
    attacker.rewrite(5, other_commitment(attacker.body(5)), leaf=True)
    attacker.regrow()
    attacker.do("DELETE FROM ledger_checkpoint")
    attacker.do("DELETE FROM cosignature")
    with world.store.write() as work:
        proving.sign(work, log.head(work), [proving.in_force(world.deployment.desk, work, FIRST)], at=world.clock())
    assert verify(world.store, vkey=key_of(world)).ok  # whoever holds every key leaves no trace here

    found = witnessing_of(world, witness).look()

    assert (found.held, [each.kind for each in standing(world).alarms]) == (True, [AlarmKind.FORKED])


def test_a_backup_from_before_the_turn_of_the_year_is_noticed_too(world, twins, witness):
    cosigned(world, witness)
    backup = twins(world)
    world.clock.set(NEW_YEAR)
    with world.store.write() as work:
        sealing.seal(world.deployment.desk, work, at=NEW_YEAR)
    cosigned(world, witness)

    assert witnessing_of(backup, witness).look().held is True


def test_a_backup_from_before_a_rotation_is_noticed_though_it_does_not_know_the_new_key(world, twins, witness):
    cosigned(world, witness)
    backup = twins(world)
    with world.store.write() as work:
        rotating.rotate(world.deployment.desk, work, actor="shell", at=world.clock())
    witness.trust(key_of(world))
    talk(world, 3)
    cosigned(world, witness)

    assert witnessing_of(backup, witness).look().held is True
    with pytest.raises(RolledBack):
        talk(backup, 1)


def test_a_witness_cannot_make_a_contradiction_up(world, witness):
    cosigned(world, witness)
    liar = Ed25519PrivateKey.generate()
    state = Checkpoint(origin=FIRST, size=world.size(), root=merkle.leaf_hash(b"another"))
    forged = checkpoint.sign(state, note.Signer(name=FIRST, key=liar))
    with world.store.read() as work:
        mine = proving.newest_checkpoint(work) or ""
    by_log = mine.partition("\n\n")[2]
    for text in (forged, f"{checkpoint.text(state)}\n{by_log}"):
        told(witness, text)
        assert witnessing_of(world, witness).look().held is False
    talk(world, 1)


def told(witness, text):
    """Let a witness show what it likes, under its own signature."""
    body, lines = note.split(text)
    kept = "".join([body, "\n", *(one.line for one in lines if one.name == FIRST),
                    cosignature.cosign(body, own_key.open_key(witness.folder), at=1)])  # fmt: skip
    opened = book.open_book(witness.folder)
    with opened.writing() as work:
        work.connection.execute(sa.text("UPDATE seen SET note = :note"), {"note": kept})
    opened.close()


def test_a_backup_that_nothing_was_signed_after_is_as_good_as_the_original(world, twins, witness):
    cosigned(world, witness)
    backup = twins(world)
    talk(world, 5)  # never signed, so nobody can have a proof of it

    assert witnessing_of(backup, witness).look().held is False
    talk(backup, 1)
    assert cosigned(backup, witness).trouble == ""
