"""USE CASE: the record of processing activities (GDPR Art. 30): what the catalogue declares, beside what was done.

What is declared comes from the catalogue in force, what was done from the recorded uses, by what they were for. Where
the two differ, somebody has to look: `differing` says where.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from consent.base.database import table_of
from consent.base.store import Work
from consent.catalogue import dpv
from consent.catalogue.model import Catalogue, LegalBasis, Origin, Purpose, ScopeRule
from consent.register.desk import Desk
from consent.rights.looking import RIGHTS
from consent.tables import CatalogueVersionRow, DataUseRow

IDLE_DAYS: Final = 365
"""After so many days without a use, a purpose is asked for nothing."""

PEOPLE: Final = "Customers, and people who asked to become customers"
ANSWERING: Final = "answering"
"""The one activity that no catalogue declares: the law does."""

_use: Final = table_of(DataUseRow)
_version: Final = table_of(CatalogueVersionRow)

Contacted = Callable[[Work, datetime], Mapping[tuple[str, str], int]]
"""From an instant to how often customers were reached since, by (channel, purpose): known to the floors above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """A category of data within an activity: for how long it is kept for it, and on which basis it is used."""

    category: str
    title: str
    origin: Origin
    special: bool
    terms: tuple[str, ...]
    basis: LegalBasis
    kept_for: str
    """ISO 8601; "" where the catalogue sets no end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A channel on which customers are reached, or a recipient to whom data go."""

    key: str
    title: str
    basis: LegalBasis
    kept_for: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was really done since an instant: uses of data, how many customers they were of, when first and last."""

    uses: int = 0
    customers: int = 0
    """Added up over uses: somebody used twice counts twice."""
    categories: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    reached: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One purpose, declared and done."""

    key: str
    title: str
    description: str
    marketing: bool
    terms: tuple[str, ...]
    people: str
    data: tuple[Data, ...]
    channels: tuple[Way, ...]
    recipients: tuple[Way, ...]
    done: Done

    @property
    def bases(self) -> tuple[LegalBasis, ...]:
        """On which bases it stands."""
        ways = (*self.channels, *self.recipients)
        return tuple(dict.fromkeys((*(each.basis for each in self.data), *(each.basis for each in ways))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A technical or organisational measure, with the term for it, and what it is in this deployment."""

    title: str
    term: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The record, as of an instant."""

    controller: str
    address: str
    email: str
    at: datetime
    since: datetime
    """From when on it was counted what was done."""
    catalogue: int
    published_at: datetime
    activities: tuple[Activity, ...]
    measures: tuple[Measure, ...]


MEASURES: Final = (
    Measure(
        title="Sealed by customer and category",
        term="dpv:EncryptionAtRest",
        what="What is remembered is encrypted (AES-256-GCM) under a key of each customer's own, category by category.",
    ),
    Measure(
        title="Keys apart from data",
        term="dpv:CryptographicKeyManagement",
        what="Customers' keys are wrapped by a key that is not in the database; erasing somebody destroys his.",
    ),
    Measure(
        title="Pseudonyms",
        term="dpv:Pseudonymisation",
        what="Addresses and references are kept as keyed hashes; everything else names customers by a pseudonym.",
    ),
    Measure(
        title="One door to data",
        term="dpv:AccessControlMethod",
        what="Data are opened for a permitted purpose, or for a right of the customer's, and each use is recorded.",
    ),
    Measure(
        title="Roles",
        term="dpv:AuthorisationProtocols",
        what="Every page, route and command names who may; who writes a campaign does not approve it.",
    ),
    Measure(
        title="A ledger that shows changes",
        term="dpv:DigitalSignatures",
        what="What customers said and what was done stands in a Merkle tree with signed checkpoints.",
    ),
    Measure(
        title="Audits",
        term="dpv:SecurityAudit",
        what="Checks recompute every permission, decision and use from the ledger, on a schedule.",
    ),
)
"""What holds in every deployment, because the code can't do otherwise."""


def record(
    desk: Desk, work: Work, *, at: datetime, days: int = IDLE_DAYS, contacted: Contacted | None = None,
    measures: Sequence[Measure] = (),
) -> Record:  # fmt: skip
    """Return the record of processing activities.

    Args:
        desk: keys and catalogues.
        work: a transaction.
        at: now.
        days: how far to look back at what was done.
        contacted: how often customers were reached, from the floor that reaches them.
        measures: of this deployment, beside those that hold in every one.

    Raises:
        NotFound: no catalogue is published yet.
    """
    catalogue, since = desk.catalogues.current(work), at - timedelta(days=days)
    done = done_since(work, since)
    reached = contacted(work, since) if contacted else {}
    published = sa.select(_version.c.published_at).where(_version.c.version == catalogue.version)
    who = catalogue.controller
    activities = [_activity(catalogue, purpose, done, reached) for purpose in catalogue.purposes.values()]
    return Record(
        controller=who.name or catalogue.name,
        address=who.address,
        email=who.email,
        at=at,
        since=since,
        catalogue=catalogue.version,
        published_at=work.connection.execute(published).scalar_one(),
        activities=(*activities, _answering(catalogue, done)),
        measures=(*MEASURES, *measures),
    )


def done_since(work: Work, since: datetime) -> dict[str, Done]:
    """Return what was done since an instant, by purpose; what rights took is all under `ANSWERING`."""
    groups = (_use.c.purpose, _use.c.categories, _use.c.recipient)
    query = sa.select(
        *groups,
        sa.func.count().label("uses"),
        sa.func.sum(_use.c.customers).label("customers"),
        sa.func.min(_use.c.at).label("first"),
        sa.func.max(_use.c.at).label("last"),
    ).where(_use.c.at >= since)
    found: dict[str, Done] = {}
    for row in work.connection.execute(query.group_by(*groups).order_by(*groups)):
        key = ANSWERING if row.purpose.startswith(RIGHTS) else row.purpose
        was = found.get(key, Done())
        named = {name for name in (*was.categories, *row.categories.split(",")) if name}
        found[key] = Done(
            uses=was.uses + row.uses,
            customers=was.customers + int(row.customers),
            categories=tuple(sorted(named)),
            recipients=tuple(sorted({*was.recipients, *([row.recipient] if row.recipient else [])})),
            first_at=min(filter(None, (was.first_at, row.first))),
            last_at=max(filter(None, (was.last_at, row.last))),
        )
    return found


def _activity(
    catalogue: Catalogue, purpose: Purpose, done: Mapping[str, Done], reached: Mapping[tuple[str, str], int]
) -> Activity:
    rules = [rule for rule in catalogue.in_order if rule.purpose == purpose.key]
    times = sum(count for (_, key), count in reached.items() if key == purpose.key)
    was = done.get(purpose.key, Done())
    return Activity(
        key=purpose.key,
        title=purpose.title,
        description=purpose.description,
        marketing=purpose.marketing,
        terms=dpv.purpose_terms(purpose),
        people=PEOPLE,
        data=tuple(_data(catalogue, rule) for rule in rules if rule.operation == "use"),
        channels=tuple(
            _way(rule, catalogue.channels[rule.target].title) for rule in rules if rule.operation == "contact"
        ),
        recipients=tuple(
            _way(rule, catalogue.recipients[rule.target].title) for rule in rules if rule.operation == "share"
        ),
        done=Done(
            uses=was.uses,
            customers=was.customers,
            categories=was.categories,
            recipients=was.recipients,
            reached=times,
            first_at=was.first_at,
            last_at=was.last_at,
        ),
    )


def _answering(catalogue: Catalogue, done: Mapping[str, Done]) -> Activity:
    """Return what the law makes everybody do: account to customers, and answer what they ask for by right."""
    return Activity(
        key=ANSWERING,
        title="Answering to customers for their data",
        description="Access, copies, corrections, restriction, objection and erasure; and accounting for all of it.",
        marketing=False,
        terms=("dpv:RightsFulfilment",),
        people=PEOPLE,
        data=tuple(
            Data(
                category=each.key, title=each.title, origin=each.origin, special=each.special,
                terms=dpv.data_terms(each), basis=LegalBasis.LEGAL_OBLIGATION, kept_for="",
            )
            for each in catalogue.categories.values()
        ),
        channels=(),
        recipients=(),
        done=done.get(ANSWERING, Done()),
    )  # fmt: skip


def _data(catalogue: Catalogue, rule: ScopeRule) -> Data:
    category = catalogue.categories[rule.target]
    return Data(
        category=category.key,
        title=category.title,
        origin=category.origin,
        special=category.special,
        terms=dpv.data_terms(category),
        basis=rule.legal_basis,
        kept_for=rule.retention.written() if rule.retention else "",
    )


def _way(rule: ScopeRule, title: str) -> Way:
    kept_for = rule.retention.written() if rule.retention else ""
    return Way(key=rule.target, title=title, basis=rule.legal_basis, kept_for=kept_for)
