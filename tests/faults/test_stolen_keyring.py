"""A keyring was copied by somebody who later gets at the database too: after a rotation it opens nothing there."""

import shutil

import pytest

from consent.base.errors import KeyLost
from consent.catalogues import Catalogues
from consent.ledger import checkpoint, log, stored
from consent.ledger.checkpoint import Checkpoint
from consent.ledger.note import NoteRefused
from consent.ledger.verify import trust_in
from consent.register import proving, rekeying, rotating
from consent.register.desk import Desk
from consent.vault.keyring import open_keyring
from tests.flows.test_periods import NEWS, key_of


def owners(world):
    return [owner for (owner,) in world.rows("SELECT owner FROM data_key ORDER BY owner")]


def opens(desk, work, owner):
    try:
        return len(desk.data_key(work, owner)) == 32
    except KeyLost:
        return False


def test_what_is_wrapped_anew_opens_for_no_older_keyring(world, tmp_path):
    world.grant(world.bo, NEWS)
    world.remember(world.bo, visits_past_month=3)
    copy = tmp_path / "stolen.json"
    shutil.copy(world.keyring, copy)
    thief = Desk(keys=open_keyring(copy), catalogues=Catalogues())
    everybody = owners(world)
    with world.store.read() as work:
        before = [opens(thief, work, one) for one in everybody]

    rekeying.rotate(world.deployment.desk, world.store, actor=world.cy, clock=world.clock)
    [new] = world.enrol("NEW")
    with world.store.read() as work:
        after = [opens(thief, work, one) for one in [*everybody, new]]

    assert (before, after) == ([True] * len(everybody), [False] * (len(everybody) + 1))
    assert world.reason(world.bo, NEWS) == "PERMIT"
    world.check_ledger()


def test_what_a_stolen_log_key_signs_after_it_was_rotated_out_is_signed_by_nobody(world, tmp_path):
    copy = tmp_path / "stolen.json"
    shutil.copy(world.keyring, copy)
    thief = Desk(keys=open_keyring(copy), catalogues=Catalogues())
    with world.store.write() as work:
        rotating.rotate(world.deployment.desk, work, actor="shell", at=world.clock())
    world.grant(world.bo, NEWS)
    with world.store.read() as work:
        head = log.head(work)
        state = Checkpoint(origin=head.origin, size=head.size, root=head.root)
        forged = checkpoint.sign(state, proving.signer(thief, head.origin))
        known = trust_in(key_of(world), stored.logs(work), stored.openings(work))

    with pytest.raises(NoteRefused):
        checkpoint.open_checkpoint(forged, *known.verifiers(head.origin, head.log, head.size))
    world.check_ledger()
