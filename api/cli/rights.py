"""`byleave customer export|file|correct|forget`: what a customer is given, his file, and what is set right in it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

import click

from api.cli.frame import (
    FILE,
    Command,
    Instant,
    Refused,
    Words,
    at_home,
    caller,
    customer_argument,
    found,
    json_option,
    past,
)
from api.cli.output import print_facts, print_json, print_line, print_table, say
from api.roles import action
from api.wiring import House
from consent.rights import correcting, exporting, file, looking, typed
from consent.rights.correcting import Corrected
from consent.rights.exporting import Form
from consent.rights.file import File
from consent.rights.looking import Why
from consent.rights.sections import Row
from consent.rights.typed import Value
from personalise.steps.personalise.sentences import LANGUAGES

_REASON: Final = click.option(
    "--reason", type=Words("text", 2_000), default="asked for at the shell", show_default=True,
    help="Why; it is written down, with who did it.",
)  # fmt: skip
_SHOWN: Final = 20
"""Rows of a section that people are shown; all of them stand in the JSON."""


@click.command(cls=Command, example="byleave customer export S000001 --format jsonld --out S000001.jsonld")
@customer_argument
@click.option(
    "--format", "form", type=click.Choice([str(each) for each in Form]), default=str(Form.JSON), show_default=True,
    help="How it is written.",
)  # fmt: skip
@click.option(
    "--language", type=click.Choice(list(LANGUAGES)), default="en", show_default=True,
    help="In which decisions are explained to him.",
)  # fmt: skip
@click.option("--out", type=FILE, help="The file to write, which only you can read; stdout, where left out.")
@_REASON
@json_option
@action("customers.export")
def export(customer: str, *, form: str, language: str, out: Path | None, reason: str, as_json: bool) -> None:
    """Write out all that is kept of a customer and known of him. It is recorded before it is written."""
    with at_home() as house:
        deployment = house.deployment
        with deployment.store.write() as work:
            who = found(house, work, customer)
            begun = exporting.start(
                deployment.desk, work, who, Form(form), actor=caller().name, reason=reason, at=deployment.clock()
            )
        with _opened(out) as written:
            for piece in exporting.written(deployment.store, deployment.desk, begun, house.elsewhere(language)):
                written.write(piece)
    if out is not None:
        told = {"customer": begun.customer, "export": begun.id, "position": begun.position, "file": str(out)}
        _print(told, as_json=as_json)


@contextmanager
def _opened(out: Path | None) -> Iterator[BinaryIO]:
    """Open a new file that only its owner can read, or stdout."""
    if out is None:
        yield sys.stdout.buffer
        return
    try:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as there:
        raise Refused(f"{out} is there already: it is not written over") from there
    except OSError as wrong:
        raise click.BadParameter(f"{out} can't be written: {wrong.strerror}", param_hint="--out") from wrong
    with os.fdopen(handle, "wb") as opened:
        yield opened


@click.command("file", cls=Command, example='byleave customer file S000001 --reason "a complaint" --json')
@customer_argument
@click.option("--as-of", type=Instant(), help="A past time (RFC 3339); now, where left out.")
@_REASON
@json_option
@action("customers.file")
def file_(customer: str, *, as_of: datetime | None, reason: str, as_json: bool) -> None:
    """Show a customer's complete file: what stood then, and the ledger entry that each claim stands on."""
    with at_home() as house:
        deployment = house.deployment
        at = deployment.clock()
        then = past(as_of, at, option="--as-of")
        with deployment.store.write() as work:
            who = found(house, work, customer)
            look = looking.start(deployment.desk, work, who, Why.FILE, actor=caller().name, reason=reason, at=at)
            opened = file.opened(deployment.desk, work, look, as_of=then)
        sections = {name: list(rows) for name, rows in _sections(house, opened)}
    if as_json:
        print_json({**file.head(opened), **sections})
        return
    print_facts(file.head(opened))
    for name, rows in sections.items():
        _print_section(name, rows)


def _sections(house: House, opened: File) -> Any:  # noqa: ANN401 -- names and rows
    return file.written(house.deployment.store, house.deployment.desk, opened, house.elsewhere())


def _print_section(name: str, rows: list[Row]) -> None:
    print_line()
    print_line(f"{name} ({len(rows):,})")
    columns = [key for key in (rows[0] if rows else {}) if key not in _LONG]
    print_table(columns, [[_cell(row.get(key)) for key in columns] for row in rows[:_SHOWN]], empty="  none")
    if len(rows) > _SHOWN:
        say(f"{len(rows) - _SHOWN:,} more stand in the JSON: --json")


_LONG: Final = frozenset({"notices", "text", "steps", "leaf_hash", "sha256", "benefit", "explanation"})


def _cell(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


@click.command(cls=Command, example='byleave customer correct S000001 main_interest=garden --reason "He rang."')
@customer_argument
@click.argument("facts", metavar="ATTRIBUTE=VALUE...", type=Words("fact", 2_100), nargs=-1, required=True)
@_REASON
@json_option
@action("customers.correct")
def correct(customer: str, facts: tuple[str, ...], *, reason: str, as_json: bool) -> None:
    """Set right what is remembered of a customer. The ledger tells which facts, and never what they were or are."""
    with at_home() as house:
        deployment = house.deployment
        with deployment.store.write() as work:
            who = found(house, work, customer)
            known = deployment.desk.catalogues.current(work).attributes
            values: dict[str, Value] = {}
            for fact in facts:
                name, sign, text = fact.partition("=")
                if not sign or name not in known:
                    why = "is not ATTRIBUTE=VALUE" if not sign else "is no attribute of the catalogue"
                    raise click.BadParameter(f"{name!r} {why}", param_hint="ATTRIBUTE=VALUE")
                values[name] = typed.typed(known[name], text)
            done = correcting.correct(
                deployment.desk, work, who, values, actor=caller().name, reason=reason, at=deployment.clock()
            )
    _print_done(done, as_json=as_json)


@click.command(cls=Command, example='byleave customer forget S000001 main_interest --reason "He rang."')
@customer_argument
@click.argument("attributes", metavar="ATTRIBUTE...", type=Words("attribute"), nargs=-1, required=True)
@_REASON
@json_option
@action("customers.correct")
def forget(customer: str, attributes: tuple[str, ...], *, reason: str, as_json: bool) -> None:
    """Remove facts that are remembered of a customer. What may be remembered stays as it is."""
    with at_home() as house:
        deployment = house.deployment
        with deployment.store.write() as work:
            who = found(house, work, customer)
            done = correcting.remove(
                deployment.desk, work, who, attributes, actor=caller().name, reason=reason, at=deployment.clock()
            )
    _print_done(done, as_json=as_json)


def _print_done(done: Corrected, *, as_json: bool) -> None:
    told = {"customer": done.customer, "attributes": list(done.attributes), "position": done.position}
    _print(told, as_json=as_json)


def _print(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(told)
    else:
        print_facts(told)
