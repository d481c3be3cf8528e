"""`byleave contact-policy`: how often, by what, and at what price in goodwill customers are contacted."""

from dataclasses import asdict
from pathlib import Path

import click

from api.cli.frame import FILE, VERSION, VERSION_OR_NONE, Group, at_home, caller, json_option
from api.cli.output import print_facts, print_json, print_line, print_table, print_verbatim
from api.roles import action
from personalise import shelf
from personalise.contact_policy.changes import changes
from personalise.contact_policy.model import ContactPolicy
from personalise.contact_policy.reading import DEFAULT, read_contact_policy
from personalise.contact_policy.words import rules, told
from personalise.life import ruling


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
        ruling.foresee(work, read)
        advice = ruling.untold(read, house.deployment.desk.catalogues.current(work))
    if as_json:
        print_json({**told(read), "advice": [each._asdict() for each in advice]})
        return
    print_line(f"{file.name} holds.")
    for each in advice:
        print_line(f"But {each.where}: {each.why}.")
    _print(read)


@contact_policy.command(example="byleave contact-policy diff contact-policy.toml")
@click.argument("file", type=FILE, required=False)
@click.option("--version", type=VERSION, help="A published version, in place of a file.")
@click.option("--before", type=VERSION_OR_NONE, help="The version to hold it against; 0 is none at all.")
@json_option
@action("contact_policy.show")
def diff(file: Path | None, version: int | None, before: int | None, *, as_json: bool) -> None:
    """Say what a contact policy file changes in the one that holds, or what a version changed in the one before it."""
    if (file is None) == (version is None):
        raise click.UsageError("Name a file, or a version by --version.")
    with at_home() as house, house.deployment.store.read() as work:
        catalogue = house.deployment.desk.catalogues.current(work)
        since = before if before is not None else (version or shelf.newest_contact_policy(work) + 1) - 1
        old = shelf.load_contact_policy(work, catalogue, version=since)
        new = (
            read_contact_policy(file, catalogue)
            if file
            else shelf.load_contact_policy(work, catalogue, version=version)
        )
    found = changes(old, new)
    if as_json:
        print_json({"before": since or None, "version": version, "changes": [asdict(each) for each in found]})
        return
    against = f"version {since}" if since else "having no policy"
    rows = [(each.rule, each.was or "-", each.asks or "-") for each in found]
    print_table(("rule", "was", "would be" if file else "is"), rows, empty=f"It asks the same as {against}.")


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
            version = ruling.publish(deployment.desk, work, read, actor=caller().name, at=at)
    if as_json:
        print_json({"version": version, "at": at})
    else:
        print_line(f"Version {version} of the contact policy holds from now on.")


@contact_policy.command(example="byleave contact-policy show")
@click.option("--version", type=VERSION, help="A published version; the newest, where left out.")
@json_option
@action("contact_policy.show")
def show(version: int | None, *, as_json: bool) -> None:
    """Show the contact policy that holds, or a version of it."""
    with at_home() as house, house.deployment.store.read() as work:
        catalogue = house.deployment.desk.catalogues.current(work)
        read = shelf.load_contact_policy(work, catalogue, version=version)
    if as_json:
        print_json(told(read))
    elif read.version:
        print_facts({"version": read.version})
        _print(read)
    else:
        print_line("Nothing is published: campaigns are held back by their own caps alone.")
        print_line("A policy to start from: byleave contact-policy draft")


def _print(read: ContactPolicy) -> None:
    print_table(("rule", "what it asks"), rules(read), empty="It holds nothing back.")
