"""Start, pause, resume and stop what was approved, and write down how it ended.

A run has states of its own (`personalise.runs.run`); here each change of one is noted in the same transaction, so that
the campaign's state and the run's can't differ. Locks are taken in one order: the campaign or the run, then the ledger.
"""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Final

from consent.base.errors import RunUnknown, StateConflict
from consent.base.ids import RunId
from consent.base.store import Work
from consent.deployment import Deployment
from personalise.life import approving, events
from personalise.life.events import Did, Event, Published, Standing, State
from personalise.runs import run as runs
from personalise.runs.dry_run import CHUNK, Progress
from personalise.runs.run import Engine, Noting, Run

_DID: Final = {
    runs.RUNNING: Did.RESUMED,
    runs.PAUSED: Did.PAUSED,
    runs.STOPPED: Did.STOPPED,
    runs.FINISHED: Did.FINISHED,
}


class Came(StrEnum):
    """What came of a start that was due."""

    STARTED = "started"
    LAPSED = "lapsed"
    """Its approval does not hold any more."""
    WAITS = "waits"
    """Another run of the campaign is under way."""
    GONE = "gone"
    """It was stopped, started or scheduled anew meanwhile."""


Closing = Callable[[Work, Came], None]


def start(
    deployment: Deployment, key: str, *, actor: str, four_eyes: bool, tag: str | None = None, again: bool = False
) -> RunId:
    """Start a run of the newest version; `advance` carries it out.

    Where no second person is demanded, whoever starts a version that isn't approved approves it by that.

    Args:
        deployment: where.
        key: the campaign's.
        actor: who starts it.
        four_eyes: whether a second person has to have approved it.
        tag: the entity tag of what he has looked at, if he gives one.
        again: that it was stopped is known, and it is to start all the same.

    Raises:
        CampaignUnknown: no campaign by that key.
        CampaignUnready: it breaks rules that bind; every place is named.
        StateConflict: it is not approved, or something of it is scheduled or under way, or it was stopped.
        VersionMoved: something has become of it since it had that tag.
    """
    desk, at = deployment.desk, deployment.clock()
    with deployment.store.write() as work:
        stands = approving.locked(work, key, tag)
        approving.idle(stands, but=(State.SCHEDULED,))
        approving.unstopped(stands, again=again)
        approving.require(desk, work, stands.published, stands.approval, actor=actor, four_eyes=four_eyes, at=at)
        return _opened(deployment, work, stands.published, actor=actor, four_eyes=four_eyes, at=at)


def start_due(deployment: Deployment, scheduled: Event, *, four_eyes: bool, closing: Closing) -> Came:
    """Start a version whose time has come, in the name of who scheduled it.

    Args:
        deployment: where.
        scheduled: the event, as `events.due` gave it.
        four_eyes: whether a second person has to have approved it.
        closing: called with what came of it, in the transaction that starts it: a slot that is no longer the caller's
            is refused there, and nothing is started.
    """
    desk, at = deployment.desk, deployment.clock()
    with deployment.store.write() as work:
        stands = approving.locked(work, scheduled.campaign)
        live = stands.live
        if live is None or live.position != scheduled.position:
            came = Came.GONE
        elif runs.going(work, scheduled.campaign):
            came = Came.WAITS
        else:
            version = events.published(work, scheduled.campaign, scheduled.version)
            given = stands.approval_of(scheduled.version)
            if approving.holds(desk, work, given, four_eyes=four_eyes):
                came = Came.STARTED
                _opened(deployment, work, version, actor=scheduled.actor, four_eyes=four_eyes, at=at)
            else:
                came = Came.LAPSED
                _lapse(deployment, work, version, scheduled, four_eyes=four_eyes, at=at)
        closing(work, came)
    return came


def _lapse(
    deployment: Deployment, work: Work, version: Published, scheduled: Event, *, four_eyes: bool, at: datetime
) -> None:
    lapsed = Event(
        campaign=version.campaign, version=version.version, did=Did.LAPSED, at=at, actor=scheduled.actor,
        reason="its approval does not hold any more", due_at=scheduled.due_at,
        catalogue=deployment.desk.catalogues.current(work).version, four_eyes=four_eyes, publisher=version.by,
    )  # fmt: skip
    events.note(deployment.desk, work, lapsed, version.digest)


def _opened(
    deployment: Deployment, work: Work, version: Published, *, actor: str, four_eyes: bool, at: datetime
) -> RunId:
    run = runs.opened(deployment, work, version.campaign, actor=actor, at=at, version=version.version)
    started = Event(
        campaign=version.campaign, version=version.version, did=Did.STARTED, at=at, actor=actor, run=run,
        catalogue=deployment.desk.catalogues.current(work).version, four_eyes=four_eyes, publisher=version.by,
    )  # fmt: skip
    events.note(deployment.desk, work, started, version.digest)
    return run


def advance(
    deployment: Deployment,
    run: RunId,
    *,
    engine: Engine = runs.advance,
    progress: Progress | None = None,
    most: int = CHUNK,
) -> Run:
    """Carry a run on until it is finished, paused or stopped, in one process or by another engine, and note its end."""
    return engine(deployment, run, progress=progress, most=most, noting=_noting(deployment))


def change(
    deployment: Deployment, run: RunId, state: str, *, actor: str, reason: str = "", tag: str | None = None
) -> Run:
    """Pause, resume or stop a run; it takes effect before the next chunk.

    Raises:
        RunUnknown: no run by that id.
        StateConflict: it can't go from its state to that one.
        VersionMoved: something has become of its campaign since it had that tag.
    """
    return runs.change(deployment, run, state, noting=_noting(deployment, actor=actor, reason=reason, tag=tag))


def pause(deployment: Deployment, key: str, *, actor: str, tag: str | None = None) -> Run | None:
    """Pause a campaign: the run that is under way, live decisions, all that waits to be sent or to be decided again.

    Returns:
        The run; None where none is under way: what finished ones reserved waits from now on, and so does whoever asks.

    Raises:
        CampaignUnknown: no campaign by that key.
        RunUnknown: it was stopped, and nothing waits.
        StateConflict: it is scheduled, or paused already.
        VersionMoved: something has become of it since it had that tag.
    """
    return _change(deployment, key, Did.PAUSED, actor=actor, tag=tag)


def resume(deployment: Deployment, key: str, *, actor: str, tag: str | None = None) -> Run | None:
    """Let a paused campaign go on, as `pause` had it wait.

    Raises:
        CampaignUnknown, RunUnknown, VersionMoved: as for `pause`.
        StateConflict: it is not paused.
    """
    return _change(deployment, key, Did.RESUMED, actor=actor, tag=tag)


def stop(deployment: Deployment, key: str, *, actor: str, reason: str = "", tag: str | None = None) -> Run | None:
    """Stop a campaign for good: its run, or else live decisions by all versions so far; or call off what is scheduled.

    All that waits is over.

    Returns:
        The run; None where none was under way.

    Raises:
        CampaignUnknown: no campaign by that key.
        RunUnknown: it was stopped before, and nothing waits.
        VersionMoved: something has become of it since it had that tag.
    """
    return _change(deployment, key, Did.STOPPED, actor=actor, reason=reason, tag=tag)


def _change(
    deployment: Deployment, key: str, did: Did, *, actor: str, reason: str = "", tag: str | None = None
) -> Run | None:
    state = next(state for state, each in _DID.items() if each is did)
    while True:
        with deployment.store.read() as work:
            events.published(work, key)
            run = runs.going(work, key)
        if run is not None:
            return change(deployment, run, state, actor=actor, reason=reason, tag=tag)
        at = deployment.clock()
        with deployment.store.write() as work:
            stands = approving.locked(work, key, tag)
            if runs.going(work, key):
                continue  # it was started between the two looks
            for number in _between_runs(stands, did):
                version, last = events.published(work, key, number), stands.last_of(number)
                catalogue = last.catalogue if last else deployment.desk.catalogues.current(work).version
                changed = Event(
                    campaign=key, version=number, did=did, at=at, actor=actor, reason=reason, catalogue=catalogue,
                    four_eyes=bool(last and last.four_eyes), publisher=version.by, back=stands.before_pause(number),
                )  # fmt: skip
                events.note(deployment.desk, work, changed, version.digest)
        return None


def _between_runs(stands: Standing, did: Did) -> list[int]:
    """Return the versions that are changed where no run is under way.

    A pause holds the whole campaign up, whichever version it is of. A stop is of the newest, and thereby of those
    before it; a start is called off alone.

    Raises:
        RunUnknown: it was stopped before.
        StateConflict: not as it stands.
    """
    last, newest = stands.live or stands.ended, stands.version
    number, state = (last.version, last.state) if last else (newest, stands.state)
    if did is Did.STOPPED and state is not State.SCHEDULED:
        paused = {number} if state is State.PAUSED else set()
        found = sorted(paused if stands.halts.ended(newest) else paused | {newest})
        if not found:
            raise RunUnknown(_STOPPED.format(newest, stands.key))
        return found
    if last is None and stands.halts.ended(newest):
        raise RunUnknown(_STOPPED.format(newest, stands.key))
    called, goes_on = state is State.SCHEDULED, did is Did.RESUMED
    if did is Did.STOPPED or (goes_on == (state is State.PAUSED) and not called):
        return [number]
    otherwise = ": call that off first" if called else ""
    raise StateConflict(f"version {number} of {stands.key} is {state}, and can't be {did}{otherwise}")


_STOPPED: Final = "version {} of {} was stopped, and nothing of it is under way or waits"


def _noting(deployment: Deployment, *, actor: str = "", reason: str = "", tag: str | None = None) -> Noting:
    """Return what notes a change of a run; whoever had it started is who it ends for."""

    def noting(work: Work, now: Run, at: datetime) -> None:
        if tag is not None:
            approving.same(events.standing(work, now.campaign), tag)
        version = events.published(work, now.campaign, now.version)
        started = events.of_run(work, now.id)
        changed = Event(
            campaign=now.campaign, version=now.version, did=_DID[now.state], at=at, actor=actor or now.asked_by,
            reason=reason, run=now.id, catalogue=now.catalogue, four_eyes=bool(started and started.four_eyes),
            publisher=version.by,
        )  # fmt: skip
        events.note(deployment.desk, work, changed, version.digest)

    return noting
