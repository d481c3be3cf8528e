"""What an audit makes of what its checks came upon."""

import json

import pytest

from consent.audit.findings import Finding, Gap, Severity
from consent.audit.report import Checked, Report
from consent.base.ids import AuditId

FINDING = Finding(check="uses", severity=Severity.HIGH, subject="use_1", why="for no decision")
GAP = Gap(check="uses", why="could not check: OSError")


def checked(count=1, *, findings=(), gaps=()):
    return Checked(check="uses", title="Uses", checked=count, seconds=0.5, findings=findings, gaps=gaps)


def report(*checks, gaps=()):
    return Report(audit=AuditId("aud_1"), checks=checks, gaps=gaps, seconds=1.5)


@pytest.mark.parametrize(
    ("findings", "gaps", "status"),
    [
        ((), (), "passed"),
        ((FINDING,), (), "findings"),
        ((), (GAP,), "could_not_check"),
        ((FINDING,), (GAP,), "findings"),
    ],
)
def test_a_finding_says_more_than_a_gap_and_a_gap_more_than_nothing(findings, gaps, status):
    one = checked(findings=findings, gaps=gaps)

    assert (one.status, report(one).status, report(one, checked()).status) == (status, status, status)


@pytest.mark.parametrize(
    ("made", "status"),
    [
        (report(), "could_not_check"),
        (report(checked(0)), "could_not_check"),
        (report(checked(0), checked(0)), "could_not_check"),
        (report(checked(0), checked(1)), "passed"),
        (report(checked(1), gaps=(GAP,)), "could_not_check"),
        (report(checked(0, findings=(FINDING,))), "findings"),
    ],
)
def test_an_audit_passes_only_if_something_was_judged_and_nothing_is_open(made, status):
    assert made.status == status


def test_a_report_is_written_with_exactly_its_five_keys():
    made = report(checked(3, findings=(FINDING,)), gaps=(GAP,))

    assert json.loads(made.text()) == made.as_json()
    assert made.as_json() == {
        "status": "findings",
        "findings": [{"check": "uses", "severity": "high", "subject": "use_1", "why": "for no decision"}],
        "gaps": [{"check": "uses", "why": "could not check: OSError"}],
        "checks": [{"check": "uses", "title": "Uses", "checked": 3, "seconds": 0.5, "status": "findings", "since": 0}],
        "seconds": 1.5,
    }
