"""Evidence packs, for the compliance officer: ask for one, see how far it is, fetch it."""

from datetime import datetime, timedelta
from typing import Final

from flask import Blueprint, Response, render_template, request, url_for

from api.actors import actor
from api.explained import EXPLAINED
from api.pages import forms, packed
from api.pages.answering import see_other
from api.pages.worker import worker
from api.roles import action
from api.wiring import here
from consent.audit.packs import contents, making, shelf
from consent.audit.packs.about import LONGEST_REASON, About, Subject
from consent.audit.packs.shelf import Stage
from consent.base.errors import CustomerUnknown, Place, RequestUnfit
from consent.base.store import Work
from consent.register import customers

AT_ONCE: Final = 1_000
"""Entries up to which a pack is made while the page waits; beyond, it is queued for the worker."""

PAGE: Final = 50
_UNPROCESSABLE: Final = 422

blueprint: Final = Blueprint("audit_packs", __name__)


@blueprint.get("/audit/packs")
@action("packs.show")
def listed() -> str:
    """Show the packs that were asked for, and the form to ask for one."""
    return _page({"kind": request.args.get("kind", str(Subject.CUSTOMER)), "audit": request.args.get("audit", "")})


def _page(typed: dict[str, str], *, wrong: tuple[Place, ...] = ()) -> str:
    deployment = here().deployment
    with deployment.store.read() as work:
        found = shelf.listed(work, after=request.args.get("after", "")[:40], most=PAGE + 1)
    return render_template(
        "audit/packs.html",
        packs=[packed.line(each) for each in found[:PAGE]],
        older=url_for("audit_packs.listed", after=found[PAGE - 1].id) if len(found) > PAGE else "",
        kinds=packed.KINDS,
        typed=typed,
        wrong={place.where.removeprefix("/"): place.why for place in wrong},
        may_make=actor.current().may("packs.make"),
        may_open=actor.current().may("packs.open"),
    )


@blueprint.post("/audit/packs")
@action("packs.make")
def ask() -> Response:
    """Ask for a pack; a small one is made while the page waits."""
    typed = forms.read_fields(
        request.form, kind=20, customer=254, since=20, until=20, audit=40, personal=3, reason=LONGEST_REASON
    )
    deployment = here().deployment
    at = deployment.clock()
    try:
        with deployment.store.read() as work:
            about = _about(work, typed)
            small = contents.count(work, about, at=at) <= AT_ONCE
        if about.personal:
            actor.require(actor.current(), "packs.open")
        with deployment.store.write() as work:
            pack = shelf.ask(work, about, actor=actor.current().name, at=at)
    except RequestUnfit as unfit:
        places = unfit.places or (Place("/kind", unfit.detail),)
        return Response(_page(typed, wrong=places), _UNPROCESSABLE, mimetype="text/html")
    if small:
        making.make(deployment, pack, explained=EXPLAINED)
    return see_other(f"/audit/packs/{pack}")


def _about(work: Work, typed: dict[str, str]) -> About:
    """Read the form: only the fields of the chosen kind count; a period's last day belongs to it."""
    kind = typed["kind"]
    if kind not in list(Subject):
        raise RequestUnfit(places=[Place("/kind", "must be one of the three")])
    personal = kind == Subject.CUSTOMER and typed["personal"] == "yes"
    if kind == Subject.CUSTOMER:
        who = _customer(work, typed["customer"])
        return About(kind=Subject.CUSTOMER, customer=who, personal=personal, reason=typed["reason"] if personal else "")
    if kind == Subject.AUDIT:
        return About(kind=Subject.AUDIT, audit=typed["audit"])
    return About(kind=Subject.PERIOD, since=_day(typed, "since"), until=_day(typed, "until") + timedelta(days=1))


def _customer(work: Work, typed: str) -> str:
    if not typed:
        raise RequestUnfit(places=[Place("/customer", "is needed: his reference or his id")])
    try:
        return customers.find(here().deployment.desk, work, typed)
    except CustomerUnknown as unknown:
        raise RequestUnfit(places=[Place("/customer", "is nobody who is enrolled")]) from unknown


def _day(typed: dict[str, str], name: str) -> datetime:
    day = forms.read_day(typed[name])
    if day is None:
        raise RequestUnfit(places=[Place(f"/{name}", "must be a day, like 2026-11-21")])
    return day


@blueprint.get("/audit/packs/<pack>")
@action("packs.show")
def show(pack: str) -> str:
    """Show how far a pack is, and where it can be fetched."""
    deployment = here().deployment
    at = deployment.clock()
    with deployment.store.read() as work:
        found = shelf.one(work, pack)
        alive = worker(work, at=at)
    return render_template(
        "audit/pack.html",
        one=packed.line(found),
        worker=alive,
        waits=found.stage is Stage.QUEUED,
        may_fetch=not found.about.personal or actor.current().may("packs.open"),
    )


@blueprint.get("/audit/packs/<pack>/file")
@action("packs.show")
def fetch(pack: str) -> Response:
    """Return the zip."""
    deployment = here().deployment
    with deployment.store.read() as work:
        found = shelf.one(work, pack)
        if found.about.personal:
            actor.require(actor.current(), "packs.open")
        zipped = b"".join(shelf.body(deployment.desk, work, found))
    headers = {"Content-Disposition": f'attachment; filename="{found.id}.zip"'}
    return Response(zipped, mimetype="application/zip", headers=headers)
