"""The checks `ledger`, `checkpoints` and `catalogue`: the proof itself, every byte of it."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, Final

from consent import catalogues
from consent.audit.findings import Evidence, Finding, Gap, Judged, Severity, Yielded
from consent.base.canonical import b64u
from consent.base.errors import CatalogueInvalid
from consent.base.store import Work
from consent.catalogue.reading import parse_catalogue
from consent.ledger import stored
from consent.ledger.entry import Kind
from consent.ledger.stored import StoredCatalogue
from consent.ledger.verify import Bad
from consent.register import reopening

LEDGER: Final = "ledger"
CHECKPOINTS: Final = "checkpoints"
CATALOGUE: Final = "catalogue"
_SIGNED: Final = "ledger_checkpoint"


def ledger(evidence: Evidence) -> Iterator[Yielded]:
    """Recompute every byte of the newest log: entries, tree, head, payloads, published catalogues."""
    verified = evidence.verified
    yield from (_finding(LEDGER, bad) for bad in verified.bad if bad.table != _SIGNED)
    yield Judged(verified.checked)


def checkpoints(evidence: Evidence) -> Iterator[Yielded]:
    """Hold every checkpoint against the recomputed tree, and its signature against the log's key.

    Without a checkpoint that holds, the tree can have been recomputed from anything: then nothing anchors it.
    """
    verified = evidence.verified
    yield from (_finding(CHECKPOINTS, bad) for bad in verified.bad if bad.table == _SIGNED)
    yield Judged(verified.checkpoints)
    if verified.size and not verified.anchored and (verified.ok or not verified.checkpoints):
        yield Gap(check=CHECKPOINTS, why="no entry lies under a checkpoint that holds")


def _finding(check: str, bad: Bad) -> Finding:
    subject = f"{bad.table} {bad.seq}"
    return Finding(check=check, severity=Severity.CRITICAL, subject=subject, why=bad.why)


def catalogue(evidence: Evidence) -> Iterator[Yielded]:
    """Hold each published catalogue against the digest in its sealed payload, and the scopes' bits against them all.

    A scope's bit decides whose word a stored bit is: given in the order of publication, and never again.
    """
    with evidence.store.read() as work:
        log = stored.newest(work).log
        published = stored.catalogues(work, log)
        payloads = {each.seq: _payload(evidence, work, log, each.seq) for each in published}
        bits = catalogues.bits(work)
    expected: dict[str, int] = {}
    for each in published:
        yield from _judged(each, payloads[each.seq])
        yield Judged(1)
        try:
            rules = parse_catalogue(each.body.decode()).in_order
        except (CatalogueInvalid, UnicodeDecodeError):
            yield _wrong(each, "it can't be read any more")
            return
        for rule in rules:
            expected.setdefault(rule.scope, len(expected))
    for scope in sorted(bits.keys() | expected.keys()):
        if bits.get(scope) != expected.get(scope):
            why = f"its bit is {bits.get(scope, 'missing')}, and was published as {expected.get(scope, 'none')}"
            yield Finding(check=CATALOGUE, severity=Severity.CRITICAL, subject=f"scope_bit {scope}", why=why)


def _payload(evidence: Evidence, work: Work, log: int, seq: int) -> Mapping[str, Any] | None:
    found = next(reopening.reopened(evidence.desk.keys, reopening.sealed_at(work, log, seq)), None)
    return found.payload if found and not found.why and found.kind == Kind.CATALOGUE_PUBLISHED else None


def _judged(each: StoredCatalogue, payload: Mapping[str, Any] | None) -> Iterator[Finding]:
    if payload is None:
        yield _wrong(each, f"entry {each.seq} holds nothing that says so")
    elif payload.get("version") != each.version or payload.get("digest") != b64u(sha256(each.body).digest()):
        yield _wrong(each, f"entry {each.seq} published other bytes")
    if sha256(each.body).digest() != each.hash:
        yield _wrong(each, "its bytes do not hash to its hash")


def _wrong(each: StoredCatalogue, why: str) -> Finding:
    return Finding(check=CATALOGUE, severity=Severity.CRITICAL, subject=f"catalogue_version {each.version}", why=why)
