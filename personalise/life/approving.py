"""Publish, check, approve and schedule a version: what has to be right before anybody is addressed.

Where four eyes are demanded, whoever published a version can't approve it, and more rules bind. Where they aren't, who
starts a version approves it by that, and the ledger says that one person did both.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from consent.base.clock import from_ms, rfc3339, to_ms
from consent.base.errors import (
    CampaignInvalid,
    CampaignUnready,
    NotAllowed,
    Place,
    RequestUnfit,
    StateConflict,
    VersionMoved,
)
from consent.base.store import Work
from consent.deployment import Deployment
from consent.register import households
from consent.register.desk import Desk
from personalise import shelf
from personalise.campaigns import approval
from personalise.campaigns.judging import Advice, Case
from personalise.campaigns.model import Campaign
from personalise.life import deciding, events
from personalise.life.events import Did, Event, Published, Standing, State
from personalise.runs import dry_run

LONGEST_REASON: Final = 500
_ANOTHER: Final = (
    "whoever published a version can't approve it: ask somebody else, who at the shell uses another account of the "
    "machine, or else signs in, or has a key, as an approver"
)
_AHEAD: Final = timedelta(days=366)
_SETTLED: Final = (State.DRAFT, State.CHECKED, State.APPROVED, State.FINISHED, State.STOPPED)
"""The states in which a version can be approved: nothing is under way with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A version and the advice about it."""

    version: int
    catalogue: int
    advice: tuple[Advice, ...]

    @property
    def musts(self) -> tuple[Advice, ...]:
        """What has to be put right before it can be approved."""
        return tuple(each for each in self.advice if each.must)

    @property
    def ok(self) -> bool:
        """Whether nothing stands against an approval."""
        return not self.musts


def publish(desk: Desk, work: Work, campaign: Campaign, *, actor: str, four_eyes: bool, at: datetime) -> int:
    """Publish a campaign's next version, as a draft; a version that is scheduled or running goes on.

    Raises:
        CampaignInvalid: it holds out other customers than the version that is scheduled, under way, or decides live.
        StateConflict: the newest version has exactly the same bytes.
    """
    shelf.lock(work, campaign.key)
    _same_holdout(desk, work, campaign)
    version = shelf.publish(work, campaign, actor=actor, at=at)
    new = events.published(work, campaign.key, version)
    _note(desk, work, new, Did.PUBLISHED, actor=actor, four_eyes=four_eyes, at=at)
    return version


def _same_holdout(desk: Desk, work: Work, campaign: Campaign) -> None:
    """Refuse another share or salt while a version is live: who is held out by one would be addressed by the other.

    It is live, too, where it decides about whoever asks, and has done so since it was last stopped.
    """
    if not shelf.newest(work, campaign.key):
        return
    stands = events.standing(work, campaign.key)
    live, made = stands.live, deciding.last(work, stands)
    if live is not None:
        version, catalogue, how = live.version, live.catalogue, f"is {live.state}: end or stop it first"
    elif made is not None:
        version, catalogue = made.about["version"], made.about["read_under"]
        how = "decides about whoever asks: stop it first"
    else:
        return
    before, _ = shelf.load(work, campaign.key, desk.catalogues.version(work, catalogue), version=version)
    why = f"can't change while version {version} {how}"
    names = [name for name in ("share", "salt") if getattr(before.holdout, name) != getattr(campaign.holdout, name)]
    if names:
        raise CampaignInvalid(places=[Place(f"campaign.holdout.{name}", why) for name in names])


def judged(desk: Desk, work: Work, key: str, *, four_eyes: bool, at: datetime, version: int = 0) -> Judged:
    """Judge a version (0: the newest) under the catalogue in force, with its last dry run.

    Raises:
        CampaignUnknown: no campaign by that key, or no such version.
        CampaignInvalid: the catalogue has changed, so that it no longer holds.
    """
    catalogue = desk.catalogues.current(work)
    campaign, number = shelf.load(work, key, catalogue, version=version)
    return judged_file(desk, work, campaign, four_eyes=four_eyes, at=at, version=number)


def judged_file(
    desk: Desk, work: Work, campaign: Campaign, *, four_eyes: bool, at: datetime, version: int | None = None
) -> Judged:
    """Judge a campaign as its file stands; where it is the newest version, with that version's dry run."""
    catalogue = desk.catalogues.current(work)
    number = _same(work, campaign) if version is None else version
    case = Case(
        campaign=campaign,
        catalogue=catalogue,
        at=at,
        version=number,
        foreseen=dry_run.foreseen(work, campaign.key, number) if number else None,
        contact_policy=shelf.load_contact_policy(work, catalogue),
        households=households.known(work),
    )
    advice = approval.advise(case, four_eyes=four_eyes)
    if not number:  # a file can't have been tried out: that is for later
        advice = tuple(replace(each, must=each.must and each.rule != "dry_run") for each in advice)
    return Judged(version=number, catalogue=catalogue.version, advice=advice)


def _same(work: Work, campaign: Campaign) -> int:
    """Return the number of the newest version where it has exactly these bytes, and says the same; otherwise 0."""
    if not shelf.newest(work, campaign.key):
        return 0
    newest = events.published(work, campaign.key)
    return newest.version if newest.digest == campaign.digest else 0


def check(deployment: Deployment, key: str, *, actor: str, four_eyes: bool, tag: str | None = None) -> Judged:
    """Judge the newest version; a draft against which nothing stands is checked from then on.

    Raises:
        CampaignUnknown: no campaign by that key.
        CampaignInvalid: the catalogue has changed, so that it no longer holds.
        VersionMoved: something has become of it since it had that tag.
    """
    desk, at = deployment.desk, deployment.clock()
    with deployment.store.write() as work:
        stands = locked(work, key, tag)
        found = judged(desk, work, key, four_eyes=four_eyes, at=at)
        if found.ok and stands.state == State.DRAFT:
            _note(desk, work, stands.published, Did.CHECKED, actor=actor, four_eyes=four_eyes, at=at)
    return found


def approve(
    deployment: Deployment, key: str, *, actor: str, four_eyes: bool, tag: str | None = None, version: int = 0
) -> Standing:
    """Approve the newest version under the catalogue in force.

    Args:
        deployment: where.
        key: the campaign's.
        actor: who approves.
        four_eyes: whether it has to be somebody else than who published it.
        tag: the entity tag of what he has looked at, if he gives one.
        version: the version that he has looked at, if he says so.

    Raises:
        CampaignUnknown: no campaign by that key.
        CampaignUnready: it breaks rules that bind; every place is named.
        NotAllowed: he published it himself.
        StateConflict: it is approved already, or under way.
        VersionMoved: something has become of it since.
    """
    desk, at = deployment.desk, deployment.clock()
    with deployment.store.write() as work:
        stands = locked(work, key, tag)
        if version and version != stands.version:
            msg = f"version {stands.version} of {key} is the newest, not version {version}"
            raise VersionMoved(msg)
        if stands.state not in _SETTLED:
            msg = f"version {stands.version} of {key} is {stands.state}"
            raise StateConflict(msg)
        if holds(desk, work, stands.approval, four_eyes=four_eyes):
            msg = f"version {stands.version} of {key} is approved already"
            raise StateConflict(msg)
        _approve(desk, work, stands.published, actor=actor, four_eyes=four_eyes, at=at)
        return events.standing(work, key)


def schedule(
    deployment: Deployment,
    key: str,
    *,
    due_at: datetime,
    actor: str,
    four_eyes: bool,
    tag: str | None = None,
    again: bool = False,
) -> Standing:
    """Have the worker start the newest version at a time; one that was stopped only where `again` says so.

    Raises:
        CampaignUnknown: no campaign by that key.
        CampaignUnready, NotAllowed: as `require` says.
        RequestUnfit: that time is over, or more than a year away.
        StateConflict: it is not approved or was stopped, or another version is scheduled or under way.
        VersionMoved: something has become of it since.
    """
    desk, at = deployment.desk, deployment.clock()
    if not at < due_at <= at + _AHEAD:
        raise RequestUnfit(places=[Place("/at", f"must be after {rfc3339(at)}, and within a year")])
    with deployment.store.write() as work:
        stands = locked(work, key, tag)
        idle(stands, but=(State.SCHEDULED,))
        unstopped(stands, again=again)
        require(desk, work, stands.published, stands.approval, actor=actor, four_eyes=four_eyes, at=at)
        due = from_ms(to_ms(due_at))
        _note(desk, work, stands.published, Did.SCHEDULED, actor=actor, four_eyes=four_eyes, at=at, due_at=due)
        return events.standing(work, key)


def locked(work: Work, key: str, tag: str | None = None) -> Standing:
    """Return how a campaign stands; until the transaction ends, no version of it is published, approved or started.

    Raises:
        CampaignUnknown: no campaign by that key.
        VersionMoved: it has another tag than the one given.
    """
    shelf.lock(work, key)
    stands = events.standing(work, key)
    same(stands, tag)
    return stands


def same(stands: Standing, tag: str | None) -> None:
    """Refuse a tag of yesterday.

    Raises:
        VersionMoved: the campaign has another one by now.
    """
    if tag is not None and tag != stands.tag:
        raise VersionMoved("something has become of this campaign since you looked: look again")


def idle(stands: Standing, *, but: tuple[State, ...] = ()) -> None:
    """Refuse where some version is scheduled or under way; the newest one may be in a state of `but`.

    Raises:
        StateConflict: naming it.
    """
    live = stands.live
    if live is None or (live.version == stands.version and live.state in but):
        return
    what = f"run {live.run}" if live.run else f"version {live.version}"
    otherwise = "resume it, or stop it" if live.state is State.PAUSED else "stop it first, or let it end"
    msg = f"{what} of {stands.key} is {live.state}: {otherwise}"
    raise StateConflict(msg)


def unstopped(stands: Standing, *, again: bool) -> None:
    """Refuse where the newest version was stopped, unless whoever asks says that it is to start again.

    Raises:
        StateConflict: naming when and why it was stopped, and what can be done.
    """
    known = again or stands.state is State.SCHEDULED  # then it was said when it was scheduled
    if known or not stands.halts.ended(stands.version):
        return
    stops = {each.position for each in stands.halts.stops}
    key, last = stands.key, next((each for each in reversed(stands.events) if each.position in stops), None)
    when = f" on {rfc3339(last.at)}" if last else ""
    why = f" ({last.reason})" if last and last.reason else ""
    msg = (
        f"version {stands.version} of {key} was stopped{when}{why}: publish a new version, or have this one start "
        f'again with `byleave campaign run {key} --again`, over HTTP with `"again": true`'
    )
    raise StateConflict(msg)


def holds(desk: Desk, work: Work, given: Event | None, *, four_eyes: bool) -> bool:
    """Say whether an approval still counts: the catalogue is the same, and it was a second person's if need be."""
    if given is None or given.catalogue != desk.catalogues.current(work).version:
        return False
    return given.by_another or not four_eyes


def in_force(desk: Desk, work: Work, key: str, *, four_eyes: bool) -> int:
    """Return the version that live decisions go by: the newest that breaks no rule that binds.

    Where a second person is demanded, that is the newest that was approved.

    Raises:
        CampaignUnknown: no campaign by that key.
        CampaignInvalid: the catalogue has changed, so that the newest version no longer holds.
        CampaignUnready: every version that still holds breaks such a rule; the places of the newest are named.
        StateConflict: no version of it is approved.
    """
    stands = events.standing(work, key)
    for version in range(stands.version, 0, -1):
        given = stands.approval_of(version)
        if holds(desk, work, given, four_eyes=True) if four_eyes else _fits(desk, work, key, version):
            return version
    if not four_eyes:
        catalogue = desk.catalogues.current(work)
        newest, number = shelf.load(work, key, catalogue)
        raise _unready(key, number, approval.broken(newest, catalogue))
    msg = f"no version of {key} is approved: somebody else approves one with `byleave campaign approve {key}`"
    raise StateConflict(msg)


def _fits(desk: Desk, work: Work, key: str, version: int) -> bool:
    """Say whether a version holds under the catalogue in force, and breaks no rule that binds."""
    catalogue = desk.catalogues.current(work)
    try:
        campaign, _ = shelf.load(work, key, catalogue, version=version)
    except CampaignInvalid:
        return False
    return not approval.broken(campaign, catalogue)


def _unready(key: str, version: int, musts: Sequence[Advice]) -> CampaignUnready:
    places = [Place(each.where or each.rule, f"{each.what} {each.do}") for each in musts]
    return CampaignUnready(f"version {version} of {key} can't be approved as it is", places=places)


def require(
    desk: Desk, work: Work, version: Published, given: Event | None, *, actor: str, four_eyes: bool, at: datetime
) -> None:
    """See to it that a version is approved: where no second person is demanded, whoever asks approves it by that.

    Raises:
        CampaignUnready: it breaks rules that bind; every place is named.
        StateConflict: a second person has to approve it first.
    """
    if holds(desk, work, given, four_eyes=four_eyes):
        return
    if four_eyes:
        name = f"version {version.version} of {version.campaign}"
        why = "is not approved" if given is None else "was approved under another catalogue, or by who published it"
        msg = f"{name} {why}: somebody else approves it with `byleave campaign approve {version.campaign}`"
        raise StateConflict(msg)
    _approve(desk, work, version, actor=actor, four_eyes=False, at=at)


def _approve(desk: Desk, work: Work, version: Published, *, actor: str, four_eyes: bool, at: datetime) -> None:
    if four_eyes and actor == version.by:
        raise NotAllowed(_ANOTHER)
    found = judged(desk, work, version.campaign, four_eyes=four_eyes, at=at, version=version.version)
    if not found.ok:
        raise _unready(version.campaign, version.version, found.musts)
    rules = approval.binding(four_eyes=four_eyes)
    _note(desk, work, version, Did.APPROVED, actor=actor, four_eyes=four_eyes, at=at, rules=rules)


def _note(  # noqa: PLR0913 -- what an event says
    desk: Desk,
    work: Work,
    version: Published,
    did: Did,
    *,
    actor: str,
    four_eyes: bool,
    at: datetime,
    due_at: datetime | None = None,
    rules: tuple[str, ...] = (),
) -> None:
    event = Event(
        campaign=version.campaign, version=version.version, did=did, at=at, actor=actor, due_at=due_at,
        catalogue=desk.catalogues.current(work).version, four_eyes=four_eyes, publisher=version.by, rules=rules,
    )  # fmt: skip
    events.note(desk, work, event, version.digest)
