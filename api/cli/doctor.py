"""`byleave doctor`: what is well here, and what needs attention. It looks, and changes nothing."""

import stat
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

import click

from api import erasing
from api.cli.frame import OK, REFUSED, UNCHECKED, Command, json_option, require_founded
from api.cli.output import Mark, print_json, print_mark, say
from api.roles import action
from api.settings import Settings, read_settings
from api.wiring import HEARTBEAT, House, open_house
from consent import jobs
from consent.audit import alarms, life, reading
from consent.audit.alarms import Alarming
from consent.audit.life import State
from consent.audit.report import Status
from consent.base import grants, schema
from consent.base.clock import from_ms, rfc3339, to_ms
from consent.base.counting import counted
from consent.base.database import wal_is_safe
from consent.base.errors import ByleaveError, KeyLost, KmsDown, SettingsInvalid
from consent.ledger import log
from consent.ledger.log import CLOCK_TOLERANCE_MS
from consent.register import cosigning, proving, rekeying
from consent.rights.erasing import waiting_since
from personalise import shelf

_DEAD_AFTER: Final = timedelta(minutes=1)
_PROVED_WITHIN: Final = timedelta(hours=1)
_WAITING: Final = (State.OPEN, State.ASSIGNED)
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class Said(NamedTuple):
    """What one look found."""

    state: Mark
    detail: str


class _Looked(NamedTuple):
    check: str
    said: Said


@click.command(cls=Command, example="byleave doctor")
@json_option
@action("house.check")
def doctor(*, as_json: bool) -> int:
    """Say what is well here and what needs attention.

    Looked at are files, keys, database, clock, ledger and worker; nothing is changed. The exit code is 1 where
    something needs attention, 3 where something could not be looked at.
    """
    settings = read_settings()
    require_founded(settings)
    looked = list(_all(settings))
    states = {each.said.state for each in looked}
    if as_json:
        checks = [{"check": each.check, "state": each.said.state, "detail": each.said.detail} for each in looked]
        print_json({"ok": states == {"ok"}, "checks": checks})
    else:
        for each in looked:
            print_mark(each.said.state, each.check, each.said.detail)
        say("; ".join(_summed(looked)))
    if "unknown" in states:
        return UNCHECKED
    return REFUSED if "attention" in states else OK


def _summed(looked: list[_Looked]) -> Iterator[str]:
    """Say which need attention and which couldn't be looked at."""
    for mark, words in (("attention", "needs attention"), ("unknown", "could not be looked at")):
        if named := [each.check for each in looked if each.said.state == mark]:
            yield f"{words}: {', '.join(named)}"
    if all(each.said.state == "ok" for each in looked):
        yield "all is well"


def _all(settings: Settings) -> Iterator[_Looked]:
    yield _Looked("settings", _settings(settings))
    yield _Looked("home", _home(settings.home))
    try:
        house = open_house(settings)
    except SettingsInvalid as wrong:
        yield _Looked("keyring", Said("attention", wrong.detail))
        return
    except (KmsDown, KeyLost) as lost:
        yield _Looked("keyring", Said("unknown", str(lost)))
        return
    sealed = f", sealed by {settings.vault_address}" if settings.vault else ""
    yield _Looked("keyring", Said("ok", f"{settings.keyring}, readable by its owner alone{sealed}"))
    try:
        yield from (_Looked(check, _guarded(look, house)) for check, look in _LOOKS)
    finally:
        house.close()


def _guarded(look: Callable[[House], Said], house: House) -> Said:
    """Look; what can't be looked at is not well, and not a reason to leave out the rest."""
    try:
        return look(house)
    except ByleaveError as failed:
        return Said("unknown", str(failed))


def _settings(settings: Settings) -> Said:
    if settings.https and settings.rate_per_address and not settings.proxy_hops:
        why = "whatever ends TLS stands before the service, and people count as one address, which is limited"
        return Said("attention", f"{why}: say with BYLEAVE_PROXY_HOPS how many proxies add to X-Forwarded-For")
    if settings.environment == "production":
        return Said("ok", f"production, at {settings.base_url}")
    return Said("ok", f"development, at {settings.base_url}; BYLEAVE_ENVIRONMENT=production asks for more")


def _home(home: Path) -> Said:
    if not home.is_dir():
        return Said("ok", f"{home} is not there, and nothing lies in it")
    mode = stat.S_IMODE(home.stat().st_mode)
    if mode & _OTHERS:
        return Said("attention", f"others can look into {home} (mode {mode:04o}): chmod 700 {home}")
    return Said("ok", f"{home}, open to its owner alone")


def _database(house: House) -> Said:
    current, newest = schema.current(house.deployment.store), schema.newest()
    if current == newest:
        return Said("ok", f"{house.deployment.store.dialect} answers, its schema is at {newest}")
    return Said("attention", f"the schema is at {current or 'nothing'}, the newest is {newest}: byleave db upgrade")


def _version(house: House) -> Said:
    if house.deployment.store.dialect != "sqlite":
        return Said("ok", "PostgreSQL decides when a commit is on disk")
    if wal_is_safe():
        return Said("ok", "SQLite with a write-ahead log")
    return Said("ok", "this SQLite can lose a write-ahead log (fixed in 3.51.3): a rollback journal is used instead")


def _triggers(house: House) -> Said:
    bare = schema.unguarded(house.deployment.store)
    if bare:
        return Said("attention", f"{', '.join(bare)} can be changed: their triggers are gone; verify the ledger")
    return Said("ok", "what is insert-only refuses changes")


def _clock(house: House) -> Said:
    at = house.deployment.clock()
    with house.deployment.store.read() as work:
        newest = log.head(work)
    behind = newest.last_at - to_ms(at)
    if behind > CLOCK_TOLERANCE_MS:
        why = f"the clock is {behind / 1000:,.0f} s behind the ledger's last entry ({rfc3339(from_ms(newest.last_at))})"
        return Said("attention", f"{why}: nothing is recorded until it has caught up")
    return Said("ok", f"{rfc3339(at)}, not behind the ledger")


def _ledger(house: House) -> Said:
    with house.deployment.store.read() as work:
        newest = log.head(work)
        signed = proving.newest_checkpoint(work)
    covered = int(signed.split("\n")[1]) if signed else 0
    state = f"{newest.origin}, {counted(newest.size, 'entry', 'entries')}, catalogue version {newest.catalogue_version}"
    if covered < newest.size:
        waiting = newest.size - covered
        return Said("ok", f"{state}; {waiting:,} await a checkpoint, which the worker signs")
    return Said("ok", f"{state}, all under a signed checkpoint")


def _witness(house: House) -> Said:
    with house.deployment.store.read() as work:
        state = cosigning.standing(work)
    if state.alarms:
        return Said("attention", f"{state.alarms[0].why}: byleave ledger alarms")
    if house.settings.witness is None:
        wanted: Mark = "attention" if house.settings.environment == "production" else "ok"
        why = "none is asked, so nobody would notice an older ledger in this one's place"
        return Said(wanted, f"{why}; BYLEAVE_WITNESS_URL and BYLEAVE_WITNESS_KEY name one")
    name, signed = house.settings.witness.key.name, counted(state.signed, "signed entry", "signed entries")
    if state.cosigned < state.signed:
        return Said("ok", f"{name} cosigned {state.cosigned:,} of {signed}")
    return Said("ok", f"{name} cosigned all {signed}")


_START: Final = "start one with byleave worker, or with the service by byleave serve --with-worker"


def _worker(house: House) -> Said:
    at = house.deployment.clock()
    with house.deployment.store.read() as work:
        last = jobs.last_beat(work, HEARTBEAT)
    if last is None:
        return Said("attention", f"none has ever worked here: {_START}")
    if at - last > _DEAD_AFTER:
        return Said("attention", f"its last sign of life was at {rfc3339(last)}: {_START}")
    return Said("ok", f"alive at {rfc3339(last)}")


def _audits(house: House) -> Said:
    at = house.deployment.clock()
    with house.deployment.store.read() as work:
        overdue = [
            each for each in alarms.signs(work, at=at, heartbeat=HEARTBEAT) if each.kind == Alarming.AUDIT_OVERDUE
        ]
        last = next((each for each in reading.newest(work, at=at) if each.ended_at), None)
        waiting = sum(counted for (state, _), counted in life.counts(work, at=at).items() if state in _WAITING)
    if overdue:
        return Said("attention", overdue[0].detail)
    if last is None:
        return Said("ok", "none has ended yet, and none is overdue")
    if last.status != Status.PASSED:
        return Said("attention", f"the last one ended as {last.status}: byleave audit show; byleave finding list")
    if waiting:
        return Said("attention", f"{counted(waiting, 'finding is', 'findings are')} open: byleave finding list")
    return Said("ok", f"the last one passed at {rfc3339(last.started_at)}, no finding is open")


def _keys(house: House) -> Said:
    with house.deployment.store.read() as work:
        state = rekeying.state(house.deployment.desk, work)
    if state.unknown:
        lost = sum(state.in_use[version] for version in state.unknown)
        return Said(
            "attention",
            f"{counted(lost, 'data key is', 'data keys are')} wrapped by a version that is gone: nobody can open them",
        )
    if state.outdated:
        old = counted(state.outdated, "data key is", "data keys are")
        return Said("attention", f"{old} wrapped by an older version: byleave vault rotate")
    return Said("ok", f"version {state.versions[-1]} wraps {counted(sum(state.in_use.values()), 'data key')}")


def _erasures(house: House) -> Said:
    deployment = house.deployment
    erasing.check(house)
    with deployment.store.read() as work:
        since = waiting_since(work)
    if since is not None and deployment.clock() - since > _PROVED_WITHIN:
        why = f"an erasure of {rfc3339(since)} is not proved yet"
        return Said("attention", f"{why}: the worker proves it, or logs where something is left")
    return Said("ok", f"{deployment.erasures.path} and the database agree; none waits for its proof")


def _horizon(house: House) -> Said:
    horizon = house.deployment.horizon
    if horizon.too_far:
        return Said("attention", f"{horizon.too_far}: keep backups for less (BYLEAVE_BACKUP_RETENTION_DAYS)")
    return Said("ok", horizon.text)


def _four_eyes(house: House) -> Said:
    if house.settings.demands_four_eyes:
        return Said("ok", "whoever published a campaign can't approve it: a second person does")
    why = "one person can publish and start a campaign, and the ledger says so: BYLEAVE_FOUR_EYES=true demands a second"
    return Said("ok", why)


def _contact_policy(house: House) -> Said:
    with house.deployment.store.read() as work:
        version = shelf.newest_contact_policy(work)
    if version:
        return Said("ok", f"version {version} of the contact policy holds over all campaigns")
    why = "no contact policy is published, so no caps, quiet hours or goodwill hold over all campaigns"
    return Said("ok", f"{why}: byleave contact-policy draft writes one to start from")


def _rights(house: House) -> Said:
    """Look what the service could do in the database: an owner could change the ledger."""
    more = grants.excess(house.deployment.store)
    if house.deployment.store.dialect == "sqlite":
        return Said("ok", "SQLite has no roles: whoever can write its file can change it, and an audit finds out")
    if not more:
        return Said("ok", "the database lets the service do what it needs, and no more")
    wanted: Mark = "attention" if house.settings.environment == "production" else "ok"
    return Said(wanted, f"the service could do more than it needs ({more[0]}, …): byleave db roles --print")


_LOOKS: Final[tuple[tuple[str, Callable[[House], Said]], ...]] = (
    ("database", _database),
    ("storage", _version),
    ("triggers", _triggers),
    ("clock", _clock),
    ("ledger", _ledger),
    ("witness", _witness),
    ("worker", _worker),
    ("audits", _audits),
    ("keys", _keys),
    ("erasures", _erasures),
    ("horizon", _horizon),
    ("approvals", _four_eyes),
    ("contacts", _contact_policy),
    ("rights", _rights),
)
