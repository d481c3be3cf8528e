"""Whoever has the database in hand breaks the chain from one log to the next; verification names where.

Each test first shows that all three logs and the chain between them are verified.
"""

from datetime import UTC, datetime

import pytest

from consent.base.canonical import b64u, encode
from consent.ledger import entry, merkle, note, opening
from consent.ledger.merkle import Frontier, append_all
from consent.ledger.position import position
from consent.ledger.verify import CHUNK, verify
from tests.attacker import Attacker, other_commitment
from tests.flows.test_periods import FIRST, NEW_YEAR, NEWS, SECOND, key_of, sealed, signed

MIDSUMMER = datetime(2027, 7, 1, tzinfo=UTC)
GOES_ON = "it goes on from {} with {} entries, and that is not what stands there"


class Chain(Attacker):
    """Three logs, and somebody who can change any of them."""

    def __init__(self, world):
        super().__init__(world)
        self.key = note.vkey(FIRST, note.verifier_of(key_of(world)).public_key)
        self.size = dict(world.rows("SELECT log, COUNT(*) FROM ledger_entry GROUP BY log"))

    def change(self, log, seq):
        """Change an entry, and its leaf to fit."""
        [(body,)] = self.world.rows("SELECT body FROM ledger_entry WHERE log = :log AND seq = :seq", log=log, seq=seq)
        body = other_commitment(bytes(body))
        self.do(
            "UPDATE ledger_entry SET body = :body, leaf = :leaf WHERE log = :log AND seq = :seq",
            body=body, leaf=merkle.leaf_hash(body), log=log, seq=seq,
        )  # fmt: skip

    def regrow_log(self, log):
        """Build a log's tree anew over the entries as they are now."""
        query = "SELECT body FROM ledger_entry WHERE log = :log ORDER BY seq"
        leaves = [merkle.leaf_hash(bytes(body)) for (body,) in self.world.rows(query, log=log)]
        frontier, nodes = append_all(Frontier(), leaves)
        self.do("DELETE FROM ledger_node WHERE log = :log", log=log)
        for level, idx, node in nodes:
            self.do(
                "INSERT INTO ledger_node (log, level, idx, hash) VALUES (:log, :level, :idx, :hash)",
                log=log, level=level, idx=idx, hash=node,
            )  # fmt: skip
        self.do(
            "UPDATE ledger_head SET size = :size, frontier = :edge WHERE log = :log",
            log=log, size=frontier.size, edge=b"".join(frontier.hashes),
        )  # fmt: skip
        return merkle.root(leaves)

    def remove_log(self, log):
        for table in (
            "ledger_payload", "ledger_node", "ledger_checkpoint", "ledger_opening", "ledger_entry", "idempotency",
        ):  # fmt: skip
            self.do(f"DELETE FROM {table} WHERE log = :log", log=log)  # noqa: S608 -- of this list
        self.do("DELETE FROM ledger_log WHERE id = :log", log=log)

    def opening(self, log, seq=0):
        [(plain,)] = self.world.rows(
            "SELECT plain FROM ledger_opening WHERE log = :log AND seq = :seq", log=log, seq=seq
        )
        return bytes(plain)

    def named(self):
        """Return position, table and reason of every wrong spot: the same in small chunks and in one."""
        small, whole = (verify(self.world.store, vkey=self.key, chunk=chunk) for chunk in (4, CHUNK))
        assert (small.bad, small.ok) == (whole.bad, not whole.bad)
        return [tuple(bad) for bad in whole.bad]

    def places(self):
        return [spot[:2] for spot in self.named()]


@pytest.fixture
def chain(world):
    """Return three logs: 28 entries and more in the first, 8 in the second, 6 in the third."""
    for turn in (NEW_YEAR, MIDSUMMER, None):
        world.say(*(world.statement(world.bo, ("grant", "withdraw")[n % 2], NEWS) for n in range(5)))
        signed(world)
        if turn:
            world.say(world.statement(world.bo, "grant", NEWS))
            sealed(world, turn)
    made = Chain(world)
    assert made.named() == []
    return made


@pytest.mark.parametrize("log", [1, 2, 3])
def test_a_flipped_byte_is_named_in_any_log(chain, log):
    [(body,)] = chain.world.rows("SELECT body FROM ledger_entry WHERE log = :log AND seq = 3", log=log)
    flipped = bytes(body[:50]) + bytes([body[50] ^ 1]) + bytes(body[51:])
    chain.do("UPDATE ledger_entry SET body = :body WHERE log = :log AND seq = 3", body=flipped, log=log)

    assert chain.places() == [(position(log, 3), "ledger_entry")]


def test_a_sealed_log_whose_tree_was_recomputed_is_caught_by_what_was_signed_and_by_the_next(chain):
    chain.change(1, 3)
    chain.regrow_log(1)

    size = chain.size[1]
    [(first,)] = chain.world.rows("SELECT MIN(size) FROM ledger_checkpoint WHERE log = 1")
    assert chain.named()[0][:2] == (first, "ledger_checkpoint")
    assert chain.named()[1:] == [(position(2, 0), "ledger_log", GOES_ON.format(FIRST, size))]


def test_without_any_checkpoint_of_its_own_the_next_log_still_knows_its_root(chain):
    chain.change(1, 3)
    chain.regrow_log(1)
    chain.do("DELETE FROM ledger_checkpoint WHERE log = 1")

    assert chain.named()[-1] == (position(2, 0), "ledger_log", GOES_ON.format(FIRST, chain.size[1]))


def test_a_first_entry_rewritten_to_fit_is_caught_by_what_was_signed_over_it(chain):
    chain.change(2, 3)
    root = chain.regrow_log(2)
    plain = chain.opening(3)
    told, fresh = entry.committed({**opening.payload(plain), "root": b64u(root)}, plain[:32])
    [(body,)] = chain.world.rows("SELECT body FROM ledger_entry WHERE log = 3 AND seq = 0")
    read = entry.read(bytes(body))
    assert read is not None
    body = bytes(body).replace(b64u(read.commitment).encode(), b64u(fresh).encode())
    chain.do("UPDATE ledger_opening SET plain = :plain WHERE log = 3", plain=told)
    chain.do(
        "UPDATE ledger_entry SET body = :body, leaf = :leaf WHERE log = 3 AND seq = 0",
        body=body, leaf=merkle.leaf_hash(body),
    )  # fmt: skip
    chain.regrow_log(3)

    places = chain.places()
    assert [table for _, table in places] == ["ledger_checkpoint", "ledger_checkpoint"]
    assert [place >> 40 for place, _ in places] == [1, 2]  # of the second log, and of the third


def test_a_log_cut_short_before_it_was_sealed_is_named(chain):
    last = chain.size[1] - 1
    chain.do("DELETE FROM ledger_entry WHERE log = 1 AND seq = :last", last=last)

    assert (last, "ledger_entry") in chain.places()


def test_an_entry_behind_the_last_of_a_sealed_log_is_named(chain):
    size = chain.size[1]
    chain.do(
        "INSERT INTO ledger_entry (log, seq, body, leaf) "
        "SELECT 1, :size, body, leaf FROM ledger_entry WHERE log = 1 AND seq = 3",
        size=size,
    )

    assert chain.places() == [(size, "ledger_entry")]


def test_a_sealed_log_without_the_checkpoint_that_covers_all_of_it_is_named(chain):
    chain.do("DELETE FROM ledger_checkpoint WHERE log = 1 AND size = :size", size=chain.size[1])

    assert chain.named() == [
        (chain.size[1], "ledger_checkpoint", "the log was sealed, and no checkpoint covers all of it")
    ]


@pytest.mark.parametrize(
    ("old", "new"), [(b'"size":', b'"size":1'), (b"2026h2", b"2025h2"), (b'"period"', b'"forked"'), (b"{", b"[")]
)
def test_what_a_log_says_of_the_one_before_cannot_be_changed(chain, old, new):
    plain = chain.opening(2)
    chain.do("UPDATE ledger_opening SET plain = :plain WHERE log = 2 AND seq = 0",
             plain=plain[:32] + plain[32:].replace(old, new))  # fmt: skip

    assert chain.places()[0] == (position(2, 0), "ledger_opening")
    assert {place for place, _ in chain.places()} == {position(2, 0)}


def test_what_a_log_says_of_itself_cannot_be_taken_away(chain):
    last = chain.size[1] - 1
    chain.do("DELETE FROM ledger_opening WHERE log = 1")

    assert chain.named() == [
        (last, "ledger_opening", "what the entry says of the log (log.sealed) is not there in clear")
    ]


def test_what_a_log_says_of_the_one_before_cannot_be_taken_away(chain):
    chain.do("DELETE FROM ledger_opening WHERE log = 2 AND seq = 0")

    assert chain.places() == [(position(2, 0), "ledger_opening"), (position(2, 0), "ledger_log")]


def test_what_no_entry_says_is_named(chain):
    chain.do(
        "INSERT INTO ledger_opening (log, seq, plain) VALUES (3, 2, :plain)",
        plain=bytes(32) + encode({"log": SECOND, "next": FIRST}),
    )

    assert chain.named() == [(position(3, 2), "ledger_opening", "it is not what its entry commits to")]


def test_the_newest_log_taken_away_leaves_one_that_was_sealed_and_goes_on(chain):
    chain.do("DELETE FROM ledger_head")
    chain.remove_log(3)
    size = chain.size[2]
    query = "SELECT body FROM ledger_entry WHERE log = 2 ORDER BY seq"
    leaves = [merkle.leaf_hash(bytes(body)) for (body,) in chain.world.rows(query)]
    frontier, _ = append_all(Frontier(), leaves)
    chain.do(
        "INSERT INTO ledger_head (log, size, frontier, last_at, catalogue_version) VALUES (2, :size, :edge, :at, 1)",
        size=size, edge=b"".join(frontier.hashes), at=1814313600000,
    )  # fmt: skip

    assert (position(2, size - 1), "ledger_entry", "the log was sealed here, and goes on") in chain.named()


def test_the_oldest_log_taken_away_is_missed(chain):
    chain.remove_log(1)
    chain.key = note.vkey(SECOND, note.verifier_of(chain.key).public_key)

    assert (position(2, 0), "ledger_log", "the log before it is not there") in chain.named()


def test_a_log_taken_out_of_the_middle_is_missed(chain):
    chain.remove_log(2)

    assert (position(3, 0), "ledger_log") in chain.places()


def test_logs_under_each_other_s_names_are_both_named(chain):
    for log, name in ((1, "other"), (2, FIRST), (1, SECOND)):
        chain.do("UPDATE ledger_log SET origin = :name WHERE id = :log", name=name, log=log)

    found = chain.places()
    assert {(0, "ledger_entry"), (position(2, 0), "ledger_entry")} <= set(found)


def test_an_entry_moved_from_one_log_to_another_is_named(chain):
    chain.do(
        "UPDATE ledger_entry SET body = (SELECT body FROM ledger_entry WHERE log = 1 AND seq = 3), "
        "leaf = (SELECT leaf FROM ledger_entry WHERE log = 1 AND seq = 3) WHERE log = 2 AND seq = 3"
    )

    assert chain.places() == [(position(2, 3), "ledger_entry")]


def test_a_cosignature_that_covers_something_else_is_named(chain):
    [(note,)] = chain.world.rows("SELECT MAX(note) FROM ledger_checkpoint WHERE log = 3")
    chain.do("INSERT INTO cosignature (log, size, note, at) VALUES (3, 2, :note, 1)", note=note)

    assert chain.places() == [(position(3, 2), "cosignature")]
