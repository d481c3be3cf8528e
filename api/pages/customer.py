"""What customers see and do: their choices, a pause, one press that stops everything, what changed, what they said.

Whatever is shown was read from the ledger for this page; nothing is shown as saved that hasn't been read back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from flask import Blueprint, Response, request

from api.actors import actor
from api.pages import answers, forms
from api.pages.answering import language, linked, page, see_other
from api.pages.choices import Choices, answered_again, choices
from api.pages.forms import Given
from api.pages.past import Stood, past, stood
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
from consent.permission.statement import OLDEST, Act, Method, Statement
from consent.register import history, proving, recording, stopping
from consent.register.history import Said
from consent.register.recording import Recorded
from consent.signals import gpc

_CONFLICT: Final = 409
_WRONG: Final = 422
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
    at = deployment.clock()
    return choices(known.catalogue, known.standing, said_at, at=at, words=words, signal=_signal())


def _signal() -> bool:
    """Say whether the browser opts out, with this very request."""
    return gpc.asked(request.headers.get(gpc.HEADER))


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
    at, signal = deployment.clock(), _signal()
    # His browser's wish comes first, once: what he then says himself he says knowing that it is heeded.
    first = [answers.signalled(_customer(), at)] if signal and not known.standing.gpc else []
    if given.everything == "no":
        return [*_said(deployment, work, first, at), *_stopped(deployment, work, words)]
    said = answers.statements(
        known.catalogue, known.standing, given, customer=_customer(), at=at, words=words, signal=signal
    )
    return _said(deployment, work, [*first, *said], at)


def _stopped(deployment: Deployment, work: Work, words: Words) -> list[Recorded]:
    at, who = deployment.clock(), actor.current().name
    done = stopping.stop_all(deployment.desk, work, _customer(), actor=who, at=at, language=words.code)
    proving.sign_checkpoint(deployment.desk, work, at=at)
    return done


def _said(deployment: Deployment, work: Work, said: Sequence[Statement], at: datetime) -> list[Recorded]:
    done = recording.record(deployment.desk, work, said, actor=actor.current().name, at=at)
    if done:
        # The page that follows offers receipts: to fetch one then writes nothing.
        proving.sign_checkpoint(deployment.desk, work, at=at)
    return done


def _entries(done: Sequence[Recorded]) -> str:
    return ",".join(str(one.seq) for one in done)


def _asked_again(deployment: Deployment, known: _Known, given: Given, again: Sequence[str], words: Words) -> Response:
    """Show the form again, with every answer in it but those to words that the customer hasn't seen."""
    ticked = given.objections | given.allowances
    shown = answered_again(_cards(deployment, known, words), given.answers, again, ticked)
    return _choices_page(known, shown, words, status=_CONFLICT)


def _choices_page(known: _Known, shown: Choices, words: Words, *, status: int = 200, until: str = "") -> Response:
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
        pause=linked("/p/resume") if shown.paused else linked("/p/pause"),
        stop=linked("/p/stop"),
        wrong_day=status == _WRONG,
        until=until,
        tomorrow=f"{here().deployment.clock() + timedelta(days=1):%Y-%m-%d}",
        age=words.say("choices", "age", age=shown.youngest) if shown.youngest else "",
        oldest=OLDEST,
    )


@blueprint.post("/p/pause")
@action("choices.save")
def pause() -> Response:
    """Pause everything until a day, or until he resumes."""
    deployment, words = here().deployment, language()
    day = forms.read_field(request.form, "until", longest=20)
    until = forms.read_day(day) if day else None
    at = deployment.clock()
    if day and (until is None or until <= at):
        with deployment.store.read() as work:
            known = _known(deployment, work)
        return _choices_page(known, _cards(deployment, known, words), words, status=_WRONG, until=day)
    return _whole(Act.PAUSE, until)


@blueprint.post("/p/resume")
@action("choices.save")
def resume() -> Response:
    """End a pause."""
    forms.nothing_but(request.form)
    return _whole(Act.RESUME)


def _whole(act: Act, until: datetime | None = None) -> Response:
    deployment = here().deployment
    with deployment.store.write() as work:
        at = deployment.clock()
        said = Statement(customer=_customer(), act=act, scopes=(), said_at=at, method=Method.WEB_FORM, until=until)
        done = _said(deployment, work, [said], at)
    return see_other(linked("/p/saved", entries=_entries(done)))


@blueprint.post("/p/stop")
@action("choices.save")
def stop_everything() -> Response:
    """Withdraw, refuse and object to everything, in one press."""
    deployment, words = here().deployment, language()
    forms.nothing_but(request.form)
    with deployment.store.write() as work:
        done = _stopped(deployment, work, words)
    return see_other(linked("/p/saved", entries=_entries(done)))


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
    count = sum(len(each.scopes) or 1 for each in back)
    return page(
        "customer/saved.html",
        said=words,
        company=known.catalogue.name,
        path="/p/saved",
        changed=changed,
        signal=answers.signal_entry(known.said, entries, words),
        forgotten=any(each.forgotten for each in changed),
        undo=words.count("saved", "undo", count) if count else "",
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
    """Show all that the customer said, the newest first; or what he had said by a day, and what stood then."""
    deployment, words = here().deployment, language()
    day = forms.read_day(request.args.get("by", ""))
    now = deployment.clock()
    then = min(day + timedelta(days=1, milliseconds=-1), now) if day else now
    with deployment.store.read() as work:
        known = _known(deployment, work)
        said = [one for one in known.said if one.at <= then]
        shown = past(deployment.desk, work, said, known.catalogue, words=words)
        stands = _stood(deployment, work, then, words) if day else []
    return page(
        "customer/history.html",
        said=words,
        company=known.catalogue.name,
        path="/p/history",
        statements=shown,
        stood=stands,
        by=f"{day:%Y-%m-%d}" if day else "",
        today=f"{now:%Y-%m-%d}",
        as_of=words.say("history", "as_of", moment=words.moment(then)) if day else "",
        everything=linked("/p/history"),
        chosen=request.args.get("lang", ""),
        verify_path=linked("/verify"),
    )


def _stood(deployment: Deployment, work: Work, then: datetime, words: Words) -> list[Stood]:
    standing = history.standing_at(deployment.desk, work, _customer(), then)
    _, version = history.ledger_at(work, then)
    catalogue = deployment.desk.catalogues.version(work, version) if version else None
    return stood(catalogue, standing, at=then, words=words)
