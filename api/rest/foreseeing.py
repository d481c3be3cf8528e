"""`/api/v1/campaigns`: what a campaign would do, and what another policy would.

Both are posts, for it is recorded that somebody looked at whom a campaign would reach. What is counted is told as
lists, each count beside what it counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, Response
from marshmallow import fields

from api.actors import actor
from api.rest.contract import Contract, answer, contract
from api.rest.decisions import CandidateForm
from api.rest.incoming import body, body_if_any, no_query
from api.rest.shapes import CUSTOMER, Choice, Form, Items, Part, Shape, Text, Whole
from api.rest.verdicts import LARGEST
from api.roles import action
from api.wiring import here
from personalise.runs import comparing, dry_run
from personalise.runs.comparing import Named
from personalise.runs.samples import MOST

KEY: Final = r"^[a-z][a-z0-9_-]{0,62}$"

blueprint: Final = Blueprint("foreseeing", __name__, url_prefix="/api/v1")


class CountForm(Form):
    """How many customers, of what."""

    name = Text(1, 200, required=True)
    customers = Whole(0, LARGEST, required=True)


class LeftForm(Form):
    """How many customers there are, and where some of them leave the funnel, by the rule."""

    customers = Whole(0, LARGEST, required=True)
    stages = Items(Part(CountForm), 0, LARGEST, required=True)
    reasons = Items(Part(CountForm), 0, LARGEST, required=True)


class CountsForm(LeftForm):
    """What becomes of all customers: chosen for a treatment, or gone at one stage. The numbers add up."""

    chosen = Items(Part(CountForm), 0, LARGEST, required=True, metadata={"description": "by treatment"})
    left_alone = Whole(0, LARGEST, required=True)
    holdout = Whole(
        0, LARGEST, required=True, metadata={"description": "held out by chance, by the campaign or the company"}
    )
    ghosts = Whole(
        0, LARGEST, required=True,
        metadata={
            "description": "of those whom the campaign holds out: whom it would otherwise address. They are the arm "
            "`held_out` of its results"
        },
    )  # fmt: skip
    company_ghosts = Whole(
        0, LARGEST, required=True,
        metadata={
            "description": "likewise of those whom the company holds out: in no arm of one campaign's results"
        },
    )  # fmt: skip


class ComparedPolicyForm(Form):
    """A policy, by what it is made of."""

    campaign = Text(1, 63, KEY, "is not a campaign's key", required=True)
    version = Whole(1, LARGEST, metadata={"description": "of the campaign; the newest, where left out"})
    contact_policy = Whole(0, LARGEST, metadata={"description": "its version; the newest, where left out; 0 is none"})


class CompareForm(Form):
    """Two policies to decide by."""

    a = Part(ComparedPolicyForm, required=True)
    b = Part(ComparedPolicyForm, required=True)


class TotalsForm(CountsForm):
    """What one policy comes to."""

    campaign = Text(1, 63, KEY, required=True)
    version = Whole(1, LARGEST, required=True)
    contact_policy = Whole(0, LARGEST, required=True)
    outcome = Text(1, 63, required=True)
    contacts = Items(Part(CountForm), 0, LARGEST, required=True, metadata={"description": "by channel"})
    expected_outcomes = fields.Float(required=True, allow_none=True)
    cost = fields.Float(
        required=True, allow_none=True, metadata={"description": "what the offers of these contacts cost the company"}
    )
    expected_value = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "what the outcomes are worth to the company, less that cost"},
    )
    worth = fields.Float(required=True, allow_none=True)
    goodwill = fields.Float(
        required=True, allow_none=True, metadata={"description": "that contacts would cost; null: nothing is priced"}
    )
    below_floor = Whole(
        0, LARGEST, required=True, allow_none=True,
        metadata={"description": "accounts that the contacts push below the floor; null: there is none"},
    )  # fmt: skip
    near_floor = Whole(
        0, LARGEST, required=True, allow_none=True,
        metadata={"description": "accounts that stay above the floor, and couldn't bear as much once more"},
    )  # fmt: skip


class SampleForm(Form):
    """One customer of those who came to an end, and why."""

    customer = Text(
        36, 36, CUSTOMER, required=True, allow_none=True,
        metadata={"description": "null for whoever may not show decisions (`decisions:write`)"},
    )  # fmt: skip
    explanation = Text(1, 2_000, required=True, metadata={"description": "one sentence for the customer"})
    verdicts = Items(Part(CandidateForm), 1, 201, required=True)


class EndForm(Form):
    """An end that customers came to, and some of them."""

    how = Choice(("addressed", "held_out", "lost"), required=True)
    name = Text(
        1, 200, required=True,
        metadata={"description": "the treatment; whose holdout it is; or, of who is lost, one of `reasons`"},
    )  # fmt: skip
    customers = Whole(0, LARGEST, required=True)
    samples = Items(Part(SampleForm), 0, MOST, required=True)


class TryForm(Form):
    """What is to be told beside the counts."""

    samples = Whole(
        0, MOST,
        metadata={
            "description": "customers to show of every treatment, of those held out, and of the five most frequent "
            "reasons, with the verdicts on them; none, where left out"
        },
    )  # fmt: skip


class DryRunForm(TotalsForm):
    """What a campaign's newest version would do."""

    samples = Items(Part(EndForm), 0, LARGEST, required=True, metadata={"description": "by how customers end"})


class MoveForm(Form):
    """How many customers go from what under A to what under B."""

    from_ = Text(1, 200, required=True, data_key="from")
    to = Text(1, 200, required=True)
    customers = Whole(0, LARGEST, required=True)


class ComparisonForm(Form):
    """What becomes of the same customers under two policies."""

    a = Part(TotalsForm, required=True)
    b = Part(TotalsForm, required=True)
    changed = Whole(0, LARGEST, required=True)
    moves = Items(Part(MoveForm), 0, LARGEST, required=True)
    gain = Part(LeftForm, required=True, metadata={"description": "whom B addresses and A loses, by where"})
    lose = Part(LeftForm, required=True, metadata={"description": "whom A addresses and B loses, by where"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Two policies to be compared."""

    a: Mapping[str, Any]
    b: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """How many customers of each end are to be shown."""

    samples: int = 0


COMPARE: Final = Shape(CompareForm, Asked)
TRY: Final = Shape(TryForm, Tried)


@blueprint.post("/campaigns/<campaign>:dry-run")
@action("campaigns.dry_run")
@contract(
    Contract(
        summary="Decide for everybody by a campaign's newest version, and keep nothing",
        body=TryForm,
        body_left_out=True,
        answer=DryRunForm,
        errors=(404,),
        wrong={422: "`campaign_invalid`: the catalogue has changed so that the campaign no longer holds"},
    )
)
def try_out(campaign: str) -> Response:
    """Count who would be addressed, who not, and why, and what it comes to; that somebody looked is written down.

    Each customer is counted once, at the first rule that his last candidate left the funnel by. No contact is reserved,
    no decision logged, and no goodwill, volume or budget taken. Outcomes, value, cost and goodwill are those of the
    contacts that would be made. With `samples` a few customers of each end come along, always the same of a campaign;
    they are kept nowhere.
    """
    no_query()
    who = actor.current()
    found = dry_run.dry_run(here().deployment, campaign, actor=who.name, samples=body_if_any(TRY).samples)
    return answer(DryRunForm, _listed(found.as_json(named=who.may("decisions.show"))))


@blueprint.post("/campaigns:compare")
@action("campaigns.dry_run")
@contract(
    Contract(
        summary="Decide for everybody by two policies, and tell who changes",
        body=CompareForm,
        answer=ComparisonForm,
        wrong={
            404: "`campaign_unknown` or `contact_policy_unknown`: no such key or version",
            422: "`campaign_invalid`: the catalogue has changed so that one of them no longer holds",
        },
    )
)
def compare() -> Response:
    """Compare two policies over the same customers, as of now; nothing is kept but that data were read.

    A policy is a version of a campaign under a version of the contact policy; the newest of each where none is named.
    Told are how many customers go from what to what, whom only one of them addresses and by which rule the other loses
    them, and of each the contacts, outcomes and value to be expected, and goodwill spent.
    """
    given = body(COMPARE)
    found = comparing.compare(here().deployment, Named(**given.a), Named(**given.b), actor=actor.current().name)
    told = found.as_json()
    a, b = (_listed(told[name]) for name in ("a", "b"))
    moves = [{**move, "from_": move["from"]} for move in told["moves"]]
    gain, lose = _listed(told["gain"]), _listed(told["lose"])
    return answer(ComparisonForm, {**told, "a": a, "b": b, "moves": moves, "gain": gain, "lose": lose})


def _listed(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return counts with each table of names as a list."""
    return {name: _counts(value) if isinstance(value, Mapping) else value for name, value in told.items()}


def _counts(table: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"name": name, "customers": count} for name, count in table.items()]
