"""`byleave import`: bring in files. A file with a wrong row changes nothing."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click

from api.cli.frame import FILE, Group, at_home, caller, json_option
from api.cli.output import print_facts, print_json, print_line, progress
from api.roles import action
from consent.imports.customers import Imported, bring_in_customers
from consent.imports.mapping import read_mapping
from consent.imports.outcomes import OutcomesImported, bring_in_outcomes
from consent.imports.statements import StatementsImported, bring_in_statements

_F = TypeVar("_F", bound=Callable[..., Any])
_BringIn = Callable[..., Imported | OutcomesImported | StatementsImported]


@click.group(cls=Group)
def bring_in() -> None:
    """Bring in files: customers, statements, outcomes. A file with a wrong row changes nothing."""


def _file_options(command: _F) -> _F:
    for option in (
        click.option("--dry-run", is_flag=True, help="Say what would come in, and store nothing."),
        click.option("--mapping", type=FILE, required=True, help="A TOML file that says which column is what."),
        click.argument("file", type=FILE),
    ):
        command = option(command)
    return command


@bring_in.command(example="byleave import customers customers.csv --mapping mapping.toml --dry-run")
@_file_options
@json_option
@action("imports.make")
def customers(file: Path, mapping: Path, *, dry_run: bool, as_json: bool) -> None:
    """Bring in who customers are and what is known of them: as far as they allow it to be remembered."""
    _bring(bring_in_customers, file, mapping, dry_run=dry_run, as_json=as_json)


@bring_in.command(example="byleave import statements statements.csv --mapping statements_mapping.toml")
@_file_options
@json_option
@action("imports.make")
def statements(file: Path, mapping: Path, *, dry_run: bool, as_json: bool) -> None:
    """Bring in what customers said before. Import this first: facts are remembered only where that is allowed."""
    _bring(bring_in_statements, file, mapping, dry_run=dry_run, as_json=as_json)


@bring_in.command(example="byleave import outcomes outcomes.csv --mapping outcomes_mapping.toml")
@_file_options
@json_option
@action("imports.make")
def outcomes(file: Path, mapping: Path, *, dry_run: bool, as_json: bool) -> None:
    """Bring in what came of treatments: who received which, and what he did then."""
    _bring(bring_in_outcomes, file, mapping, dry_run=dry_run, as_json=as_json)


def _bring(bring: _BringIn, file: Path, mapping: Path, *, dry_run: bool, as_json: bool) -> None:
    with at_home() as house, progress(f"importing {file.name}") as tick:
        deployment = house.deployment
        with deployment.store.read() as work:
            read = read_mapping(mapping, deployment.desk.catalogues.current(work))
        done = bring(deployment, file, read, actor=caller().name, dry_run=dry_run, progress=tick)
    answer = _told(done)
    if as_json:
        print_json(answer)
        return
    print_line(f"{file.name}: " + ("this is what would come in; nothing was stored." if dry_run else "it is in."))
    print_facts(_flat(answer))


def _told(done: Imported | OutcomesImported | StatementsImported) -> dict[str, Any]:
    return {"customers": done.customers, **asdict(done)}


def _flat(answer: dict[str, Any]) -> dict[str, Any]:
    """Return counts within counts as facts of their own: `acts: grant`."""
    plain: dict[str, Any] = {}
    for name, value in answer.items():
        if isinstance(value, dict):
            plain.update({f"{name}: {inner}": count for inner, count in value.items()})
        elif name != "dry_run":
            plain[name] = value
    return plain
