"""The key-encryption key is rotated, and its old versions destroyed: by two people, and not before backups end."""

from datetime import timedelta

import pytest

from consent.base.errors import KeyLost, KmsDown, NotAllowed, StateConflict
from consent.catalogues import Catalogues
from consent.ledger import opening, stored
from consent.register import recording, rekeying
from consent.register.desk import Desk
from consent.vault.keyring import Wrapped, open_keyring
from consent.vault.transit import create_sealed_keyring
from tests.builders import statement
from tests.vaults import FakeVault, place, serving

BACKUPS = timedelta(days=14)
MAIL = "contact:email:recommendations"


def rotate(world, **how):
    return rekeying.rotate(
        world.deployment.desk, world.store, **{"actor": world.cy, "clock": world.clock, "most": 2, **how}
    )


def state(world):
    with world.store.read() as work:
        return rekeying.state(world.deployment.desk, work)


def ask(world, version, actor="cy"):
    with world.store.write() as work:
        return rekeying.ask_destruction(world.deployment.desk, work, version, actor=actor, at=world.clock())


def destroy(world, version, actor="mia", **how):
    return rekeying.destroy(
        world.deployment.desk, world.store, version,
        **{"actor": actor, "at": world.clock(), "backups_end": BACKUPS, **how},
    )  # fmt: skip


def test_a_rotation_wraps_every_data_key_anew_and_touches_nothing_else(world):
    world.enrol("C1", "C2", "C3")
    world.remember(world.ann, spend_past_year=12.5)
    sealed = "SELECT customer, sealed FROM memory", "SELECT seq, sealed FROM ledger_payload WHERE seq < :n ORDER BY seq"
    before = world.rows(sealed[0]), world.rows(sealed[1], n=world.size())
    size = world.size()
    wrapped = dict(world.rows("SELECT owner, wrapped FROM data_key"))
    told = []
    done = rotate(world, progress=lambda count, total: told.append((count, total)))
    after = dict(world.rows("SELECT owner, wrapped FROM data_key"))

    assert (done.version, done.done, done.total, done.lost) == (2, 6, 6, 0)
    assert told == [(2, 6), (4, 6), (6, 6)]
    assert (state(world).in_use, state(world).versions) == ({2: 6}, (1, 2))
    assert {owner for owner in wrapped if wrapped[owner] == after[owner]} == set()
    assert (world.rows(sealed[0]), world.rows(sealed[1], n=size)) == before
    assert world.recall([world.ann], ["spend_past_year"], purpose="recommendations") == [{"spend_past_year": 12.5}]
    world.check_ledger()


def test_the_ledger_says_that_the_key_was_rotated_in_clear(world):
    done = rotate(world)
    with world.store.read() as work:
        [(_, seq, plain)] = stored.openings(work)
    assert (seq, opening.of_encryption_key(plain)) == (done.position, True)
    assert opening.payload(plain) == {"act": "rotated", "actor": "shell", "key": "encryption", "keys": 3, "version": 2}


def test_a_process_that_has_the_keyring_open_notices_that_it_was_rotated(world):
    elsewhere = Desk(open_keyring(world.keyring), Catalogues())
    rotate(world)
    said = statement(world.bo, "grant", MAIL, said_at=world.clock())
    with world.store.write() as work:
        recording.record(elsewhere, work, [said], actor="customer", at=world.clock())
    assert elsewhere.keys.wrap("cus_x", bytes(32)).kek == 2
    assert world.reason(world.bo, MAIL) == "PERMIT"


def test_a_second_rotation_makes_a_third_version(world):
    rotate(world)
    assert (rotate(world).version, state(world).in_use) == (3, {3: 3})


def test_a_rotation_that_was_cut_off_is_carried_on_and_not_begun_anew(world, monkeypatch):
    world.enrol("C1", "C2", "C3")
    real, calls = rekeying._pass, []

    def cut_off(desk, store, version, most, progress):
        calls.append(version)
        if len(calls) == 1:
            raise KmsDown("cut off")
        return real(desk, store, version, most, progress)

    monkeypatch.setattr(rekeying, "_pass", cut_off)
    with pytest.raises(KmsDown):
        rotate(world)
    waiting = state(world)
    done = rotate(world)

    assert (waiting.outdated, waiting.rotation.finished_at) == (6, None)
    assert (done.version, done.done, state(world).versions) == (2, 6, (1, 2))


def test_a_version_that_was_made_and_not_yet_used_is_taken_up(world):
    world.deployment.desk.keys.rotate()
    assert (rotate(world).version, state(world).versions) == (2, (1, 2))


def test_a_data_key_that_does_not_unwrap_is_left_as_it_is_and_counted(world):
    """Fault 14: a data key exchanged between customers unwraps for neither."""
    [(anns,)] = world.rows("SELECT wrapped FROM data_key WHERE owner = :a", a=world.ann)
    world.tamper("UPDATE data_key SET wrapped = :w WHERE owner = :b", w=anns, b=world.bo)
    done = rotate(world)
    assert (done.done, done.lost, state(world).in_use) == (2, 1, {1: 1, 2: 2})
    with pytest.raises(StateConflict, match="still wrap 1 data key:"):
        ask(world, 1)


# ---------------------------------------------------------------------------------------------------------- destruction


def test_destroying_takes_two_people_and_waits_until_backups_end(world):
    rotate(world)
    asked = ask(world, 1)
    with pytest.raises(NotAllowed, match="takes two people"):
        destroy(world, 1, actor="cy")
    with pytest.raises(StateConflict, match="a backup may still need version 1: not before 2026-12-05T10:00"):
        destroy(world, 1)
    still = state(world).versions
    world.clock.advance(days=14)
    done = destroy(world, 1)

    assert (asked.asked_by, asked.confirmed_by, asked.destroyed_at) == ("cy", "", None)
    assert (done.asked_by, done.confirmed_by, done.destroyed_at) == ("cy", "mia", world.clock())
    assert (still, state(world).versions) == ((1, 2), (2,))
    assert '"1"' not in world.keyring.read_text(encoding="utf-8")
    assert world.recall([world.ann], ["spend_past_year"], purpose="recommendations") == [{"spend_past_year": None}]
    world.check_ledger()


def test_what_a_destroyed_version_wrapped_is_lost(world):
    [(kek, blob)] = world.rows("SELECT kek, wrapped FROM data_key WHERE owner = :a", a=world.ann)
    rotate(world)
    ask(world, 1)
    world.clock.advance(days=14)
    destroy(world, 1)
    with pytest.raises(KeyLost, match="wrapped by version 1 of the key-encryption key, which is not here"):
        world.deployment.desk.keys.unwrap(world.ann, Wrapped(kek, blob))


def test_it_can_be_done_at_once_but_not_while_a_transaction_may_still_wrap_by_it(world):
    rotate(world)
    ask(world, 1)
    with pytest.raises(StateConflict, match="not before 2026-11-21T10:15"):
        destroy(world, 1, at_once=True)
    world.clock.advance(minutes=15)
    destroy(world, 1, at_once=True)
    assert state(world).versions == (2,)


def test_once_more_is_the_same_also_where_it_was_cut_off_in_the_middle(world):
    rotate(world)
    ask(world, 1)
    world.clock.advance(days=14)
    world.deployment.desk.keys.destroy(1)  # and then the process was killed
    first = destroy(world, 1)
    size = world.size()
    assert (destroy(world, 1), world.size()) == (first, size)
    assert first.destroyed_at == world.clock()


def test_what_is_in_use_newest_or_not_asked_for_can_not_be_destroyed(world):
    with pytest.raises(StateConflict, match="version 1 is the newest"):
        ask(world, 1)
    world.deployment.desk.keys.rotate()
    with pytest.raises(StateConflict, match="still wrap 3 data keys: byleave vault rotate"):
        ask(world, 1)
    rotate(world)
    with pytest.raises(StateConflict, match="nobody has asked to destroy version 1"):
        destroy(world, 1)


# ----------------------------------------------------------------------------------------------------- and with a Vault


def test_with_a_vault_a_rotation_shows_no_data_key(world, tmp_path):
    with serving(FakeVault()) as vault:
        keys = create_sealed_keyring(tmp_path / "sealed.json", place(vault, tmp_path))
        desk = Desk(keys, Catalogues())
        world.tamper("DELETE FROM data_key WHERE owner <> 'log'")
        rows = [(f"o{number}", *keys.wrap(f"o{number}", bytes([number]) * 32)) for number in range(5)]
        for owner, kek, wrapped in rows:
            world.tamper("INSERT INTO data_key VALUES (:o, :k, :w)", o=owner, k=kek, w=wrapped)
        log_key = keys.wrap("log", world.deployment.desk.keys.unwrap("log", _wrapped(world, "log")))
        world.tamper("UPDATE data_key SET kek = :k, wrapped = :w WHERE owner = 'log'", k=log_key.kek, w=log_key.key)
        vault.calls.clear()
        done = rekeying.rotate(desk, world.store, actor=world.cy, clock=world.clock, most=2)
        calls = {call.split("/")[3] for call in vault.calls if "keys" not in call}
        opened = [keys.unwrap(owner, _wrapped(world, owner)) for owner, _, _ in rows]
        keys.close()

    assert (done.version, done.done, opened) == (2, 6, [bytes([number]) * 32 for number in range(5)])
    assert calls == {"rewrap", "decrypt"}  # decrypt: of the log's own key, to enter it in the ledger


def _wrapped(world, owner):
    [(kek, blob)] = world.rows("SELECT kek, wrapped FROM data_key WHERE owner = :o", o=owner)
    return Wrapped(kek, blob)
