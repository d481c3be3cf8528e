"""`/api/v1/contact-policy`: how often, by what, and at what price in goodwill customers are contacted."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from flask import Blueprint, Response
from marshmallow import fields

from api.actors import actor
from api.rest.contract import Contract, answer, contract
from api.rest.incoming import body, if_match, no_query, query
from api.rest.requests import PROSE
from api.rest.shapes import Choice, Form, Items, Part, Shape, Text, Whole
from api.rest.verdicts import LARGEST
from api.roles import action
from api.wiring import here
from consent.base.errors import ContactPolicyUnknown, VersionMoved
from consent.base.store import Work
from consent.catalogue.model import Catalogue
from personalise import shelf
from personalise.contact_policy.changes import changes
from personalise.contact_policy.model import ContactPolicy
from personalise.contact_policy.reading import DEFAULT, read_written
from personalise.contact_policy.words import told
from personalise.life import ruling

LONGEST: Final = 100_000
"""Characters that a policy may have here."""

_FORMATS: Final = ("toml", "json")
_VERSION_DIGITS: Final = 6
blueprint: Final = Blueprint("contact_policies", __name__, url_prefix="/api/v1")


class ContactPolicyFileForm(Form):
    """A contact policy, as it is written."""

    format = Choice(_FORMATS, required=True)
    body = Text(1, LONGEST, PROSE, required=True)


class ContactRuleForm(Form):
    """One rule, and what it asks."""

    rule = Text(1, 200, required=True)
    asks = Text(1, 2_000, required=True)


class ChannelPriceForm(Form):
    """What one contact on a channel costs, in points of goodwill."""

    channel = Text(1, 63, required=True)
    price = fields.Float(required=True)


class GoodwillTermsForm(Form):
    """What contacts cost a customer's goodwill."""

    opening = fields.Float(required=True)
    floor = fields.Float(required=True, allow_none=True)
    prices = Items(Part(ChannelPriceForm), 0, 1_000, required=True)
    pressure_days = Whole(1, 365, required=True)
    price_of_one = fields.Float(required=True)


class ContactPolicyForm(ContactPolicyFileForm):
    """A contact policy with its rules in words."""

    version = Whole(1, LARGEST, required=True, allow_none=True, metadata={"description": "null: none is published"})
    body = Text(0, LONGEST, PROSE, required=True)
    rules = Items(Part(ContactRuleForm), 0, LARGEST, required=True)
    weight_of_benefit = fields.Float(required=True)
    goodwill = Part(GoodwillTermsForm, required=True)


class ContactPolicyChangeForm(Form):
    """One rule that differs; null where it was not there, or is no longer."""

    rule = Text(1, 200, required=True)
    was = Text(1, 2_000, required=True, allow_none=True)
    asks = Text(1, 2_000, required=True, allow_none=True)


class ContactPolicyAdviceForm(Form):
    """What holds, and may not do what was meant: where, and why."""

    where = Text(1, 200, required=True)
    why = Text(1, 2_000, required=True)


class CheckedContactPolicyForm(ContactPolicyForm):
    """A contact policy with its rules in words, and what it would change in the one that holds."""

    advice = Items(Part(ContactPolicyAdviceForm), 0, 10, required=True)
    changes = Items(
        Part(ContactPolicyChangeForm),
        0,
        LARGEST,
        required=True,
        allow_none=True,
        metadata={"description": "null: the one that holds can't be read under the catalogue in force"},
    )


class BeforeForm(Form):
    """What to hold a version against."""

    before = Whole(
        0, LARGEST, in_query=True, metadata={"description": "a version; 0 is none; the one before it, where left out"}
    )


class ContactPolicyChangesForm(Form):
    """What one version changes in another."""

    version = Whole(1, LARGEST, required=True)
    before = Whole(1, LARGEST, required=True, allow_none=True, metadata={"description": "null: no policy at all"})
    changes = Items(Part(ContactPolicyChangeForm), 0, LARGEST, required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The version asked for, if one was."""

    before: int | None = None


BEFORE: Final = Shape(BeforeForm, Before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A policy as it came in."""

    format: Literal["toml", "json"]
    body: str


WRITTEN: Final = Shape(ContactPolicyFileForm, Written)


@blueprint.get("/contact-policy")
@action("contact_policy.show")
@contract(Contract(summary="Show the contact policy that holds", answer=ContactPolicyForm, errors=(422,)))
def show() -> Response:
    """Show the newest version; its ETag is what publishing the next one asks for."""
    no_query()
    with here().deployment.store.read() as work:
        return _shown(_loaded(work))


@blueprint.get("/contact-policy/versions/<version>")
@action("contact_policy.show")
@contract(Contract(summary="Show a version of the contact policy", answer=ContactPolicyForm, errors=(404, 422)))
def version(version: str) -> Response:
    """Show one version, as it was published."""
    no_query()
    with here().deployment.store.read() as work:
        return _shown(_loaded(work, version=_number(version)))


@blueprint.get("/contact-policy/versions/<version>/changes")
@action("contact_policy.show")
@contract(
    Contract(
        summary="Show what a version of the contact policy changed",
        query=BeforeForm,
        answer=ContactPolicyChangesForm,
        errors=(404, 422),
    )
)
def changed(version: str) -> Response:
    """Show each rule that differs from the version before it, or from another one: what it asked, and what it asks."""
    number, asked = _number(version), query(BEFORE).before
    before = number - 1 if asked is None else asked
    with here().deployment.store.read() as work:
        after = _loaded(work, version=number)
        found = changes(_loaded(work, version=before), after)
    return answer(ContactPolicyChangesForm, {"version": number, "before": before or None, "changes": found})


def _number(version: str) -> int:
    if not (version.isascii() and version.isdecimal() and len(version) <= _VERSION_DIGITS and version[0] != "0"):
        raise ContactPolicyUnknown
    return int(version)


@blueprint.get("/contact-policy/draft")
@action("contact_policy.show")
@contract(
    Contract(summary="Show the contact policy that comes with Byleave, to start from", answer=ContactPolicyFileForm)
)
def draft() -> Response:
    """Show what a company can start from."""
    no_query()
    return answer(ContactPolicyFileForm, {"format": "toml", "body": DEFAULT.read_text(encoding="utf-8")})


@blueprint.post("/contact-policy:check")
@action("contact_policy.show")
@contract(
    Contract(
        summary="Check a contact policy against the catalogue in force",
        body=ContactPolicyFileForm,
        answer=CheckedContactPolicyForm,
    )
)
def check() -> Response:
    """Read a policy, and tell its rules and what they would change. What couldn't be published now is refused."""
    given = body(WRITTEN)
    with here().deployment.store.read() as work:
        read = _read(work, given)
        ruling.foresee(work, read)
        catalogue = _catalogue(work)
        found = ruling.changed(work, catalogue, read, before=shelf.newest_contact_policy(work))
    advice = ruling.untold(read, catalogue)
    return answer(CheckedContactPolicyForm, {**_told(read), "changes": found, "advice": advice})


@blueprint.post("/contact-policy")
@action("contact_policy.publish")
@contract(
    Contract(
        summary="Publish a contact policy",
        body=ContactPolicyFileForm,
        answer=ContactPolicyForm,
        status=201,
        if_match=True,
        errors=(409,),
        wrong={422: "`contact_policy_invalid`: `errors` names every place that is wrong"},
    )
)
def publish() -> Response:
    """Publish the next version: it holds from the next decision on, over all campaigns.

    Without any, no caps, quiet hours or goodwill hold across campaigns: each keeps to its own caps alone.
    """
    tag, given, deployment = if_match(), body(WRITTEN), here().deployment
    at = deployment.clock()
    with deployment.store.write() as work:
        shelf.lock(work, "contact-policy")
        if tag != _tag(shelf.newest_contact_policy(work)):
            raise VersionMoved
        number = ruling.publish(deployment.desk, work, _read(work, given), actor=actor.current().name, at=at)
        published = _loaded(work, version=number)
    return _shown(published, 201, {"Location": f"/api/v1/contact-policy/versions/{number}"})


def _read(work: Work, given: Written) -> ContactPolicy:
    return read_written(given.body, given.format, _catalogue(work))


def _loaded(work: Work, *, version: int | None = None) -> ContactPolicy:
    return shelf.load_contact_policy(work, _catalogue(work), version=version)


def _catalogue(work: Work) -> Catalogue:
    return here().deployment.desk.catalogues.current(work)


def _shown(read: ContactPolicy, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return answer(ContactPolicyForm, _told(read), status, {"ETag": f'"{_tag(read.version)}"', **(headers or {})})


def _tag(version: int) -> str:
    return f"v{version}"


def _told(read: ContactPolicy) -> dict[str, Any]:
    written = told(read)
    terms = written["goodwill"]
    prices = [{"channel": channel, "price": price} for channel, price in terms["prices"].items()]
    return {**written, "goodwill": {**terms, "prices": prices}}
