"""The list of erasures: appended and synced, held by MACs line to line, and read for what must outlast a backup."""

import os
import stat
from datetime import UTC, datetime
from multiprocessing import get_context

import pytest

from consent.base.errors import DatabaseDown, LedgerBroken
from consent.rights.erasure_list import ErasureList, Event, Line

AT = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
KEY = bytes(range(32))
ANN, BO = "cus_" + "a" * 32, "cus_" + "b" * 32
ADDRESS = "email:" + "A" * 43


@pytest.fixture
def listed(tmp_path):
    return ErasureList(tmp_path / "erasures.log", KEY)


def note(listed, *lines):
    for event, subject, position in lines:
        listed.note([(event, subject, position)], at=AT)


def test_a_list_that_is_not_there_is_empty(listed):
    outlasting = listed.outlasting()
    assert (list(listed.lines()), listed.newest(), listed.under_way()) == ([], [], [])
    assert (outlasting.erased, outlasting.suppressed) == (frozenset(), frozenset())


def test_a_line_says_what_of_whom_where_and_when_and_names_nobody(listed):
    subject = listed.subject_of(ANN)
    note(listed, (Event.ERASING, subject, 7), (Event.ERASED, subject, 7))
    text = listed.path.read_text(encoding="ascii")

    assert list(listed.lines()) == [
        Line(event=Event.ERASING, subject=subject, position=7, at="2026-11-21T10:00:00.000Z"),
        Line(event=Event.ERASED, subject=subject, position=7, at="2026-11-21T10:00:00.000Z"),
    ]
    assert (ANN in text, text.count("\n")) == (False, 2)
    assert stat.S_IMODE(listed.path.stat().st_mode) == 0o600


def test_two_deployments_name_a_customer_differently(listed, tmp_path):
    other = ErasureList(tmp_path / "other.log", bytes(32))
    assert len({listed.subject_of(ANN), other.subject_of(ANN), listed.subject_of(BO)}) == 3


def test_what_outlasts_are_erasures_that_were_not_taken_back_and_suppressions_that_were_not_lifted(listed):
    ann, bo = listed.subject_of(ANN), listed.subject_of(BO)
    other = "phone:" + "B" * 42 + "A"
    note(
        listed,
        (Event.ERASING, ann, 3), (Event.KEPT, ann, 3), (Event.ERASING, ann, 5), (Event.ERASED, ann, 5),
        (Event.ERASING, bo, 6), (Event.KEPT, bo, 6),
        (Event.SUPPRESSED, ADDRESS, 8), (Event.SUPPRESSED, other, 9), (Event.LIFTED, ADDRESS, 10),
    )  # fmt: skip
    outlasting = listed.outlasting()
    assert (outlasting.erased, outlasting.suppressed) == ({ann}, {other})


def test_an_erasure_that_was_done_is_never_taken_back(listed):
    ann = listed.subject_of(ANN)
    note(listed, (Event.ERASING, ann, 3), (Event.ERASED, ann, 3), (Event.KEPT, ann, 3))
    assert listed.outlasting().erased == {ann}


def test_an_erasure_that_was_under_way_counts_until_it_is_known_what_became_of_it(listed):
    ann, bo = listed.subject_of(ANN), listed.subject_of(BO)
    note(listed, (Event.ERASING, bo, 2), (Event.ERASED, bo, 2), (Event.ERASING, ann, 3))
    assert (listed.outlasting().erased, [line.subject for line in listed.under_way()]) == ({ann, bo}, [ann])


def test_what_a_crash_left_half_written_is_no_line_and_the_next_one_follows_the_last_whole_one(listed):
    ann, bo = listed.subject_of(ANN), listed.subject_of(BO)
    note(listed, (Event.ERASED, ann, 3))
    whole = listed.path.read_bytes()
    with listed.path.open("ab") as file:
        file.write(b"erased 2026-11-21T10:00:00.000Z 4 :AAAA")
    torn = [line.position for line in listed.lines()]
    note(listed, (Event.ERASED, bo, 5))

    assert (torn, [line.position for line in listed.lines()]) == ([3], [3, 5])
    assert listed.path.read_bytes().startswith(whole + b"erased ")


def damaged(listed, change):
    note(listed, *((Event.ERASED, listed.subject_of(f"{number}"), number) for number in range(4)))
    lines = listed.path.read_bytes().splitlines(keepends=True)
    listed.path.write_bytes(b"".join(change(lines)))


DAMAGE = {
    "a byte": (lambda lines: [lines[0], lines[1].replace(b" 1 :", b" 2 :"), *lines[2:]], 2),
    "one taken out": (lambda lines: [lines[0], *lines[2:]], 2),
    "two exchanged": (lambda lines: [lines[1], lines[0], *lines[2:]], 1),
    "the first taken out": (lambda lines: lines[1:], 1),
    "one put in": (lambda lines: [*lines, lines[-1]], 5),
    "no line at all": (lambda lines: [*lines, b"hello\n"], 5),
    "an unknown event": (lambda lines: [*lines[:3], lines[3].replace(b"erased", b"erazed")], 4),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_list_that_was_changed_says_where(listed, damage):
    change, line = DAMAGE[damage]
    damaged(listed, change)
    with pytest.raises(LedgerBroken) as refused:
        listed.outlasting()
    assert refused.value.detail == f"line {line} of the list of erasures {listed.path} was changed"


def test_nothing_is_written_behind_a_line_that_is_not_ours(listed):
    damaged(listed, lambda lines: [*lines, b"hello\n"])
    before = listed.path.read_bytes()
    with pytest.raises(LedgerBroken):
        note(listed, (Event.ERASED, listed.subject_of(ANN), 9))
    assert listed.path.read_bytes() == before


def test_another_key_reads_no_list(listed, tmp_path):
    note(listed, (Event.ERASED, listed.subject_of(ANN), 3))
    with pytest.raises(LedgerBroken):
        list(ErasureList(listed.path, bytes(32)).lines())
    assert tmp_path == listed.path.parent


def test_the_end_of_a_long_list_is_read_without_the_rest_and_held_by_its_macs_too(listed):
    note(listed, *((Event.SUPPRESSED, ADDRESS, number) for number in range(600)))
    newest = listed.newest()
    raw = listed.path.read_bytes()
    listed.path.write_bytes(raw.replace(b" 590 ", b" 591 "))

    assert [line.position for line in newest] == list(range(600 - len(newest), 600))
    assert 100 < len(newest) < 600
    with pytest.raises(LedgerBroken):
        listed.newest()


def test_a_folder_that_can_not_be_written_lets_nobody_be_erased(tmp_path):
    listed = ErasureList(tmp_path / "away" / "erasures.log", KEY)
    with pytest.raises(DatabaseDown, match="can't be written: No such file or directory"):
        note(listed, (Event.ERASING, listed.subject_of(ANN), 3))


def append(path, start):
    listed = ErasureList(path, KEY)
    for number in range(start, start + 40):
        listed.note([(Event.SUPPRESSED, ADDRESS, number)], at=AT)


def test_several_processes_append_one_after_the_other(listed):
    context = get_context("forkserver")
    processes = [context.Process(target=append, args=(listed.path, start)) for start in (0, 1_000, 2_000)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    found = [line.position for line in listed.lines()]
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert sorted(found) == [start + number for start in (0, 1_000, 2_000) for number in range(40)]


def test_each_line_is_synced_before_it_counts(listed, monkeypatch):
    synced = []
    real = os.fsync

    def sync(handle):
        synced.append(handle)
        real(handle)

    monkeypatch.setattr(os, "fsync", sync)
    note(listed, (Event.ERASING, listed.subject_of(ANN), 3), (Event.ERASED, listed.subject_of(ANN), 3))
    assert len(synced) == 3  # the folder once, for its new file, and each line
