"""PURE: time zones, and which country keeps which, from the `tzdata` wheel alone.

Never from the machine: `ZoneInfo(name)` would look there first, and a replay elsewhere could judge otherwise. The
wheel's files are opened as the resources of a package, once a process.

Source:
    The IANA Time Zone Database: `zone1970.tab` gives the zones of each country; `zone.tab`, with a name of its own for
    each country's clock even where several agree, the country of each name.
"""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

import tzdata

from consent.base.errors import Invalid

VERSION: Final[str] = tzdata.IANA_VERSION
"""The database's version, such as `2026f`. It belongs in the digest of whatever is decided by local time."""

_DATA: Final = files("tzdata")


@cache
def zone(name: str) -> ZoneInfo:
    """Return the zone of that name.

    Raises:
        Invalid: the database has none.

    >>> from datetime import UTC, datetime
    >>> datetime(2026, 7, 1, tzinfo=UTC).astimezone(zone("Asia/Kathmandu")).isoformat()
    '2026-07-01T05:45:00+05:45'
    """
    if not knows(name):
        msg = f"{name[:80]!r} is no time zone"
        raise Invalid(msg)
    with _DATA.joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


def knows(name: str) -> bool:
    """Say whether the database has a zone of that name.

    >>> knows("Europe/Paris"), knows("europe/paris"), knows("../zones")
    (True, False, False)
    """
    return name in _names()


@cache
def listed() -> tuple[str, ...]:
    """Return the zones that people choose from: of each country's clock one name, and UTC.

    >>> "Europe/Paris" in listed(), "Europe/Kiev" in listed(), listed()[-1]
    (True, False, 'UTC')
    """
    return (*sorted(_country_by_zone()), "UTC")


def countries() -> frozenset[str]:
    """Return the codes of all countries (ISO 3166-1).

    >>> "FR" in countries(), "UK" in countries()
    (True, False)
    """
    return _countries()


def zones_of(country: str) -> tuple[str, ...]:
    """Return the zones that a country keeps; none for one that isn't known, or where nobody lives.

    >>> zones_of("FR"), zones_of("KZ")[:2], zones_of("XX")
    (('Europe/Paris',), ('Asia/Almaty', 'Asia/Qyzylorda'), ())
    """
    return _zones_by_country().get(country, ())


def country_of(name: str) -> str:
    """Return the country whose zone this is; "" for `UTC` and its like, and for names no longer in use.

    >>> country_of("Europe/Paris"), country_of("Indian/Reunion"), country_of("Etc/UTC")
    ('FR', 'RE', '')
    """
    return _country_by_zone().get(name, "")


def _lines(*path: str) -> Iterator[str]:
    text = _DATA.joinpath(*path).read_text(encoding="utf-8")
    return (line for line in text.splitlines() if line and not line.startswith("#"))


@cache
def _names() -> frozenset[str]:
    return frozenset(_lines("zones"))


@cache
def _countries() -> frozenset[str]:
    return frozenset(line.partition("\t")[0] for line in _lines("zoneinfo", "iso3166.tab"))


def _table(name: str) -> Iterator[tuple[str, str]]:
    """Walk the rows of a table: a zone, and the countries that keep it, with commas between."""
    for line in _lines("zoneinfo", name):
        countries_there, _, zone_name, *_ = line.split("\t")
        yield zone_name, countries_there


@cache
def _zones_by_country() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, codes in _table("zone1970.tab"):
        for code in codes.split(","):
            found[code] = (*found.get(code, ()), name)
    return found


@cache
def _country_by_zone() -> dict[str, str]:
    return dict(_table("zone.tab"))
