"""Published catalogues: read from the database once a process and version."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

import sqlalchemy as sa

from consent import notices
from consent.base.errors import NotFound
from consent.base.store import Work
from consent.catalogue.model import Catalogue, published
from consent.catalogue.reading import parse_catalogue
from consent.ledger import log
from consent.ledger.position import position
from consent.tables import CatalogueVersionRow, ScopeBitRow

NO_CATALOGUE: Final = "no catalogue is published: run `byleave catalogue publish FILE`"


class Catalogues:
    """The published versions. A version never changes, so each is parsed once."""

    def __init__(self) -> None:
        """Start with nothing read."""
        self._read: dict[int, Catalogue] = {}
        self._bits: dict[int, Mapping[str, int]] = {}

    def current(self, work: Work) -> Catalogue:
        """Return the version in force.

        Raises:
            NotFound: none was published yet.
        """
        return self.version(work, log.head(work).catalogue_version)

    def version(self, work: Work, number: int) -> Catalogue:
        """Return one version.

        Raises:
            NotFound: there is no such version.
        """
        known = self._read.get(number)
        if known is None:
            known = self._read[number] = _load(work, number)
        return known

    def bits(self, work: Work, number: int) -> Mapping[str, int]:
        """Return the bit number of every scope that was ever published, up to a version and perhaps later."""
        known = self._bits.get(number)
        if known is None:
            known = self._bits[number] = bits(work)
        return known

    def forget(self, number: int) -> None:
        """Read a version anew when it is next asked for: its number was given before, and that was rolled back."""
        self._read.pop(number, None)
        self._bits.pop(number, None)


class Listed(NamedTuple):
    """One published version: when, under which hash, and by which entry of the ledger."""

    version: int
    digest: bytes
    published_at: datetime
    position: int


def listed(work: Work) -> list[Listed]:
    """Return every published version, the first first."""
    row = CatalogueVersionRow
    query = sa.select(row.version, row.hash, row.published_at, row.log, row.seq).order_by(row.version)
    return [
        Listed(each.version, bytes(each.hash), each.published_at, position(each.log, each.seq))
        for each in work.connection.execute(query)
    ]


def bits(work: Work) -> dict[str, int]:
    """Return the bit number of every scope that was ever published."""
    return {scope: int(bit) for scope, bit in work.connection.execute(sa.select(ScopeBitRow.scope, ScopeBitRow.bit))}


def _load(work: Work, number: int) -> Catalogue:
    query = sa.select(CatalogueVersionRow.body).where(CatalogueVersionRow.version == number)
    body = work.connection.execute(query).scalar()
    if body is None:
        msg = f"there is no catalogue version {number}" if number else NO_CATALOGUE
        raise NotFound(msg)
    return published(parse_catalogue(body), number, bits(work), notices.by_version(work))
