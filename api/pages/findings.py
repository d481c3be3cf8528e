"""What audits found, for the compliance officer: lists by filter, each finding with its history, and what to do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

from api.actors import actor
from api.checks import CHECKS
from api.explained import EXPLAINED
from api.pages import followed, forms, tabular
from api.pages.answering import see_other
from api.pages.followed import SEVERITY_NAMES, STATE_NAMES, finding_line
from api.roles import action
from api.wiring import here
from consent.audit import handling, life
from consent.audit.handling import Rerun
from consent.audit.life import Filter, Followed, State
from consent.base.errors import Place, RequestInvalid, RequestUnfit
from consent.base.store import Work

PAGE: Final = 50
ALL: Final = "all"
COLUMNS: Final = ("finding", "check", "subject", "severity", "why", "state", "owner", "accepted_until", "opened_at",
                  "seen_at", "audit", "version")  # fmt: skip
_UNPROCESSABLE: Final = 422
_KNOWN: Final = frozenset({"state", "check", "severity", "owner", "after"})
_CAME: Final = {
    Rerun.RESOLVED: "The check was run again over everything and no longer finds it: it is resolved.",
    Rerun.STILL_THERE: "The check was run again, and found it again.",
    Rerun.COULD_NOT_CHECK: "The check was run again and could not judge it: it stays as it is.",
}
_DONE: Final = {
    "assigned": "It was given to its owner, who is to see to it.",
    "accepted": "It is accepted until the time below; after that it is open again by itself.",
}
"""What was done, after a form; what stands now is read anew."""

Change: TypeAlias = Callable[[Work, datetime], Followed]

blueprint: Final = Blueprint("audit_findings", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which findings the address asks for; the empty state stands for all that are not resolved."""

    state: str = ""
    check: str = ""
    severity: str = ""
    owner: str = ""
    after: str = ""

    @property
    def filter(self) -> Filter:
        """Return it as the use case takes it."""
        states = life.UNRESOLVED.states if not self.state else () if self.state == ALL else (State(self.state),)
        return Filter(states=states, check=self.check, severity=self.severity, owner=self.owner)

    def address(self, path: str, **more: str) -> str:
        """Return an address with this filter."""
        told = {"state": self.state, "check": self.check, "severity": self.severity, "owner": self.owner, **more}
        asked = {name: value for name, value in told.items() if value}
        return f"{path}?{urlencode(asked)}" if asked else path


def _chosen() -> Chosen:
    given = {name: value.strip() for name, value in request.args.items() if value.strip()}
    wrong = [Place(f"?{name[:80]}", "is not known here") for name in given if name not in _KNOWN]
    if given.get("state", ALL) not in (*STATE_NAMES, ALL):
        wrong.append(Place("?state", "is no state of a finding"))
    if given.get("check", CHECKS[0].key) not in {each.key for each in CHECKS}:
        wrong.append(Place("?check", f"is no check; there are {', '.join(each.key for each in CHECKS)}"))
    if given.get("severity", "low") not in SEVERITY_NAMES:
        wrong.append(Place("?severity", "is no severity"))
    if wrong:
        raise RequestInvalid(places=wrong)
    return Chosen(**{name: value[:200] for name, value in given.items()})


@blueprint.get("/audit/findings")
@action("findings.show")
def listed() -> str:
    """List findings by what the address chooses; unless it says otherwise, those that are not resolved."""
    chosen = _chosen()
    deployment = here().deployment
    at = deployment.clock()
    with deployment.store.read() as work:
        found = life.listed(work, chosen.filter, at=at, after=chosen.after, most=PAGE + 1)
        counts = life.counts(work, at=at)
    shown = found[:PAGE]
    filtered = bool(chosen.state or chosen.check or chosen.severity or chosen.owner)
    return render_template(
        "audit/findings.html",
        findings=[finding_line(each) for each in shown],
        chosen=chosen,
        states={"": "Not resolved", ALL: "All", **STATE_NAMES},
        severities={"": "Any", **SEVERITY_NAMES},
        checks={"": "Any", **{each.key: each.key for each in CHECKS}},
        waiting=followed.waiting(counts),
        empty=followed.empty(filtered, bool(counts)),
        csv=chosen.address("/audit/findings.csv"),
        json=chosen.address("/audit/findings.json"),
        older=chosen.address("/audit/findings", after=shown[-1].id) if len(found) > PAGE else "",
    )


@blueprint.get("/audit/findings.csv")
@action("findings.show")
def as_csv() -> Response:
    """Return the findings of a filter as CSV."""
    return tabular.csv_file("findings", COLUMNS, _rows())


@blueprint.get("/audit/findings.json")
@action("findings.show")
def as_json() -> Response:
    """Return the findings of a filter as JSON."""
    return tabular.json_rows("findings", _rows())


def _rows() -> Iterator[dict[str, Any]]:
    deployment, chosen = here().deployment, _chosen()
    at = deployment.clock()

    def page(after: str) -> tuple[list[Followed], str]:
        with deployment.store.read() as work:
            found = life.listed(work, chosen.filter, at=at, after=after, most=tabular.AT_ONCE)
        return found, found[-1].id if len(found) == tabular.AT_ONCE else ""

    return (each.as_json() for each in tabular.every(page))


@blueprint.get("/audit/findings/<finding>")
@action("findings.show")
def show(finding: str) -> str:
    """Show a finding, its history, and what can be done."""
    return _page(finding, came=_DONE.get(request.args.get("done", ""), ""))


def _page(finding: str, *, typed: dict[str, str] | None = None, wrong: tuple[Place, ...] = (), came: str = "") -> str:
    deployment = here().deployment
    at = deployment.clock()
    with deployment.store.read() as work:
        one, steps = life.one(work, finding, at=at), life.history(work, finding)
    latest = followed.until_field(at + handling.LONGEST_ACCEPTANCE - timedelta(days=1))
    return render_template(
        "audit/finding.html",
        one=finding_line(one),
        steps=followed.oldest_first(steps),
        explained=EXPLAINED.get(one.check),
        title=next((each.title for each in CHECKS if each.key == one.check), ""),
        may_change=actor.current().may("findings.change"),
        came=came,
        warns=came in {_CAME[Rerun.STILL_THERE], _CAME[Rerun.COULD_NOT_CHECK]},
        earliest=followed.until_field(at + timedelta(days=1)),
        latest=latest,
        typed=typed or {},
        wrong={place.where.removeprefix("/"): place.why for place in wrong},
    )


@blueprint.post("/audit/findings/<finding>/assign")
@action("findings.change")
def assign(finding: str) -> Response:
    """Give a finding to somebody."""
    typed = forms.read_fields(request.form, tag=200, owner=400)
    return _changed(
        finding, typed, lambda work, at: handling.assign(
            work, finding, owner=typed["owner"], actor=actor.current().name, at=at, tag=typed["tag"]
        ),
        done="assigned",
    )  # fmt: skip


@blueprint.post("/audit/findings/<finding>/accept")
@action("findings.change")
def accept(finding: str) -> Response:
    """Accept a finding until the end of a day."""
    typed = forms.read_fields(request.form, tag=200, until=20, reason=handling.LONGEST_REASON)
    day = forms.read_day(typed["until"])
    if day is None:
        return _again(finding, typed, (Place("/until", "must be a day, like 2026-12-24"),))
    until = day + timedelta(days=1)
    return _changed(
        finding, typed, lambda work, at: handling.accept(
            work, finding, until=until, reason=typed["reason"], actor=actor.current().name, at=at, tag=typed["tag"]
        ),
        done="accepted",
    )  # fmt: skip


def _changed(finding: str, typed: dict[str, str], change: Change, *, done: str) -> Response:
    deployment = here().deployment
    at = deployment.clock()
    try:
        with deployment.store.write() as work:
            change(work, at)
    except RequestUnfit as unfit:
        return _again(finding, typed, unfit.places)
    return see_other(f"/audit/findings/{finding}?done={done}")


def _again(finding: str, typed: dict[str, str], places: tuple[Place, ...]) -> Response:
    return Response(_page(finding, typed=typed, wrong=places), _UNPROCESSABLE, mimetype="text/html")


@blueprint.post("/audit/findings/<finding>/resolve")
@action("findings.change")
def resolve(finding: str) -> str:
    """Run the finding's check again, and say what came of it."""
    typed = forms.read_fields(request.form, tag=200)
    outcome = handling.resolve(here().deployment, CHECKS, finding, actor=actor.current().name, tag=typed["tag"])
    return _page(finding, came=_CAME[outcome.came])
