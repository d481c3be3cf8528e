"""The pages, for people: rendered here, working without a script, phone first.

Each view is three moves: read a form (`forms`), call one use case in one transaction, show finished values. What is
shown is made of values by pure modules (`choices`, `answers`, `reasons`, `funnel`, `charts`, `present`); templates
decide nothing. `shell` is what surrounds every page.
"""

from typing import Final

from flask import Blueprint

from api.pages import (
    audit,
    campaign_life,
    comparing,
    console,
    contact_policy,
    customer,
    customer_file,
    findings,
    mailed,
    mails,
    one_request,
    own_dealings,
    own_requests,
    own_wishes,
    packs,
    processing,
    receipts,
    remembered,
    requests,
    runs,
    schedules,
    shell,
    signin,
    uses,
)

BLUEPRINTS: Final[tuple[Blueprint, ...]] = (
    shell.blueprint,
    signin.blueprint,
    customer.blueprint,
    mailed.blueprint,
    receipts.blueprint,
    remembered.blueprint,
    own_wishes.blueprint,
    own_dealings.blueprint,
    own_requests.blueprint,
    console.blueprint,
    mails.blueprint,
    campaign_life.blueprint,
    contact_policy.blueprint,
    comparing.blueprint,
    runs.blueprint,
    audit.blueprint,
    findings.blueprint,
    schedules.blueprint,
    packs.blueprint,
    requests.blueprint,
    one_request.blueprint,
    customer_file.blueprint,
    processing.blueprint,
    uses.blueprint,
)
"""Every face for people that is mounted; a new one takes its place here."""
