"""`byleave catalogue`: what may be asked of customers, in which words."""

from pathlib import Path
from typing import Any

import click

from api.cli.frame import FILE, Group, at_home, caller, json_option
from api.cli.output import print_facts, print_json, print_line, print_table
from api.roles import action
from consent.catalogue.duration import Duration
from consent.catalogue.model import Catalogue, ScopeRule, difference
from consent.catalogue.reading import read_catalogue
from consent.register import publishing

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
@click.option("--version", type=click.IntRange(1), help="A published version; the one in force, where left out.")
@json_option
@action("catalogue.show")
def show(version: int | None, *, as_json: bool) -> None:
    """Show the catalogue that is in force, or a version of it."""
    with at_home() as house, house.deployment.store.read() as work:
        catalogues = house.deployment.desk.catalogues
        chosen = catalogues.version(work, version) if version else catalogues.current(work)
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


@catalogue.command(example="byleave catalogue diff catalogue.toml")
@click.argument("file", type=FILE)
@json_option
@action("catalogue.show")
def diff(file: Path, *, as_json: bool) -> None:
    """Say what a catalogue file would change, and which scopes would have to be asked again."""
    new = read_catalogue(file)
    with at_home() as house, house.deployment.store.read() as work:
        old = house.deployment.desk.catalogues.current(work)
    changes = difference(old, new)
    if as_json:
        print_json({"version": old.version, "same": old.digest == new.digest, **changes})
        return
    rows = [(scope, _CHANGES[kind]) for kind, scopes in changes.items() for scope in scopes]
    same = "It is" if old.digest == new.digest else "As to scopes it is"
    print_table(("scope", "would be"), rows, empty=f"{same} the same as version {old.version}, which is in force.")


@catalogue.command(example="byleave catalogue publish catalogue.toml")
@click.argument("file", type=FILE)
@json_option
@action("catalogue.publish")
def publish(file: Path, *, as_json: bool) -> None:
    """Publish a catalogue file: it is in force from the ledger's next entry on, and never changes again."""
    new = read_catalogue(file)
    with at_home() as house:
        deployment = house.deployment
        at = deployment.clock()
        with deployment.store.write() as work:
            version = publishing.publish(deployment.desk, work, new, actor=caller().name, at=at)
    if as_json:
        print_json({"version": version, "name": new.name, "sha256": new.digest.hex(), "at": at})
    else:
        print_line(f"Version {version} of “{new.name}” is in force.")


def _told(chosen: Catalogue) -> dict[str, Any]:
    return {
        "name": chosen.name,
        "version": chosen.version,
        "sha256": chosen.digest.hex(),
        "purposes": [
            {"key": each.key, "title": each.title, "description": each.description, "marketing": each.marketing}
            for each in chosen.purposes.values()
        ],
        "categories": [
            {
                "key": each.key, "title": each.title, "origin": each.origin, "special": each.special,
                "attributes": {item.name: item.type for item in each.attributes},
            }
            for each in chosen.categories.values()
        ],
        "channels": [{"key": each.key, "title": each.title} for each in chosen.channels.values()],
        "recipients": [{"key": each.key, "title": each.title} for each in chosen.recipients.values()],
        "notices": [
            {"key": each.key, "version": each.version, "material": each.material, "wording": dict(each.wording)}
            for each in chosen.notices.values()
        ],
        "scopes": [_scope(rule) for rule in chosen.in_order],
    }  # fmt: skip


def _scope(rule: ScopeRule) -> dict[str, Any]:
    return {
        "scope": rule.scope, "legal_basis": rule.legal_basis, "notice": rule.notice, "benefit": rule.benefit,
        "validity": _length(rule.validity) or None, "retention": _length(rule.retention) or None,
        "double_opt_in": rule.double_opt_in, "minimum_age": rule.minimum_age, "gpc": rule.gpc,
    }  # fmt: skip


def _length(duration: Duration | None) -> str:
    if duration is None:
        return ""
    months = f"{duration.months}M" if duration.months else ""
    return f"P{months}{f'{duration.days}D' if duration.days else ''}"
