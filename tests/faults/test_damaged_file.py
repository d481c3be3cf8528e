"""The database's file was cut short: that is said, nothing is appended to what is left, and the whole file is good."""

from contextlib import closing

import pytest

from consent.base.errors import DatabaseDown
from consent.base.store import Store
from consent.ledger import log
from consent.ledger.verify import verify
from consent.register import recording
from tests.flows.test_periods import NEWS, key_of


def append(world, store):
    with store.write() as work:
        said = world.statement(world.bo, "withdraw", NEWS)
        recording.record(world.deployment.desk, work, [said], actor="shop", at=world.clock())


@pytest.mark.parametrize("left", ["nothing", "a header", "a page", "half", "all but a page"])
def test_a_file_that_was_cut_short_takes_nothing_and_says_nothing(sqlite_world, left):
    world = sqlite_world
    world.grant(world.bo, NEWS)
    file, vkey = world.store.file, key_of(world)
    world.store.drop_journal()
    world.store.close()
    whole = file.read_bytes()
    page = int.from_bytes(whole[16:18], "big")
    lengths = {
        "nothing": 0, "a header": 100, "a page": page, "half": len(whole) // 2 // page * page,
        "all but a page": len(whole) - page,
    }  # fmt: skip
    cut = whole[: lengths[left]]
    file.write_bytes(cut)
    with closing(Store(world.url)) as store:
        with pytest.raises(DatabaseDown):
            append(world, store)
        with pytest.raises(DatabaseDown), store.read() as work:
            log.head(work)
        with pytest.raises(DatabaseDown):
            verify(store, vkey=vkey)
    after = file.read_bytes()
    file.write_bytes(whole)
    world.withdraw(world.bo, NEWS)

    assert after[:16] == cut[:16]
    assert len(after) == len(cut)
    assert verify(world.store, vkey=vkey).ok
    world.check_ledger()
