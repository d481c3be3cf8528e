"""`byleave campaign`: check, publish, dry-run, run, measure."""

from pathlib import Path
from typing import Any

import click

from api import engines
from api.cli import campaign_foreseen, campaign_life, campaign_results
from api.cli.campaign_foreseen import print_counts
from api.cli.campaign_life import AGAIN, advised, print_advice, print_between
from api.cli.frame import FILE, OK, REFUSED, Group, Number, Words, at_home, caller, json_option
from api.cli.output import print_facts, print_json, print_line, print_table, progress, say
from api.roles import action
from api.wiring import House
from consent.base.counting import counted
from consent.base.ids import RunId, is_id
from personalise import learning, shelf
from personalise.campaigns.model import Campaign
from personalise.campaigns.reading import read_campaign
from personalise.life import approving, events, running
from personalise.life.approving import Judged
from personalise.results.judging import results
from personalise.runs import run as runs
from personalise.runs.run import PAUSED, RUNNING, STOPPED, Engine, Run
from personalise.steps.invent.fitting import TooFew
from personalise.steps.personalise.policy import policy

_KEY = Words("key", 63)


@click.group(cls=Group)
def campaign() -> None:
    """Check, publish, dry-run, run and measure campaigns."""


for _command in (
    campaign_life.approve, campaign_life.schedule, campaign_life.history, campaign_life.deferred,
    campaign_life.drop_deferred, campaign_foreseen.dry_run, campaign_foreseen.compare,
):  # fmt: skip
    campaign.add_command(_command)


@campaign.command(example="byleave campaign check campaign.toml")
@click.argument("file", type=FILE)
@json_option
@action("campaigns.show")
def check(file: Path, *, as_json: bool) -> int:
    """Check a campaign file against the catalogue in force: what it needs permission for, and what a customer expects.

    The exit code is 1 where it breaks a rule that binds, so that it could not be approved.
    """
    with at_home() as house:
        read, needs, found = _read(house, file)
    answer = {
        "key": read.key,
        "objective": read.objective.key,
        "treatments": [each.key for each in read.treatments],
        **needs,
    }
    if as_json:
        print_json({**answer, **advised(found)})
    else:
        print_line(
            f"{file.name} holds." if found.ok else f"{file.name} can be read, and could not be approved as it is."
        )
        print_facts(answer)
        print_advice(found.advice)
    return OK if found.ok else REFUSED


@campaign.command(example="byleave campaign publish campaign.toml")
@click.argument("file", type=FILE)
@json_option
@action("campaigns.publish")
def publish(file: Path, *, as_json: bool) -> None:
    """Publish a campaign file as the campaign's next version, which never changes again. Nobody is contacted yet."""
    with at_home() as house:
        deployment = house.deployment
        at = deployment.clock()
        with deployment.store.write() as work:
            read = read_campaign(file, deployment.desk.catalogues.current(work))
            four_eyes = house.settings.demands_four_eyes
            version = approving.publish(deployment.desk, work, read, actor=caller().name, four_eyes=four_eyes, at=at)
    if as_json:
        print_json({"key": read.key, "version": version, "at": at})
    else:
        print_line(
            f"Version {version} of {read.key} is published. Whom it reaches: byleave campaign dry-run {read.key}"
        )


@campaign.command("list", example="byleave campaign list")
@json_option
@action("campaigns.show")
def list_(*, as_json: bool) -> None:
    """List the campaigns, and how the newest run of each stands."""
    with at_home() as house, house.deployment.store.read() as work:
        listed = [(key, version, at, runs.newest(work, key, most=1)) for key, version, at in shelf.keys(work)]
        states = {each.key: each.state for each in events.standings(work)}
    if as_json:
        data = [
            {"key": key, "version": version, "published_at": at, "run": _stands(newest[0]) if newest else None,
             "state": states[key]}
            for key, version, at, newest in listed
        ]  # fmt: skip
        print_json({"data": data, "next_cursor": None})
        return
    print_table(
        ("key", "version", "published", "state", "newest run", "its state"),
        [
            (key, version, at, states[key], *((newest[0].id, newest[0].state) if newest else (None, None)))
            for key, version, at, newest in listed
        ],
        empty="There is no campaign yet: publish one with `byleave campaign publish FILE`.",
    )


_ENGINE = click.option(
    "--engine", "engine_name", type=click.Choice(engines.ENGINES),
    help="What decides: processes of this machine, or Spark (with PostgreSQL).",
)  # fmt: skip
_PROCESSES = click.option(
    "--processes", type=Number(1, 256),
    help="Processes of this machine to decide in; what is decided is the same. One a core, if left out; 1 on SQLite, "
    "which lets one writer in at a time.",
)  # fmt: skip


@campaign.command("run", example="byleave campaign run spring --json")
@click.argument("key", type=_KEY)
@AGAIN
@_ENGINE
@_PROCESSES
@json_option
@action("campaigns.run")
def run_(key: str, engine_name: str | None, processes: int | None, *, again: bool, as_json: bool) -> None:
    """Run a campaign over all customers. A run of it that was killed goes on where it was; a paused one with `resume`.

    Where no second person has to approve a campaign, whoever runs it approves it by that. A version that was stopped
    starts again only with --again.
    """
    with at_home() as house:
        engine = engines.engine(house, name=engine_name, count=processes)
        with house.deployment.store.read() as work:
            killed = runs.newest(work, key, most=1, state=RUNNING)
        if killed:
            run = killed[0].id
            say(f"run {run} of {key} is under way ({killed[0].done:,} of {killed[0].total:,} done): going on with it")
        else:
            four_eyes = house.settings.demands_four_eyes
            run = running.start(house.deployment, key, actor=caller().name, four_eyes=four_eyes, again=again)
        _print_run(_advanced(house, run, engine), as_json=as_json)


@campaign.command(example="byleave campaign resume spring")
@click.argument("run_or_key", type=_KEY)
@_ENGINE
@_PROCESSES
@json_option
@action("campaigns.run")
def resume(run_or_key: str, engine_name: str | None, processes: int | None, *, as_json: bool) -> None:
    """Carry on a run that was paused or killed; where none is under way, let the campaign go on."""
    with at_home() as house:
        engine = engines.engine(house, name=engine_name, count=processes)
        resumed = _changed(house, run_or_key, RUNNING)
        if resumed:
            _print_run(_advanced(house, resumed.id, engine), as_json=as_json)
        else:
            print_between(house, run_or_key, "resumed", as_json=as_json)


@campaign.command(example="byleave campaign pause spring")
@click.argument("run_or_key", type=_KEY)
@json_option
@action("campaigns.run")
def pause(run_or_key: str, *, as_json: bool) -> None:
    """Pause a campaign at once: its run, live decisions, and all that it has reserved."""
    with at_home() as house:
        paused = _changed(house, run_or_key, PAUSED)
        if paused:
            _print_change(paused, as_json=as_json)
        else:
            print_between(house, run_or_key, PAUSED, as_json=as_json)


@campaign.command(example="byleave campaign stop spring")
@click.argument("run_or_key", type=_KEY)
@click.option("--reason", type=Words("reason", approving.LONGEST_REASON), help="Why; it names nobody.")
@json_option
@action("campaigns.run")
def stop(run_or_key: str, *, reason: str | None, as_json: bool) -> None:
    """Stop a run for good, or call off what is scheduled; where neither is, stop live decisions, and what is reserved.

    What was decided so far stays decided, and what was reserved and not sent is released. A version published later
    decides again.
    """
    with at_home() as house:
        stopped = _changed(house, run_or_key, STOPPED, reason=reason or "")
        if stopped:
            _print_change(stopped, as_json=as_json)
        else:
            print_between(house, run_or_key, STOPPED, as_json=as_json)


@campaign.command(example="byleave campaign learn spring")
@click.argument("key", type=_KEY)
@json_option
@action("campaigns.learn")
def learn(key: str, *, as_json: bool) -> int:
    """Fit what the campaign's scorer needs on the outcomes that customers permit to learn from."""
    with at_home() as house:
        learned = learning.learn(house.deployment, key, actor=caller().name)
    if isinstance(learned, TooFew):
        if as_json:
            few = {"arm": learned.arm, "rows": learned.rows}
            print_json({"key": key, "model": None, "rows": 0, "too_few": few})
        else:
            print_line(f"Too few to learn from: {learned.rows:,} of {learned.arm}. The campaign's rules go on scoring.")
        return REFUSED
    if as_json:
        print_json({"key": key, "model": learned.version, "rows": learned.rows, "too_few": None})
    else:
        print_line(
            f"Model {learned.version} of {key}, learned from {counted(learned.rows, 'customer')}, scores from the next "
            "run on."
        )
    return OK


@campaign.command(example="byleave campaign report spring")
@click.argument("key", type=_KEY)
@click.option("--covariate", default="", help="A number or flag, known before the contact, to narrow the interval by.")
@click.option("--together", is_flag=True, help="Judge all campaigns together, by the company's own holdout.")
@json_option
@action("campaigns.measure")
def report(key: str, *, covariate: str, together: bool, as_json: bool) -> None:
    """Report what came of a campaign: its runs, what it did against its holdout, what each treatment did against none.

    Differences come with intervals. What the holdout says is withheld where its arms are not sound.
    """
    with at_home() as house:
        deployment = house.deployment
        with deployment.store.read() as work:
            read, version = shelf.load(work, key, deployment.desk.catalogues.current(work))
            newest = runs.newest(work, key)
        measured = learning.effects(deployment, key, actor=caller().name)
        found = results(deployment, key, actor=caller().name, covariate=covariate, together=together)
    if as_json:
        ran = [_stands(each) for each in newest]
        print_json({"key": key, "version": version, "runs": ran, **measured.as_json(), "holdout": found.as_json()})
        return
    print_line(f"{read.name}: {read.objective.title}")
    print_line()
    _print_runs(newest)
    print_line()
    campaign_results.print_effects(read, measured)
    print_line()
    campaign_results.print_results(found)


def _read(house: House, file: Path) -> tuple[Campaign, dict[str, list[str]], Judged]:
    desk, at = house.deployment.desk, house.deployment.clock()
    with house.deployment.store.read() as work:
        in_force = desk.catalogues.current(work)
        read = read_campaign(file, in_force)
        four_eyes = house.settings.demands_four_eyes
        found = approving.judged_file(desk, work, read, four_eyes=four_eyes, at=at)
    compiled = policy(read, 0, in_force)
    # Before it has learned, its rules score; what the model will read is asked for all the same.
    features = read.features if read.scorer in ("response", "uplift") else ()
    learned = sorted({in_force.attributes[name].category for name in features})
    scopes = dict.fromkeys([*compiled.scopes, *(f"use:{category}:{read.purpose}" for category in learned)])
    return read, {"categories": sorted({*compiled.categories, *learned}), "scopes": list(scopes)}, found


def _advanced(house: House, run: RunId, engine: Engine) -> Run:
    try:
        with progress("deciding") as tick:
            return running.advance(house.deployment, run, engine=engine, progress=tick)
    except KeyboardInterrupt:
        # The chunks in hand were rolled back; those that are done are committed.
        say(f"run {run} goes on with: byleave campaign resume {run}")
        raise


def _changed(house: House, run_or_key: str, state: str, *, reason: str = "") -> Run | None:
    """Change a run, or a campaign by its key; None where no run of that is under way."""
    deployment, who = house.deployment, caller().name
    if is_id(run_or_key, "run"):
        return running.change(deployment, RunId(run_or_key), state, actor=who, reason=reason)
    if state == STOPPED:
        return running.stop(deployment, run_or_key, actor=who, reason=reason)
    return (running.pause if state == PAUSED else running.resume)(deployment, run_or_key, actor=who)


def _print_change(stands: Run, *, as_json: bool) -> None:
    if as_json:
        print_json(_stands(stands))
        return
    done = f"{stands.done:,} of {counted(stands.total, 'customer')} decided about"
    print_line(f"The run of {stands.campaign} ({stands.id}) is {stands.state}: {done}.")
    print_line(campaign_life.follows(stands.campaign, stands.state))


def _stands(run: Run) -> dict[str, Any]:
    return {
        "run": run.id, "campaign": run.campaign, "version": run.version, "state": run.state, "at": run.at,
        "done": run.done, "total": run.total, **run.counts.as_json(), "seconds": run.seconds,
    }  # fmt: skip


def _print_run(run: Run, *, as_json: bool) -> None:
    if as_json:
        print_json({**run.counts.as_json(), "seconds": run.seconds, "run": run.id, "state": run.state})
        return
    print_line(f"run {run.id} of {run.campaign} is {run.state}")
    print_line()
    print_counts(run.counts, run.seconds)


def _print_runs(listed: list[Run]) -> None:
    print_table(
        ("run", "begun", "state", "customers", "addressed", "held out", "of these else addressed", "left alone"),
        [
            (each.id, each.at, each.state, each.counts.customers, each.counts.chosen.total(),
             each.counts.holdout, each.counts.ghosts.total(), each.counts.left_alone)
            for each in listed
        ],
        empty="It was never run.",
    )  # fmt: skip
