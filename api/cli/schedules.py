"""`byleave audit schedule`: when audits are run, and of what."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import click

from api.checks import CHECKS
from api.cli.frame import Group, Words, at_home, caller, json_option
from api.cli.output import print_json, print_line, print_table, shown
from api.roles import action
from api.wiring import House
from consent.audit import cron, schedules
from consent.audit.schedules import FULL, INCREMENTAL, Schedule
from consent.base.errors import NotFound
from consent.base.store import Work

_KEY = Words("key", 40)


@click.group(cls=Group)
def schedule() -> None:
    """When audits are run, and of what."""


@schedule.command("list", example="byleave audit schedule list")
@json_option
@action("audits.show")
def list_(*, as_json: bool) -> None:
    """List the schedules, when each runs next, and how its last slots went."""
    with at_home() as house:
        at = house.deployment.clock()
        with house.deployment.store.read() as work:
            told = [_told(work, each, at) for each in schedules.schedules(work)]
    if as_json:
        print_json({"data": told})
        return
    columns = ("schedule", "cron", "zone", "mode", "enabled", "next_at", "last_slots")
    rows = [[_cell(each, column) for column in columns] for each in told]
    print_table([column.replace("_", " ") for column in columns], rows, empty="There is no schedule.")


@schedule.command("set", example="byleave audit schedule set weekly --cron '0 3 * * sun' --zone Europe/Berlin")
@click.argument("key", type=_KEY)
@click.option("--cron", "text", type=Words("cron", 120), help="Minute, hour, day, month, day of the week.")
@click.option("--zone", type=Words("zone", 60), help="The time zone in which the clock is read, like Europe/Berlin.")
@click.option("--check", "checks", multiple=True, type=Words("check"), help="Run this check only; can be given again.")
@click.option("--all-checks", is_flag=True, help="Run all checks.")
@click.option("--mode", type=click.Choice([FULL, INCREMENTAL]), help="Look at everything, or go on from the last pass.")
@json_option
@action("audits.schedule")
def set_(*, key: str, checks: tuple[str, ...], all_checks: bool, as_json: bool, **given: str | None) -> None:
    """Make a schedule, or change one: what isn't given stays as it is. Its slots count from now on."""
    with at_home() as house:
        at = house.deployment.clock()
        with house.deployment.store.write() as work:
            stood = _stood(work, key)
            wanted = replace(
                stood,
                cron=given["text"] or stood.cron,
                zone=given["zone"] or stood.zone,
                mode=given["mode"] or stood.mode,
                checks=() if all_checks else checks or stood.checks,
                enabled=True,
            )
            told = _told(work, _put(house, work, wanted, at), at)
    _print(told, as_json=as_json)


def _stood(work: Work, key: str) -> Schedule:
    try:
        return schedules.one(work, key)
    except NotFound:
        return Schedule(key=key, cron="")


@schedule.command("off", example="byleave audit schedule off hourly")
@click.argument("key", type=_KEY)
@json_option
@action("audits.schedule")
def off(key: str, *, as_json: bool) -> None:
    """Switch a schedule off. It stays to be seen, and nothing runs by it."""
    _switch(key, enabled=False, as_json=as_json)


@schedule.command("on", example="byleave audit schedule on hourly")
@click.argument("key", type=_KEY)
@json_option
@action("audits.schedule")
def on(key: str, *, as_json: bool) -> None:
    """Switch a schedule on again. Its slots count from now on."""
    _switch(key, enabled=True, as_json=as_json)


def _switch(key: str, *, enabled: bool, as_json: bool) -> None:
    with at_home() as house:
        at = house.deployment.clock()
        with house.deployment.store.write() as work:
            stood = schedules.one(work, key)
            told = _told(work, _put(house, work, replace(stood, enabled=enabled), at), at)
    _print(told, as_json=as_json)


def _put(_house: House, work: Work, wanted: Schedule, at: datetime) -> Schedule:
    return schedules.put(work, wanted, known_checks=[each.key for each in CHECKS], actor=caller().name, at=at)


def _told(work: Work, each: Schedule, at: datetime) -> dict[str, Any]:
    following = cron.next_after(each.rhythm, at) if each.enabled else None
    slots = schedules.slots_of(work, each, most=5)
    return {
        "schedule": each.key, "cron": each.cron, "zone": each.zone, "checks": list(each.checks), "mode": each.mode,
        "enabled": each.enabled, "changed_at": each.changed_at, "changed_by": each.changed_by or None,
        "version": each.version, "next_at": following,
        "last_slots": [{"slot": slot.scheduled_for, "state": slot.state, "audit": slot.detail or None,
                        "late": slot.job == each.late_job} for slot in slots],
    }  # fmt: skip


def _cell(told: dict[str, Any], column: str) -> object:
    if column != "last_slots":
        return told[column]
    return ", ".join(f"{each['state']}{' (late)' if each['late'] else ''}" for each in told[column])


def _print(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    state = f"next at {shown(told['next_at'])}" if told["enabled"] else "switched off"
    print_line(f"{told['schedule']}: {told['cron']} in {told['zone']}, {told['mode']}, {state}")
