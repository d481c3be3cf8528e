"""The decision log: read back as it was written, and whatever is changed in it changes the root."""

import hashlib
import hmac
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from consent.base.canonical import b64u
from consent.base.errors import DecisionUnknown, LedgerBroken
from consent.register import publishing
from personalise import engine
from personalise.runs import log, run
from tests.campaigns import chunks, fill, open_run, publish, willing
from tests.reference import root


@pytest.fixture
def world(sqlite_world):
    publish(sqlite_world)
    return sqlite_world


@pytest.fixture
def chunk(world):
    """Return the chunk of a run over seven customers."""
    willing(world, 2)
    fill(world, 3)
    run.advance(world.deployment, open_run(world.deployment, "spring", actor="mia"))
    [found] = chunks(world)
    return found


def salt(chunk):
    return bytes.fromhex(chunk.about["salt"])


def about(chunk, **changes):
    """Return the chunk's table with something else in what it is about."""
    table = json.dumps({**chunk.about, **changes})
    return chunk.table.replace_schema_metadata({b"byleave": table.encode()})


# -------------------------------------------------------------------------------------------------------- what is in it


def test_a_chunk_says_what_it_is_about(chunk):
    said = {
        "campaign": "spring", "version": 1, "catalogue": 1, "read_under": 1, "purpose": "recommendations",
        "scorer": "rule", "model": 0,
    }  # fmt: skip
    assert {name: chunk.about[name] for name in said} == said
    assert chunk.about["candidates"] == ["mail", "text", "letter"]
    assert chunk.about["needs"][0] == ["contact:email:recommendations", "use:purchases:recommendations"]
    assert chunk.table.column_names[0] == "customer"
    assert chunk.table.num_rows == len(chunk.customers) == 7
    assert chunk.customers == sorted(chunk.customers)


def test_the_ledger_commits_to_a_chunk_and_its_root(world, chunk):
    with world.store.read() as work:
        committed = publishing.noted(world.deployment.desk, work, chunk.log, chunk.seq)

    assert committed == {
        "at": "2026-11-21T10:00:00.000Z", "campaign": "spring", "chunk": chunk.id, "count": 7, "number": 0,
        "policy": b64u(bytes.fromhex(chunk.about["policy"])), "position": chunk.position, "root": b64u(chunk.root),
        "run": chunk.run,
    }  # fmt: skip
    assert committed == log.commitment(chunk, log.root_of(chunk.table, salt(chunk)))
    world.check_ledger()


def test_a_live_decision_is_a_chunk_of_one(world):
    made = engine.decide_one(world.deployment, world.ann, campaign="spring", actor="mia")
    [found] = chunks(world)

    assert (found.run, found.number, f"{found.id}.0", found.customers) == ("", 0, made.id, [world.ann])
    assert found.root == log.root_of(found.table, salt(found))


def test_each_chunk_has_a_salt_of_its_own(world):
    for _ in range(2):
        engine.decide_one(world.deployment, world.ann, campaign="spring", actor="mia")
    first, second = chunks(world)

    assert len({salt(first), salt(second)}) == 2
    assert first.root != second.root


def test_a_chunk_that_does_not_exist_is_unknown(world):
    with world.store.read() as work, pytest.raises(DecisionUnknown):
        log.read(work, "dec_1")


# ------------------------------------------------------------------------------------------------------------- the root


def root_by_hand(chunk, drawn):
    """Return the published tree's root over a chunk's decisions, the number-th salted with what `drawn` gives."""
    names = [name for name in chunk.table.column_names if name not in ("customer", "mask", "replay")]
    columns = [[field.name, str(field.type)] for field in chunk.table.schema]
    head = hashlib.sha256(json.dumps(dict(chunk.about)).encode() + b"\0" + json.dumps(columns).encode()).digest()
    leaves = []
    for number, row in enumerate(chunk.table.to_pylist()):
        cells = b"".join(np.asarray(chunk.table[name])[number].tobytes() for name in names)
        sized = [row["customer"].encode(), row["mask"], row["replay"]]
        plain = b"".join(len(each).to_bytes(2, "big") + each for each in sized) + cells
        leaves.append(hashlib.sha256(b"\0" + drawn(number) + head + plain).digest())
    return root(leaves)


def test_the_root_is_the_published_tree_over_salted_leaves(chunk):
    all_of_them = hashlib.shake_256(salt(chunk)).digest(16 * chunk.table.num_rows)

    assert chunk.about["salts"] == "shake256"
    assert chunk.root == root_by_hand(chunk, lambda number: all_of_them[16 * number : 16 * number + 16])


def test_a_chunk_from_before_shake256_has_the_root_that_it_had_then(chunk):
    was = {name: value for name, value in chunk.about.items() if name != "salts"}
    table = chunk.table.replace_schema_metadata({b"byleave": json.dumps(was).encode()})
    older = replace(chunk, table=table, about=was)

    def drawn(number):
        return hmac.new(salt(chunk), number.to_bytes(8, "big"), hashlib.sha256).digest()[:16]

    assert log.root_of(older.table, salt(chunk)) == root_by_hand(older, drawn)


def changed(column):
    """Return a column with its last cell changed to something else of its type."""
    cells = column.to_pylist()
    cells[-1] = {str: "cus_0", bytes: b"\1", bool: not cells[-1]}.get(type(cells[-1]), 1)
    if cells[-1] == column.to_pylist()[-1]:
        cells[-1] = 2
    return pa.chunked_array([pa.array(cells, type=column.type)])


def test_a_change_of_any_cell_changes_the_root(chunk):
    same = []
    for spot, name in enumerate(chunk.table.column_names):
        other = chunk.table.set_column(spot, chunk.table.schema.field(name), changed(chunk.table[name]))
        if log.root_of(other, salt(chunk)) == chunk.root:
            same.append(name)

    assert same == []


def test_a_change_of_what_the_chunk_is_about_changes_the_root(chunk):
    assert log.root_of(about(chunk), salt(chunk)) == chunk.root
    for name, value in chunk.about.items():
        other = [*value[::-1], "x"] if isinstance(value, list) else 7 if isinstance(value, int) else f"{value}x"
        assert log.root_of(about(chunk, **{name: other}), salt(chunk)) != chunk.root


def test_renaming_or_exchanging_columns_changes_the_root(chunk):
    names = chunk.table.column_names
    first, second = names.index("worth:mail"), names.index("worth:text")
    names[first], names[second] = names[second], names[first]

    metadata = chunk.table.schema.metadata
    for other in (chunk.table.rename_columns(names), chunk.table.select(names)):
        assert log.root_of(other.replace_schema_metadata(metadata), salt(chunk)) != chunk.root


def test_exchanging_dropping_or_adding_decisions_changes_the_root(chunk):
    rows = list(range(chunk.table.num_rows))
    for other in ([1, 0, *rows[2:]], rows[:-1], [*rows, 0]):
        assert log.root_of(chunk.table.take(other), salt(chunk)) != chunk.root


def test_without_the_salt_nobody_can_tell_a_decision_from_its_leaf(chunk):
    assert log.root_of(chunk.table, bytes(32)) != chunk.root


# -------------------------------------------------------------------------------------------------------------- damaged


@pytest.mark.parametrize("spot", [0, 40, -200, -9])
def test_a_chunk_that_is_damaged_is_said_to_be_unreadable_or_has_another_root(world, chunk, spot):
    [(stored,)] = world.rows("SELECT columns FROM decision_chunk")
    broken = bytearray(stored)
    broken[spot] ^= 0x55
    for (name,) in world.rows("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
        world.tamper(f"DROP TRIGGER {name}")
    world.tamper("UPDATE decision_chunk SET columns = :columns", columns=bytes(broken))

    try:
        [found] = chunks(world)
        damaged = log.root_of(found.table, salt(chunk)) != chunk.root
        unread = found.table.equals(chunk.table, check_metadata=True)  # a byte that only fills up
    except LedgerBroken as refused:
        damaged, unread = refused.detail == f"the decisions of chunk {chunk.id} can't be read", False
    assert damaged != unread
