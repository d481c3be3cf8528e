"""Every check that an audit runs, of both floors: what `audit run`, the worker and the pages mean by "an audit"."""

from typing import Final

from consent.audit import checks as consent_checks
from personalise import audit_checks

CHECKS: Final = (*consent_checks.CHECKS, *audit_checks.CHECKS)
