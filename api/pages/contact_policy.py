"""The contact policy in the console: what holds, who published which version, and the form to check and publish one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, cast

from flask import Blueprint, Response, render_template, request

from api.actors import actor
from api.pages import forms, present, ruled
from api.pages.answering import see_other
from api.pages.ruled import Changed, Ruled, Version, Wrong
from api.pages.tabular import attached, csv_file, json_file
from api.roles import action
from api.wiring import here
from consent.base.errors import ContactPolicyInvalid, ContactPolicyUnknown, RequestInvalid, StateConflict, VersionMoved
from consent.base.errors import Place as At
from consent.base.store import Work
from personalise import shelf
from personalise.contact_policy.model import ContactPolicy
from personalise.contact_policy.reading import DEFAULT, read_written
from personalise.life import ruling

LONGEST: Final = 100_000
"""Characters that a policy may have here."""

DRAFT: Final = "draft"
"""In place of a version: the policy that comes with Byleave."""

_FORMATS: Final = {"toml": "TOML", "json": "JSON"}
_COLUMNS: Final = ("version", "published_at", "published_by", "position", "format")
_UNPROCESSABLE, _CONFLICT, _MOVED = 422, 409, 412
blueprint: Final = Blueprint("contact_policy", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A policy as it was typed. `base` is the version that stood when its form was made; 0 where there was none."""

    format: str
    body: str
    base: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A version as its page shows it: in words, or why it can't be read any more; and as it was written."""

    told: Ruled | None
    wrong: tuple[Wrong, ...]
    body: str
    changed: Changed | None = None
    """What it changed in the version before it; None where there was none."""


@blueprint.get("/console/contact-policy")
@action("contact_policy.show")
def show() -> str:
    """Show what holds over all campaigns, and every version that there was."""
    with here().deployment.store.read() as work:
        listed = ruled.versions(shelf.contact_policies(work))
        opened = _opened(work, listed[0].number) if listed else None
    asked = request.args.get("published", "")
    return render_template(
        "console/contact_policy.html",
        opened=opened,
        versions=listed,
        newest=listed[0] if listed else None,
        may_compare=actor.current().may("campaigns.dry_run"),
        published=bool(listed) and asked == str(listed[0].number),
        may_publish=actor.current().may("contact_policy.publish"),
    )


def _opened(work: Work, version: int) -> _Opened:
    catalogue = here().deployment.desk.catalogues.current(work)
    written = shelf.written_contact_policy(work, version=version)
    body = written[1] if written else ""
    try:
        read = shelf.load_contact_policy(work, catalogue, version=version)
    except ContactPolicyInvalid as unfit:
        return _Opened(told=None, wrong=ruled.wrongs(unfit, body), body=body)
    changed = ruled.changed(ruling.changed(work, catalogue, read, before=version - 1)) if version > 1 else None
    return _Opened(told=ruled.ruled(read, catalogue), wrong=(), body=body, changed=changed)


@blueprint.get("/console/contact-policy/versions.csv")
@action("contact_policy.show")
def as_csv() -> Response:
    """Return who published which version, and when, as CSV."""
    return csv_file("contact-policy-versions", _COLUMNS, _rows())


@blueprint.get("/console/contact-policy/versions.json")
@action("contact_policy.show")
def as_json() -> Response:
    """Return the same as JSON."""
    return json_file("contact-policy-versions", {"data": _rows(), "next_cursor": None})


def _rows() -> list[dict[str, object]]:
    with here().deployment.store.read() as work:
        listed = shelf.contact_policies(work)
    return [{name: getattr(each, name) for name in _COLUMNS} for each in listed]


@blueprint.get("/console/contact-policy/versions/<version>")
@action("contact_policy.show")
def one(version: str) -> str:
    """Show one version: in words, and as it was written."""
    number = _number(version)
    with here().deployment.store.read() as work:
        opened = _opened(work, number)
        listed = ruled.versions(shelf.contact_policies(work))
    return render_template(
        "console/contact_policy_version.html",
        opened=opened,
        version=next(each for each in listed if each.number == number),
        newest=listed[0],
    )


@blueprint.get("/console/contact-policy/versions/<version>/file")
@action("contact_policy.show")
def fetch(version: str) -> Response:
    """Return a version's file, byte by byte as it was published."""
    number = _number(version)
    with here().deployment.store.read() as work:
        written = shelf.written_contact_policy(work, version=number)
    if written is None:
        raise ContactPolicyUnknown
    _, body, form = written
    headers = attached(f"contact-policy-{number}.{form}")
    return Response(body.encode(), mimetype=f"application/{form}", headers=headers)


def _number(text: str) -> int:
    number = forms.read_version(text)
    if number is None:
        raise ContactPolicyUnknown
    return number


@blueprint.get("/console/contact-policy/new")
@action("contact_policy.show")
def new() -> Response:
    """Show the form: it starts from the version in force, from another one, or from the policy that is shipped."""
    asked = request.args.get("from", "")
    with here().deployment.store.read() as work:
        version = None if asked in ("", DRAFT) else _number(asked)
        base = shelf.newest_contact_policy(work)
        written = None if asked == DRAFT else shelf.written_contact_policy(work, version=version)
    _, body, form = written or (0, DEFAULT.read_text(encoding="utf-8"), "toml")
    return _form(Typed(format=form, body=body, base=base))


@blueprint.post("/console/contact-policy/check")
@action("contact_policy.show")
def check() -> Response:
    """Say what a policy asks, or every place at which it is wrong; nothing is kept."""
    typed = _typed()
    wrong = _amiss(typed)
    if wrong:
        return _form(typed, wrong=wrong, status=_UNPROCESSABLE)
    try:
        with here().deployment.store.read() as work:
            read, catalogue = _read(work, typed), here().deployment.desk.catalogues.current(work)
            ruling.foresee(work, read)
            newest = shelf.newest_contact_policy(work)
            found = ruling.changed(work, catalogue, read, before=newest)
    except ContactPolicyInvalid as unfit:
        return _form(typed, wrong=ruled.wrongs(unfit, typed.body), status=_UNPROCESSABLE)
    changed = ruled.changed(found) if newest else None
    advice = ruling.untold(read, catalogue)
    return _form(typed, told=ruled.ruled(read, catalogue), changed=changed, newest=newest, advice=advice)


@blueprint.post("/console/contact-policy/publish")
@action("contact_policy.publish")
def publish() -> Response:
    """Publish the next version, unless somebody has published one since the form was made."""
    typed = _typed()
    wrong = _amiss(typed)
    if wrong:
        return _form(typed, wrong=wrong, status=_UNPROCESSABLE)
    try:
        number = _published(typed)
    except ContactPolicyInvalid as unfit:
        return _form(typed, wrong=ruled.wrongs(unfit, typed.body), status=_UNPROCESSABLE)
    except VersionMoved:
        return _moved(typed)
    except StateConflict:
        same = Wrong(field="body", where="", why=f"This is version {typed.base} exactly: there is nothing to publish")
        return _form(typed, wrong=(same,), status=_CONFLICT)
    return see_other(f"/console/contact-policy?published={number}")


def _published(typed: Typed) -> int:
    deployment, who = here().deployment, actor.current().name
    at = deployment.clock()
    with deployment.store.write() as work:
        shelf.lock(work, "contact-policy")
        if typed.base != shelf.newest_contact_policy(work):
            raise VersionMoved
        return ruling.publish(deployment.desk, work, _read(work, typed), actor=who, at=at)


def _moved(typed: Typed) -> Response:
    """Show the form again, with what was typed, and who was first. It now starts from what he published."""
    with here().deployment.store.read() as work:
        listed = ruled.versions(shelf.contact_policies(work))
    if not listed:  # then no form of ours has named a version
        raise VersionMoved
    again = Typed(format=typed.format, body=typed.body, base=listed[0].number)
    return _form(again, meanwhile=listed[0], status=_MOVED)


def _read(work: Work, typed: Typed) -> ContactPolicy:
    catalogue = here().deployment.desk.catalogues.current(work)
    return read_written(typed.body, cast("Literal['toml', 'json']", typed.format), catalogue)


def _typed() -> Typed:
    """Read the form; a text that is too long comes back to who typed it, so nothing refuses it here."""
    most = here().settings.max_body_bytes
    fields = forms.read_fields(request.form, format=most, body=most, base=most)
    base = 0 if fields["base"] == "0" else forms.read_version(fields["base"])
    if base is None:
        raise RequestInvalid(places=[At("base", "is not a version")])
    # As it stands in the form, space around it included: another byte would be another version.
    body = request.form.get("body", "").replace("\r\n", "\n")
    return Typed(format=fields["format"], body=body, base=base)


def _amiss(typed: Typed) -> tuple[Wrong, ...]:
    """Return what is wrong with the fields themselves, before anybody reads the policy."""
    found = []
    if typed.format not in _FORMATS:
        found.append(Wrong(field="format", where="", why="Choose TOML or JSON"))
    if not typed.body.strip():
        found.append(Wrong(field="body", where="", why="Write the policy here: there is nothing in it"))
    if len(typed.body) > LONGEST:
        much = f"It has {len(typed.body):,} characters, and may have {LONGEST:,}"
        found.append(Wrong(field="body", where="", why=much))
    return tuple(found)


def _form(
    typed: Typed,
    *,
    told: Ruled | None = None,
    changed: Changed | None = None,
    newest: int = 0,
    advice: Sequence[At] = (),
    wrong: tuple[Wrong, ...] = (),
    meanwhile: Version | None = None,
    status: int = 200,
) -> Response:
    shown = render_template(
        "console/contact_policy_form.html",
        typed=typed,
        formats=_FORMATS,
        told=told,
        changed=changed,
        newest=newest,
        advice=advice,
        wrong=wrong,
        count=present.counted(len(wrong), "thing has", "things have"),
        at_format=[each.why for each in wrong if each.field == "format"],
        at_body=[each for each in wrong if each.field == "body"],
        meanwhile=meanwhile,
        may_publish=actor.current().may("contact_policy.publish"),
    )
    return Response(shown, status, mimetype="text/html")
