"""`byleave catalogue`: what may be asked of customers, in which words."""

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from api.cli.frame import FILE, VERSION, Group, Instant, Number, Words, at_home, caller, json_option, past
from api.cli.output import print_facts, print_json, print_line, print_table, print_verbatim, say
from api.roles import action
from consent import notices
from consent.base.counting import counted
from consent.catalogue.duration import Duration
from consent.catalogue.model import Catalogue, ScopeRule, Titled
from consent.catalogue.reading import read_catalogue
from consent.register import history, publishing
from consent.register import impact as weighing
from consent.register.impact import Impact

_CHANGES = {
    "added": "new",
    "removed": "no longer asked",
    "changed": "asked differently",
    "asks_again": "has to be asked again",
}


@click.group(cls=Group)
def catalogue() -> None:
    """What may be asked of customers, in which words."""


@catalogue.command(example="byleave catalogue show")
@click.option("--version", type=VERSION, help="A published version; the one in force, where left out.")
@click.option("--as-of", type=Instant(), help="A past time (RFC 3339): the version that was in force then.")
@json_option
@action("catalogue.show")
def show(version: int | None, as_of: datetime | None, *, as_json: bool) -> None:
    """Show the catalogue that is in force, or a version of it."""
    if version and as_of:
        raise click.UsageError("give --version or --as-of, not both")
    with at_home() as house, house.deployment.store.read() as work:
        catalogues = house.deployment.desk.catalogues
        past(as_of, house.deployment.clock(), option="--as-of")
        number = history.ledger_at(work, as_of)[1] if as_of else version
        chosen = catalogues.version(work, number) if number is not None else catalogues.current(work)
    if as_json:
        print_json(_told(chosen))
        return
    print_facts({"name": chosen.name, "version": chosen.version, "sha256": chosen.digest.hex()})
    print_line()
    print_table(
        ("scope", "stands on", "notice", "valid for", "benefit to the customer"),
        [(rule.scope, rule.legal_basis, rule.notice, _length(rule.validity), rule.benefit) for rule in chosen.in_order],
        empty="It asks for nothing.",
    )
    print_line()
    named = (("purpose", chosen.purposes), ("channel", chosen.channels))
    print_table(
        ("what is named in campaigns", "is a", "title"),
        [(each.key, kind, each.title) for kind, those in named for each in those.values()],
        empty="It has no purposes and no channels.",
    )
    print_line()
    print_table(
        ("attribute", "type", "category"),
        [(each.name, each.type, each.category) for each in chosen.attributes.values()],
        empty="Nothing is remembered.",
    )


@catalogue.command(example="byleave catalogue diff catalogue.toml")
@click.argument("file", type=FILE)
@json_option
@action("catalogue.show")
def diff(file: Path, *, as_json: bool) -> None:
    """Say what a catalogue file would change, and which scopes would have to be asked again."""
    new = read_catalogue(file)
    with at_home() as house:
        deployment = house.deployment
        with deployment.store.read() as work:
            old = deployment.desk.catalogues.current(work)
        found = weighing.impact(deployment.desk, deployment.store, new, at=deployment.clock())
    if as_json:
        same = {"version": old.version, "same": old.digest == new.digest}
        otherwise = [each._asdict() for each in found.redeclared]
        print_json({**same, **found.changes, "redeclared": otherwise, **_counts(found)})
        return
    rows = [
        (scope, _CHANGES[kind], found.by_scope.get(scope, 0)) for kind, scopes in found.changes.items()
        for scope in scopes
    ]  # fmt: skip
    if not rows and not found.redeclared:
        apart = "" if old.digest == new.digest else ", apart from how the file is written"
        print_line(f"It is the same as version {old.version}, which is in force{apart}.")
        return
    empty = f"As to scopes it is the same as version {old.version}, which is in force."
    print_table(("scope", "would be", "customers who permit it now"), rows, empty=empty)
    if found.redeclared:
        print_line()
        print_table(
            ("what else", "of it", "is", "would be"),
            [(f"{each.kind} {each.key}".strip(), each.part, each.old, each.new) for each in found.redeclared],
            empty="",
        )
    print_line(_sentence(found, "would ask", "would lose"))


@catalogue.command(example="byleave catalogue publish catalogue.toml")
@click.argument("file", type=FILE)
@json_option
@action("catalogue.publish")
def publish(file: Path, *, as_json: bool) -> None:
    """Publish a catalogue file: it is in force from the ledger's next entry on, and never changes again."""
    new = read_catalogue(file)
    with at_home() as house:
        deployment = house.deployment
        found = weighing.impact(deployment.desk, deployment.store, new, at=deployment.clock())
        with deployment.store.write() as work:
            at = deployment.clock()
            version = publishing.publish(deployment.desk, work, new, actor=caller().name, at=at)
    if as_json:
        print_json({"version": version, "name": new.name, "sha256": new.digest.hex(), "at": at, **_counts(found)})
    else:
        print_line(f"Version {version} of “{new.name}” is in force.")
        print_line(_sentence(found, "asks", "loses"))


@catalogue.command(example="byleave catalogue notice use-purchases-recommendations --language de")
@click.argument("key", type=Words("notice", 63))
@click.option("--version", type=Number(1, 65_535), help="A version of it; the newest, where left out.")
@click.option("--language", type=Words("tag", 32), default="en", show_default=True, help="The language asked for.")
@json_option
@action("catalogue.show")
def notice(key: str, version: int | None, language: str, *, as_json: bool) -> None:
    """Show the exact words that a customer of some language was shown, and their hash."""
    with at_home() as house, house.deployment.store.read() as work:
        newest = max((each.version for each in notices.published(work, key)), default=0)
        found = notices.wording(work, key, version or newest, language)
    if as_json:
        print_json(
            {"notice": found.key, "version": found.version, "language": found.language, "material": found.material,
             "wording": found.wording, "sha256": found.digest.hex(), "published_at": found.published_at,
             "position": found.position}
        )  # fmt: skip
        return
    print_verbatim(found.wording)
    say(f"version {found.version}, {found.language}, SHA-256 {found.digest.hex()}, ledger entry {found.position}")


def _counts(found: Impact) -> dict[str, Any]:
    return {
        "customers": found.customers,
        "asked_again": found.asked_again,
        "lost": found.lost,
        "by_scope": dict(found.by_scope),
    }


def _sentence(found: Impact, asks: str, loses: str) -> str:
    lost = f", and {loses} what {found.lost:,} allowed" if found.lost else ""
    return f"This change {asks} {found.asked_again:,} of {counted(found.customers, 'customer')} again{lost}."


def _told(chosen: Catalogue) -> dict[str, Any]:
    return {
        "name": chosen.name,
        "version": chosen.version,
        "sha256": chosen.digest.hex(),
        "purposes": [
            {**_named(each), "description": each.description, "marketing": each.marketing}
            for each in chosen.purposes.values()
        ],
        "categories": [
            {
                **_named(each), "origin": each.origin, "special": each.special,
                "attributes": {item.name: item.type for item in each.attributes},
            }
            for each in chosen.categories.values()
        ],
        "channels": [_named(each) for each in chosen.channels.values()],
        "recipients": [_named(each) for each in chosen.recipients.values()],
        "notices": [
            {"key": each.key, "version": each.version, "material": each.material, "wording": dict(each.wording),
             "sha256": {language: each.digest(language) for language in each.wording}}
            for each in chosen.notices.values()
        ],
        "scopes": [_scope(rule) for rule in chosen.in_order],
    }  # fmt: skip


def _named(each: Titled) -> dict[str, Any]:
    return {"key": each.key, "title": each.title, "titles": dict(each.titles)}


def _scope(rule: ScopeRule) -> dict[str, Any]:
    return {
        "scope": rule.scope, "legal_basis": rule.legal_basis, "notice": rule.notice, "benefit": rule.benefit,
        "benefits": dict(rule.benefits),
        "validity": _length(rule.validity) or None, "retention": _length(rule.retention) or None,
        "double_opt_in": rule.double_opt_in, "minimum_age": rule.minimum_age, "gpc": rule.gpc,
    }  # fmt: skip


def _length(duration: Duration | None) -> str:
    if duration is None:
        return ""
    months = f"{duration.months}M" if duration.months else ""
    return f"P{months}{f'{duration.days}D' if duration.days else ''}"
