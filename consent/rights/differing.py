"""What was done and is not declared, and what is declared and not done: where the record contradicts itself.

Either the catalogue lacks something, or the company does something that it never told anybody, or it asks customers
about what it doesn't do. An audit makes findings of these.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from consent.base.counting import counted
from consent.base.database import table_of
from consent.base.errors import NotFound
from consent.base.store import Work
from consent.catalogue.model import Catalogue
from consent.ledger.log import position_in
from consent.register.desk import Desk
from consent.rights.looking import RIGHTS
from consent.rights.processing import IDLE_DAYS, Contacted, done_since
from consent.tables import CatalogueVersionRow, DataUseRow

_use: Final = table_of(DataUseRow)
_version: Final = table_of(CatalogueVersionRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A contradiction. `kind` is one of the constants below; `subject` a scope or a purpose, nobody's name."""

    kind: str
    subject: str
    why: str


UNDECLARED_PURPOSE: Final = "undeclared_purpose"
UNDECLARED_USE: Final = "undeclared_use"
UNDECLARED_RECIPIENT: Final = "undeclared_recipient"
NEVER_USED: Final = "never_used"


def differences(
    desk: Desk, work: Work, *, at: datetime, days: int = IDLE_DAYS, contacted: Contacted | None = None
) -> Iterator[Difference]:
    """Walk what was done and isn't declared, and what is declared and wasn't done for so many days.

    Each use is held against the catalogue of its own time, which its ledger position names. A purpose that customers
    are only reached for can't be judged without knowing how often they were: it is passed over where that isn't given.

    Raises:
        NotFound: no catalogue is published yet.
    """
    yield from _undeclared(desk, work)
    yield from _idle(desk, work, at - timedelta(days=days), days, contacted)


def _undeclared(desk: Desk, work: Work) -> Iterator[Difference]:
    first = position_in(_version)
    rows = work.connection.execute(sa.select(_version.c.version, first).order_by(_version.c.version)).all()
    ends = [place for _, place in rows[1:]]
    told: set[str] = set()
    for (version, begins), end in zip(rows, [*ends, None], strict=True):
        catalogue = desk.catalogues.version(work, version)
        for purpose, categories, recipient, count, last in _grouped(work, begins, end):
            for one in _faults(catalogue, purpose, categories, recipient):
                if one.subject not in told:  # once, though it goes on over several versions
                    told.add(one.subject)
                    more = (
                        f"{count} use{'' if count == 1 else 's'} under catalogue {version}, the last on {last:%Y-%m-%d}"
                    )
                    yield Difference(kind=one.kind, subject=one.subject, why=f"{one.why}: {more}")


def _grouped(work: Work, begins: int, end: int | None) -> Iterator[tuple[str, list[str], str, int, datetime]]:
    """Walk the uses that were judged while the entry at `begins` was the newest catalogue's, grouped by what for.

    A catalogue is in force for whatever is judged behind its own entry. A use that nobody's data came of is none.
    """
    mine = [_use.c.position > begins, _use.c.customers > 0, sa.not_(_use.c.purpose.startswith(RIGHTS))]
    if end is not None:
        mine.append(_use.c.position <= end)
    groups = (_use.c.purpose, _use.c.categories, _use.c.recipient)
    query = sa.select(*groups, sa.func.count().label("times"), sa.func.max(_use.c.at).label("last"))
    for row in work.connection.execute(query.where(*mine).group_by(*groups).order_by(*groups)):
        yield row.purpose, [name for name in row.categories.split(",") if name], row.recipient, row.times, row.last


_FORMERLY: Final = "evidence"
"""What packs were recorded under before they had a name that no purpose of a catalogue has."""


def _faults(catalogue: Catalogue, purpose: str, categories: Sequence[str], recipient: str) -> Iterator[Difference]:
    if purpose not in catalogue.purposes:
        if purpose == _FORMERLY:
            return  # by a purpose that no catalogue declares the gate gives nothing: it was a pack
        named = repr(purpose) if purpose else "no purpose"
        yield Difference(
            kind=UNDECLARED_PURPOSE,
            subject=purpose or "(none)",
            why=f"data were used for {named}, which isn't declared",
        )
        return
    for category in categories:
        scope = f"use:{category}:{purpose}"
        if scope not in catalogue.scopes:
            why = f"data of {category} were used for {purpose}, which isn't declared"
            yield Difference(kind=UNDECLARED_USE, subject=scope, why=why)
    scope = f"share:{recipient}:{purpose}"
    if recipient and scope not in catalogue.scopes:
        why = f"data went to {recipient} for {purpose}, which isn't declared"
        yield Difference(kind=UNDECLARED_RECIPIENT, subject=scope, why=why)


def _idle(desk: Desk, work: Work, since: datetime, days: int, contacted: Contacted | None) -> Iterator[Difference]:
    catalogue = desk.catalogues.current(work)
    reached = {purpose for _, purpose in contacted(work, since)} if contacted else set()
    used = {purpose for purpose, done in done_since(work, since).items() if done.uses}
    for key in catalogue.purposes:
        rules = [rule for rule in catalogue.scopes.values() if rule.purpose == key]
        judged = any(rule.operation == "use" for rule in rules) or (rules and contacted is not None)
        if judged and key not in used | reached and _declared_since(desk, work, key) <= since:
            idle = f"for {counted(days, 'day')} nothing was done for it"
            why = f"customers are asked about it, and {idle}: ask no more, or use it"
            yield Difference(kind=NEVER_USED, subject=key, why=why)


def _declared_since(desk: Desk, work: Work, purpose: str) -> datetime:
    """Return when a purpose of the catalogue in force came to be declared, without a break since."""
    query = sa.select(_version.c.version, _version.c.published_at).order_by(_version.c.version.desc())
    since: datetime | None = None
    for version, published_at in work.connection.execute(query):
        if purpose not in desk.catalogues.version(work, version).purposes:
            break
        since = published_at
    if since is None:
        msg = f"no catalogue declares {purpose}"
        raise NotFound(msg)
    return since
