"""`byleave report`: reports of audits, to be handed over."""

from pathlib import Path

import click

from api.cli.files import write_out
from api.cli.frame import FILE, Group, Words, at_home, json_option
from api.cli.output import print_json, print_line
from api.explained import EXPLAINED
from api.roles import action
from consent.audit import reading
from consent.audit.reports import making
from consent.audit.reports.making import Format


@click.group(cls=Group)
def report() -> None:
    """Reports of audits, to be handed over."""


@report.command(example="byleave report make --format pdf --out report.pdf")
@click.argument("audit", type=Words("id"), required=False)
@click.option("--format", "format_", type=click.Choice([str(each) for each in Format]), default=str(Format.HTML),
              show_default=True, help="In which format.")  # fmt: skip
@click.option("--out", type=FILE, required=True, help="The file to write; none may be there.")
@json_option
@action("audits.show")
def make(audit: str | None, format_: str, out: Path, *, as_json: bool) -> None:
    """Write the report of an audit (the newest, where none is named).

    It says what was checked, what could not be, what was found, and what binds it.
    """
    with at_home() as house:
        at = house.deployment.clock()
        with house.deployment.store.read() as work:
            named = audit or reading.last(work, at=at)
            made = making.make(work, named, Format(format_), explained=EXPLAINED, at=at)
    write_out(out, made.body)
    if as_json:
        print_json({"audit": named, "format": format_, "file": str(out), "bytes": len(made.body)})
    else:
        print_line(f"Report of {named}: {len(made.body):,} bytes in {out}")
