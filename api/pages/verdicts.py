"""PURE: audits in words. Passed, findings, could not check, never run: four things that never look alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from api.pages import present
from consent.audit.findings import Check
from consent.audit.reading import PastAudit

_MARKS: Final[Mapping[str, tuple[str, str]]] = {
    "passed": ("passed", "Passed"),
    "findings": ("findings", "Findings"),
    "could_not_check": ("gap", "Could not check"),
    "running": ("running", "Running"),
    "aborted": ("gap", "Broke off: could not check"),
}
_NEVER: Final = ("never", "Never run")
_OVERDUE: Final = 2
"""So many intervals without an audit are too many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckLine:
    """How one check went the last time."""

    key: str
    title: str
    mark: str
    word: str
    judged: str
    took: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """An audit in a list."""

    id: str
    mark: str
    word: str
    began: str
    took: str
    asked_by: str
    position: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """An audit's report, as its page shows it."""

    line: AuditLine
    conclusion: str
    checks: tuple[CheckLine, ...]
    findings: tuple[Mapping[str, str], ...]
    gaps: tuple[Mapping[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Whether all is well, as far as the last audit that ended can tell."""

    mark: str
    word: str
    conclusion: str
    last: AuditLine | None
    checks: tuple[CheckLine, ...]
    ledger: str
    warnings: tuple[str, ...]


def audit_line(past: PastAudit) -> AuditLine:
    """Return an audit as a line of a list."""
    mark, word = _MARKS.get(past.status, _NEVER)
    took = present.span((past.ended_at - past.started_at).total_seconds()) if past.ended_at else "–"
    return AuditLine(
        id=past.audit,
        mark=mark,
        word=word,
        began=present.moment(past.started_at),
        took=took,
        asked_by=past.asked_by,
        position=f"entry {present.number(past.position)}" if past.position >= 0 else "not in the ledger",
    )


def report(past: PastAudit, stored: Mapping[str, Any] | None) -> Report:
    """Return an audit's report in words."""
    found = stored or {}
    return Report(
        line=audit_line(past),
        conclusion=_conclusion(past.status, found),
        checks=tuple(_check(each["check"], each["title"], each) for each in found.get("checks", ())),
        findings=tuple(found.get("findings", ())),
        gaps=tuple(found.get("gaps", ())),
    )


def overview(
    checks: Sequence[Check],
    audits: Sequence[PastAudit],
    last: tuple[PastAudit, Mapping[str, Any]] | None,
    *,
    at: datetime,
    every: timedelta,
) -> Overview:
    """Return how things stand.

    Args:
        checks: all that an audit runs now; one that the last audit didn't run has never run.
        audits: the newest ones, newest first.
        last: the newest that ended, with its report.
        at: now.
        every: how often an audit is due.
    """
    if last is None:
        return Overview(
            mark=_NEVER[0],
            word=_NEVER[1],
            conclusion="No audit has ended yet, so nothing is known: that is not the same as passed.",
            last=None,
            checks=tuple(_check(each.key, each.title, None) for each in checks),
            ledger="",
            warnings=tuple(_warnings(audits, None, at, every)),
        )
    past, stored = last
    by_key = {each["check"]: each for each in stored["checks"]}
    mark, word = _MARKS.get(past.status, _NEVER)
    return Overview(
        mark=mark,
        word=word,
        conclusion=_conclusion(past.status, stored),
        last=audit_line(past),
        checks=tuple(_check(each.key, each.title, by_key.get(each.key)) for each in checks),
        ledger=_ledger(by_key.get("ledger"), past),
        warnings=tuple(_warnings(audits, past, at, every)),
    )


def _conclusion(status: str, stored: Mapping[str, Any]) -> str:
    findings, gaps = len(stored.get("findings", ())), len(stored.get("gaps", ()))
    open_too = f" {present.counted(gaps, 'thing')} could not be checked." if gaps else ""
    match status:
        case "passed":
            return f"All {len(stored['checks'])} checks passed."
        case "findings":
            return f"{present.counted(findings, 'finding')}: what is named below is not as it has to be.{open_too}"
        case "could_not_check":
            unknown = present.counted(gaps, "thing")
            return f"Nothing was found broken, but {unknown} could not be checked: it has not passed."
        case "running":
            return "It is still running. Nothing is known yet."
        case _:
            return "It broke off before it ended. Nothing follows from it."


def _check(key: str, title: str, went: Mapping[str, Any] | None) -> CheckLine:
    mark, word = _MARKS.get(went["status"], _NEVER) if went else _NEVER
    return CheckLine(
        key=key,
        title=title,
        mark=mark,
        word=word,
        judged=f"{present.number(went['checked'])} judged" if went else "",
        took=present.span(went["seconds"]) if went else "",
    )


def _ledger(went: Mapping[str, Any] | None, past: PastAudit) -> str:
    if went is None or went["status"] != "passed":
        return ""
    last = present.number(went["checked"] - 1)
    return f"The ledger was verified up to entry {last}, byte by byte, on {present.moment(past.started_at)}."


def _warnings(audits: Sequence[PastAudit], past: PastAudit | None, at: datetime, every: timedelta) -> list[str]:
    warnings = []
    if audits and audits[0].status == "aborted":
        warnings.append(f"The audit of {present.moment(audits[0].started_at)} broke off. Nothing follows from it.")
    if past is not None and at - past.started_at > _OVERDUE * every:
        warnings.append(
            f"The last audit that ended began {present.ago(past.started_at, at)}, and one is due every "
            f"{present.span(every.total_seconds())}: what happened since is not known."
        )
    return warnings
