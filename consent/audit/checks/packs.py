"""The check `evidence_packs`: each pack that was handed out is the one that the ledger tells of, to the last byte."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, Final

import sqlalchemy as sa

from consent.audit import events
from consent.audit.events import Event
from consent.audit.findings import Evidence, Finding, Gap, Judged, Severity, Yielded
from consent.audit.packs import about, shelf, verify
from consent.audit.packs.shelf import Stage
from consent.audit.tables import EvidencePackPartRow, EvidencePackRow
from consent.base.canonical import b64u
from consent.base.database import table_of
from consent.base.errors import ByleaveError
from consent.base.store import Work
from consent.ledger.entry import Kind

KEY: Final = "evidence_packs"
_AT_ONCE: Final = 100
_HANDED_OUT: Final = (str(Stage.READY), str(Stage.EXPIRED))
_row, _part = table_of(EvidencePackRow), table_of(EvidencePackPartRow)


def packs(evidence: Evidence) -> Iterator[Yielded]:
    """Hold each pack against its entry: what it is about, who asked, and, while it is kept, its bytes.

    The entry commits to the pack's manifest, and that to each of its files. Of a pack that is no longer kept there is
    nothing left to hold its digest against.
    """
    page: list[Event] = []
    for event in events.events(evidence, Kind.EXPORT_MADE):
        if event.why:
            yield Gap(check=KEY, why=f"the export of entry {event.position} can't be read: it {event.why}")
        elif "manifest" in event.told:  # others are files for a customer, of which nothing is kept
            page.append(event)
        if len(page) == _AT_ONCE:
            yield from _kept(evidence, page)
            page = []
    yield from _kept(evidence, page)
    yield from _made_up(evidence)


def _named(pack: str, why: str) -> Finding:
    return Finding(check=KEY, severity=Severity.HIGH, subject=f"evidence_pack {pack}", why=why)


def _kept(evidence: Evidence, page: Sequence[Event]) -> Iterator[Yielded]:
    for event in page:
        pack = str(event.told.get("pack"))
        with evidence.store.read() as work:
            row = work.connection.execute(sa.select(_row).where(_row.c.id == pack)).first()
            found = list(_wrong(evidence, work, event, row))
        yield from (_named(pack, why) for why in found)
    yield Judged(len(page))


def _wrong(evidence: Evidence, work: Work, event: Event, row: Any) -> Iterator[str]:  # noqa: ANN401 -- a row of evidence_pack
    if row is None:
        yield f"entry {event.position} tells of it, and no row of evidence_pack does"
        return
    kept = {"about": _about(row), "actor": row.asked_by, "personal": row.personal}
    wrong = [name for name, value in kept.items() if event.told.get(name) != value]
    if wrong:
        yield f"not what entry {event.position} says of it: {', '.join(wrong)}"
    if row.position != event.position:
        yield f"it is said to stand in entry {row.position}, and it is entry {event.position} that tells of it"
    if row.state not in _HANDED_OUT:
        yield f"it was handed out, and is said to be {row.state}"
    if row.state == Stage.READY:
        yield from _otherwise(evidence, work, event, row)
    elif work.connection.execute(sa.select(sa.func.count()).where(_part.c.pack == row.id)).scalar():
        yield f"it is {row.state}, and bytes of it are still kept"


def _about(row: Any) -> dict[str, str] | None:  # noqa: ANN401 -- as above
    try:
        return about.of_stored(row.about, personal=row.personal, reason=row.reason).as_text()
    except (ByleaveError, ValueError, TypeError, KeyError):
        return None


def _otherwise(evidence: Evidence, work: Work, event: Event, row: Any) -> Iterator[str]:  # noqa: ANN401 -- as above
    """Walk what its bytes are otherwise than its row and its entry say."""
    try:
        body = b"".join(shelf.body(evidence.desk, work, shelf.one(work, row.id)))
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            manifest = archive.read(verify.MANIFEST)
    except (ByleaveError, zipfile.BadZipFile, KeyError, ValueError) as lost:
        yield f"its bytes can't be opened: {lost.title if isinstance(lost, ByleaveError) else 'they are no pack'}"
        return
    said = {"size": row.size, "digest": bytes(row.digest)}
    for name, value in {"size": len(body), "digest": sha256(body).digest()}.items():
        if said[name] != value:
            yield f"its {name} is not that of its bytes"
    if event.told["manifest"] != b64u(sha256(manifest).digest()):
        yield f"its manifest is not the one that entry {event.position} committed to"


def _made_up(evidence: Evidence) -> Iterator[Finding]:
    """Look for packs that are said to have been handed out, and that no entry tells of."""
    after = ""
    handed = sa.select(_row.c.id, _row.c.position).where(_row.c.state.in_(_HANDED_OUT), _row.c.position >= 0)
    while True:
        with evidence.store.read() as work:
            query = handed.where(_row.c.id > after).order_by(_row.c.id).limit(_AT_ONCE)
            rows = list(work.connection.execute(query))
        if not rows:
            return
        told = events.at(evidence, [row.position for row in rows])
        for row in rows:
            event = told.get(row.position)
            if event is None or event.kind != Kind.EXPORT_MADE or event.told.get("pack") != row.id:
                yield _named(row.id, f"it is said to stand in entry {row.position}, which tells of no such pack")
        after = rows[-1].id
