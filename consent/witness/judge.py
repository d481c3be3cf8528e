"""What a witness answers: it cosigns a checkpoint that goes on from the last one it saw, and no other.

The order of the checks is that of the specification, so that whoever asks can tell from the answer what is wrong: who
is asking (404, 403), whether the sizes fit (400, 409 with the size that the witness knows), whether the log only grew
(422). A checkpoint is kept before its cosignature leaves. One that is signed and does not go on from what was cosigned
is proof that the log has two histories: both notes are kept.

Source:
    c2sp.org/tlog-witness.
"""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Final

from consent.base.clock import to_ms
from consent.base.store import Work
from consent.ledger import checkpoint, cosignature, merkle, note
from consent.ledger.checkpoint import Checkpoint
from consent.ledger.cosignature import Cosigner
from consent.ledger.merkle import EMPTY_ROOT, ProofRefused
from consent.ledger.note import NoteRefused, Signature
from consent.witness import book, request
from consent.witness.book import Book, Seen
from consent.witness.request import AddCheckpoint, RequestRefused

PLAIN: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back: status, type and body."""

    status: HTTPStatus
    body: str
    type: str = PLAIN


class Witness:
    """A witness: its key, and its book."""

    def __init__(self, cosigner: Cosigner, kept: Book) -> None:
        """Take the key and the book."""
        self._cosigner = cosigner
        self._book = kept

    def add_checkpoint(self, body: bytes, *, at: datetime) -> Answer:
        """Judge a request, and cosign its checkpoint if it goes on from what was cosigned before."""
        try:
            asked = request.read(body)
        except RequestRefused as refused:
            return _refusal(HTTPStatus.BAD_REQUEST, refused.detail)
        origin = asked.note.partition("\n")[0]
        with self._book.writing() as work:
            keys = book.keys_of(work, origin)
            if not keys:
                return _refusal(HTTPStatus.NOT_FOUND, "this witness doesn't know the log")
            try:
                opened = note.open_note(asked.note, keys)
            except NoteRefused as refused:
                return _refusal(
                    HTTPStatus.FORBIDDEN, f"no key of the log that is known here has signed: {refused.detail}"
                )
            lines = [
                one for one in note.split(asked.note)[1] if (one.name, one.key_id) in {(k.name, k.key_id) for k in keys}
            ]
            return self._judge(work, asked, opened.text, lines, at=to_ms(at) // 1000)

    def newest(self, hashed: str) -> Answer:
        """Return the newest checkpoint of a log that was cosigned, with both signatures; by the hash of its origin."""
        with self._book.reading() as work:
            found = next((one for one in book.all_seen(work) if request.origin_hash(one.origin) == hashed), None)
        if found is None:
            return _refusal(HTTPStatus.NOT_FOUND, "this witness never cosigned such a log")
        return Answer(status=HTTPStatus.OK, body=found.note)

    def _judge(self, work: Work, asked: AddCheckpoint, text: str, lines: list[Signature], *, at: int) -> Answer:
        try:
            state = checkpoint.parse(text)
        except NoteRefused as refused:
            status = HTTPStatus.UNPROCESSABLE_ENTITY if text.split("\n")[1:2] == ["0"] else HTTPStatus.BAD_REQUEST
            return _refusal(status, refused.detail)
        if asked.old > state.size:
            return _refusal(HTTPStatus.BAD_REQUEST, "the old size is larger than the checkpoint's")
        known = book.last(work, state.origin) or Seen(state.origin, 0, EMPTY_ROOT, "", 0)
        if asked.old != known.size:
            return Answer(status=HTTPStatus.CONFLICT, body=f"{known.size}\n", type=request.SIZE_TYPE)
        why = _astray(asked, state, known)
        if why and known.size:
            book.contradict(work, known, old=asked.old, why=why, theirs=asked.note, at=at)
        if why:
            return _refusal(HTTPStatus.UNPROCESSABLE_ENTITY, why)
        # What is signed is what was understood, written anew: a text that could be read in two ways fits neither.
        cosigned = cosignature.cosign(checkpoint.text(state), self._cosigner, at=at)
        kept = "".join([checkpoint.text(state), "\n", *(line.line for line in lines), cosigned])
        book.keep(work, state, note=kept, at=at)
        return Answer(status=HTTPStatus.OK, body=cosigned)


def _astray(asked: AddCheckpoint, state: Checkpoint, known: Seen) -> str:
    """Say why a checkpoint does not go on from the one that is known; "" if it does."""
    if known.size == 0:
        return "the proof from nothing is empty" if asked.proof else ""
    try:
        merkle.verify_consistency(known.size, state.size, proof=asked.proof, old_root=known.root, new_root=state.root)
    except ProofRefused as refused:
        return refused.detail
    return ""


def _refusal(status: HTTPStatus, why: str) -> Answer:
    return Answer(status=status, body=f"{why}\n")
