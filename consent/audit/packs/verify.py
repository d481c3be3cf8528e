"""Verify a Byleave evidence pack, offline: nothing but Python 3.9 or newer is needed, no other file and no network.

    python verify.py PACK.zip [--vkey KEY] [--json]

PACK is the zip file, or the folder that it was unpacked to. KEY is the log's verifier key as you got it from somewhere
else than the pack, or a file with one in each line: without one, the key in the pack is believed, and the verdict says
so. Exit codes: 0 it holds, 1 it does not, 2 wrong usage.

What is checked, in this order: the zip has no byte that is not accounted for; each file is the one that the manifest
lists; every checkpoint is signed by the log's key, and the log only grew between them; every entry stands in the log's
Merkle tree; the ledger committed to the manifest when the pack was handed out; every opened payload is the one that its
entry committed to; catalogues, wordings and audit reports are the ones that entries committed to.

Source: RFC 6962 and RFC 9162 (Merkle trees), RFC 8032 (Ed25519), RFC 8785 (canonical JSON), RFC 2104 (HMAC),
c2sp.org/signed-note and c2sp.org/tlog-checkpoint. This file is meant to be read.
"""

from __future__ import annotations

import base64
import hmac
import io
import json
import re
import struct
import sys
import unicodedata
import zipfile
import zlib
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any

COMMIT = b"byleave/commit/v1\x00"
FORMAT = "byleave/evidence-pack/v1"
MANIFEST, EXPORT = "manifest.json", "export.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?")
LARGEST = 1 << 31
# What `zipfile` raises of a damaged or forged archive of stored members: NotImplementedError of a newer version,
# RuntimeError of an encrypted member, ValueError and OverflowError of offsets beyond the file, EOFError of a member cut
# off, and else BadZipFile. NotImplementedError is a RuntimeError.
DAMAGED = (zipfile.BadZipFile, RuntimeError, ValueError, OverflowError, EOFError)
DOCUMENTS = {
    "catalogue.published": ("digest", "catalogues/"),
    "notice.published": ("hashes", "notices/"),
    "audit.completed": ("report", "audit/report.json"),
}
"""Kind of entry: the key of its payload that commits to documents, and what their names begin with."""


class Refused(Exception):
    """The pack does not hold. The message says where and why."""


def require(holds: bool, why: str) -> None:
    """Refuse the pack unless `holds`."""
    if not holds:
        raise Refused(why)


# ------------------------------------------------------------------------------ canonical JSON and base64, read one way


def canonical(value: Any) -> bytes:
    """Return the RFC 8785 bytes of JSON without floats and null, whose keys are a-z and underscores."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def read_json(raw: bytes, where: str) -> Any:
    """Read JSON, and refuse whatever is not exactly the canonical bytes of what it says."""
    hooks: Any = {"object_pairs_hook": _object, "parse_int": _integer, "parse_float": _none, "parse_constant": _none}
    try:
        value = json.loads(raw.decode("utf-8"), **hooks)
        _without_null(value)
        written = canonical(value)
    except (ValueError, RecursionError) as wrong:
        raise Refused(f"{where} is not JSON of the closed profile") from wrong
    require(written == raw, f"{where} is not written canonically")
    require(unicodedata.is_normalized("NFC", raw.decode("utf-8")), f"{where} is not in Unicode's form NFC")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs) or not all(re.fullmatch("[a-z_]+", key) for key, _ in pairs):
        raise ValueError
    return dict(pairs)


def _without_null(value: Any) -> None:
    if value is None:
        raise ValueError
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _without_null(each)


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) >= 2**53:
        raise ValueError
    return int(digits)


def _none(_text: str) -> Any:
    raise ValueError


def unbase64(text: Any, where: str, length: int = 32, url: bool = False) -> bytes:
    """Read base64 (`url`: base64url without padding) of so many bytes, in the one way to write them."""
    try:
        padded = text + "=" * (-len(text) % 4) if url else text
        data = base64.b64decode(padded, b"-_" if url else None, validate=True)
        written = base64.urlsafe_b64encode(data).rstrip(b"=") if url else base64.b64encode(data)
    except (ValueError, TypeError) as wrong:
        raise Refused(f"{where} is not base64") from wrong
    require(written == text.encode() and len(data) == length, f"{where} is not {length} bytes of base64")
    return data


# ---------------------------------------------------------------------------------- Ed25519, after RFC 8032 section 5.1

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def _recover(y: int, odd: int) -> int | None:
    """Return the x of a point with this y, odd or even; None where there is none (section 5.1.3)."""
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT % P
    if x * x % P != square or (x == 0 and odd):
        return None
    return x if x & 1 == odd else P - x


def _point(encoded: bytes) -> tuple[int, int, int, int] | None:
    number = int.from_bytes(encoded, "little")
    y = number & (1 << 255) - 1
    x = _recover(y, number >> 255)
    return None if x is None else (x, y, 1, x * y % P)


def _add(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Add two points in extended coordinates (section 5.1.4)."""
    a, b = (one[1] - one[0]) * (other[1] - other[0]), (one[1] + one[0]) * (other[1] + other[0])
    c, d = 2 * one[3] * other[3] * D, 2 * one[2] * other[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(scalar: int, point: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    total = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point = _add(point, point)
        scalar >>= 1
    return total


_Y = 4 * pow(5, P - 2, P) % P
_X = _recover(_Y, 0) or 0
BASE = (_X, _Y, 1, _X * _Y % P)


def signed(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Say whether a key made a signature over a message (section 5.1.7)."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    key, r = _point(public_key), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if key is None or r is None or s >= L:
        return False
    k = int.from_bytes(sha512(signature[:32] + public_key + message).digest(), "little") % L
    left, right = _times(s, BASE), _add(r, _times(k, key))
    same_x = (left[0] * right[2] - right[0] * left[2]) % P == 0
    return same_x and (left[1] * right[2] - right[1] * left[2]) % P == 0


# ----------------------------------------------------------------------------------- Merkle trees, RFC 9162 section 2.1


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\x00" + entry).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def _climb(inner: int, last: int, path: list[bytes]) -> list[tuple[bytes, bool]]:
    """Return each hash of a path, and whether it stands on the left; refuse a path of another length."""
    steps = []
    for sibling in path:
        require(last > 0, "a proof is too long")
        left = inner & 1 == 1 or inner == last
        while left and inner and not inner & 1:
            inner, last = inner >> 1, last >> 1
        steps.append((sibling, left))
        inner, last = inner >> 1, last >> 1
    require(last == 0, "a proof is too short")
    return steps


def included(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    """Say whether a leaf is entry `index` of the tree of that size and root (section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    for sibling, left in _climb(index, size - 1, path):
        leaf = _node(sibling, leaf) if left else _node(leaf, sibling)
    return leaf == root


def grew(old: int, new: int, path: list[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Say whether the tree of `new` entries begins with the one of `old` (section 2.1.4.2)."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not path and old_root == new_root
    if old & (old - 1) == 0:
        path = [old_root, *path]
    require(bool(path), "a proof is too short")
    skipped = (old & -old).bit_length() - 1
    first = second = path[0]
    for sibling, left in _climb((old - 1) >> skipped, (new - 1) >> skipped, path[1:]):
        second = _node(sibling, second) if left else _node(second, sibling)
        first = _node(sibling, first) if left else first
    return (first, second) == (old_root, new_root)


# ------------------------------------------------------------------------------------------ keys and signed checkpoints


def read_key(line: str) -> tuple[str, bytes, bytes]:
    """Read a verifier key (`name+id+base64`): its name, its id, its 32 bytes."""
    name, _, rest = line.partition("+")
    key_id, _, encoded = rest.partition("+")
    key = unbase64(encoded, "a verifier key", 33)
    expected = sha256(name.encode() + b"\n" + key).digest()[:4]
    require(bool(name) and key[:1] == b"\x01" and expected.hex() == key_id, "a verifier key is not of the form")
    return name, expected, key[1:]


def open_note(note: str, name: str, keys: list[bytes], where: str) -> str:
    """Return the text of a signed note. Every signature line must be by one of these keys, and hold."""
    text, gap, lines = note.rpartition("\n\n")
    require(bool(gap) and lines.endswith("\n"), f"{where} is not a signed note")
    body = text + "\n"
    ids = {sha256(name.encode() + b"\n\x01" + key).digest()[:4]: key for key in keys}
    for line in lines[:-1].split("\n"):
        dash, _, rest = line.partition(" ")
        signer, _, encoded = rest.partition(" ")
        signature = unbase64(encoded, f"a signature of {where}", 68)
        key = ids.get(signature[:4])
        by_the_log = dash == "\u2014" and signer == name and signed(key or b"", signature[4:], body.encode())
        require(by_the_log, f"{where} is not signed by the log's key")
    return body


def read_checkpoint(note: str, origin: str, keys: list[bytes], where: str) -> tuple[int, bytes]:
    """Return the size and the root that a checkpoint of a log signs."""
    lines = open_note(note, origin, keys, where).split("\n")
    require(len(lines) == 4 and lines[0] == origin and lines[3] == "", f"{where} is of another log")
    require(re.fullmatch("0|[1-9][0-9]{0,15}", lines[1]) is not None, f"{where} has no size")
    return int(lines[1]), unbase64(lines[2], where)


# -------------------------------------------------------------------------------------------------------------- the zip


def zip_bytes(files: dict[str, bytes]) -> bytes:
    """Return the one zip of these files: in the order of names, stored, dated 1980-01-01, nothing beside them."""
    out, directory = io.BytesIO(), []
    for name in sorted(files):
        raw, data = name.encode("ascii"), files[name]
        common = struct.pack("<HHHHIIIHH", 0, 0, 0, 33, zlib.crc32(data), len(data), len(data), len(raw), 0)
        where = struct.pack("<HHHII", 0, 0, 0, 0o600 << 16, out.tell())
        directory.append(b"PK\x01\x02" + struct.pack("<HH", 0x0314, 20) + common + where + raw)
        out.write(b"PK\x03\x04" + struct.pack("<H", 20) + common + raw + data)
    start, listed = out.tell(), b"".join(directory)
    count = len(directory)
    out.write(listed + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, count, count, len(listed), start, 0))
    return out.getvalue()


def load(path: Path) -> dict[str, bytes]:
    """Return the files of a pack, by name."""
    if path.is_dir():
        found = [each for each in path.rglob("*") if not each.is_dir() and "__pycache__" not in each.parts]
        plain = all(each.is_file() and not each.is_symlink() for each in found)
        require(plain, "the folder holds more than plain files")
        return {each.relative_to(path).as_posix(): each.read_bytes() for each in found}
    require(path.stat().st_size < LARGEST, "the file is larger than any pack")
    raw = path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            listed = archive.infolist()
            stored = all(each.compress_type == zipfile.ZIP_STORED for each in listed)  # so nothing is decompressed
            whole = sum(each.file_size for each in listed) <= len(raw)
            require(stored and whole, "the zip is packed in another way")
            require(all(NAME.fullmatch(each.filename) for each in listed), "the zip holds an odd name")
            files = {each.filename: archive.read(each) for each in listed}
    except DAMAGED as wrong:
        raise Refused("the file is not a zip, or is damaged") from wrong
    require(zip_bytes(files) == raw, "the zip has bytes that no file accounts for")
    return files


# ------------------------------------------------------------------------------------------------------------- the pack


class Pack:
    """A pack on its way through verification."""

    def __init__(self, files: dict[str, bytes], trusted: list[bytes]) -> None:
        """Keep the files, and the keys that were given from outside."""
        self.files = files
        self.trusted = trusted
        self.logs: dict[int, tuple[str, int, bytes]] = {}
        self.entries: dict[tuple[int, int], dict[str, Any]] = {}
        self.counts = {"checkpoints": 0, "entries": 0, "openings": 0, "documents": 0}
        self.manifest: dict[str, Any] = {}

    def verify(self) -> None:
        """Check everything, or refuse."""
        try:
            self.read_manifest()
            self.read_keys()
            self.read_checkpoints()
            self.read_entries()
            self.read_export()
            self.read_openings()
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as wrong:
            raise Refused(f"something is not of the form that it has to have ({type(wrong).__name__})") from wrong

    def file(self, name: str) -> bytes:
        """Return a file that must be there."""
        require(name in self.files, f"{name} is missing")
        return self.files[name]

    def lines(self, name: str) -> list[bytes]:
        """Return the lines of a file; each ends with a newline."""
        raw = self.file(name)
        require(raw == b"" or raw.endswith(b"\n"), f"{name} ends in the middle of a line")
        return raw.split(b"\n")[:-1]

    def read_manifest(self) -> None:
        """Hold every file against the manifest."""
        self.manifest = read_json(self.file(MANIFEST), MANIFEST)
        require(self.manifest["format"] == FORMAT, "the pack is of another format")
        listed = {each["name"]: each for each in self.manifest["files"]}
        require(len(listed) == len(self.manifest["files"]), "the manifest lists a file twice")
        require({*listed, MANIFEST, EXPORT} == set(self.files), "there are other files than the manifest lists")
        for name, each in listed.items():
            raw = self.files[name]
            same = len(raw) == each["size"] and sha256(raw).digest() == unbase64(each["digest"], MANIFEST)
            require(same, f"{name} is not the file that was packed")

    def read_keys(self) -> None:
        """Learn the logs' keys: those given from outside, and those that they handed over to; or those of the pack."""
        packed = [read_key(line.decode())[2] for line in self.lines("keys.txt")]
        self.own_keys = not self.trusted
        self.keys = list(self.trusted or packed)
        self.handed: list[tuple[int, int, bytes, bytes]] = []
        waiting = [read_json(line, "rotations.jsonl") for line in self.lines("rotations.jsonl")]
        while waiting:
            known = [each for each in waiting if self._hands_over(each)]
            require(bool(known), "a key was handed over between keys that are not trusted")
            waiting = [each for each in waiting if each not in known]
        require(set(packed) <= set(self.keys), "the pack is signed by a key that is not the one you gave")

    def _hands_over(self, rotation: dict[str, Any]) -> bool:
        """Trust the other key of a note by which one trusted key handed over to another: both have signed it."""
        text = rotation["note"].split("\n")
        old, new = read_key(text[3]), read_key(text[4])
        if old[2] not in self.keys and new[2] not in self.keys:
            return False
        body = open_note(rotation["note"], text[1], [old[2], new[2]], "a note of a key's rotation")
        both = rotation["note"].count("\n\u2014 ") == 2 and len(body.split("\n")) == 6
        require(both, "a key hands over by the signatures of both")
        require(old[0] == new[0] == text[1] and text[0] == "byleave/key-rotation/v1", "a key hands over in its own log")
        self.keys += [key for key in (old[2], new[2]) if key not in self.keys]
        self.handed.append((rotation["log"], int(text[2]), old[2], new[2]))
        return True

    def keys_of(self, log: int, size: int) -> list[bytes]:
        """Return the keys that may have signed a log at one size: the old one up to a handing over, the new from it."""
        place = (log, size)
        late = {old for number, at, old, _ in self.handed if place > (number, at)}
        early = {new for number, at, _, new in self.handed if place < (number, at)}
        return [key for key in self.keys if key not in late and key not in early]

    def read_checkpoints(self) -> None:
        """Open each log's checkpoint, and the earlier ones: the log only grew from each of them to the last."""
        for log in self.manifest["logs"]:
            number, origin, name = log["number"], log["origin"], log["checkpoint"]
            size, root = read_checkpoint(self.file(name).decode(), origin, self.keys_of(number, log["size"]), name)
            require(size == log["size"] and number not in self.logs, f"{name} is of another size")
            self.logs[number] = (origin, size, root)
            self.counts["checkpoints"] += 1
        for line in self.lines("consistency.jsonl"):
            told = read_json(line, "consistency.jsonl")
            origin, new, root = self.logs[told["log"]]
            name, keys = told["checkpoint"], self.keys_of(told["log"], told["old"])
            old, old_root = read_checkpoint(self.file(name).decode(), origin, keys, name)
            path = [unbase64(each, "a proof") for each in told["path"]]
            same = (old, new) == (told["old"], told["new"])
            require(same and grew(old, new, path, old_root, root), f"the log did not grow out of {name}")
            self.counts["checkpoints"] += 1

    def read_entries(self) -> None:
        """Find every entry in its log's tree."""
        bodies, proofs = self.lines("entries.jsonl"), self.lines("proofs.jsonl")
        require(len(bodies) == len(proofs) == self.manifest["entries"], "entries and proofs are not of one number")
        for spot, body in enumerate(bodies):
            proof = read_json(proofs[spot], "proofs.jsonl")
            origin, size, root = self.logs[proof["log"]]
            path = [unbase64(each, "a proof") for each in proof["path"]]
            self.keep(body, proof["log"], proof["seq"], origin)
            held = included(leaf_hash(body), proof["seq"], size, path, root)
            require(held, f"entry {proof['seq']} of {origin} is not in the log")
            self.counts["entries"] += 1
        for log in self.manifest["logs"]:
            whole = all((log["number"], seq) in self.entries for seq in range(log.get("first", 0), log.get("last", 0)))
            require(whole, f"of the entries of {log['origin']} in this period some are left out")

    def keep(self, body: bytes, log: int, seq: int, origin: str) -> dict[str, Any]:
        """Read an entry: exactly the eight keys, of this log and place."""
        entry = read_json(body, "an entry")
        require(set(entry) == {"at", "c", "cv", "h", "log", "seq", "t", "v"}, "an entry has other keys")
        require((entry["v"], entry["log"], entry["seq"]) == (1, origin, seq), "an entry is of another place")
        require((log, seq) not in self.entries, "an entry stands twice")
        self.entries[log, seq] = entry
        return dict(entry)

    def read_export(self) -> None:
        """Find the entry by which the ledger committed to this very pack when it was handed out."""
        told = read_json(self.file(EXPORT), EXPORT)
        keys = {"checkpoint", "entry", "log", "path", "payload", "salt", "seq", "size"}
        require(set(told) == keys, f"{EXPORT} has other keys")
        number, origin = told["log"], self.logs[told["log"]][0]
        size, root = read_checkpoint(told["checkpoint"], origin, self.keys_of(number, told["size"]), EXPORT)
        body = told["entry"].encode()
        path = [unbase64(each, EXPORT) for each in told["path"]]
        held = size == told["size"] and included(leaf_hash(body), told["seq"], size, path, root)
        require(held, "the ledger knows nothing of this pack")
        entry = self.keep(body, number, told["seq"], origin)
        self._opens(entry, told["salt"], told["payload"])
        digest = unbase64(told["payload"]["manifest"], EXPORT, url=True)
        own = entry["t"] == "export.made" and digest == sha256(self.files[MANIFEST]).digest()
        require(own, f"{EXPORT} is about another pack")

    def _opens(self, entry: dict[str, Any], salt: str, payload: Any) -> None:
        mac = hmac.new(unbase64(salt, "a salt", url=True), COMMIT + canonical(payload), "sha256").digest()
        same = mac == unbase64(entry["c"], "a commitment", url=True)
        require(same, "a payload is not the one that its entry committed to")

    def read_openings(self) -> None:
        """Hold opened payloads against their entries' commitments, and documents against opened payloads."""
        bound: set[str] = set()
        for line in self.lines("openings.jsonl"):
            told = read_json(line, "openings.jsonl")
            entry = self.entries[told["log"], told["seq"]]
            self._opens(entry, told["salt"], told["payload"])
            self.counts["openings"] += 1
            for name in told.get("documents", ()):
                key, begins = DOCUMENTS[entry["t"]]
                digests = told["payload"][key] if isinstance(told["payload"][key], list) else [told["payload"][key]]
                committed = [unbase64(each, name, url=True) for each in digests]
                same = name.startswith(begins) and sha256(self.file(name)).digest() in committed
                require(same, f"{name} is not the one that an entry committed to")
                bound.add(name)
        bind = tuple(each for _, each in DOCUMENTS.values())
        loose = [name for name in self.files if name.startswith(bind) and name not in bound]
        require(not loose, f"{''.join(loose[:1])} is bound by no entry")
        self.counts["documents"] = len(bound)


def many(count: int, one: str, more: str) -> str:
    """Return a count with its noun."""
    return f"{count} {one if count == 1 else more}"


def verdict(pack: Pack) -> list[str]:
    """Return what the pack proves and what not, in plain words."""
    about = ", ".join(f"{key} {value}" for key, value in sorted(pack.manifest["about"].items()))
    told = pack.counts
    entries = many(told["entries"], "entry stands", "entries stand")
    checkpoints = many(told["checkpoints"], "checkpoint is", "checkpoints are")
    openings = many(told["openings"], "opened payload says", "opened payloads say")
    documents = many(told["documents"], "document is one", "documents are those")
    whole = " Between the first and the last of them none is left out." if "since" in pack.manifest["about"] else ""
    key = "The log's key came with the pack: compare it with one that you got elsewhere, and give it with --vkey."
    return [
        f"The pack holds. It is about: {about}.",
        "It proves",
        f" - that {entries} in the ledger as recorded.{whole}",
        f" - that {checkpoints} signed by the log's key, and the log only grew between them.",
        f" - that {openings} what the ledger committed to when that was recorded.",
        f" - that {documents} committed to (of catalogues, wordings, audit reports).",
        " - that the pack is whole, and that the ledger noted that it was handed out.",
        "It does not prove",
        " - that everything that happened was entered in the ledger, or that what was entered is true.",
        " - that the clock was right, or that everybody was shown the same log: ask a witness.",
        " - what the payloads say that are not opened.",
        key if pack.own_keys else "The log's key is the one that you gave.",
    ]


def given_keys(given: str) -> list[bytes]:
    """Read a verifier key, or the keys in a file."""
    path = Path(given)
    return [read_key(each)[2] for each in (path.read_text(encoding="utf-8").split() if path.is_file() else [given])]


def main(arguments: list[str]) -> int:
    """Run the program."""
    out = [each for each in arguments if each != "--json"]
    keys: list[str] = []
    while "--vkey" in out[:-1]:
        spot = out.index("--vkey")
        keys.append(out[spot + 1])
        del out[spot : spot + 2]
    if len(out) > 1 or any(each.startswith("-") for each in out):
        sys.stderr.write("usage: python verify.py [PACK.zip] [--vkey KEY] [--json]\n")
        return 2
    path = Path(out[0]) if out else Path(__file__).resolve().parent
    try:
        trusted = [key for each in keys for key in given_keys(each)]
    except (Refused, OSError, ValueError):
        sys.stderr.write("KEY is neither a verifier key (name+id+base64) nor a file with one in each line\n")
        return 2
    ok, why, told = True, "", {}
    try:
        pack = Pack(load(path), trusted)
        pack.verify()
        said, told = verdict(pack), pack.counts
    except (Refused, OSError) as refused:
        ok, why = False, str(refused) if isinstance(refused, Refused) else "the file can't be read"
        said = [f"REFUSED: {why}.", "Nothing follows from this pack."]
    as_json = json.dumps({"ok": ok, "why": why, "checked": told})
    sys.stdout.write((as_json if "--json" in arguments else "\n".join(said)) + "\n")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
