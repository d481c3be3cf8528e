"""`byleave campaign`: check, publish, dry-run, run, measure."""

from pathlib import Path
from time import perf_counter
from typing import Any

import click

from api.cli.frame import FILE, OK, REFUSED, Group, Words, at_home, caller, json_option
from api.cli.output import print_facts, print_json, print_line, print_table, progress, say
from api.roles import action
from api.wiring import House
from consent.base.errors import CampaignUnknown, RunUnknown
from consent.base.ids import RunId, is_id
from personalise import learning, shelf
from personalise.campaigns.model import Campaign
from personalise.campaigns.reading import read_campaign
from personalise.learning import Effects
from personalise.measure.effects import Effect
from personalise.runs import run as runs
from personalise.runs.counts import Counts
from personalise.runs.dry_run import dry_run as dry_run_of
from personalise.runs.run import PAUSED, RUNNING, STOPPED, Run
from personalise.steps.invent.fitting import TooFew
from personalise.steps.personalise.policy import policy

_KEY = Words("key", 63)


@click.group(cls=Group)
def campaign() -> None:
    """Check, publish, dry-run, run and measure campaigns."""


@campaign.command(example="byleave campaign check campaign.toml")
@click.argument("file", type=FILE)
@json_option
@action("campaigns.show")
def check(file: Path, *, as_json: bool) -> None:
    """Check a campaign file against the catalogue in force, and say what it would need permission for."""
    with at_home() as house:
        read, needs = _read(house, file)
    answer = {
        "key": read.key,
        "objective": read.objective.key,
        "treatments": [each.key for each in read.treatments],
        **needs,
    }
    if as_json:
        print_json(answer)
        return
    print_line(f"{file.name} holds.")
    print_facts(answer)


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
            version = shelf.publish(work, read, actor=caller().name, at=at)
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
    if as_json:
        data = [
            {"key": key, "version": version, "published_at": at, "run": _stands(newest[0]) if newest else None}
            for key, version, at, newest in listed
        ]
        print_json({"data": data, "next_cursor": None})
        return
    print_table(
        ("key", "version", "published", "newest run", "state"),
        [
            (key, version, at, *((newest[0].id, newest[0].state) if newest else (None, None)))
            for key, version, at, newest in listed
        ],
        empty="There is no campaign yet: publish one with `byleave campaign publish FILE`.",
    )


@campaign.command(example="byleave campaign dry-run spring")
@click.argument("key", type=_KEY)
@json_option
@action("campaigns.dry_run")
def dry_run(key: str, *, as_json: bool) -> None:
    """Say whom a campaign would reach, who is lost and why. Nothing is sent, and no decision is kept."""
    began = perf_counter()
    with at_home() as house, progress("deciding") as tick:
        counts = dry_run_of(house.deployment, key, actor=caller().name, progress=tick)
    seconds = round(perf_counter() - began, 3)
    if as_json:
        print_json({**counts.as_json(), "seconds": seconds})
    else:
        _print_counts(counts, seconds)


@campaign.command("run", example="byleave campaign run spring --json")
@click.argument("key", type=_KEY)
@json_option
@action("campaigns.run")
def run_(key: str, *, as_json: bool) -> None:
    """Run a campaign over all customers. A run of it that was killed goes on where it stopped."""
    with at_home() as house:
        with house.deployment.store.read() as work:
            killed = runs.newest(work, key, most=1, state=RUNNING)
        if killed:
            run = killed[0].id
            say(f"run {run} of {key} is under way ({killed[0].done:,} of {killed[0].total:,} done): going on with it")
        else:
            run = runs.start(house.deployment, key, actor=caller().name)
        _print_run(_advanced(house, run), as_json=as_json)


@campaign.command(example="byleave campaign resume spring")
@click.argument("run_or_key", type=_KEY)
@json_option
@action("campaigns.run")
def resume(run_or_key: str, *, as_json: bool) -> None:
    """Carry on a run that was paused or killed."""
    with at_home() as house:
        run = _under_way(house, run_or_key)
        runs.change(house.deployment, run, RUNNING)
        _print_run(_advanced(house, run), as_json=as_json)


@campaign.command(example="byleave campaign pause spring")
@click.argument("run_or_key", type=_KEY)
@json_option
@action("campaigns.run")
def pause(run_or_key: str, *, as_json: bool) -> None:
    """Pause a run before its next chunk."""
    _change(run_or_key, PAUSED, as_json=as_json)


@campaign.command(example="byleave campaign stop spring")
@click.argument("run_or_key", type=_KEY)
@json_option
@action("campaigns.run")
def stop(run_or_key: str, *, as_json: bool) -> None:
    """Stop a run for good. What was decided so far stays decided."""
    _change(run_or_key, STOPPED, as_json=as_json)


@campaign.command(example="byleave campaign learn spring")
@click.argument("key", type=_KEY)
@json_option
@action("campaigns.learn")
def learn(key: str, *, as_json: bool) -> int:
    """Fit the campaign's response model on the outcomes that customers permit to learn from."""
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
            f"Model {learned.version} of {key}, learned from {learned.rows:,} customers, scores from the next run on."
        )
    return OK


@campaign.command(example="byleave campaign report spring")
@click.argument("key", type=_KEY)
@json_option
@action("campaigns.show")
def report(key: str, *, as_json: bool) -> None:
    """Report what came of a campaign: its runs, and what each treatment did against none, with intervals."""
    with at_home() as house:
        deployment = house.deployment
        with deployment.store.read() as work:
            read, version = shelf.load(work, key, deployment.desk.catalogues.current(work))
            newest = runs.newest(work, key)
        measured = learning.effects(deployment, key, actor=caller().name)
    if as_json:
        print_json({"key": key, "version": version, "runs": [_stands(each) for each in newest], **_told(measured)})
        return
    print_line(f"{read.name}: {read.objective.title}")
    print_line()
    _print_runs(newest)
    print_line()
    _print_effects(read, measured)


def _read(house: House, file: Path) -> tuple[Campaign, dict[str, list[str]]]:
    with house.deployment.store.read() as work:
        in_force = house.deployment.desk.catalogues.current(work)
    read = read_campaign(file, in_force)
    compiled = policy(read, 0, in_force)
    return read, {"categories": list(compiled.categories), "scopes": list(compiled.scopes)}


def _under_way(house: House, run_or_key: str) -> RunId:
    if is_id(run_or_key, "run"):
        return RunId(run_or_key)
    with house.deployment.store.read() as work:
        if run_or_key not in {key for key, _, _ in shelf.keys(work)}:
            raise CampaignUnknown(f"{run_or_key!r} is neither a run nor a campaign")
        open_ = [
            *runs.newest(work, run_or_key, most=1, state=RUNNING),
            *runs.newest(work, run_or_key, most=1, state=PAUSED),
        ]
    if not open_:
        raise RunUnknown(f"no run of {run_or_key} is under way")
    return open_[0].id


def _advanced(house: House, run: RunId) -> Run:
    try:
        with progress("deciding") as tick:
            return runs.advance(house.deployment, run, progress=tick)
    except KeyboardInterrupt:
        # The chunk in hand was rolled back; all before it are committed, with the cursor.
        say(f"run {run} goes on with: byleave campaign resume {run}")
        raise


def _change(run_or_key: str, state: str, *, as_json: bool) -> None:
    with at_home() as house:
        stands = runs.change(house.deployment, _under_way(house, run_or_key), state)
    if as_json:
        print_json(_stands(stands))
    else:
        print_line(f"run {stands.id} of {stands.campaign} is {stands.state}, {stands.done:,} of {stands.total:,} done")


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
    _print_counts(run.counts, run.seconds)


def _print_counts(counts: Counts, seconds: float) -> None:
    share = counts.customers or 1
    rows = [(f"gets {treatment}", count, f"{count / share:.1%}") for treatment, count in sorted(counts.chosen.items())]
    rows += [(f"leaves: {reason}", count, f"{count / share:.1%}") for reason, count in counts.reasons.most_common()]
    print_table(
        ("what becomes of them", "customers", "share"),
        rows,
        empty="Nobody is enrolled yet: see `byleave import --help`.",
    )
    print_line()
    print_line(f"{counts.customers:,} customers in {seconds:,.1f} s")


def _print_runs(listed: list[Run]) -> None:
    print_table(
        ("run", "begun", "state", "customers", "addressed", "held out", "left alone"),
        [
            (each.id, each.at, each.state, each.counts.customers, each.counts.chosen.total(),
             each.counts.holdout, each.counts.left_alone)
            for each in listed
        ],
        empty="It was never run.",
    )  # fmt: skip


def _print_effects(read: Campaign, measured: Effects) -> None:
    measure = read.objective.measure
    print_table(
        ("got", "customers", measure, "rate", "from", "to"),
        [
            (rate.arm, rate.n, rate.successes, *map(_percent, (rate.rate, rate.lower, rate.upper)))
            for rate in measured.rates
        ],
        empty=f"No {measure} is known yet of anybody who permits measuring: see `byleave import outcomes --help`.",
    )
    for each in measured.effects:
        print_line()
        if isinstance(each.effect, Effect):
            low, high = _percent(each.effect.lower), _percent(each.effect.upper)
            more = _percent(each.effect.difference)
            print_line(
                f"{each.arm} against none: {each.outcome} {more}, {each.effect.level:.0%} interval {low} to {high}"
            )
        else:
            few = f"{each.effect.what}: {each.effect.had} of {each.effect.needed}"
            print_line(f"{each.arm} against none: too few to judge ({few})")


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.2%}"


def _told(measured: Effects) -> dict[str, Any]:
    return {
        "rates": [
            {"arm": each.arm, "n": each.n, "successes": each.successes, "rate": each.rate,
             "lower": each.lower, "upper": each.upper}
            for each in measured.rates
        ],
        "effects": [
            {"outcome": each.outcome, "arm": each.arm, "n": each.n, "n_control": each.n_control, **_effect(each.effect)}
            for each in measured.effects
        ],
    }  # fmt: skip


def _effect(effect: Any) -> dict[str, Any]:  # noqa: ANN401 -- an effect, or too few to judge
    if isinstance(effect, Effect):
        known = {"difference": effect.difference, "lower": effect.lower, "upper": effect.upper, "level": effect.level}
        return {"effect": known, "too_few": None}
    return {"effect": None, "too_few": {"what": effect.what, "had": effect.had, "needed": effect.needed}}
