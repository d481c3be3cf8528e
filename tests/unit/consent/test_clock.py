"""Time inside the product: aware, UTC, whole milliseconds."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from consent.base.clock import from_ms, parse_time, rfc3339, system_clock, to_ms, whole_milliseconds
from consent.base.errors import Invalid

NAIVE = datetime(2026, 11, 21, 10, 0)  # noqa: DTZ001 -- a time without a zone is what is refused here
AT = datetime(2026, 11, 21, 10, 0, 0, 123_000, tzinfo=UTC)


def test_the_machines_time_is_aware_and_of_whole_milliseconds():
    now = system_clock()

    assert (now.tzinfo, now.microsecond % 1000) == (UTC, 0)
    assert abs(datetime.now(UTC) - now) < timedelta(seconds=5)  # noqa: TID251 -- the clock is what is tested


def test_microseconds_are_cut_never_rounded_up():
    assert whole_milliseconds(AT.replace(microsecond=123_999)) == AT
    assert to_ms(AT.replace(microsecond=123_999)) == to_ms(AT)


def test_times_before_1970_are_cut_downwards_too():
    before = datetime(1969, 12, 31, 23, 59, 59, 999_500, tzinfo=UTC)
    assert (to_ms(before), to_ms(whole_milliseconds(before))) == (-1, -1)


def test_milliseconds_lead_back_to_the_same_instant():
    assert (from_ms(to_ms(AT)), to_ms(from_ms(1))) == (AT, 1)


@pytest.mark.parametrize("function", [to_ms, whole_milliseconds, rfc3339])
def test_a_time_without_a_zone_is_refused(function):
    with pytest.raises(Invalid, match="without a zone"):
        function(NAIVE)


def test_another_zone_is_the_same_instant():
    there = AT.astimezone(timezone(timedelta(hours=-7)))
    assert (to_ms(there), rfc3339(there)) == (to_ms(AT), "2026-11-21T10:00:00.123Z")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-11-21T10:00:00.123Z", "2026-11-21T10:00:00.123Z"),
        ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00.000Z"),
        ("2026-11-21t10:00:00z", "2026-11-21T10:00:00.000Z"),
        ("2026-11-21T11:30:00+01:30", "2026-11-21T10:00:00.000Z"),
        ("2026-11-21T10:00:00.1239Z", "2026-11-21T10:00:00.123Z"),
        ("2026-11-21T10:00:00.123456789Z", "2026-11-21T10:00:00.123Z"),
        ("2026-11-21T00:00:00-00:30", "2026-11-21T00:30:00.000Z"),
    ],
)
def test_a_time_with_a_zone_is_read(text, read):
    assert rfc3339(parse_time(text)) == read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-21",
        "2026-11-21T10:00:00",
        "2026-11-21 10:00:00Z",
        "2026-11-21T10:00Z",
        "2026-11-21T10:00:00,5Z",
        "2026-11-21T10:00:00.Z",
        "2026-11-21T10:00:00Z\n",
        "20261121T100000Z",
        "2026-W47-6T10:00:00Z",
        "\uff12026-11-21T10:00:00Z",
        "2026-11-21T10:00:00+0100",
        "1763719200",
    ],
)
def test_what_is_no_rfc_3339_time_is_refused(text):
    with pytest.raises(Invalid, match="is not a time; write it like"):
        parse_time(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30T10:00:00Z",
        "2026-13-01T10:00:00Z",
        "2026-11-21T24:00:01Z",
        "2026-11-21T10:00:61Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:59:59-10:00",
        "2026-11-21T10:00:00+24:00",
    ],
)
def test_a_time_that_is_not_on_the_calendar_is_refused(text):
    with pytest.raises(Invalid, match="is not on the calendar"):
        parse_time(text)


def test_a_refusal_quotes_no_more_than_the_beginning():
    with pytest.raises(Invalid) as refused:
        parse_time("x" * 10_000)
    assert len(str(refused.value)) < 200
