"""`/api/v1/imports`: rows of a file, with their mapping: looked at first, and brought in when that is asked for.

For files of a million rows there is `byleave import`: a call takes as many rows as it can answer for one by one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from flask import Blueprint, Response
from marshmallow import fields

from api.actors import actor
from api.rest.contract import Contract, answer, contract
from api.rest.incoming import body
from api.rest.shapes import SCOPE, Choice, Flag, Form, Items, Part, Shape, Text, Whole
from api.rest.verdicts import LARGEST
from api.roles import action
from api.wiring import here
from consent.base.counting import counted
from consent.base.errors import Place, RequestUnfit
from consent.imports.customers import Imported, bring_in_customers
from consent.imports.mapping import parse_mapping
from consent.imports.passes import Options
from consent.imports.statements import StatementsImported, bring_in_statements
from consent.imports.weighing import Change
from consent.permission.statement import Act

MOST_ROWS: Final = 1_000
MOST_COLUMNS: Final = 200
LONGEST_CELL: Final = 10_000
LONGEST_MAPPING: Final = 100_000
ANY: Final = r"^[^\u0000]*$"
WRONG_CELL: Final = f"must have at most {LONGEST_CELL:,} characters, and none of them NUL"
WITHOUT_EVIDENCE: Final = "statements that would give more, without evidence"
OUTCOMES: Final = ("recorded", "repeated", "unknown", "kept", "left_out")

blueprint: Final = Blueprint("imports", __name__, url_prefix="/api/v1")


class ImportForm(Form):
    """Rows, and what their columns are."""

    what = Choice(("customers", "statements"), required=True)
    mapping = Text(1, LONGEST_MAPPING, ANY, metadata={"description": "a mapping file, in TOML"}, required=True)
    columns = Items(Text(1, 200), 1, MOST_COLUMNS, required=True)
    rows = Items(Items(Text(0, LONGEST_CELL, ANY, WRONG_CELL), 1, MOST_COLUMNS), 1, MOST_ROWS, required=True)
    dry_run = Flag(metadata={"description": "true, where left out: only look, and store nothing"})
    partly = Flag(metadata={"description": "bring in the good rows of those with wrong ones; false, where left out"})


class ScopeChange(Form):
    """What would become of a scope."""

    scope = Text(3, 145, SCOPE, required=True)
    change = Choice(Change, required=True)


class RowForm(Form):
    """What becomes of one row: told of every row in a dry run, else of those with something wrong."""

    row = Whole(1, MOST_ROWS, required=True)
    outcome = Choice(OUTCOMES, required=True)
    customer = Choice(("known", "new"))
    act = Choice(Act)
    scopes = Items(Part(ScopeChange), 0, 200)
    stored = Items(fields.String(), 0, MOST_COLUMNS, metadata={"description": "attributes that would be remembered"})
    refused = Items(fields.String(), 0, MOST_COLUMNS, metadata={"description": "attributes that he doesn't allow"})
    column = fields.String(metadata={"description": "where something is wrong"})
    detail = fields.String(metadata={"description": "what is wrong, or why nothing is recorded"})


class ImportedForm(Form):
    """What came in, or would."""

    class Meta(Form.Meta):
        """Read by marshmallow, which has another use for the name."""

        include: ClassVar = {"unknown": Whole(0, LARGEST, metadata={"description": WITHOUT_EVIDENCE})}

    dry_run = Flag(required=True)
    rows = Whole(0, MOST_ROWS, required=True)
    customers = Whole(0, MOST_ROWS, required=True)
    new = Whole(0, MOST_ROWS, required=True, metadata={"description": "customers who were not enrolled"})
    left_out = Whole(0, MOST_ROWS, required=True)
    recorded = Whole(0, LARGEST, metadata={"description": "statements recorded"})
    repeated = Whole(0, LARGEST, metadata={"description": "statements that stood already, word for word"})
    silent = Whole(0, MOST_ROWS, metadata={"description": "rows that say nothing"})
    stored = Whole(0, LARGEST, metadata={"description": "facts remembered"})
    refused = Whole(0, LARGEST, metadata={"description": "facts that their customer doesn't allow to remember"})
    households = Whole(
        0, MOST_ROWS, metadata={"description": "customers who came into a household, or into another one"}
    )
    seq = Whole(0, LARGEST, metadata={"description": "position of the import's entry; left out by a dry run"})
    details = Items(Part(RowForm), 0, LARGEST, required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An import, as it came in."""

    what: str
    mapping: str
    columns: list[str]
    rows: list[list[str]]
    dry_run: bool = True
    partly: bool = False

    def cells(self) -> list[dict[str, str]]:
        """Return the rows by column.

        Raises:
            RequestUnfit: a row has more or fewer cells than there are columns, or a column has no name of its own.
        """
        width = len(self.columns)
        wrong = [
            Place(
                f"/rows/{spot}",
                f"has {counted(len(row), 'cell')}, where there {counted(width, 'column is', 'columns are')}",
            )
            for spot, row in enumerate(self.rows)
            if len(row) != width
        ]
        if len(set(self.columns)) < width:
            wrong = [Place("/columns", "names a column twice")]
        if wrong:
            raise RequestUnfit(places=wrong)
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


IMPORT: Final = Shape(ImportForm, Asked)


@blueprint.post("/imports")
@action("imports.send")
@contract(
    Contract(
        summary="Look at rows of a file, or bring them in; the same rows again add nothing",
        body=ImportForm,
        answer=ImportedForm,
        wrong={422: "`import_invalid`: the mapping or rows are wrong, and `errors` names each place"},
    )
)
def bring_in() -> Response:
    """Look at rows, and bring them in where `dry_run` is false; the answer says what becomes of each row.

    The mapping says which column means what, as in `byleave import`. Rows that are wrong are named by row and column;
    nothing is brought in then, unless `partly` says that the others are to be.
    """
    asked = body(IMPORT)
    rows = asked.cells()
    deployment = here().deployment
    with deployment.store.read() as work:
        mapping = parse_mapping(asked.mapping, deployment.desk.catalogues.current(work), written="csv")
    told: list[dict[str, Any]] = []
    how = Options(
        actor=actor.current().name,
        dry_run=asked.dry_run,
        partly=asked.partly,
        details=lambda row: told.append(_row(row)),
    )
    done: Imported | StatementsImported
    if asked.what == "statements":
        done = bring_in_statements(deployment, rows, mapping, how)
    else:
        done = bring_in_customers(deployment, rows, mapping, how)
    return answer(ImportedForm, {**_counts(done), "details": told})


def _counts(done: Imported | StatementsImported) -> dict[str, Any]:
    names = (name for name in ImportedForm().fields if name != "details")
    found = {name: getattr(done, name, None) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was told of a row in the form of the answer."""
    told: dict[str, Any] = {"row": row["row"]}
    if "wrong" in row:
        column = {"column": row["column"]} if "column" in row else {}
        return {**told, "outcome": "left_out", **column, "detail": row["wrong"]}
    told |= {"customer": row["customer"], "outcome": row.get("outcome", "kept")}
    told |= {name: row[name] for name in ("act", "stored", "refused") if name in row}
    if "why" in row:
        told["detail"] = row["why"]
    if "scopes" in row:
        told["scopes"] = [{"scope": scope, "change": str(change)} for scope, change in row["scopes"].items()]
    return told
