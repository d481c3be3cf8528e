"""What a report of an audit says, gathered in one transaction: the audit, what binds it, and how its findings stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from consent.audit import life, reading
from consent.audit.life import Followed
from consent.audit.reading import PastAudit
from consent.audit.report import NOT_IN_LEDGER
from consent.base.canonical import b64
from consent.base.clock import rfc3339
from consent.base.errors import EntryUnknown, StateConflict
from consent.base.store import Work
from consent.ledger import checkpoint, stored
from consent.ledger.position import parts
from consent.register import proving


class Explained(NamedTuple):
    """A check in plain words."""

    proves: str
    leaves_open: str


class Bound(NamedTuple):
    """What an audit's report is bound by: its entry in the ledger, and the first checkpoint over it."""

    position: int
    origin: str
    seq: int
    size: int | None
    """Entries under the checkpoint; None where none covers the entry yet."""
    root: str
    checkpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """All that a report says.

    Attributes:
        past: the audit.
        report: its JSON object, as it was stored.
        digest: SHA-256 over the stored bytes, to which the audit's ledger entry commits; 32 bytes.
        bound: its place in the ledger; None where the ledger took no entry.
        findings: the same findings, as they stand now: (check, subject) → finding.
        explained: check → what it proves, and what it doesn't.
        at: when this was gathered.
    """

    past: PastAudit
    report: Mapping[str, Any]
    digest: bytes
    bound: Bound | None
    findings: Mapping[tuple[str, str], Followed]
    explained: Mapping[str, Explained]
    at: datetime

    @property
    def incremental(self) -> bool:
        """Whether some check went on from where it had passed before."""
        return any(each.get("since") for each in self.report["checks"])

    def as_json(self) -> dict[str, Any]:
        """Return the report as one JSON object."""
        bound = self.bound
        return {
            "audit": self.past.audit,
            "started_at": rfc3339(self.past.started_at),
            "ended_at": rfc3339(self.past.ended_at) if self.past.ended_at else None,
            "asked_by": self.past.asked_by,
            "status": self.past.status,
            "digest": b64(self.digest),
            "ledger": None if bound is None else bound._asdict(),
            "report": dict(self.report),
            "explained": {key: each._asdict() for key, each in self.explained.items()},
            "findings_now": [
                {
                    name: rfc3339(value) if isinstance(value, datetime) else value
                    for name, value in one.as_json().items()
                }
                for one in self.findings.values()
            ],
            "made_at": rfc3339(self.at),
        }


def gathered(work: Work, audit: str, *, explained: Mapping[str, Explained], at: datetime) -> Content:
    """Gather what a report of an audit says.

    Args:
        work: a transaction.
        audit: its id.
        explained: every check in plain words; those that the audit ran are taken.
        at: now.

    Raises:
        NotFound: there is no such audit.
        StateConflict: it has no report: it is under way, or was cut off.
    """
    past, report = reading.one(work, audit, at=at)
    if report is None:
        raise StateConflict("the audit has no report: it is under way, or was cut off; run another")
    ran = [each["check"] for each in report["checks"]]
    return Content(
        past=past,
        report=report,
        digest=sha256(orjson.dumps(report)).digest(),
        bound=_bound(work, past.position),
        findings=_standing(work, report, at),
        explained={key: explained[key] for key in ran if key in explained},
        at=at,
    )


def _bound(work: Work, position: int) -> Bound | None:
    if position == NOT_IN_LEDGER:
        return None
    place = parts(position)
    origin = stored.origin_of(work, place.log)
    try:
        signed = proving.inclusion(work, position).checkpoint
    except EntryUnknown:
        return Bound(position, origin, place.seq, None, "", "")
    lines = checkpoint.parse(signed.partition("\n\n")[0] + "\n")
    return Bound(position, origin, place.seq, lines.size, b64(lines.root), signed)


def _standing(work: Work, report: Mapping[str, Any], at: datetime) -> dict[tuple[str, str], Followed]:
    found = {(each["check"], each["subject"]) for each in report["findings"]}
    standing: dict[tuple[str, str], Followed] = {}
    for check in sorted({check for check, _ in found}):
        subjects = [subject for key, subject in found if key == check]
        standing |= {(check, one.subject): one for one in life.of_subjects(work, check, subjects, at=at)}
    return standing
