"""`/api/v1/suppressions`: addresses that are left alone, whoever has them, and once nobody here has them any more.

An address comes in the body, never in a path: paths are written into logs.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flask import Blueprint, Response

from api import erasing
from api.actors import actor
from api.rest.contract import Contract, answer, contract
from api.rest.incoming import body, past, query
from api.rest.shapes import Choice, Flag, Form, Instant, Items, Part, Shape, Text, Whole
from api.rest.verdicts import LARGEST
from api.roles import action
from api.wiring import here
from consent.register import suppressing
from consent.register.suppressing import Changed, Why

KIND: Final = r"^[a-z][a-z0-9_]{0,31}$"
CURSOR: Final = r"^[1-9][0-9]{0,15}$"
MOST: Final = 1_000
ASKABLE: Final = tuple(each for each in Why if each not in (Why.ERASED, Why.RESTORED))
"""The reasons that somebody may give; the others are the house's own."""

blueprint: Final = Blueprint("suppressions", __name__, url_prefix="/api/v1")


class AskedAddressForm(Form):
    """An address that is asked for, or is no longer to be left alone."""

    address = Text(1, 320, required=True)
    kind = Text(1, 32, KIND, "is not a kind of address", metadata={"description": "email, where left out"})


class CheckAddressForm(AskedAddressForm):
    """An address that is asked for, now or as of a past time."""

    as_of = Instant(metadata={"description": "a past time; now, where left out"})


class SuppressForm(AskedAddressForm):
    """An address that is to be left alone, and why."""

    why = Choice(ASKABLE, read=Why, metadata={"description": "asked, where left out"})


class SuppressionForm(Form):
    """That an address is left alone. The address itself is not kept."""

    kind = Text(1, 32, KIND, required=True)
    since = Instant(required=True)
    position = Whole(0, LARGEST, required=True, metadata={"description": "of the ledger entry that says so"})


class ChangedForm(SuppressionForm):
    """What became of an address."""

    changed = Flag(required=True, metadata={"description": "false where it stood so already"})
    customers = Whole(0, LARGEST, required=True, metadata={"description": "how many customers have it now"})


class FoundForm(Form):
    """Whether an address is left alone."""

    suppressed = Flag(required=True)
    since = Instant(required=True, allow_none=True)
    position = Whole(0, LARGEST, required=True, allow_none=True)


class SuppressionListForm(Form):
    """What is left alone, the newest first."""

    data = Items(Part(SuppressionForm), 0, MOST, required=True)
    next_cursor = Text(1, 16, CURSOR, required=True, allow_none=True, metadata={"description": "null at the end"})
    total = Whole(0, LARGEST, required=True)


class SuppressionQuery(Form):
    """Which part of the list."""

    limit = Whole(1, MOST, in_query=True)
    cursor = Text(1, 16, CURSOR, "is not a cursor of this list")
    as_of = Instant(metadata={"description": "a past time: what was left alone then; now, where left out"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An address as it came in."""

    address: str
    kind: str = "email"
    why: Why = Why.ASKED
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which part of the list."""

    limit: int = 100
    cursor: str = ""
    as_of: datetime | None = None


SUPPRESS: Final = Shape(SuppressForm, Asked)
ASK: Final = Shape(AskedAddressForm, Asked)
CHECK: Final = Shape(CheckAddressForm, Asked)
PAGE: Final = Shape(SuppressionQuery, Page)


@blueprint.get("/suppressions")
@action("suppressions.show")
@contract(
    Contract(summary="List what is left alone", query=SuppressionQuery, answer=SuppressionListForm, errors=(422,))
)
def listed() -> Response:
    """List suppressions by kind and time; no address is kept that could be listed."""
    given, deployment = query(PAGE), here().deployment
    past(given.as_of, deployment.clock(), "?as_of")
    with deployment.store.read() as work:
        before = int(given.cursor) if given.cursor else None
        found = suppressing.newest(work, given.limit + 1, before=before, as_of=given.as_of)
        total = suppressing.count(work, as_of=given.as_of)
    shown = found[: given.limit]
    following = str(shown[-1].position) if len(found) > given.limit else None
    return answer(SuppressionListForm, {"data": shown, "next_cursor": following, "total": total})


@blueprint.post("/suppressions")
@action("suppressions.add")
@contract(Contract(summary="Leave an address alone from now on", body=SuppressForm, answer=ChangedForm, status=201))
def add() -> Response:
    """Suppress an address; once more changes nothing."""
    given = body(SUPPRESS)
    done = erasing.suppress(here(), given.kind, given.address, actor=actor.current().name, why=given.why)
    return answer(ChangedForm, _changed(done), 201)


@blueprint.post("/suppressions:check")
@action("suppressions.show")
@contract(Contract(summary="Ask whether an address is left alone", body=CheckAddressForm, answer=FoundForm))
def check() -> Response:
    """Say whether an address is on the list, or was."""
    given = body(CHECK)
    deployment = here().deployment
    past(given.as_of, deployment.clock(), "/as_of")
    with deployment.store.read() as work:
        found = suppressing.find(deployment.desk, work, given.kind, given.address, as_of=given.as_of)
    since, position = (found.since, found.position) if found else (None, None)
    return answer(FoundForm, {"suppressed": found is not None, "since": since, "position": position})


@blueprint.post("/suppressions:lift")
@action("suppressions.lift")
@contract(Contract(summary="Take an address off the list", body=AskedAddressForm, answer=ChangedForm, errors=(404,)))
def lift() -> Response:
    """Lift the suppression of an address."""
    given = body(ASK)
    done = erasing.lift(here(), given.kind, given.address, actor=actor.current().name)
    return answer(ChangedForm, _changed(done))


def _changed(done: Changed) -> dict[str, object]:
    return {
        "kind": done.suppression.kind, "since": done.suppression.since, "position": done.position,
        "changed": done.changed, "customers": done.customers,
    }  # fmt: skip
