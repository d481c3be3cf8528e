"""`byleave import`: bring in files. A file with a wrong row changes nothing, unless it is asked for by `--partly`."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import orjson

from api.cli.frame import FILE, Group, at_home, caller, json_option
from api.cli.output import Tick, print_facts, print_json, print_line, print_table, progress
from api.roles import action
from consent.imports.customers import Imported, bring_in_customers
from consent.imports.faults import Details
from consent.imports.formats import AUTO, FORMATS, detected
from consent.imports.mapping import FileMapping, read_mapping
from consent.imports.outcomes import OutcomesImported, bring_in_outcomes
from consent.imports.passes import Deployed, Options
from consent.imports.statements import StatementsImported, bring_in_statements
from personalise.responses.outcomes import note_brought

_F = TypeVar("_F", bound=Callable[..., Any])
_Made = Imported | OutcomesImported | StatementsImported
_BringIn = Callable[[Deployed, Path, FileMapping, Options], _Made]

_SHOWN: Final = 20
"""Rows that a dry run prints; all of them go to the file of `--rows`."""

_WORDS: Final[Mapping[str, str]] = {
    "new": "new customers",
    "recorded": "statements recorded",
    "repeated": "recorded before",
    "unknown": "left unknown",
    "silent": "rows that say nothing",
    "left_out": "rows left out",
    "stored": "facts kept",
    "refused": "facts that may not be kept",
    "households": "came into a household",
    "acts": "said",
    "changes": "would be",
    "seq": "ledger entry",
}


@click.group(cls=Group)
def bring_in() -> None:
    """Bring in files: customers, statements, outcomes. A file with a wrong row changes nothing."""


def _file_options(command: _F) -> _F:
    for option in (
        click.option("--rows", type=FILE, help="A new file for what becomes of every row, as JSON Lines."),
        click.option("--refused", type=FILE, help="A new file for the rows left out, to correct and import again."),
        click.option("--partly", is_flag=True, help="Bring in the good rows of a file with wrong ones."),
        click.option("--dry-run", is_flag=True, help="Say what would change, row by row, and store nothing."),
        click.option(
            "--format",
            "written",
            type=click.Choice([*FORMATS, AUTO]),
            help="How the file is written, where the mapping doesn't say; auto looks at the file.",
        ),
        click.option("--mapping", type=FILE, required=True, help="A TOML file that says which column is what."),
        click.argument("file", type=FILE),
    ):
        command = option(command)
    return command


@bring_in.command(example="byleave import customers customers.csv --mapping mapping.toml --dry-run")
@_file_options
@json_option
@action("imports.make")
def customers(file: Path, mapping: Path, *, as_json: bool, **how: Any) -> None:  # noqa: ANN401 -- the options above
    """Bring in who customers are and what is known of them: as far as they allow it to be remembered."""
    _bring(bring_in_customers, file, mapping, as_json=as_json, **how)


@bring_in.command(example="byleave import statements statements.csv --mapping statements_mapping.toml")
@_file_options
@json_option
@action("imports.make")
def statements(file: Path, mapping: Path, *, as_json: bool, **how: Any) -> None:  # noqa: ANN401 -- the options above
    """Bring in what customers said before. Import this first: facts are remembered only where that is allowed.

    Rows that would give more count only with evidence. What stands in the ledger already isn't recorded again.
    """
    _bring(bring_in_statements, file, mapping, as_json=as_json, **how)


@bring_in.command(example="byleave import outcomes outcomes.csv --mapping outcomes_mapping.toml")
@_file_options
@json_option
@action("imports.make")
def outcomes(file: Path, mapping: Path, *, as_json: bool, **how: Any) -> None:  # noqa: ANN401 -- the options above
    """Bring in what came of treatments: who received which, what he did then, and when."""
    _bring(partial(bring_in_outcomes, stored=note_brought), file, mapping, as_json=as_json, **how)


def _bring(  # noqa: PLR0913 -- the options of a command
    bring: _BringIn,
    file: Path,
    mapping: Path,
    *,
    written: str | None,
    dry_run: bool,
    partly: bool,
    refused: Path | None,
    rows: Path | None,
    as_json: bool,
) -> None:
    if refused and not partly:
        raise click.UsageError("--refused needs --partly: without it no row is left out, the whole file is refused")
    shown: list[Mapping[str, Any]] = []
    with at_home() as house, _told(rows, shown) as details, progress(f"importing {file.name}") as tick:
        deployment = house.deployment
        form = detected(file) if written == AUTO else written or ""
        with deployment.store.read() as work:
            read = read_mapping(mapping, deployment.desk.catalogues.current(work), written=form)
        how = _options(dry_run=dry_run, partly=partly, refused=refused, details=details, tick=tick)
        done = bring(deployment, file, read, how)
    answer = {"customers": done.customers, **asdict(done)}
    if as_json:
        print_json(answer)
        return
    print_line(f"{file.name}: " + ("this is what would come in; nothing was stored." if dry_run else "it is in."))
    counted = _counted(answer)
    if not read.household:
        counted.pop(_WORDS["households"], None)
    print_facts(counted)
    if dry_run and shown:
        _print_rows(shown, done.rows)


def _options(*, dry_run: bool, partly: bool, refused: Path | None, details: Details, tick: Tick | None) -> Options:
    return Options(actor=caller().name, dry_run=dry_run, partly=partly, refused=refused, details=details, progress=tick)


@contextmanager
def _told(rows: Path | None, shown: list[Mapping[str, Any]]) -> Iterator[Details]:
    """Give what takes the details of rows: the first are kept in `shown`, all go to a new file, if there is one."""
    if rows is None:
        yield lambda row: shown.append(row) if len(shown) < _SHOWN else None
        return
    try:
        opened = os.fdopen(os.open(rows, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except OSError as refused:
        raise click.UsageError(f"{rows} can't be written: {refused.strerror}") from refused
    with opened as file:

        def tell(row: Mapping[str, Any]) -> None:
            file.write(orjson.dumps(row) + b"\n")
            if len(shown) < _SHOWN:
                shown.append(row)

        yield tell


def _print_rows(shown: list[Mapping[str, Any]], rows: int) -> None:
    print_line()
    print_table(
        ("row", "customer", "what", "outcome"),
        ((row.get("line", row.get("record", "")), row.get("customer", ""), *_outcome(row)) for row in shown),
        empty="",
    )
    if rows > len(shown):
        print_line(f"… the first {len(shown)} of {rows:,}; --rows FILE writes them all")


def _outcome(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return what a row says, and what would become of it.

    >>> _outcome({"act": "grant", "outcome": "recorded", "scopes": {"a": "permits", "b": "permits"}})
    ('grant', 'permits a, b')
    """
    if "wrong" in row:
        return str(row.get("column", "")), f"left out: {row['wrong']}"
    if "act" not in row:
        refused = f"; not allowed: {', '.join(row['refused'])}" if row["refused"] else ""
        return "facts", f"keeps {', '.join(row['stored']) or 'nothing'}{refused}"
    by_change: dict[str, list[str]] = {}
    for scope, change in row.get("scopes", {}).items():
        by_change.setdefault(str(change).replace("_", " "), []).append(scope)
    changes = "; ".join(f"{change} {', '.join(scopes)}" for change, scopes in by_change.items())
    why = f": {row['why']}" if "why" in row else ""
    return str(row["act"]), changes or f"{row['outcome']}{why}"


def _counted(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return what came in as people read it: each count under its words, those of acts and changes by name.

    >>> _counted({"rows": 3, "left_out": 0, "acts": {"grant": 2}, "seconds": 0.2, "seq": 20, "dry_run": False})
    {'rows': 3, 'rows left out': 0, 'said: grant': 2, 'seconds': 0.2, 'ledger entry': '20'}
    """
    told: dict[str, Any] = {}
    for name, value in answer.items():
        if isinstance(value, Mapping):
            told |= {f"{_WORDS[name]}: {str(inner).replace('_', ' ')}": count for inner, count in value.items()}
        elif name == "seq":
            told[_WORDS[name]] = None if value is None else str(value)
        elif name != "dry_run":
            told[_WORDS.get(name, name)] = value
    return told
