"""A run's page: how far it is, what holds it up, what came out of it; and pause, resume, stop."""

from typing import Final

from flask import Blueprint, Response, render_template, request

from api.actors import actor
from api.pages import forms
from api.pages.answering import see_other
from api.pages.funnel import Funnel, funnel
from api.pages.progress import progress
from api.pages.worker import worker
from api.roles import action
from api.wiring import here
from consent.base.ids import RunId
from consent.deployment import Deployment
from personalise import shelf
from personalise.life import running
from personalise.runs import run as runs
from personalise.runs.run import Run

_UNPROCESSABLE: Final = 422
blueprint: Final = Blueprint("runs", __name__)


@blueprint.get("/console/runs/<run>")
@action("campaigns.show")
def show(run: str) -> Response:
    """Show how a run stands. The page's script fetches it again; without one there is a link."""
    return _page(run)


def _page(number: str, *, typed: str = "", wrong: str = "", status: int = 200) -> Response:
    deployment = here().deployment
    at = deployment.clock()
    run = runs.read(deployment, RunId(number))
    with deployment.store.read() as work:
        alive = worker(work, at=at)
    who = actor.current()
    shown = render_template(
        "console/run.html",
        run=progress(run, at=at),
        worker=alive,
        waits=run.state == runs.RUNNING and not alive.alive,
        funnel=_funnel(deployment, run),
        may_steer=who.may("campaigns.run"),
        may_measure=who.may("campaigns.measure"),
        typed=typed,
        wrong=wrong,
    )
    return Response(shown, status, mimetype="text/html")


def _funnel(deployment: Deployment, run: Run) -> Funnel:
    """Return the counts of a run in the words of the campaign and the catalogue that it started with."""
    with deployment.store.read() as work:
        catalogue = deployment.desk.catalogues.version(work, run.catalogue)
        campaign, _ = shelf.load(work, run.campaign, catalogue, version=run.version)
    return funnel(run.counts, campaign, catalogue, done=True)


@blueprint.post("/console/runs/<run>/pause")
@action("campaigns.run")
def pause(run: str) -> Response:
    """Pause a run: from the answer on nothing more is decided."""
    return _change(run, runs.PAUSED)


@blueprint.post("/console/runs/<run>/resume")
@action("campaigns.run")
def resume(run: str) -> Response:
    """Let a paused run go on from where it was."""
    return _change(run, runs.RUNNING)


def _change(run: str, state: str) -> Response:
    forms.nothing_but(request.form)
    running.change(here().deployment, RunId(run), state, actor=actor.current().name)
    return see_other(f"/console/runs/{run}")


@blueprint.post("/console/runs/<run>/stop")
@action("campaigns.run")
def stop(run: str) -> Response:
    """Stop a run for good, once the campaign's key was typed: a stopped run can't go on."""
    typed = forms.read_field(request.form, "campaign")
    campaign = runs.read(here().deployment, RunId(run)).campaign
    if typed != campaign:
        return _page(run, typed=typed, wrong=f"That is not {campaign}: nothing was stopped.", status=_UNPROCESSABLE)
    running.change(here().deployment, RunId(run), runs.STOPPED, actor=actor.current().name)
    return see_other(f"/console/runs/{run}")
