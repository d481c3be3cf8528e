"""The queue of a SQLite file's writers: who comes first writes first, and nobody waits for the dead."""

import fcntl
import multiprocessing
import os
import signal
import stat
import threading
import time
from pathlib import Path

import pytest

from consent.base.turns import Turns

PATIENT, IMPATIENT = 60.0, 0.05


@pytest.fixture
def file(tmp_path):
    return tmp_path / "byleave.db"


def keep(path, taken):
    """Take a turn in another process, and keep it until killed."""
    with Turns(Path(path), patience=PATIENT).taken():
        taken.set()
        time.sleep(PATIENT)


@pytest.fixture
def kept(file):
    """Return another process that has its turn."""
    context = multiprocessing.get_context("spawn")
    taken = context.Event()
    process = context.Process(target=keep, args=(str(file), taken))
    process.start()
    assert taken.wait(PATIENT)
    yield process
    process.kill()
    process.join()


def test_whoever_has_just_written_comes_after_who_waits(file):
    """Two stores of one file, as two processes have them: they take turns, though one of them never stops asking."""
    order: list[str] = []
    first, second = Turns(file, patience=PATIENT), Turns(file, patience=PATIENT)
    waiting = threading.Event()

    def asks_once():
        waiting.set()
        with second.taken():
            order.append("waited")

    other = threading.Thread(target=asks_once)
    with first.taken():
        other.start()
        waiting.wait()
        while not _in_line(file):
            time.sleep(0.001)
    for _ in range(3):
        with first.taken():
            order.append("again")
    other.join()

    assert order == ["waited", "again", "again", "again"]


def _in_line(file):
    """Say whether somebody waits: he holds the first lock."""
    with file.with_name("byleave.db-next").open("rb+") as queue:
        try:
            fcntl.flock(queue, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_threads_of_one_store_write_one_after_the_other(file):
    turns, inside, most = Turns(file, patience=PATIENT), [], []

    def write():
        with turns.taken():
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.001)
            inside.pop()

    threads = [threading.Thread(target=write) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert most == [1] * 8


def test_the_turn_of_whoever_dies_is_over(file, kept):
    os.kill(kept.pid, signal.SIGKILL)

    with Turns(file, patience=PATIENT).taken():
        pass


def test_who_has_waited_for_long_enough_goes_on_without(file, kept):
    began = time.monotonic()
    with Turns(file, patience=IMPATIENT).taken():
        assert time.monotonic() - began >= IMPATIENT
        assert kept.is_alive()


def test_where_there_is_no_room_for_a_queue_there_is_none(file):
    with Turns(file.parent / "gone" / file.name, patience=PATIENT).taken():
        pass
    assert not file.parent.joinpath("gone").exists()


def test_the_files_of_the_queue_are_its_owners_alone_and_empty(file):
    with Turns(file, patience=PATIENT).taken():
        made = sorted(file.parent.iterdir())

    assert [each.name for each in made] == ["byleave.db-next", "byleave.db-turn"]
    assert [(stat.S_IMODE(each.stat().st_mode), each.stat().st_size) for each in made] == [(0o600, 0)] * 2


def test_what_fails_in_the_block_gives_the_turn_back(file):
    with pytest.raises(OSError, match="of the block"), Turns(file, patience=PATIENT).taken():
        raise OSError("of the block")
    with Turns(file, patience=IMPATIENT).taken():
        pass


def test_of_many_threads_each_writes_in_the_order_in_which_it_came(file):
    """Python's own lock goes to who has just given it back: one who never stops would keep all others out."""
    turns, order, threads = Turns(file, patience=PATIENT), [], []

    def asks(number):
        with turns.taken():
            order.append(number)

    with turns.taken():
        for number in range(12):
            threads.append(threading.Thread(target=asks, args=(number,)))
            threads[-1].start()
            while len(turns._own._waiting) < len(threads):
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == list(range(12))


def test_who_never_stops_writing_lets_others_in(file):
    turns, over, count = Turns(file, patience=PATIENT), threading.Event(), [0]

    def never_stops():
        while not over.is_set():
            with turns.taken():
                count[0] += 1

    busy = threading.Thread(target=never_stops)
    busy.start()
    for _ in range(50):
        with turns.taken():
            pass
    over.set()
    busy.join()
    assert count[0] > 0


def test_who_is_interrupted_while_he_waits_keeps_nobody_from_his_turn(file):
    turns, taken = Turns(file, patience=PATIENT), threading.Event()

    def interrupted(_number, _frame):
        raise KeyboardInterrupt

    def keeps_it():
        with turns.taken():
            taken.set()
            while not turns._own._waiting:
                time.sleep(0.001)
            os.kill(os.getpid(), signal.SIGUSR1)
            while turns._own._waiting:
                time.sleep(0.001)

    before = signal.signal(signal.SIGUSR1, interrupted)
    other = threading.Thread(target=keeps_it)
    try:
        other.start()
        taken.wait()
        with pytest.raises(KeyboardInterrupt), turns.taken():
            pytest.fail("it was somebody else's turn")
    finally:
        signal.signal(signal.SIGUSR1, before)
        other.join()
    with turns.taken():
        assert not turns._own._waiting
