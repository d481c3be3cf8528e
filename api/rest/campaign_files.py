"""`/api/v1/campaigns`: campaign files, checked and published as the command line does it."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from flask import Blueprint, Response

from api.actors import actor
from api.rest.campaigns import KEY, AdviceForm, CampaignForm, tagged
from api.rest.contract import Contract, answer, contract
from api.rest.incoming import body, if_match
from api.rest.requests import PROSE
from api.rest.shapes import Choice, Flag, Form, Items, Part, Shape, Text, Whole
from api.rest.verdicts import LARGEST
from api.roles import action
from api.wiring import here
from consent.base.errors import VersionMoved
from consent.base.store import Work
from personalise import shelf
from personalise.campaigns.model import Campaign
from personalise.campaigns.reading import parse_campaign
from personalise.life import approving, events

LONGEST: Final = 1_000_000
NONE: Final = "v0"
"""The tag of a campaign that there is not yet."""

blueprint: Final = Blueprint("campaign_files", __name__, url_prefix="/api/v1")


class CampaignFileForm(Form):
    """A campaign, as it is written."""

    format = Choice(("toml", "json"), required=True)
    body = Text(1, LONGEST, PROSE, required=True)


class JudgedCampaignForm(Form):
    """What stands against a campaign's file."""

    campaign = Text(1, 63, KEY, required=True)
    version = Whole(
        1, LARGEST, required=True, allow_none=True,
        metadata={"description": "the newest, where this is exactly its file; else null"},
    )  # fmt: skip
    ok = Flag(required=True, metadata={"description": "no rule that binds is broken"})
    advice = Items(Part(AdviceForm), 0, LARGEST, required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A campaign as it came in."""

    format: Literal["toml", "json"]
    body: str


WRITTEN: Final = Shape(CampaignFileForm, Written)
_INVALID: Final = {422: "`campaign_invalid`: `errors` names every place that is wrong"}


@blueprint.post("/campaigns:check")
@action("campaigns.check")
@contract(
    Contract(
        summary="Check a campaign file against the catalogue in force",
        body=CampaignFileForm,
        answer=JudgedCampaignForm,
        wrong=_INVALID,
    )
)
def check() -> Response:
    """Read a campaign, and tell what a customer would have against it; nothing is kept."""
    given, house = body(WRITTEN), here()
    deployment = house.deployment
    at = deployment.clock()
    with deployment.store.read() as work:
        read = _read(work, given)
        found = approving.judged_file(
            deployment.desk, work, read, four_eyes=house.settings.demands_four_eyes, at=at
        )  # fmt: skip
    told: dict[str, Any] = {"campaign": read.key, "version": found.version or None, "ok": found.ok}
    return answer(JudgedCampaignForm, {**told, "advice": [each.as_json() for each in found.advice]})


@blueprint.post("/campaigns")
@action("campaigns.publish")
@contract(
    Contract(
        summary="Publish a campaign's next version",
        body=CampaignFileForm,
        answer=CampaignForm,
        status=201,
        if_match=True,
        errors=(409,),
        wrong=_INVALID,
    )
)
def publish() -> Response:
    """Publish a campaign file as its campaign's next version, a draft, which never changes again.

    `If-Match` is the campaign's ETag; of a campaign that there is not yet, `"v0"`. Nobody is contacted yet: look at a
    dry run, then have it approved. What binds though nobody has to approve is judged before anybody is decided about.
    """
    tag, given, house = if_match(), body(WRITTEN), here()
    deployment = house.deployment
    at = deployment.clock()
    with deployment.store.write() as work:
        read = _read(work, given)
        shelf.lock(work, read.key)
        stands = events.standing(work, read.key).tag if shelf.newest(work, read.key) else NONE
        if tag != stands:
            raise VersionMoved
        approving.publish(
            deployment.desk, work, read, actor=actor.current().name, four_eyes=house.settings.demands_four_eyes, at=at
        )
        now = events.standing(work, read.key)
    return tagged(CampaignForm, now, status=201, location=f"/api/v1/campaigns/{now.key}")


def _read(work: Work, given: Written) -> Campaign:
    return parse_campaign(given.body, given.format, here().deployment.desk.catalogues.current(work))
