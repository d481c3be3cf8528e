"""What customers see and do: their choices, what changed, what they said; and the link that stops something.

Whatever is shown was read from the ledger for this page; nothing is shown as saved that hasn't been read back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flask import Blueprint, Response, request

from api.actors import actor
from api.pages import answers, forms
from api.pages.answering import language, linked, page, see_other
from api.pages.choices import Choices, answered_again, choices, name_of
from api.pages.forms import Given
from api.pages.past import past
from api.pages.words import Words
from api.roles import action
from api.wiring import here
from consent import catalogues, standings
from consent.base.errors import CustomerUnknown
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.catalogue.model import Catalogue
from consent.deployment import Deployment
from consent.permission.standing import Standing, from_stored
from consent.permission.statement import Statement
from consent.register import history, links, recording
from consent.register.history import Said
from consent.register.recording import Recorded

_CONFLICT: Final = 409
blueprint: Final = Blueprint("customer", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """All that a customer's pages are made of, read in one transaction."""

    catalogue: Catalogue
    standing: Standing
    said: Sequence[Said]
    bits: dict[str, int]


def _customer() -> CustomerId:
    return CustomerId(actor.current().subject)


def _known(deployment: Deployment, work: Work) -> _Known:
    customer = _customer()
    row = standings.read(work, [customer]).get(customer)
    if row is None:
        raise CustomerUnknown
    return _Known(
        catalogue=deployment.desk.catalogues.current(work),
        standing=from_stored(row),
        said=history.of_customer(deployment.desk, work, customer),
        bits=catalogues.bits(work),
    )


def _cards(deployment: Deployment, known: _Known, words: Words) -> Choices:
    said_at = {one.seq: one.statement.said_at for one in known.said}
    return choices(known.catalogue, known.standing, said_at, at=deployment.clock(), words=words)


@blueprint.get("/p")
@action("choices.show")
def door() -> Response:
    """Lead on to the choices."""
    return see_other(linked("/p/choices"))


@blueprint.get("/p/choices")
@action("choices.show")
def show() -> Response:
    """Show every choice, and what stands."""
    deployment, words = here().deployment, language()
    with deployment.store.read() as work:
        known = _known(deployment, work)
    return _choices_page(known, _cards(deployment, known, words), words)


@blueprint.post("/p/choices")
@action("choices.save")
def save() -> Response:
    """Record what the customer changed, and show what the ledger says then."""
    deployment, words, given = here().deployment, language(), forms.read_choices(request.form)
    with deployment.store.write() as work:
        known = _known(deployment, work)
        again = answers.reworded(known.catalogue, given)
        done = [] if again else _record(deployment, work, known, given, words)
    if again:
        return _asked_again(deployment, known, given, again, words)
    return see_other(linked("/p/saved", entries=_entries(done)))


def _record(deployment: Deployment, work: Work, known: _Known, given: Given, words: Words) -> list[Recorded]:
    at = deployment.clock()
    said = answers.statements(known.catalogue, known.standing, given, customer=_customer(), at=at, words=words)
    return _said(deployment, work, said, at)


def _said(deployment: Deployment, work: Work, said: Sequence[Statement], at: datetime) -> list[Recorded]:
    return recording.record(deployment.desk, work, said, actor=actor.current().name, at=at)


def _entries(done: Sequence[Recorded]) -> str:
    return ",".join(str(one.seq) for one in done)


def _asked_again(deployment: Deployment, known: _Known, given: Given, again: Sequence[str], words: Words) -> Response:
    """Show the form again, with every answer in it but those to words that the customer hasn't seen."""
    shown = answered_again(_cards(deployment, known, words), given.answers, again, given.objections)
    return _choices_page(known, shown, words, status=_CONFLICT)


def _choices_page(known: _Known, shown: Choices, words: Words, *, status: int = 200) -> Response:
    changed = [card for section in shown.sections for card in section.cards if card.changed]
    return page(
        "customer/choices.html",
        said=words,
        company=known.catalogue.name,
        path="/p/choices",
        status=status,
        intro=words.say("choices", "intro", company=known.catalogue.name),
        shown=shown,
        changed=changed,
        refused=status == _CONFLICT,
        action=linked("/p/choices"),
    )


@blueprint.get("/p/saved")
@action("choices.show")
def saved() -> Response:
    """Show what some entries changed, read back from the ledger."""
    deployment, words = here().deployment, language()
    entries = forms.read_entries(request.args.get("entries", ""))
    with deployment.store.read() as work:
        known = _known(deployment, work)
    at = deployment.clock()
    changed = answers.changes(known.catalogue, known.said, entries, bits=known.bits, at=at, words=words)
    back = answers.undoing(
        known.catalogue, known.said, entries, bits=known.bits, customer=_customer(), at=at, language=words.code
    )
    count = sum(len(each.scopes) for each in back)
    return page(
        "customer/saved.html",
        said=words,
        company=known.catalogue.name,
        path="/p/saved",
        changed=changed,
        forgotten=any(each.forgotten for each in changed),
        undo=words.say("saved", "undo") if count == 1 else words.say("saved", "undo_many", n=count) if count else "",
        partly=count < len(changed),
        entries=request.args.get("entries", ""),
        action=linked("/p/undo"),
    )


@blueprint.post("/p/undo")
@action("choices.save")
def undo() -> Response:
    """Say the opposite of what some entries said, wherever nothing was said since."""
    deployment, words = here().deployment, language()
    entries = forms.read_entries(forms.read_field(request.form, "entries"))
    with deployment.store.write() as work:
        known, at = _known(deployment, work), deployment.clock()
        back = answers.undoing(
            known.catalogue, known.said, entries, bits=known.bits, customer=_customer(), at=at, language=words.code
        )
        done = _said(deployment, work, back, at)
    return see_other(linked("/p/saved", entries=_entries(done)))


@blueprint.get("/p/history")
@action("choices.show")
def told() -> Response:
    """Show all that the customer said, the newest first."""
    deployment, words = here().deployment, language()
    with deployment.store.read() as work:
        known = _known(deployment, work)
        shown = past(deployment.desk, work, known.said, known.catalogue, words=words)
    return page("customer/history.html", said=words, company=known.catalogue.name, path="/p/history", statements=shown)


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
    rules = [catalogue.scopes[scope] for one in done for scope in one.statement.scopes]
    return page(
        "customer/withdrawn.html",
        said=words,
        company=catalogue.name,
        path=request.path,
        names=[name_of(rule, catalogue, words) for rule in rules],
        entries=[
            words.say("saved", "entry", position=words.number(one.seq), moment=words.moment(one.at)) for one in done
        ],
    )
