"""`byleave db`: the schema, backups, and who may do what in the database."""

from contextlib import closing
from pathlib import Path
from typing import Any

import click

from api import erasing, founding, restoring
from api.cli.frame import FILE, OK, REFUSED, Group, Words, at_home, json_option, require_founded
from api.cli.output import print_facts, print_json, print_line, print_verbatim, say
from api.restoring import Restored
from api.roles import action
from api.settings import read_settings
from consent.base import backup as backups
from consent.base import grants, schema
from consent.base.clock import rfc3339, system_clock
from consent.base.counting import counted
from consent.base.errors import ByleaveError
from consent.base.grants import Roles
from consent.base.store import Store
from consent.ledger import log

_ROLES = Roles()


@click.group(cls=Group)
def db() -> None:
    """The database: schema, backups, roles."""


@db.command(example="byleave db upgrade")
@json_option
@action("house.found")
def upgrade(*, as_json: bool) -> None:
    """Bring the database's schema up to this version, in one transaction."""
    with at_home(checked=False) as house:
        store = house.deployment.store
        before = schema.current(store)
        schema.upgrade(store)
        founding.bind(house)
        after = schema.current(store)
    if as_json:
        print_json({"before": before, "after": after})
    else:
        print_line(f"The schema is at {after}; it was at {before or 'nothing'}.")
        if before != after and house.deployment.store.dialect == "postgresql":
            say("New tables have no rights yet: byleave db roles --apply")


@db.command(example="byleave db check")
@json_option
@action("house.check")
def check(*, as_json: bool) -> int:
    """Say whether the database is whole: its schema, its pages, its triggers, and that no older backup stands there.

    The exit code is 1 where something is wrong.
    """
    with at_home(checked=False) as house:
        store = house.deployment.store
        current, newest = schema.current(store), schema.newest()
        faults = backups.faults(store)
        bare = schema.unguarded(store) if current == newest else []
        restored = _restored(house) if current == newest else ""
    ok = current == newest and not faults and not bare and not restored
    if as_json:
        print_json(
            {
                "ok": ok, "current": current, "newest": newest, "faults": faults, "unguarded": bare,
                "rolled_back": restored,
            }
        )  # fmt: skip
        return OK if ok else REFUSED
    if current == newest:
        print_line(f"The schema is at {current}, the newest.")
    else:
        print_line(f"The schema is at {current or 'nothing'}, the newest is {newest}: byleave db upgrade")
    for line in (*faults, *(f"{table} can be changed: its triggers are gone" for table in bare), restored):
        if line:
            print_line(line)
    return OK if ok else REFUSED


@db.command(example="byleave db backup byleave-2026-11-21.db")
@click.argument("file", type=FILE)
@json_option
@action("house.backup")
def backup(file: Path, *, as_json: bool) -> None:
    """Write a backup into a new file, while the service goes on.

    It holds no key in clear: keep it apart from the keyring, and delete it when its retention is over. Neither the
    keyring nor the list of erasures belongs into it; both are backed up on their own, and only ever replaced by newer.
    """
    with at_home() as house:
        deployment = house.deployment
        size = backups.back_up(deployment.store, file)
        with deployment.store.read() as work:
            head = log.head(work)
        gone_by = deployment.horizon.gone_by(deployment.clock())
    answer = {"file": str(file), "bytes": size, "log": head.origin, "entries": head.size, "delete_by": gone_by}
    if as_json:
        print_json(answer)
        return
    print_facts({"backup": file, "bytes": size, "ledger": f"{head.origin}, {counted(head.size, 'entry', 'entries')}"})
    say(f"Delete it by {rfc3339(gone_by)}: that is the shred horizon.")


@db.command(example="byleave db restore byleave-2026-11-21.db")
@click.argument("file", type=FILE)
@json_option
@action("house.restore")
def restore(file: Path, *, as_json: bool) -> int:
    """Restore a backup. The service must not be running.

    Whoever was erased since is erased again, and what was suppressed is suppressed again, before the database comes to
    its place; what stood there is put aside. Unless that can be read and went no further, its log is left and another
    one goes on, and the exit code is 1: what customers said since the backup is lost.
    """
    settings = read_settings()
    require_founded(settings)
    return _tell(restoring.restore(settings, file, clock=system_clock), as_json=as_json)


@db.command(example="byleave db reopen")
@click.option("--nothing-lost", is_flag=True, help="It is known to be as new as it ever was: its log goes on.")
@json_option
@action("house.restore")
def reopen(*, nothing_lost: bool, as_json: bool) -> int:
    """Settle a database that was brought back by other means, such as a snapshot: see `byleave db restore`."""
    settings = read_settings()
    require_founded(settings)
    return _tell(restoring.reopen(settings, nothing_lost=nothing_lost, clock=system_clock), as_json=as_json)


@db.command(example="byleave db roles --print")
@click.option("--print", "shown", is_flag=True, help="Print the SQL, for whoever owns the tables.")
@click.option("--apply", "applied", is_flag=True, help="Run it: as the owner of the tables, who may make roles.")
@click.option("--application", type=Words("role", 63), default=_ROLES.application, show_default=True, help="Its role.")
@click.option("--auditor", type=Words("role", 63), default=_ROLES.auditor, show_default=True, help="His role.")
@json_option
@action("house.grant")
def roles(application: str, auditor: str, *, shown: bool, applied: bool, as_json: bool) -> None:
    """Give the application and a reading auditor their rights in PostgreSQL, and no more than these.

    New roles can't sign in before somebody gives them a way to: a password, a certificate, a line in pg_hba.conf.
    """
    if shown == applied:
        raise click.UsageError("say --print or --apply")
    named = Roles(application=application, auditor=auditor)
    settings = read_settings()
    with closing(Store(settings.database_url)) as store:
        script = grants.script(store, named)
        if applied:
            grants.apply(store, named)
    if as_json:
        print_json({"application": application, "auditor": auditor, "applied": applied, "statements": script})
    elif shown:
        print_verbatim("".join(f"{each};\n" for each in script))
    else:
        print_line(f"{application} and {auditor} have their rights: {counted(len(script), 'statement')}.")


def _restored(house: Any) -> str:  # noqa: ANN401 -- a house; the type would only name its module
    try:
        erasing.check(house)
    except ByleaveError as refused:
        return str(refused)
    return ""


def _tell(done: Restored, *, as_json: bool) -> int:
    settled = done.settled
    turned = settled.turned
    if as_json:
        print_json(
            {
                "entries": done.size, "revision": done.revision, "erased_again": len(settled.erased),
                "suppressed_again": settled.suppressed, "lost": settled.lost, "left": turned and turned.ended,
                "goes_on_as": turned and turned.opened, "aside": done.aside and str(done.aside),
            }
        )  # fmt: skip
        return REFUSED if turned else OK
    print_facts(
        {
            "entries of the log": done.size,
            "schema": done.revision,
            "erased again": len(settled.erased),
            "suppressed again": settled.suppressed,
            "put aside": done.aside,
        }
    )
    if settled.lost:
        say(f"Rolled back from {settled.lost[1]} to {settled.lost[0]}: what was recorded in between is lost.")
    if turned:
        say(f"{turned.ended} is left as it is, and the ledger goes on as {turned.opened}.")
        say("A withdrawal may be among what is lost: ask your customers again, or stop what needs their permission.")
    return REFUSED if turned else OK
