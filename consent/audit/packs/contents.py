"""What is in a pack: entries with their proofs, the documents that they commit to, findings; all in one snapshot.

By default no payload of a customer is opened: his entries hold commitments, and nothing else of him. What the
deployment itself published (catalogues, wordings, audits) is opened, so that documents can be held against it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Final

import orjson
import sqlalchemy as sa

from consent import notices
from consent.audit import life, reading
from consent.audit.life import Followed
from consent.audit.packs import proofs
from consent.audit.packs.about import About, Subject
from consent.audit.packs.proofs import Place, Signed
from consent.audit.reports import content, making
from consent.audit.reports.content import Explained
from consent.audit.reports.making import Format
from consent.base.canonical import b64, b64u, encode
from consent.base.clock import rfc3339
from consent.base.errors import EntryUnknown, KeyLost, LedgerBroken, RequestUnfit
from consent.base.store import Work
from consent.catalogue.model import Catalogue, Notice
from consent.ledger import entry, log
from consent.ledger.position import parts, position
from consent.register import history
from consent.register.desk import Desk
from consent.register.payloads import LOG_OWNER, unsealed
from consent.tables import AuditRunRow, CatalogueVersionRow, LedgerPayloadRow

MOST_ENTRIES: Final = 50_000
"""A longer period takes several packs."""

SALT_BYTES: Final = 32
_CHUNK: Final = 500
_LAST_MOMENT: Final = timedelta(milliseconds=1)

_payload: Final = LedgerPayloadRow


@dataclass(slots=True, kw_only=True)
class Gathered:
    """A pack on its way: what it is about, its entries, which of them are opened, and its files."""

    about: About
    ranges: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Log → the first entry of a period and the one after its last."""
    places: set[Place] = field(default_factory=set)
    opened: dict[Place, list[str]] = field(default_factory=dict)
    """Entries whose payload is opened, and the documents that it commits to."""
    files: dict[str, bytes] = field(default_factory=dict)
    logs: list[dict[str, object]] = field(default_factory=list)

    def keep(self, where: Place, *documents: str) -> None:
        """Take an entry in, and open it."""
        self.places.add(where)
        self.opened.setdefault(where, []).extend(documents)


def gather(desk: Desk, work: Work, about: About, *, explained: Mapping[str, Explained], at: datetime) -> Gathered:
    """Gather the files of a pack, all but the manifest, the words for people and the verifier.

    Args:
        desk: keys and catalogues.
        work: one snapshot, in which a checkpoint covers everything that is asked for.
        about: what the pack is about.
        explained: every check in plain words, for audit reports.
        at: now.

    Raises:
        NotFound: there is no such audit, or nothing is known of the customer.
        RequestUnfit: there is nothing to prove, or too much for one pack.
        LedgerBroken: what is stored contradicts itself.
    """
    found = Gathered(about=about)
    _choose(work, found, at)
    _require_few(len(found.places))
    _add_audit(work, found, explained, at)
    _add_catalogues(work, found)
    _add_notices(work, found)
    found.files["findings.jsonl"] = _lines(_finding(work, each) for each in _findings(work, about, at))
    _add_openings(desk, work, found)
    _add_entries(desk, work, found)
    return found


# ------------------------------------------------------------------------------------------------------ which entries


def count(work: Work, about: About, *, at: datetime) -> int:
    """Return how many entries a pack would be about.

    Raises:
        NotFound: there is no such audit.
        RequestUnfit: there are none.
    """
    found = Gathered(about=about)
    _choose(work, found, at)
    return len(found.places)


def _require_few(entries: int) -> None:
    if entries > MOST_ENTRIES:
        raise RequestUnfit(
            f"{entries:,} entries are too many for one pack (at most {MOST_ENTRIES:,}): take a part of it"
        )


def _choose(work: Work, found: Gathered, at: datetime) -> None:
    about = found.about
    match about.kind:
        case Subject.CUSTOMER:
            query = sa.select(_payload.log, _payload.seq).where(_payload.owner == about.customer)
            found.places.update(Place(row.log, row.seq) for row in work.connection.execute(query))
            if about.personal:
                found.opened = {place: [] for place in found.places}
        case Subject.PERIOD:
            _choose_period(work, found)
        case Subject.AUDIT:
            past, _ = reading.one(work, about.audit, at=at)
            if past.position < 0:
                raise RequestUnfit("the ledger took no entry about this audit: there is nothing to prove")
            found.places.add(Place(*parts(past.position)))
    if not found.places:
        raise RequestUnfit("the ledger has no entry of this: there is nothing to prove")


def _choose_period(work: Work, found: Gathered) -> None:
    since, until = found.about.since, found.about.until
    if since is None or until is None:
        return
    first, last = (parts(history.ledger_at(work, each - _LAST_MOMENT)[0]) for each in (since, until))
    for number in range(first.log, last.log + 1):
        begin = first.seq if number == first.log else 0
        end = last.seq if number == last.log else log.size_of(work, number)
        _require_few(end - begin)
        if end > begin:
            found.ranges[number] = (begin, end)
            found.places.update(Place(number, seq) for seq in range(begin, end))


# ---------------------------------------------------------------------------------------------------------- documents


def _add_audit(work: Work, found: Gathered, explained: Mapping[str, Explained], at: datetime) -> None:
    """Add an audit's report: that which the pack is about, or the last that ended in the period."""
    audit = found.about.audit or _last_audit(work, found)
    if not audit:
        return
    told = content.gathered(work, audit, explained=explained, at=at)
    if told.bound is None:
        return
    found.files["audit/report.json"] = orjson.dumps(told.report)
    for format_ in (Format.HTML, Format.PDF, Format.CSV):
        found.files[f"audit/readable.{format_}"] = making.body(told, format_)
    found.keep(Place(*parts(told.bound.position)), "audit/report.json")


def _last_audit(work: Work, found: Gathered) -> str:
    if found.about.kind is not Subject.PERIOD:
        return ""
    row = AuditRunRow
    spans = [
        row.position.between(position(number, begin), position(number, end - 1))
        for number, (begin, end) in found.ranges.items()
    ]
    query = sa.select(row.id).where(sa.or_(*spans)).order_by(row.position.desc()).limit(1)
    return str(work.connection.execute(query).scalar() or "")


def _add_catalogues(work: Work, found: Gathered) -> None:
    """Add the catalogues under which the entries were recorded."""
    versions = set(_versions(work, found.places).values())
    row = CatalogueVersionRow
    query = sa.select(row.version, row.body, row.log, row.seq).where(row.version.in_(sorted(versions)))
    for each in work.connection.execute(query.order_by(row.version)):
        name = f"catalogues/{each.version}.toml"
        found.files[name] = each.body.encode()
        found.keep(Place(each.log, each.seq), name)


def _versions(work: Work, places: Iterable[Place]) -> dict[Place, int]:
    """Return the catalogue version under which each entry was recorded."""
    found: dict[Place, int] = {}
    for number, seqs in _by_log(places).items():
        for seq, body in zip(seqs, proofs.bodies(work, number, seqs), strict=True):
            read = entry.read(body)
            if read is None:
                raise LedgerBroken(f"entry {position(number, seq)} is not of the form")
            found[Place(number, seq)] = read.catalogue_version
    return found


def _add_notices(work: Work, found: Gathered) -> None:
    """Add every wording that was published up to the last entry, byte by byte as it was shown."""
    last = max(position(*place) for place in found.places)
    for each in notices.published(work):
        if each.position <= last:
            name = f"notices/{each.key}.v{each.version}.{each.language}.txt"
            found.files[name] = each.wording.encode()
            found.keep(Place(*parts(each.position)), name)


def _findings(work: Work, about: About, at: datetime) -> list[Followed]:
    match about.kind:
        case Subject.CUSTOMER:
            return life.listed(work, life.Filter(subject=about.customer), at=at, most=None)
        case Subject.AUDIT:
            told = reading.one(work, about.audit, at=at)[1] or {"findings": ()}
            pairs = {(each["check"], each["subject"]) for each in told["findings"]}
            checks = sorted({check for check, _ in pairs})
            subjects = {check: [subject for key, subject in pairs if key == check] for check in checks}
            return list(chain.from_iterable(life.of_subjects(work, each, subjects[each], at=at) for each in checks))
        case Subject.PERIOD:
            return life.seen_between(work, about.since or at, about.until or at, at=at)


def _finding(work: Work, found: Followed) -> dict[str, Any]:
    steps = life.history(work, found.id)
    told = [
        _present({"at": step.at, "actor": step.actor, "event": str(step.event), "owner": step.owner,
                  "until": step.until, "reason": step.reason, "audit": step.audit})
        for step in steps
    ]  # fmt: skip
    return {**_present(found.as_json()), "history": told}


def _present(told: Mapping[str, Any]) -> dict[str, Any]:
    known = {name: value for name, value in told.items() if value not in (None, "")}
    return {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in known.items()}


def _lines(values: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(dict(each), option=orjson.OPT_SORT_KEYS) + b"\n" for each in values)


# -------------------------------------------------------------------------------------------------- entries, openings


def _add_openings(desk: Desk, work: Work, found: Gathered) -> None:
    """Add what opens the deployment's own entries, and where that is asked for, the customer's."""
    about = found.about
    lines, shown = [], []
    wordings = notices.by_version(work) if about.personal else {}
    versions = _versions(work, found.places) if about.personal else {}
    for place, owner, opened in plains(desk, work, sorted(found.opened)):
        if owner not in (LOG_OWNER, about.customer):
            raise LedgerBroken(f"entry {position(*place)} is somebody else's")
        payload = payload_of(opened)
        told = {"log": place.log, "payload": payload, "salt": b64u(opened[:SALT_BYTES]), "seq": place.seq}
        if found.opened[place]:
            told["documents"] = sorted(found.opened[place])
        lines.append(encode(told) + b"\n")
        if owner == about.customer:
            catalogue = desk.catalogues.version(work, versions[place])
            shown += _shown(catalogue, place, payload, wordings)
    found.files["openings.jsonl"] = b"".join(lines)
    if about.personal:
        found.files["shown.jsonl"] = _lines(shown)


def payload_of(opened: bytes) -> dict[str, Any]:
    """Return what an opened payload says."""
    told: dict[str, Any] = orjson.loads(opened[SALT_BYTES:])
    return told


def plains(desk: Desk, work: Work, places: Sequence[Place]) -> Iterator[tuple[Place, str, bytes]]:
    """Yield for each entry whose its payload is, and the payload with its salt, opened.

    Args:
        desk: keys.
        work: a transaction.
        places: the entries, in order.

    Raises:
        LedgerBroken: a payload is missing, or does not open.
    """
    keys: dict[str, bytes] = {}
    for first in range(0, len(places), _CHUNK):
        chunk = places[first : first + _CHUNK]
        sealed = _sealed(work, chunk)
        for place in chunk:
            if place not in sealed:
                raise LedgerBroken(f"the payload of entry {position(*place)} is missing")
            owner, body = sealed[place]
            try:
                if owner not in keys:
                    keys[owner] = desk.data_key(work, owner)
                yield place, owner, unsealed(keys[owner], owner, body)
            except KeyLost as lost:
                raise LedgerBroken(f"the payload of entry {position(*place)} does not open") from lost


def _sealed(work: Work, places: Sequence[Place]) -> dict[Place, tuple[str, bytes]]:
    found: dict[Place, tuple[str, bytes]] = {}
    for number, seqs in _by_log(places).items():
        query = sa.select(_payload.seq, _payload.owner, _payload.sealed)
        rows = work.connection.execute(query.where(_payload.log == number, _payload.seq.in_(seqs)))
        found |= {Place(number, row.seq): (row.owner, bytes(row.sealed)) for row in rows}
    return found


def _shown(
    catalogue: Catalogue, place: Place, payload: Mapping[str, Any], wordings: Mapping[tuple[str, int], Notice]
) -> list[dict[str, Any]]:
    """Say which wordings a customer was shown when he said something: each names its file in the pack."""
    said = payload.get("statement", {})
    if not said.get("notices"):
        return []
    found = []
    for scope, version in zip(said["scopes"], said["notices"], strict=True):
        rule = catalogue.scopes.get(scope)
        notice = wordings.get((rule.notice, version)) if rule else None
        if notice is not None:
            name = f"notices/{notice.key}.v{version}.{notice.spoken(said.get('language', ''))}.txt"
            found.append({"log": place.log, "seq": place.seq, "scope": scope, "file": name})
    return found


def _by_log(places: Iterable[Place]) -> dict[int, list[int]]:
    found: defaultdict[int, list[int]] = defaultdict(list)
    for place in sorted(places):
        found[place.log].append(place.seq)
    return found


def _add_entries(desk: Desk, work: Work, found: Gathered) -> None:
    """Add the entries, the path of each to its log's checkpoint, and the checkpoints."""
    by_log = _by_log(found.places)
    by_log.setdefault(log.head(work).log, [])
    bodies, steps, growth = [], [], []
    origins = []
    for number, seqs in sorted(by_log.items()):
        under = proofs.newest(work, number)
        if seqs and seqs[-1] >= under.size:
            raise EntryUnknown(f"no checkpoint covers entry {position(number, seqs[-1])} yet")
        origins.append(under.origin)
        bodies += proofs.bodies(work, number, seqs)
        steps += [
            {"log": number, "path": [b64(each) for each in path], "seq": seq}
            for seq, path in zip(seqs, proofs.paths(work, under, seqs), strict=True)
        ]
        before = proofs.earlier(work, under, seqs)
        growth += list(proofs.growth(work, under, before))
        for signed in (*before, under):
            found.files[signed.name] = signed.note.encode()
        found.logs.append(_log(found, under))
    found.files["entries.jsonl"] = b"".join(body + b"\n" for body in bodies)
    found.files["proofs.jsonl"] = _lines(steps)
    found.files["consistency.jsonl"] = b"".join(growth)
    found.files["keys.txt"], found.files["rotations.jsonl"] = proofs.keys(desk, work, origins)


def _log(found: Gathered, under: Signed) -> dict[str, object]:
    told: dict[str, object] = {
        "checkpoint": under.name, "number": under.log, "origin": under.origin, "size": under.size,
    }  # fmt: skip
    if under.log in found.ranges:
        told["first"], told["last"] = found.ranges[under.log]
    return told
