"""Published notices: the exact words of every version, in every language, and the entries that tell of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from consent.base.database import table_of
from consent.base.errors import NotFound
from consent.base.store import Work
from consent.catalogue.model import Notice
from consent.tables import NoticeRow

_row: Final = table_of(NoticeRow)
_NAMED: Final = 20


class NoticeUnknown(NotFound):
    """No notice of that key, version and language was ever published."""

    code = "notice_unknown"
    title = "No such notice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One wording, as it was published."""

    key: str
    version: int
    language: str
    material: bool
    wording: str
    digest: bytes
    """SHA-256 of the wording's UTF-8 bytes: the ledger's entry holds the same."""
    published_at: datetime
    position: int
    """Of the entry that tells of it."""


def published(work: Work, key: str = "", version: int = 0) -> list[Published]:
    """Return what was published: of one notice, of one version of it, or all; by key, version and language."""
    query = sa.select(_row).order_by(_row.c.key, _row.c.version, _row.c.language)
    if key:
        query = query.where(_row.c.key == key)
    if version:
        query = query.where(_row.c.version == version)
    return [_published(row) for row in work.connection.execute(query)]


def wording(work: Work, key: str, version: int, language: str) -> Published:
    """Return the wording that whoever asked for a language was shown: in that, in its parent, or in English.

    Raises:
        NoticeUnknown: there is no such notice.
    """
    found = {each.language: each for each in published(work, key, version)} if key and version > 0 else {}
    if not found:
        raise NoticeUnknown(_why_unknown(work, key, version))
    words = {spoken: each.wording for spoken, each in found.items()}
    return found[Notice(key=key, version=version, material=True, wording=words).spoken(language)]


def _why_unknown(work: Work, key: str, version: int) -> str:
    """Say what is wrong about a notice that isn't there: its version, or its name."""
    if versions := sorted({each.version for each in published(work, key)} if key else ()):
        return f"notice {key} has no version {version}: its newest is {versions[-1]}"
    known = sorted({each.key for each in published(work)})
    more = ", …" if len(known) > _NAMED else ""
    return f"no notice is called {key[:80]!r}; there are: {', '.join(known[:_NAMED]) or 'none yet'}{more}"


def by_version(work: Work) -> dict[tuple[str, int], Notice]:
    """Return every published notice version, with all its wordings."""
    found: dict[tuple[str, int], list[Published]] = {}
    for each in published(work):
        found.setdefault((each.key, each.version), []).append(each)
    return {
        (key, version): Notice(
            key=key,
            version=version,
            material=spoken[-1].material,
            wording={each.language: each.wording for each in spoken},
            since=min(each.published_at for each in spoken),
        )
        for (key, version), spoken in found.items()
    }


def note(work: Work, wordings: Iterable[Published]) -> None:
    """Write wordings down, for ever."""
    rows = [
        {
            "key": each.key, "version": each.version, "language": each.language, "material": each.material,
            "wording": each.wording, "digest": each.digest, "published_at": each.published_at,
            "position": each.position,
        }
        for each in wordings
    ]  # fmt: skip
    if rows:
        work.connection.execute(sa.insert(NoticeRow), rows)


def _published(row: sa.Row[tuple[object, ...]]) -> Published:
    return Published(**{**row._asdict(), "digest": bytes(row.digest)})
