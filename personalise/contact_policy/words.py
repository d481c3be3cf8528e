"""PURE: a contact policy in words: each rule, and what it asks."""

from collections.abc import Sequence
from typing import Any, Final

from consent.base.counting import counted
from personalise.contact_policy.model import Cap, ContactPolicy, Goodwill, Matching, Rest
from personalise.hours.model import DAY, HoursRule

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def rules(read: ContactPolicy) -> list[tuple[str, str]]:
    """Return each rule by its name, and what it asks."""
    found = [(f"{cap.source}:{cap.key}", _cap(cap)) for cap in read.caps]
    found += [
        (f"exclusion:{each.key}", f"no {_named(each.one)} within {counted(each.days, 'day')} of {_named(each.other)}")
        for each in read.exclusions
    ]
    found += [
        (
            f"order:{each.key}",
            f"{_named(each.then)} only after {_named(each.first)} in the last {counted(each.days, 'day')}",
        )
        for each in read.orders
    ]
    found += [(f"rest:{each.key}", _rest(each)) for each in read.rests]
    found += [(f"hours:{rule.key}", _hours(rule)) for rule in (read.hours.rules if read.hours else ())]
    if read.holdout.share:
        share = f"{read.holdout.share / 100:g} %"
        found.append(
            ("holdout", f"{share} of the customers are held out of all campaigns by chance, to measure against")
        )
    return found + _goodwill(read.goodwill)


def _rest(rest: Rest) -> str:
    families = ", ".join(rest.families) or "every offer family"
    on = f" (channels {', '.join(rest.channels)})" if rest.channels else ""
    return f"{counted(rest.days, 'day')} after a no, for {families}{on}"


def _cap(cap: Cap) -> str:
    with_whom = " with all of a household" if cap.per == "household" else ""
    return f"at most {cap.limit} {_named(cap.counts, one=cap.limit == 1)}{with_whom} in {counted(cap.days, 'day')}"


def _hours(rule: HoursRule) -> str:
    """Return when it is quiet, for whom, and by which law."""
    weekdays: dict[tuple[int, int], tuple[int, ...]] = {}
    for span in rule.quiet:
        weekdays[span.start, span.end] = (*weekdays.get((span.start, span.end), ()), span.weekday)
    spans: dict[tuple[int, ...], list[str]] = {}
    for (start, end), days in weekdays.items():
        spans.setdefault(days, []).append(_span(start, end))
    when = [f"{_weekdays(days)} {_listed(each)}" for days, each in spans.items()]
    if rule.holidays:
        when.append(f"on {counted(len(rule.holidays), 'public holiday')} all day")
    where = [f"channels {', '.join(rule.channels)}"] if rule.channels else []
    where += [f"in {', '.join(rule.regions)}"] if rule.regions else []
    for_whom = f" ({'; '.join(where)})" if where else ""
    return f"quiet {', '.join(when)}{for_whom}{f': {rule.source}' if rule.source else ''}"


def _weekdays(days: Sequence[int]) -> str:
    """Return days of the week.

    >>> _weekdays([0, 1, 2, 3, 4]), _weekdays([5, 6]), _weekdays([0, 2, 3]), _weekdays(range(7))
    ('Monday to Friday', 'Saturday and Sunday', 'Monday, Wednesday and Thursday', 'every day')
    """
    found = sorted(set(days))
    if len(found) == len(_DAYS):
        return "every day"
    names = [_DAYS[day] for day in found]
    if len(found) > 2 and found[-1] - found[0] == len(found) - 1:  # noqa: PLR2004 -- two days are named
        return f"{names[0]} to {names[-1]}"
    return _listed(names)


def _span(start: int, end: int) -> str:
    if (start, end) == (0, DAY):
        return "all day"
    return f"{start // 60:02}:{start % 60:02} to {end // 60:02}:{end % 60:02}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _named(which: Matching, *, one: bool = False) -> str:
    fields = ("channels", "purposes", "tags", "campaigns", "offers", "families")
    said = [f"{name} {', '.join(names)}" for name in fields if (names := getattr(which, name))]
    what = "contact" if one else "contacts"
    return f"{what} ({'; '.join(said)})" if said else what


def _goodwill(terms: Goodwill) -> list[tuple[str, str]]:
    if not terms.judges:
        return []
    prices = ", ".join(f"{channel} {price:g}" for channel, price in terms.prices.items())
    floor = "" if terms.floor is None else f", never below {terms.floor:g}"
    return [("goodwill", f"starts at {terms.opening:g}{floor}; a contact costs: {prices}")]


def told(read: ContactPolicy) -> dict[str, Any]:
    """Return a policy as the faces show it."""
    terms = read.goodwill
    return {
        "version": read.version or None,
        "rules": [{"rule": rule, "asks": asks} for rule, asks in rules(read)],
        "weight_of_benefit": read.weight_of_benefit,
        "goodwill": {
            "opening": terms.opening,
            "floor": terms.floor,
            "prices": dict(terms.prices),
            "pressure_days": terms.pressure_days,
            "price_of_one": terms.price_of_one,
        },
        "body": read.body,
        "format": read.format,
    }
