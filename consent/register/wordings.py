"""The words that stood behind what a customer said: of each scope the exact wording, in the language he was shown."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from consent import notices
from consent.base.errors import LedgerBroken
from consent.base.ids import Scope
from consent.base.store import Work
from consent.catalogue.model import Catalogue
from consent.ledger import entry, log
from consent.notices import Published
from consent.register.desk import Desk
from consent.register.history import Said


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """One wording that was shown: the exact words, their hash, and the ledger entry that holds the same hash.

    `position` is None where the wording was published before its notice had an entry of its own; then the catalogue's
    entry stands for it.
    """

    scope: Scope
    notice: str
    version: int
    language: str
    wording: str
    sha256: str
    position: int | None


def shown(desk: Desk, work: Work, said: Iterable[Said]) -> dict[int, list[Wording]]:
    """Return by ledger position which wordings statements were said to; of no scope more than one.

    Raises:
        LedgerBroken: a wording is not the one whose hash the ledger holds.
    """
    known = {(one.key, one.version, one.language): one for one in notices.published(work)}
    return {one.seq: [*_of(desk, work, one, known)] for one in said}


def _of(desk: Desk, work: Work, said: Said, known: dict[tuple[str, int, str], Published]) -> list[Wording]:
    versions = said.statement.notices or {}
    if not versions:
        return []
    catalogue = _in_force(desk, work, said)
    found = []
    for scope, version in versions.items():
        rule = catalogue.scopes.get(scope)
        notice = catalogue.notice_of(rule.notice, version) if rule else None
        if notice is None:
            continue
        language = notice.spoken(said.statement.language)
        words = notice.wording[language]
        there = known.get((notice.key, version, language))
        digest = hashlib.sha256(words.encode()).digest()
        if there is not None and there.digest != digest:
            msg = f"the wording of notice {notice.key}, version {version}, is not the one that was published"
            raise LedgerBroken(msg)
        found.append(
            Wording(
                scope=scope,
                notice=notice.key,
                version=version,
                language=language,
                wording=words,
                sha256=digest.hex(),
                position=there.position if there else None,
            )
        )
    return found


def _in_force(desk: Desk, work: Work, said: Said) -> Catalogue:
    """Return the catalogue under which a statement was recorded: its entry in the ledger names the version."""
    read = entry.read(log.body_at(work, said.seq))
    if read is None:
        msg = f"entry {said.seq} is not of the form"
        raise LedgerBroken(msg)
    return desk.catalogues.version(work, read.catalogue_version)
