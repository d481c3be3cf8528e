"""Ids sort by the time they were made, and say what they name."""

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

import pytest

from consent.base.clock import to_ms
from consent.base.ids import is_id, new_id

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)


def test_an_id_is_a_prefix_and_a_uuid_of_version_7():
    prefix, _, digits = new_id("cus", AT).partition("_")
    uuid = UUID(digits)

    assert (prefix, uuid.version, uuid.variant, uuid.int >> 80) == ("cus", 7, RFC_4122, to_ms(AT))


def test_ids_sort_by_time():
    times = [AT + timedelta(milliseconds=step) for step in (0, 1, 999, 86_400_000, 10**12)]
    ids = [new_id("run", at) for at in times]

    assert sorted(ids) == ids


def test_ids_of_one_instant_differ():
    assert len({new_id("cus", AT) for _ in range(1_000)}) == 1_000


def test_the_same_entropy_gives_the_same_id():
    assert new_id("dec", AT, bytes(range(10))) == new_id("dec", AT, bytes(range(10)))


def test_all_entropy_bits_but_version_and_variant_are_used():
    least, most = (int(new_id("cus", AT, bytes([fill] * 10))[4:], 16) for fill in (0, 255))
    assert (least ^ most).bit_count() == 80 - 4 - 2


@pytest.mark.parametrize(
    ("text", "prefix", "answer"),
    [
        ("cus_01a1fb67180070008000000000000000", "cus", True),
        ("cus_01a1fb67180070008000000000000000", "run", False),
        ("cus_01A1FB67180070008000000000000000", "cus", False),
        ("cus_01a1fb6718007000800000000000000", "cus", False),
        ("cus_01a1fb67180070008000000000000000\n", "cus", False),
        ("cus-01a1fb67180070008000000000000000", "cus", False),
        ("cus_", "cus", False),
        ("", "cus", False),
    ],
)
def test_what_an_id_looks_like(text, prefix, answer):
    assert is_id(text, prefix) is answer
