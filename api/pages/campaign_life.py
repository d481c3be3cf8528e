"""What lets a campaign happen, from its page: check, approve, schedule, cancel; pause and stop what has finished."""

from datetime import UTC, datetime
from typing import Final

from flask import Blueprint, Response, request

from api.actors import actor
from api.pages import console, forms
from api.pages.answering import see_other
from api.roles import action
from api.wiring import here
from consent.base.errors import RequestUnfit
from personalise.life import approving, running

_TAG: Final = 60
_KEY: Final = 63
_LOCAL: Final = 16
"""Signs of a day and time as a browser's field sends it."""

_UNPROCESSABLE: Final = 422
blueprint: Final = Blueprint("campaign_life", __name__)


@blueprint.post("/console/campaigns/<key>/check")
@action("campaigns.check")
def check(key: str) -> Response:
    """Check the newest version, and write down that nothing stands against it."""
    tag = forms.read_field(request.form, "tag", longest=_TAG)
    approving.check(here().deployment, key, actor=actor.current().name, four_eyes=_four_eyes(), tag=tag)
    return see_other(f"/console/campaigns/{key}")


@blueprint.post("/console/campaigns/<key>/approve")
@action("campaigns.approve")
def approve(key: str) -> Response:
    """Approve the version that the page showed."""
    tag = forms.read_field(request.form, "tag", longest=_TAG)
    approving.approve(here().deployment, key, actor=actor.current().name, four_eyes=_four_eyes(), tag=tag)
    return see_other(f"/console/campaigns/{key}")


@blueprint.post("/console/campaigns/<key>/schedule")
@action("campaigns.run")
def schedule(key: str) -> Response:
    """Have the worker start the version that the page showed, at a time."""
    typed = forms.read_fields(request.form, tag=_TAG, at=_LOCAL, again=len(forms.YES))
    who, tag, again = actor.current().name, typed["tag"], typed["again"] == forms.YES
    try:
        due_at = _moment(typed["at"])
        approving.schedule(
            here().deployment, key, due_at=due_at, actor=who, four_eyes=_four_eyes(), tag=tag, again=again
        )
    except RequestUnfit:
        wrong = "Choose a day and time to come, within a year."
        shown = console.page_of(key, typed=typed["at"], wrong=wrong)
        return Response(shown, _UNPROCESSABLE, mimetype="text/html")
    return see_other(f"/console/campaigns/{key}")


@blueprint.post("/console/campaigns/<key>/cancel")
@action("campaigns.run")
def cancel(key: str) -> Response:
    """Cancel what is scheduled."""
    tag = forms.read_field(request.form, "tag", longest=_TAG)
    running.stop(here().deployment, key, actor=actor.current().name, tag=tag)
    return see_other(f"/console/campaigns/{key}")


@blueprint.post("/console/campaigns/<key>/pause")
@action("campaigns.run")
def pause(key: str) -> Response:
    """Have wait what a finished run reserved."""
    tag = forms.read_field(request.form, "tag", longest=_TAG)
    running.pause(here().deployment, key, actor=actor.current().name, tag=tag)
    return see_other(f"/console/campaigns/{key}")


@blueprint.post("/console/campaigns/<key>/resume")
@action("campaigns.run")
def resume(key: str) -> Response:
    """Let go on what a finished run reserved."""
    tag = forms.read_field(request.form, "tag", longest=_TAG)
    running.resume(here().deployment, key, actor=actor.current().name, tag=tag)
    return see_other(f"/console/campaigns/{key}")


@blueprint.post("/console/campaigns/<key>/stop")
@action("campaigns.run")
def stop(key: str) -> Response:
    """Stop for good what a finished run reserved, once the campaign's key was typed."""
    typed = forms.read_fields(request.form, tag=_TAG, campaign=_KEY)
    if typed["campaign"] != key:
        shown = console.page_of(key, stop=typed["campaign"], unstopped=f"That is not {key}: nothing was stopped.")
        return Response(shown, _UNPROCESSABLE, mimetype="text/html")
    running.stop(here().deployment, key, actor=actor.current().name, tag=typed["tag"])
    return see_other(f"/console/campaigns/{key}")


def _four_eyes() -> bool:
    return here().settings.demands_four_eyes


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise RequestUnfit from None
