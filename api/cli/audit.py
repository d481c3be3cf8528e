"""`byleave audit`: find out whether every use was allowed."""

from typing import Any, Final

import click

from api.checks import CHECKS
from api.cli.frame import OK, REFUSED, UNCHECKED, Group, Number, Words, at_home, caller, json_option
from api.cli.output import print_facts, print_json, print_line, print_table, say
from api.cli.packs import pack
from api.cli.schedules import schedule
from api.explained import EXPLAINED
from api.roles import action
from consent.audit import reading
from consent.audit import run as audits
from consent.audit.report import Status
from consent.base.errors import NotFound

_CODES: Final = {Status.PASSED.value: OK, Status.FINDINGS.value: REFUSED}
"""How an audit ended → exit code; whatever else became of it, nothing was found out."""


@click.group(cls=Group)
def audit() -> None:
    """Find out whether every use was allowed."""


audit.add_command(schedule)
audit.add_command(pack)


@audit.command("run", example="byleave audit run --check standing --json")
@click.option("--check", "checks", multiple=True, type=Words("check"), help="Run this check only; can be given again.")
@click.option("--incremental", is_flag=True, help="Go on from where each check last passed; resolves no finding.")
@json_option
@action("audits.run")
def run_(checks: tuple[str, ...], *, incremental: bool, as_json: bool) -> int:
    """Run every check, recomputing all from the ledger's bytes. The exit code is 1 for findings, 3 for gaps alone."""
    with at_home() as house:
        report = audits.run(
            house.deployment, CHECKS, asked_by=caller().name, only=checks or None, incremental=incremental
        )  # fmt: skip
    told = report.as_json()
    if as_json:
        print_json(told)
    else:
        _print(told)
        print_line(f"audit {report.audit}")
    return _CODES.get(told["status"], UNCHECKED)


@audit.command("list", example="byleave audit list")
@click.option("--limit", type=Number(1, 1_000), default=20, show_default=True, help="How many at most.")
@click.option("--cursor", type=Words("cursor"), help="The cursor after which to go on.")
@json_option
@action("audits.show")
def list_(limit: int, cursor: str | None, *, as_json: bool) -> None:
    """List the last audits, the newest first."""
    with at_home() as house:
        at = house.deployment.clock()
        with house.deployment.store.read() as work:
            listed = reading.newest(work, at=at, most=limit + 1, after=cursor or "")
    following = listed[limit - 1].audit if len(listed) > limit else None
    listed = listed[:limit]
    if as_json:
        print_json({"data": [_past(each) for each in listed], "next_cursor": following})
        return
    print_table(
        ("audit", "begun", "ended", "status", "asked by", "entry"),
        [
            (each.audit, each.started_at, each.ended_at, each.status, each.asked_by, str(each.position))
            for each in listed
        ],
        empty="No audit comes after that." if cursor else "There was no audit yet: byleave audit run",
    )
    if following:
        say(f"go on with: --cursor {following}")


@audit.command(example="byleave audit show")
@click.argument("audit", type=Words("id"), required=False)
@json_option
@action("audits.show")
def show(audit: str | None, *, as_json: bool) -> int:
    """Show an audit (the newest, where none is named) and what it found. The exit code is that of the audit."""
    with at_home() as house:
        at = house.deployment.clock()
        with house.deployment.store.read() as work:
            past, report = reading.one(work, audit or reading.last(work, at=at), at=at)
    if as_json:
        print_json({**_past(past), "report": report})
    else:
        print_facts(_past(past))
        print_line()
        if report:
            _print(report)
        else:
            print_line("It has no report: it is under way, or was cut off. Run another.")
    return _CODES.get(past.status, UNCHECKED)


@audit.command(example="byleave audit explain standing")
@click.argument("check", type=Words("check"), required=False)
@json_option
@action("audits.show")
def explain(check: str | None, *, as_json: bool) -> None:
    """Say what a check (or every one) proves when it passes, and what it doesn't."""
    known = {each.key: each.title for each in CHECKS}
    if check is not None and check not in known:
        raise NotFound(f"{check!r} is no check; there are {', '.join(known)}")
    chosen = [check] if check else list(known)
    told = [{"check": key, "title": known[key], **EXPLAINED[key]._asdict()} for key in chosen]
    if as_json:
        print_json(told[0] if check else {"data": told})
        return
    for each in told:
        print_line(f"{each['check']}: {each['title']}.")
        print_line(f"  Proves:         {each['proves']}")
        print_line(f"  Does not prove: {each['leaves_open']}")


def _past(past: reading.PastAudit) -> dict[str, Any]:
    return {
        "audit": past.audit, "started_at": past.started_at, "ended_at": past.ended_at, "status": past.status,
        "asked_by": past.asked_by, "position": past.position,
    }  # fmt: skip


def _print(told: dict[str, Any]) -> None:
    print_table(
        ("check", "judged", "seconds", "status", "says"),
        [(each["check"], each["checked"], each["seconds"], each["status"], each["title"]) for each in told["checks"]],
        empty="No check was run.",
    )
    for finding in told["findings"]:
        print_line(f"{finding['severity']} finding of {finding['check']}: {finding['subject']}: {finding['why']}")
    for gap in told["gaps"]:
        print_line(f"gap in {gap['check']}: {gap['why']}")
    print_line()
    print_line(f"{_SAID[told['status']]} ({told['seconds']:,.1f} s)")


_SAID: Final = {
    Status.PASSED.value: "Passed: everything that was judged is as it should be.",
    Status.FINDINGS.value: "Findings: rules are broken, see above. byleave audit explain CHECK says what each means.",
    Status.COULD_NOT_CHECK.value: "Could not check: nothing wrong was found, and not everything could be judged.",
}
