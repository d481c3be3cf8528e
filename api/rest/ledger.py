"""`/api/v1/ledger`: the newest checkpoint, proofs, and entries as they are stored.

Nothing here signs: a checkpoint is made by the worker, and by whoever asks for one on the command line.
"""

import re
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Response

from api.rest.contract import TEXT, Contract, answer, contract
from api.rest.incoming import no_query, query
from api.rest.shapes import Choice, Form, Instant, Items, Shape, Text, Whole
from api.rest.verdicts import LARGEST
from api.roles import action
from api.wiring import here
from consent.base.canonical import b64
from consent.base.clock import parse_time
from consent.base.errors import EntryUnknown, LedgerBroken, NotFound
from consent.ledger import entry, log, merkle
from consent.ledger.entry import Kind
from consent.register import proving

HASH: Final = r"^[A-Za-z0-9+/]{43}=$"
_SEQ: Final = re.compile("0|[1-9][0-9]{0,15}", re.ASCII)

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


class ConsistencyForm(Form):
    """That the ledger of `new` entries begins with the one of `old`."""

    old = Whole(1, LARGEST, required=True)
    new = Whole(1, LARGEST, required=True)
    path = Items(Text(44, 44, HASH), 0, 127, required=True)


class EntryForm(Form):
    """An entry. Nothing in it names anybody."""

    seq = Whole(0, LARGEST, required=True)
    at = Instant(required=True)
    kind = Choice(Kind, required=True)
    catalogue_version = Whole(0, LARGEST, required=True)
    log = Text(1, 120, required=True)
    commitment = Text(44, 44, HASH, required=True, metadata={"description": "to what the entry says"})
    digest = Text(44, 44, HASH, required=True, metadata={"description": "SHA-256 of the sealed payload"})
    leaf_hash = Text(44, 44, HASH, required=True)
    entry = Text(1, 2_000, required=True, metadata={"description": "the exact bytes"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Which entry is asked for."""

    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Which two sizes are asked for."""

    old: int
    new: int


INCLUSION: Final = Shape(InclusionQuery, Spot)
CONSISTENCY: Final = Shape(ConsistencyQuery, Sizes)


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
        path = proving.consistency(work, asked.old, asked.new)
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
        body = log.body_of(work, log.head(work).log, int(seq))
    read = entry.read(body)
    if read is None:
        raise LedgerBroken(f"entry {seq} is not of the form")
    shown = {
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
    return answer(EntryForm, shown)
