"""Verification recomputes a whole log from what is stored, in chunks of any size, while appends go on."""

import json
from base64 import b64decode

import pytest
from typing_extensions import override

from consent.base.errors import DatabaseDown, Invalid, LedgerBroken
from consent.base.store import Store
from consent.ledger import log, merkle
from consent.ledger.entry import Kind
from consent.ledger.verify import CHUNK, root_of_entries, verify
from consent.register import proving, publishing
from tests.builders import catalogue
from tests.world import FOUNDING

ALL = "contact:email:newsletter"


def talk(world, times):
    """Let Bo and Ann grant and withdraw in turn, all in one transaction."""
    acts = ("grant", "withdraw")
    who = (world.bo, world.ann)
    world.say(*(world.statement(who[spot // 2 % 2], acts[spot % 2], ALL) for spot in range(times)))


def key_of(world):
    with world.store.read() as work:
        return proving.verifier_key(world.deployment.desk, work)


def verified(world, **how):
    return verify(world.store, vkey=key_of(world), **how)


def signed(world):
    with world.store.write() as work:
        note = proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())
    return b64decode(note.split("\n")[2])


def head_root(world):
    with world.store.read() as work:
        return log.head(work).root


@pytest.mark.parametrize("chunk", [1, 2, 4, 8, 32, CHUNK])
def test_a_log_that_nobody_touched_is_verified_in_chunks_of_any_size(world, chunk):
    talk(world, 9)
    signed(world)
    talk(world, 10)
    root = signed(world)
    talk(world, 4)

    found = verified(world, chunk=chunk)

    assert (found.ok, found.size, found.checked, found.bad) == (True, FOUNDING + 23, FOUNDING + 23, ())
    assert (found.root, found.checkpoints, found.anchored, found.erased) == (head_root(world), 2, FOUNDING + 19, 0)
    assert found.root != root
    world.check_ledger()


@pytest.mark.parametrize("more", range(8))
def test_a_log_of_any_length_is_verified(sqlite_world, more):
    if more:
        talk(sqlite_world, more)
    root = signed(sqlite_world)

    found = verified(sqlite_world, chunk=4)

    assert (found.ok, found.size, found.root, found.anchored) == (True, FOUNDING + more, root, FOUNDING + more)


def test_an_empty_log_is_verified_and_nothing_of_it_was_checked(blank):
    with blank.store.write() as work:
        publishing.found(blank.deployment.desk, work, "shop.example", at=blank.clock())

    found = verified(blank)

    assert (found.ok, found.size, found.checked, found.root, found.first_bad) == (True, 0, 0, merkle.EMPTY_ROOT, None)


def test_entries_of_every_kind_and_catalogue_versions_on_the_way_are_verified(world):
    desk, at = world.deployment.desk, world.clock()
    meant = {Kind.STATEMENT, Kind.CATALOGUE_PUBLISHED, Kind.LOG_SEALED, Kind.KEY_ROTATED}
    for number, kind in enumerate(kind for kind in Kind if kind not in meant):
        with world.store.write() as work:
            publishing.note(desk, work, kind, {"number": number}, at=at)
    world.publish(catalogue())
    talk(world, 0)
    signed(world)

    found = [verified(world, chunk=chunk) for chunk in (2, CHUNK)]

    assert [(one.ok, one.bad, one.size) for one in found] == [(True, (), FOUNDING + len(Kind) - len(meant) + 2)] * 2


class WatchedStore(Store):
    """Counts its read transactions, and does something before one of them."""

    def __init__(self, url, before=0, what=lambda: None):
        super().__init__(url)
        self.opened = 0
        self._before = before
        self._what = what

    @override
    def read(self):
        self.opened += 1
        if self.opened == self._before:
            self._what()
        return super().read()


def test_entries_that_come_while_it_runs_are_left_for_the_next_time(world):
    def grow():
        talk(world, 7)
        signed(world)

    talk(world, 8)
    growing = WatchedStore(world.url, before=3, what=grow)
    found = verify(growing, vkey=key_of(world), chunk=4)
    growing.close()

    assert (found.ok, found.size, found.checked, world.size()) == (True, FOUNDING + 8, FOUNDING + 8, FOUNDING + 15)
    world.check_ledger()


def test_no_transaction_spans_more_than_a_chunk(sqlite_world):
    talk(sqlite_world, 20)
    watched = WatchedStore(sqlite_world.url)
    verify(watched, vkey=key_of(sqlite_world), chunk=4)
    watched.close()

    assert watched.opened == 1 + (FOUNDING + 20 + 3) // 4 + 1  # the head, the chunks, the ends


def test_the_root_of_entries_in_pieces_is_the_root_of_the_whole(world):
    talk(world, 20)
    with world.store.read() as work:
        whole = root_of_entries(work, 1, 0, FOUNDING + 20)
        with pytest.raises(Invalid):
            root_of_entries(work, 1, 3, FOUNDING + 20)

    assert whole == head_root(world)


def test_the_root_of_entries_is_refused_where_one_is_wrong(sqlite_world):
    with sqlite_world.store.read() as work:
        with pytest.raises(LedgerBroken, match=f"entry {FOUNDING}: there is no such entry"):
            root_of_entries(work, 1, 0, FOUNDING + 1)
        with pytest.raises(LedgerBroken, match="there is no log 7"):
            root_of_entries(work, 7, 0, 1)


def test_the_key_of_another_log_verifies_nothing(sqlite_world):
    origin = proving.signer(sqlite_world.deployment.desk, "elsewhere.example/consent/2026h2").verifier
    with pytest.raises(Invalid, match="elsewhere"):
        verify(sqlite_world.store, vkey=f"{origin.name}+{origin.key_id.hex()}+{key_of(sqlite_world).split('+', 2)[2]}")


@pytest.mark.parametrize("chunk", [0, -1, 3, 12])
def test_a_chunk_is_a_power_of_two(sqlite_world, chunk):
    with pytest.raises(Invalid):
        verified(sqlite_world, chunk=chunk)


def test_a_store_that_cannot_be_read_is_an_error_and_not_an_answer(sqlite_world, tmp_path):
    key = key_of(sqlite_world)
    with pytest.raises(DatabaseDown):
        verify(Store(f"sqlite:///{tmp_path}/nowhere/at-all.db"), vkey=key)


def test_without_a_log_there_is_nothing_to_verify(blank, sqlite_world):
    with pytest.raises(LedgerBroken):
        verify(blank.store, vkey=key_of(sqlite_world))


def test_what_is_hashed_is_what_is_stored(world):
    talk(world, 3)
    bodies = [bytes(body) for (body,) in world.rows("SELECT body FROM ledger_entry ORDER BY seq")]

    assert verified(world).root == merkle.root([merkle.leaf_hash(body) for body in bodies])
    assert [json.loads(body)["seq"] for body in bodies] == [*range(FOUNDING + 3)]
