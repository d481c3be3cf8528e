"""The API for programs, under `/api/v1`: each module is a resource, and each view three moves.

`shapes` says what form is, `incoming` reads it, `contract` declares and answers it, `openapi` describes all of it.
"""

from typing import Final

from flask import Blueprint

from api.rest import customers, decisions, health, ledger, openapi, permissions, statements

BLUEPRINTS: Final[tuple[Blueprint, ...]] = (
    customers.blueprint,
    decisions.blueprint,
    health.blueprint,
    ledger.blueprint,
    openapi.blueprint,
    permissions.blueprint,
    statements.blueprint,
)
"""Every resource that is mounted; a new one takes its place here."""
