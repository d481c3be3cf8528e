"""PURE: whether a receipt holds. Takes nothing on trust but the log's verifier key.

What is shown, link by link: the key has signed the checkpoint; the entry stands in the tree of that checkpoint; the
entry commits to the payload; the payload commits to the terms; and the readable part says what payload and terms say,
neither more nor less, for it is written anew from them and compared.

What is not shown: that the customer himself said it (that is the company's word, with the method and the evidence that
it names), that he hasn't said otherwise since, and that everybody else is shown the same log (compare the checkpoint
with a published or witnessed one).
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from consent.base import canonical, strict_json
from consent.base.canonical import NotCanonical, b64u
from consent.base.errors import Invalid
from consent.catalogue import terms
from consent.ledger import entry, merkle, period
from consent.ledger.checkpoint import Checkpoint, parse
from consent.ledger.merkle import ProofRefused
from consent.ledger.note import NoteRefused, Verifier, open_note
from consent.receipts import document, form
from consent.receipts.form import PROOF, Proof, ReceiptRefused

LARGEST: Final = 1 << 20
"""Bytes; a receipt of two hundred scopes has about a third of that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """A receipt that holds: its proof, and the checkpoint that it leads to."""

    proof: Proof
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A receipt that doesn't, and why not: one sentence, which quotes no value."""

    why: str


def verdict(raw: bytes, verifiers: Sequence[Verifier]) -> Holds | Refused:
    """Say whether the bytes are a receipt that holds. Nothing is ever raised, whatever they are.

    Args:
        raw: a file, as it came.
        verifiers: the public keys that are trusted, of any period of the ledger.

    >>> verdict(b"{}", [])
    Refused(why='this is not a receipt: it has no proof')
    """
    if len(raw) > LARGEST:
        return Refused(why=f"this is not a receipt: it has more than {LARGEST:,} bytes")
    try:
        given = strict_json.parse(raw)
    except Invalid as wrong:
        where = ", ".join(f"{place.where}: {place.why}" if place.where else place.why for place in wrong.places)
        return Refused(why=f"this is not JSON that can be read in one way only ({where})")
    return verdict_on(given, verifiers)


def verdict_on(given: object, verifiers: Sequence[Verifier]) -> Holds | Refused:
    """Say whether JSON that was read strictly is a receipt that holds.

    Args:
        given: as `consent.base.strict_json` reads it.
        verifiers: as of `verdict`.
    """
    try:
        return _held(given, verifiers)
    except (ReceiptRefused, NoteRefused, ProofRefused) as refused:
        return Refused(why=refused.detail)


def _held(given: object, verifiers: Sequence[Verifier]) -> Holds:
    if type(given) is not dict or PROOF not in given:
        raise ReceiptRefused("this is not a receipt: it has no proof")
    proof = form.read(given[PROOF])
    if not _committed(proof):
        raise ReceiptRefused("the entry commits to another payload")
    if not hmac.compare_digest(b64u(terms.digest(proof.terms)).encode(), proof.payload["terms"].encode()):
        raise ReceiptRefused("the payload was recorded under other terms")
    if not _same({name: value for name, value in given.items() if name != PROOF}, document.readable(proof)):
        raise ReceiptRefused("the readable part doesn't say what was recorded")
    checkpoint = _signed(proof, verifiers)
    leaf = merkle.leaf_hash(proof.body)
    merkle.verify_inclusion(leaf, index=proof.entry.seq, size=checkpoint.size, proof=proof.path, root=checkpoint.root)
    return Holds(proof=proof, checkpoint=checkpoint)


def _committed(proof: Proof) -> bool:
    try:
        body = canonical.encode(proof.payload, limit=LARGEST)
    except NotCanonical:
        raise ReceiptRefused("the payload is not of the form") from None
    return entry.opens(proof.salt + body, proof.entry.commitment)


def _signed(proof: Proof, verifiers: Sequence[Verifier]) -> Checkpoint:
    """Return the checkpoint, signed by a key of the entry's log."""
    own = [Verifier(name=proof.entry.log, public_key=each.public_key) for each in verifiers if _is_of(each, proof)]
    if not own:
        raise ReceiptRefused("the entry is of a log that none of the given keys belongs to")
    checkpoint = parse(open_note(proof.checkpoint, own).text)
    if checkpoint.origin != proof.entry.log:
        raise ReceiptRefused("the checkpoint is of another log than the entry")
    return checkpoint


def _is_of(verifier: Verifier, proof: Proof) -> bool:
    """Say whether a key is of the entry's log, or of another period of the same deployment: a key outlives periods."""
    mine, own = period.read(verifier.name), period.read(proof.entry.log)
    return verifier.name == proof.entry.log or (mine is not None and own is not None and mine[0] == own[0])


def _same(given: Any, expected: Any) -> bool:  # noqa: ANN401 -- walks JSON of any shape
    """Say whether two JSON values are one, types and all: to Python `True` is 1 and 1 is 1.0."""
    if type(given) is not type(expected):
        return False
    if type(given) is dict:
        return given.keys() == expected.keys() and all(_same(given[name], expected[name]) for name in given)
    if type(given) is list:
        return len(given) == len(expected) and all(map(_same, given, expected))
    return bool(given == expected)
