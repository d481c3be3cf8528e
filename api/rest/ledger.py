"""`/api/v1/ledger`: the newest checkpoint, proofs, and entries as they are stored.

Nothing here signs: a checkpoint is made by the worker, and by whoever asks for one on the command line.
"""

import re
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Response

from api.rest.contract import TEXT, Contract, answer, contract
from api.rest.incoming import no_query, query
from api.rest.shapes import Choice, Form, Instant, Items, Part, Shape, Text, Whole
from api.rest.verdicts import LARGEST
from api.roles import action
from api.wiring import here
from consent.base.canonical import b64
from consent.base.clock import parse_time
from consent.base.errors import EntryUnknown, LedgerBroken, NotFound
from consent.ledger import entry, listing, log, merkle, stored
from consent.ledger.entry import Kind
from consent.ledger.opening import Cause
from consent.ledger.position import position
from consent.register import proving

HASH: Final = r"^[A-Za-z0-9+/]{43}=$"
_SEQ: Final = re.compile("0|[1-9][0-9]{0,15}", re.ASCII)
_CURSOR: Final = "^(0|[1-9][0-9]{0,15})$"
MOST: Final = 1_000
"""Entries that one answer lists."""

blueprint: Final = Blueprint("ledger", __name__, url_prefix="/api/v1/ledger")


class InclusionQuery(Form):
    """Which entry."""

    seq = Whole(0, LARGEST, in_query=True, required=True)


class InclusionForm(Form):
    """That an entry is in the ledger: all that is needed to verify it, but the log's public key."""

    seq = Whole(0, LARGEST, required=True)
    entry = Text(1, 2_000, required=True, metadata={"description": "the exact bytes"})
    leaf_hash = Text(44, 44, HASH, required=True)
    size = Whole(1, LARGEST, required=True, metadata={"description": "of the ledger, at the checkpoint"})
    path = Items(Text(44, 44, HASH), 0, 63, required=True, metadata={"description": "from the leaf to the root"})
    checkpoint = Text(1, 100_000, required=True, metadata={"description": "a C2SP signed note"})


class ConsistencyQuery(Form):
    """Which two sizes."""

    old = Whole(1, LARGEST, in_query=True, required=True)
    new = Whole(1, LARGEST, in_query=True, required=True)
    log = Whole(1, LARGEST, in_query=True, metadata={"description": "number of the log; the newest, where left out"})


class ConsistencyForm(Form):
    """That the ledger of `new` entries begins with the one of `old`."""

    old = Whole(1, LARGEST, required=True)
    new = Whole(1, LARGEST, required=True)
    path = Items(Text(44, 44, HASH), 0, 127, required=True)


class EntryForm(Form):
    """An entry. Nothing in it names anybody."""

    position = Whole(0, LARGEST, required=True, metadata={"description": "among all logs"})
    seq = Whole(0, LARGEST, required=True, metadata={"description": "in its log"})
    at = Instant(required=True)
    kind = Choice(Kind, required=True)
    catalogue_version = Whole(0, LARGEST, required=True)
    log = Text(1, 120, required=True)
    commitment = Text(44, 44, HASH, required=True, metadata={"description": "to what the entry says"})
    digest = Text(44, 44, HASH, required=True, metadata={"description": "SHA-256 of the sealed payload"})
    leaf_hash = Text(44, 44, HASH, required=True)
    entry = Text(1, 2_000, required=True, metadata={"description": "the exact bytes"})


class EntriesQuery(Form):
    """Which entries."""

    limit = Whole(1, MOST, in_query=True, metadata={"description": "at most"})
    cursor = Text(1, 16, _CURSOR, "is not a cursor of this list")
    kind = Choice(Kind)


class EntriesForm(Form):
    """Entries, the oldest first. With a kind, an answer can be empty and still have a cursor: go on from there."""

    data = Items(Part(EntryForm), 0, MOST, required=True)
    next_cursor = Text(1, 16, required=True, allow_none=True, metadata={"description": "null at the end"})


class LogForm(Form):
    """A log: one period of the ledger."""

    number = Whole(1, LARGEST, required=True)
    origin = Text(1, 120, required=True)
    first = Whole(0, LARGEST, required=True, metadata={"description": "position of its first entry"})
    size = Whole(0, LARGEST, required=True)
    ended = Choice(
        Cause, required=True, allow_none=True, metadata={"description": "why it ended; null while it goes on"}
    )
    tiles = Text(1, 200, required=True, metadata={"description": "where its tiles are, public"})


class LogsForm(Form):
    """All logs, the oldest first."""

    data = Items(Part(LogForm), 1, 10_000, required=True)
    next_cursor = Text(1, 1, required=True, allow_none=True, metadata={"description": "always null: all are here"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The part of the entries that is asked for."""

    limit: int = 100
    cursor: str = "0"
    kind: Kind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Which entry is asked for."""

    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Which two sizes are asked for."""

    old: int
    new: int
    log: int = 0


INCLUSION: Final = Shape(InclusionQuery, Spot)
CONSISTENCY: Final = Shape(ConsistencyQuery, Sizes)
ENTRIES: Final = Shape(EntriesQuery, Page)


@blueprint.get("/checkpoint")
@action("ledger.checkpoint")
@contract(Contract(summary="Show the newest signed checkpoint", errors=(404,)))
def checkpoint() -> Response:
    """Return the newest checkpoint that was signed, as a C2SP note."""
    no_query()
    with here().deployment.store.read() as work:
        note = proving.newest_checkpoint(work)
    if note is None:
        raise NotFound("no checkpoint was signed yet")
    return Response(note, mimetype=TEXT)


@blueprint.get("/proofs/inclusion")
@action("ledger.prove")
@contract(
    Contract(summary="Prove that an entry is in the ledger", query=InclusionQuery, answer=InclusionForm, errors=(404,))
)
def inclusion() -> Response:
    """Prove it under the oldest checkpoint that covers the entry."""
    asked = query(INCLUSION)
    with here().deployment.store.read() as work:
        proof = proving.inclusion(work, asked.seq)
    shown = {
        "seq": proof.seq,
        "entry": proof.body.decode(),
        "leaf_hash": b64(proof.leaf_hash),
        "size": proof.size,
        "path": [b64(each) for each in proof.path],
        "checkpoint": proof.checkpoint,
    }
    return answer(InclusionForm, shown)


@blueprint.get("/proofs/consistency")
@action("ledger.prove")
@contract(
    Contract(
        summary="Prove that the ledger only grew",
        query=ConsistencyQuery,
        answer=ConsistencyForm,
        errors=(404,),
    )
)
def consistency() -> Response:
    """Prove that the ledger of `new` entries begins with the one of `old`."""
    asked = query(CONSISTENCY)
    with here().deployment.store.read() as work:
        path = proving.consistency(work, asked.old, asked.new, number=asked.log)
    return answer(ConsistencyForm, {"old": asked.old, "new": asked.new, "path": [b64(each) for each in path]})


@blueprint.get("/entries/<seq>")
@action("ledger.show")
@contract(Contract(summary="Show an entry as it is stored", answer=EntryForm, errors=(404,)))
def show(seq: str) -> Response:
    """Return one entry, its exact bytes among it."""
    no_query()
    if not _SEQ.fullmatch(seq):
        raise EntryUnknown
    with here().deployment.store.read() as work:
        body = log.body_at(work, int(seq))
    return answer(EntryForm, _shown(int(seq), body))


@blueprint.get("/entries")
@action("ledger.show")
@contract(Contract(summary="List entries of the ledger", query=EntriesQuery, answer=EntriesForm))
def entries() -> Response:
    """List entries in their order, from log to log; of one kind, where that is asked for."""
    asked = query(ENTRIES)
    with here().deployment.store.read() as work:
        found = listing.entries(work, int(asked.cursor), asked.limit, kind=asked.kind)
    following = None if found.following is None else str(found.following)
    shown = [_shown(place, body) for place, body in found.entries]
    return answer(EntriesForm, {"data": shown, "next_cursor": following})


@blueprint.get("/logs")
@action("ledger.show")
@contract(Contract(summary="List the logs that the ledger consists of", answer=LogsForm))
def logs() -> Response:
    """List the logs, each of which goes on from the one before it."""
    no_query()
    house = here()
    with house.deployment.store.read() as work:
        found = stored.logs(work)
    shown = [
        {
            "number": one.log, "origin": one.origin, "first": position(one.log, 0), "size": one.size,
            "ended": one.ended and one.ended.cause,
            "tiles": f"{house.settings.base_url}/ledger/{one.origin.rpartition('/')[2]}",
        }
        for one in found
    ]  # fmt: skip
    return answer(LogsForm, {"data": shown, "next_cursor": None})


def _shown(place: int, body: bytes) -> dict[str, object]:
    read = entry.read(body)
    if read is None:
        raise LedgerBroken(f"entry {place} is not of the form")
    return {
        "position": place,
        "seq": read.seq,
        "at": parse_time(read.at),
        "kind": read.kind,
        "catalogue_version": read.catalogue_version,
        "log": read.log,
        "commitment": b64(read.commitment),
        "digest": b64(read.digest),
        "leaf_hash": b64(merkle.leaf_hash(body)),
        "entry": body.decode(),
    }
