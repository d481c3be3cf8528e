"""Publish catalogues, and note in the ledger what the deployment itself did."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from consent import catalogues, notices
from consent.base.canonical import b64u
from consent.base.errors import EntryUnknown, KeyLost, LedgerBroken, StateConflict
from consent.base.store import Work
from consent.catalogue.fitness import require_fit
from consent.catalogue.model import Catalogue, Notice
from consent.ledger import entry, log
from consent.ledger.entry import ORIGIN, Kind
from consent.ledger.log import Appended, Appender
from consent.notices import Published
from consent.register.desk import Desk
from consent.register.payloads import LOG_OWNER, opened_payload, sealed_payload
from consent.tables import CatalogueVersionRow, DataKeyRow, LedgerLogRow, LedgerPayloadRow, ScopeBitRow
from consent.vault import seal


def found(desk: Desk, work: Work, name: str, *, at: datetime) -> str:
    """Found the deployment: its first log, and the data key of its own payloads. Returns the log's origin.

    Raises:
        StateConflict: it was founded before, or the name can't be part of an origin.
    """
    origin = f"{name}/consent/{at.year}h{(at.month + 5) // 6}"
    if not ORIGIN.fullmatch(origin):
        msg = f"{name!r} can't name a log: use a host name, like shop.example"
        raise StateConflict(msg)
    if work.connection.execute(sa.select(LedgerLogRow.id)).first():
        msg = "this database has a ledger already"
        raise StateConflict(msg)
    log.open_log(work, origin, at)
    wrapped = desk.keys.wrap(LOG_OWNER, os.urandom(seal.DATA_KEY_BYTES))
    row = {"owner": LOG_OWNER, "kek": wrapped.kek, "wrapped": wrapped.key}
    work.connection.execute(sa.insert(DataKeyRow).values(**row))
    return origin


def note(desk: Desk, work: Work, kind: Kind, payload: Mapping[str, Any], *, at: datetime) -> Appended:
    """Append an entry about what the deployment did (an audit, a chunk of decisions, an import)."""
    appender = Appender(work, at)
    sealed, commitment = sealed_payload(desk.data_key(work, LOG_OWNER), LOG_OWNER, payload)
    appended = appender.add(kind, LOG_OWNER, sealed=sealed, commitment=commitment)
    appender.flush()
    return appended


def noted(desk: Desk, work: Work, log_number: int, seq: int) -> dict[str, Any]:
    """Return what an entry about the deployment itself says, out of its sealed payload.

    Raises:
        EntryUnknown: there is no such entry, or none of the deployment's own.
        LedgerBroken: its payload doesn't open, or is not the one that the entry commits to.
    """
    query = sa.select(LedgerPayloadRow.sealed).where(
        LedgerPayloadRow.log == log_number, LedgerPayloadRow.seq == seq, LedgerPayloadRow.owner == LOG_OWNER
    )
    sealed = work.connection.execute(query).scalar()
    read = entry.read(log.body_of(work, log_number, seq))
    if sealed is None or read is None:
        msg = f"entry {seq} is not one of the deployment's own"
        raise EntryUnknown(msg)
    try:
        payload, plain = opened_payload(desk.data_key(work, LOG_OWNER), LOG_OWNER, bytes(sealed))
    except KeyLost as lost:
        msg = f"the payload of entry {seq} does not open"
        raise LedgerBroken(msg) from lost
    if not entry.opens(plain, read.commitment):
        msg = f"the payload of entry {seq} is not the one that the entry commits to"
        raise LedgerBroken(msg)
    return payload


def publish(desk: Desk, work: Work, catalogue: Catalogue, *, actor: str, at: datetime) -> int:
    """Publish a catalogue: give it a number, its new scopes their bits, and an entry in the ledger.

    The entry itself carries the new number: from the next entry on the new catalogue is in force. Then comes an entry
    for each notice version that is new, with the hash of its wording in each language.

    Raises:
        StateConflict: the version in force has exactly the same bytes.
        CatalogueInvalid: it breaks a rule that catalogues have to keep from now on, or changes words that were shown.
    """
    appender = Appender(work, at)
    number = appender.catalogue_version + 1
    earlier = [desk.catalogues.version(work, each) for each in range(1, number)]
    if earlier and earlier[-1].digest == catalogue.digest:
        msg = f"version {number - 1} is exactly this file"
        raise StateConflict(msg)
    known = _required_fit(work, catalogue, earlier)
    desk.catalogues.forget(number)
    _give_bits(work, catalogue)
    appender.catalogue_version = number
    told = {"actor": actor, "digest": b64u(catalogue.digest), "name": catalogue.name, "version": number}
    appended = _told(desk, work, appender, Kind.CATALOGUE_PUBLISHED, told)
    row = {
        "version": number, "hash": catalogue.digest, "body": catalogue.body,
        "published_at": appender.at, "log": appender.log, "seq": appended.seq,
    }  # fmt: skip
    work.connection.execute(sa.insert(CatalogueVersionRow).values(**row))
    _publish_notices(desk, work, appender, catalogue, known, actor=actor)
    appender.flush()
    return number


def require_publishable(desk: Desk, work: Work, catalogue: Catalogue) -> None:
    """Refuse a catalogue that `publish` would refuse for what is in it.

    Raises:
        CatalogueInvalid: it breaks a rule that catalogues have to keep from now on, or changes words that were shown.
    """
    newest = log.head(work).catalogue_version
    _required_fit(work, catalogue, [desk.catalogues.version(work, each) for each in range(1, newest + 1)])


def _required_fit(work: Work, catalogue: Catalogue, earlier: Sequence[Catalogue]) -> Mapping[tuple[str, int], Notice]:
    """Refuse a catalogue that may not be published after these; return every notice version that was."""
    known = notices.by_version(work)
    require_fit(catalogue, {**(earlier[-1].notices if earlier else {}), **known}, earlier)
    return known


def _told(desk: Desk, work: Work, appender: Appender, kind: Kind, payload: Mapping[str, Any]) -> Appended:
    sealed, commitment = sealed_payload(desk.data_key(work, LOG_OWNER), LOG_OWNER, payload)
    return appender.add(kind, LOG_OWNER, sealed=sealed, commitment=commitment)


def _publish_notices(
    desk: Desk,
    work: Work,
    appender: Appender,
    catalogue: Catalogue,
    known: Mapping[tuple[str, int], Notice],
    *,
    actor: str,
) -> None:
    """Add an entry for each notice version that is new, or new in some language, and keep its exact words."""
    for key, notice in sorted(catalogue.notices.items()):
        spoken = known[key].wording if key in known else {}
        new = sorted(language for language in notice.wording if language not in spoken)
        if not new:
            continue
        hashes = {language: hashlib.sha256(notice.wording[language].encode()).digest() for language in new}
        told = {
            "actor": actor, "catalogue": appender.catalogue_version, "notice": notice.key, "version": notice.version,
            "material": notice.material, "languages": new, "hashes": [b64u(hashes[language]) for language in new],
        }  # fmt: skip
        appended = _told(desk, work, appender, Kind.NOTICE_PUBLISHED, told)
        notices.note(
            work,
            [
                Published(
                    key=notice.key,
                    version=notice.version,
                    language=language,
                    material=notice.material,
                    wording=notice.wording[language],
                    digest=hashes[language],
                    published_at=appender.at,
                    position=appended.position,
                )
                for language in new
            ],
        )


def _give_bits(work: Work, catalogue: Catalogue) -> None:
    given = catalogues.bits(work)
    rows = [{"scope": scope, "bit": bit} for scope, bit in new_bits(catalogue, given).items()]
    if rows:
        work.connection.execute(sa.insert(ScopeBitRow), rows)


def new_bits(catalogue: Catalogue, given: Mapping[str, int]) -> dict[str, int]:
    """Return the bits that a catalogue's new scopes get: the next ones, in the order of presentation."""
    new = [rule.scope for rule in catalogue.in_order if rule.scope not in given]
    first = max(given.values(), default=-1) + 1
    return {scope: first + spot for spot, scope in enumerate(new)}
