"""PURE: what changes from one version of a contact policy to another, in words."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from personalise.contact_policy.model import ContactPolicy, Goodwill, Zones
from personalise.contact_policy.words import rules
from personalise.hours.model import HoursRule

GOODWILL: Final = "goodwill"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One rule that differs: what it asked and what it asks; None where it was not there, or is no longer."""

    rule: str
    was: str | None
    asks: str | None


def changes(before: ContactPolicy, after: ContactPolicy) -> list[Change]:
    """Return what differs, in the order of the rules: those that go on or are new, then those that went.

    Rules are compared by what they are, not by their words: where two that differ are told alike, that is said.
    """
    old, new = dict(_lines(before)), dict(_lines(after))
    found = []
    for rule in [*new, *(each for each in old if each not in new)]:
        was, asks = old.get(rule), new.get(rule)
        if was == asks:
            continue
        told = asks[0] if asks else None
        if was and asks and was[0] == asks[0]:
            told = f"{asks[0]}; {_DIFFERS.get(rule.partition(':')[0], _OTHERWISE)}"
        found.append(Change(rule=rule, was=was[0] if was else None, asks=told))
    return found


_DIFFERS: Final = {
    "holdout": "drawn anew by another salt: other customers than before",
    "hours": "on other days, for other messages or by another law than before",
}
_OTHERWISE: Final = "in details that these words leave out"


def _lines(read: ContactPolicy) -> Iterator[tuple[str, tuple[str, object]]]:
    """Yield every rule and term by its name: what it asks in words, and the value that it is."""
    asked = {rule: asks for rule, asks in rules(read) if rule != GOODWILL}
    values: dict[str, object] = {f"{each.source}:{each.key}": each for each in read.caps}
    values |= {f"exclusion:{each.key}": each for each in read.exclusions}
    values |= {f"order:{each.key}": each for each in read.orders}
    values |= {f"rest:{each.key}": each for each in read.rests}
    values |= {f"hours:{each.key}": _unnumbered(each) for each in (read.hours.rules if read.hours else ())}
    values["holdout"] = read.holdout
    for rule, asks in asked.items():
        yield rule, (asks, values[rule])
    yield from _zones(read.zones)
    if read.hours:
        zones = ", ".join(read.hours.fallback)
        yield "zones:fallback", (f"who is in no zone that we know is taken to be in {zones}", zones)
    yield from _terms(read.goodwill)
    yield "weight_of_benefit", (f"a customer's benefit counts {read.weight_of_benefit:g} times", read.weight_of_benefit)


def _unnumbered(rule: HoursRule) -> HoursRule:
    """Return a rule of hours without the number that the company's own have from the version they stand in."""
    return replace(rule, version=0) if rule.binding == "company" else rule


def _zones(zones: Zones) -> Iterator[tuple[str, tuple[str, object]]]:
    for name in ("zone", "address", "telephone", "country"):
        attribute = getattr(zones, name)
        if attribute:
            yield f"zones:{name}", (f"told by the attribute {attribute}", attribute)


def _terms(terms: Goodwill) -> Iterator[tuple[str, tuple[str, object]]]:
    if not terms.judges:
        return
    for channel, price in terms.prices.items():
        yield f"{GOODWILL}:price of {channel}", (f"a contact costs {price:g}", price)
    named: dict[str, tuple[str, float | None]] = {
        "opening": ("a customer starts with {}", terms.opening),
        "floor": ("no contact that leaves fewer than {}", terms.floor),
        "pressure_days": ("contacts within {} days make the next dearer", terms.pressure_days),
        "ignored": ("takes {} where nothing came of a contact", terms.ignored),
        "opt_out": ("takes {} where a channel is ended", terms.opt_out),
        "price_of_one": ("a point is worth {} beside the offers' values", terms.price_of_one),
    }
    named |= {f"credit for {what}": ("gives {} back", points) for what, points in terms.credits.items()}
    for name, (asks, value) in named.items():
        if value is not None:
            yield f"{GOODWILL}:{name}", (asks.format(f"{value:g}"), value)
