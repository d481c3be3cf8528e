"""What a customer asks for by right: his requests with their deadlines, what he can do at once, being erased."""

from datetime import datetime
from typing import Final

from flask import Blueprint, Response, request

from api import rights
from api.actors import actor, sessions
from api.pages import asked as shown
from api.pages import forms
from api.pages.answering import language, linked, page, see_other
from api.pages.asked import Mine
from api.pages.choices import name_of
from api.pages.words import Words, languages, words
from api.roles import action
from api.wiring import here
from consent.base.ids import CustomerId
from consent.catalogue.model import Catalogue
from consent.rights import asked, limiting, requests
from consent.rights.asked import How, Right
from consent.rights.erasing import Ground
from consent.rights.requests import LONGEST, Asking

_UNFIT: Final = 422
_DONE: Final = frozenset({"asked", "restricted", "lifted", "objected"})
_ASKABLE: Final = (Right.ACCESS, Right.PORTABILITY, Right.RECTIFICATION, Right.OBJECTION)
"""What a person answers; the rest is done on the page itself."""

blueprint: Final = Blueprint("own_requests", __name__)


def _customer() -> CustomerId:
    return CustomerId(actor.current().subject)


@blueprint.get("/p/requests")
@action("rights.ask")
def show() -> Response:
    """Show a customer's requests, and what else he can ask for."""
    said, done = language(), request.args.get("done", "")
    return _page(said, done=said.say("requests", f"done_{done}") if done in _DONE else "")


def _page(
    said: Words, *, done: str = "", wrong: dict[str, str] | None = None, typed: str = "", kind: str = ""
) -> Response:
    deployment, who = here().deployment, _customer()
    at = deployment.clock()
    with deployment.store.read() as work:
        catalogue = deployment.desk.catalogues.current(work)
        mine = [
            shown.mine(one, asked.steps(work, one.id), asked.words(deployment.desk, work, one), at=at, said=said)
            for one in reversed(asked.of_customer(work, who))
        ]
        restricted = limiting.is_restricted(work, who)
        scopes = limiting.objectionable(deployment.desk, work, who)
    return page(
        "customer/requests.html",
        said=said,
        company=catalogue.name,
        path="/p/requests",
        status=_UNFIT if wrong else 200,
        done=done,
        wrong=wrong or {},
        typed=typed,
        chosen=kind,
        mine=_open_first(mine),
        restricted=restricted,
        objections=[name_of(catalogue.scopes[scope], catalogue, said) for scope in scopes],
        kinds=[(str(each), said.say("kinds", str(each))) for each in _ASKABLE],
        longest=LONGEST,
        erase_path=linked("/p/erase"),
        to_ask=linked("/p/requests/ask"),
        to_restrict=linked("/p/requests/restrict"),
        to_lift=linked("/p/requests/lift"),
        to_object=linked("/p/requests/object"),
    )


def _open_first(mine: list[Mine]) -> list[Mine]:
    """Return what is still to be answered before what was; both with the newest first."""
    return sorted(mine, key=lambda each: not each.due)


@blueprint.post("/p/requests/ask")
@action("rights.ask")
def ask() -> Response:
    """Take in a request that a person answers."""
    given = forms.read_fields(request.form, kind=20, wish=LONGEST)
    said, deployment = language(), here().deployment
    wrong = {}
    if given["kind"] not in {str(each) for each in _ASKABLE}:
        wrong["kind-access"] = said.say("requests", "error_kind")
    if not given["wish"]:
        wrong["wish"] = said.say("requests", "error_wish")
    if wrong:
        return _page(said, wrong=wrong, typed=given["wish"], kind=given["kind"])
    asking = Asking(kind=Right(given["kind"]), how=How.PAGE, wish=given["wish"])
    with deployment.store.write() as work:
        requests.take_in(deployment.desk, work, _customer(), asking, actor=actor.current().name, at=deployment.clock())
    return see_other(linked("/p/requests", done="asked"))


@blueprint.post("/p/requests/restrict")
@action("rights.ask")
def restrict() -> Response:
    """Stop every use of the customer's data."""
    forms.nothing_but(request.form)
    deployment = here().deployment
    with deployment.store.write() as work:
        limiting.restrict(deployment.desk, work, _customer(), actor=actor.current().name, at=deployment.clock())
    return see_other(linked("/p/requests", done="restricted"))


@blueprint.post("/p/requests/lift")
@action("rights.ask")
def lift() -> Response:
    """Lift the restriction."""
    forms.nothing_but(request.form)
    deployment = here().deployment
    with deployment.store.write() as work:
        limiting.lift(deployment.desk, work, _customer(), actor=actor.current().name, at=deployment.clock())
    return see_other(linked("/p/requests", done="lifted"))


@blueprint.post("/p/requests/object")
@action("rights.ask")
def object_() -> Response:
    """Object to everything that the company does on an interest of its own."""
    forms.nothing_but(request.form)
    deployment, who = here().deployment, _customer()
    at = deployment.clock()
    with deployment.store.write() as work:
        scopes = limiting.objectionable(deployment.desk, work, who)
        if scopes:
            limiting.object_to(deployment.desk, work, who, scopes, actor=actor.current().name, at=at)
    return see_other(linked("/p/requests", done="objected"))


@blueprint.get("/p/erase")
@action("rights.ask")
def ask_to_erase() -> Response:
    """Show what goes and what stays, and ask for the word."""
    return _erase_page(language())


def _erase_page(said: Words, *, wrong: str = "", typed: str = "") -> Response:
    deployment = here().deployment
    at = deployment.clock()
    with deployment.store.read() as work:
        catalogue = deployment.desk.catalogues.current(work)
    return page(
        "customer/erase.html",
        said=said,
        company=catalogue.name,
        path="/p/erase",
        status=_UNFIT if wrong else 200,
        intro=said.say("erase", "intro", company=catalogue.name),
        goes=_listed(said, "goes"),
        stays=_listed(said, "stays"),
        backups=said.count("erase", "backups", here().deployment.horizon.days, date=_gone_by(said, at)),
        type=said.say("erase", "type", word=said.texts["erase"]["word"]),
        wrong=wrong,
        typed=typed,
        to_erase=linked("/p/erase"),
        to_download=linked("/p/remembered") + "#download",
    )


def _listed(said: Words, which: str) -> list[str]:
    return [str(text) for key, text in said.texts["erase"].items() if key.startswith(f"{which}_")]


def _gone_by(said: Words, at: datetime) -> str:
    return said.date(here().deployment.horizon.gone_by(at))


@blueprint.post("/p/erase")
@action("rights.ask")
def erase() -> Response:
    """Erase the customer, if he typed the word; his session goes with him."""
    given = forms.read_fields(request.form, word=40, suppress=3)
    house, said = here(), language()
    rights.require_fresh(house, actor.current())
    if given["word"].casefold() not in {str(words(code).texts["erase"]["word"]) for code in languages()}:
        wrong = said.say("erase", "error_word", word=said.texts["erase"]["word"])
        return _erase_page(said, wrong=wrong, typed=given["word"])
    with house.deployment.store.read() as work:
        catalogue = house.deployment.desk.catalogues.current(work)
    done = rights.erase(
        house, _customer(), ground=Ground.WITHDRAWN, by=actor.current().name, how=How.PAGE,
        suppress=given["suppress"] == "yes",
    ).erased  # fmt: skip
    answer = _erased(said, catalogue, done.position, done.at, suppressed=done.suppressed > 0)
    sessions.take_cookie(answer, house.settings)
    return answer


def _erased(said: Words, catalogue: Catalogue, position: int, at: datetime, *, suppressed: bool) -> Response:
    return page(
        "customer/erased.html",
        said=said,
        company=catalogue.name,
        path="/p/erase",
        entry=said.say("erase", "done_entry", position=said.number(position)),
        backups=said.say("erase", "done_backups", date=_gone_by(said, at)),
        suppressed=suppressed,
    )
