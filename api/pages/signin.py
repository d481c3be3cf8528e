"""Signing in and out: a link shows a button, the button takes the link and begins a session.

Looking at a link spends nothing, so a mail scanner that opens it does no harm.
"""

from typing import Final

from flask import Blueprint, Response, render_template, request

from api.actors import actor, links, sessions
from api.actors.links import LinkKind, LinkSpent, SignInLink
from api.pages import forms
from api.pages.answering import language, linked, page, see_other
from api.roles import Role, action
from api.wiring import here

blueprint: Final = Blueprint("signin", __name__)


@blueprint.get("/p/l/<token>")
@action("session.enter")
def show_customer(token: str) -> Response:
    """Show a customer the button that signs him in."""
    _look(token, "customer")
    return page("signin/customer.html", said=language(), company="", path=request.path)


@blueprint.post("/p/l/<token>")
@action("session.enter")
def enter_customer(token: str) -> Response:
    """Take the link, and begin the customer's session."""
    forms.nothing_but(request.form)
    return _enter(token, "customer")


@blueprint.get("/s/<token>")
@action("session.enter")
def show_staff(token: str) -> str:
    """Show a member of staff the button that signs him in."""
    link = _look(token, "staff")
    return render_template("signin/staff.html", name=link.subject, role=link.role.value)


@blueprint.post("/s/<token>")
@action("session.enter")
def enter_staff(token: str) -> Response:
    """Take the invitation, and begin the session."""
    forms.nothing_but(request.form)
    return _enter(token, "staff")


@blueprint.post("/sign-out")
@action("session.leave")
def leave() -> Response:
    """End the session, here and in the browser."""
    forms.nothing_but(request.form)
    house = here()
    with house.deployment.store.write() as work:
        sessions.end(work, actor.current(), at=house.deployment.clock())
    answer = see_other("/")
    sessions.take_cookie(answer, house.settings)
    return answer


def _look(token: str, kind: LinkKind) -> SignInLink:
    deployment = here().deployment
    with deployment.store.read() as work:
        link = links.shown(work, token, at=deployment.clock())
    if link.kind != kind:
        raise LinkSpent
    return link


def _enter(token: str, kind: LinkKind) -> Response:
    house = here()
    at = house.deployment.clock()
    with house.deployment.store.write() as work:
        link = links.taken(work, token, at=at)
        if link.kind != kind:
            raise LinkSpent
        session = sessions.start(work, link, at=at, settings=house.settings)
    answer = see_other(_home(link.role))
    sessions.give_cookie(answer, session, house.settings)
    return answer


def _home(role: Role) -> str:
    match role:
        case Role.CUSTOMER:
            return linked("/p/choices")
        case Role.OFFICER:
            return "/audit"
        case _:
            return "/console"
