"""The checks of the personalisation side, and whom a run addressed: judged from outside, by what the ledger says.

They trust the ledger's sealed statements and the decisions' own record, and no projection: not the standing rows that
the gate had read.
"""

from typing import Final

from consent.audit.findings import Check
from personalise.audit_checks import (
    approvals,
    campaigns,
    commitments,
    committed,
    contacts,
    decisions,
    deferrals,
    dispatch,
    goodwill,
    parity,
    quotas,
    replay,
    versions,
    wishes,
)
from personalise.audit_checks.reach import Addressed, addressed

__all__ = ["CHECKS", "Addressed", "addressed"]

CHECKS: Final = (
    Check(
        key=committed.KEY,
        title="Every decision is the one that the ledger committed to",
        function=committed.decision_log,
        incremental=True,
    ),
    Check(
        key=versions.KEY,
        title="Campaigns and contact policies are what was published, byte by byte",
        function=versions.versions,
    ),
    Check(
        key=decisions.KEY,
        title="Every decision used only what its customer permitted at its position",
        function=decisions.decisions,
        incremental=True,
    ),
    Check(
        key=replay.KEY,
        title="Decisions made again from what they were made from come out the same, bit for bit",
        function=replay.replay,
    ),
    Check(
        key=parity.KEY,
        title="Nobody's terms follow from what no terms may depend on",
        function=parity.parity,
    ),
    Check(
        key=contacts.KEY,
        title="Every contact kept to its holdout, the contact policy, its price and what was promised",
        function=contacts.contacts,
    ),
    Check(
        key=commitments.KEY,
        title="What stands promised was promised by a decision, as it stands, and no newer promise is missing",
        function=commitments.commitments,
    ),
    Check(
        key=deferrals.KEY,
        title="Whoever waits to be decided about again was held back by his decision, by that rule, until then",
        function=deferrals.deferrals,
    ),
    Check(
        key=dispatch.KEY,
        title="No message was handed out without a permit, or after its time",
        function=dispatch.dispatch,
    ),
    Check(
        key=goodwill.KEY,
        title="Every account of goodwill adds up, and what was booked was booked once",
        function=goodwill.goodwill,
    ),
    Check(
        key=wishes.KEY,
        title="What customers wish is what they said last, and each change is in the ledger",
        function=wishes.kept,
    ),
    Check(
        key=quotas.KEY,
        title="Volumes and goodwill budgets were kept, and went to whom a contact was worth most",
        function=quotas.quotas,
    ),
    Check(
        key=campaigns.KEY,
        title="Every campaign still holds under the catalogue in force",
        function=campaigns.campaigns,
    ),
    Check(
        key=approvals.KEY,
        title="Every run was approved as it had to be, and its record is the one in the ledger",
        function=approvals.approvals,
    ),
)
