"""Holidays by rule, against dates that were published."""

from datetime import date, timedelta

import pytest

from personalise.hours.holidays import LAST, Fixed, Movable, Weekday, easter, falls_on
from personalise.hours.reading import shipped_pack


def dates(holiday, year):
    first = date(year, 1, 1)
    days = (first + timedelta(days=spot) for spot in range((date(year + 1, 1, 1) - first).days))
    return [day.isoformat()[5:] for day in days if falls_on(holiday, day)]


@pytest.mark.parametrize(
    "published",
    [
        "1818-03-22", "1943-04-25", "1954-04-18", "1981-04-19", "2000-04-23", "2008-03-23", "2011-04-24", "2016-03-27",
        "2019-04-21", "2024-03-31", "2025-04-20", "2026-04-05", "2027-03-28", "2038-04-25", "2049-04-18", "2285-03-22",
    ],
)  # fmt: skip
def test_easter_is_when_it_was_published(published):
    day = date.fromisoformat(published)

    assert easter(day.year) == day


@pytest.mark.parametrize(
    ("year", "movable"),
    [
        (2023, ["04-10", "05-18", "05-29"]),
        (2024, ["04-01", "05-09", "05-20"]),
        (2025, ["04-21", "05-29", "06-09"]),
        (2026, ["04-06", "05-14", "05-25"]),
        (2027, ["03-29", "05-06", "05-17"]),
    ],
)
def test_the_public_holidays_of_france_are_the_eleven_of_its_labour_code(year, movable):
    (calls,) = shipped_pack("fr-telephone").hours
    fixed = ["01-01", "05-01", "05-08", "07-14", "08-15", "11-01", "11-11", "12-25"]

    assert sorted(day for holiday in calls.holidays for day in dates(holiday, year)) == sorted(fixed + movable)


@pytest.mark.parametrize(
    ("holiday", "year", "day"),
    [
        (Weekday(name="Thanksgiving Day", month=11, weekday=3, nth=4), 2024, "11-28"),
        (Weekday(name="Thanksgiving Day", month=11, weekday=3, nth=4), 2029, "11-22"),
        (Weekday(name="Memorial Day", month=5, weekday=0, nth=LAST), 2024, "05-27"),
        (Weekday(name="Memorial Day", month=5, weekday=0, nth=LAST), 2027, "05-31"),
        (Weekday(name="Labor Day", month=9, weekday=0, nth=1), 2025, "09-01"),
        (Weekday(name="The last of the year", month=12, weekday=3, nth=LAST), 2026, "12-31"),
        (Movable(name="Good Friday", easter=-2), 2026, "04-03"),
        (Fixed(name="Boxing Day", month=12, day=26), 2026, "12-26"),
    ],
)
def test_a_holiday_is_on_one_day_of_a_year(holiday, year, day):
    assert dates(holiday, year) == [day]


def test_a_fifth_weekday_is_in_some_years_only():
    fifth = Weekday(name="The fifth Monday of March", month=3, weekday=0, nth=5)

    assert [dates(fifth, year) for year in (2026, 2027)] == [["03-30"], ["03-29"]]
    assert dates(fifth, 2025) == ["03-31"]
    assert dates(fifth, 2024) == []
