"""PURE: how often and when a customer wants to be contacted, as a form, and as what a change of it says."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from api.pages.words import Words
from consent.catalogue.model import Catalogue
from personalise.hours import zones
from personalise.wishes import ANY, LONGEST_DAYS, MOST, Limit, Quiet, Wishes, clock

PERIODS: Final = (1, 7, 30, 90, LONGEST_DAYS)
"""Lengths in days that the form offers; one that stands is offered too."""

_USUAL: Final = 30
_DAY: Final = 1_440
_COUNT: Final = re.compile(r"[0-9]{1,3}", re.ASCII)
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])(?::00)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """One length of time to choose from."""

    days: int
    name: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The limit of one channel, or of all together, to be filled in; `why` says what is wrong with it."""

    key: str
    anchor: str
    name: str
    most: str
    most_label: str
    period_label: str
    periods: tuple[Period, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The form as it stands: rows, and the hours from and until which he is left alone."""

    rows: tuple[Row, ...]
    start: str
    end: str
    zone: str
    zones: Sequence[str]
    """The time zones to choose from."""
    wrong: Mapping[str, str]
    """Field → what is wrong with it; the hours are one field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one wish was and is."""

    name: str
    before: str
    now: str


def fields(keys: Sequence[str]) -> dict[str, int]:
    """Return the fields of the form and how many characters each may have."""
    limits = {f"{what}:{key}": 5 for key in keys for what in ("most", "days")}
    return {**limits, "from": 8, "until": 8, "zone": 64}


def keys_of(wishes: Wishes, catalogue: Catalogue) -> list[str]:
    """Return what there can be a limit for: all together, each channel, and one that has gone where a limit stands."""
    return list(dict.fromkeys([ANY, *catalogue.channels, *wishes.limits]))


def typed(wishes: Wishes, keys: Sequence[str], *, zone: str = "") -> dict[str, str]:
    """Return wishes as the form's fields show them; `zone` is offered to who has named none.

    >>> typed(Wishes(limits={"sms": Limit(2, 7)}, quiet=Quiet(1_320, 1_440)), ["sms"], zone="Europe/Paris")
    {'most:sms': '2', 'days:sms': '7', 'from': '22:00', 'until': '00:00', 'zone': 'Europe/Paris'}
    """
    found = {}
    for key in keys:
        limit = wishes.limits.get(key)
        found[f"most:{key}"] = str(limit.most) if limit else ""
        found[f"days:{key}"] = str(limit.days if limit else _USUAL)
    quiet = wishes.quiet
    start, end = (clock(quiet.start), clock(quiet.end % _DAY)) if quiet else ("", "")
    return {**found, "from": start, "until": end, "zone": (quiet.zone if quiet else "") or zone}


def read(given: Mapping[str, str], keys: Sequence[str]) -> tuple[Wishes, list[str]]:
    """Return the wishes that the form's fields tell, and the fields that can't be read: `from` stands for both hours.

    >>> given = {"most:*": "3", "days:*": "30", "from": "22:00", "until": "00:00", "zone": "Europe/Paris"}
    >>> read(given, ["*"])[0].quiet
    Quiet(start=1320, end=1440, zone='Europe/Paris')
    >>> read({**given, "most:*": "many", "zone": "Paris"}, ["*"])[1]
    ['most:*', 'zone']
    """
    limits, wrong = {}, []
    for key in keys:
        most, days = given[f"most:{key}"], given[f"days:{key}"]
        if not most:
            continue
        if _COUNT.fullmatch(most) and int(most) <= MOST and _COUNT.fullmatch(days) and 1 <= int(days) <= LONGEST_DAYS:
            limits[key] = Limit(int(most), int(days))
        else:
            wrong.append(f"most:{key}")
    start, end = _minute(given["from"]), _minute(given["until"])
    told = start is not None and end is not None and start != end
    quiet = Quiet(start or 0, end or _DAY, given["zone"]) if told else None
    if quiet is None and (given["from"] or given["until"]):
        wrong.append("from")
    if quiet and not zones.knows(quiet.zone):
        wrong.append("zone")
    return Wishes(limits=MappingProxyType(limits), quiet=quiet), wrong


def _minute(text: str) -> int | None:
    read_ = _CLOCK.fullmatch(text)
    return int(read_[1]) * 60 + int(read_[2]) if read_ else None


def asked(given: Mapping[str, str], wrong: Sequence[str], keys: Sequence[str], *, said: Words, of: Catalogue) -> Asked:
    """Return the form with what was typed in it.

    Args:
        given: the form's fields.
        wrong: those that can't be read.
        keys: what there can be a limit for.
        said: the language of the page.
        of: the catalogue in force.
    """
    why = {field: _why(field, said, of) for field in wrong}
    return Asked(
        rows=tuple(_row(key, given, why, said, of) for key in keys),
        start=given["from"],
        end=given["until"],
        zone=given["zone"],
        zones=zones.listed(),
        wrong={_anchor(field): text for field, text in why.items()},
    )


def _row(key: str, given: Mapping[str, str], why: Mapping[str, str], said: Words, of: Catalogue) -> Row:
    name, days = _named(key, said, of), given[f"days:{key}"]
    chosen = int(days) if _COUNT.fullmatch(days) and int(days) else _USUAL
    return Row(
        key=key,
        anchor=_anchor(f"most:{key}"),
        name=name,
        most=given[f"most:{key}"],
        most_label=said.say("wishes", "most_of", name=name),
        period_label=said.say("wishes", "period_of", name=name),
        periods=tuple(
            Period(days=each, name=_period(each, said), chosen=each == chosen) for each in sorted({*PERIODS, chosen})
        ),
        why=why.get(f"most:{key}", ""),
    )


def _anchor(field: str) -> str:
    return field.replace(":", "-").replace(ANY, "all")


def _why(field: str, said: Words, of: Catalogue) -> str:
    if field in ("from", "zone"):
        return said.say("wishes", "error_quiet" if field == "from" else "error_zone")
    return said.say("wishes", "error_most", name=_named(field.partition(":")[2], said, of))


def _named(key: str, said: Words, of: Catalogue) -> str:
    if key == ANY:
        return said.say("wishes", "all")
    channel = of.channels.get(key)
    return channel.title_in(said.code) if channel else key


def _period(days: int, said: Words) -> str:
    return said.count("wishes", "period", days)


def changes(before: Wishes, now: Wishes, *, said: Words, of: Catalogue) -> list[Change]:
    """Return what differs between two wishes, in words."""
    found = [
        Change(name=_named(key, said, of), before=_limit(before, key, said), now=_limit(now, key, said))
        for key in dict.fromkeys([*keys_of(before, of), *now.limits])
        if before.limits.get(key) != now.limits.get(key)
    ]
    if before.quiet != now.quiet:
        told = [_quiet(each.quiet, said) for each in (before, now)]
        found.append(Change(name=said.say("wishes", "quiet"), before=told[0], now=told[1]))
    return found


def _limit(wishes: Wishes, key: str, said: Words) -> str:
    limit = wishes.limits.get(key)
    if limit is None:
        return said.say("wishes", "limit_none")
    if limit.most == 0:
        return said.say("wishes", "limit_0")
    return said.count("wishes", "limit", limit.most, period=_period(limit.days, said))


def _quiet(quiet: Quiet | None, said: Words) -> str:
    if quiet is None:
        return said.say("wishes", "quiet_none")
    span = said.say("wishes", "quiet_span", start=clock(quiet.start), end=clock(quiet.end))
    return said.say("wishes", "quiet_where", span=span, zone=quiet.zone) if quiet.zone else span
