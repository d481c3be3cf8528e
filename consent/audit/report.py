"""What an audit found: one value, and the JSON object that other programs rely on."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import orjson

from consent.audit.findings import Finding, Gap
from consent.base.ids import AuditId

NOT_IN_LEDGER: Final = -1
"""In place of the position of an audit that the ledger could take no entry of."""


class Status(StrEnum):
    """How an audit, or one of its checks, ended."""

    PASSED = "passed"
    FINDINGS = "findings"
    COULD_NOT_CHECK = "could_not_check"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """How one check went: how many things it judged, and in how many seconds."""

    check: str
    title: str
    checked: int
    seconds: float
    findings: tuple[Finding, ...]
    gaps: tuple[Gap, ...]
    since: int = 0
    """The ledger position from which it judged what is new; 0 where it judged everything."""

    @property
    def status(self) -> Status:
        """A check that met nothing to judge has passed; whether an audit has, is for the audit to say."""
        return _status(self.findings, self.gaps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """An audit that has ended. `position` is its entry in the ledger, −1 where it couldn't be written there."""

    audit: AuditId
    checks: tuple[Checked, ...]
    gaps: tuple[Gap, ...]
    """Gaps of the audit itself, beside those of its checks."""
    seconds: float
    position: int = NOT_IN_LEDGER

    @property
    def status(self) -> Status:
        """`passed` only where at least one thing was judged, nothing is wrong and nothing is open."""
        if not sum(each.checked for each in self.checks):
            return Status.FINDINGS if self.all_findings else Status.COULD_NOT_CHECK
        return _status(self.all_findings, self.all_gaps)

    @property
    def all_findings(self) -> list[Finding]:
        """The findings of all checks."""
        return [finding for each in self.checks for finding in each.findings]

    @property
    def all_gaps(self) -> list[Gap]:
        """The gaps of all checks, and of the audit itself."""
        return [gap for each in self.checks for gap in each.gaps] + list(self.gaps)

    def as_json(self) -> dict[str, Any]:
        """Return the report as other programs read it: `status`, `findings`, `gaps`, `checks`, `seconds`."""
        return {
            "status": str(self.status),
            "findings": [
                {"check": one.check, "severity": str(one.severity), "subject": one.subject, "why": one.why}
                for one in self.all_findings
            ],
            "gaps": [{"check": one.check, "why": one.why} for one in self.all_gaps],
            "checks": [
                {
                    "check": each.check,
                    "title": each.title,
                    "checked": each.checked,
                    "seconds": each.seconds,
                    "status": str(each.status),
                    "since": each.since,
                }
                for each in self.checks
            ],
            "seconds": self.seconds,
        }

    def text(self) -> str:
        """Return the JSON object as it is stored, and as its digest is taken."""
        return orjson.dumps(self.as_json()).decode()


def _status(findings: Sequence[Finding], gaps: Sequence[Gap]) -> Status:
    if findings:
        return Status.FINDINGS
    return Status.COULD_NOT_CHECK if gaps else Status.PASSED
