"""`byleave campaign approve`, `schedule`, `history`, `deferred`: who lets a campaign happen, and what became of it."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final

import click

from api.cli.frame import VERSION, Command, Instant, Words, at_home, caller, json_option
from api.cli.output import print_facts, print_json, print_line, print_table, shown
from api.roles import action
from api.wiring import House
from personalise import deferrals
from personalise.campaigns.judging import Advice
from personalise.life import approving, events
from personalise.life.approving import Judged
from personalise.life.events import Standing
from personalise.runs.run import PAUSED, STOPPED

_KEY = Words("key", 63)
AGAIN = click.option("--again", is_flag=True, help="Start it although this version was stopped.")


@click.command(cls=Command, example="byleave campaign approve spring --version 2")
@click.argument("key", type=_KEY)
@click.option("--version", type=VERSION, help="The version that you have looked at; the newest if left out.")
@json_option
@action("campaigns.approve")
def approve(key: str, *, version: int | None, as_json: bool) -> None:
    """Approve a campaign's newest version. Where four eyes are demanded, whoever published it can't."""
    with at_home() as house:
        four_eyes = house.settings.demands_four_eyes
        stands = approving.approve(
            house.deployment, key, actor=caller().name, four_eyes=four_eyes, version=version or 0
        )
    _print_standing(stands, as_json=as_json)


@click.command(cls=Command, example="byleave campaign schedule spring --at 2026-12-01T09:00:00+01:00")
@click.argument("key", type=_KEY)
@click.option("--at", "due_at", type=Instant(), required=True, help="When the worker is to start it.")
@AGAIN
@json_option
@action("campaigns.run")
def schedule(key: str, *, due_at: datetime, again: bool, as_json: bool) -> None:
    """Have the worker start a campaign's newest version at a time; a time that was missed is made up for, once."""
    with at_home() as house:
        four_eyes = house.settings.demands_four_eyes
        stands = approving.schedule(
            house.deployment, key, due_at=due_at, actor=caller().name, four_eyes=four_eyes, again=again
        )
    _print_standing(stands, as_json=as_json)


@click.command(cls=Command, example="byleave campaign history spring")
@click.argument("key", type=_KEY)
@json_option
@action("campaigns.show")
def history(key: str, *, as_json: bool) -> None:
    """Show what has become of a campaign's versions, by whom, and where the ledger has it."""
    with at_home() as house, house.deployment.store.read() as work:
        stands = events.standing(work, key)
    if as_json:
        print_json({**told(stands), "history": [each.as_json() for each in stands.events]})
        return
    print_table(
        ("when", "version", "what", "by", "run", "due", "why", "entry"),
        [
            (each.at, each.version, each.did, each.actor, each.run or None, each.due_at, each.reason or None,
             each.position)
            for each in stands.events
        ],
        empty="Nothing was noted yet: its newest version is a draft.",
    )  # fmt: skip


@click.command(cls=Command, example="byleave campaign deferred spring")
@click.argument("key", type=_KEY)
@json_option
@action("campaigns.show")
def deferred(key: str, *, as_json: bool) -> None:
    """Show how many customers of a campaign are held back for now, by which rule, and what became of earlier ones."""
    with at_home() as house, house.deployment.store.read() as work:
        events.published(work, key)
        counted, waiting = deferrals.counted(work, key), deferrals.by_rule(work, key)
    if as_json:
        rules = [
            {"rule": each.rule, "customers": each.customers, "first_due_at": each.first, "last_due_at": each.last}
            for each in waiting
        ]
        print_json({"key": key, **counted, "rules": rules})
        return
    print_table(
        ("held back by", "customers", "first due", "last due"), list(map(tuple, waiting)), empty="Nobody waits."
    )
    print_line()
    print_facts(counted)


@click.command(cls=Command, example="byleave campaign drop-deferred spring")
@click.argument("key", type=_KEY)
@json_option
@action("campaigns.run")
def drop_deferred(key: str, *, as_json: bool) -> None:
    """Decide for nobody again who is held back now: what waits of a campaign ends."""
    with at_home() as house, house.deployment.store.write() as work:
        events.published(work, key)
        dropped = deferrals.drop(work, key, at=house.deployment.clock())
    if as_json:
        print_json({"key": key, "dropped": dropped})
    else:
        print_line(f"{dropped:,} of {key} wait no longer.")


def told(stands: Standing) -> dict[str, Any]:
    """Return how a campaign stands, for programs."""
    live, approval = stands.live, stands.approval
    return {
        "key": stands.key,
        "version": stands.version,
        "state": str(stands.state),
        "published_by": stands.published.by,
        "approved_by": approval.actor if approval else None,
        "due_at": live.due_at if live else None,
        "tag": stands.tag,
    }


def _print_standing(stands: Standing, *, as_json: bool) -> None:
    if as_json:
        print_json(told(stands))
        return
    live = stands.live
    when = f" for {shown(live.due_at)}" if live and live.due_at else ""
    print_line(f"Version {stands.version} of {stands.key} is {stands.state}{when}.")


def print_between(house: House, key: str, state: str, *, as_json: bool) -> None:
    """Say what has changed where no run was under way."""
    with house.deployment.store.read() as work:
        stands = events.standing(work, key)
    if as_json:
        print_json({"run": None, "campaign": key, "state": state})
    elif state == STOPPED and not stands.halts.ended(stands.version):
        print_line(f"The scheduled start of {key} is called off. Nothing had been decided by it.")
    else:
        print_line(f"{key} {'goes on' if state not in _FOLLOWS else f'is {state}'}. No run of it was under way.")
        print_line(follows(key, state))


def follows(key: str, state: str) -> str:
    """Return what it means that a campaign is paused or stopped now, or goes on, and what can be done next."""
    return _FOLLOWS.get(state, _GOES_ON).format(key=key)


_FOLLOWS: Final = {
    PAUSED: "Until it goes on nobody is decided about, and nothing that it has reserved is sent: "
    "byleave campaign resume {key}",
    STOPPED: "What it has reserved and not sent is released, and nobody is decided about by it any more. Publish a new "
    "version to go on, or start this one again: byleave campaign run {key} --again",
}
_GOES_ON: Final = "Whoever asks for a decision is answered again, and what it has reserved is sent."


def advised(found: Judged) -> dict[str, object]:
    """Return advice, for programs."""
    return {"ok": found.ok, "advice": [each.as_json() for each in found.advice]}


def print_advice(advice: Sequence[Advice]) -> None:
    """Print advice by heading: what is wrong, where, and what to do."""
    for heading, several in groupby(advice, key=lambda each: each.heading):
        print_line()
        print_line(str(heading))
        for each in several:
            where = f" ({each.where})" if each.where else ""
            print_line(f"  {'must' if each.must else 'should'}: {each.what}{where}")
            print_line(f"    {each.do}")
