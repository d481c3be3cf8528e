"""Every check that an audit runs, of both floors: what `audit run`, the worker and the pages mean by "an audit"."""

from dataclasses import replace
from typing import Final

from consent.audit import checks as consent_checks
from consent.audit.checks import processing
from personalise import audit_checks, held

CHECKS: Final = (
    *(
        # The floor above knows how often customers were reached, and for what.
        replace(check, function=processing.declared_and_reached(held.contacted))
        if check.key == processing.KEY
        else check
        for check in consent_checks.CHECKS
    ),
    *audit_checks.CHECKS,
)
