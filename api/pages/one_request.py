"""One request by right: its steps, what is to be done for it, and the answer.

What the customer wrote is read by a button, which records that it was read, by whom and for which request.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, Response, render_template, request

from api import rights
from api.actors import actor
from api.actors.actor import Actor
from api.pages import asked as shown
from api.pages import facts, forms, present
from api.pages.answering import see_other
from api.pages.choices import name_of
from api.pages.words import FIRST, words
from api.roles import action
from api.wiring import here
from consent.base.errors import Conflict, Invalid, RequestUnfit
from consent.base.store import Work
from consent.permission.statement import Method
from consent.rights import asked, correcting, exporting, limiting, looking, requests, typed
from consent.rights.asked import How, Outcome, Request, Right
from consent.rights.erasing import Ground
from consent.rights.exporting import Form
from consent.rights.looking import Why
from consent.rights.requests import LONGEST

_UNFIT: Final = 422
_ID: Final = 36
_WORD: Final = "erase"
_DONE: Final[Mapping[str, str]] = {
    "opened": "The request was taken in. Its deadline runs from its receipt.",
    "assigned": "The request has a new owner.",
    "extended": "The deadline was extended. The customer reads the reason on his page.",
    "closed": "The request is closed.",
    "corrected": "The fact was corrected.",
    "restricted": "The restriction was recorded: nothing of the customer's is used now.",
    "objected": "The objection was recorded.",
    "erased": "The customer is erased, and the request is closed.",
}
_METHODS: Final = {How.PHONE: Method.PHONE, How.PAGE: Method.WEB_FORM, How.PROGRAM: Method.WEB_FORM}
_GROUNDS: Final = (
    (Ground.WITHDRAWN, "He takes his consent back"),
    (Ground.OBJECTED, "He objects, and nothing outweighs it"),
    (Ground.NO_LONGER_NEEDED, "The data are no longer needed"),
    (Ground.UNLAWFUL, "The data were used unlawfully"),
    (Ground.OBLIGED, "The law demands it"),
    (Ground.CHILD, "They were collected from a child"),
)

blueprint: Final = Blueprint("one_request", __name__, url_prefix="/audit/requests")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """What could not be done: the field that it is about, and why."""

    field: str
    why: str


@blueprint.get("/<number>")
@action("requests.show")
def show(number: str) -> Response:
    """Show one request."""
    return _page(number, done=_DONE.get(request.args.get("done", ""), ""))


def _page(
    number: str, *, done: str = "", wrong: Wrong | None = None, given: Mapping[str, str] | None = None
) -> Response:
    deployment, who = here().deployment, actor.current()
    at = deployment.clock()
    with deployment.store.read() as work:
        one = asked.find(work, number)
        steps = asked.steps(work, one.id)
        written = asked.words(deployment.desk, work, one)
        look = looking.under(
            work, request.args.get("look", ""), Why.REQUEST, actor=who.name, at=at, customer=one.customer
        )
        todo = _todo(work, one)
    rendered = render_template(
        "audit/request.html",
        one=one,
        line=shown.line(one, at=at),
        received=present.moment(one.received_at),
        due=present.moment(one.due_at),
        closed=present.moment(one.closed_at) if one.closed_at else "",
        extended=one.extended_at is not None,
        late=one.overdue(at),
        steps=shown.walked(steps),
        wish=written.wish if look else "",
        wrote=bool(written.wish),
        extension=written.extension,
        answer=written.answer,
        todo=todo,
        **_may(who),
        done=done,
        wrong=wrong,
        given=given or {},
        outcomes=[(str(each), str(each).capitalize()) for each in Outcome],
        grounds=[(str(ground), meant) for ground, meant in _GROUNDS],
        word=_WORD,
        longest=LONGEST,
    )
    return Response(rendered, _UNFIT if wrong else 200, mimetype="text/html")


def _may(who: Actor) -> dict[str, Any]:
    return {
        "may_answer": who.may("requests.answer"),
        "may_export": who.may("customers.export"),
        "may_correct": who.may("customers.correct"),
        "may_erase": who.may("customers.erase"),
        "me": who.name,
    }


def _todo(work: Work, one: Request) -> dict[str, Any]:
    """Return what the kind of a request asks for, and what there is to do it with."""
    deployment, english = here().deployment, words(FIRST)
    if not one.is_open:
        return {}
    catalogue = deployment.desk.catalogues.current(work)
    match one.kind:
        case Right.ACCESS | Right.PORTABILITY:
            return {"export": True}
        case Right.RECTIFICATION:
            kept = {each.category for each in looking.kept(deployment.desk, work, one.customer)}
            known = [each for each in catalogue.attributes.values() if each.category in kept]
            return {"correct": [(each.name, facts.label(each.name, english)) for each in known]}
        case Right.RESTRICTION:
            return {"restrict": not limiting.is_restricted(work, one.customer)}
        case Right.OBJECTION:
            scopes = limiting.objectionable(deployment.desk, work, one.customer)
            return {"object": [name_of(catalogue.scopes[scope], catalogue, english) for scope in scopes]}
        case Right.ERASURE:
            return {"erase": True}


def _tried(number: str, field: str, done: str, given: Mapping[str, str], act: Callable[[Work], object]) -> Response:
    """Do something in one transaction; where it can't be done, say why beside its field, and keep what was typed."""
    try:
        with here().deployment.store.write() as work:
            act(work)
    except (Invalid, Conflict) as refused:
        why = refused.detail or "; ".join(place.why for place in refused.places) or refused.title
        return _page(number, wrong=Wrong(field=field, why=f"{why[0].upper()}{why[1:]}."), given=given)
    return see_other(f"/audit/requests/{number}?done={done}")


@blueprint.post("/<number>/read")
@action("requests.show")
def read(number: str) -> Response:
    """Record that somebody reads what the customer wrote, and show it."""
    forms.nothing_but(request.form)
    deployment, by = here().deployment, actor.current().name
    with deployment.store.write() as work:
        one = asked.find(work, number)
        look = looking.start(
            deployment.desk, work, one.customer, Why.REQUEST, actor=by, reason=_reason(one), at=deployment.clock()
        )
    return see_other(f"/audit/requests/{number}?look={look.id}")


def _reason(one: Request) -> str:
    return f"to answer request {one.id}"


@blueprint.post("/<number>/assign")
@action("requests.answer")
def assign(number: str) -> Response:
    """Give the request to somebody."""
    given, deployment = forms.read_fields(request.form, owner=100), here().deployment
    by, at = actor.current().name, deployment.clock()
    return _tried(
        number, "owner", "assigned", given,
        lambda work: requests.assign(deployment.desk, work, number, given["owner"], actor=by, at=at),
    )  # fmt: skip


@blueprint.post("/<number>/extend")
@action("requests.answer")
def extend(number: str) -> Response:
    """Take two more months."""
    given, deployment = forms.read_fields(request.form, reason=LONGEST), here().deployment
    by, at = actor.current().name, deployment.clock()
    return _tried(
        number, "reason", "extended", given,
        lambda work: requests.extend(deployment.desk, work, number, given["reason"], actor=by, at=at),
    )  # fmt: skip


@blueprint.post("/<number>/close")
@action("requests.answer")
def close(number: str) -> Response:
    """Answer the request."""
    given, deployment = forms.read_fields(request.form, outcome=20, answer=LONGEST), here().deployment
    if given["outcome"] not in {str(each) for each in Outcome}:
        return _page(number, wrong=Wrong(field="outcome", why="Please choose what became of it."), given=given)
    outcome, by, at = Outcome(given["outcome"]), actor.current().name, deployment.clock()
    return _tried(
        number, "answer" if outcome in (Outcome.REFUSED, Outcome.PARTLY) else "outcome", "closed", given,
        lambda work: requests.close(
            deployment.desk, work, number, outcome, actor=by, at=at, answer=given["answer"]
        ),
    )  # fmt: skip


@blueprint.post("/<number>/export")
@action("customers.export")
def export(number: str) -> Response:
    """Record an export for the request, and stream it."""
    given, house, who = forms.read_fields(request.form, format=10), here(), actor.current()
    rights.require_fresh(house, who)
    deployment = house.deployment
    form = Form.JSONLD if given["format"] == Form.JSONLD else Form.JSON
    with deployment.store.write() as work:
        one = asked.find(work, number)
        begun = exporting.start(
            deployment.desk, work, one.customer, form, actor=who.name, reason=_reason(one), at=deployment.clock()
        )
    written = exporting.written(deployment.store, deployment.desk, begun, house.elsewhere())
    headers = {"Content-Disposition": f'attachment; filename="{begun.name}"'}
    return Response(written, headers=headers, mimetype=begun.form.media_type)


@blueprint.post("/<number>/correct")
@action("customers.correct")
def correct(number: str) -> Response:
    """Set a fact right that the request is about."""
    given, deployment = forms.read_fields(request.form, attribute=63, value=typed.LONGEST), here().deployment
    by, at = actor.current().name, deployment.clock()

    def act(work: Work) -> object:
        one = asked.find(work, number)
        attribute = deployment.desk.catalogues.current(work).attributes.get(given["attribute"])
        if attribute is None:
            msg = "this is no attribute of the catalogue"
            raise RequestUnfit(msg)
        values = {attribute.name: typed.typed(attribute, given["value"])}
        return correcting.correct(deployment.desk, work, one.customer, values, actor=by, reason=_reason(one), at=at)

    return _tried(number, "value", "corrected", given, act)


@blueprint.post("/<number>/restrict")
@action("requests.answer")
def restrict(number: str) -> Response:
    """Record the restriction that the request asks for; it is fulfilled by it."""
    forms.nothing_but(request.form)
    deployment, by = here().deployment, actor.current().name

    def act(work: Work) -> object:
        one = asked.find(work, number)
        return limiting.restrict(
            deployment.desk, work, one.customer, actor=by, at=deployment.clock(), method=_method(one),
            evidence=f"request {one.id}",
        )  # fmt: skip

    return _tried(number, "restrict", "restricted", {}, act)


@blueprint.post("/<number>/object")
@action("requests.answer")
def object_(number: str) -> Response:
    """Record the objection that the request asks for; it is fulfilled by it."""
    forms.nothing_but(request.form)
    deployment, by = here().deployment, actor.current().name

    def act(work: Work) -> object:
        one = asked.find(work, number)
        scopes = limiting.objectionable(deployment.desk, work, one.customer)
        return limiting.object_to(
            deployment.desk, work, one.customer, scopes, actor=by, at=deployment.clock(), method=_method(one),
            evidence=f"request {one.id}",
        )  # fmt: skip

    return _tried(number, "object", "objected", {}, act)


def _method(one: Request) -> Method:
    return _METHODS.get(one.how, Method.PAPER)


@blueprint.post("/<number>/erase")
@action("customers.erase")
def erase(number: str) -> Response:
    """Erase the customer, if the word was typed; the request is closed with it."""
    given, house, who = forms.read_fields(request.form, word=40, ground=20, suppress=3), here(), actor.current()
    rights.require_fresh(house, who)
    with house.deployment.store.read() as work:
        one = asked.find(work, number)
    if given["word"].casefold() != _WORD or given["ground"] not in {str(each) for each in Ground}:
        why = f"Type {_WORD} to erase this customer." if given["word"].casefold() != _WORD else "Please choose why."
        return _page(number, wrong=Wrong(field="word", why=why), given=given)
    rights.erase(
        house, one.customer, ground=Ground(given["ground"]), by=who.name, how=one.how,
        suppress=given["suppress"] == "yes",
    )  # fmt: skip
    return see_other(f"/audit/requests/{number}?done=erased")
