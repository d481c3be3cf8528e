"""PURE: the life of a campaign in words: how it stands, what the check advises, what can be done, what has become."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from api.pages import present
from personalise.campaigns.judging import Advice
from personalise.life.events import Did, Event, Standing, State

_STATES: Final = {
    State.DRAFT: ("unasked", "Draft"),
    State.CHECKED: ("needed", "Checked, not approved"),
    State.APPROVED: ("passed", "Approved"),
    State.SCHEDULED: ("pending", "Scheduled"),
    State.RUNNING: ("running", "Running"),
    State.PAUSED: ("paused", "Paused"),
    State.FINISHED: ("finished", "Finished"),
    State.STOPPED: ("stopped", "Stopped"),
}
_DID: Final = {
    Did.PUBLISHED: "published",
    Did.CHECKED: "checked: nothing stands against an approval",
    Did.APPROVED: "approved",
    Did.SCHEDULED: "scheduled for",
    Did.LAPSED: "not started when its time had come",
    Did.STARTED: "started",
    Did.PAUSED: "paused",
    Did.RESUMED: "resumed",
    Did.FINISHED: "ended",
    Did.STOPPED: "stopped",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One thing to put right, or to think about."""

    binds: str
    what: str
    where: str
    do: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the history."""

    when: str
    what: str
    by: str
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class May:
    """What whoever asks may do, apart from how the campaign stands."""

    check: bool
    approve: bool
    run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """The life of a campaign as its page shows it."""

    version: int
    tag: str
    state: str
    state_name: str
    live: str
    finding: str
    advice: tuple[tuple[str, tuple[Point, ...]], ...]
    history: tuple[Step, ...]
    why_not: str
    """Why whoever asks can't approve it, where he otherwise could."""
    can_check: bool
    can_approve: bool
    can_schedule: bool
    can_cancel: bool
    can_start: bool
    stopped: bool
    """It was stopped: it starts again only if whoever starts it says so."""
    waiting: str
    """What can be paused, resumed or stopped though no run is under way; "" where nothing can, or a run is."""
    can_pause: bool
    can_resume: bool


def launch(
    stands: Standing, advice: Sequence[Advice], *, may: May, who: str, approved: bool, four_eyes: bool
) -> Launch:
    """Return the life of a campaign.

    Args:
        stands: how it stands.
        advice: about its newest version.
        may: what whoever asks may do.
        who: whoever asks.
        approved: the newest version's approval holds.
        four_eyes: whether a second person has to approve it.
    """
    live, version, state = stands.live, stands.version, stands.state
    fit, decides = not any(each.must for each in advice), _decides(stands, four_eyes=four_eyes)
    startable = live is None and (approved or (fit and not four_eyes))
    (key, name), own = _STATES[state], four_eyes and who == stands.published.by
    return Launch(
        version=version,
        tag=stands.tag,
        state=key,
        state_name=f"Version {version}: {name}",
        live=_live(live, version),
        finding=_finding(advice),
        advice=tuple(
            (str(heading), tuple(_point(each) for each in several))
            for heading, several in groupby(advice, key=lambda each: each.heading)
        ),
        history=tuple(_step(each) for each in reversed(stands.events)),
        why_not="You published this version, so somebody else approves it." if own and may.approve else "",
        can_check=may.check and state == State.DRAFT,
        can_approve=may.approve and fit and not own and not approved and live is None,
        can_schedule=may.run and startable,
        can_cancel=may.run and live is not None and live.state == State.SCHEDULED,
        can_start=startable or (live is not None and live.state == State.SCHEDULED and live.version == version),
        stopped=stands.halts.ended(version),
        waiting=_waiting(stands, decides=decides and (approved or not four_eyes)),
        can_pause=may.run and live is None and (decides or stands.ended is not None),
        can_resume=may.run and live is not None and live.state == State.PAUSED and not live.run,
    )


def _decides(stands: Standing, *, four_eyes: bool) -> bool:
    """Say whether programs that ask for a decision may get one, by whichever version."""
    approved = any(each.did == Did.APPROVED for each in stands.events)
    return not stands.halts.ended(stands.version) and (approved or not four_eyes)


def _waiting(stands: Standing, *, decides: bool) -> str:
    live, ended = stands.live, stands.ended
    if live is not None and live.state == State.PAUSED and not live.run:
        return "It waits: nobody is decided about, and nothing that it has reserved is sent."
    if live is None and ended is not None:
        return (
            f"A run of version {ended.version} has finished; what it reserved is sent until its time to live is over."
        )
    return "No run is under way. Programs that ask for a decision get one." if live is None and decides else ""


def _live(live: Event | None, version: int) -> str:
    if live is None or (live.version == version and live.state != State.SCHEDULED):
        return ""
    when = f" for {present.moment(live.due_at)}" if live.due_at else ""
    return f"Version {live.version} is {live.state}{when}."


def _finding(advice: Sequence[Advice]) -> str:
    """Return what stands in the way of an approval, and how much there is to think about beside.

    >>> _finding(())
    'It keeps every rule of the check.'
    """
    musts = sum(each.must for each in advice)
    rest = len(advice) - musts
    if not advice:
        return "It keeps every rule of the check."
    first = f"{present.counted(musts, 'thing has', 'things have')} to be put right before it can be approved"
    if not musts:
        first = "Nothing stands against an approval"
    return f"{first}; {present.counted(rest, 'piece', 'pieces')} of advice beside." if rest else f"{first}."


def _point(each: Advice) -> Point:
    return Point(binds="Must" if each.must else "Should", what=each.what, where=each.where, do=each.do)


def _step(each: Event) -> Step:
    due = f" {present.moment(each.due_at)}" if each.did == Did.SCHEDULED and each.due_at else ""
    alone = " (no second person was demanded)" if each.did == Did.APPROVED and not each.four_eyes else ""
    why = f": {each.reason}" if each.reason else ""
    return Step(
        when=present.moment(each.at),
        what=f"Version {each.version} {_DID[each.did]}{due}{alone}{why}",
        by=each.actor,
        run=each.run,
    )
