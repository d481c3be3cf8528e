"""Laws of quiet hours, against a slow and obvious model: each minute, on each clock, looked up in all that is quiet.

The days are those on which clocks do what programs forget: an hour or half an hour twice or never, a midnight twice or
never, a whole day never, and an offset of a quarter of an hour.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.base.clock import to_ms
from personalise.hours.holidays import Fixed, Movable, easter
from personalise.hours.judging import ALLOWED, NEVER, allowed_from, judged
from personalise.hours.model import Hours, HoursRule, Span, own_hours
from personalise.hours.whereabouts import Whereabouts, whereabouts
from personalise.hours.zones import zone

LAW = settings(max_examples=80)  # the model is slow on purpose
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

CHANGES = {
    "Europe/Paris": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-04-05", "2026-10-04"),
    "Asia/Kathmandu": ("2026-07-01",),
    "Pacific/Apia": ("2011-12-29", "2011-12-31"),
    "America/Sao_Paulo": ("2018-02-18", "2018-11-04"),
}
REGIONS = ("FR", "US", "US-TX", "NP")

minutes = st.one_of(st.sampled_from([0, 90, 120, 150, 180, 1_320, 1_380, 1_410]), st.integers(0, 1_439))
spans = st.builds(
    lambda weekday, start, length: Span(weekday=weekday, start=start, end=(start + length - 1) % 1_440 + 1),
    st.integers(0, 6),
    minutes,
    st.one_of(st.integers(1, 1_439), st.just(1_440 - 1)),
)
holidays = st.one_of(
    st.builds(Fixed, name=st.just("x"), month=st.sampled_from([3, 10, 11, 12]), day=st.integers(1, 31)),
    st.builds(Movable, name=st.just("x"), easter=st.integers(-10, 10)),
)


def rules(key):
    return st.builds(
        HoursRule,
        key=st.just(key),
        binding=st.just("company"),
        version=st.just(1),
        quiet=st.lists(spans, max_size=9).map(tuple),
        classes=st.sampled_from([("marketing",), ("marketing", "service")]),
        channels=st.sampled_from([(), ("phone",), ("sms", "phone")]),
        regions=st.sampled_from([(), ("FR",), ("US-TX",), ("NP", "US")]),
        holidays=st.lists(holidays, max_size=2).map(tuple),
    )


all_hours = st.builds(
    lambda first, second, fallback: Hours(rules=(first, second), fallback=fallback),
    rules("first"),
    rules("second"),
    st.lists(st.sampled_from(sorted(CHANGES)), min_size=1, max_size=2, unique=True).map(tuple),
)
places = st.builds(
    Whereabouts,
    zones=st.lists(st.sampled_from(sorted(CHANGES)), max_size=2, unique=True).map(tuple),
    regions=st.lists(st.sampled_from(REGIONS), max_size=2, unique=True).map(tuple),
    own=st.one_of(st.none(), st.lists(spans, min_size=1, max_size=3).map(lambda some: own_hours(tuple(some)))),
)
instants = st.builds(
    lambda day, after, odd: datetime.fromisoformat(day).replace(tzinfo=UTC) + after * MINUTE + odd,
    st.sampled_from(sorted(day for days in CHANGES.values() for day in days)),
    st.integers(-1_440, 2_880),
    st.sampled_from([timedelta(0), timedelta(seconds=59, milliseconds=999), timedelta(milliseconds=1)]),
)
messages = st.sampled_from([("phone", "marketing"), ("sms", "marketing"), ("phone", "service"), ("sms", "legal")])


# ------------------------------------------------------------------------------------------------------------ the model


def minutes_of(span, day):
    """List the minutes on the clock, as (date, minute of the day), that a span has if it starts on this day."""
    if day.weekday() != span.weekday:
        return []
    length = span.end - span.start if span.end > span.start else span.end + 1_440 - span.start
    start = datetime.combine(day, datetime.min.time()) + span.start * MINUTE
    return [start + spot * MINUTE for spot in range(length)]


def is_off(holiday, day):
    if isinstance(holiday, Fixed):
        return day.month == holiday.month and day.day == holiday.day
    return day == easter(day.year) + timedelta(days=holiday.easter)


def quiet_minutes(rule, first, last):
    """List all that is quiet on a clock from one day to another."""
    days = [first + spot * DAY for spot in range((last - first).days + 1)]
    found = {minute for day in days for span in rule.quiet for minute in minutes_of(span, day)}
    off = [day for day in days if any(is_off(holiday, day) for holiday in rule.holidays)]
    return found | {datetime.combine(day, datetime.min.time()) + spot * MINUTE for day in off for spot in range(1_440)}


def binding(hours, place, channel, kind):
    for rule in (*hours.rules, *([place.own] if place.own else [])):
        there = (
            not rule.regions
            or not place.regions
            or any(a.startswith(b) or b.startswith(a) for a in rule.regions for b in place.regions)
        )
        if kind in rule.classes and (not rule.channels or channel in rule.channels) and there:
            yield rule


class Model:
    """Whether somebody may be reached, for any instant of some days."""

    def __init__(self, hours, place, message, start, days):
        first = (start - 3 * DAY).date()
        last: date = (start + (days + 3) * DAY).date()
        self.zones = [zone(name) for name in place.zones or hours.fallback]
        self.quiet = [(rule.key, quiet_minutes(rule, first, last)) for rule in binding(hours, place, *message)]

    def names(self, at):
        """Name the rules that are quiet."""
        clocks = {at.astimezone(where).replace(tzinfo=None, fold=0, second=0, microsecond=0) for where in self.zones}
        return [key for key, quiet in self.quiet if clocks & quiet]


def asked(hours, place, message, at):
    channel, kind = message
    (index,), (free,) = judged(hours, channel=channel, kind=kind, places=[place], at=at)
    return "" if index == ALLOWED else hours.names[index], int(free)


# ------------------------------------------------------------------------------------------------------------- the laws


@pytest.mark.parametrize(("start", "end"), [(135, 165), (1_410, 30), (105, 90)])
@pytest.mark.parametrize(("name", "day"), [(name, day) for name, days in CHANGES.items() for day in days])
def test_every_minute_around_a_change_of_clocks_is_judged_right(name, day, start, end):
    quiet = tuple(Span(weekday=weekday, start=start, end=end) for weekday in range(7))
    hours = Hours(rules=(HoursRule(key="quiet", binding="law", version=1, quiet=quiet),), fallback=(name,))
    place, first = Whereabouts(zones=(name,)), datetime.fromisoformat(day).replace(tzinfo=UTC) - DAY / 2
    ticks = [first + spot * MINUTE for spot in range(3 * 1_440)]  # two days, and one to end in
    model = Model(hours, place, ("phone", "marketing"), first, 3)
    frees: list[datetime | None] = [None]
    for tick in reversed(ticks):
        frees.append(frees[-1] if model.names(tick) else tick)

    for tick, free in list(zip(ticks, reversed(frees), strict=False))[: 2 * 1_440]:
        assert asked(hours, place, ("phone", "marketing"), tick) == (
            ("", 0) if free == tick else ("quiet", free and to_ms(free))
        )


@LAW
@given(all_hours, places, messages, instants)
def test_it_is_quiet_when_the_clock_says_so(hours, place, message, at):
    model = Model(hours, place, message, at, 1)

    for spot in range(0, 1_440, 7):
        now = at + spot * MINUTE
        assert asked(hours, place, message, now)[0] == next(iter(model.names(now)), "")


@LAW
@given(all_hours, places, messages, instants)
def test_what_is_allowed_first_is_allowed_and_nothing_before_it_is(hours, place, message, at):
    channel, kind = message
    days = 3
    model = Model(hours, place, message, at, days)
    whole = at.replace(second=0, microsecond=0)
    ticks = (whole + spot * MINUTE if spot else at for spot in range(days * 1_440))
    expected = next((tick for tick in ticks if not model.names(tick)), None)

    first = allowed_from(hours, channel=channel, kind=kind, place=place, at=at)

    if expected is None:
        assert first is None or first >= whole + days * DAY
    else:
        assert first == expected


@LAW
@given(all_hours, places, messages, instants)
def test_the_answer_is_the_boundary_itself(hours, place, message, at):
    channel, kind = message
    first = allowed_from(hours, channel=channel, kind=kind, place=place, at=at)
    name, free = asked(hours, place, message, at)

    assert free == (0 if name == "" else NEVER if first is None else to_ms(first))
    assert (first == at) is (name == "")
    if first is not None and first > at:
        assert asked(hours, place, message, first) == ("", 0)
        assert asked(hours, place, message, first - timedelta(milliseconds=1))[0] != ""


@LAW
@given(all_hours, places, messages, instants, st.sampled_from(sorted(CHANGES)), rules("third"))
def test_one_more_zone_or_rule_never_allows_more(hours, place, message, at, another, more):
    channel, kind = message
    first = allowed_from(hours, channel=channel, kind=kind, place=place, at=at)
    wider = replace(place, zones=(*(place.zones or hours.fallback), another))
    stricter = replace(hours, rules=(*hours.rules, more))

    for now, where in ((hours, wider), (stricter, place), (stricter, wider)):
        later = allowed_from(now, channel=channel, kind=kind, place=where, at=at)
        assert later is None or (first is not None and later >= first)


countries = st.sampled_from(["", "FR", "US", "US-TX", "NP", "Atlantis"])
numbers = st.sampled_from(["", "+33612345678", "+12125550100", "+77011234567", "0612345678"])
words = st.sampled_from(["", "Europe/Paris", "America/Sao_Paulo", "CEST"])


@LAW
@given(words, countries, numbers, countries, countries)
def test_one_more_candidate_adds_to_what_is_known(word, address, number, country, another):
    less = whereabouts(zone=word, address=address, telephone=number)
    more = whereabouts(zone=word, address=address, telephone=number, country=country)
    other = whereabouts(zone=word, address=address, telephone=number, country=another)

    assert set(less.zones) <= set(more.zones)
    assert set(less.regions) <= set(more.regions)
    assert (more == other) is ((set(more.zones), set(more.regions)) == (set(other.zones), set(other.regions)))


@LAW
@given(all_hours, st.lists(places, max_size=6), messages, instants, st.randoms(use_true_random=False))
def test_many_are_judged_as_each_alone(hours, some, message, at, order):
    channel, kind = message
    many = [order.choice(some) for _ in range(4 * len(some))]

    indexes, frees = judged(hours, channel=channel, kind=kind, places=many, at=at)

    names = ["" if index == ALLOWED else hours.names[index] for index in indexes]
    assert list(zip(names, frees.tolist(), strict=True)) == [asked(hours, place, message, at) for place in many]
