"""The API for programs, under `/api/v1`: each module is a resource, and each view three moves.

`shapes` says what form is, `incoming` reads it, `contract` declares and answers it, `openapi` describes all of it.
"""

from typing import Final

from flask import Blueprint

from api.rest import (
    audits,
    campaign_files,
    campaigns,
    catalogues,
    contact_policies,
    customers,
    decisions,
    findings,
    foreseeing,
    goodwill,
    health,
    households,
    imports,
    ledger,
    openapi,
    packs,
    permissions,
    receipts,
    requests,
    results,
    rights,
    schedules,
    statements,
    suppressions,
    tiles,
    wishes,
)

BLUEPRINTS: Final[tuple[Blueprint, ...]] = (
    audits.blueprint,
    campaigns.blueprint,
    campaign_files.blueprint,
    catalogues.blueprint,
    contact_policies.blueprint,
    customers.blueprint,
    decisions.blueprint,
    findings.blueprint,
    foreseeing.blueprint,
    goodwill.blueprint,
    health.blueprint,
    households.blueprint,
    imports.blueprint,
    ledger.blueprint,
    openapi.blueprint,
    packs.blueprint,
    permissions.blueprint,
    receipts.blueprint,
    requests.blueprint,
    results.blueprint,
    rights.blueprint,
    schedules.blueprint,
    statements.blueprint,
    suppressions.blueprint,
    tiles.blueprint,
    wishes.blueprint,
)
"""Every resource that is mounted; a new one takes its place here."""
