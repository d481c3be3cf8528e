"""PURE: a contact policy as the console explains it: its rules, what contacts cost, who published which version."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from api.pages import present
from consent.base.errors import Invalid, Place
from consent.catalogue.model import Catalogue
from personalise.contact_policy.changes import Change
from personalise.contact_policy.model import ContactPolicy, Goodwill
from personalise.contact_policy.words import told
from personalise.shelf import PolicyVersion

_KINDS: Final = {
    "company": "Limit of the company",
    "law": "Limit by law",
    "exclusion": "What doesn't go together",
    "order": "What comes first",
    "rest": "Rest after a no",
    "hours": "Quiet hours",
    "holdout": "Held out",
    "zones": "Where customers are",
    "goodwill": "Goodwill",
    "weight_of_benefit": "Weight of a customer's benefit",
}
_GIVES: Final = {"answer": "an answer", "purchase": "a purchase", "promise_kept": "a kept promise", "thanks": "thanks"}
_GOODWILL: Final = "goodwill"
_LINE: Final = re.compile(r"line ([1-9][0-9]{0,6})", re.ASCII)
_LONGEST_LINE: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: of which kind it is, what it is called ("" where there is only one), and what it asks."""

    kind: str
    name: str
    asks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruled:
    """A contact policy in words."""

    finding: str
    rules: tuple[Rule, ...]
    prices: tuple[tuple[str, str], ...]
    """What one contact costs, by channel."""
    goodwill: tuple[tuple[str, str], ...]
    weight: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Altered:
    """One rule that differs: what it asked and what it asks, "" where it was not there or is no longer."""

    kind: str
    name: str
    was: str
    asks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What one version changes in another; `rules` is None where the other can't be read any more."""

    finding: str
    rules: tuple[Altered, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version: who published it, when."""

    number: int
    title: str
    when: str
    by: str
    entry: str
    in_force: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """One thing that stands against a policy: at which field of the form, where in the file, and why."""

    field: str
    where: str
    why: str
    line: str = ""
    """The line of the file that is meant, where the place names one."""


def ruled(read: ContactPolicy, catalogue: Catalogue) -> Ruled:
    """Return a contact policy in words."""
    every = told(read)
    rules = tuple(_rule(each["rule"], each["asks"]) for each in every["rules"] if each["rule"] != _GOODWILL)
    prices = every["goodwill"]["prices"]
    return Ruled(
        finding=_finding(rules, prices),
        rules=rules,
        prices=tuple((_channel(key, catalogue), _points(price)) for key, price in prices.items()),
        goodwill=_terms(read.goodwill) if prices else (),
        weight=_weight(every["weight_of_benefit"]),
    )


def changed(found: Sequence[Change] | None) -> Changed:
    """Return what changes, rule by rule."""
    if found is None:
        return Changed(finding="It doesn't fit the catalogue in force, so nobody can tell what changes.", rules=None)
    if not found:
        return Changed(finding="Nothing: it asks the same, in whatever words it is written.", rules=())
    counts = (
        ("new", sum(each.was is None for each in found)),
        ("changed", sum(None not in (each.was, each.asks) for each in found)),
        ("gone", sum(each.asks is None for each in found)),
    )
    told_ = ", ".join(f"{count} {what}" for what, count in counts if count)
    return Changed(finding=f"Rules and terms: {told_}.", rules=tuple(_altered(each) for each in found))


def _altered(change: Change) -> Altered:
    kind, _, key = change.rule.partition(":")
    return Altered(kind=_KINDS.get(kind, kind), name=key, was=_upper(change.was or ""), asks=_upper(change.asks or ""))


def _rule(name: str, asks: str) -> Rule:
    kind, _, key = name.partition(":")
    return Rule(kind=_KINDS.get(kind, kind), name=key, asks=f"{_upper(asks)}.")


def _upper(asks: str) -> str:
    return f"{asks[:1].upper()}{asks[1:]}"


def _finding(rules: Sequence[Rule], prices: Mapping[str, float]) -> str:
    if not rules and not prices:
        return "It holds nothing back: campaigns keep to their own limits alone."
    held = f"{present.counted(len(rules), 'rule')} hold{'s' * (len(rules) == 1)} contacts back"
    cost = f"contacts on {present.counted(len(prices), 'channel')} cost goodwill"
    told_ = [*([held] if rules else []), *([cost] if prices else [])]
    return f"Over all campaigns {', and '.join(told_)}."


def _channel(key: str, catalogue: Catalogue) -> str:
    return catalogue.channels[key].title if key in catalogue.channels else key


def _points(amount: float) -> str:
    """Return points of goodwill.

    >>> _points(1.0), _points(1.5)
    ('1 point', '1.5 points')
    """
    return f"{present.number(amount)} point{'s' * (amount != 1)}"


def _terms(terms: Goodwill) -> tuple[tuple[str, str], ...]:
    back = [f"{_GIVES.get(key, key)} {present.number(points)}" for key, points in terms.credits.items() if points]
    floor = "" if terms.floor is None else f"no contact that would leave fewer than {_points(terms.floor)}"
    return (
        ("Each customer starts with", _points(terms.opening)),
        ("Floor", floor or "none: an account can be spent to the last point"),
        (
            "Contacts close together",
            f"each one in {present.counted(terms.pressure_days, 'day')} makes the next dearer, by its own price",
        ),
        ("Nothing came of a contact", f"takes {_points(terms.ignored)}" if terms.ignored else "takes nothing more"),
        ("A channel is ended", f"takes {_points(terms.opt_out)}" if terms.opt_out else "takes nothing"),
        ("A complaint", "takes all there is"),
        ("Given back by", f"{present.listed(back)}; never beyond the start" if back else "nothing"),
        (
            "One point is worth",
            f"{present.number(terms.price_of_one)} beside the offers' values; twice that where the account is spent"
            if terms.price_of_one
            else "nothing beside the offers' values",
        ),
    )


def _weight(weight: float) -> str:
    """Return how a customer's benefit is weighed.

    >>> _weight(0.5)
    "A customer's benefit counts 0.5 times the company's value."
    """
    times = "as much as" if weight == 1 else f"{present.number(weight)} times"
    return f"A customer's benefit counts {times} the company's value."


def versions(published: Sequence[PolicyVersion]) -> tuple[Version, ...]:
    """Return versions, the newest of which is in force, in the order that they come in: the newest first."""
    return tuple(
        Version(
            number=each.version,
            title=f"Version {each.version}",
            when=present.moment(each.published_at),
            by=each.published_by,
            entry=f"entry {each.position:,} of the ledger",
            in_force=place == 0,
        )
        for place, each in enumerate(published)
    )


def wrongs(unfit: Invalid, body: str) -> tuple[Wrong, ...]:
    """Return every place at which a policy is wrong, with the line of the text that is meant."""
    places = unfit.places or (Place("", unfit.detail or unfit.title),)
    lines = body.split("\n")
    return tuple(
        Wrong(field="body", where=place.where, why=_sentence(place), line=_meant(place, lines)) for place in places
    )


def _sentence(place: Place) -> str:
    return f"{place.why[:1].upper()}{place.why[1:]}" if not place.where else place.why


def _meant(place: Place, lines: Sequence[str]) -> str:
    found = _LINE.match(place.where)
    number = int(found[1]) if found else 0
    return lines[number - 1].strip()[:_LONGEST_LINE] if 0 < number <= len(lines) else ""
