"""The check `catalogue`: what was published is what was published, and every scope's bit is its own."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Final

from consent import catalogues
from consent.audit import events
from consent.audit.events import Event
from consent.audit.findings import Evidence, Finding, Judged, Severity, Yielded
from consent.base.canonical import b64u
from consent.base.errors import CatalogueInvalid
from consent.catalogue.reading import parse_catalogue
from consent.ledger import stored
from consent.ledger.entry import Kind
from consent.ledger.position import position
from consent.ledger.stored import StoredCatalogue

KEY: Final = "catalogue"


def catalogue(evidence: Evidence) -> Iterator[Yielded]:
    """Hold each published catalogue against the digest in its sealed payload, and the scopes' bits against them all.

    A scope's bit decides whose word a stored bit is: given in the order of publication, and never again.
    """
    with evidence.store.read() as work:
        published = [(log.log, each) for log in stored.logs(work) for each in stored.catalogues(work, log.log)]
        bits = catalogues.bits(work)
    told = events.at(evidence, [position(log, each.seq) for log, each in published])
    expected: dict[str, int] = {}
    for log, each in published:
        yield from _judged(each, position(log, each.seq), told)
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
            yield Finding(check=KEY, severity=Severity.CRITICAL, subject=f"scope_bit {scope}", why=why)


def _judged(each: StoredCatalogue, place: int, told: Mapping[int, Event]) -> Iterator[Finding]:
    event = told.get(place)
    if event is None or event.why or event.kind != Kind.CATALOGUE_PUBLISHED:
        yield _wrong(each, f"entry {place} holds nothing that says so")
    elif (event.told.get("version"), event.told.get("digest")) != (each.version, b64u(sha256(each.body).digest())):
        yield _wrong(each, f"entry {place} published other bytes")
    if sha256(each.body).digest() != each.hash:
        yield _wrong(each, "its bytes do not hash to its hash")


def _wrong(each: StoredCatalogue, why: str) -> Finding:
    return Finding(check=KEY, severity=Severity.CRITICAL, subject=f"catalogue_version {each.version}", why=why)
