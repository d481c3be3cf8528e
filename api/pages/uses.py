"""The access log: who used whose data, what for, and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

from api.pages import present, tabular
from api.roles import action
from api.wiring import here
from consent.base.errors import Place, RequestInvalid
from consent.base.ids import is_id
from consent.catalogue.model import Catalogue
from consent.rights import access_log
from consent.rights.access_log import Access, Chosen
from consent.rights.looking import RIGHTS

MOST: Final = 50
_KNOWN: Final = frozenset({"customer", "actor", "purpose", "reasoned"})
_COLUMNS: Final = (
    "use", "at", "actor", "purpose", "categories", "customers", "customer", "reason", "decision", "recipient",
    "judged_at", "position",
)  # fmt: skip
_MEANT: Final = {
    "access": "Shown to the customer himself",
    "export": "Written out for the customer",
    "rectification": "Corrected",
    "file": "The customer's file",
    "request": "Answering a request",
}

blueprint: Final = Blueprint("uses", __name__, url_prefix="/audit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One use, as the officer reads it."""

    when: str
    who: str
    purpose: str
    whose: str
    categories: str
    why: str
    entry: str


def _chosen(*besides: str) -> Chosen:
    given = {name: value.strip() for name, value in request.args.items() if value.strip()}
    wrong = [Place(f"?{name[:80]}", "is not known here") for name in given if name not in {*_KNOWN, *besides}]
    if "customer" in given and not is_id(given["customer"], "cus"):
        wrong.append(Place("?customer", "is no customer's id, which begins with cus_"))
    if given.get("reasoned", "yes") != "yes":
        wrong.append(Place("?reasoned", "is not yes"))
    if wrong:
        raise RequestInvalid(places=wrong)
    return Chosen(
        customer=given.get("customer", ""),
        actor=given.get("actor", "")[:300],
        purpose=given.get("purpose", "")[:100],
        reasoned="reasoned" in given,
    )


def _query(chosen: Chosen, **more: str) -> str:
    said = {
        "customer": chosen.customer, "actor": chosen.actor, "purpose": chosen.purpose,
        "reasoned": "yes" if chosen.reasoned else "", **more,
    }  # fmt: skip
    return urlencode({name: value for name, value in said.items() if value})


@blueprint.get("/uses")
@action("uses.show")
def show() -> str:
    """Show the uses, the newest first."""
    deployment, chosen = here().deployment, _chosen("cursor")
    with deployment.store.read() as work:
        listed, following = access_log.listed(work, chosen, cursor=request.args.get("cursor", ""), most=MOST)
        catalogue = deployment.desk.catalogues.current(work)
    rights = [(f"{RIGHTS}{key}", meant) for key, meant in _MEANT.items()]
    return render_template(
        "audit/uses.html",
        lines=[_line(each, catalogue) for each in listed],
        chosen=chosen,
        purposes=[*((each.key, each.title) for each in catalogue.purposes.values()), *rights],
        query=_query(chosen),
        following=_query(chosen, cursor=following) if following else "",
    )


@blueprint.get("/uses.csv")
@action("uses.show")
def as_csv() -> Response:
    """Give exactly what the filter shows, as CSV."""
    return tabular.csv_file("uses", _COLUMNS, _rows())


@blueprint.get("/uses.json")
@action("uses.show")
def as_json() -> Response:
    """Give exactly what the filter shows, as JSON."""
    return tabular.json_rows("uses", _rows())


def _rows() -> Iterator[dict[str, Any]]:
    store, chosen = here().deployment.store, _chosen()

    def page(cursor: str) -> tuple[list[Access], str]:
        with store.read() as work:
            return access_log.listed(work, chosen, cursor=cursor, most=tabular.AT_ONCE)

    return map(_row, tabular.every(page))


def _row(one: Access) -> dict[str, Any]:
    at: datetime = one.at
    return {
        "use": one.id, "at": at, "actor": one.actor, "purpose": one.purpose, "categories": list(one.categories),
        "customers": one.customers, "customer": one.customer, "reason": one.reason, "decision": one.decision,
        "recipient": one.recipient, "judged_at": one.judged_at, "position": one.position,
    }  # fmt: skip


def _line(one: Access, catalogue: Catalogue) -> Line:
    purpose = catalogue.purposes.get(one.purpose)
    right = _MEANT.get(one.purpose.removeprefix(RIGHTS), "") if one.purpose.startswith(RIGHTS) else ""
    return Line(
        when=present.moment(one.at),
        who=one.actor,
        purpose=right or (purpose.title if purpose else one.purpose or "no purpose"),
        whose=present.short(one.customer) or present.counted(one.customers, "customer"),
        categories=present.listed(one.categories) or "nothing",
        why=one.reason or f"decision {present.short(one.decision)}",
        entry=f"{one.position:,}" if one.position is not None else f"at {one.judged_at:,}",
    )
