"""`byleave contact-policy`: how often, by what, and at what price in goodwill customers are contacted."""

from pathlib import Path
from typing import Any

import click

from api.cli.frame import FILE, Group, at_home, caller, json_option
from api.cli.output import print_facts, print_json, print_line, print_table, print_verbatim
from api.roles import action
from personalise import shelf
from personalise.contact_policy.model import Cap, ContactPolicy, Goodwill, Matching
from personalise.contact_policy.reading import DEFAULT, read_contact_policy


@click.group("contact-policy", cls=Group)
def contact_policy() -> None:
    """How often, by what and at what price customers are contacted."""


@contact_policy.command(example="byleave contact-policy draft")
@json_option
@action("contact_policy.show")
def draft(*, as_json: bool) -> None:
    """Print the policy that comes with Byleave, to start from."""
    text = DEFAULT.read_text(encoding="utf-8")
    if as_json:
        print_json({"format": "toml", "body": text})
    else:
        print_verbatim(text)


@contact_policy.command(example="byleave contact-policy check contact-policy.toml")
@click.argument("file", type=FILE)
@json_option
@action("contact_policy.show")
def check(file: Path, *, as_json: bool) -> None:
    """Check a contact policy file against the catalogue in force. Nothing changes."""
    with at_home() as house, house.deployment.store.read() as work:
        read = read_contact_policy(file, house.deployment.desk.catalogues.current(work))
    if as_json:
        print_json(_told(read))
        return
    print_line(f"{file.name} holds.")
    _print(read)


@contact_policy.command(example="byleave contact-policy publish contact-policy.toml")
@click.argument("file", type=FILE)
@json_option
@action("contact_policy.publish")
def publish(file: Path, *, as_json: bool) -> None:
    """Publish a contact policy file. It holds from the next decision on; runs under way go on under theirs."""
    with at_home() as house:
        deployment = house.deployment
        at = deployment.clock()
        with deployment.store.write() as work:
            read = read_contact_policy(file, deployment.desk.catalogues.current(work))
            version = shelf.publish_contact_policy(deployment.desk, work, read, actor=caller().name, at=at)
    if as_json:
        print_json({"version": version, "at": at})
    else:
        print_line(f"Version {version} of the contact policy holds from now on.")


@contact_policy.command(example="byleave contact-policy show")
@click.option("--version", type=click.IntRange(1), help="A published version; the newest, where left out.")
@json_option
@action("contact_policy.show")
def show(version: int | None, *, as_json: bool) -> None:
    """Show the contact policy that holds, or a version of it."""
    with at_home() as house, house.deployment.store.read() as work:
        catalogue = house.deployment.desk.catalogues.current(work)
        read = shelf.load_contact_policy(work, catalogue, version=version)
    if as_json:
        print_json(_told(read))
    elif read.version:
        print_facts({"version": read.version})
        _print(read)
    else:
        print_line("Nothing is published: campaigns are held back by their own caps alone.")
        print_line("A policy to start from: byleave contact-policy draft")


def _print(read: ContactPolicy) -> None:
    print_table(("rule", "what it asks"), list(_rules(read)), empty="It holds nothing back.")


def _rules(read: ContactPolicy) -> list[tuple[str, str]]:
    rules = [(f"{cap.source}:{cap.key}", _cap(cap)) for cap in read.caps]
    rules += [
        (f"exclusion:{each.key}", f"no {_named(each.one)} within {each.days} days of {_named(each.other)}")
        for each in read.exclusions
    ]
    rules += [
        (f"order:{each.key}", f"{_named(each.then)} only after {_named(each.first)} in the last {each.days} days")
        for each in read.orders
    ]
    rules += [
        (f"rest:{each.key}", f"{each.days} days after a no, for {', '.join(each.families) or 'every offer family'}")
        for each in read.rests
    ]
    rules += [
        (f"hours:{rule.key}", rule.source or "the company's hours") for rule in (read.hours.rules if read.hours else ())
    ]
    return rules + _goodwill(read.goodwill)


def _cap(cap: Cap) -> str:
    return f"at most {cap.limit} {_named(cap.counts)} in {cap.days} days"


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


def _told(read: ContactPolicy) -> dict[str, Any]:
    terms = read.goodwill
    return {
        "version": read.version or None,
        "rules": [{"rule": rule, "asks": asks} for rule, asks in _rules(read)],
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
