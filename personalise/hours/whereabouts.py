"""PURE: where a customer may be: what he said, a verified address, his telephone's prefix, his country."""

from dataclasses import dataclass
from functools import lru_cache

from personalise.hours import zones
from personalise.hours.model import HoursRule
from personalise.hours.telephone import countries_calling


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """All that the hours of a customer depend on.

    `zones` are the time zones that he may be in, in the order of where we know them from: none means the company's
    fallback. `regions` are the countries, and the parts of countries, whose rules bind him: none means the rules of
    all. `own` is his own rule. Equal whereabouts get equal answers, so many customers share one.
    """

    zones: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    own: HoursRule | None = None


def whereabouts(
    *, zone: str = "", own_zone: str = "", address: str = "", telephone: str = "", country: str = "",
    own: HoursRule | None = None,
) -> Whereabouts:  # fmt: skip
    """Gather every candidate; a word that names nothing known is none, since it tells us nothing.

    All candidates count, whatever their origin, so that one more never allows more, once a first one is known: he is
    reached only when it is allowed in all of their zones, by the rules of all of their regions.

    Args:
        zone: the time zone that the customer named himself.
        own_zone: the one that he named with his own quiet hours.
        address: the country of a verified address, or the part of one: `FR`, `US-TX`.
        telephone: his number in the international form (E.164).
        country: the country that he is said to live in (ISO 3166-1).
        own: his own quiet hours.

    >>> whereabouts(zone="Asia/Dubai", telephone="+33612345678").zones
    ('Asia/Dubai', 'Europe/Paris')
    >>> whereabouts(address="FR", country="Atlantis").regions
    ('FR',)
    """
    zones_known, regions = _candidates((own_zone, zone), address, countries_calling(telephone), country)
    return Whereabouts(zones=zones_known, regions=regions, own=own)


@lru_cache(maxsize=1 << 14)
def _candidates(
    said: tuple[str, ...], address: str, calling: tuple[str, ...], country: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return zones and regions; many customers have the same, and a place is looked up once."""
    named = [each for each in said if zones.knows(each)]
    # A zone that he named himself says in which country he may be, but adds no other zones of it.
    kept = [each for each in (address, *calling, country) if each.partition("-")[0] in zones.countries()]
    regions = [each for each in (*map(zones.country_of, said), *kept) if each]
    found = [*named, *(name for each in kept for name in zones.zones_of(each.partition("-")[0]))]
    return tuple(dict.fromkeys(found)), tuple(dict.fromkeys(regions))
