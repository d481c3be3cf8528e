"""Published campaigns, contact policies and fitted models: immutable versions, each with a hash."""

import hashlib
from datetime import datetime
from typing import Literal, cast

import sqlalchemy as sa

from consent.base.canonical import b64u
from consent.base.errors import CampaignUnknown, ContactPolicyUnknown, StateConflict
from consent.base.store import Work
from consent.catalogue.model import Catalogue
from consent.ledger.entry import Kind
from consent.register import publishing
from consent.register.desk import Desk
from personalise.campaigns.model import Campaign
from personalise.campaigns.reading import parse_campaign
from personalise.contact_policy.model import NONE, ContactPolicy
from personalise.contact_policy.reading import parse_contact_policy
from personalise.steps.invent.response import Response, from_body
from personalise.tables import CampaignVersionRow, ContactPolicyVersionRow, ModelVersionRow


def lock(work: Work, key: str) -> None:
    """Let one transaction at a time number a campaign's versions and models, and open its runs.

    SQLite lets one writer in at a time anyway; PostgreSQL needs a lock that stands before there is a row to take.
    """
    if work.dialect == "postgresql":
        name = sa.func.hashtextextended(f"byleave/campaign/{key}", 0)
        work.connection.execute(sa.select(sa.func.pg_advisory_xact_lock(name)))


def publish(work: Work, campaign: Campaign, *, actor: str, at: datetime) -> int:
    """Publish a campaign: its next version, which never changes again.

    Raises:
        StateConflict: the newest version has exactly the same bytes.
    """
    lock(work, campaign.key)
    table = CampaignVersionRow
    query = sa.select(table.version, table.hash).where(table.key == campaign.key).order_by(table.version.desc())
    newest = work.connection.execute(query.limit(1)).first()
    digest = hashlib.sha256(campaign.body.encode()).digest()
    if newest and bytes(newest.hash) == digest:
        msg = f"version {newest.version} of {campaign.key} is exactly this file"
        raise StateConflict(msg)
    number = (newest.version if newest else 0) + 1
    row = {
        "key": campaign.key, "version": number, "hash": digest, "body": campaign.body, "format": campaign.format,
        "published_at": at, "published_by": actor,
    }  # fmt: skip
    work.connection.execute(sa.insert(table).values(**row))
    return number


def newest(work: Work, key: str) -> int:
    """Return the number of a campaign's newest version; 0 where there is none."""
    table = CampaignVersionRow
    return work.connection.execute(sa.select(sa.func.max(table.version)).where(table.key == key)).scalar() or 0


def keys(work: Work) -> list[tuple[str, int, datetime]]:
    """Return every campaign's key, newest version and when that was published, by key."""
    table = CampaignVersionRow
    newest = sa.select(table.key, sa.func.max(table.version).label("version")).group_by(table.key).subquery()
    query = (
        sa.select(table.key, table.version, table.published_at)
        .join(newest, sa.and_(newest.c.key == table.key, newest.c.version == table.version))
        .order_by(table.key)
    )
    return [(row.key, row.version, row.published_at) for row in work.connection.execute(query)]


def publish_contact_policy(desk: Desk, work: Work, policy: ContactPolicy, *, actor: str, at: datetime) -> int:
    """Publish a contact policy: the next version, which never changes again; the ledger commits to it.

    Runs that have started go on under the one they started with.

    Raises:
        StateConflict: the newest version has exactly the same bytes.
    """
    table = ContactPolicyVersionRow
    lock(work, "contact-policy")
    newest = work.connection.execute(sa.select(table.version, table.hash).order_by(table.version.desc())).first()
    digest = hashlib.sha256(policy.body.encode()).digest()
    if newest and bytes(newest.hash) == digest:
        msg = f"version {newest.version} of the contact policy is exactly this file"
        raise StateConflict(msg)
    number = (newest.version if newest else 0) + 1
    payload = {"actor": actor, "digest": b64u(digest), "version": number}
    entry = publishing.note(desk, work, Kind.CONTACT_POLICY_PUBLISHED, payload, at=at)
    row = {
        "version": number, "hash": digest, "body": policy.body, "format": policy.format, "published_at": at,
        "published_by": actor, "position": entry.position,
    }  # fmt: skip
    work.connection.execute(sa.insert(table).values(**row))
    return number


def load_contact_policy(work: Work, catalogue: Catalogue, *, version: int | None = None) -> ContactPolicy:
    """Return the newest contact policy, or one version of it (0 is "none"), read under `catalogue`.

    Raises:
        ContactPolicyUnknown: there is no such version.
        ContactPolicyInvalid: the catalogue has changed, so that it no longer holds; every place is named.
    """
    table = ContactPolicyVersionRow
    query = sa.select(table.version, table.body, table.format)
    if version is not None:
        query = query.where(table.version == version)
    row = work.connection.execute(query.order_by(table.version.desc()).limit(1)).first()
    if row is None and version:
        msg = f"there is no version {version} of the contact policy"
        raise ContactPolicyUnknown(msg)
    if row is None:
        return NONE
    form = cast("Literal['toml', 'json']", row.format)
    return parse_contact_policy(row.body, form, catalogue, version=row.version)


def load(work: Work, key: str, catalogue: Catalogue, *, version: int = 0) -> tuple[Campaign, int]:
    """Return a campaign (its newest version, or the one asked for), read under `catalogue`.

    Raises:
        CampaignUnknown: no campaign by that key, or no such version.
        CampaignInvalid: the catalogue has changed, so that it no longer holds; every place is named.
    """
    table = CampaignVersionRow
    query = sa.select(table.version, table.body, table.format).where(table.key == key)
    query = query.where(table.version == version) if version else query.order_by(table.version.desc()).limit(1)
    row = work.connection.execute(query).first()
    if row is None:
        msg = f"{key[:80]!r}: publish it first with `byleave campaign publish FILE`"
        raise CampaignUnknown(msg)
    return parse_campaign(row.body, cast("Literal['toml', 'json']", row.format), catalogue), row.version


def save_model(work: Work, campaign: str, model: Response, *, rows: int, at: datetime) -> int:
    """Keep a fitted model as the campaign's next version."""
    lock(work, campaign)
    table = ModelVersionRow
    newest = work.connection.execute(sa.select(sa.func.max(table.version)).where(table.campaign == campaign)).scalar()
    number = (newest or 0) + 1
    row = {
        "campaign": campaign, "version": number, "hash": model.digest, "body": model.body(),
        "fitted_at": at, "rows": rows,
    }  # fmt: skip
    work.connection.execute(sa.insert(table).values(**row))
    return number


def load_model(work: Work, campaign: str, *, version: int | None = None) -> tuple[Response | None, int]:
    """Return the campaign's newest model (or one version of it; 0 is "none"), with its number."""
    table = ModelVersionRow
    query = sa.select(table.version, table.body).where(table.campaign == campaign)
    if version is not None:
        query = query.where(table.version == version)
    row = work.connection.execute(query.order_by(table.version.desc()).limit(1)).first()
    return (from_body(row.body), row.version) if row else (None, 0)
