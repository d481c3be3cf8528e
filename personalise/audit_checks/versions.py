"""The check `versions`: campaigns and contact policies are what was published, byte by byte, and nothing else is."""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import groupby
from typing import Any, Final

import sqlalchemy as sa

from consent.audit import events, times
from consent.audit.events import Event
from consent.audit.findings import Evidence, Finding, Gap, Judged, Severity, Yielded
from consent.base.canonical import b64u
from consent.base.clock import rfc3339
from consent.base.database import table_of
from consent.ledger.entry import Kind
from consent.ledger.position import parts
from personalise.campaigns.model import digest_of
from personalise.life.events import Did
from personalise.tables import CampaignVersionRow, ContactPolicyVersionRow, DecisionChunkRow

KEY: Final = "versions"
_AT_ONCE: Final = 100
_campaign, _policy = table_of(CampaignVersionRow), table_of(ContactPolicyVersionRow)
_chunk: Final = table_of(DecisionChunkRow)
_UNHASHED: Final = "its bytes do not hash to its hash"


def versions(evidence: Evidence) -> Iterator[Yielded]:
    """Hold each published version against the entry that published it, and look for the version of each entry.

    Whoever changes a version, or slips one in, has customers decided about by what nobody published or approved.
    Campaigns from before the ledger told of them are held against their own hash alone; they have decided something by
    then, or the ledger has told of them since.
    """
    yield from _campaigns(evidence)
    yield from _policies(evidence)


def _campaigns(evidence: Evidence) -> Iterator[Yielded]:
    told: dict[tuple[str, int], Event] = {}
    named_since: set[str] = set()
    first: Event | None = None
    for event in events.events(evidence, Kind.CAMPAIGN_CHANGED):
        first = first or event
        named_since.add(str(event.told.get("campaign")))
        if event.why:
            yield Gap(check=KEY, why=f"what entry {event.position} tells of a campaign can't be read: it {event.why}")
        elif event.told.get("event") == str(Did.PUBLISHED):
            told[str(event.told.get("campaign")), int(event.told.get("version", 0))] = event
    late = _late(evidence, first.position if first else None) - named_since
    for _, rows in groupby(_rows(evidence, _campaign, "key", "version"), key=lambda row: row.key):
        known = False
        for row in rows:
            named = row.key, row.version
            entry = told.pop(named) if named in told else None
            # Of a campaign of which the ledger tells, and of whatever came since, it tells each version.
            since = known or bool(first and rfc3339(row.published_at) > first.at) or row.key in late
            known = known or entry is not None
            why = _altered(row, entry, since=since)
            if why:
                yield _finding(f"campaign_version {row.key} {row.version}", why)
            yield Judged(1)
    for (key, version), event in told.items():
        yield _finding(f"campaign_version {key} {version}", f"entry {event.position} published it, and it is not there")


def _late(evidence: Evidence, began: int | None) -> set[str]:
    """Return the campaigns that have decided something since the ledger tells of campaigns, and nothing before."""
    if began is None:
        return set()
    begun = parts(began)
    before = sa.or_(_chunk.c.log < begun.log, sa.and_(_chunk.c.log == begun.log, _chunk.c.seq < begun.seq))
    decided = sa.select(_chunk.c.campaign)
    with evidence.store.read() as work:
        early = set(work.connection.execute(decided.where(before).distinct()).scalars())
        return set(work.connection.execute(decided.distinct()).scalars()) - early


def _altered(row: Any, event: Event | None, *, since: bool) -> str:  # noqa: ANN401 -- a row of campaign_version
    """Say why a campaign's version isn't the one that was published; "" where it is."""
    if digest_of(row.body, row.compiled) != bytes(row.hash):
        return _UNHASHED
    if event is None:
        return "no entry of the ledger published it" if since else ""
    if event.told.get("hash") != b64u(bytes(row.hash)):
        return f"entry {event.position} published other bytes"
    if event.told.get("actor") != row.published_by:
        return f"it is said to be published by somebody else than entry {event.position} says"
    other = times.differs(row.published_at, event)
    return f"it is said to be published at {other}" if other else ""


def _policies(evidence: Evidence) -> Iterator[Yielded]:
    told: dict[int, Event] = {}
    for event in events.events(evidence, Kind.CONTACT_POLICY_PUBLISHED):
        if event.why:
            yield Gap(check=KEY, why=f"the contact policy of entry {event.position} can't be read: it {event.why}")
        told[event.position] = event
    for row in _rows(evidence, _policy, "version"):
        why = _replaced(row, told.pop(row.position) if row.position in told else None)
        if why:
            yield _finding(f"contact_policy_version {row.version}", why)
        yield Judged(1)
    for event in told.values():
        version = event.told.get("version", "?")
        why = f"entry {event.position} published it, and it is not there"
        yield _finding(f"contact_policy_version {version}", why)


def _replaced(row: Any, event: Event | None) -> str:  # noqa: ANN401 -- a row of contact_policy_version
    """Say why a contact policy isn't the one that was published; "" where it is."""
    if sha256(row.body.encode()).digest() != bytes(row.hash):
        return _UNHASHED
    if event is None:
        return f"it names entry {row.position}, which publishes no contact policy"
    if event.why:
        return ""  # that is a gap
    said = {"version": row.version, "digest": b64u(bytes(row.hash)), "actor": row.published_by}
    wrong = [name for name, value in said.items() if event.told.get(name) != value]
    if wrong:
        return f"its {', '.join(wrong)} is not what entry {row.position} says"
    other = times.differs(row.published_at, event)
    return f"it is said to be published at {other}" if other else ""


def _rows(evidence: Evidence, table: sa.Table, *by: str) -> Iterator[Any]:
    """Walk a table in the order of its key; no transaction is open in between."""
    columns = [table.c[name] for name in by]
    after: Sequence[Any] | None = None
    while True:
        query = sa.select(table).order_by(*columns).limit(_AT_ONCE)
        if after is not None:
            query = query.where(sa.tuple_(*columns) > sa.tuple_(*map(sa.literal, after)))
        with evidence.store.read() as work:
            page = work.connection.execute(query).all()
        if not page:
            return
        yield from page
        last: Mapping[str, Any] = page[-1]._asdict()
        after = [last[name] for name in by]


def _finding(subject: str, why: str) -> Finding:
    return Finding(check=KEY, severity=Severity.CRITICAL, subject=subject, why=why)
