"""The list of requests by right, for whoever answers them: what is due, what is overdue, whose it is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

from api.actors import actor
from api.pages import asked as shown
from api.pages import forms, present, tabular
from api.pages.answering import see_other
from api.roles import action
from api.wiring import here
from consent.base.errors import CustomerUnknown, Place, RequestInvalid, RequestUnfit
from consent.base.store import Work
from consent.register import customers
from consent.rights import asked, requests
from consent.rights.asked import Chosen, How, Request, Right, State
from consent.rights.requests import LONGEST, Asking

MOST: Final = 50
_KNOWN: Final = frozenset({"show", "kind", "owner"})
_UNFIT: Final = 422
_COLUMNS: Final = (
    "request", "customer", "kind", "how", "received_at", "due_at", "days_left", "overdue", "extended_at", "state",
    "owner", "outcome", "closed_at",
)  # fmt: skip
_SHOWN: Final = {"open": "To be answered", "overdue": "Overdue", "closed": "Closed", "all": "All"}

blueprint: Final = Blueprint("requests_page", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which requests are shown, as the address says it."""

    show: str = "open"
    kind: str = ""
    owner: str = ""

    def chosen(self, at: datetime) -> Chosen:
        """Return the choice at an instant."""
        return Chosen(
            state=State.CLOSED if self.show == "closed" else None,
            kind=Right(self.kind) if self.kind else None,
            owner=self.owner,
            still_open=self.show == "open",
            overdue_at=at if self.show == "overdue" else None,
        )

    def query(self, **more: str) -> str:
        """Return the part of an address that says it."""
        said = {"show": self.show, "kind": self.kind, "owner": self.owner, **more}
        return urlencode({name: value for name, value in said.items() if value})


def _filter(*besides: str) -> Filter:
    given = {name: value.strip() for name, value in request.args.items() if value.strip()}
    wrong = [Place(f"?{name[:80]}", "is not known here") for name in given if name not in {*_KNOWN, *besides}]
    if given.get("show", "open") not in _SHOWN:
        wrong.append(Place("?show", f"is none of {', '.join(_SHOWN)}"))
    if "kind" in given and given["kind"] not in set(Right):
        wrong.append(Place("?kind", "is no right"))
    if wrong:
        raise RequestInvalid(places=wrong)
    return Filter(show=given.get("show", "open"), kind=given.get("kind", ""), owner=given.get("owner", "")[:100])


@blueprint.get("/audit/requests")
@action("requests.show")
def list_() -> Response:
    """Show requests, the one that is due first first."""
    return _page()


def _page(*, wrong: Mapping[str, str] | None = None, typed: Mapping[str, str] | None = None) -> Response:
    deployment, given = here().deployment, _filter("cursor")
    at = deployment.clock()
    with deployment.store.read() as work:
        listed, following = asked.listed(work, given.chosen(at), cursor=request.args.get("cursor", ""), most=MOST)
        open_, late = asked.counts(work, at=at)
    rendered = render_template(
        "audit/requests.html",
        lines=[shown.line(one, at=at) for one in listed],
        open=present.counted(open_, "request"),
        late=present.counted(late, "request") if late else "",
        given=given,
        shows=list(_SHOWN.items()),
        kinds=shown.kinds(),
        hows=shown.hows(),
        query=given.query(),
        following=given.query(cursor=following) if following else "",
        may_open=actor.current().may("requests.open"),
        wrong=wrong or {},
        typed=typed or {},
        now=f"{at.astimezone(UTC):%Y-%m-%dT%H:%M}",
        longest=LONGEST,
    )
    return Response(rendered, _UNFIT if wrong else 200, mimetype="text/html")


@blueprint.get("/audit/requests.csv")
@action("requests.show")
def as_csv() -> Response:
    """Give exactly what the filter shows, as CSV."""
    return tabular.csv_file("requests", _COLUMNS, _rows())


@blueprint.get("/audit/requests.json")
@action("requests.show")
def as_json() -> Response:
    """Give exactly what the filter shows, as JSON."""
    return tabular.json_rows("requests", _rows())


def _rows() -> Iterator[dict[str, Any]]:
    deployment, given = here().deployment, _filter()
    at = deployment.clock()

    def page(cursor: str) -> tuple[list[Request], str]:
        with deployment.store.read() as work:
            return asked.listed(work, given.chosen(at), cursor=cursor, most=tabular.AT_ONCE)

    return (one.as_json(at) for one in tabular.every(page))


@blueprint.post("/audit/requests")
@action("requests.open")
def open_() -> Response:
    """Take a request in that came by letter, telephone, mail or word of mouth."""
    given = forms.read_fields(request.form, customer=254, kind=20, how=20, received=16, wish=LONGEST)
    deployment = here().deployment
    wrong = {name: "Please choose one." for name, known in _CHOICES.items() if given[name] not in known}
    received = _received(given["received"])
    if received is None:
        wrong["received"] = "This is no day and time."
    if wrong or received is None:
        return _page(wrong=wrong, typed=given)
    try:
        with deployment.store.write() as work:
            taken = _taken_in(work, given, received)
    except CustomerUnknown:
        return _page(wrong={"customer": "Nobody who is enrolled is called that."}, typed=given)
    except (RequestInvalid, RequestUnfit) as unfit:
        places = {place.where.strip("/"): place.why for place in unfit.places}
        return _page(wrong={_FIELDS.get(where, where): f"This {why}." for where, why in places.items()}, typed=given)
    return see_other(f"/audit/requests/{taken.id}?done=opened")


_CHOICES: Final = {"kind": {str(each) for each in Right}, "how": {key for key, _ in shown.hows()}}
_FIELDS: Final = {"received_at": "received"}


def _taken_in(work: Work, given: Mapping[str, str], received: datetime) -> Request:
    deployment = here().deployment
    at = deployment.clock()
    who = customers.find(deployment.desk, work, given["customer"])
    # The field has minutes only: what came in this very minute didn't come in before now.
    came = at if received.replace(second=0, microsecond=0) == at.replace(second=0, microsecond=0) else received
    asking = Asking(kind=Right(given["kind"]), how=How(given["how"]), received_at=came, wish=given["wish"])
    return requests.take_in(deployment.desk, work, who, asking, actor=actor.current().name, at=at)


def _received(text: str) -> datetime | None:
    """Read what the browser's field for a day and a time sends; it is meant in UTC."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M").replace(tzinfo=UTC)
    except ValueError:
        return None
