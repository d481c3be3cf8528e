"""Everything the database holds of the ledger, checked from its bytes with the standard library.

Slow, and sharing no line with the product: a fault in how an entry is written, hashed, proven or sealed can't hide
behind the same fault in how it is checked. `faults` names what is wrong; a sound database has none.
"""

import base64
import hashlib
import hmac
import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
    for log, origin in rows(connection, "SELECT id, origin FROM ledger_log ORDER BY id"):
        query = "SELECT seq, body, leaf FROM ledger_entry WHERE log = :log ORDER BY seq"
        entries = [(seq, body, hashed) for seq, body, hashed in rows(connection, query, log=log)]
        stored = Stored(log, origin, entries, keys, connection)
        for check in (_entries, _tree, _checkpoints, _payloads, _catalogues):
            found.extend(f"{origin}: {fault}" for fault in check(stored))
    found.extend(_standings(connection, keys))
    return found


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
    [(head_size, frontier, last_at, version)] = stored.rows(
        "SELECT size, frontier, last_at, catalogue_version FROM ledger_head WHERE log = :log", log=stored.log
    )
    edge, first = b"", 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            edge += root(leaves[first : first + (1 << level)])
            first += 1 << level
    if (head_size, frontier) != (size, edge):
        yield f"the head says {head_size} entries, or another edge; there are {size}"
    if size:
        newest = json.loads(stored.entries[-1][1])
        if (last_at, version) != (model.ms(newest["at"]), newest["cv"]):
            yield "the head's time or catalogue is not the newest entry's"
    query = "SELECT level, idx, hash FROM ledger_node WHERE log = :log ORDER BY level, idx"
    nodes = [
        (level, index, root(leaves[index << level : (index + 1) << level]))
        for level in range(1, size.bit_length())
        for index in range(size >> level)
    ]
    if stored.rows(query, log=stored.log) != nodes:
        yield "the nodes are not the perfect subtrees of the entries"


def _checkpoints(stored: Stored) -> Iterator[str]:
    leaves = [hashed for _, _, hashed in stored.entries]
    seed = bytes.fromhex(stored.keys["log_seed"])
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    key_id = hashlib.sha256(stored.origin.encode() + b"\n\x01" + public.public_bytes_raw()).digest()[:4]
    query = "SELECT size, note FROM ledger_checkpoint WHERE log = :log ORDER BY size"
    for size, note in stored.rows(query, log=stored.log):
        text, _, signatures = note.partition("\n\n")
        expected = f"{stored.origin}\n{size}\n{b64(root(leaves[:size]))}"
        if text != expected or size > len(leaves):
            yield f"the checkpoint of {size} says something else"
        signed = base64.b64decode(signatures.removesuffix("\n").removeprefix(f"— {stored.origin} "))
        if signed[:4] != key_id or not _signed(public, signed[4:], text + "\n"):
            yield f"the checkpoint of {size} is not signed by the log"


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
    if [row[0] for row in found] != sorted(bodies):
        yield "not every entry has its payload"
    last: dict[str, tuple[int, str]] = {}
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
        number, previous = last.get(owner, (0, ""))
        if (said["customer"], said["n"], said["prev"]) != (owner, number + 1, previous):
            yield f"the payload of {seq} does not follow the customer's last word"
        last[owner] = (number + 1, b64u(hashed))


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
        "SELECT p.seq, p.owner, p.sealed, k.kek, k.wrapped FROM ledger_payload p "
        "JOIN data_key k ON k.owner = p.owner WHERE p.owner <> 'log'"
    )
    for seq, owner, sealed, kek, wrapped in rows(connection, query):
        try:
            said = json.loads(opened(keys, owner, sealed, (kek, wrapped))[32:])
        except InvalidTag:
            continue  # named above
        words.setdefault(owner, []).append(model.word(seq, said["statement"]))
    query = "SELECT customer, mask, next_expiry, states, paused_until, last_said, counter, scopes FROM standing"
    for customer, *row in rows(connection, query):
        if row != stored_row(model.stands(words.get(customer, [])), bits):
            yield f"the standing of {customer} is not what was said"


def stored_row(what: model.Stands, bits: dict[str, int]) -> list[Any]:
    """Write what stands as a row holds it: mask, next expiry, states, pause, last said, counter, scopes."""
    top = max((bits[scope] for scope in what.answers), default=-1) + 1
    records = [(0, 0, 0, NEVER_S, 0)] * top
    mask, ends = 0, NEVER_MS
    for scope, answer in what.answers.items():
        expires = NEVER_S if answer.ends is None else max(0, min(answer.ends // 1000, NEVER_S))
        status = STATUSES.index(answer.status)
        records[bits[scope]] = (status, int(answer.pending), answer.notice, expires, answer.position)
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
    ]
