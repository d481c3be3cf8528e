"""Quiet or not, which rule says so, and from when on it is over."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from consent.base.clock import to_ms
from consent.base.errors import Invalid
from personalise.hours import zones
from personalise.hours.holidays import Fixed
from personalise.hours.judging import HORIZON, NEVER, allowed_from, judged
from personalise.hours.model import Hours, Kind, Span, own_hours
from personalise.hours.own import own_rule
from personalise.hours.whereabouts import Whereabouts, whereabouts
from tests.hours import PARIS, hours, rule, spans, utc

MINUTE = timedelta(minutes=1)
MS = timedelta(milliseconds=1)
ANYWHERE = Whereabouts()


def verdict(ours, at, place=PARIS, channel="sms", kind="marketing"):
    """Return the name of the rule that is quiet ("" for none), and when it is over."""
    indexes, frees = judged(ours, channel=channel, kind=kind, places=[place], at=utc(at))
    (index,), (free,) = indexes.tolist(), frees.tolist()
    until = allowed_from(ours, channel=channel, kind=kind, place=place, at=utc(at))
    assert free == (0 if index == -1 else NEVER if until is None else to_ms(until))
    return "" if index == -1 else ours.names[index], until and until.isoformat()[:16]


def is_quiet(ours, at, place=PARIS):
    return verdict(ours, at, place)[0] != ""


# ------------------------------------------------------------------------------------------------------ the boundaries


def test_a_span_has_its_start_and_not_its_end():
    night = hours(rule(21, 8))  # Paris is at UTC+1 in January

    assert [is_quiet(night, at) for at in ("2026-01-12T19:59:59.999", "2026-01-12T20:00")] == [False, True]
    assert [is_quiet(night, at) for at in ("2026-01-13T06:59:59.999", "2026-01-13T07:00")] == [True, False]


def test_the_first_allowed_instant_is_exact():
    night = hours(rule(21, 8.5))

    assert allowed_from(
        night, channel="sms", kind="marketing", place=PARIS, at=utc("2026-01-12T23:11:07.123")
    ) == datetime(2026, 1, 13, 7, 30, tzinfo=UTC)


def test_who_may_be_reached_may_be_reached_at_once():
    at = utc("2026-01-12T12:34:56.789")

    assert allowed_from(hours(rule()), channel="sms", kind="marketing", place=PARIS, at=at) == at
    assert verdict(hours(rule()), "2026-01-12T12:34") == ("", "2026-01-12T12:34")


def test_a_span_that_wraps_midnight_belongs_to_the_day_it_starts():
    sunday_night = hours(rule(22, 6, days=[6]))

    assert is_quiet(sunday_night, "2026-01-12T04:00")  # Monday, 05:00 in Paris
    assert not is_quiet(sunday_night, "2026-01-11T04:00")  # Sunday
    assert verdict(sunday_night, "2026-01-11T21:30") == ("night", "2026-01-12T05:00")


def test_a_whole_day_ends_at_its_midnight():
    sunday = hours(rule(0, 24, days=[6]))

    assert verdict(sunday, "2026-01-11T10:00") == ("night", "2026-01-11T23:00")


def test_a_holiday_is_quiet_all_day_and_joins_the_nights_around_it():
    closed = hours(rule(21, 8, holidays=(Fixed(name="Christmas Day", month=12, day=25),)))

    assert verdict(closed, "2026-12-25T12:00") == ("night", "2026-12-26T07:00")
    assert verdict(closed, "2026-12-24T20:30") == ("night", "2026-12-26T07:00")
    assert verdict(closed, "2026-12-24T12:00") == ("", "2026-12-24T12:00")


def test_an_instant_is_an_instant_in_whatever_zone_it_is_written():
    at = datetime(2026, 1, 12, 22, 0, tzinfo=timezone(timedelta(hours=2)))  # 21:00 in Paris

    first = allowed_from(hours(rule(21, 8)), channel="sms", kind="marketing", place=PARIS, at=at)

    assert first == datetime(2026, 1, 13, 7, 0, tzinfo=UTC)
    with pytest.raises(Invalid, match="without a zone"):
        allowed_from(hours(), channel="sms", kind="marketing", place=PARIS, at=at.replace(tzinfo=None))


# --------------------------------------------------------------------------------------------------- clocks that change


def test_both_sides_of_an_hour_that_comes_twice_count():
    early = hours(rule(2.25, 2.5))  # in Paris the hour from 2:00 to 3:00 comes twice on 25 October 2026

    assert [is_quiet(early, f"2026-10-25T{time}") for time in ("00:15", "00:29", "01:15", "01:29")] == [True] * 4
    assert [is_quiet(early, f"2026-10-25T{time}") for time in ("00:14", "00:30", "01:14", "01:30")] == [False] * 4
    assert verdict(early, "2026-10-25T00:20") == ("night", "2026-10-25T00:30")


def test_a_night_that_is_an_hour_longer_is_quiet_to_its_end():
    night = hours(rule(21, 8))

    assert verdict(night, "2026-10-24T19:00") == ("night", "2026-10-25T07:00")
    assert verdict(night, "2026-03-28T20:00") == ("night", "2026-03-29T06:00")


def test_an_hour_that_is_skipped_moves_nothing():
    early = hours(rule(2.25, 2.75))  # in Paris there is no such time on 29 March 2026

    day = [utc("2026-03-28T23:00") + spot * MINUTE for spot in range(23 * 60)]
    first = [allowed_from(early, channel="sms", kind="marketing", place=PARIS, at=at) for at in day]

    assert first == day
    assert verdict(hours(rule(1, 2.5)), "2026-03-29T00:30") == ("night", "2026-03-29T01:00")
    assert verdict(hours(rule(2.5, 4)), "2026-03-29T00:59") == ("", "2026-03-29T00:59")
    assert verdict(hours(rule(2.5, 4)), "2026-03-29T01:00") == ("night", "2026-03-29T02:00")


def test_half_an_hour_of_daylight_saving_is_half_an_hour():
    lord_howe = Whereabouts(zones=("Australia/Lord_Howe",), regions=("AU",))
    night = hours(rule(21, 8))  # UTC+11 until 4 April 2026, 15:00 UTC, then UTC+10:30

    assert verdict(night, "2026-04-03T12:00", lord_howe) == ("night", "2026-04-03T21:00")
    assert verdict(night, "2026-04-04T12:00", lord_howe) == ("night", "2026-04-04T21:30")


def test_a_day_that_the_calendar_skips_is_nobody_s():
    apia = Whereabouts(zones=("Pacific/Apia",), regions=("WS",))  # from 29 December 2011 to 31 December, at 10:00 UTC
    friday = hours(rule(9, 17, days=[4]))
    friday_night = hours(rule(22, 6, days=[4]))

    assert [is_quiet(friday, f"2011-12-30T{hour:02}:00", apia) for hour in range(24)] == [False] * 24
    assert verdict(friday_night, "2011-12-30T10:00", apia) == ("night", "2011-12-30T16:00")  # Saturday, until 6:00
    assert verdict(hours(rule(22, 6)), "2011-12-30T08:00", apia) == ("night", "2011-12-30T16:00")


def test_a_midnight_that_comes_twice_or_never():
    sao_paulo = Whereabouts(zones=("America/Sao_Paulo",), regions=("BR",))
    late_saturday = hours(rule(23, 24, days=[5]))  # on 17 February 2018 from 23:00 to 24:00 twice
    early_sunday = hours(rule(0, 2, days=[6]))  # on 4 November 2018 from 1:00 on

    assert verdict(late_saturday, "2018-02-18T01:00", sao_paulo) == ("night", "2018-02-18T03:00")
    assert verdict(early_sunday, "2018-11-04T03:00", sao_paulo) == ("night", "2018-11-04T04:00")
    assert verdict(early_sunday, "2018-11-04T02:59", sao_paulo) == ("", "2018-11-04T02:59")


# ------------------------------------------------------------------------------------------------------ whom rules bind


def test_in_several_zones_it_has_to_be_allowed_in_all():
    both = Whereabouts(zones=("Europe/Paris", "America/New_York"))
    night = hours(rule(21, 8))  # allowed 7:00 to 20:00 UTC, and 13:00 to 2:00 UTC

    assert verdict(night, "2026-01-12T10:00", both) == ("night", "2026-01-12T13:00")
    assert verdict(night, "2026-01-12T20:00", both) == ("night", "2026-01-13T13:00")
    assert verdict(night, "2026-01-12T15:00", both)[0] == ""


def test_who_is_nowhere_is_in_all_of_the_fallback():
    night = hours(rule(21, 8), fallback=("Europe/Paris", "America/New_York"))

    assert verdict(night, "2026-01-12T10:00", ANYWHERE) == ("night", "2026-01-12T13:00")
    assert verdict(night, "2026-01-12T10:00", PARIS)[0] == ""


def test_a_rule_binds_in_its_regions():
    french = hours(rule(regions=("FR",)))

    assert is_quiet(french, "2026-01-12T02:00", PARIS)
    assert not is_quiet(french, "2026-01-12T02:00", Whereabouts(zones=("Europe/Paris",), regions=("BE",)))


def test_who_has_no_region_is_bound_by_the_rules_of_all():
    french = hours(rule(regions=("FR",)))

    assert is_quiet(french, "2026-01-12T02:00", Whereabouts(zones=("Europe/Paris",)))
    assert is_quiet(french, "2026-01-12T02:00", ANYWHERE)


@pytest.mark.parametrize(
    ("regions", "bound"),
    [(("US-TX",), True), (("US",), True), (("US-FL",), False), (("US-FL", "US-TX"), True), (("MX",), False)],
)
def test_a_rule_of_a_state_binds_whoever_may_be_in_it(regions, bound):
    texan = hours(rule(regions=("US-TX",)))

    assert is_quiet(texan, "2026-01-12T07:00", Whereabouts(zones=("America/Chicago",), regions=regions)) is bound


def test_a_rule_of_a_country_binds_in_its_parts():
    american = hours(rule(regions=("US",)))

    assert is_quiet(american, "2026-01-12T07:00", Whereabouts(zones=("America/Chicago",), regions=("US-TX",)))


def test_a_rule_binds_on_its_channels_and_for_its_classes():
    said = hours(rule(channels=("phone",), classes=("service",)))
    at = "2026-01-12T02:00"

    assert verdict(said, at, channel="phone", kind="service")[0] == "night"
    assert verdict(said, at, channel="phone", kind="marketing")[0] == ""
    assert verdict(said, at, channel="email", kind="service")[0] == ""


def test_a_legal_message_is_never_held_up():
    said = hours(rule(0, 24, classes=("marketing", "service")))
    own = Whereabouts(zones=("Europe/Paris",), regions=("FR",), own=own_hours(spans(0, 24)))

    assert verdict(said, "2026-01-12T02:00", own, kind="service") == ("night", None)
    assert verdict(said, "2026-01-12T02:00", own, kind="legal")[0] == ""


# ---------------------------------------------------------------------------------------------------- whose word it was


def test_the_first_rule_that_is_quiet_is_named_and_all_of_them_have_to_end():
    law, company = rule(20, 7, key="law", binding="law"), rule(19, 9, key="company")
    place = Whereabouts(zones=("Europe/Paris",), regions=("FR",), own=own_hours(spans(9, 10)))

    assert hours(law, company).names == ("law", "company", "own_hours")
    assert verdict(hours(law, company), "2026-01-12T19:30", place) == ("law", "2026-01-13T09:00")
    assert verdict(hours(law, company), "2026-01-12T18:30", place) == ("company", "2026-01-13T09:00")
    assert verdict(hours(law, company), "2026-01-12T08:30", place) == ("own_hours", "2026-01-12T09:00")


def test_the_customer_s_own_hours_hold_without_any_other_rule():
    place = Whereabouts(zones=("Europe/Paris",), own=own_hours(spans(12, 14), channels=("phone",)))

    assert verdict(hours(), "2026-01-12T11:30", place, channel="phone") == ("own_hours", "2026-01-12T13:00")
    assert verdict(hours(), "2026-01-12T11:30", place, channel="sms")[0] == ""


def test_what_is_never_allowed_has_no_end():
    never = hours(rule(0, 12, key="mornings"), rule(12, 24, key="afternoons"))

    assert verdict(never, "2026-01-12T10:00") == ("mornings", None)
    assert verdict(never, "2026-01-12T12:00") == ("afternoons", None)


def test_zones_that_leave_no_common_hour_have_no_end():
    apart = Whereabouts(zones=("Pacific/Auckland", "Europe/Paris"))

    assert verdict(hours(rule(17, 9)), "2026-01-12T10:00", apart) == ("night", None)


def test_an_end_is_looked_for_up_to_the_horizon():
    year = tuple(Fixed(name="x", month=month, day=day) for month in range(1, 13) for day in range(1, 32))
    one_day_a_year = tuple(each for each in year if (each.month, each.day) != (1, 31))
    at = utc("2026-02-01T00:00")

    first = allowed_from(
        hours(rule(0, 1, holidays=one_day_a_year)), channel="sms", kind="marketing", place=PARIS, at=at
    )

    assert first == utc("2027-01-31T00:00")
    assert first - at < HORIZON


# ------------------------------------------------------------------------------------------------------ many at a time


def test_many_are_judged_as_one_by_one():
    night = hours(rule(21, 8), rule(12, 13, key="noon", regions=("NP",)), fallback=("Asia/Kathmandu",))
    distinct = [
        PARIS, ANYWHERE, Whereabouts(zones=("America/New_York",), regions=("US",)),
        Whereabouts(zones=("Asia/Kathmandu",), regions=("NP",), own=own_hours(spans(10, 16))),
    ]  # fmt: skip
    places = [distinct[spot * 7 % 4] for spot in range(1_000)]
    at = utc("2026-01-12T06:30")

    indexes, frees = judged(night, channel="sms", kind="marketing", places=places, at=at)
    one_by_one = [judged(night, channel="sms", kind="marketing", places=[place], at=at) for place in distinct]

    assert (indexes.dtype, frees.dtype) == (np.dtype("int16"), np.dtype("int64"))
    assert [night.names[index] if index >= 0 else "" for (index,), _ in one_by_one] == [
        "night",
        "noon",
        "night",
        "noon",
    ]
    assert indexes.tolist() == [int(one_by_one[spot * 7 % 4][0][0]) for spot in range(1_000)]
    assert frees.tolist() == [int(one_by_one[spot * 7 % 4][1][0]) for spot in range(1_000)]


def test_nobody_is_judged_as_nobody():
    indexes, frees = judged(hours(rule()), channel="sms", kind="marketing", places=[], at=utc("2026-01-12T02:00"))

    assert (indexes.dtype, frees.dtype) == (np.dtype("int16"), np.dtype("int64"))
    assert (indexes.tolist(), frees.tolist()) == ([], [])


# ---------------------------------------------------------------------------------------------------- rules as a whole


def test_hours_without_a_place_to_fall_back_on_are_refused():
    with pytest.raises(Invalid) as refused:
        Hours(rules=(), fallback=())
    assert [tuple(place) for place in refused.value.places] == [("fallback", "name at least one time zone")]


def test_hours_with_unknown_zones_or_keys_that_stand_twice_are_refused():
    with pytest.raises(Invalid) as refused:
        Hours(rules=(rule(), rule(20, 9)), fallback=("Europe/Paris", "Mars/Olympus"))
    assert [place.where for place in refused.value.places] == ["fallback", "rules"]
    with pytest.raises(Invalid, match="own_hours"):
        hours(rule(key="own_hours"))


@pytest.mark.parametrize("wrong", [(7, 0, 60), (-1, 0, 60), (0, 1440, 60), (0, 0, 1441), (0, 60, 0), (0, 60, 60)])
def test_a_span_that_no_clock_shows_is_refused(wrong):
    weekday, start, end = wrong
    with pytest.raises(Invalid, match="quiet span"):
        Span(weekday=weekday, start=start, end=end)


def test_the_digest_tells_whatever_could_judge_otherwise(monkeypatch):
    said = [
        hours(rule()), hours(rule(21, 9)), hours(rule(version=2)), hours(rule(channels=("sms",))), hours(),
        hours(rule(holidays=(Fixed(name="x", month=1, day=1),))), hours(rule(), fallback=("Asia/Tokyo",)),
        hours(rule(), rule(key="other")), hours(rule(key="other"), rule()),
    ]  # fmt: skip
    digests = [each.digest for each in said]
    monkeypatch.setattr(zones, "VERSION", "2026z")

    assert hours(rule()).digest not in digests
    assert len(set(digests)) == len(said)
    monkeypatch.undo()
    assert hours(rule()).digest == digests[0]


def test_by_his_own_hours_it_is_always_quiet_for_who_may_be_anywhere():
    alone = Hours(rules=(), fallback=("UTC",), nowhere=True)
    stated = Hours(rules=(), fallback=("UTC",))
    lost = whereabouts(own=own_rule("720-780"))
    told = whereabouts(own_zone="Asia/Tokyo", own=own_rule("720-780"))
    at = datetime(2026, 7, 1, 10, tzinfo=UTC)  # 19:00 in Tokyo
    asked: tuple[tuple[Hours, Whereabouts, Kind], ...] = (
        (alone, lost, "marketing"), (alone, told, "marketing"), (stated, lost, "marketing"), (alone, lost, "legal"),
    )  # fmt: skip
    found = [allowed_from(ours, channel="email", kind=kind, place=place, at=at) for ours, place, kind in asked]
    assert found == [None, at, at, at]
    places = [lost, told, whereabouts()]
    rules, frees = judged(alone, channel="email", kind="marketing", places=places, at=at)
    assert (rules.tolist(), frees.tolist()) == ([0, -1, -1], [NEVER, 0, 0])
    assert len({alone.digest, stated.digest}) == 2
