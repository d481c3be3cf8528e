"""Published campaigns, contact policies and fitted models: immutable versions, each with a hash."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Literal

import orjson
import sqlalchemy as sa

from consent.base.canonical import b64u
from consent.base.database import Hot, table_of
from consent.base.errors import CampaignUnknown, ContactPolicyUnknown, LedgerBroken, StateConflict
from consent.base.store import Work
from consent.catalogue.model import Catalogue
from consent.ledger.entry import Kind
from consent.register import publishing
from consent.register.desk import Desk
from personalise.campaigns.model import Campaign, digest_of
from personalise.campaigns.reading import parse_campaign
from personalise.contact_policy.model import NONE, ContactPolicy, Goodwill, Holdout
from personalise.contact_policy.reading import parse_contact_policy, parse_goodwill, parse_holdout
from personalise.steps.invent.response import Response, from_body
from personalise.tables import CampaignVersionRow, ContactPolicyVersionRow, ModelVersionRow

_KEPT: Final = 64
NEWEST: Final = -1
"""In place of a version's number."""


def _version_of(
    table: sa.FromClause, *where: sa.ColumnElement[bool], also: tuple[sa.ColumnElement[Any], ...] = ()
) -> sa.Select[Any]:
    """Return the query of one version, or of the newest: number, body, format, and what else."""
    wanted = sa.bindparam("version", type_=sa.Integer())
    query = sa.select(table.c.version, table.c.body, table.c.format, *also)
    query = query.where(*where, sa.or_(table.c.version == wanted, wanted == NEWEST))
    return query.order_by(table.c.version.desc()).limit(sa.literal_column("1"))


_campaigns: Final = table_of(CampaignVersionRow)
_CAMPAIGN: Final = Hot(
    _version_of(
        _campaigns, _campaigns.c.key == sa.bindparam("key"), also=(_campaigns.c.hash, _campaigns.c.compiled)
    ),
    "key", "version",
)  # fmt: skip
_models: Final = table_of(ModelVersionRow)
_MODEL: Final = Hot(
    sa.select(_models.c.version, _models.c.body, _models.c.hash)
    .where(
        _models.c.campaign == sa.bindparam("campaign"),
        sa.or_(_models.c.version == sa.bindparam("version"), sa.bindparam("version") == NEWEST),
    )
    .order_by(_models.c.version.desc())
    .limit(1),
    "campaign", "version",
)  # fmt: skip
_policies: Final = table_of(ContactPolicyVersionRow)
_CONTACT_POLICY: Final = Hot(_version_of(_policies, also=(_policies.c.hash,)), "version")


@dataclass(frozen=True, slots=True)
class _Under:
    """A catalogue as part of a cache's key: by its version and bytes."""

    version: int
    digest: bytes
    catalogue: Catalogue = field(compare=False, repr=False)


@lru_cache(maxsize=_KEPT)
def _campaign(body: str, form: Literal["toml", "json"], compiled: str, under: _Under) -> Campaign:
    """Read a published campaign: versions never change, so each is read once, for thousands of live decisions."""
    return parse_campaign(body, form, under.catalogue, orjson.loads(compiled) if compiled else {})


@lru_cache(maxsize=_KEPT)
def _contact_policy(body: str, form: Literal["toml", "json"], under: _Under, version: int) -> ContactPolicy:
    return parse_contact_policy(body, form, under.catalogue, version=version)


@lru_cache(maxsize=_KEPT)
def _goodwill(body: str, form: Literal["toml", "json"]) -> Goodwill:
    return parse_goodwill(body, form)


@lru_cache(maxsize=_KEPT)
def _holdout(body: str, form: Literal["toml", "json"]) -> Holdout:
    return parse_holdout(body, form)


@lru_cache(maxsize=_KEPT)
def _model(body: str) -> Response:
    return from_body(body)


@lru_cache(maxsize=_KEPT)
def _require_bytes(body: str, compiled: str, digest: bytes, which: str) -> None:
    """Require a version to have the bytes that it was published with: nobody is decided about by others.

    Raises:
        LedgerBroken: it has others.
    """
    if digest_of(body, compiled) != digest:
        msg = f"{which} was changed since it was published: its bytes do not hash to its hash; run an audit"
        raise LedgerBroken(msg)


def _under(catalogue: Catalogue) -> _Under:
    return _Under(catalogue.version, catalogue.digest, catalogue)


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
    if newest and bytes(newest.hash) == campaign.digest:
        msg = f"version {newest.version} of {campaign.key} is exactly this file"
        raise StateConflict(msg)
    number = (newest.version if newest else 0) + 1
    row = {
        "key": campaign.key, "version": number, "hash": campaign.digest, "body": campaign.body,
        "format": campaign.format, "published_at": at, "published_by": actor, "compiled": campaign.compiled,
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


def newest_contact_policy(work: Work) -> int:
    """Return the number of the newest contact policy; 0 where none is published."""
    newest: int | None = work.connection.execute(sa.select(sa.func.max(ContactPolicyVersionRow.version))).scalar()
    return newest or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """A version of the contact policy: who published it, when, and at which position of the ledger."""

    version: int
    published_at: datetime
    published_by: str
    position: int
    format: str


def contact_policies(work: Work) -> list[PolicyVersion]:
    """Return every version of the contact policy, the newest first."""
    names = ("version", "published_at", "published_by", "position", "format")
    columns = [getattr(ContactPolicyVersionRow, name) for name in names]
    rows = work.connection.execute(sa.select(*columns).order_by(ContactPolicyVersionRow.version.desc()))
    return [PolicyVersion(**dict(zip(names, row, strict=True))) for row in rows]


def written_contact_policy(
    work: Work, *, version: int | None = None
) -> tuple[int, str, Literal["toml", "json"]] | None:
    """Return the newest contact policy, or a version of it, as it was written: number, text and format.

    Whether it still holds under the catalogue nobody asks here. None stands for "none": nothing is published, or
    version 0 was asked for.

    Raises:
        ContactPolicyUnknown: there is no such version.
        LedgerBroken: its bytes were changed since.
    """
    row = None if version == 0 else work.run(_CONTACT_POLICY, version or NEWEST).fetchone()
    if row is None and version:
        newest = newest_contact_policy(work)
        msg = f"it has no version {version}: {f'its newest is {newest}' if newest else 'none was published yet'}"
        raise ContactPolicyUnknown(msg)
    if row is not None:
        _require_policy(row)
    return None if row is None else (row[0], row[1], row[2])


def _require_policy(row: Sequence[Any]) -> tuple[str, Literal["toml", "json"]]:
    number, body, form, digest = row
    _require_bytes(body, "", bytes(digest), f"version {number} of the contact policy")
    return body, form


def load_contact_policy(work: Work, catalogue: Catalogue, *, version: int | None = None) -> ContactPolicy:
    """Return the newest contact policy, or one version of it (0 is "none"), read under `catalogue`.

    Raises:
        ContactPolicyUnknown: there is no such version.
        ContactPolicyInvalid: the catalogue has changed, so that it no longer holds; every place is named.
    """
    written = written_contact_policy(work, version=version)
    if written is None:
        return NONE
    number, body, form = written
    return _contact_policy(body, form, _under(catalogue), number)


def goodwill_terms(work: Work) -> Goodwill:
    """Return what the newest contact policy says of goodwill, under any catalogue; where there is none, nothing."""
    row = work.run(_CONTACT_POLICY, NEWEST).fetchone()
    return _goodwill(*_require_policy(row)) if row else NONE.goodwill


def company_holdout(work: Work, version: int = NEWEST) -> Holdout:
    """Return whom a version of the contact policy (0: none) holds out of all campaigns, under any catalogue."""
    row = work.run(_CONTACT_POLICY, version).fetchone() if version else None
    return _holdout(*_require_policy(row)) if row else NONE.holdout


def company_holdout_since(work: Work) -> datetime | None:
    """Return from when on the company has held out whom it holds out now; None where it holds out nobody."""
    table = table_of(ContactPolicyVersionRow)
    query = sa.select(table.c.body, table.c.format, table.c.published_at).order_by(table.c.version.desc())
    since, now = None, None
    for body, form, published_at in work.connection.execute(query):
        held = _holdout(body, form)
        now = now or held
        if not held.share or held != now:
            break
        since = published_at
    return since


def load(work: Work, key: str, catalogue: Catalogue, *, version: int = 0) -> tuple[Campaign, int]:
    """Return a campaign (its newest version, or the one asked for), read under `catalogue`.

    Raises:
        CampaignUnknown: no campaign by that key, or no such version.
        CampaignInvalid: the catalogue has changed, so that it no longer holds; every place is named.
        LedgerBroken: its bytes were changed since it was published.
    """
    row = work.run(_CAMPAIGN, key, version or NEWEST).fetchone()
    if row is None:
        raise unknown(work, key, version)
    number, body, form, digest, compiled = row
    _require_bytes(body, compiled, bytes(digest), f"version {number} of campaign {key}")
    return _campaign(body, form, compiled, _under(catalogue)), number


def unknown(work: Work, key: str, version: int = 0) -> CampaignUnknown:
    """Return the error of a campaign that isn't there, or of a version that it hasn't (0: any)."""
    newest = work.run(_CAMPAIGN, key, NEWEST).fetchone() if version else None
    if newest is not None:
        return CampaignUnknown(f"{key!r} has no version {version}: its newest is {newest[0]}")
    return CampaignUnknown(f"{key[:80]!r}: publish it first with `byleave campaign publish FILE`")


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
    """Return the campaign's newest model (or one version of it; 0 is "none"), with its number.

    Raises:
        LedgerBroken: its bytes were changed since it was fitted.
    """
    row = work.run(_MODEL, campaign, NEWEST if version is None else version).fetchone()
    if row is None:
        return None, 0
    number, body, digest = row
    _require_bytes(body, "", bytes(digest), f"model {number} of campaign {campaign}")
    return _model(body), number
