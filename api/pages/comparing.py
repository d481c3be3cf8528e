"""Two policies compared, from the console: chosen in a form, decided by for everybody, and shown; nothing is kept."""

from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Response, render_template, request

from api.actors import actor
from api.pages import console, forms, present
from api.pages.compared import compared
from api.roles import action
from api.wiring import here
from consent.base.errors import (
    ByleaveError,
    CampaignInvalid,
    CampaignUnknown,
    ContactPolicyInvalid,
    ContactPolicyUnknown,
)
from consent.base.store import Work
from consent.register import customers
from personalise import shelf
from personalise.runs import comparing
from personalise.runs.comparing import Named
from personalise.runs.dry_run import load_policy

_FIELDS: Final = ("a", "a_version", "b", "b_version", "rules")
_NEWEST: Final = ""
_NONE: Final = "0"
_MOST_SHOWN: Final = 80
_MOST_PLACES: Final = 5
_NUMBER: Final = "Write a version's number, such as 2, or leave it empty for the newest"
_UNPROCESSABLE: Final = 422
blueprint: Final = Blueprint("comparing", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """The form: two campaigns with their versions ("": the newest), and the contact policy of the second."""

    a: str
    a_version: str
    b: str
    b_version: str
    rules: str


@blueprint.get("/console/compare")
@action("campaigns.dry_run")
def show() -> Response:
    """Show the form; an address can say what is to be compared."""
    asked = {name: request.args.get(name, "")[:_MOST_SHOWN] for name in _FIELDS}
    return _page(Typed(**asked))


@blueprint.post("/console/compare")
@action("campaigns.dry_run")
def compare() -> Response:
    """Decide for everybody by both policies, and show who changes; that data were read is written down."""
    most = here().settings.max_body_bytes
    typed = Typed(**forms.read_fields(request.form, **dict.fromkeys(_FIELDS, most)))
    deployment = here().deployment
    a, wrong = _named(typed.a, typed.a_version, "", key="a")
    b, wrong_b = _named(typed.b, typed.b_version, typed.rules, key="b")
    wrong = wrong | wrong_b
    with deployment.store.read() as work:
        wrong = wrong | _unfit(work, a, "a", wrong) | _unfit(work, b, "b", wrong)
    if wrong:
        return _page(typed, wrong=wrong)
    found = comparing.compare(deployment, a, b, actor=actor.current().name)
    shown = render_template("console/compared.html", told=compared(found), **_choices(typed))
    return Response(shown, mimetype="text/html")


def _named(campaign: str, version: str, rules: str, *, key: str) -> tuple[Named, dict[str, str]]:
    """Return a policy by its name, and what can't be one of the fields that name it."""
    wrong = {} if campaign else {key: "Choose a campaign"}
    number = forms.read_version(version) if version else 0
    if number is None:
        wrong[f"{key}_version"] = _NUMBER
    under = 0 if rules == _NONE else forms.read_version(rules)
    if under is None and rules != _NEWEST:
        wrong["rules"] = "Choose a version of the contact policy, or none"
    return Named(campaign=campaign, version=number or 0, contact_policy=under), wrong


def _unfit(work: Work, named: Named, key: str, wrong: dict[str, str]) -> dict[str, str]:
    """Return why a policy can't be decided by, at its field; nothing where a field of it is wrong already."""
    if wrong.keys() & {key, f"{key}_version", *(("rules",) if key == "b" else ())}:
        return {}
    field = f"{key}_version" if named.version else key
    rules = "rules" if key == "b" else key
    try:
        load_policy(
            here().deployment, work, named.campaign, version=named.version, contact_policy=named.contact_policy
        )  # fmt: skip
    except CampaignUnknown:
        newest = shelf.newest(work, named.campaign)
        known = f"{named.campaign} has no version {named.version}: its newest is {newest}"
        found = {field: known} if newest else {key: f"There is no campaign {named.campaign[:_MOST_SHOWN]}"}
    except CampaignInvalid as unfit:
        found = {field: _because("The campaign doesn't fit the catalogue", unfit)}
    except ContactPolicyUnknown:
        found = {rules: "There is no such version of the contact policy"}
    except ContactPolicyInvalid as unfit:
        found = {rules: _because("The contact policy doesn't fit the catalogue", unfit)}
    else:
        found = {}
    return found


def _because(what: str, unfit: ByleaveError) -> str:
    places = [f"{place.where}: {place.why}" for place in unfit.places[:_MOST_PLACES]]
    return f"{what}: {'; '.join(places)}" if places else what


def _page(typed: Typed, *, wrong: dict[str, str] | None = None) -> Response:
    shown = render_template(
        "console/compare.html",
        wrong=wrong or {},
        summary=[(field, f"{'A' if field[0] == 'a' else 'B'}: {why}") for field, why in (wrong or {}).items()],
        **_choices(typed),
    )
    return Response(shown, _UNPROCESSABLE if wrong else 200, mimetype="text/html")


def _choices(typed: Typed) -> dict[str, object]:
    """Return what the form offers, filled in as it was."""
    deployment = here().deployment
    with deployment.store.read() as work:
        campaigns = console.every_campaign(deployment, work)
        published = shelf.contact_policies(work)
        there = customers.count(work)
    newest = f"version {published[0].version}" if published else "none is published"
    rules = {_NEWEST: f"Newest ({newest})", _NONE: "None at all"}
    rules |= {str(each.version): f"Version {each.version}, {present.day(each.published_at)}" for each in published}
    return {
        "typed": typed,
        "campaigns": {each.key: each.name if each.broken else f"{each.name} ({each.key})" for each in campaigns},
        "rules": rules,
        "customers": present.counted(there, "customer"),
        "anybody": there > 0,
    }
