"""The check `packs`: every evidence pack is the one that was handed out, and none that was is forgotten."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from io import BytesIO
from typing import Final, NamedTuple
from zipfile import BadZipFile, ZipFile

import sqlalchemy as sa

from consent.audit import events
from consent.audit.events import Event
from consent.audit.findings import Evidence, Finding, Gap, Judged, Severity, Yielded
from consent.audit.packs import shelf
from consent.audit.packs.shelf import Pack, Stage
from consent.audit.packs.verify import MANIFEST
from consent.audit.tables import EvidencePackRow
from consent.base.canonical import b64u
from consent.base.database import table_of
from consent.base.errors import ByleaveError, KeyLost
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.ledger.entry import Kind
from consent.rights import erasing

KEY: Final = "packs"
_AT_ONCE: Final = 100
_NOWHERE: Final = -1
_row: Final = table_of(EvidencePackRow)


class _Said(NamedTuple):
    """What the first audit that saw a pack's bytes kept says of them, and the position of its entry."""

    digest: str
    size: int
    position: int


def packs(evidence: Evidence) -> Iterator[Yielded]:
    """Hold every pack against the entry that notes it, and its size and digest against its bytes while these are kept.

    The entry commits to the pack's contents; the digest of the zip, which has that entry in it, is committed to by the
    next audit. So that of a pack whose bytes are gone is held against what audits had said until then.
    """
    told: dict[str, Event] = {}
    said: dict[str, _Said] = {}
    for event in events.events(evidence, Kind.EXPORT_MADE, Kind.AUDIT_COMPLETED):
        if event.kind == Kind.EXPORT_MADE and event.why:
            yield Gap(check=KEY, why=f"the export of entry {event.position} can't be read: it {event.why}")
        elif "pack" in event.told:
            told[str(event.told["pack"])] = event
        for pack, digest, size in event.told.get("packs", ()):
            said.setdefault(pack, _Said(digest, size, event.position))
    seen: set[str] = set()
    for pack in _all(evidence):
        seen.add(pack)
        yield from (_named(pack, why) for why in _wrong(evidence, pack, told.get(pack), said.get(pack)))
        yield Judged(1)
    for pack in sorted(told.keys() - seen):
        yield _named(pack, f"entry {told[pack].position} says that it was handed out, and no row of evidence_pack does")


def _all(evidence: Evidence) -> Iterator[str]:
    after = ""
    while True:
        with evidence.store.read() as work:
            query = sa.select(_row.c.id).where(_row.c.id > after).order_by(_row.c.id).limit(_AT_ONCE)
            ids = work.connection.execute(query).scalars().all()
        if not ids:
            return
        yield from ids
        after = ids[-1]


def _wrong(evidence: Evidence, identity: str, event: Event | None, said: _Said | None) -> Iterator[str]:
    """Walk what is kept of a pack otherwise than it was made."""
    with evidence.store.read() as work:
        try:
            pack = shelf.one(work, identity)
        except (ByleaveError, ValueError, KeyError):
            yield "its row says of nothing what a pack can be about"
            return
        event = event or _noted(evidence, pack)
        yield from _as_noted(pack, event)
        if said is not None and (b64u(pack.digest), pack.size) != (said.digest, said.size):
            yield f"its digest or its size is not what the audit of entry {said.position} found"
        if pack.stage is Stage.READY:
            yield from _as_kept(evidence, work, pack, event)
        elif pack.stage is Stage.EXPIRED and _early(evidence, work, pack):
            yield "it is said to be kept no longer, and its time is not over"


def _noted(evidence: Evidence, pack: Pack) -> Event | None:
    """Return the entry that a pack's row names, if it is one about it: it can be newer than those that were walked."""
    event = events.at(evidence, [pack.position]).get(pack.position)
    return event if event and event.kind == Kind.EXPORT_MADE and event.told.get("pack") == pack.id else None


def _as_noted(pack: Pack, event: Event | None) -> Iterator[str]:
    made = pack.stage in {Stage.READY, Stage.EXPIRED}
    if event is None:
        if made or pack.position != _NOWHERE:
            yield f"it is {pack.stage}, and the ledger has not noted it"
        return
    there: Mapping[str, object] = {
        "about": pack.about.as_text(),
        "actor": pack.asked_by,
        "personal": pack.about.personal,
    }
    wrong = [name for name, value in there.items() if event.told.get(name) != value]
    if wrong:
        yield f"its {', '.join(wrong)} is not what entry {event.position} says"
    if not made or pack.position != event.position:
        yield f"it is {pack.stage}, in entry {pack.position}, and entry {event.position} says that it was handed out"


def _as_kept(evidence: Evidence, work: Work, pack: Pack, event: Event | None) -> Iterator[str]:
    """Hold what a row says of a pack's bytes against these, and their manifest against the entry."""
    try:
        body = b"".join(shelf.body(evidence.desk, work, pack))
    except KeyLost:
        yield "its bytes do not open: they were changed, or stand where they were not sealed for"
        return
    if (sha256(body).digest(), len(body)) != (pack.digest, pack.size):
        yield "its digest or its size is not that of its bytes"
    elif event is not None and _manifest(body) != event.told.get("manifest"):
        yield f"its contents are not what entry {event.position} committed to"


def _manifest(body: bytes) -> str:
    """Return the digest of a pack's manifest, as its entry writes it; "" where it has none."""
    try:
        with ZipFile(BytesIO(body)) as archive:
            return b64u(sha256(archive.read(MANIFEST)).digest())
    except (BadZipFile, KeyError):
        return ""


def _early(evidence: Evidence, work: Work, pack: Pack) -> bool:
    """Say whether a pack was let go of before its time, and nobody's erasure is why."""
    if pack.kept_until is None or pack.kept_until <= evidence.by_now:
        return False
    return not (pack.about.customer and erasing.proven(evidence.desk, work, [CustomerId(pack.about.customer)]))


def _named(pack: str, why: str) -> Finding:
    return Finding(check=KEY, severity=Severity.CRITICAL, subject=f"evidence_pack {pack}", why=why)
