"""The compliance officer's pages: are we clean, how do we know, and the report of every audit."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

from api.actors import actor
from api.checks import CHECKS
from api.explained import EXPLAINED
from api.pages import followed, forms, present, tabular
from api.pages.answering import see_other
from api.pages.verdicts import STATUS_NAMES, alarm_line, audit_line, ledger_line, overview, report
from api.pages.worker import worker
from api.roles import action
from api.wiring import HEARTBEAT, here
from consent.audit import alarms, asking, life, reading
from consent.audit import run as audits
from consent.audit.reading import PastAudit
from consent.audit.reports import making
from consent.audit.reports.making import Format
from consent.base.errors import NotFound, Place, RequestInvalid
from consent.base.store import Work
from consent.ledger import log
from consent.register import alarms as ledger_alarms
from consent.register import customers, proving

AT_ONCE: Final = 2_000
"""Customers up to which an audit is run while the page waits; beyond, it is queued for the worker."""

PAGE: Final = 50
_SHOWN: Final = 5
_LOOKED_AT: Final = 50
_ENDED: Final = frozenset({"passed", "findings", "could_not_check"})
_COLUMNS: Final = ("audit", "started_at", "ended_at", "status", "asked_by", "position")
blueprint: Final = Blueprint("audit", __name__)


@blueprint.get("/audit")
@action("audits.show")
def home() -> str:
    """Show how every check went last, what the ledger says of itself, what is amiss, and the last audits."""
    house = here()
    at = house.deployment.clock()
    with house.deployment.store.read() as work:
        newest = reading.newest(work, at=at, most=_LOOKED_AT)
        last = _last(work, newest, at)
        head = log.head(work)
        checkpoint = proving.newest_checkpoint(work)
        alive = worker(work, at=at)
        count = customers.count(work)
        queued = asking.queued(work)
        amiss = alarms.signs(work, at=at, heartbeat=HEARTBEAT)
        doubts = ledger_alarms.standing(work)
        counts = life.counts(work, at=at)
    running = any(each.status == audits.RUNNING for each in newest)
    waiting = followed.waiting(counts)
    return render_template(
        "audit/home.html",
        shown=overview(CHECKS, newest, last, waiting=waiting),
        alarms=[*(ledger_line(each, at) for each in doubts), *(alarm_line(each, at) for each in amiss)],
        waiting=waiting,
        audits=[audit_line(each) for each in newest[:_SHOWN]],
        entries=present.counted(head.size, "entry", "entries"),
        checkpoint=checkpoint or "",
        worker=alive,
        may_run=actor.current().may("audits.run"),
        small=count <= AT_ONCE,
        queued=present.ago(queued.scheduled_for, at) if queued else "",
        stamp=f"{queued is not None}-{newest[0].audit if newest else 0}-{newest[0].status if newest else 0}",
        running=running,
        under_way=running or queued is not None,
        customers=present.counted(count, "customer"),
    )


def _last(work: Work, newest: Sequence[PastAudit], at: datetime) -> tuple[PastAudit, Mapping[str, Any]] | None:
    """Return the newest audit that ended and ran most of the checks: a rerun of one of them tells little of others."""
    best: tuple[PastAudit, Mapping[str, Any]] | None = None
    for each in newest:
        if each.status not in _ENDED:
            continue
        past, stored = reading.one(work, each.audit, at=at)
        if stored is None:
            continue
        if best is None or len(stored["checks"]) > len(best[1]["checks"]):
            best = past, stored
        if len(stored["checks"]) >= len(CHECKS):
            break
    return best


@blueprint.post("/audit/run")
@action("audits.run")
def run() -> Response:
    """Run an audit while the page waits, and show its report; with many customers, have the worker do it."""
    forms.nothing_but(request.form)
    deployment = here().deployment
    with deployment.store.read() as work:
        small = customers.count(work) <= AT_ONCE
    if not small:
        at, name = deployment.clock(), actor.current().name
        with deployment.store.write() as work:
            asking.ask(work, actor=name, at=at)
        return see_other("/audit")
    done = audits.run(deployment, CHECKS, asked_by=actor.current().name)
    return see_other(f"/audit/audits/{done.audit}")


@blueprint.get("/audit/audits")
@action("audits.show")
def listed() -> str:
    """List audits by how they ended, the newest first."""
    status, after = _chosen()
    deployment = here().deployment
    at = deployment.clock()
    with deployment.store.read() as work:
        found = reading.newest(work, at=at, most=PAGE + 1, after=after, status=status)
    shown = found[:PAGE]
    return render_template(
        "audit/audits.html",
        audits=[audit_line(each) for each in shown],
        statuses={"": "Any", **STATUS_NAMES},
        status=status,
        csv=_address("/audit/audits.csv", status),
        json=_address("/audit/audits.json", status),
        older=_address("/audit/audits", status, after=shown[-1].audit) if len(found) > PAGE else "",
    )


@blueprint.get("/audit/audits.csv")
@action("audits.show")
def as_csv() -> Response:
    """Return the audits of a filter as CSV."""
    return tabular.csv_file("audits", _COLUMNS, _rows())


@blueprint.get("/audit/audits.json")
@action("audits.show")
def as_json() -> Response:
    """Return the audits of a filter as JSON."""
    return tabular.json_rows("audits", _rows())


def _rows() -> Iterator[dict[str, object]]:
    deployment, (status, _) = here().deployment, _chosen()
    at = deployment.clock()

    def page(after: str) -> tuple[list[PastAudit], str]:
        with deployment.store.read() as work:
            found = reading.newest(work, at=at, most=tabular.AT_ONCE, after=after, status=status)
        return found, found[-1].audit if len(found) == tabular.AT_ONCE else ""

    return (
        {
            "audit": each.audit, "started_at": each.started_at, "ended_at": each.ended_at, "status": each.status,
            "asked_by": each.asked_by, "position": each.position,
        }
        for each in tabular.every(page)
    )  # fmt: skip


def _chosen() -> tuple[str, str]:
    given = {name: value for name, value in request.args.items() if value}
    wrong = [Place(f"?{name[:80]}", "is not known here") for name in given if name not in ("status", "after")]
    if given.get("status", "passed") not in STATUS_NAMES:
        wrong.append(Place("?status", "is no status of an audit"))
    if wrong:
        raise RequestInvalid(places=wrong)
    return given.get("status", ""), given.get("after", "")[:40]


def _address(path: str, status: str, **more: str) -> str:
    asked = {**({"status": status} if status else {}), **more}
    return f"{path}?{urlencode(asked)}" if asked else path


@blueprint.get("/audit/audits/<audit>")
@action("audits.show")
def show(audit: str) -> str:
    """Show the report of one audit."""
    deployment = here().deployment
    at = deployment.clock()
    with deployment.store.read() as work:
        past, stored = reading.one(work, audit, at=at)
        found = _followed(work, stored, at)
    return render_template(
        "audit/report.html",
        shown=report(past, stored),
        findings=found,
        formats=[str(each) for each in Format] if stored is not None else [],
    )


def _followed(work: Work, stored: Mapping[str, Any] | None, at: datetime) -> dict[str, followed.FindingLine]:
    """Return the audit's findings as they stand now, by check and subject."""
    pairs = {(each["check"], each["subject"]) for each in (stored or {}).get("findings", ())}
    return {
        f"{check} {one.subject}": followed.finding_line(one)
        for check in {check for check, _ in pairs}
        for one in life.of_subjects(work, check, [subject for key, subject in pairs if key == check], at=at)
    }


@blueprint.get("/audit/audits/<audit>/report.<format_>")
@action("audits.show")
def download(audit: str, format_: str) -> Response:
    """Return the report of an audit as a file."""
    if format_ not in list(Format):
        raise NotFound("there is no report in this format")
    deployment = here().deployment
    at = deployment.clock()
    with deployment.store.read() as work:
        made = making.make(work, audit, Format(format_), explained=EXPLAINED, at=at)
    return _file(made.body, made.media, made.name)


def _file(body: bytes, media: str, name: str) -> Response:
    return Response(body, mimetype=media, headers={"Content-Disposition": f'attachment; filename="{name}"'})
