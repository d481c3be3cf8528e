"""The record of processing activities (GDPR Art. 30): what is declared, beside what was done, and where they differ."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response, render_template

from api.pages import present, tabular
from api.roles import action
from api.wiring import House, here
from consent.catalogue.duration import parse_duration
from consent.catalogue.model import LegalBasis
from consent.rights import differing, processing
from consent.rights.differing import Difference
from consent.rights.processing import IDLE_DAYS, Activity, Data, Done, Measure, Record, Way

_BASES: Final = {
    LegalBasis.CONSENT: "Consent (Art. 6(1)(a))",
    LegalBasis.EXPLICIT_CONSENT: "Explicit consent (Art. 9(2)(a))",
    LegalBasis.CONTRACT: "Contract (Art. 6(1)(b))",
    LegalBasis.LEGAL_OBLIGATION: "Legal obligation (Art. 6(1)(c))",
    LegalBasis.LEGITIMATE_INTEREST: "Legitimate interest (Art. 6(1)(f))",
}
_COLUMNS: Final = (
    "activity", "title", "what", "key", "name", "special", "origin", "legal_basis", "kept_for", "terms", "people",
    "uses", "customers", "reached", "last_at",
)  # fmt: skip

blueprint: Final = Blueprint("processing", __name__, url_prefix="/audit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An activity in words."""

    key: str
    title: str
    description: str
    facts: tuple[tuple[str, str], ...]
    data: tuple[tuple[str, ...], ...]
    done: str


@blueprint.get("/processing")
@action("processing.show")
def show() -> str:
    """Show the record, and where it contradicts itself."""
    made, differences = _made(here())
    return render_template(
        "audit/processing.html",
        record=made,
        head=_head(made),
        activities=[_shown(each, made) for each in made.activities],
        headings=("Category of data", "Where from", "Legal basis", "Kept for"),
        measures=[(each.title, each.what) for each in made.measures],
        differences=differences,
        days=IDLE_DAYS,
    )


def _made(house: House) -> tuple[Record, list[Difference]]:
    deployment = house.deployment
    at = deployment.clock()
    with deployment.store.read() as work:
        made = processing.record(deployment.desk, work, at=at, contacted=house.contacted, measures=_measures(house))
        found = differing.differences(deployment.desk, work, at=at, contacted=house.contacted)
        return made, list(found)


def _measures(house: House) -> list[Measure]:
    """Return what this deployment does beside what the code makes every one do."""
    horizon = house.deployment.horizon
    measures = [
        Measure(
            title="Backups",
            term="dpv:DataSecurityManagement",
            what=f"{horizon.text[0].upper()}{horizon.text[1:]}.",
        )
    ]
    if house.settings.https:
        measures.append(
            Measure(title="On the way", term="dpv:EncryptionInTransfer", what="The pages are served over TLS alone.")
        )
    return measures


@blueprint.get("/processing.csv")
@action("processing.show")
def as_csv() -> Response:
    """Give the record as CSV: one row for each category, channel and recipient of an activity."""
    made, _ = _made(here())
    return tabular.csv_file("processing", _COLUMNS, [row for each in made.activities for row in _rows(each)])


@blueprint.get("/processing.json")
@action("processing.show")
def as_json() -> Response:
    """Give the record as JSON, with the differences."""
    made, differences = _made(here())
    return tabular.json_file("processing", _whole(made, differences))


def _head(made: Record) -> list[tuple[str, str]]:
    return [
        ("Controller", made.controller),
        ("Address", made.address),
        ("Contact for data protection", made.email),
        ("Catalogue", f"version {made.catalogue}, published on {present.day(made.published_at)}"),
        ("Done since", present.day(made.since)),
        ("Transfers to third countries", "none is declared"),
    ]


def _shown(one: Activity, made: Record) -> Shown:
    return Shown(
        key=one.key,
        title=one.title,
        description=one.description,
        facts=(
            ("Legal basis", present.listed([_BASES[basis] for basis in one.bases])),
            ("People", one.people),
            ("Reached by", present.listed([way.title for way in one.channels])),
            ("Recipients", present.listed([_way(way) for way in one.recipients]) or "none"),
            ("Marketing", "yes" if one.marketing else "no"),
        ),
        data=tuple(_data(each) for each in one.data),
        done=_done(one.done, made.since),
    )


def _way(way: Way) -> str:
    return f"{way.title} (kept for {_length(way.kept_for)})" if way.kept_for else way.title


def _data(one: Data) -> tuple[str, ...]:
    title = f"{one.title} (specially protected)" if one.special else one.title
    return title, one.origin.capitalize(), _BASES[one.basis], _length(one.kept_for) or "as long as the purpose lasts"


def _length(text: str) -> str:
    length = parse_duration(text) if text else None
    if length is None:
        return ""
    parts = [(length.months, "month"), (length.days, "day")]
    return present.listed([present.counted(count, unit) for count, unit in parts if count])


def _done(done: Done, since: datetime) -> str:
    """Return what was really done, in a sentence."""
    if not done.uses and not done.reached:
        return f"Nothing was done for it since {present.day(since)}."
    parts = []
    if done.uses:
        parts.append(
            f"{present.counted(done.uses, 'use')} of {present.listed(done.categories) or 'no category'} "
            f"({present.counted(done.customers, 'customer')} in all)"
        )
    if done.reached:
        parts.append(f"customers were reached {present.counted(done.reached, 'time')}")
    if done.recipients:
        parts.append(f"data went to {present.listed(done.recipients)}")
    last = f"; last on {present.day(done.last_at)}" if done.last_at else ""
    text = present.listed(parts)
    return f"{text[0].upper()}{text[1:]}{last}."


def _rows(one: Activity) -> list[dict[str, Any]]:
    shared = {
        "activity": one.key, "title": one.title, "terms": list(one.terms), "people": one.people,
        "uses": one.done.uses, "customers": one.done.customers, "reached": one.done.reached,
        "last_at": one.done.last_at,
    }  # fmt: skip
    rows: list[dict[str, Any]] = [
        {
            **shared, "what": "category", "key": each.category, "name": each.title, "special": each.special,
            "origin": each.origin, "legal_basis": str(each.basis), "kept_for": each.kept_for, "terms": list(each.terms),
        }
        for each in one.data
    ]  # fmt: skip
    for what, ways in (("channel", one.channels), ("recipient", one.recipients)):
        rows += [
            {
                **shared, "what": what, "key": way.key, "name": way.title, "legal_basis": str(way.basis),
                "kept_for": way.kept_for,
            }
            for way in ways
        ]  # fmt: skip
    return rows


def _whole(made: Record, differences: list[Difference]) -> dict[str, Any]:
    return {
        "controller": {"name": made.controller, "address": made.address, "email": made.email},
        "at": made.at,
        "since": made.since,
        "catalogue": made.catalogue,
        "published_at": made.published_at,
        "activities": [
            {
                "activity": each.key, "title": each.title, "description": each.description,
                "marketing": each.marketing, "terms": list(each.terms), "people": each.people,
                "legal_bases": [str(basis) for basis in each.bases],
                "parts": [{name: row.get(name) for name in _COLUMNS[2:10]} for row in _rows(each)],
                "done": {
                    "uses": each.done.uses, "customers": each.done.customers, "reached": each.done.reached,
                    "categories": list(each.done.categories), "recipients": list(each.done.recipients),
                    "first_at": each.done.first_at, "last_at": each.done.last_at,
                },
            }
            for each in made.activities
        ],
        "measures": [{"title": each.title, "term": each.term, "what": each.what} for each in made.measures],
        "differences": [{"kind": each.kind, "subject": each.subject, "why": each.why} for each in differences],
    }  # fmt: skip
