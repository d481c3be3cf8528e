"""What became of each version of a campaign: events, insert-only, each an entry of the ledger; its state follows.

A version is never changed, so what was approved is what is run. Of a run itself `personalise.runs` knows how it stands;
here stands who let it happen, and what was demanded of him then.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from consent.base.canonical import b64u
from consent.base.clock import rfc3339
from consent.base.database import table_of
from consent.base.store import Work
from consent.ledger.entry import Kind
from consent.ledger.position import position
from consent.register import publishing
from consent.register.desk import Desk
from personalise import halts, shelf
from personalise.halts import Halts, Step
from personalise.tables import CampaignEventRow, CampaignVersionRow

_row: Final = table_of(CampaignEventRow)
_version: Final = CampaignVersionRow


class State(StrEnum):
    """How a version stands."""

    DRAFT = "draft"
    CHECKED = "checked"
    APPROVED = "approved"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    STOPPED = "stopped"


LIVE: Final = (State.SCHEDULED, State.RUNNING, State.PAUSED)
"""The states of which one version of a campaign at a time can be in one."""


class Did(StrEnum):
    """What somebody, or the clock, did."""

    PUBLISHED = "published"
    CHECKED = "checked"
    APPROVED = "approved"
    SCHEDULED = "scheduled"
    LAPSED = "lapsed"
    """Its time had come, and the approval did not hold any more."""
    STARTED = "started"
    PAUSED = "paused"
    RESUMED = "resumed"
    FINISHED = "finished"
    STOPPED = "stopped"


LEADS_TO: Final = {
    Did.PUBLISHED: State.DRAFT,
    Did.CHECKED: State.CHECKED,
    Did.APPROVED: State.APPROVED,
    Did.SCHEDULED: State.SCHEDULED,
    Did.LAPSED: State.DRAFT,
    Did.STARTED: State.RUNNING,
    Did.PAUSED: State.PAUSED,
    Did.RESUMED: State.RUNNING,
    Did.FINISHED: State.FINISHED,
    Did.STOPPED: State.STOPPED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A version as it was published."""

    campaign: str
    version: int
    digest: bytes
    at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One step in the life of a version."""

    campaign: str
    version: int
    did: Did
    at: datetime
    actor: str
    reason: str = ""
    due_at: datetime | None = None
    """When it is to start; of a version that is scheduled."""
    run: str = ""
    catalogue: int
    """The catalogue that it was judged, or is run, under."""
    four_eyes: bool
    """Whether a second person was demanded."""
    publisher: str
    rules: tuple[str, ...] = ()
    """The rules that bound when it was approved, all of which it kept."""
    position: int = -1
    """Of its entry in the ledger; -1 before there is one."""
    back: State = State.FINISHED
    """How a version stood before it was paused, of one that goes on without a run."""

    @property
    def state(self) -> State:
        """How the version stands after it."""
        return self.back if self.did is Did.RESUMED and not self.run else LEADS_TO[self.did]

    @property
    def by_another(self) -> bool:
        """Whether somebody else did it than who had published the version."""
        return self.actor != self.publisher

    def as_json(self) -> dict[str, Any]:
        """Return it as the faces show it."""
        return {
            "version": self.version, "event": str(self.did), "state": str(self.state), "at": self.at,
            "actor": self.actor, "reason": self.reason, "due_at": self.due_at, "run": self.run or None,
            "four_eyes": self.four_eyes, "position": self.position,
        }  # fmt: skip


def told(event: Event, digest: bytes) -> dict[str, Any]:
    """Return what the ledger says of an event. `digest` is of the version's bytes."""
    return {
        "actor": event.actor,
        "campaign": event.campaign,
        "catalogue": event.catalogue,
        "due_at": rfc3339(event.due_at) if event.due_at else "",
        "event": str(event.did),
        "four_eyes": event.four_eyes,
        "hash": b64u(digest),
        "publisher": event.publisher,
        "reason": event.reason,
        "rules": list(event.rules),
        "run": event.run,
        "state": str(event.state),
        "version": event.version,
    }


def note(desk: Desk, work: Work, event: Event, digest: bytes) -> None:
    """Write an event into the ledger and beside it, in the caller's transaction."""
    entry = publishing.note(desk, work, Kind.CAMPAIGN_CHANGED, told(event, digest), at=event.at)
    row = {
        "campaign": event.campaign, "log": entry.log, "seq": entry.seq, "version": event.version, "at": event.at,
        "actor": event.actor, "event": str(event.did), "reason": event.reason,
        "due_at": event.due_at, "run": event.run, "catalogue": event.catalogue, "four_eyes": event.four_eyes,
        "publisher": event.publisher, "rules": ",".join(event.rules),
        "back": str(event.back) if event.did is Did.RESUMED and not event.run else "",
    }  # fmt: skip
    work.connection.execute(sa.insert(CampaignEventRow).values(**row))


def published(work: Work, key: str, version: int = 0) -> Published:
    """Return a version as it was published (0: the newest).

    Raises:
        CampaignUnknown: no campaign by that key, or no such version.
    """
    query = sa.select(_version.version, _version.hash, _version.published_at, _version.published_by)
    query = query.where(_version.key == key)
    query = query.where(_version.version == version) if version else query.order_by(_version.version.desc()).limit(1)
    row = work.connection.execute(query).first()
    if row is None:
        raise shelf.unknown(work, key, version)
    return Published(
        campaign=key, version=row.version, digest=bytes(row.hash), at=row.published_at, by=row.published_by
    )


def history(work: Work, key: str) -> list[Event]:
    """Return all that became of a campaign's versions, in the order of the ledger."""
    query = sa.select(_row).where(_row.c.campaign == key).order_by(_row.c.log, _row.c.seq)
    return [of_row(row) for row in work.connection.execute(query)]


def every(work: Work) -> list[Event]:
    """Return the events of all campaigns, in the order of the ledger."""
    return [of_row(row) for row in work.connection.execute(sa.select(_row).order_by(_row.c.log, _row.c.seq))]


def of_run(work: Work, run: str) -> Event | None:
    """Return the event that a run was started with; None of one from before events were kept."""
    query = sa.select(_row).where(_row.c.run == run, _row.c.event == str(Did.STARTED))
    row = work.connection.execute(query.order_by(_row.c.log, _row.c.seq).limit(1)).first()
    return None if row is None else of_row(row)


def due(work: Work, at: datetime) -> list[Event]:
    """Return what is scheduled for a time that has come, the longest due first; of those due at once, as scheduled."""
    later = table_of(CampaignEventRow).alias("later")
    after = sa.or_(later.c.log > _row.c.log, sa.and_(later.c.log == _row.c.log, later.c.seq > _row.c.seq))
    same = sa.and_(later.c.campaign == _row.c.campaign, later.c.version == _row.c.version, after)
    query = (
        sa.select(_row)
        .where(_row.c.event == str(Did.SCHEDULED), _row.c.due_at <= at, ~sa.exists(sa.select(later.c.seq).where(same)))
        .order_by(_row.c.due_at, _row.c.log, _row.c.seq)
    )
    return [of_row(row) for row in work.connection.execute(query)]


def of_row(row: Any) -> Event:  # noqa: ANN401 -- a Core row
    """Return the event of a row."""
    return Event(
        campaign=row.campaign, version=row.version, did=Did(row.event), at=row.at, actor=row.actor, reason=row.reason,
        due_at=row.due_at, run=row.run, catalogue=row.catalogue, four_eyes=row.four_eyes, publisher=row.publisher,
        rules=tuple(filter(None, row.rules.split(","))), position=position(row.log, row.seq),
        back=State(row.back or State.FINISHED),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a campaign stands: its newest version, and the version that is scheduled or running, if one is."""

    published: Published
    events: tuple[Event, ...]

    @property
    def key(self) -> str:
        """The campaign's."""
        return self.published.campaign

    @property
    def version(self) -> int:
        """The newest."""
        return self.published.version

    @property
    def state(self) -> State:
        """How the newest version stands."""
        return self.state_of(self.version)

    def state_of(self, version: int) -> State:
        """Return how a version stands; one of which nothing was noted is a draft."""
        last = self.last_of(version)
        return last.state if last else State.DRAFT

    def last_of(self, version: int) -> Event | None:
        """Return the last that became of a version; None of one from before events were kept."""
        return next((each for each in reversed(self.events) if each.version == version), None)

    def before_pause(self, version: int) -> State:
        """Return how a version that is paused stood before that."""
        mine = [each for each in self.events if each.version == version]
        return mine[-2].state if len(mine) > 1 else State.DRAFT

    @property
    def live(self) -> Event | None:
        """The last event of the version that is scheduled, running or paused."""
        last = {each.version: each for each in self.events}
        return next((each for each in last.values() if each.state in LIVE), None)

    @property
    def halts(self) -> Halts:
        """What holds up what was reserved by it."""
        return halts.fold(Step(each.version, str(each.did), each.run, each.position, each.at) for each in self.events)

    @property
    def ended(self) -> Event | None:
        """The end of the newest version's run that wasn't stopped since: what it reserved may wait still."""
        stopped = self.halts.stopped
        done = (each for each in self.events if each.did is Did.FINISHED and not stopped(each.version, each.position))
        return max(done, key=lambda each: (each.version, each.position), default=None)

    @property
    def approval(self) -> Event | None:
        """The last approval of the newest version."""
        return self.approval_of(self.version)

    def approval_of(self, version: int) -> Event | None:
        """Return the last approval of a version."""
        given = (each for each in reversed(self.events) if each.version == version and each.did == Did.APPROVED)
        return next(given, None)

    @property
    def tag(self) -> str:
        """Its entity tag: another one as soon as anything has become of any version, or there is a new one."""
        return f"{self.version}-{self.events[-1].position if self.events else 0}"


def standing(work: Work, key: str) -> Standing:
    """Return how a campaign stands.

    Raises:
        CampaignUnknown: no campaign by that key.
    """
    return Standing(published=published(work, key), events=tuple(history(work, key)))


def standings(work: Work) -> list[Standing]:
    """Return how every campaign stands, by key."""
    newest = sa.select(_version.key, sa.func.max(_version.version).label("version")).group_by(_version.key).subquery()
    query = (
        sa.select(_version.key, _version.version, _version.hash, _version.published_at, _version.published_by)
        .join(newest, sa.and_(_version.key == newest.c.key, _version.version == newest.c.version))
        .order_by(_version.key)
    )
    happened: dict[str, list[Event]] = {}
    for each in every(work):
        happened.setdefault(each.campaign, []).append(each)
    return [
        Standing(
            published=Published(
                campaign=row.key, version=row.version, digest=bytes(row.hash), at=row.published_at, by=row.published_by
            ),
            events=tuple(happened.get(row.key, ())),
        )
        for row in work.connection.execute(query)
    ]
