"""`byleave vault`: the key-encryption key. Keys of programs that call the API are `byleave key`."""

from datetime import timedelta
from typing import Any

import click

from api.cli.frame import OK, REFUSED, Group, Number, Refused, at_home, caller, json_option
from api.cli.output import print_facts, print_json, print_line, progress, say
from api.roles import action
from consent.base.clock import rfc3339
from consent.base.counting import counted
from consent.register import rekeying
from consent.register.rekeying import Destruction, KeyState, Rotation

_VERSION = click.argument("version", type=Number(1, 2**31))


@click.group(cls=Group)
def vault() -> None:
    """The key that wraps every customer's data key."""


@vault.command(example="byleave vault status")
@json_option
@action("vault.show")
def status(*, as_json: bool) -> int:
    """Show which versions of the key there are, what they wrap, and how far away the shred horizon is.

    The exit code is 1 where data keys are wrapped by a version that is gone: nobody can open them any more.
    """
    with at_home() as house:
        deployment = house.deployment
        with deployment.store.read() as work:
            state = rekeying.state(deployment.desk, work)
        horizon = deployment.horizon
    if as_json:
        print_json({**_state(state), "horizon_days": horizon.days, "horizon_too_far": horizon.too_far})
    else:
        print_facts(
            {
                "versions": state.versions,
                "data keys": [f"{count:,} under version {version}" for version, count in state.in_use.items()],
                "rotation": _told(state.rotation),
                "to destroy": [_asked(each) for each in state.destructions if each.destroyed_at is None],
                "shred horizon": horizon.too_far or horizon.text,
            }
        )
        if state.outdated:
            old = counted(state.outdated, "data key is", "data keys are")
            say(f"{old} wrapped by an older version: byleave vault rotate")
    return REFUSED if state.unknown or horizon.too_far else OK


@vault.command(example="byleave vault rotate")
@json_option
@action("vault.rotate")
def rotate(*, as_json: bool) -> int:
    """Make a new version of the key and wrap every data key anew; carry on where that was interrupted.

    Nothing that is sealed is touched, and the service may go on. The old version stays until two people destroy it.
    """
    with at_home() as house, progress("data keys") as tick:
        deployment = house.deployment
        done = rekeying.rotate(
            deployment.desk, deployment.store, actor=caller().name, clock=deployment.clock, progress=tick
        )
    if as_json:
        print_json(_rotation(done))
    else:
        print_line(
            f"Version {done.version} wraps {counted(done.done, 'data key')}; it is entry {done.position} of the ledger."
        )
        if done.lost:
            lost = counted(done.lost, "data key that does", "data keys that do")
            say(f"left as before: {lost} not unwrap: byleave audit run")
    return REFUSED if done.lost else OK


@vault.command(example="byleave vault destroy 1")
@_VERSION
@click.option("--confirm", is_flag=True, help="Be the second person: somebody else has asked for it before.")
@click.option(
    "--at-once", is_flag=True,
    help="Don't wait until the last backup that needs it is thrown away: no such backup can be restored any more.",
)  # fmt: skip
@json_option
@action("vault.destroy")
def destroy(version: int, *, confirm: bool, at_once: bool, as_json: bool) -> None:
    """Destroy a version of the key and all before it, for ever. It takes two people.

    The first asks for it. The second confirms with --confirm, under another user of this machine, once no backup needs
    the version any more.
    """
    with at_home() as house:
        deployment = house.deployment
        who, at = caller().name, deployment.clock()
        if confirm:
            done = rekeying.destroy(
                deployment.desk, deployment.store, version, actor=who, at=at, at_once=at_once,
                backups_end=timedelta(days=deployment.horizon.backup_retention_days),
            )  # fmt: skip
        elif at_once:
            raise Refused("--at-once is the second person's to say: give it with --confirm")
        else:
            with deployment.store.write() as work:
                done = rekeying.ask_destruction(deployment.desk, work, version, actor=who, at=at)
    if as_json:
        print_json(_destruction(done))
    elif done.destroyed_at is not None:
        print_line(f"Version {version} and all before it are destroyed.")
    else:
        print_line(f"{done.asked_by} asks to destroy version {version} and all before it. Nothing is destroyed yet:")
        print_line(f"  byleave vault destroy {version} --confirm      by somebody else")


def _state(state: KeyState) -> dict[str, Any]:
    return {
        "versions": state.versions,
        "in_use": {str(version): count for version, count in state.in_use.items()},
        "unknown": state.unknown,
        "rotation": _rotation(state.rotation) if state.rotation else None,
        "destructions": [_destruction(each) for each in state.destructions],
    }


def _rotation(rotation: Rotation) -> dict[str, Any]:
    return {
        "version": rotation.version, "started_at": rotation.started_at, "finished_at": rotation.finished_at,
        "done": rotation.done, "total": rotation.total, "lost": rotation.lost, "position": rotation.position,
    }  # fmt: skip


def _destruction(destruction: Destruction) -> dict[str, Any]:
    return {
        "version": destruction.version, "asked_by": destruction.asked_by, "asked_at": destruction.asked_at,
        "confirmed_by": destruction.confirmed_by, "destroyed_at": destruction.destroyed_at,
    }  # fmt: skip


def _told(rotation: Rotation | None) -> str:
    if rotation is None:
        return "never"
    if rotation.finished_at is None:
        return f"to version {rotation.version}, {rotation.done:,} of {rotation.total:,} done: byleave vault rotate"
    return f"to version {rotation.version}, finished at {rfc3339(rotation.finished_at)}"


def _asked(destruction: Destruction) -> str:
    return f"version {destruction.version}, asked for by {destruction.asked_by} at {rfc3339(destruction.asked_at)}"
