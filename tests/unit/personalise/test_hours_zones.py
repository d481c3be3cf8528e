"""Time zones, countries and calling codes: from the shipped files, whatever the machine has."""

import struct
import zoneinfo
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from importlib.resources import files
from itertools import pairwise

import pytest

from consent.base.errors import Invalid
from personalise.hours import zones
from personalise.hours.telephone import _codes, countries_calling

_DATA = files("tzdata")
SUMMER = datetime(2026, 7, 1, tzinfo=UTC)


def test_the_machine_has_no_say(tmp_path):
    (tmp_path / "Europe").mkdir()
    (tmp_path / "Europe" / "Paris").write_bytes(_DATA.joinpath("zoneinfo", "Asia", "Tokyo").read_bytes())
    before = zoneinfo.TZPATH
    zones.zone.cache_clear()
    try:
        zoneinfo.reset_tzpath(to=[str(tmp_path)])
        misled = SUMMER.astimezone(zoneinfo.ZoneInfo.no_cache("Europe/Paris")).utcoffset()
        ours = SUMMER.astimezone(zones.zone("Europe/Paris")).utcoffset()
    finally:
        zoneinfo.reset_tzpath(to=before)

    assert (misled, ours) == (timedelta(hours=9), timedelta(hours=2))


def test_the_version_is_that_of_the_wheel():
    year, number = version("tzdata").split(".")[:2]

    assert f"{year}{chr(ord('a') + int(number) - 1)}" == zones.VERSION


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "europe/paris", "../zones", "/etc/localtime", "zone.tab"])
def test_what_is_no_zone_opens_nothing(name):
    assert not zones.knows(name)
    with pytest.raises(Invalid, match="no time zone"):
        zones.zone(name)


def test_every_country_where_people_live_has_zones():
    without = {country for country in zones.countries() if not zones.zones_of(country)}

    assert without == {"BV", "HM"}  # Bouvet Island, Heard and McDonald Islands
    assert all(zones.knows(name) for country in zones.countries() for name in zones.zones_of(country))
    assert len(zones.zones_of("US")) == 29
    assert (zones.zones_of("GB"), zones.zones_of("RE")) == (("Europe/London",), ("Asia/Dubai",))


def test_a_zone_is_of_one_country():
    names = [*zones._country_by_zone()]

    assert [name for name in names if not zones.knows(name) or zones.country_of(name) not in zones.countries()] == []
    assert {name for country in zones.countries() for name in zones.zones_of(country)} <= set(names)
    assert (zones.country_of("Asia/Dubai"), zones.country_of("Indian/Reunion")) == ("AE", "RE")
    assert (zones.country_of("Europe/Monaco"), zones.country_of("US/Eastern"), zones.country_of("UTC")) == (
        "MC",
        "",
        "",
    )


def changes(name):
    """Return the instants, in seconds, at which a zone's offset is another one than before (RFC 9636)."""
    raw = _DATA.joinpath("zoneinfo", *name.split("/")).read_bytes()

    def counts(start):
        return struct.unpack(">6l", raw[start + 20 : start + 44])

    ends, standards, leaps, times, types, letters = counts(0)
    second = 44 + times * 5 + types * 6 + letters + leaps * 8 + standards + ends
    *_, times, types, _ = counts(second)
    start = second + 44
    instants = struct.unpack(f">{times}q", raw[start : start + 8 * times])
    which = raw[start + 8 * times : start + 9 * times]
    table = start + 9 * times
    offsets = [struct.unpack(">l", raw[table + 6 * each : table + 6 * each + 4])[0] for each in range(types)]
    kept, found = offsets[0], []
    for instant, kind in zip(instants, which, strict=True):
        if offsets[kind] != kept:
            kept = offsets[kind]
            found.append(instant)
    return found


def test_no_zone_changes_its_offset_twice_within_a_day():
    names = _DATA.joinpath("zones").read_text().splitlines()
    nearest = {
        name: min(second - first for first, second in pairwise(found))
        for name in names
        if len(found := changes(name)) > 1
    }

    assert len(nearest) > 400
    assert min(nearest.values()) > 6 * 86_400


# ------------------------------------------------------------------------------------------------------- calling codes


@pytest.mark.parametrize(
    ("number", "countries"),
    [
        ("+33612345678", ("FR",)),
        ("+44 7911 123456", ("GB", "GG", "IM", "JE")),
        ("+7 (701) 123-45-67", ("RU", "KZ")),
        ("+977-1-4200000", ("NP",)),
        ("+685 20000", ("WS",)),
        ("+800 1234 5678", ()),  # freephone, in no country
        ("+881 6 12345678", ()),  # a satellite
        ("+383 44 123456", ()),  # no code in ISO 3166-1
        ("0612345678", ()),
        ("0033612345678", ()),
        ("+٣٣٦١٢٣٤٥٦٧٨", ()),
        ("+33", ()),
        ("", ()),
    ],
)
def test_a_number_s_prefix_gives_its_countries(number, countries):
    assert countries_calling(number) == countries


def test_code_one_has_all_its_countries():
    countries = countries_calling("+1 242 555 0100")

    assert len(countries) == 25
    assert {"US", "CA", "BS", "PR"} < set(countries)


def test_the_table_is_whole_and_unambiguous():
    codes = _codes()
    listed = [country for countries in codes.values() for country in countries]

    assert [(one, other) for one in codes for other in codes if one != other and other.startswith(one)] == []
    assert set(listed) <= zones.countries()
    assert zones.countries() - set(listed) == {"BV", "HM", "UM"}  # where nobody has a number
    assert {country for country in listed if listed.count(country) > 1} == {"SH", "VA"}
