"""How often and when a customer wants to hear from the company: he sees it, sets it, takes it back."""

from collections.abc import Mapping, Sequence
from typing import Final

from flask import Blueprint, Response, request

from api.actors import actor
from api.pages import forms, wished
from api.pages.answering import language, linked, page, see_other
from api.pages.wished import Change
from api.pages.words import Words
from api.roles import action
from api.wiring import here
from consent.base.errors import ContactPolicyInvalid, EntryUnknown
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.catalogue.model import Catalogue
from consent.register import mergers
from personalise import shelf, wishes
from personalise.wishes import Wishes

_UNFIT: Final = 422
_POSITION: Final = 15
blueprint: Final = Blueprint("own_wishes", __name__)


def _customer(work: Work) -> CustomerId:
    return mergers.surviving(work, CustomerId(actor.current().subject))


@blueprint.get("/p/wishes")
@action("own_wishes.show")
def show() -> Response:
    """Show a customer's limits and hours, and what he has just changed."""
    deployment, said, done = here().deployment, language(), request.args.get("entries", "")
    with deployment.store.read() as work:
        catalogue, stands = _stands(work)
        entries = forms.read_entries(done)
        changed = _changed(work, entries[0]) if entries else None
        zone = _zone(work, catalogue)
    keys = wished.keys_of(stands, catalogue)
    return _page(
        said, catalogue, stands, wished.typed(stands, keys, zone=zone),
        changes=wished.changes(changed.before, changed.now, said=said, of=catalogue) if changed else [],
        entry=changed.position if changed else None,
        undoable=changed is not None and changed.now == stands,
        same=done == "none",
    )  # fmt: skip


def _stands(work: Work) -> tuple[Catalogue, Wishes]:
    who = _customer(work)
    stands = wishes.of(wishes.read(work, [who]), who)
    return here().deployment.desk.catalogues.current(work), stands


def _zone(work: Work, catalogue: Catalogue) -> str:
    """Return the one time zone that the company takes its customers to be in; "" where there is none, or several."""
    try:
        hours = shelf.load_contact_policy(work, catalogue).hours
    except ContactPolicyInvalid:
        return ""
    return hours.fallback[0] if hours and len(hours.fallback) == 1 else ""


def _changed(work: Work, position: int) -> wishes.Changed | None:
    """Return a change of his, read back from the ledger; None where the address names none."""
    try:
        return wishes.changed(here().deployment.desk, work, _customer(work), position)
    except EntryUnknown:
        return None


def _page(  # noqa: PLR0913 -- all that can stand on it
    said: Words, catalogue: Catalogue, stands: Wishes, typed: Mapping[str, str], *, wrong: Sequence[str] = (),
    changes: Sequence[Change] = (), entry: int | None = None, undoable: bool = False, same: bool = False,
) -> Response:  # fmt: skip
    asked = wished.asked(typed, wrong, wished.keys_of(stands, catalogue), said=said, of=catalogue)
    return page(
        "customer/wishes.html",
        said=said,
        company=catalogue.name,
        path="/p/wishes",
        status=_UNFIT if wrong else 200,
        intro=said.say("wishes", "intro", company=catalogue.name),
        remove_hint=said.say("wishes", "remove_hint", company=catalogue.name),
        asked=asked,
        stands=stands != wishes.NONE,
        changes=changes,
        entry=said.say("dealings", "entry", position=said.number(entry)) if entry is not None else "",
        position=entry,
        undoable=undoable,
        same=same,
        to_save=linked("/p/wishes"),
        to_clear=linked("/p/wishes/clear"),
        to_undo=linked("/p/wishes/undo"),
        to_pause=linked("/p/choices") + "#break",
    )


@blueprint.post("/p/wishes")
@action("own_wishes.change")
def save() -> Response:
    """Keep what he typed, all of it, from now on."""
    deployment, said = here().deployment, language()
    with deployment.store.read() as work:
        catalogue, stands = _stands(work)
    keys = wished.keys_of(stands, catalogue)
    given = forms.read_fields(request.form, **wished.fields(keys))
    asked, wrong = wished.read(given, keys)
    if wrong:
        return _page(said, catalogue, stands, given, wrong=wrong)
    return _kept(asked)


@blueprint.post("/p/wishes/clear")
@action("own_wishes.change")
def clear() -> Response:
    """Remove all limits and hours."""
    forms.nothing_but(request.form)
    return _kept(wishes.NONE)


def _kept(asked: Wishes) -> Response:
    deployment = here().deployment
    with deployment.store.write() as work:
        done = wishes.change(
            deployment.desk, work, _customer(work), asked, actor=actor.current().name, at=deployment.clock()
        )
    return _saved(done)


@blueprint.post("/p/wishes/undo")
@action("own_wishes.change")
def undo() -> Response:
    """Take the change back that is named, if it is what stands."""
    deployment = here().deployment
    entries = forms.read_entries(forms.read_field(request.form, "entries", longest=_POSITION))
    if not entries:
        raise EntryUnknown
    with deployment.store.write() as work:
        done = wishes.undo(
            deployment.desk, work, _customer(work), entries[0], actor=actor.current().name, at=deployment.clock()
        )
    return _saved(done)


def _saved(done: wishes.Changed) -> Response:
    return see_other(linked("/p/wishes", entries="none" if done.position is None else str(done.position)))
