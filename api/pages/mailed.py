"""The pages behind links in mails: one stops something, one confirms something. Neither takes a sign-in.

Looking at a link does nothing (mail scanners open every one they see); the button does. A link that stops can make a
permission smaller and nothing else, and never ends; one that confirms is good once, and for some days.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from flask import Blueprint, Response, request

from api.pages import choices, forms
from api.pages.answering import language, linked, page
from api.pages.choices import State, name_of, wording
from api.pages.words import Words
from api.roles import action
from api.wiring import here
from consent import standings
from consent.catalogue.model import Catalogue
from consent.permission.standing import EMPTY, Standing, from_stored
from consent.register import confirming, links
from consent.register.recording import Recorded

blueprint: Final = Blueprint("mailed", __name__)


@blueprint.get("/p/confirm/<token>")
@action("link.confirm")
def ask_to_confirm(token: str) -> Response:
    """Show what a link confirms, in the words that were shown, and the button that does it. Confirms nothing."""
    deployment, words = here().deployment, language()
    at = deployment.clock()
    with deployment.store.read() as work:
        shown = confirming.shown(deployment.desk, work, token, at=at)
        catalogue = deployment.desk.catalogues.current(work)
    rules = [(catalogue.scopes[scope], version) for scope, version in shown.scopes.items()]
    spoken = shown.confirmation.language or words.code
    questions = [
        (name_of(rule, catalogue, words), *wording(catalogue.notice_of(rule.notice, version), spoken))
        for rule, version in rules
    ]
    return page(
        "customer/confirm.html",
        said=words,
        company=catalogue.name,
        path=request.path,
        questions=questions,
        until=words.say("confirm", "until", until=words.moment(shown.confirmation.expires_at)),
        action=linked(request.path),
    )


@blueprint.post("/p/confirm/<token>")
@action("link.confirm")
def confirm(token: str) -> Response:
    """Spend the link: what it was made for counts from now on."""
    deployment, words = here().deployment, language()
    at = deployment.clock()
    forms.nothing_but(request.form)
    with deployment.store.write() as work:
        done = confirming.confirm(deployment.desk, work, token, at=at)
        catalogue = deployment.desk.catalogues.current(work)
        row = standings.read(work, [done[0].customer])[done[0].customer] if done else None
    standing = from_stored(row) if row else EMPTY
    states = _states(done, catalogue, standing, at)
    above = [*choices.above(standing, at, words)]
    return page(
        "customer/confirmed.html",
        said=words,
        company=catalogue.name,
        path=request.path,
        answers=[
            (name, state, words.say("states", state))
            for name, state in zip(_names(done, catalogue, words), states, strict=True)
        ],
        above=above,
        counts=not above and set(states) == {"yes"},
        entries=[
            words.say("saved", "entry", position=words.number(one.seq), moment=words.moment(one.at)) for one in done
        ],
    )


@blueprint.get("/w/<token>")
@action("link.withdraw")
def ask_to_stop(token: str) -> Response:
    """Show what a link stops, and the button that does it. Stops nothing."""
    deployment, words = here().deployment, language()
    with deployment.store.read() as work:
        link = links.read(deployment.desk, token)
        catalogue = deployment.desk.catalogues.current(work)
    rules = [rule for scope in link.scopes if (rule := catalogue.scopes.get(scope))]
    return page(
        "customer/withdraw.html",
        said=words,
        company=catalogue.name,
        path=request.path,
        names=[name_of(rule, catalogue, words) for rule in rules],
        action=linked(request.path),
    )


@blueprint.post("/w/<token>")
@action("link.withdraw")
def stop(token: str) -> Response:
    """Withdraw what the link names: for a person who pressed the button, or for his mail program."""
    deployment, words, by_program = here().deployment, language(), forms.one_click(request.form)
    if not by_program:
        forms.nothing_but(request.form)
    with deployment.store.write() as work:
        done = links.withdraw(deployment.desk, work, token, at=deployment.clock())
        catalogue = deployment.desk.catalogues.current(work)
    if by_program:
        return Response("Stopped.\n", mimetype="text/plain")
    return page(
        "customer/withdrawn.html",
        said=words,
        company=catalogue.name,
        path=request.path,
        names=_names(done, catalogue, words),
        entries=[
            words.say("saved", "entry", position=words.number(one.seq), moment=words.moment(one.at)) for one in done
        ],
    )


def _states(done: Sequence[Recorded], catalogue: Catalogue, standing: Standing, at: datetime) -> list[State]:
    """Say what stands for what was confirmed: a newer wording, an age or a browser's wish may be in its way."""
    rules = [catalogue.scopes[scope] for one in done for scope in one.statement.scopes]
    return [
        choices.state_of(rule, standing.of(rule.bit), at, born_by=standing.born_by, opted_out=standing.gpc > 0)
        for rule in rules
    ]


def _names(done: Sequence[Recorded], catalogue: Catalogue, words: Words) -> list[str]:
    """Name what was said something about; a scope that the catalogue has no more has no other name than its own."""
    scopes = [scope for one in done for scope in one.statement.scopes]
    known = catalogue.scopes
    return [name_of(known[scope], catalogue, words) if scope in known else scope for scope in scopes]
