"""`byleave finding`: what audits found, and what is being done about it."""

from datetime import datetime
from typing import Any, Final

import click

from api.checks import CHECKS
from api.cli.frame import OK, REFUSED, UNCHECKED, Group, Instant, Number, Words, at_home, caller, json_option
from api.cli.output import print_facts, print_json, print_line, print_table, say
from api.roles import action
from consent.audit import handling, life
from consent.audit.findings import Severity
from consent.audit.handling import Rerun
from consent.audit.life import Filter, Followed, Happened, State

_FINDING: Final = Words("id")
_CODES: Final = {Rerun.RESOLVED: OK, Rerun.STILL_THERE: REFUSED, Rerun.COULD_NOT_CHECK: UNCHECKED}
_SAID: Final = {
    Rerun.RESOLVED: "Resolved: its check was run again over everything, and found nothing of it any more.",
    Rerun.STILL_THERE: "Still there: its check was run again, and found it again.",
    Rerun.COULD_NOT_CHECK: "Could not check: it stays as it is. byleave audit show says what stood in the way.",
}


@click.group(cls=Group)
def finding() -> None:
    """What audits found, and what is being done about it."""


@finding.command("list", example="byleave finding list --state open --json")
@click.option("--state", "states", multiple=True, type=click.Choice([str(each) for each in State]),
              help="Only those in this state; can be given again.")  # fmt: skip
@click.option("--check", type=click.Choice([each.key for each in CHECKS]), metavar="CHECK",
              help="Only those of this check: `byleave audit explain` names them.")  # fmt: skip
@click.option("--severity", type=click.Choice([str(each) for each in Severity]), default=None, help="Only these.")
@click.option("--owner", type=Words("name", 120), help="Only those of this owner.")
@click.option("--audit", type=Words("id"), help="Only those that this audit was the last to judge.")
@click.option("--limit", type=Number(1, 1_000), default=100, show_default=True, help="How many at most.")
@click.option("--cursor", type=Words("cursor"), help="The cursor after which to go on.")
@json_option
@action("findings.show")
def list_(*, states: tuple[str, ...], limit: int, cursor: str | None, as_json: bool, **chosen: Any) -> int:  # noqa: ANN401 -- the options above
    """List findings, the newest first; those that are not resolved, unless a state is named.

    The exit code is 1 where any is open or assigned.
    """
    wanted = Filter(
        states=tuple(State(each) for each in states) or life.UNRESOLVED.states, check=chosen["check"] or "",
        severity=chosen["severity"] or "", owner=chosen["owner"] or "", audit=chosen["audit"] or "",
    )  # fmt: skip
    with at_home() as house:
        at = house.deployment.clock()
        with house.deployment.store.read() as work:
            listed = life.listed(work, wanted, at=at, after=cursor or "", most=limit + 1)
    following = listed[limit - 1].id if len(listed) > limit else None
    listed = listed[:limit]
    if as_json:
        print_json({"data": [each.as_json() for each in listed], "next_cursor": following})
    else:
        _print(listed, following)
    return REFUSED if any(each.state in (State.OPEN, State.ASSIGNED) for each in listed) else OK


def _print(listed: list[Followed], following: str | None) -> None:
    print_table(
        ("finding", "severity", "check", "on", "state", "owner", "what is wrong"),
        [
            (each.id, str(each.severity), each.check, each.subject, str(each.state), each.owner, each.why)
            for each in listed
        ],
        empty="No such finding. Audits find them: byleave audit run",
    )
    if following:
        say(f"go on with: --cursor {following}")


@finding.command(example="byleave finding show fnd_01a1fb67180070008000000000000000")
@click.argument("finding", type=_FINDING)
@json_option
@action("findings.show")
def show(finding: str, *, as_json: bool) -> None:
    """Show a finding and its history."""
    with at_home() as house:
        at = house.deployment.clock()
        with house.deployment.store.read() as work:
            one, steps = life.one(work, finding, at=at), life.history(work, finding)
    if as_json:
        print_json({**one.as_json(), "history": [_step(each) for each in steps]})
        return
    print_facts(one.as_json())
    print_line()
    columns = ("at", "by", "event", "owner", "until", "reason", "audit")
    print_table(columns, [[_step(each)[column if column != "by" else "actor"] for column in columns] for each in steps],
                empty="")  # fmt: skip


def _step(step: Happened) -> dict[str, Any]:
    return {
        "at": step.at, "actor": step.actor, "event": str(step.event), "owner": step.owner, "until": step.until,
        "reason": step.reason, "audit": step.audit,
    }  # fmt: skip


@finding.command(example="byleave finding assign fnd_01a1fb67180070008000000000000000 anna")
@click.argument("finding", type=_FINDING)
@click.argument("owner", type=Words("name", handling.LONGEST_OWNER))
@json_option
@action("findings.change")
def assign(finding: str, owner: str, *, as_json: bool) -> None:
    """Give a finding to somebody, who is to see to it."""
    with at_home() as house:
        at = house.deployment.clock()
        with house.deployment.store.write() as work:
            one = handling.assign(work, finding, owner=owner, actor=caller().name, at=at)
    _told(one, f"assigned to {one.owner}", as_json=as_json)


@finding.command(
    example="byleave finding accept fnd_01a1fb67180070008000000000000000"
    " --until 2026-12-24T00:00:00Z --reason 'fixed by then'"
)
@click.argument("finding", type=_FINDING)
@click.option("--until", type=Instant(), required=True, help="When it is open again by itself; within a year.")
@click.option("--reason", type=Words("text", handling.LONGEST_REASON), required=True,
              help="Why it can be borne till then; stays in its history, so it may name nobody.")  # fmt: skip
@json_option
@action("findings.change")
def accept(finding: str, until: datetime, reason: str, *, as_json: bool) -> None:
    """Accept a finding until a time, for a reason."""
    with at_home() as house:
        at = house.deployment.clock()
        with house.deployment.store.write() as work:
            one = handling.accept(work, finding, until=until, reason=reason, actor=caller().name, at=at)
    _told(one, f"accepted until {one.accepted_until:%Y-%m-%d %H:%M} UTC", as_json=as_json)


@finding.command(example="byleave finding resolve fnd_01a1fb67180070008000000000000000")
@click.argument("finding", type=_FINDING)
@json_option
@action("findings.change")
def resolve(finding: str, *, as_json: bool) -> int:
    """Run the finding's check again now, and say what came of it: only a passing rerun resolves a finding.

    The exit code is 0 where it is resolved, 1 where it is still there, 3 where it could not be checked.
    """
    with at_home() as house:
        outcome = handling.resolve(house.deployment, CHECKS, finding, actor=caller().name)
    if as_json:
        audit = outcome.report.audit if outcome.report else None
        print_json({**outcome.finding.as_json(), "came": str(outcome.came), "rerun": audit})
    else:
        print_line(_SAID[outcome.came])
    return _CODES[outcome.came]


def _told(one: Followed, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(one.as_json())
    else:
        print_line(f"{one.id}: {what}")
