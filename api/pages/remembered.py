"""What a customer sees of what is remembered of him: by category, in words, to correct, to remove, to take with him.

Fetching the page opens nothing. Its button begins a look, which is recorded, and leads back to the page with the look
in its address: so what is shown was recorded before, and the page can be loaded again for a quarter of an hour.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Response, request

from api import rights
from api.actors import actor
from api.pages import facts, forms
from api.pages.answering import language, linked, page, see_other
from api.pages.facts import Group, Opening
from api.pages.words import Words
from api.roles import action
from api.wiring import House, here
from consent import gate
from consent.base.errors import RequestUnfit
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.catalogue.model import Catalogue
from consent.permission.verdict import Permit
from consent.rights import access_log, correcting, exporting, looking, requests, typed
from consent.rights.access_log import Chosen
from consent.rights.asked import Right
from consent.rights.correcting import Corrected
from consent.rights.exporting import Form
from consent.rights.looking import Look, Why

_OPENINGS: Final = 8
_UNFIT: Final = 422
_DONE: Final = frozenset({"corrected", "same", "removed"})
_NAME: Final = 63
_ID: Final = 36
blueprint: Final = Blueprint("remembered", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What the page is made of, read in one transaction."""

    catalogue: Catalogue
    groups: list[Group]
    openings: list[Opening]
    look: str
    over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wrong:
    """What was typed and refused."""

    name: str
    text: str
    why: str


def _customer() -> CustomerId:
    return CustomerId(actor.current().subject)


def _under(work: Work, look: str) -> Look | None:
    deployment, who = here().deployment, _customer()
    return looking.under(work, look, Why.ACCESS, actor=actor.current().name, at=deployment.clock(), customer=who)


def _seen(house: House, words: Words, look: str, *, refused: Mapping[str, str] | None = None) -> _Seen:
    desk, who = house.deployment.desk, _customer()
    with house.deployment.store.read() as work:
        under = _under(work, look)
        catalogue = desk.catalogues.current(work)
        verdicts = gate.check_all(desk, work, who, at=house.deployment.clock())
        permitted = {one.scope for one in verdicts if isinstance(one, Permit)}
        if under is None:
            groups = facts.closed(looking.kept(desk, work, who), catalogue, permitted, words)
        else:
            found = looking.remembered(desk, work, under)
            groups = facts.opened(found, catalogue, permitted, words, typed=refused)
        log, _ = access_log.listed(work, Chosen(customer=who), most=_OPENINGS)
    return _Seen(
        catalogue=catalogue,
        groups=groups,
        openings=facts.openings(log, catalogue, words),
        look=under.id if under else "",
        over=bool(look) and under is None,
    )


@blueprint.get("/p/remembered")
@action("remembered.show")
def show() -> Response:
    """Show what is kept: sealed, or opened under a look that was begun."""
    words = language()
    seen = _seen(here(), words, request.args.get("look", ""))
    done = request.args.get("done", "")
    return _page(seen, words, done=words.say("remembered", f"done_{done}") if done in _DONE else "")


def _page(seen: _Seen, words: Words, *, done: str = "", wrong: _Wrong | None = None) -> Response:
    return page(
        "customer/remembered.html",
        said=words,
        company=seen.catalogue.name,
        path="/p/remembered",
        status=_UNFIT if wrong else 200,
        intro=words.say("remembered", "intro", company=seen.catalogue.name),
        groups=seen.groups,
        openings=seen.openings,
        look=seen.look,
        over=seen.over,
        done=done,
        wrong=wrong,
        to_show=linked("/p/remembered/show"),
        to_correct=linked("/p/remembered/correct"),
        to_remove=linked("/p/remembered/remove"),
        to_download=linked("/p/download"),
        erase_path=linked("/p/erase"),
    )


@blueprint.post("/p/remembered/show")
@action("remembered.show")
def open_() -> Response:
    """Begin a look, and lead to the page that it opens."""
    forms.nothing_but(request.form)
    deployment, words = here().deployment, language()
    with deployment.store.write() as work:
        look = looking.start(
            deployment.desk, work, _customer(), Why.ACCESS, actor=actor.current().name,
            reason=words.say("remembered", "look_reason"), at=deployment.clock(),
        )  # fmt: skip
    return see_other(linked("/p/remembered", look=look.id))


@blueprint.post("/p/remembered/correct")
@action("remembered.change")
def correct() -> Response:
    """Set one fact right."""
    given = forms.read_fields(request.form, look=_ID, name=_NAME, value=typed.LONGEST)
    house, words = here(), language()
    deployment = house.deployment
    try:
        with deployment.store.write() as work:
            done = _corrected(work, given["name"], given["value"], words)
    except RequestUnfit:
        return _refused(house, words, given)
    return see_other(
        linked("/p/remembered", look=given["look"], done="corrected" if done.position is not None else "same")
    )


def _corrected(work: Work, name: str, text: str, words: Words) -> Corrected:
    deployment, who, by = here().deployment, _customer(), actor.current().name
    at = deployment.clock()
    attribute = deployment.desk.catalogues.current(work).attributes.get(name)
    value = typed.typed(attribute, text) if attribute else text
    reason = words.say("remembered", "look_reason")
    done = correcting.correct(deployment.desk, work, who, {name: value}, actor=by, reason=reason, at=at)
    if done.position is not None:
        requests.fulfil_at_once(deployment.desk, work, who, Right.RECTIFICATION, actor=by, at=at)
    return done


def _refused(house: House, words: Words, given: Mapping[str, str]) -> Response:
    """Show the page again with what was typed, and say what is wrong with it."""
    name, text = given["name"], given["value"]
    seen = _seen(house, words, given["look"], refused={name: text})
    attribute = seen.catalogue.attributes.get(name)
    there = any(fact.name == name for group in seen.groups for fact in group.facts)
    kind = attribute.type if attribute and (there or not seen.look) else "gone"
    why = words.say("remembered", f"wrong_{kind}", name=facts.label(name, words))
    return _page(seen, words, wrong=_Wrong(name=name if there else "", text=text, why=why))


@blueprint.post("/p/remembered/remove")
@action("remembered.change")
def remove() -> Response:
    """Remove one fact, or all of a category."""
    given = forms.read_fields(request.form, look=_ID, name=_NAME, category=_NAME)
    house, words = here(), language()
    deployment, who, by = house.deployment, _customer(), actor.current().name
    reason, at = words.say("remembered", "look_reason"), deployment.clock()
    try:
        with deployment.store.write() as work:
            if given["category"]:
                correcting.remove_category(
                    deployment.desk, work, who, given["category"], actor=by, reason=reason, at=at
                )
            else:
                correcting.remove(deployment.desk, work, who, [given["name"]], actor=by, reason=reason, at=at)
    except RequestUnfit:
        return _refused(house, words, {"name": given["category"] or given["name"], "value": "", "look": given["look"]})
    return see_other(linked("/p/remembered", look=given["look"], done="removed"))


@blueprint.post("/p/download")
@action("remembered.show")
def download() -> Response:
    """Record an export that the customer asks for himself, and stream it; his request for access is fulfilled by it."""
    given = forms.read_fields(request.form, format=10)
    house, words = here(), language()
    rights.require_fresh(house, actor.current())
    deployment, who, by = house.deployment, _customer(), actor.current().name
    form = Form.JSONLD if given["format"] == Form.JSONLD else Form.JSON
    at = deployment.clock()
    with deployment.store.write() as work:
        begun = exporting.start(
            deployment.desk, work, who, form, actor=by, reason=words.say("remembered", "download_reason"), at=at
        )
        requests.fulfil_at_once(deployment.desk, work, who, Right.ACCESS, actor=by, at=at)
    written = exporting.written(deployment.store, deployment.desk, begun, house.elsewhere(words.code))
    headers = {"Content-Disposition": f'attachment; filename="{begun.name}"'}
    return Response(written, headers=headers, mimetype=begun.form.media_type)
