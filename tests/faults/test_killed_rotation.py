"""Fault 14: a rotation of the key-encryption key is killed midway. Every data key unwraps under exactly one version."""

import json
import signal

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consent.register import rekeying
from tests.advancing import started
from tests.faults.stepping import rotate as rotate_and_die

CUSTOMERS, AT_ONCE, EACH, MOST = 30, 7, 23, 4_000


def opening(world):
    """Return for each data key the versions of the keyring file that open it, tried one by one."""
    keks = {int(number): bytes.fromhex(key) for number, key in json.loads(world.keyring.read_text())["keks"].items()}
    found = {}
    for owner, kek, blob in world.rows("SELECT owner, kek, wrapped FROM data_key"):
        opened = []
        for version, key in keks.items():
            try:
                AESGCM(key).decrypt(blob[:12], blob[12:], f"byleave/data_key/v1\x00{owner}\x00{version}".encode())
            except InvalidTag:
                continue
            opened.append(version)
        found[owner] = (kek, opened)
    return found


@pytest.mark.timeout(600)
def test_a_rotation_that_is_killed_anywhere_leaves_each_key_under_exactly_one_version_and_goes_on(world):
    people = world.enrol(*(f"K{number}" for number in range(CUSTOMERS)))
    for customer in people:
        world.grant(customer, "remember:purchases", "use:purchases:recommendations")
        world.remember(customer, spend_past_year=1.5)
    ends, mixed = [], 0
    for step in range(0, MOST, EACH):
        world.store.close()
        process = started(rotate_and_die, world.url, world.keyring, AT_ONCE, step)
        process.join()
        ends.append(process.exitcode)
        found = opening(world)
        assert {owner: ([kek], kek) for owner, (kek, _) in found.items()} == {
            owner: (opened, kek) for owner, (kek, opened) in found.items()
        }
        mixed += len({kek for kek, _ in found.values()}) > 1
        recalled = world.recall(people, ["spend_past_year"], purpose="recommendations")
        assert recalled == [{"spend_past_year": 1.5}] * CUSTOMERS
        if process.exitcode == 0:
            break
    with world.store.read() as work:
        state = rekeying.state(world.deployment.desk, work)

    assert (set(ends[:-1]), ends[-1]) == ({-signal.SIGKILL}, 0)
    assert (mixed > 2, len(ends) > 5) == (True, True)
    assert state.rotation is not None
    assert (state.outdated, state.rotation.finished_at is None) == (0, False)
    assert state.in_use == {state.versions[-1]: CUSTOMERS + 3}
    world.check_ledger()
