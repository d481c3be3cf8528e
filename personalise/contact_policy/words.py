"""PURE: a contact policy in words: each rule, and what it asks."""

from typing import Any

from personalise.contact_policy.model import Cap, ContactPolicy, Goodwill, Matching


def rules(read: ContactPolicy) -> list[tuple[str, str]]:
    """Return each rule by its name, and what it asks."""
    found = [(f"{cap.source}:{cap.key}", _cap(cap)) for cap in read.caps]
    found += [
        (f"exclusion:{each.key}", f"no {_named(each.one)} within {each.days} days of {_named(each.other)}")
        for each in read.exclusions
    ]
    found += [
        (f"order:{each.key}", f"{_named(each.then)} only after {_named(each.first)} in the last {each.days} days")
        for each in read.orders
    ]
    found += [
        (f"rest:{each.key}", f"{each.days} days after a no, for {', '.join(each.families) or 'every offer family'}")
        for each in read.rests
    ]
    found += [
        (f"hours:{rule.key}", rule.source or "the company's hours") for rule in (read.hours.rules if read.hours else ())
    ]
    if read.holdout.share:
        share = f"{read.holdout.share / 100:g} %"
        found.append(
            ("holdout", f"{share} of the customers are held out of all campaigns by chance, to measure against")
        )
    return found + _goodwill(read.goodwill)


def _cap(cap: Cap) -> str:
    with_whom = " with all of a household" if cap.per == "household" else ""
    return f"at most {cap.limit} {_named(cap.counts)}{with_whom} in {cap.days} days"


def _named(which: Matching) -> str:
    fields = ("channels", "purposes", "tags", "campaigns", "offers", "families")
    said = [f"{name} {', '.join(names)}" for name in fields if (names := getattr(which, name))]
    return f"contacts ({'; '.join(said)})" if said else "contacts"


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
