"""Five fields, a time zone, and the two days a year on which clocks are moved."""

from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given
from hypothesis import strategies as st

from consent.audit.cron import CronInvalid, last_before, next_after, read, slots

SPRING = datetime(2026, 3, 28, 20, 0, tzinfo=UTC)
"""The evening before Berlin's clocks go from 02:00 to 03:00, at 01:00 UTC."""
AUTUMN = datetime(2026, 10, 24, 20, 0, tzinfo=UTC)
"""The evening before they go from 03:00 back to 02:00, at 01:00 UTC."""


def night(text, evening, zone="Europe/Berlin"):
    """Return the slots of a night as hours and minutes in UTC."""
    found = slots(read(text, zone), evening, evening + timedelta(hours=7))
    return [f"{each:%H:%M}" for each in found]


def test_a_nightly_slot_that_falls_into_the_gap_comes_when_the_clocks_have_jumped():
    assert night("30 2 * * *", SPRING) == ["01:00"]
    assert night("0,15 2 * * *", SPRING) == ["01:00"]
    assert night("*/15 2 * * *", SPRING) == []  # every quarter of an hour that there is


def test_a_nightly_slot_that_comes_twice_is_taken_the_first_time():
    assert night("30 2 * * *", AUTUMN) == ["00:30"]
    assert night("0,15 2 * * *", AUTUMN) == ["00:00", "00:15"]
    assert night("*/30 2 * * *", AUTUMN) == ["00:00", "00:30", "01:00", "01:30"]  # every half an hour that there is


def test_an_hourly_schedule_goes_by_real_hours():
    hours = ["20:30", "21:30", "22:30", "23:30", "00:30", "01:30", "02:30"]
    assert night("30 * * * *", SPRING) == hours
    assert night("30 * * * *", AUTUMN) == hours


def test_outside_of_these_two_nights_the_offset_of_the_season_counts():
    assert next_after(read("0 9 * * *", "Europe/Berlin"), datetime(2026, 7, 1, tzinfo=UTC)).hour == 7
    assert next_after(read("0 9 * * *", "Europe/Berlin"), datetime(2026, 12, 1, tzinfo=UTC)).hour == 8


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("15 2 * * *", "2026-11-22 02:15"),
        ("*/20 * * * *", "2026-11-21 10:20"),
        ("0 0 1 * *", "2026-12-01 00:00"),
        ("0 0 29 2 *", "2028-02-29 00:00"),
        ("0 12 * * mon", "2026-11-23 12:00"),
        ("0 12 * * 1-5", "2026-11-23 12:00"),
        ("0 12 * * 0", "2026-11-22 12:00"),
        ("0 12 * * 7", "2026-11-22 12:00"),
        ("0 12 * jan *", "2027-01-01 12:00"),
        ("0 12 24,26 * *", "2026-11-24 12:00"),
        ("0 12 30 * sun", "2026-11-22 12:00"),  # either day will do
        ("5-6/1 10 * * *", "2026-11-21 10:05"),
    ],
)
def test_the_next_slot(text, first):
    at = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
    assert f"{next_after(read(text), at):%Y-%m-%d %H:%M}" == first


def test_the_last_slot_before_a_time_and_none_where_there_was_none():
    at = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
    found = [
        last_before(read("0 10 * * *"), when, since=at - timedelta(days=3)) for when in (at, at - timedelta(minutes=1))
    ]
    assert found == [at, at - timedelta(days=1)]
    assert last_before(read("0 0 29 2 *"), at, since=datetime(2024, 3, 1, tzinfo=UTC)) is None
    assert last_before(read("0 0 29 2 *"), at, since=datetime(2024, 1, 1, tzinfo=UTC)) == datetime(
        2024, 2, 29, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("text", "zone", "places"),
    [
        ("* * * *", "UTC", ["cron"]),
        ("60 * * * *", "UTC", ["cron, minute"]),
        ("* 24 0 13 8", "UTC", ["cron, hour", "cron, day of the month", "cron, month", "cron, day of the week"]),
        ("*/0 * * * *", "UTC", ["cron, minute"]),
        ("9-5 * * * *", "UTC", ["cron, minute"]),
        ("1,,2 * * * *", "UTC", ["cron, minute"]),
        ("@daily", "UTC", ["cron"]),
        ("0 0 31 2,4 *", "UTC", ["cron"]),
        ("\u0661 * * * *", "UTC", ["cron, minute"]),
        ("0 0 * * *", "Europe/Berlyn", ["zone"]),
        ("0 0 * * *", "../../etc/passwd", ["zone"]),
        ("0 0 * * *", "", ["zone"]),
    ],
)
def test_what_is_wrong_is_named_by_its_field(text, zone, places):
    with pytest.raises(CronInvalid) as refused:
        read(text, zone)
    assert [place.where for place in refused.value.places] == places


def _field(low, high):
    spread = st.tuples(st.integers(low, high), st.integers(low, high)).map(sorted)
    return st.one_of(
        st.just("*"),
        st.integers(low, high).map(str),
        spread.map(lambda ends: f"{ends[0]}-{ends[1]}"),
        st.integers(2, 7).map(lambda step: f"*/{step}"),
    )


@given(
    minute=_field(0, 59), hour=_field(0, 23), month=_field(1, 12),
    day=st.one_of(st.just("*"), st.integers(1, 28).map(str)),
    at=st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 -- hypothesis wants them without a zone
)  # fmt: skip
def test_the_scheduler_library_names_the_same_slot(minute, hour, day, month, at):
    text = f"{minute} {hour} {day} {month} *"
    theirs = CronTrigger.from_crontab(text, timezone=UTC).get_next_fire_time(None, at + timedelta(microseconds=1))
    assert next_after(read(text), at) == theirs
