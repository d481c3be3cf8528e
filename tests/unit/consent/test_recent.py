"""Rows kept while a SQLite file is as it was: never one that a commit has overtaken."""

import gc
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

import pytest
import sqlalchemy as sa

from consent.base import recent
from consent.base.database import Hot, among
from consent.base.recent import Recent
from consent.base.store import Store

ASK = Hot(
    sa.select(sa.column("id"), sa.column("said"))
    .select_from(sa.table("t"))
    .where(sa.column("id") == sa.bindparam("id")),
    "id",
)
"""What stands under a key."""
ASK_EACH = Hot(
    lambda dialect: (
        sa.select(sa.column("id"), sa.column("said"))
        .select_from(sa.table("t"))
        .where(among(sa.column("id"), "ids")(dialect))
    ),
    "ids",
)
"""The same for several."""
COMMITS = 400


def written(file: Path, *, journal: str = "PERSIST") -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None, timeout=20)
    connection.execute(f"PRAGMA journal_mode={journal}")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("CREATE TABLE IF NOT EXISTS t (id TEXT PRIMARY KEY, said INTEGER) WITHOUT ROWID")
    connection.execute("INSERT OR REPLACE INTO t VALUES ('a', 0)")
    return connection


@pytest.fixture
def file(tmp_path):
    return tmp_path / "some.db"


@pytest.fixture
def writer(file):
    with closing(written(file)) as connection:
        yield connection


@pytest.fixture
def store(file, writer):
    assert writer  # the file is there
    store = Store(f"sqlite:///{file}")
    yield store
    store.close()


def asked(store: Store) -> tuple[int, list[str]]:
    """Ask on a live reader; return what it was told, and the statements that the database was asked."""
    ran: list[str] = []
    with store.live() as work:
        work.driver.set_trace_callback(ran.append)
        [_, said] = work.first(ASK, "a")
        work.driver.set_trace_callback(None)
    return said, ran


def test_nothing_is_asked_twice_until_something_is_committed(store, writer):
    first, again = asked(store), asked(store)
    writer.execute("INSERT INTO t VALUES ('b', 1)")
    assert [len(ran) for _, ran in (first, again, asked(store), asked(store))] == [1, 0, 1, 0]


def test_the_next_question_after_a_commit_is_answered_by_it(store, writer):
    assert asked(store)[0] == 0
    writer.execute("UPDATE t SET said = 5")
    assert asked(store)[0] == 5


def test_a_reader_who_is_the_first_of_all_keeps_what_he_reads(store):
    ran: list[str] = []
    with store.live() as work:
        assert work.first(ASK, "a") == ("a", 0)
        work.driver.set_trace_callback(ran.append)
        assert work.first(ASK, "a") == ("a", 0)
        work.driver.set_trace_callback(None)
    assert ran == []


def test_who_is_not_there_is_looked_for_each_time(store, writer):
    with store.live() as work:
        assert work.first(ASK, "nobody") is None
        writer.execute("INSERT INTO t VALUES ('nobody', 1)")
        assert work.first(ASK, "nobody") == ("nobody", 1)


def test_until_its_row_is_fetched_a_statement_keeps_writers_from_the_file(file, writer):
    """What `keep` relies on: the counter that it reads before the row is the row's."""
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        cursor = reader.execute("SELECT said FROM t WHERE id = 'a'")
        writer.execute("PRAGMA busy_timeout=0")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            writer.execute("BEGIN EXCLUSIVE")
        cursor.fetchone()
        writer.execute("BEGIN EXCLUSIVE")
        writer.execute("ROLLBACK")


def test_what_is_written_and_not_committed_is_not_told(store, writer):
    """A transaction larger than its cache writes into the file before it commits, and takes that back."""
    assert asked(store)[0] == 0
    writer.execute("PRAGMA cache_size=2")
    writer.execute("BEGIN IMMEDIATE")
    before = store.file.stat().st_size
    writer.execute("UPDATE t SET said = 9")
    writer.executemany("INSERT INTO t VALUES (?, 1)", [(f"{number:09}" * 20,) for number in range(2_000)])
    assert store.file.stat().st_size > before  # it is in the file
    assert asked(store) == (0, [])
    writer.execute("ROLLBACK")
    assert asked(store)[0] == 0
    writer.execute("UPDATE t SET said = 7")
    assert asked(store)[0] == 7


def test_with_a_write_ahead_log_every_question_is_asked(tmp_path):
    """A commit into the log leaves the file as it was."""
    file = tmp_path / "ahead.db"
    with closing(written(file, journal="WAL")) as writer, closing(sqlite3.connect(file)) as reader:
        kept = Recent.of(file)
        question = "SELECT said FROM t WHERE id = 'a'"
        assert kept is not None
        assert kept.keep("a", reader.execute(question)) == (0,)
        assert kept.known("a") is None
        writer.execute("UPDATE t SET said = 3")
        assert kept.keep("a", reader.execute(question)) == (3,)


def asked_of_each(store: Store, *ids: str) -> tuple[dict[str, int], int]:
    """Ask for several on a live reader; return what it was told, and how many statements the database was asked."""
    ran: list[str] = []
    with store.live() as work:
        work.driver.set_trace_callback(ran.append)
        rows = work.first_of_each(ASK, ASK_EACH, set(ids))
        work.driver.set_trace_callback(None)
    return {name: said for name, (_, said) in rows.items()}, len(ran)


def test_of_several_rows_none_is_asked_twice_until_something_is_committed(store, writer):
    writer.execute("INSERT INTO t VALUES ('b', 1)")
    assert asked_of_each(store, "a", "b") == ({"a": 0, "b": 1}, 1)
    assert asked_of_each(store, "b", "a") == ({"a": 0, "b": 1}, 0)
    assert asked_of_each(store, "a") == ({"a": 0}, 0)
    assert asked_of_each(store, "a", "nobody") == ({"a": 0}, 1)  # one of them isn't known: all are read at one moment
    writer.execute("UPDATE t SET said = 5 WHERE id = 'a'")
    assert asked_of_each(store, "a", "b") == ({"a": 5, "b": 1}, 1)
    assert asked_of_each(store, "nobody", "nowhere") == ({}, 1)
    assert asked_of_each(store, "a", "b") == ({"a": 5, "b": 1}, 0)


def test_no_more_rows_are_kept_than_have_room(file, writer, monkeypatch):
    monkeypatch.setattr(recent, "MOST", 3)
    kept = Recent.of(file)
    assert kept is not None
    for name in range(4):
        kept.keep(name, writer.execute("SELECT said FROM t WHERE id = 'a'"))
    assert [kept.known(name) for name in range(4)] == [None, None, None, (0,)]


def test_what_is_no_file_is_not_watched(tmp_path):
    assert Recent.of(tmp_path) is None
    assert Recent.of(tmp_path / "none.db") is None


def test_a_file_put_in_the_place_of_another_is_told_apart(tmp_path, file, store, writer):
    assert asked(store)[0] == 0
    with closing(written(tmp_path / "other.db")) as other:
        other.execute("UPDATE t SET said = 8")
    writer.close()
    (tmp_path / "other.db").replace(file)
    store.close()  # as whoever restores does: connections stay with the file that they opened
    assert asked(store)[0] == 8
    assert asked(store) == (8, [])


def locked_by_others(file: Path) -> bool:
    """Say whether another process finds the file locked for writing."""
    tries = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
    tried = subprocess.run([sys.executable, "-c", tries, str(file)], capture_output=True, text=True, check=False)
    assert not tried.returncode or "locked" in tried.stderr
    return bool(tried.returncode)


def test_whoever_lets_go_of_a_store_leaves_the_locks_of_others(file, store):
    """POSIX gives up all locks of a process on a file when it closes any descriptor of it."""
    other = Store(f"sqlite:///{file}")
    assert asked(store)[0] == asked(other)[0] == 0
    assert asked(store) == asked(other) == (0, [])
    with store.write():
        other.close()
        del other
        gc.collect()
        assert locked_by_others(file)
    assert not locked_by_others(file)


def opened() -> set[Path]:
    """Return the files that this process has open."""
    return {Path(os.path.realpath(each)) for each in Path("/proc/self/fd").iterdir()}


def test_a_file_that_nobody_uses_any_more_is_closed(file, writer):
    store = Store(f"sqlite:///{file}")
    asked(store)
    assert file in opened()
    store.close()
    writer.close()
    del store
    gc.collect()
    assert file not in opened()


def commits(file, pipe):
    """Be another process: commit one number after the other, and say so when it is durable."""
    with closing(sqlite3.connect(file, isolation_level=None, timeout=20)) as connection:
        for number in range(1, COMMITS + 1):
            connection.execute("UPDATE t SET said = ?", (number,))
            pipe.send(number)
    pipe.close()


def test_what_another_process_has_committed_is_never_behind(file, store):
    here, there = get_context("spawn").Pipe(duplex=False)
    process = get_context("spawn").Process(target=commits, args=(file, there))
    process.start()
    there.close()
    acknowledged = told = spared = 0
    while acknowledged < COMMITS:
        while here.poll():
            acknowledged = here.recv()
            if acknowledged == COMMITS:
                break
        said, ran = asked(store)
        assert said >= acknowledged, "a commit had been acknowledged, and what stood before was told"
        assert said >= told, "the database went back"
        told, spared = said, spared + (not ran)
    process.join()
    assert spared > 0  # not each was asked
