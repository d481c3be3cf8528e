"""The compliance officer's pages: are we clean, how do we know, and the report of every audit."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from flask import Blueprint, Response, render_template, request

from api.actors import actor
from api.checks import CHECKS
from api.pages import forms, present
from api.pages.answering import see_other
from api.pages.verdicts import audit_line, overview, report
from api.pages.worker import worker
from api.roles import action
from api.wiring import ASKED_AUDIT, here
from consent import jobs
from consent.audit import reading
from consent.audit import run as audits
from consent.audit.reading import PastAudit
from consent.base.store import Work
from consent.deployment import Deployment
from consent.jobs import Slot
from consent.ledger import log
from consent.register import customers, proving

AT_ONCE: Final = 2_000
"""Customers up to which an audit is run while the page waits; beyond, it is queued for the worker."""

_ENDED: Final = frozenset({"passed", "findings", "could_not_check"})
blueprint: Final = Blueprint("audit", __name__)


@blueprint.get("/audit")
@action("audits.show")
def home() -> str:
    """Show how every check went last, what the ledger says of itself, and the last audits."""
    house = here()
    at = house.deployment.clock()
    with house.deployment.store.read() as work:
        newest = reading.newest(work, at=at)
        last = _last(work, newest, at)
        head = log.head(work)
        checkpoint = proving.newest_checkpoint(work)
        alive = worker(work, at=at)
        count = customers.count(work)
        queued = _queued(work)
    hours = house.settings.audit_every_hours
    running = any(each.status == audits.RUNNING for each in newest)
    return render_template(
        "audit/home.html",
        shown=overview(CHECKS, newest, last, at=at, every=timedelta(hours=hours)),
        audits=[audit_line(each) for each in newest],
        entries=present.counted(head.size, "entry", "entries"),
        checkpoint=checkpoint or "",
        worker=alive,
        every=present.counted(hours, "hour"),
        may_run=actor.current().may("audits.run"),
        small=count <= AT_ONCE,
        queued=present.ago(queued.scheduled_for, at) if queued else "",
        stamp=f"{queued is not None}-{newest[0].audit if newest else 0}-{newest[0].status if newest else 0}",
        running=running,
        under_way=running or queued is not None,
        customers=present.counted(count, "customer"),
    )


def _last(work: Work, newest: Sequence[PastAudit], at: datetime) -> tuple[PastAudit, Mapping[str, Any]] | None:
    ended = next((each for each in newest if each.status in _ENDED), None)
    if ended is None:
        return None
    past, stored = reading.one(work, ended.audit, at=at)
    return (past, stored) if stored is not None else None


@blueprint.post("/audit/run")
@action("audits.run")
def run() -> Response:
    """Run an audit while the page waits, and show its report; with many customers, have the worker do it."""
    forms.nothing_but(request.form)
    deployment = here().deployment
    with deployment.store.read() as work:
        small = customers.count(work) <= AT_ONCE
    if not small:
        _ask(deployment)
        return see_other("/audit")
    done = audits.run(deployment, CHECKS, asked_by=actor.current().name)
    return see_other(f"/audit/audits/{done.audit}")


def _ask(deployment: Deployment) -> None:
    """Queue an audit in the asker's name, unless one waits already."""
    with deployment.store.write() as work:
        if _queued(work) is None:
            at, name = deployment.clock(), actor.current().name
            held = jobs.claim(work, ASKED_AUDIT, at, name, at=at, lease_seconds=0)
            if held is not None:
                jobs.release(work, held, at=at)


def _queued(work: Work) -> Slot | None:
    return next((each for each in jobs.newest(work, ASKED_AUDIT) if each.state == jobs.RELEASED), None)


@blueprint.get("/audit/audits/<audit>")
@action("audits.show")
def show(audit: str) -> str:
    """Show the report of one audit."""
    deployment = here().deployment
    with deployment.store.read() as work:
        past, stored = reading.one(work, audit, at=deployment.clock())
    return render_template("audit/report.html", shown=report(past, stored))
