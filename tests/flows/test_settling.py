"""A backup is brought back: nothing opens before everybody who was erased since is erased again."""

import pytest

from api.erasing import ERASERS
from consent.audit.checks import CHECKS
from consent.audit.run import run
from consent.base.errors import LedgerBroken, RolledBack
from consent.ledger import log
from consent.register import customers, proving, sealing
from consent.rights import erasing, settling
from consent.rights.erasing import Ground
from consent.rights.erasure_list import Event
from tests.erasing import check, erase, lift, settle, suppress, verify

MAIL = "contact:email:recommendations"


def restored(world, older):
    """Return a world whose database is an older copy of it: keyring and list of erasures are as they are now."""
    listed = world.deployment.erasures
    older.keyring.write_bytes(world.keyring.read_bytes())
    older.deployment.erasures.path.write_bytes(listed.path.read_bytes() if listed.path.exists() else b"")
    return older


def events(world):
    return [line.event for line in world.deployment.erasures.lines()]


def origin(world):
    with world.store.read() as work:
        return log.head(work).origin


def test_where_nothing_was_restored_nothing_is_in_the_way(world):
    check(world)
    erase(world, world.ann)
    before = events(world)
    check(world)
    assert (before, events(world)) == ([Event.ERASING, Event.ERASED],) * 2


def test_an_older_database_does_not_open(world, twins):
    """Fault 4: an old backup restored is refused, with how far it was rolled back."""
    older = twins(world)
    erase(world, world.ann)
    world.grant(world.bo, MAIL)
    back = restored(world, older)
    size = back.size()

    with pytest.raises(RolledBack) as refused:
        check(back)
    assert refused.value.detail == f"rolled back from {size + 1} to {size}: a backup was restored: byleave db reopen"
    assert back.size() == size


def test_settling_erases_and_suppresses_again_before_anything_opens(world, twins):
    """Fault 4: erasures are replayed before anything opens. Rule 11: what was suppressed stays so."""
    [carl] = world.enrol("CARL")
    world.grant(carl, MAIL)
    world.remember(world.ann, spend_past_year=12.5)
    older = twins(world)
    erase(world, world.ann, suppress=True)
    suppress(world, "later@shop.example")
    suppress(world, "lifted@shop.example")
    lift(world, "lifted@shop.example")
    back = restored(world, older)
    there = back.reason(back.ann, MAIL)
    done = settle(back)
    check(back)

    assert there == "PERMIT"
    assert (done.erased, done.suppressed) == ((world.ann,), 2)
    assert [back.reason(each, MAIL) for each in (back.ann, carl)] == ["CUSTOMER_ERASED", "PERMIT"]
    assert back.rows("SELECT COUNT(*) FROM memory") == [(0,)]
    with back.store.write() as work:
        [again] = customers.enrol(back.deployment.desk, work, [{"email": "ann@shop.example"}], at=back.clock())
    back.grant(again, MAIL)
    assert back.reason(again, MAIL) == "SUPPRESSED"
    assert verify(back).proved == (world.ann,)
    back.check_ledger()


def test_a_log_that_lost_entries_is_left_and_another_goes_on(world, twins):
    with world.store.write() as work:
        proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())
    older = twins(world)
    before = older.size()
    erase(world, world.ann)
    back = restored(world, older)
    done = settle(back)

    assert done.lost == (before, before + 1)
    assert done.turned is not None
    assert (done.turned.ended, done.turned.size) == ("shop.example/consent/2026h2", before)
    assert (done.turned.opened, origin(back)) == ("shop.example/consent/2026h2-2",) * 2
    back.grant(back.bo, MAIL)
    back.check_ledger()


def test_settling_twice_settles_once(world, twins):
    older = twins(world)
    erase(world, world.ann)
    back = restored(world, older)
    settle(back)
    size, lines = back.size(), len(events(back))
    again = settle(back)
    assert (again.lost, again.erased, again.suppressed) == (None, (), 0)
    assert (back.size(), len(events(back))) == (size, lines)


def test_settling_that_was_interrupted_goes_on(world, twins, monkeypatch):
    older = twins(world)
    erase(world, world.ann)
    erase(world, world.bo)
    back = restored(world, older)
    real = erasing.confirm

    def cut_off(listed, erased):
        if erased.customer == max(world.ann, world.bo):
            raise KeyboardInterrupt
        real(listed, erased)

    with monkeypatch.context() as patched:
        patched.setattr(erasing, "confirm", cut_off)
        with pytest.raises(KeyboardInterrupt):
            settle(back)
    done = settle(back)
    check(back)

    assert done.lost is None
    assert [back.reason(each, MAIL) for each in (back.ann, back.bo)] == ["CUSTOMER_ERASED"] * 2
    back.check_ledger()


def test_a_tombstone_that_was_deleted_is_not_taken_for_a_backup_and_is_put_up_again(world):
    done = erase(world, world.ann)
    world.tamper("DELETE FROM erasure")
    with pytest.raises(LedgerBroken) as told:
        check(world)
    again = settle(world)
    check(world)

    why = f"entry {done.position} tells of an erasure, and its tombstone (a row of erasure) is gone: nothing was rolled"
    assert why in str(told.value)
    assert (again.turned, again.lost, again.erased) == (None, None, (world.ann,))
    assert run(world.deployment, CHECKS, asked_by="cy", only=["erasures"]).all_findings == []
    world.check_ledger()


def test_another_history_of_the_same_length_does_not_open_either(world, twins):
    older = twins(world)
    erase(world, world.ann)
    back = restored(world, older)
    for _ in range(3):
        back.withdraw(back.ann, MAIL)
    with pytest.raises(RolledBack, match="is not the erasure that the list of erasures tells of"):
        check(back)
    done = settle(back)
    check(back)
    assert (done.lost, done.erased) == (None, (world.ann,))


def test_a_sealed_log_that_was_followed_by_another_is_no_rollback(world):
    erase(world, world.ann)
    world.clock.advance(days=60)
    with world.store.write() as work:
        sealing.seal(world.deployment.desk, work, at=world.clock())
    check(world)
    erase(world, world.bo)
    check(world)
    assert origin(world) == "shop.example/consent/2027h1"
    world.check_ledger()


# ------------------------------------------------------------------------------------------- cut off between two steps


def begun(world):
    """Erase Ann but for the last step: the transaction is committed, and the list isn't told."""
    deployment = world.deployment
    with world.store.write() as work:
        return erasing.erase(
            deployment.desk, work, world.ann, listed=deployment.erasures, besides=ERASERS, ground=Ground.WITHDRAWN,
            actor=world.cy, at=world.clock(),
        )  # fmt: skip


def test_an_erasure_whose_end_was_not_written_down_is_done_all_the_same(world):
    begun(world)
    waiting = events(world)
    check(world)
    assert (waiting, events(world)) == ([Event.ERASING], [Event.ERASING, Event.ERASED])


def test_an_erasure_that_was_never_committed_was_none(world):
    class CutOffError(Exception):
        pass

    def undone():
        with world.store.write() as work:
            erasing.erase(
                world.deployment.desk, work, world.ann, listed=world.deployment.erasures, besides=ERASERS,
                ground=Ground.WITHDRAWN, actor=world.cy, at=world.clock(),
            )  # fmt: skip
            raise CutOffError

    with pytest.raises(CutOffError):
        undone()
    waiting = events(world)
    check(world)

    assert (waiting, events(world)) == ([Event.ERASING], [Event.ERASING, Event.KEPT])
    assert world.reason(world.ann, MAIL) == "PERMIT"
    world.check_ledger()


def test_an_erasure_under_way_when_both_were_lost_is_done_in_the_backup(world, twins):
    """The list is told before the commit: even if the database is lost in the very moment after, he is erased."""
    older = twins(world)
    begun(world)
    back = restored(world, older)
    assert settle(back).erased == (world.ann,)


def test_a_list_that_was_lost_is_written_again_from_the_database(world):
    erase(world, world.ann)
    suppress(world, "n@shop.example")
    whole = world.deployment.erasures.outlasting()
    world.deployment.erasures.path.unlink()
    check(world)

    assert world.deployment.erasures.outlasting() == whole
    assert sorted(events(world)) == [Event.ERASED, Event.SUPPRESSED]


def test_a_list_that_lacks_the_last_lines_is_brought_up_to_date(world):
    erase(world, world.ann)
    path = world.deployment.erasures.path
    before = path.read_bytes()
    suppress(world, "n@shop.example")
    erase(world, world.bo)
    whole = world.deployment.erasures.outlasting()
    path.write_bytes(before)
    check(world)
    assert world.deployment.erasures.outlasting() == whole


def test_a_list_that_was_changed_lets_nothing_open(world):
    erase(world, world.ann)
    path = world.deployment.erasures.path
    path.write_bytes(path.read_bytes().replace(b"erased", b"kept", 1))
    with pytest.raises(LedgerBroken):
        check(world)


def test_a_blank_database_has_nothing_to_hold_against_the_list(blank):
    settling.check(blank.deployment.desk, blank.store, blank.deployment.erasures, at=blank.clock())
    assert events(blank) == []
