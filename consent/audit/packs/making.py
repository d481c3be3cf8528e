"""USE CASE: make an evidence pack, and have the ledger note that it was handed out.

The order matters. A checkpoint is signed first, so that one covers all that is asked for; the files are gathered in one
snapshot; then, in one transaction, the ledger commits to the manifest, a checkpoint over that entry is signed, what was
opened of a customer is recorded as a use, and the pack is kept. If anything fails, none of it has happened.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeAlias

from consent import uses
from consent.audit.packs import contents, proofs, shelf, verify
from consent.audit.packs.contents import Gathered
from consent.audit.packs.proofs import Place
from consent.audit.packs.readme import readme
from consent.audit.packs.shelf import Pack
from consent.audit.reports.content import Explained
from consent.audit.run import Opened
from consent.base.canonical import b64, b64u, encode
from consent.base.clock import rfc3339
from consent.base.errors import ByleaveError, Fenced
from consent.base.store import Work
from consent.ledger.entry import Kind
from consent.ledger.log import Appended
from consent.register import proving, publishing
from consent.register.desk import Desk
from consent.rights.looking import Why
from consent.uses import Use

OPENED: Final = "statements"
"""What is read then, in place of categories."""

Closing: TypeAlias = Callable[[Work], None]


def make(deployment: Opened, pack: str, *, explained: Mapping[str, Explained], closing: Closing | None = None) -> Pack:
    """Make a pack that was asked for; where it can't be made, that is written down with the reason.

    Args:
        deployment: what it is made from, and kept in.
        pack: its id.
        explained: every check in plain words, for audit reports.
        closing: called in the transaction that keeps it: this is where a job is fenced.

    Raises:
        NotFound: there is no such pack.
        StateConflict: it was made already.
        Fenced: `closing` says that somebody else makes it by now; nothing of this one is kept.
        DatabaseDown: it could not be written down what became of it; it stays queued.
    """
    with deployment.store.read() as work:
        asked = shelf.one(work, pack)
    try:
        _make(deployment, asked, explained, closing)
    except Fenced:
        raise
    except ByleaveError as refused:
        with deployment.store.write() as work:
            if closing is not None:
                closing(work)
            shelf.fail(work, asked, str(refused))
    with deployment.store.read() as work:
        return shelf.one(work, pack)


def _make(deployment: Opened, asked: Pack, explained: Mapping[str, Explained], closing: Closing | None) -> None:
    at = deployment.clock()
    with deployment.store.write() as work:
        proving.sign_checkpoint(deployment.desk, work, at=at)
    with deployment.store.read() as work:
        found = contents.gather(deployment.desk, work, asked.about, explained=explained, at=at)
    manifest = _finished(found, asked, at)
    with deployment.store.write() as work:
        if closing is not None:
            closing(work)
        noted = _noted(deployment.desk, work, asked, manifest, at)
        proving.sign_checkpoint(deployment.desk, work, at=at)
        found.files[verify.EXPORT] = _export(deployment.desk, work, noted)
        if asked.about.personal:
            use = Use(
                actor=asked.asked_by, purpose=Why.EVIDENCE, reason=asked.about.reason, customer=asked.about.customer
            )
            uses.record(work, use, categories=(OPENED,), customers=1, position=noted.position, at=at)
        body = verify.zip_bytes(found.files)
        shelf.put(
            deployment.desk, work, asked, body, digest=sha256(body).digest(), position=noted.position, at=at
        )  # fmt: skip


def _finished(found: Gathered, asked: Pack, at: datetime) -> bytes:
    """Add the words for people, the verifier and the manifest; return the manifest."""
    files = found.files
    vkey = files["keys.txt"].decode().split("\n")[0]
    files["verify.py"] = Path(verify.__file__).read_bytes()
    files["README.txt"] = readme(
        pack=asked.id, about=asked.about.as_text(), asked_by=asked.asked_by, at=at, entries=len(found.places),
        personal=asked.about.personal, vkey=vkey, names=frozenset(files),
    ).encode()  # fmt: skip
    listed = [
        {"digest": b64(sha256(files[name]).digest()), "name": name, "size": len(files[name])} for name in sorted(files)
    ]
    manifest = encode(
        {
            "about": asked.about.as_text(), "asked_by": asked.asked_by, "entries": len(found.places), "files": listed,
            "format": verify.FORMAT, "logs": found.logs, "made_at": rfc3339(at), "pack": asked.id,
            "personal": asked.about.personal,
        },
        limit=verify.LARGEST,
    )  # fmt: skip
    files[verify.MANIFEST] = manifest
    return manifest


def _noted(desk: Desk, work: Work, asked: Pack, manifest: bytes, at: datetime) -> Appended:
    payload = {
        "about": asked.about.as_text(), "actor": asked.asked_by, "manifest": b64u(sha256(manifest).digest()),
        "pack": asked.id, "personal": asked.about.personal,
    }  # fmt: skip
    return publishing.note(desk, work, Kind.EXPORT_MADE, payload, at=at)


def _export(desk: Desk, work: Work, noted: Appended) -> bytes:
    """Return the ledger's entry about the pack, opened, and its way to the checkpoint that was signed over it."""
    under = proofs.newest(work, noted.log)
    [body] = proofs.bodies(work, noted.log, [noted.seq])
    [path] = proofs.paths(work, under, [noted.seq])
    [(_, _, plain)] = contents.plains(desk, work, [Place(noted.log, noted.seq)])
    told = {
        "checkpoint": under.note, "entry": body.decode(), "log": noted.log, "path": [b64(each) for each in path],
        "payload": contents.payload_of(plain), "salt": b64u(plain[: contents.SALT_BYTES]), "seq": noted.seq,
        "size": under.size,
    }  # fmt: skip
    return encode(told)
