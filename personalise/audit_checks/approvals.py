"""The check `approvals`: every run was let happen as it had to be, and nobody has changed the record of it since."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from consent.audit import events as ledger
from consent.audit import times
from consent.audit.findings import Evidence, Finding, Judged, Severity, Yielded
from consent.base.database import table_of
from consent.base.errors import CampaignInvalid, NotFound
from consent.base.store import Work
from consent.ledger.entry import Kind
from consent.ledger.position import position
from personalise import shelf
from personalise.audit_checks.pinned import Newest
from personalise.campaigns import approval
from personalise.campaigns.judging import Case
from personalise.life import events
from personalise.life.events import Did, Event, Published
from personalise.runs import dry_run, log
from personalise.runs import run as runs
from personalise.runs.run import Run
from personalise.tables import DecisionChunkRow, RunRow

KEY: Final = "approvals"
_PAGE: Final = 500

_chunk, _run = table_of(DecisionChunkRow), table_of(RunRow)


def approvals(evidence: Evidence) -> Iterator[Yielded]:
    """Hold the life of every campaign against the ledger, and every run against the approval that it had needed.

    What was demanded stands in the entry of its start: where it was four eyes, somebody else approved the version than
    who had published it, under the catalogue that the run decided by; and the rules that bound then are kept by the
    version's own bytes. Runs from before the ledger told of campaigns at all are not judged.
    """
    with evidence.store.read() as work:
        kept = events.every(work)
        versions = _versions(work, kept)
        newest = Newest(work)
    entries = {event.position: event for event in ledger.events(evidence, Kind.CAMPAIGN_CHANGED)}
    yield from _record(kept, entries, versions)
    began = min(entries, default=None)
    told = [each for each in kept if each.position in entries]
    starts = {each.run: each for each in reversed(told) if each.did == Did.STARTED}
    given = [each for each in told if each.did == Did.APPROVED]
    judged = 0
    for run in _runs(evidence):
        started = starts.get(run.id)
        if started is not None:
            judged += 1
            yield from _judged(evidence, run, started, given, versions)
            went_by = newest.differs(run.contact_policy, started.position, started.at)
            if went_by:
                yield _finding(run.id, went_by)
        elif began is not None and _after(evidence, run, began):
            judged += 1
            yield _finding(run.id, f"no entry says who let the run of {run.campaign} start")
    for gone in _gone(evidence):
        yield _finding(gone, "the ledger commits to what it decided, and no row of run is there")
    yield Judged(judged + len(kept))


def _versions(work: Work, kept: Sequence[Event]) -> dict[tuple[str, int], Published]:
    found = {}
    for campaign, version in {(each.campaign, each.version) for each in kept}:
        try:
            found[campaign, version] = events.published(work, campaign, version)
        except NotFound:
            continue  # its events are findings below: what they tell of isn't there
    return found


def _record(
    kept: Sequence[Event], entries: Mapping[int, ledger.Event], versions: Mapping[tuple[str, int], Published]
) -> Iterator[Finding]:
    """Hold each row against its entry, and look for the row of each entry."""
    for each in kept:
        entry, version = entries.get(each.position), versions.get((each.campaign, each.version))
        why = _differs(each, entry, version)
        if why:
            yield _finding(f"campaign_event {each.campaign} {each.position}", why)
    rows = {each.position for each in kept}
    for place, entry in entries.items():
        if place not in rows:
            what = f"{entry.told.get('campaign', 'a campaign')} was {entry.told.get('event', 'changed')}"
            yield _finding(f"ledger_entry {place}", f"it says that {what}, and no row does")


def _differs(each: Event, entry: ledger.Event | None, version: Published | None) -> str:
    if entry is None:
        return "no entry of the ledger tells of it"
    if entry.why:
        return f"the payload of its entry {entry.why}"
    if version is None:
        return f"version {each.version} of {each.campaign} is not there"
    expected = events.told(each, version.digest)
    wrong = sorted(name for name in expected.keys() | entry.told.keys() if expected.get(name) != entry.told.get(name))
    if wrong:
        return f"its {', '.join(wrong)} is not what entry {each.position} says"
    if each.publisher != version.by:
        return f"version {each.version} is said to be published by somebody else than entry {each.position} says"
    other = times.differs(each.at, entry)
    return f"it is said to have been at {other}" if other else ""


def _gone(evidence: Evidence) -> list[str]:
    """Return the runs that decided something and of which nothing else is left."""
    decided = sa.select(_chunk.c.run).where(_chunk.c.run != "", _chunk.c.run.not_in(sa.select(_run.c.id))).distinct()
    with evidence.store.read() as work:
        return sorted(work.connection.execute(decided).scalars())


def _runs(evidence: Evidence) -> Iterator[Run]:
    """Walk all runs, the oldest first; no transaction is open in between."""
    after = ""
    while True:
        with evidence.store.read() as work:
            page = runs.by_id(work, after, _PAGE)
        if not page:
            return
        yield from page
        after = page[-1].id


def _after(evidence: Evidence, run: Run, began: int) -> bool:
    """Say whether a run decided something, and nothing before the ledger had begun to tell of campaigns."""
    with evidence.store.read() as work:
        places = [position(*place) for place in log.places(work, run.id).values()]
    return bool(places) and min(places) >= began


def _judged(
    evidence: Evidence,
    run: Run,
    started: Event,
    agreed: Sequence[Event],
    versions: Mapping[tuple[str, int], Published],
) -> Iterator[Finding]:
    if (run.campaign, run.version, run.catalogue) != (started.campaign, started.version, started.catalogue):
        yield _finding(
            run.id, f"it ran another version, or under another catalogue, than entry {started.position} says"
        )
        return
    given = _approval(started, agreed)
    if given is None:
        why = f"version {run.version} of {run.campaign} was approved by nobody under catalogue {run.catalogue}"
        yield _finding(run.id, why)
        return
    if started.four_eyes and not given.by_another:
        why = f"four eyes were demanded, and {given.actor} had published what he approved"
        yield _finding(run.id, why)
    version = versions.get((run.campaign, run.version))
    broken = _broken(evidence, given, version) if version else ""
    if broken:
        yield _finding(run.id, broken)


def _approval(started: Event, agreed: Sequence[Event]) -> Event | None:
    """Return the last approval of what was started, by somebody else if that was demanded and there is one."""
    given = [
        each
        for each in agreed
        if (each.campaign, each.version, each.catalogue) == (started.campaign, started.version, started.catalogue)
        and each.position < started.position
    ]
    anothers = [each for each in given if each.by_another]
    return next(reversed(anothers if started.four_eyes and anothers else given), None)


def _broken(evidence: Evidence, given: Event, version: Published) -> str:
    """Say which of the rules that bound at an approval the version breaks after all; "" where none."""
    desk = evidence.desk
    try:
        with evidence.store.read() as work:
            catalogue = desk.catalogues.version(work, given.catalogue)
            campaign, number = shelf.load(work, version.campaign, catalogue, version=version.version)
            foreseen = dry_run.foreseen(work, version.campaign, number, before=given.at)
    except (CampaignInvalid, NotFound) as lost:
        return f"what was approved can't be read any more: {lost.title}"
    case = Case(campaign=campaign, catalogue=catalogue, at=given.at, version=number, foreseen=foreseen)
    advice = approval.advise(case, four_eyes=given.four_eyes, rules=approval.kept(given.rules))
    wrong = sorted({each.rule for each in advice})
    return f"entry {given.position} says that it keeps what it breaks: {', '.join(wrong)}" if wrong else ""


def _finding(subject: str, why: str) -> Finding:
    return Finding(check=KEY, severity=Severity.CRITICAL, subject=subject, why=why)
