"""Everything the database holds of the ledger, checked from its bytes with the standard library.

Slow, and sharing no line with the product: a fault in how an entry is written, hashed, proven or sealed can't hide
behind the same fault in how it is checked. `faults` names what is wrong; a sound database has none.
"""

import base64
import hashlib
import hmac
import itertools
import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests import model

KEYS = ["at", "c", "cv", "h", "log", "seq", "t", "v"]
STATUSES = (
    "unknown", "requested", "refused", "given", "renewed", "withdrawn", "expired", "objected", "invalidated",
)  # fmt: skip
NEVER_S, NEVER_MS = 2**32 - 1, 2**63 - 1


@dataclass
class Stored:
    """All rows of one log, and the deployment's keys."""

    log: int
    origin: str
    entries: list[tuple[int, bytes, bytes]]
    keys: dict[str, Any]
    connection: sa.Connection
    newest: bool
    last: dict[str, tuple[int, str]]
    """Of each customer the number of his last word, and its leaf: they go on from log to log."""
    signers: list[tuple[Ed25519PublicKey, int, int]]
    """The keys that sign this log, and from which to which size."""

    def rows(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        return rows(self.connection, query, **values)


def rows(connection: sa.Connection, query: str, **values: object) -> list[tuple[Any, ...]]:
    """Run a query in words; binary columns come as bytes."""
    found = connection.execute(sa.text(query), values)
    return [tuple(bytes(cell) if isinstance(cell, memoryview) else cell for cell in row) for row in found]


def faults(connection: sa.Connection, keyring: Path) -> list[str]:
    """Name everything that is wrong with all logs, payloads, checkpoints, catalogues and standings."""
    keys = json.loads(keyring.read_text())
    found: list[str] = []
    logs = rows(connection, "SELECT id, origin FROM ledger_log ORDER BY id")
    last: dict[str, tuple[int, str]] = {}
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(keys["log_seed"])).public_key()
    before: Stored | None = None
    for log, origin in logs:
        query = "SELECT seq, body, leaf FROM ledger_entry WHERE log = :log ORDER BY seq"
        entries = [(seq, body, hashed) for seq, body, hashed in rows(connection, query, log=log)]
        signers, key = _signers(connection, log, key)
        stored = Stored(log, origin, entries, keys, connection, (log, origin) == logs[-1], last, signers)
        for check in (_entries, _tree, _checkpoints, _openings, _payloads, _catalogues):
            found.extend(f"{origin}: {fault}" for fault in check(stored))
        if before:
            found.extend(f"{origin}: {fault}" for fault in _chain(before, stored))
        before = stored
    found.extend(_suppressions(connection, keys))
    found.extend(_standings(connection, keys))
    return found


def _signers(
    connection: sa.Connection, log: int, key: Ed25519PublicKey
) -> tuple[list[tuple[Ed25519PublicKey, int, int]], Ed25519PublicKey]:
    """Return the keys of a log, as rotations in it hand over from the one that signed the log before."""
    found, first = [], 0
    for seq, plain in rows(connection, "SELECT seq, plain FROM ledger_opening WHERE log = :log ORDER BY seq", log=log):
        said = json.loads(plain[32:])
        if "note" in said:
            text, _, signatures = said["note"].partition("\n\n")
            _, _, size, _, new = text.split("\n")
            taking_over = Ed25519PublicKey.from_public_bytes(base64.b64decode(new.split("+", 2)[2])[1:])
            lines = [base64.b64decode(line.split(" ")[2])[4:] for line in signatures.splitlines()]
            assert int(size) == seq + 1
            both = zip((key, taking_over), lines, strict=True)
            assert all(_signed(each, line, text + "\n") for each, line in both)
            found.append((key, first, seq + 1))
            key, first = taking_over, seq + 1
    return [*found, (key, first, 2**63)], key


def _openings(stored: Stored) -> Iterator[str]:
    """Hold what stands in clear against the commitments of its entries."""
    bodies = {seq: json.loads(body) for seq, body, _ in stored.entries}
    about = [seq for seq, said in bodies.items() if said["t"] in ("log.sealed", "key.rotated")]
    found = dict(stored.rows("SELECT seq, plain FROM ledger_opening WHERE log = :log ORDER BY seq", log=stored.log))
    if list(found) != about:
        yield "not every entry about the log itself has its opening"
    for seq, plain in found.items():
        if b64u(hmac.digest(plain[:32], b"byleave/commit/v1\x00" + plain[32:], "sha256")) != bodies[seq]["c"]:
            yield f"the opening of {seq} is not what was committed to"


def _chain(before: Stored, stored: Stored) -> Iterator[str]:
    """Hold what a log says of the one before it against that one."""
    [(plain,)] = stored.rows("SELECT plain FROM ledger_opening WHERE log = :log AND seq = 0", log=stored.log)
    said = json.loads(plain[32:])
    ended = {"log": stored.origin, "root": b64u(root([each for _, _, each in before.entries])),
             "sealed": before.origin, "size": len(before.entries)}  # fmt: skip
    if {**ended, "cause": said["cause"]} != said:
        yield "it goes on from something else than the log before"
    if said["cause"] != "period":
        return
    query = "SELECT plain FROM ledger_opening WHERE log = :log AND seq = :seq"
    [(plain,)] = stored.rows(query, log=before.log, seq=len(before.entries) - 1)
    if json.loads(plain[32:]) != {"log": before.origin, "next": stored.origin}:
        yield "the log before ended in favour of another"
    if not before.rows(
        "SELECT 1 FROM ledger_checkpoint WHERE log = :log AND size = :n", log=before.log, n=said["size"]
    ):
        yield "the log before was sealed without a checkpoint over all of it"


def root(leaves: Sequence[bytes]) -> bytes:
    """Return MTH of RFC 9162 section 2.1.1, over leaf hashes, as it is defined there."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    return hashlib.sha256(b"\x01" + root(leaves[:middle]) + root(leaves[middle:])).digest()


def leaf(body: bytes) -> bytes:
    """Return the hash of an entry's bytes."""
    return hashlib.sha256(b"\x00" + body).digest()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def b64u(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _entries(stored: Stored) -> Iterator[str]:
    last_at, last_version = "", 0
    for place, (seq, body, hashed) in enumerate(stored.entries):
        if seq != place:
            yield f"entry {seq} stands where {place} should"
        if hashed != leaf(body):
            yield f"entry {seq}: its leaf is of other bytes"
        said = json.loads(body)
        if json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() != body:
            yield f"entry {seq}: not written canonically"
        if sorted(said) != KEYS or (said["v"], said["log"], said["seq"]) != (1, stored.origin, seq):
            yield f"entry {seq}: says that it is another"
            continue
        if said["at"] < last_at or said["cv"] < last_version:
            yield f"entry {seq}: goes back in time"
        last_at, last_version = said["at"], said["cv"]


def _tree(stored: Stored) -> Iterator[str]:
    leaves = [hashed for _, _, hashed in stored.entries]
    size = len(leaves)
    if stored.newest:
        yield from _head(stored, leaves)
    query = "SELECT level, idx, hash FROM ledger_node WHERE log = :log ORDER BY level, idx"
    nodes = [
        (level, index, root(leaves[index << level : (index + 1) << level]))
        for level in range(1, size.bit_length())
        for index in range(size >> level)
    ]
    if stored.rows(query, log=stored.log) != nodes:
        yield "the nodes are not the perfect subtrees of the entries"


def _head(stored: Stored, leaves: Sequence[bytes]) -> Iterator[str]:
    size = len(leaves)
    [(log, head_size, frontier, last_at, version)] = stored.rows(
        "SELECT log, size, frontier, last_at, catalogue_version FROM ledger_head"
    )
    edge, first = b"", 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            edge += root(leaves[first : first + (1 << level)])
            first += 1 << level
    if (log, head_size, frontier) != (stored.log, size, edge):
        yield f"the head says {head_size} entries, or another edge; there are {size}"
    if size:
        newest = json.loads(stored.entries[-1][1])
        if (last_at, version) != (model.ms(newest["at"]), newest["cv"]):
            yield "the head's time or catalogue is not the newest entry's"


def _checkpoints(stored: Stored) -> Iterator[str]:
    leaves = [hashed for _, _, hashed in stored.entries]
    query = "SELECT size, note FROM ledger_checkpoint WHERE log = :log ORDER BY size"
    for size, note in stored.rows(query, log=stored.log):
        text, _, signatures = note.partition("\n\n")
        expected = f"{stored.origin}\n{size}\n{b64(root(leaves[:size]))}"
        if text != expected or size > len(leaves):
            yield f"the checkpoint of {size} says something else"
        lines = [base64.b64decode(line.removeprefix(f"— {stored.origin} ")) for line in signatures.splitlines()]
        keys = [key for key, first, last in stored.signers if first <= size <= last]
        if not all(
            line[:4] == _key_id(stored.origin, key) and _signed(key, line[4:], text + "\n")
            for line, key in itertools.zip_longest(lines, keys)
        ):
            yield f"the checkpoint of {size} is not signed by the log"


def _key_id(name: str, public: Ed25519PublicKey) -> bytes:
    return hashlib.sha256(name.encode() + b"\n\x01" + public.public_bytes_raw()).digest()[:4]


def _signed(public: Ed25519PublicKey, signature: bytes, text: str) -> bool:
    try:
        public.verify(signature, text.encode())
    except InvalidSignature:
        return False
    return True


def _payloads(stored: Stored) -> Iterator[str]:
    bodies = {seq: (json.loads(body), hashed) for seq, body, hashed in stored.entries}
    query = (
        "SELECT p.seq, p.owner, p.sealed, k.kek, k.wrapped FROM ledger_payload p "
        "LEFT JOIN data_key k ON k.owner = p.owner WHERE p.log = :log ORDER BY p.seq"
    )
    found = stored.rows(query, log=stored.log)
    missing = sorted(bodies.keys() - {row[0] for row in found})
    if len(missing) + len(found) != len(bodies) or any(seq > _last_erasure(stored) for seq in missing):
        yield "not every entry has its payload"
    for seq, owner, sealed, kek, wrapped in found:
        entry, hashed = bodies[seq]
        if b64u(hashlib.sha256(sealed).digest()) != entry["h"]:
            yield f"the payload of {seq} is not the one that was hashed"
        try:
            plain = opened(stored.keys, owner, sealed, (kek, wrapped))
        except InvalidTag:
            yield f"the payload of {seq} does not open"
            continue
        salt, text = plain[:32], plain[32:]
        if b64u(hmac.digest(salt, b"byleave/commit/v1\x00" + text, "sha256")) != entry["c"]:
            yield f"the payload of {seq} is not the one that was committed to"
        if entry["t"] != "statement":
            continue
        said = json.loads(text)
        number, previous = stored.last.get(owner, (0, ""))
        if (said["customer"], said["n"], said["prev"]) != (owner, number + 1, previous):
            yield f"the payload of {seq} does not follow the customer's last word"
        stored.last[owner] = (number + 1, b64u(hashed))


def opened(keys: dict[str, Any], owner: str, sealed: bytes, wrapped: tuple[int, bytes]) -> bytes:
    """Open a payload: salt and text."""
    kek, blob = wrapped
    bound = f"byleave/data_key/v1\x00{owner}\x00{kek}".encode()
    data_key = AESGCM(bytes.fromhex(keys["keks"][str(kek)])).decrypt(blob[:12], blob[12:], bound)
    use_key = hmac.digest(data_key, b"ledger/v1\x01", "sha256")
    return AESGCM(use_key).decrypt(sealed[:12], sealed[12:], f"byleave/ledger_payload/v1\x00{owner}".encode())


def _catalogues(stored: Stored) -> Iterator[str]:
    published = {}
    for seq, body, _ in stored.entries:
        said = json.loads(body)
        if said["t"] == "catalogue.published":
            published[said["cv"]] = seq
    query = "SELECT version, hash, body, seq FROM catalogue_version WHERE log = :log ORDER BY version"
    found = stored.rows(query, log=stored.log)
    if {version: seq for version, _, _, seq in found} != published:
        yield "not every catalogue has its entry"
    for version, digest, body, _ in found:
        if hashlib.sha256(body.encode()).digest() != digest:
            yield f"catalogue {version} is not the file that was published"
    bits = sorted(bit for (bit,) in stored.rows("SELECT bit FROM scope_bit"))
    if bits != list(range(len(bits))):
        yield "the scopes' bits are not 0, 1, 2, …"


def _standings(connection: sa.Connection, keys: dict[str, Any]) -> Iterator[str]:
    bits = dict(rows(connection, "SELECT scope, bit FROM scope_bit"))
    words: dict[str, list[model.Word]] = {}
    query = (
        "SELECT (p.log - 1) * 1099511627776 + p.seq, p.owner, p.sealed, k.kek, k.wrapped FROM ledger_payload p "
        "JOIN data_key k ON k.owner = p.owner WHERE p.owner <> 'log'"
    )
    for seq, owner, sealed, kek, wrapped in rows(connection, query):
        try:
            said = json.loads(opened(keys, owner, sealed, (kek, wrapped))[32:])
        except InvalidTag:
            continue  # named above
        words.setdefault(owner, []).append(model.word(seq, said["statement"]))
    query = (
        "SELECT customer, mask, next_expiry, states, paused_until, last_said, counter, scopes, born_by, gpc "
        "FROM standing"
    )
    suppressed, erased = _suppressed(connection), _erased(connection, keys)
    for customer, *row in rows(connection, query):
        expected = stored_row(model.stands(words.get(customer, [])), bits)
        expected[2] |= 2 if customer in suppressed else 0
        if customer in erased:
            expected = [b"", NEVER_MS, 1, 0, 0, 0, b"", NEVER_MS, 0]
        if row != expected:
            yield f"the standing of {customer} is not what was said"


def _suppressed(connection: sa.Connection) -> set[str]:
    """Return who has an address that is left alone."""
    query = "SELECT i.customer FROM identity i JOIN suppression s ON s.kind = i.kind AND s.blind = i.blind"
    return {customer for (customer,) in rows(connection, query)}


def _suppressions(connection: sa.Connection, keys: dict[str, Any]) -> Iterator[str]:
    """Hold the list of suppressed addresses, and what was lifted, against the entries that tell of them."""
    listed: dict[tuple[str, str], tuple[str, int]] = {}
    lifted: list[tuple[Any, ...]] = []
    for position, entry, said in _told(connection, keys, "suppression.changed"):
        address = (said["address"], said["blind"])
        if said["act"] == "suppress":
            listed[address] = (entry["at"], position)
        else:
            lifted.append((*address, *listed.pop(address), entry["at"], position))
    found = rows(connection, "SELECT kind, blind, since, position FROM suppression")
    if {(kind, b64u(blind)): (_time(since), place) for kind, blind, since, place in found} != listed:
        yield "the list of suppressed addresses is not what the ledger says"
    query = "SELECT kind, blind, since, position, until, lifted_position FROM lifted_suppression ORDER BY 6"
    kept = [
        (kind, b64u(blind), _time(since), place, _time(until), end)
        for kind, blind, since, place, until, end in rows(connection, query)
    ]
    nameless = {end for _, blind, *_, end in kept if not blind}  # whoever had the address is erased
    if kept != [(one[0], "" if one[-1] in nameless else one[1], *one[2:]) for one in lifted]:
        yield "what was lifted is not what the ledger says"


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _erased(connection: sa.Connection, keys: dict[str, Any]) -> set[str]:
    """Return who was erased, as entries of the ledger say under the deployment's own key."""
    return {said["erased"] for _, _, said in _told(connection, keys, "customer.erased")}


def _told(connection: sa.Connection, keys: dict[str, Any], kind: str) -> Iterator[tuple[int, Any, Any]]:
    """Return the deployment's own entries of a kind, opened: the position, the entry, and what it says."""
    query = (
        "SELECT e.log, e.seq, e.body, p.sealed, k.kek, k.wrapped FROM ledger_entry e "
        "JOIN ledger_payload p ON p.log = e.log AND p.seq = e.seq AND p.owner = 'log' "
        "JOIN data_key k ON k.owner = p.owner ORDER BY e.log, e.seq"
    )
    for log, seq, body, sealed, *wrapped in rows(connection, query):
        entry = json.loads(body)
        if entry["t"] == kind:
            said = json.loads(opened(keys, "log", sealed, (wrapped[0], wrapped[1]))[32:])
            yield (log - 1 << 40) + seq, entry, said


def _last_erasure(stored: Stored) -> int:
    """Return before which entry a payload may be missing: in a log that others follow, any may."""
    later = "SELECT 1 FROM ledger_entry WHERE log > :log LIMIT 1"
    if stored.rows(later, log=stored.log):
        return max((seq for seq, _, _ in stored.entries), default=-1)
    return max((seq for seq, body, _ in stored.entries if json.loads(body)["t"] == "customer.erased"), default=-1)


def stored_row(what: model.Stands, bits: dict[str, int]) -> list[Any]:
    """Write what stands as a row holds it: mask, next expiry, states, pause, …, scopes, birth, opt-out."""
    top = max((bits[scope] for scope in what.answers), default=-1) + 1
    records = [(0, 0, 0, NEVER_S, 0)] * top
    mask, ends = 0, NEVER_MS
    for scope, answer in what.answers.items():
        expires = NEVER_S if answer.ends is None else max(0, min(answer.ends // 1000, NEVER_S))
        status = STATUSES.index(answer.status)
        flags = answer.pending + 2 * answer.guardian + 4 * answer.over_gpc
        records[bits[scope]] = (status, flags, answer.notice, expires, answer.position)
        if answer.status in ("given", "renewed") and not answer.pending:
            mask |= 1 << bits[scope]
            ends = ends if expires == NEVER_S else min(ends, expires * 1000)
    paused = what.paused_until
    return [
        mask.to_bytes((top + 63) // 64 * 8, "little"),
        ends,
        4 if what.restricted else 0,
        0 if paused is None else NEVER_MS if paused == float("inf") else int(paused),
        what.last_said,
        what.counter,
        b"".join(struct.pack("<BBHIQ", *record) for record in records),
        NEVER_MS if what.born_by is None else what.born_by,
        what.gpc or 0,
    ]
