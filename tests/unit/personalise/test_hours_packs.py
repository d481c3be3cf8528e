"""The packs that are shipped: what the law says, to the minute, with its source."""

import pytest

from consent.base.errors import Invalid
from consent.catalogue.reading import DEFAULT, read_catalogue
from personalise.hours.judging import allowed_from
from personalise.hours.model import Hours, HoursRule, LegalCap, LegalRest
from personalise.hours.reading import shipped, shipped_pack
from personalise.hours.whereabouts import whereabouts
from tests.hours import utc

FRANCE = Hours(rules=shipped_pack("fr-telephone").hours, fallback=("Europe/Paris",))
AMERICA = Hours(rules=shipped_pack("us-telephone").hours, fallback=("America/New_York",))


def first(ours, at, channel="phone", kind="marketing", **place):
    found = allowed_from(ours, channel=channel, kind=kind, place=whereabouts(**place), at=utc(at))
    return found and found.isoformat()[:16]


@pytest.mark.parametrize("key", shipped())
def test_every_pack_names_its_law(key):
    pack = shipped_pack(key)

    assert pack.key == key
    assert all(each.binding == "law" and each.version == pack.version for each in pack.hours)
    named: list[HoursRule | LegalCap | LegalRest] = [*pack.hours, *pack.caps, *pack.rests]
    assert [each.key for each in named if not (each.source and each.link.startswith("https://"))] == []
    assert [each.key for each in named if not each.regions or not each.channels] == []
    assert pack.channels <= set(read_catalogue(DEFAULT).channels)


def test_a_pack_that_is_not_shipped_is_refused():
    with pytest.raises(Invalid, match=r"'\.\./packs/fr-telephone' is no pack: choose from fr-telephone, us-telephone"):
        shipped_pack("../packs/fr-telephone")


# ------------------------------------------------------------------------------------------------------------- France


@pytest.mark.parametrize(
    ("at", "allowed"),
    [
        ("2026-11-23T08:59", "2026-11-23T09:00"),  # Monday: from 10:00 in Paris
        ("2026-11-23T09:00", "2026-11-23T09:00"),
        ("2026-11-23T11:59", "2026-11-23T11:59"),
        ("2026-11-23T12:00", "2026-11-23T13:00"),  # from 13:00 to 14:00
        ("2026-11-23T18:59", "2026-11-23T18:59"),
        ("2026-11-23T19:00", "2026-11-24T09:00"),  # from 20:00
        ("2026-11-27T19:00", "2026-11-30T09:00"),  # Friday evening to Monday
        ("2026-07-13T18:00", "2026-07-15T08:00"),  # over the 14th of July
        ("2026-04-03T18:00", "2026-04-07T08:00"),  # over Easter Monday
        ("2026-05-13T18:00", "2026-05-15T08:00"),  # over Ascension Day
        ("2026-12-24T19:00", "2026-12-28T09:00"),  # Christmas, a Friday
        ("2027-10-29T18:00", "2027-11-02T09:00"),  # All Saints, a Monday; summer time ends on the 31st
    ],
)
def test_calls_in_france_are_for_working_hours(at, allowed):
    assert first(FRANCE, at, address="FR") == allowed


def test_france_overseas_is_called_by_its_own_clock():
    assert first(FRANCE, "2026-11-23T05:59", address="RE") == "2026-11-23T06:00"
    assert first(FRANCE, "2026-11-23T10:00", address="MQ") == "2026-11-23T14:00"


def test_other_channels_and_messages_of_service_are_not_calls_to_sell():
    assert first(FRANCE, "2026-11-22T02:00", address="FR", channel="email") == "2026-11-22T02:00"
    assert first(FRANCE, "2026-11-22T02:00", address="FR", kind="service") == "2026-11-22T02:00"
    assert first(FRANCE, "2026-11-22T02:00", address="BE") == "2026-11-22T02:00"


def test_a_french_number_is_called_by_the_rules_of_france():
    assert first(FRANCE, "2026-11-22T02:00", telephone="+33 1 23 45 67 89") == "2026-11-23T09:00"


def test_the_limits_of_france_are_given_to_be_counted():
    pack = shipped_pack("fr-telephone")
    ((cap,), (rest,)) = pack.caps, pack.rests

    assert (cap.key, cap.limit, cap.days, cap.channels, cap.classes) == (
        "fr-calls-30d",
        4,
        30,
        ("phone",),
        ("marketing",),
    )
    assert (rest.key, rest.days, rest.channels, rest.classes) == ("fr-refused", 60, ("phone",), ("marketing",))
    assert cap.regions == rest.regions == pack.regions


# -------------------------------------------------------------------------------------------------- the United States


@pytest.mark.parametrize(
    ("at", "allowed"),
    [
        ("2026-11-23T12:59", "2026-11-23T13:00"),  # 8:00 in New York
        ("2026-11-24T01:59", "2026-11-24T01:59"),
        ("2026-11-24T02:00", "2026-11-24T13:00"),  # 21:00
        ("2026-11-28T15:00", "2026-11-28T15:00"),  # Saturday
        ("2026-12-25T15:00", "2026-12-25T15:00"),  # Christmas
        ("2026-11-01T03:00", "2026-11-01T13:00"),  # the night in which summer time ends
    ],
)
@pytest.mark.parametrize("channel", ["phone", "sms"])
def test_calls_and_texts_in_the_united_states_are_from_eight_to_nine(at, allowed, channel):
    assert first(AMERICA, at, channel=channel, zone="America/New_York") == allowed


def test_who_may_be_anywhere_in_the_united_states_is_called_when_all_of_it_is_up():
    assert first(AMERICA, "2026-11-23T13:00", country="US") == "2026-11-23T18:00"  # Adak, Honolulu: UTC-10
    assert first(AMERICA, "2026-11-24T02:00", country="US") == "2026-11-24T18:00"
