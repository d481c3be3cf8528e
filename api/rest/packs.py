"""`/api/v1/evidence-packs`: zips that anybody can verify offline; made by the worker, fetched when they are ready."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response
from marshmallow import fields

from api.actors import actor
from api.rest.audits import AUDIT
from api.rest.contract import Contract, answer, contract
from api.rest.incoming import body, no_query, query
from api.rest.shapes import CUSTOMER, Choice, Flag, Form, Instant, Items, Part, Shape, Text, Whole
from api.rest.verdicts import LARGEST
from api.roles import action
from api.wiring import here
from consent.audit.packs import shelf
from consent.audit.packs.about import LONGEST_REASON, About, Subject
from consent.audit.packs.shelf import Pack, Stage

PACK: Final = r"^epk_[0-9a-f]{32}$"
ZIP: Final = "application/zip"
MOST: Final = 1_000

blueprint: Final = Blueprint("packs", __name__, url_prefix="/api/v1")


class AboutForm(Form):
    """What a pack is about."""

    kind = Choice(Subject, required=True)
    customer = Text(36, 36, CUSTOMER)
    since = Instant()
    until = Instant()
    audit = Text(36, 36, AUDIT)


class WantedPackForm(Form):
    """A pack that is asked for."""

    kind = Choice(Subject, read=Subject, required=True)
    customer = Text(36, 36, CUSTOMER, "is not a customer's id")
    since = Instant(metadata={"description": "the first moment of a period"})
    until = Instant(metadata={"description": "the first moment after it"})
    audit = Text(36, 36, AUDIT, "is not an audit's id")
    personal = Flag(metadata={"description": "open what the customer said; people may, keys may not"})
    reason = Text(1, LONGEST_REASON, metadata={"description": "why it is opened"})


class PackForm(Form):
    """A pack, as it stands."""

    pack = Text(36, 36, PACK, required=True)
    asked_at = Instant(required=True)
    asked_by = Text(1, 300, required=True)
    about = Part(AboutForm, required=True)
    personal = Flag(required=True)
    state = Choice(Stage, required=True)
    detail = fields.String(required=True, metadata={"description": "why it could not be made"})
    position = Whole(-1, LARGEST, required=True, metadata={"description": "of the ledger's entry about it; -1 without"})
    size = Whole(0, LARGEST, required=True)
    sha256 = Text(0, 64, required=True)
    made_at = Instant(required=True, allow_none=True)
    kept_until = Instant(required=True, allow_none=True)


class PackListForm(Form):
    """Packs, the newest first."""

    data = Items(Part(PackForm), 0, MOST, required=True)
    next_cursor = Text(36, 36, PACK, required=True, allow_none=True, metadata={"description": "null at the end"})


class PackQuery(Form):
    """Which packs."""

    limit = Whole(1, MOST, in_query=True)
    cursor = Text(36, 36, PACK, "is not a cursor of this list")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which packs are asked for."""

    limit: int = 100
    cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A pack that is asked for."""

    kind: Subject
    customer: str = ""
    since: datetime | None = None
    until: datetime | None = None
    audit: str = ""
    personal: bool = False
    reason: str = ""

    def about(self) -> About:
        """Return what it is about.

        Raises:
            RequestUnfit: it can't be about that.
        """
        return About(
            kind=self.kind, customer=self.customer, since=self.since, until=self.until, audit=self.audit,
            personal=self.personal, reason=self.reason,
        )  # fmt: skip


PAGE: Final = Shape(PackQuery, Page)
ASKED: Final = Shape(WantedPackForm, Asked)


@blueprint.get("/evidence-packs")
@action("packs.show")
@contract(Contract(summary="List evidence packs", query=PackQuery, answer=PackListForm))
def list_() -> Response:
    """List packs, the newest first."""
    asked = query(PAGE)
    with here().deployment.store.read() as work:
        found = shelf.listed(work, after=asked.cursor, most=asked.limit + 1)
    listed = found[: asked.limit]
    following = listed[-1].id if len(found) > asked.limit else None
    return answer(PackListForm, {"data": [_told(each) for each in listed], "next_cursor": following})


@blueprint.post("/evidence-packs")
@action("packs.make")
@contract(
    Contract(
        summary="Ask for an evidence pack; the worker makes it", body=WantedPackForm, answer=PackForm, status=202,
        errors=(404,),
    )
)  # fmt: skip
def ask() -> Response:
    """Queue a pack, unless the same one waits, which proves what happened to whoever has the pack and Python alone.

    It is about an audit, a customer, or all entries between two times. What a customer said is opened for people only,
    for a reason, and recorded as a use.
    """
    asked = body(ASKED)
    about = asked.about()
    if about.personal:
        actor.require(actor.current(), "packs.open")
    deployment = here().deployment
    at = deployment.clock()
    with deployment.store.write() as work:
        pack = shelf.one(work, shelf.ask(work, about, actor=actor.current().name, at=at))
    return answer(PackForm, _told(pack), 202, {"Location": f"/api/v1/evidence-packs/{pack.id}"})


@blueprint.get("/evidence-packs/<pack>")
@action("packs.show")
@contract(Contract(summary="Show an evidence pack", answer=PackForm, errors=(404,)))
def show(pack: str) -> Response:
    """Say how far a pack is, what it is about, and where its zip can be fetched once it is ready."""
    no_query()
    with here().deployment.store.read() as work:
        return answer(PackForm, _told(shelf.one(work, pack)))


@blueprint.get("/evidence-packs/<pack>/file")
@action("packs.show")
@contract(Contract(summary="Fetch an evidence pack", files=(ZIP,), errors=(404, 409)))
def fetch(pack: str) -> Response:
    """Return the zip: with `verify.py` in it, anybody can verify it offline."""
    no_query()
    deployment = here().deployment
    with deployment.store.read() as work:
        found = shelf.one(work, pack)
        if found.about.personal:
            actor.require(actor.current(), "packs.open")
        zipped = b"".join(shelf.body(deployment.desk, work, found))
    return Response(zipped, mimetype=ZIP, headers={"Content-Disposition": f'attachment; filename="{found.id}.zip"'})


def _told(pack: Pack) -> dict[str, Any]:
    return pack.as_json()
