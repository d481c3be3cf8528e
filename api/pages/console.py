"""The marketer's pages: campaigns in words, dry runs with who is lost and why, and what came of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flask import Blueprint, Response, render_template, request

from api import security
from api.actors import actor
from api.pages import forms, present
from api.pages.answering import see_other
from api.pages.described import described
from api.pages.foreseen import foreseen, last_seen
from api.pages.funnel import funnel
from api.pages.launching import Launch, May, launch
from api.pages.measured import held_against, measured
from api.pages.progress import Progress, progress
from api.pages.worker import worker
from api.roles import action
from api.wiring import here
from consent.base.errors import CampaignInvalid
from consent.base.store import Work
from consent.catalogue.model import Catalogue
from consent.deployment import Deployment
from consent.register import customers
from personalise import learning, shelf
from personalise.campaigns.model import Campaign
from personalise.life import approving, events, running
from personalise.life.events import Standing
from personalise.results import judging
from personalise.runs import dry_run
from personalise.runs import run as runs

_SAMPLES: Final = 3
"""Customers that a dry run shows of each end; whose they are it doesn't say."""

blueprint: Final = Blueprint("console", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A campaign in a list; `broken` where it doesn't fit the catalogue in force."""

    key: str
    name: str
    published: str
    broken: bool


@blueprint.get("/console")
@action("console.show")
def home() -> str:
    """Show what is under way, and every campaign."""
    deployment = here().deployment
    at = deployment.clock()
    with deployment.store.read() as work:
        alive = worker(work, at=at)
        newest = runs.newest(work)
        campaigns = every_campaign(deployment, work)
    shown = [progress(one, at=at) for one in newest]
    return render_template(
        "console/home.html",
        worker=alive,
        under_way=[one for one in shown if one.open],
        ended=[one for one in shown if not one.open],
        campaigns=campaigns,
        may_open=actor.current().may("campaigns.show"),
    )


def every_campaign(deployment: Deployment, work: Work) -> list[Listed]:
    """Return every campaign with its newest version, by key."""
    catalogue = deployment.desk.catalogues.current(work)
    return [_listed(work, catalogue, key, version, at) for key, version, at in shelf.keys(work)]


def _listed(work: Work, catalogue: Catalogue, key: str, version: int, published_at: datetime) -> Listed:
    try:
        campaign, _ = shelf.load(work, key, catalogue)
    except CampaignInvalid:
        name, broken = key, True
    else:
        name, broken = campaign.name, False
    return Listed(key=key, name=name, published=f"Version {version}, {present.day(published_at)}", broken=broken)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A campaign, and what its pages say beside it."""

    campaign: Campaign
    version: int
    catalogue: Catalogue
    customers: int
    newest: list[Progress]
    looked: dry_run.Looked | None
    stands: Standing
    life: Launch


def _opened(deployment: Deployment, key: str, at: datetime) -> _Opened:
    with deployment.store.read() as work:
        catalogue = deployment.desk.catalogues.current(work)
        campaign, version = shelf.load(work, key, catalogue)
        stands, life = _life(deployment, work, key, at)
        return _Opened(
            campaign=campaign,
            version=version,
            catalogue=catalogue,
            customers=customers.count(work),
            newest=[progress(one, at=at) for one in runs.newest(work, key)],
            looked=dry_run.last(work, key, version),
            stands=stands,
            life=life,
        )


def _life(deployment: Deployment, work: Work, key: str, at: datetime) -> tuple[Standing, Launch]:
    four_eyes, who = here().settings.demands_four_eyes, actor.current()
    stands = events.standing(work, key)
    found = approving.judged(deployment.desk, work, key, four_eyes=four_eyes, at=at)
    may = May(check=who.may("campaigns.check"), approve=who.may("campaigns.approve"), run=who.may("campaigns.run"))
    approved = approving.holds(deployment.desk, work, stands.approval, four_eyes=four_eyes)
    shown = launch(stands, found.advice, may=may, who=who.name, approved=approved, four_eyes=four_eyes)
    return stands, shown


@blueprint.get("/console/campaigns/<key>")
@action("campaigns.show")
def campaign(key: str) -> str:
    """Show a campaign in words, how it stands, its runs, and what can be done with it."""
    return page_of(key)


def page_of(key: str, *, typed: str = "", wrong: str = "", stop: str = "", unstopped: str = "") -> str:
    """Return the page of a campaign; with what was typed as the time of its start or to stop it, and why not so."""
    deployment = here().deployment
    opened = _opened(deployment, key, deployment.clock())
    told = described(opened.campaign, opened.version, opened.catalogue, published_at=opened.stands.published.at)
    if any(each.mails for each in told.treatments):
        security.frame()
    return render_template(
        "console/campaign.html",
        told=told,
        runs=opened.newest,
        seen=last_seen(opened.looked, opened.campaign, opened.catalogue) if opened.looked else None,
        typed=typed,
        wrong=wrong,
        stop=stop,
        unstopped=unstopped,
        **_next(opened),
    )


def _next(opened: _Opened) -> dict[str, object]:
    """Return what can be done next with a campaign, by whom it is that asks."""
    who = actor.current()
    return {
        "customers": present.counted(opened.customers, "customer"),
        "anybody": opened.customers > 0,
        "may_dry_run": who.may("campaigns.dry_run"),
        "version": opened.version,
        "may_run": who.may("campaigns.run"),
        "startable": opened.life.can_start,
        "life": opened.life,
        "may_measure": who.may("campaigns.measure"),
        "under_way": next((one for one in opened.newest if one.open), None),
    }


@blueprint.post("/console/campaigns/<key>/dry-run")
@action("campaigns.dry_run")
def try_out(key: str) -> str:
    """Decide for everybody, keep nothing, and show who would be addressed, who not, and why."""
    forms.nothing_but(request.form)
    deployment = here().deployment
    found = dry_run.dry_run(deployment, key, actor=actor.current().name, samples=_SAMPLES)
    opened = _opened(deployment, key, deployment.clock())
    return render_template(
        "console/dry_run.html",
        key=key,
        name=opened.campaign.name,
        funnel=funnel(found.counts, found.policy.campaign, found.policy.catalogue, done=False),
        foreseen=foreseen(found),
        **_next(opened),
    )


@blueprint.post("/console/campaigns/<key>/start")
@action("campaigns.run")
def start(key: str) -> Response:
    """Open a run; the worker carries it on. What was stopped starts only where the page had said that it was."""
    again = forms.read_field(request.form, "again") == forms.YES
    four_eyes = here().settings.demands_four_eyes
    run = running.start(here().deployment, key, actor=actor.current().name, four_eyes=four_eyes, again=again)
    return see_other(f"/console/runs/{run}")


@blueprint.post("/console/campaigns/<key>/results")
@action("campaigns.measure")
def results(key: str) -> str:
    """Measure what came of a campaign; that outcomes were read for it is written down."""
    forms.nothing_but(request.form)
    deployment = here().deployment
    found = learning.effects(deployment, key, actor=actor.current().name)
    by_holdout = judging.results(deployment, key, actor=actor.current().name)
    opened = _opened(deployment, key, deployment.clock())
    return render_template(
        "console/results.html",
        key=key,
        name=opened.campaign.name,
        measured=measured(found),
        held=held_against(by_holdout),
    )
