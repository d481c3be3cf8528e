"""How far each check has got, so that an incremental audit can go on from there.

A mark says: in this audit this check passed, and all that lies under this signed checkpoint was there when it did. The
row is a projection like any other, so it is believed only where the checkpoint's signature holds and the audit's own
entry in the ledger, sealed under the log's key, says the same. A full audit believes none, and names every false one.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from consent.audit.findings import Anchor, Check, Evidence, Finding, Judged, Severity, Yielded
from consent.base.canonical import b64u
from consent.base.counting import counted
from consent.base.database import table_of
from consent.base.errors import ByleaveError
from consent.base.store import Work
from consent.ledger import checkpoint, merkle, stored
from consent.ledger.log import position_in
from consent.ledger.merkle import Frontier
from consent.ledger.nodes import nodes_at
from consent.ledger.position import parts
from consent.register import proving, publishing
from consent.register.desk import Desk
from consent.tables import AuditMarkRow, CatalogueVersionRow, LedgerCheckpointRow

KEY: Final = "marks"

_row: Final = AuditMarkRow
_catalogue: Final = table_of(CatalogueVersionRow)


class Marked(NamedTuple):
    """A mark, as it is stored; nothing in it need be true."""

    check: str
    log: int
    size: int
    root: bytes
    audit: str
    position: int


def anchored(desk: Desk, work: Work) -> Anchor | None:
    """Return the newest checkpoint of the newest log whose signature holds and whose root the stored tree has."""
    newest = stored.newest(work)
    query = sa.select(sa.func.max(LedgerCheckpointRow.size)).where(
        LedgerCheckpointRow.log == newest.log, LedgerCheckpointRow.size <= newest.size
    )
    size = work.connection.execute(query).scalar()
    if size is None:
        return None
    anchor = _signed(desk, work, newest.log, size)
    return anchor if anchor and anchor.root == _stored_root(work, newest.log, size) else None


def summary(anchor: Anchor | None, passed: Sequence[str]) -> Mapping[str, Any]:
    """Return what an audit's entry says of its marks; nothing, where nothing anchors them."""
    if anchor is None:
        return {}
    told = {"log": anchor.log, "root": b64u(anchor.root), "size": anchor.size}
    return {"anchor": told, "passed": sorted(passed)}


def keep(work: Work, anchor: Anchor, passed: Sequence[str], *, audit: str, position: int, at: datetime) -> None:
    """Write the marks of the checks that an audit passed, over what was there.

    Args:
        work: the transaction that closes the audit.
        anchor: the checkpoint, taken before the first check began.
        passed: the checks.
        audit: its id.
        position: of its entry in the ledger, which says the same.
        at: when it ended.
    """
    rows = [
        {"check": check, "log": anchor.log, "size": anchor.size, "root": anchor.root, "at": at, "audit": audit,
         "position": position}
        for check in passed
    ]  # fmt: skip
    if not rows:
        return
    insert = (postgresql if work.dialect == "postgresql" else sqlite).insert(_row)
    changed = {name: insert.excluded[name] for name in ("size", "root", "at", "audit", "position")}
    work.connection.execute(insert.on_conflict_do_update(index_elements=["check", "log"], set_=changed), rows)


def believed(desk: Desk, work: Work, checks: Sequence[Check]) -> dict[str, Anchor]:
    """Return how far checks have got, each by the newest of its marks that is true.

    A check that judges by the catalogue has to look at everything again once another one was published.
    """
    can = {check.key: check for check in checks if check.incremental}
    published = work.connection.execute(sa.select(sa.func.max(position_in(_catalogue)))).scalar() or 0
    found: dict[str, Anchor] = {}
    for mark in _all(work):
        check = can.get(mark.check)
        anchor = _signed(desk, work, mark.log, mark.size) if check else None
        if check is None or anchor is None or (check.by_catalogue and published >= anchor.position):
            continue
        if not _doubt(desk, work, mark, anchor):
            found[mark.check] = max(anchor, found.get(mark.check, anchor))
    return found


def marks(evidence: Evidence) -> Iterator[Yielded]:
    """Hold every mark against its checkpoint's signature, the tree, and what the audit that made it committed to.

    An incremental audit goes on from marks: a false one would let it pass over what it should look at. None is used
    that does not hold, and a full audit uses none.
    """
    with evidence.store.read() as work:
        doubts = [
            (mark, _doubt(evidence.desk, work, mark, _signed(evidence.desk, work, mark.log, mark.size)))
            for mark in _all(work)
        ]
    for mark, why in doubts:
        if why:
            subject = f"audit_mark {mark.check} {mark.log}"
            yield Finding(check=KEY, severity=Severity.CRITICAL, subject=subject, why=why)
    yield Judged(len(doubts))


def _all(work: Work) -> list[Marked]:
    columns: tuple[Any, ...] = (_row.check, _row.log, _row.size, _row.root, _row.audit, _row.position)
    return [Marked(*each) for each in work.connection.execute(sa.select(*columns).order_by(_row.check, _row.log))]


def _doubt(desk: Desk, work: Work, mark: Marked, anchor: Anchor | None) -> str:
    """Say why a mark is not to be believed; "" where it is."""
    if anchor is None or anchor.root != mark.root:
        return f"no checkpoint at size {mark.size} signs its root"
    if _stored_root(work, mark.log, mark.size) != mark.root:
        return f"the tree of {counted(mark.size, 'entry', 'entries')} has another root"
    try:
        completed = publishing.noted(desk, work, *parts(mark.position))
    except ByleaveError as lost:
        return f"entry {mark.position}, which should tell of its audit, can't be read: {lost.title}"
    told = {"audit": completed.get("audit"), "anchor": completed.get("anchor")}
    if told != {"audit": mark.audit, "anchor": summary(anchor, [])["anchor"]}:
        return f"entry {mark.position} tells of another audit, or of another checkpoint"
    return "" if mark.check in completed.get("passed", ()) else f"its audit did not pass {mark.check}"


def _signed(desk: Desk, work: Work, number: int, size: int) -> Anchor | None:
    """Return the checkpoint of a log at one size; None where there is none that holds."""
    row = LedgerCheckpointRow
    signed = work.connection.execute(sa.select(row.note).where(row.log == number, row.size == size)).scalar()
    try:
        origin = stored.origin_of(work, number)
        verifiers = proving.trust(desk, work).verifiers(origin, number, size)
        opened = checkpoint.open_checkpoint(str(signed), *verifiers)
    except ByleaveError:
        return None
    return Anchor(number, size, opened.root, str(signed)) if opened.size == size else None


def _stored_root(work: Work, number: int, size: int) -> bytes | None:
    """Return the root that the stored tree had when it was so long; None where nodes are missing."""
    places = merkle.frontier_positions(size)
    nodes = nodes_at(work, number, places)
    if len(nodes) != len(places):
        return None
    return merkle.root_of(Frontier(size=size, hashes=tuple(nodes[place] for place in places)))
