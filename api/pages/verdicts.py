"""PURE: audits in words. Passed, findings, could not check, never run: four things that never look alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from api.pages import present
from consent.audit.alarms import Alarming, Sign
from consent.audit.findings import Check, Severity
from consent.audit.reading import PastAudit
from consent.register.alarms import Alarm, AlarmKind

_MARKS: Final[Mapping[str, tuple[str, str]]] = {
    "passed": ("passed", "Passed"),
    "findings": ("findings", "Findings"),
    "could_not_check": ("gap", "Could not check"),
    "running": ("running", "Running"),
    "aborted": ("gap", "Broke off: could not check"),
}
_NEVER: Final = ("never", "Never run")
_UNKNOWN: Final = "No audit has ended yet, so nothing is known: that is not the same as passed."
_NOTHING: Final = ("never", "Nothing to judge")
"""A check that met nothing has found nothing wrong, and shown nothing either."""

_ALARMS: Final[Mapping[Alarming, str]] = {
    Alarming.WORKER_SILENT: "The worker is silent",
    Alarming.AUDIT_OVERDUE: "An audit is overdue",
}
_OF_THE_LEDGER: Final[Mapping[AlarmKind, str]] = {
    AlarmKind.ROLLED_BACK: "Signed entries are gone from the ledger",
    AlarmKind.FORKED: "The ledger was signed with two contents",
    AlarmKind.UNCOSIGNED: "The witness has not signed for a while",
}
STATUS_NAMES: Final = {status: word for status, (_, word) in _MARKS.items()}
_PROOF: Final = ("ledger", "checkpoints", "witness")
"""The checks that a broken proof shows in: they come first, whatever else was found."""

_RANKS: Final = {str(severity): rank for rank, severity in enumerate(Severity)}


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
    incremental: bool
    checks: tuple[CheckLine, ...]
    findings: tuple[Mapping[str, str], ...]
    gaps: tuple[Mapping[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmLine:
    """Something that should have happened and has not."""

    title: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Whether all is well, as far as the last audit that ended can tell."""

    mark: str
    word: str
    conclusion: str
    first_bad: str
    """The first thing that is wrong: of the proof, else the gravest."""
    gaps: tuple[str, ...]
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
        incremental=any(each.get("since") for each in found.get("checks", ())),
        checks=tuple(_check(each["check"], each["title"], each) for each in found.get("checks", ())),
        findings=tuple(found.get("findings", ())),
        gaps=tuple(found.get("gaps", ())),
    )


def overview(
    checks: Sequence[Check],
    audits: Sequence[PastAudit],
    last: tuple[PastAudit, Mapping[str, Any]] | None,
    *,
    waiting: str = "",
) -> Overview:
    """Return how things stand.

    Args:
        checks: all that an audit runs now; one that the last audit didn't run has never run.
        audits: the newest ones, newest first.
        last: the newest that ended and looked at all checks, with its report.
        waiting: how many findings are not resolved, in words; "" for none.
    """
    warnings = tuple(_warnings(audits))
    if last is None:
        never = tuple(_check(each.key, each.title, None) for each in checks)
        return Overview(
            mark=_NEVER[0], word=_NEVER[1], conclusion=_UNKNOWN, first_bad="", gaps=(), last=None, checks=never,
            ledger="", warnings=warnings,
        )  # fmt: skip
    past, stored = last
    by_key = {each["check"]: each for each in stored["checks"]}
    mark, word = _MARKS.get(past.status, _NEVER)
    conclusion = _conclusion(past.status, stored)
    if past.status == "passed" and waiting:  # a later audit of a part has found something
        mark, word = _MARKS["findings"]
        conclusion = f"The last audit of everything passed; since then something was found. {conclusion}"
    return Overview(
        mark=mark,
        word=word,
        conclusion=conclusion,
        first_bad=_first_bad(stored["findings"]),
        gaps=tuple(f"{each['check']}: {each['why']}" for each in stored["gaps"]),
        last=audit_line(past),
        checks=tuple(_check(each.key, each.title, by_key.get(each.key)) for each in checks),
        ledger=_ledger(by_key.get("ledger"), past),
        warnings=warnings,
    )


def alarm_line(sign: Sign, at: datetime) -> AlarmLine:
    """Return something amiss in words."""
    detail = f"{sign.detail[:1].upper()}{sign.detail[1:]}"
    words = f"{detail}. Since {present.moment(sign.since)}, {present.ago(sign.since, at)}."
    return AlarmLine(title=_ALARMS[sign.kind], words=words)


def ledger_line(alarm: Alarm, at: datetime) -> AlarmLine:
    """Return an alarm of the ledger in words."""
    noticed = f"{present.moment(alarm.noticed_at)}, {present.ago(alarm.noticed_at, at)}"
    words = f"{alarm.why[:1].upper()}{alarm.why[1:]}. Noticed {noticed}."
    return AlarmLine(title=_OF_THE_LEDGER[alarm.kind], words=words)


def _first_bad(findings: Sequence[Mapping[str, str]]) -> str:
    """Name the first thing that is wrong, and its place: of the proof, in the ledger's order; else the gravest."""
    if not findings:
        return ""
    proof = [each for each in findings if each["check"] in _PROOF]
    first = proof[0] if proof else min(findings, key=lambda each: _RANKS.get(each["severity"], len(_RANKS)))
    where = f"{first['subject'].replace('ledger_', 'ledger ')}: " if first["subject"] else ""
    return f"{where}{first['why']}"


def _conclusion(status: str, stored: Mapping[str, Any]) -> str:
    findings, gaps = len(stored.get("findings", ())), len(stored.get("gaps", ()))
    open_too = f" {present.counted(gaps, 'thing')} could not be checked." if gaps else ""
    match status:
        case "passed":
            judged = sum(bool(each["checked"]) for each in stored["checks"])
            nothing = len(stored["checks"]) - judged
            rest = f" {present.counted(nothing, 'check')} had nothing to judge yet." if nothing else ""
            return f"{present.counted(judged, 'check')} passed.{rest}"
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
    if went and went["status"] == "passed" and not went["checked"]:
        mark, word = _NOTHING
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


def _warnings(audits: Sequence[PastAudit]) -> list[str]:
    if audits and audits[0].status == "aborted":
        return [f"The audit of {present.moment(audits[0].started_at)} broke off. Nothing follows from it."]
    return []
