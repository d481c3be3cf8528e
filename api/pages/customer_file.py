"""A customer's complete file as of a date: asked for with a reason, which is written down before anything is shown."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from flask import Blueprint, Response, render_template, request

from api.actors import actor
from api.pages import filed, forms, present, tabular
from api.pages.answering import see_other
from api.roles import action
from api.wiring import here
from consent.base.errors import CustomerUnknown
from consent.register import customers
from consent.rights import file, looking
from consent.rights.file import File
from consent.rights.looking import Look, Why

_UNFIT: Final = 422
_LONGEST: Final = 2_000
_FORM: Final = "%Y-%m-%dT%H:%M"

blueprint: Final = Blueprint("customer_file", __name__, url_prefix="/audit/file")


@blueprint.get("")
@action("customers.file")
def ask() -> Response:
    """Show the form that asks for whom, as of when, and why."""
    return _form(typed={"customer": request.args.get("customer", "")[:254]}, over=request.args.get("over", "") == "1")


def _form(*, typed: Mapping[str, str], wrong: Mapping[str, str] | None = None, over: bool = False) -> Response:
    now = here().deployment.clock().astimezone(UTC)
    rendered = render_template(
        "audit/file_form.html", typed=typed, wrong=wrong or {}, over=over, now=f"{now:{_FORM}}", longest=_LONGEST
    )
    return Response(rendered, _UNFIT if wrong else 200, mimetype="text/html")


@blueprint.post("")
@action("customers.file")
def open_() -> Response:
    """Record that the file is opened, by whom and why; then lead to it."""
    given = forms.read_fields(request.form, customer=254, as_of=16, reason=_LONGEST)
    deployment = here().deployment
    at = deployment.clock()
    wrong = {}
    if not given["reason"]:
        wrong["reason"] = "Please say why: it is written down."
    if _as_of(given["as_of"], at) is None:
        wrong["as_of"] = "This is no day and time up to now."
    if wrong:
        return _form(typed=given, wrong=wrong)
    try:
        with deployment.store.write() as work:
            who = customers.find(deployment.desk, work, given["customer"])
            look = looking.start(
                deployment.desk, work, who, Why.FILE, actor=actor.current().name, reason=given["reason"], at=at
            )
            file.opened(deployment.desk, work, look, as_of=_as_of(given["as_of"], at) or at)
    except CustomerUnknown:
        return _form(typed=given, wrong={"customer": "Nobody who was enrolled then is called that."})
    return see_other(f"/audit/file/{look.id}?as_of={given['as_of']}")


def _as_of(text: str, now: datetime) -> datetime | None:
    """Read a day and a time, in UTC; nothing is now, and so is the minute that is running."""
    if not text:
        return now
    try:
        read = datetime.strptime(text, _FORM).replace(tzinfo=UTC)
    except ValueError:
        return None
    if read > now:
        return None
    return now if read == now.replace(second=0, microsecond=0) else read


@blueprint.get("/<look>")
@action("customers.file")
def show(look: str) -> Response:
    """Show the file that was opened a moment ago."""
    opened = _opened(look)
    if opened is None:
        return see_other("/audit/file?over=1")
    house = here()
    found = file.written(house.deployment.store, house.deployment.desk, opened, house.elsewhere())
    rendered = render_template(
        "audit/file.html",
        head=_head(opened),
        states=[each.capitalize() for each in opened.states],
        tables=filed.tables(found),
        look=look,
        as_of=request.args.get("as_of", ""),
    )
    return Response(rendered, mimetype="text/html")


@blueprint.get("/<look>/json")
@action("customers.file")
def as_json(look: str) -> Response:
    """Give all of the file as JSON."""
    opened = _opened(look)
    if opened is None:
        return see_other("/audit/file?over=1")
    house = here()
    found = file.written(house.deployment.store, house.deployment.desk, opened, house.elsewhere())
    whole: dict[str, Any] = {**file.head(opened), **{name: list(rows) for name, rows in found}}
    return tabular.json_file(f"file-{opened.customer}", whole)


def _opened(look: str) -> File | None:
    """Open the file under a look that the officer began; None where it is over."""
    deployment = here().deployment
    at = deployment.clock()
    as_of = _as_of(request.args.get("as_of", "")[:16], at)
    with deployment.store.read() as work:
        under: Look | None = looking.under(work, look, Why.FILE, actor=actor.current().name, at=at)
        if under is None or as_of is None:
            return None
        return file.opened(deployment.desk, work, under, as_of=as_of)


def _head(opened: File) -> list[tuple[str, str]]:
    return [
        ("Customer", opened.customer),
        ("As of", present.moment(opened.as_of)),
        ("Enrolled", present.moment(opened.enrolled_at)),
        ("The ledger had then", present.counted(opened.position, "entry", "entries")),
        ("Catalogue in force", f"version {opened.catalogue}" if opened.catalogue else "none"),
    ]
