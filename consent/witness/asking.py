"""Ask a witness over HTTP: to cosign a checkpoint, and what it saw last.

Source:
    c2sp.org/tlog-witness.
"""

import http.client
import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from consent.base.errors import Unavailable
from consent.ledger import note
from consent.ledger.cosignature import CosignerKey
from consent.ledger.note import NoteRefused
from consent.witness import request

_SIZE: Final = re.compile(r"(0|[1-9][0-9]{0,18})\n", re.ASCII)
_LONGEST: Final = 1 << 18
_LONGEST_REASON: Final = 200


class WitnessDown(Unavailable):
    """The witness can't be reached, or answers nothing that can be read. The ledger goes on without it."""

    code = "witness_down"
    title = "The witness does not answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessPlace:
    """Where a witness is asked, and by which key its answers are known.

    Attributes:
        url: `http://…` or `https://…`; what comes before `/add-checkpoint`.
        key: its public key.
        timeout_seconds: how long an answer may take.
    """

    url: str
    key: CosignerKey
    timeout_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The checkpoint, with the witness's line."""

    note: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The witness saw the log last at another size than was said."""

    size: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The witness doesn't cosign: the status, and its words."""

    status: int
    why: str


Answered: TypeAlias = Cosigned | Elsewhere | Refused


def submit(place: WitnessPlace, old: int, proof: Sequence[bytes], *, checkpoint: str) -> Answered:
    """Ask for a cosignature.

    Args:
        place: whom.
        old: the size of what he cosigned last, as far as is known.
        proof: that the log of `old` entries is how the checkpoint's begins.
        checkpoint: signed by the log.

    Raises:
        WitnessDown: there is no answer, or none that can be read; or its signature isn't the witness's.
    """
    body = request.write(old, proof, note=checkpoint)
    status, kind, answer = _asked(place, "POST", request.PATH, body)
    if status == HTTPStatus.OK:
        return Cosigned(_joined(place, checkpoint, answer))
    if status == HTTPStatus.CONFLICT and kind == request.SIZE_TYPE:
        size = _SIZE.fullmatch(answer)
        if not size:
            raise WitnessDown("it names a size that can't be read")
        return Elsewhere(int(size[1]))
    return Refused(status, answer.strip()[:_LONGEST_REASON])


def newest(place: WitnessPlace, origin: str) -> str | None:
    """Return the newest checkpoint of a log that the witness cosigned, with both signatures; None where there is none.

    Only the witness's own signature has been verified.

    Raises:
        WitnessDown: there is no answer, or none that can be read; or its signature isn't the witness's.
    """
    status, _, answer = _asked(place, "GET", f"/{request.origin_hash(origin)}/checkpoint", b"")
    if status == HTTPStatus.NOT_FOUND:
        return None
    if status != HTTPStatus.OK:
        raise WitnessDown(f"it answers {status}")
    try:
        note.open_note(answer, [place.key])
    except NoteRefused as refused:
        raise WitnessDown(f"what it shows is not signed by it: {refused.detail}") from None
    return answer


def _joined(place: WitnessPlace, checkpoint: str, answer: str) -> str:
    """Put the witness's line under the checkpoint; lines of others are left out."""
    try:
        lines = [
            one.line for one in note.signatures(answer) if (one.name, one.key_id) == (place.key.name, place.key.key_id)
        ]
        if not lines:
            raise WitnessDown("it answered without its own signature")
        joined = f"{checkpoint}{lines[0]}"
        note.open_note(joined, [place.key])
    except NoteRefused as refused:
        raise WitnessDown(f"its signature does not hold: {refused.detail}") from None
    return joined


def _asked(place: WitnessPlace, method: str, path: str, body: bytes) -> tuple[int, str, str]:
    parts = urlsplit(place.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=place.timeout_seconds)
    try:
        connection.request(method, f"{parts.path.rstrip('/')}{path}", body or None, {"Content-Type": "text/plain"})
        answer = connection.getresponse()
        content = answer.read(_LONGEST + 1)
        if len(content) > _LONGEST:
            raise WitnessDown("its answer is too long")
        return answer.status, (answer.getheader("Content-Type") or "").partition(";")[0], content.decode("utf-8")
    except (OSError, http.client.HTTPException, UnicodeDecodeError) as away:
        raise WitnessDown(f"{type(away).__name__} at {place.url}") from away
    finally:
        connection.close()
