"""`byleave ledger`, where it is kept: exported, sealed, its key rotated, its states noted, its witness asked."""

from pathlib import Path
from typing import Final

import click

from api.cli.frame import FILE, OK, REFUSED, Command, Refused, Words, at_home, caller, json_option
from api.cli.output import print_facts, print_json, print_line, print_table, say
from api.roles import action
from consent.base.canonical import b64
from consent.base.counting import counted
from consent.base.errors import StateConflict, Unavailable
from consent.base.store import Work
from consent.ledger import export as exporting
from consent.register import alarms as alarming
from consent.register import cosigning, proving, recovering, rotating, sealing, snapshots
from consent.register.alarms import Alarm
from consent.register.sealing import Turned

_NO_ALARM: Final = "The witness contradicts nothing."
_NO_WITNESS: Final = "No witness is asked: set BYLEAVE_WITNESS_URL and BYLEAVE_WITNESS_KEY"


@click.command(cls=Command, example="byleave ledger export --tiles ledger-files")
@click.option(
    "--tiles", "folder", type=FILE, required=True, help="The directory; written on if it was exported to before."
)
@json_option
@action("ledger.export")
def export(folder: Path, *, as_json: bool) -> None:
    """Export the ledger as C2SP tlog-tiles, which any transparency-log verifier reads, and any web server serves.

    What grew since the last checkpoint is signed first. Only new files are written, each whole or not at all. Verify
    it anywhere: byleave ledger verify --from DIR --key VKEY
    """
    with at_home() as house:
        deployment = house.deployment
        try:
            with deployment.store.write() as work:
                proving.sign_checkpoint(deployment.desk, work, at=deployment.clock())
        except Unavailable as held:
            say(f"{held}; what was signed before is exported")
        with deployment.store.read() as work:
            logs = proving.shown(deployment.desk, work)
        done = exporting.export(deployment.store, logs, folder)
    if as_json:
        print_json(
            {
                "folder": str(done.folder),
                "log": done.origin,
                "size": done.size,
                "logs": done.logs,
                "written": done.written,
            }
        )
    else:
        lie = counted(done.size, f"entry of {done.origin} lies", f"entries of {done.origin} lie")
        print_line(f"{lie} in {done.folder}; {counted(done.written, 'file was', 'files were')} written.")


@click.command(cls=Command, example="byleave ledger seal")
@json_option
@action("ledger.seal")
def seal(*, as_json: bool) -> None:
    """Seal the log whose half-year is over, and open the next one. The worker does so by itself."""
    with at_home() as house:
        deployment = house.deployment
        try:
            with deployment.store.write() as work:
                turned = sealing.seal(deployment.desk, work, at=deployment.clock())
        except StateConflict as early:
            raise Refused(f"{early.detail}: nothing was sealed") from early
    _print_turned(turned, as_json=as_json)


@click.command("rotate-key", cls=Command, example="byleave ledger rotate-key")
@json_option
@action("ledger.rotate")
def rotate_key(*, as_json: bool) -> None:
    """Make a new key that signs the log from now on; the old one hands over to it in the ledger itself.

    What was signed before stays signed by the old key. Keep the new verifier key somewhere else than here, and let the
    witness trust it.
    """
    with at_home() as house:
        deployment = house.deployment
        with deployment.store.write() as work:
            done = rotating.rotate(deployment.desk, work, actor=caller().kind, at=deployment.clock())
        watched = house.settings.witness is not None
    if as_json:
        print_json({"old": done.old, "vkey": done.new, "entry": done.position, "checkpoint": done.checkpoint})
        return
    print_facts({"old verifier key": done.old, "verifier key": done.new, "ledger entry": str(done.position)})
    say("Keep the verifier key somewhere else than here.")
    if watched:
        say("Where the witness runs: byleave witness trust VKEY")


@click.command(cls=Command, example="byleave ledger snapshot --compare")
@click.option("--compare", is_flag=True, help="Take none: compute the newest one again, and compare.")
@json_option
@action("ledger.snapshot")
def snapshot(*, compare: bool, as_json: bool) -> int:
    """Commit to how far each customer has got, so that nobody's last word can vanish. The worker does so every night.

    With --compare the exit code is 1 where somebody no longer stands where he stood then, or where there is none.
    """
    with at_home() as house:
        deployment = house.deployment
        if compare:
            return _compare(snapshots.compare(deployment.store, deployment.desk), as_json=as_json)
        taken = snapshots.take(
            deployment.store, deployment.desk, actor=caller().name, clock=deployment.clock, fence=_alone
        )
    if as_json:
        print_json(
            {"entry": taken.entry, "position": taken.position, "customers": taken.customers, "root": b64(taken.root)}
        )
    else:
        they_have = counted(taken.customers, "customer has", "customers have")
        print_line(f"Noted how far {they_have} got: entry {taken.entry} of the ledger.")
    return OK


def _alone(_work: Work) -> None:
    """Nobody takes over from a command: whoever runs it waits for it."""


def _compare(found: snapshots.Compared, *, as_json: bool) -> int:
    made = found.snapshot
    if as_json:
        print_json(
            {
                "ok": found.ok, "entry": made and made.entry, "position": made and made.position,
                "customers": found.customers, "erased": found.erased, "wrong": [each._asdict() for each in found.wrong],
            }
        )  # fmt: skip
    elif made is None:
        print_line("No snapshot was taken yet: byleave ledger snapshot")
    else:
        print_facts(
            {"snapshot": str(made.entry), "taken": made.at, "customers": found.customers, "erased": found.erased}
        )
        print_line("Everybody stands where he stood then, or has gone on." if found.ok else "Somebody does not:")
        for each in found.wrong:
            print_line(f"{each.subject}: {each.why}")
    return OK if found.ok else REFUSED


@click.command(cls=Command, example="byleave ledger cosign")
@json_option
@action("ledger.cosign")
def cosign(*, as_json: bool) -> int:
    """Ask the witness now, as the worker does all the time. The exit code is 1 where it doesn't cosign."""
    with at_home() as house:
        if house.witnessing is None:
            raise Refused(_NO_WITNESS)
        found = house.witnessing.cosign()
        with house.deployment.store.read() as work:
            standing = cosigning.standing(work)
    told = {
        "signed": found.signed, "cosigned": found.cosigned, "held": found.held, "trouble": found.trouble,
        "uncosigned_since": standing.uncosigned_since,
    }  # fmt: skip
    if as_json:
        print_json(told)
    elif found.trouble:
        print_line(f"The witness did not cosign: {found.trouble}")
        print_facts({"signed": found.signed, "cosigned": found.cosigned, "waiting since": standing.uncosigned_since})
    else:
        signed = counted(found.signed, "entry that is", "entries that are")
        print_line(f"The witness has cosigned {found.cosigned:,} of {signed} signed.")
    return REFUSED if found.trouble else OK


@click.command(cls=Command, example="byleave ledger alarms")
@click.option("--all", "settled", is_flag=True, help="Those that are settled as well.")
@json_option
@action("ledger.alarms")
def alarms(*, settled: bool, as_json: bool) -> int:
    """Show where the ledger and its witness disagree; --json has both notes. The exit code is 1 if anything stands."""
    with at_home() as house, house.deployment.store.read() as work:
        found = alarming.newest(work) if settled else alarming.standing(work)
        watched = house.settings.witness is not None
    if as_json:
        print_json({"alarms": [_told(each) for each in found]})
    else:
        rows = [(one.noticed_at, one.kind, one.log, one.why, one.settlement or "stands") for one in found]
        print_table(("noticed", "kind", "log", "why", "settled"), rows, empty=_NO_ALARM if watched else _NO_WITNESS)
    return REFUSED if any(each.settled_at is None for each in found) else OK


@click.command(cls=Command, example='byleave ledger settle --reason "disk lost, the backup of 3 am is the newest"')
@click.option("--reason", type=Words("text", 500), required=True, help="Why it goes on as it is: it is kept.")
@json_option
@action("ledger.settle")
def settle(reason: str, *, as_json: bool) -> None:
    """Let a ledger go on that was rolled back or forked, as it is now, under another name.

    What is lost stays lost. Where the lost entries can still be had, restore them instead: then nothing is lost, and
    there is nothing to settle.
    """
    with at_home() as house:
        deployment = house.deployment
        try:
            with deployment.store.write() as work:
                turned = recovering.settle(
                    deployment.desk, work, actor=caller().name, reason=reason, at=deployment.clock()
                )
        except StateConflict as nothing:
            raise Refused(nothing.detail) from nothing
    _print_turned(turned, as_json=as_json)
    say("A withdrawal may be among what is lost: ask your customers again, or stop what needs their permission.")


COMMANDS = (export, seal, rotate_key, snapshot, cosign, alarms, settle)
"""In the order in which `byleave ledger` lists them."""


def _print_turned(turned: Turned, *, as_json: bool) -> None:
    if as_json:
        print_json({"ended": turned.ended, "size": turned.size, "root": b64(turned.root), "opened": turned.opened})
    else:
        print_line(
            f"{turned.ended} ended with {counted(turned.size, 'entry', 'entries')}; "
            f"the ledger goes on as {turned.opened}."
        )


def _told(each: Alarm) -> dict[str, object]:
    return {
        "id": each.id, "kind": each.kind, "log": each.log, "size": each.size, "note": each.note,
        "witness_size": each.witness_size, "witness_note": each.witness_note, "why": each.why,
        "noticed_at": each.noticed_at, "settled_at": each.settled_at, "settled_by": each.settled_by or None,
        "settlement": each.settlement or None,
    }  # fmt: skip
