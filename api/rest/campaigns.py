"""`/api/v1/campaigns`: how campaigns stand, what the check advises, and who lets them happen."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response
from marshmallow import fields

from api.actors import actor
from api.rest.contract import Contract, answer, contract
from api.rest.incoming import body, body_if_any, if_match, no_query
from api.rest.shapes import Choice, Flag, Form, Instant, Items, Part, Shape, Text, Whole
from api.rest.verdicts import LARGEST
from api.roles import action
from api.wiring import here
from personalise.campaigns.judging import Heading
from personalise.life import approving, events, running
from personalise.life.approving import LONGEST_REASON, Judged
from personalise.life.events import Did, Standing, State

KEY: Final = r"^[a-z][a-z0-9_-]{0,62}$"
MOST: Final = 10_000

blueprint: Final = Blueprint("campaigns", __name__, url_prefix="/api/v1")


class CampaignForm(Form):
    """How a campaign stands."""

    campaign = Text(1, 63, KEY, required=True)
    version = Whole(1, LARGEST, required=True, metadata={"description": "the newest"})
    state = Choice(State, required=True, metadata={"description": "of the newest version"})
    published_at = Instant(required=True)
    published_by = Text(0, 300, required=True)
    approved_by = Text(0, 300, required=True, allow_none=True)
    live_version = Whole(
        1, LARGEST, required=True, allow_none=True, metadata={"description": "scheduled, running or paused"}
    )
    due_at = Instant(required=True, allow_none=True)
    run = Text(1, 36, required=True, allow_none=True)


class CampaignStepForm(Form):
    """One step of a campaign's history."""

    version = Whole(1, LARGEST, required=True)
    event = Choice(Did, required=True)
    state = Choice(State, required=True)
    at = Instant(required=True)
    actor = Text(1, 300, required=True)
    reason = fields.String(required=True)
    due_at = Instant(required=True, allow_none=True)
    run = Text(1, 36, required=True, allow_none=True)
    four_eyes = Flag(required=True, metadata={"description": "a second person was demanded"})
    position = Whole(0, LARGEST, required=True, metadata={"description": "of its entry in the ledger"})


class FullCampaignForm(CampaignForm):
    """A campaign with its history."""

    history = Items(Part(CampaignStepForm), 0, LARGEST, required=True)


class CampaignListForm(Form):
    """All campaigns, by key."""

    data = Items(Part(CampaignForm), 0, MOST, required=True)
    next_cursor = Text(1, 1, required=True, allow_none=True, metadata={"description": "always null: all are here"})


class AdviceForm(Form):
    """One piece of advice."""

    heading = Choice(Heading, required=True)
    rule = Text(1, 63, required=True)
    must = Flag(required=True, metadata={"description": "it can't be approved before this is put right"})
    what = fields.String(required=True)
    where = fields.String(required=True)
    do = fields.String(required=True)


class CheckedCampaignForm(CampaignForm):
    """A campaign after its check."""

    ok = Flag(required=True)
    advice = Items(Part(AdviceForm), 0, LARGEST, required=True)


class CampaignStartForm(Form):
    """How it is to start."""

    again = Flag(metadata={"description": "start it although this version was stopped"})


class CampaignDueForm(CampaignStartForm):
    """When it is to start."""

    at = Instant(required=True)


class CampaignStopForm(Form):
    """Why it is stopped."""

    reason = Text(0, LONGEST_REASON, metadata={"description": "stays, so it may name nobody"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How it is to start."""

    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """When it is to start."""

    at: datetime
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why it is stopped."""

    reason: str = ""


START: Final = Shape(CampaignStartForm, Start)
DUE: Final = Shape(CampaignDueForm, Due)
STOP: Final = Shape(CampaignStopForm, Stop)

_NOT_NOW: Final = {409: "`state_conflict`: it is not in a state that allows this, such as no run that is under way"}
_UNREADY: Final = {
    409: "`campaign_unready`: it breaks rules that bind, and `errors` say where and what to do; `state_conflict`: it "
    "is not in a state that allows this, it was stopped, or a second person has to",
    422: "`campaign_invalid`: the catalogue has changed so that it no longer holds",
}


@blueprint.get("/campaigns")
@action("campaigns.show")
@contract(Contract(summary="List campaigns", answer=CampaignListForm))
def list_() -> Response:
    """List all campaigns, by key: the newest version of each, its state, and what is scheduled or running."""
    no_query()
    with here().deployment.store.read() as work:
        data = [_told(each) for each in events.standings(work)]
    return answer(CampaignListForm, {"data": data, "next_cursor": None})


@blueprint.get("/campaigns/<campaign>")
@action("campaigns.show")
@contract(Contract(summary="Show a campaign and its history", answer=FullCampaignForm, errors=(404,)))
def show(campaign: str) -> Response:
    """Show one campaign: what stands, and every step of its versions with its ledger entry.

    Its ETag is what checking, approving, starting, pausing and stopping ask for.
    """
    no_query()
    with here().deployment.store.read() as work:
        stands = events.standing(work, campaign)
    return tagged(FullCampaignForm, stands, {"history": [each.as_json() for each in stands.events]})


@blueprint.post("/campaigns/<campaign>:check")
@action("campaigns.check")
@contract(
    Contract(
        summary="Check a campaign's newest version",
        answer=CheckedCampaignForm,
        if_match=True,
        errors=(404,),
        wrong=_UNREADY,
    )
)
def check(campaign: str) -> Response:
    """Judge the newest version; a draft against which nothing stands is checked from then on.

    `advice` says of each rule that is broken what is wrong, where, and what to do; `ok` that no rule which binds is.
    """
    no_query()
    house, tag = here(), if_match()
    found = approving.check(
        house.deployment, campaign, actor=actor.current().name, four_eyes=house.settings.demands_four_eyes, tag=tag
    )
    return _after(campaign, found)


@blueprint.post("/campaigns/<campaign>:approve")
@action("campaigns.approve")
@contract(
    Contract(
        summary="Approve a campaign's newest version", answer=CampaignForm, if_match=True, errors=(404,), wrong=_UNREADY
    )
)
def approve(campaign: str) -> Response:
    """Approve what was looked at: where four eyes are demanded, not by whoever published it.

    An approval is of one version under one catalogue: when another one comes into force, it has to be given anew.
    """
    no_query()
    house, tag = here(), if_match()
    stands = approving.approve(
        house.deployment, campaign, actor=actor.current().name, four_eyes=house.settings.demands_four_eyes, tag=tag
    )
    return tagged(CampaignForm, stands)


@blueprint.post("/campaigns/<campaign>:schedule")
@action("campaigns.run")
@contract(
    Contract(
        summary="Start a campaign's newest version at a time",
        body=CampaignDueForm,
        answer=CampaignForm,
        if_match=True,
        errors=(404,),
        wrong={**_UNREADY, 422: f"{_UNREADY[422]}; `request_unfit`: the time is over, or more than a year away"},
    )
)
def schedule(campaign: str) -> Response:
    """Have the worker start it at a time, within a year; a time that was missed is made up for, once."""
    house, tag, given = here(), if_match(), body(DUE)
    four_eyes = house.settings.demands_four_eyes
    stands = approving.schedule(
        house.deployment, campaign, due_at=given.at, actor=actor.current().name, four_eyes=four_eyes, tag=tag,
        again=given.again,
    )  # fmt: skip
    return tagged(CampaignForm, stands)


@blueprint.post("/campaigns/<campaign>:start")
@action("campaigns.run")
@contract(
    Contract(
        summary="Start a campaign's newest version",
        body=CampaignStartForm,
        body_left_out=True,
        answer=CampaignForm,
        if_match=True,
        errors=(404,),
        wrong=_UNREADY,
    )
)
def start(campaign: str) -> Response:
    """Open a run over all customers; the worker carries it on, chunk by chunk.

    It answers as soon as the run is opened: `GET` the campaign to see how it stands. A version that was stopped starts
    again only where the body says `{"again": true}`; else the body can be left out.
    """
    no_query()
    house, tag, given = here(), if_match(), body_if_any(START)
    four_eyes = house.settings.demands_four_eyes
    running.start(
        house.deployment, campaign, actor=actor.current().name, four_eyes=four_eyes, tag=tag, again=given.again
    )
    return _after(campaign)


@blueprint.post("/campaigns/<campaign>:pause")
@action("campaigns.run")
@contract(Contract(summary="Pause a campaign", answer=CampaignForm, if_match=True, errors=(404,), wrong=_NOT_NOW))
def pause(campaign: str) -> Response:
    """Pause its run, live decisions and what was reserved: until it goes on, nothing is decided, and nothing leaves."""
    no_query()
    tag = if_match()
    running.pause(here().deployment, campaign, actor=actor.current().name, tag=tag)
    return _after(campaign)


@blueprint.post("/campaigns/<campaign>:resume")
@action("campaigns.run")
@contract(Contract(summary="Resume a campaign", answer=CampaignForm, if_match=True, errors=(404,), wrong=_NOT_NOW))
def resume(campaign: str) -> Response:
    """Let a paused run go on, live decisions, and what was reserved."""
    no_query()
    tag = if_match()
    running.resume(here().deployment, campaign, actor=actor.current().name, tag=tag)
    return _after(campaign)


@blueprint.post("/campaigns/<campaign>:stop")
@action("campaigns.run")
@contract(
    Contract(
        summary="Stop a campaign for good, or call its scheduled start off",
        body=CampaignStopForm,
        answer=CampaignForm,
        if_match=True,
        errors=(404,),
        wrong=_NOT_NOW,
    )
)
def stop(campaign: str) -> Response:
    """Stop what is under way or scheduled, or else all versions so far; what waits is released.

    What was decided so far stays decided. A version that is published later decides again.
    """
    tag, given = if_match(), body(STOP)
    running.stop(here().deployment, campaign, actor=actor.current().name, reason=given.reason, tag=tag)
    return _after(campaign)


def _after(campaign: str, found: Judged | None = None) -> Response:
    with here().deployment.store.read() as work:
        stands = events.standing(work, campaign)
    if found is None:
        return tagged(CampaignForm, stands)
    return tagged(CheckedCampaignForm, stands, {"ok": found.ok, "advice": [each.as_json() for each in found.advice]})


def tagged(
    form: type[Form], stands: Standing, more: dict[str, Any] | None = None, *, status: int = 200, location: str = ""
) -> Response:
    """Answer with how a campaign stands, and its ETag."""
    headers = {"ETag": f'"{stands.tag}"', **({"Location": location} if location else {})}
    return answer(form, {**_told(stands), **(more or {})}, status, headers=headers)


def _told(stands: Standing) -> dict[str, Any]:
    live, approval = stands.live, stands.approval
    return {
        "campaign": stands.key, "version": stands.version, "state": stands.state,
        "published_at": stands.published.at, "published_by": stands.published.by,
        "approved_by": approval.actor if approval else None, "live_version": live.version if live else None,
        "due_at": live.due_at if live else None, "run": live.run or None if live else None,
    }  # fmt: skip
